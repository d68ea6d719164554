"""A board's films with no rig: readouts, lenses and the offset from what the board shows alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_films import make_film
from synthetic.board_scenes import Scene

from calibration.board_model import BoardModel
from calibration.projection import camera_vector
from livestereo.sync.board import board_offset
from livestereo.sync.board_lens import guess_lenses
from livestereo.sync.lag import recording_of
from livestereo.sync.offset import SyncRefused
from livestereo.sync.recording import Recording
from livestereo.sync.rolling import measure_readout
from livestereo.sync.tracks import at_one_moment, tracks_of


def filmed(seed: int, **how) -> tuple[Scene, Recording, np.ndarray]:
    scene, film = make_film(seed, fps=(30, 30), **how)
    return scene, recording_of(film, 0.0), scene.board.object_points()


@pytest.mark.parametrize(("lag_s", "readout_s"), [(0.0123, 0.025), (-4.1, 0.0)])
def test_the_offset_is_found_as_with_the_rig(lag_s: float, readout_s: float) -> None:
    scene, recording, points = filmed(4, lag_s=lag_s, readout_s=readout_s)
    for rig in (scene.rig, None):
        offset = board_offset(recording, points, rig)
        assert abs(offset.shift_s - lag_s) < min(0.0005, offset.uncertainty_s)
        # Measured to a hundredth: 0.05 px of noise in a hundred views that a rolling shutter shears by pixels.
        assert offset.readout_s == pytest.approx((readout_s, readout_s), abs=8e-4)


@pytest.mark.parametrize("readout_s", [0.0, 0.011, 0.028])
def test_the_readout_is_what_makes_the_board_rigid(readout_s: float) -> None:
    scene, recording, points = filmed(1, readout_s=readout_s)
    tracks = tracks_of(recording, len(points))
    for track, lens in zip(tracks, (scene.rig.left, scene.rig.right)):
        found = measure_readout(track, BoardModel(points), camera_vector(lens), lens.model, np.zeros(4))
        assert abs(found.seconds - readout_s) < max(4 * found.sigma_s, 3e-4)
        assert found.sigma_s < 3e-4
        straight = at_one_moment(track, readout_s)
        global_scene, unrolled, _ = filmed(1)
        assert np.array_equal(global_scene.rig.left.K, scene.rig.left.K)
    # What is left of the shutter: corners at the moment of the middle row, half a readout after the first.
    late = at_one_moment(tracks_of(unrolled, len(points))[1], 0.0)
    off = straight[5:-5] - late[5:-5] - readout_s / 2 * np.gradient(late, 1 / 30, axis=0)[5:-5]
    # Noise of 0.05 px on both, and what a line makes of the way between two looks.
    assert np.nanmedian(np.abs(off)) < 0.1


def test_the_lenses_are_those_of_the_cameras() -> None:
    scene, recording, points = filmed(5, readout_s=0.02)
    guesses = guess_lenses(tracks_of(recording, len(points)), points)
    for guess, lens in zip(guesses, (scene.rig.left, scene.rig.right)):
        # Nine places are few for a calibration; the lens is good for time all the same.
        assert guess.fit.camera[0] == pytest.approx(lens.K[0, 0], rel=0.01)


def test_views_that_are_all_alike_tell_no_lens() -> None:
    _, recording, points = filmed(5)
    alike = [recording.left.corners[0]] * recording.pairs
    still = dataclasses.replace(recording, left=dataclasses.replace(recording.left, corners=alike))
    assert guess_lenses(tracks_of(still, len(points)), points) is None


def test_a_board_at_rest_is_refused_without_a_rig() -> None:
    _, recording, points = filmed(5)
    rng = np.random.default_rng(0)
    first = recording.left.corners[0], recording.right.corners[0]
    rests = [
        [dataclasses.replace(one, points_px=(one.points_px + rng.normal(0, 0.1, one.points_px.shape)).astype("f4"))
         for _ in range(recording.pairs)]
        for one in first
    ]  # fmt: skip
    left, right = (dataclasses.replace(s, corners=c) for s, c in zip((recording.left, recording.right), rests))
    with pytest.raises(SyncRefused):
        board_offset(dataclasses.replace(recording, left=left, right=right), points)


def test_corners_numbered_from_either_end_are_brought_into_one_order() -> None:
    scene, recording, points = filmed(3, lag_s=0.008)
    rng = np.random.default_rng(1)
    sides = []
    for side in (recording.left, recording.right):
        corners = [
            dataclasses.replace(one, points_px=np.ascontiguousarray(one.points_px[::-1])) if turn else one
            for one, turn in zip(side.corners, rng.random(recording.pairs) < 0.3)
        ]
        sides.append(dataclasses.replace(side, corners=corners))
    mixed = dataclasses.replace(recording, left=sides[0], right=sides[1])
    for rig in (scene.rig, None):
        offset = board_offset(mixed, points, rig, either_end=True)
        assert abs(offset.shift_s - 0.008) < min(0.0005, offset.uncertainty_s)


NO_BOARD = {
    "in one row": lambda one, at: dataclasses.replace(one, points_px=one.points_px[:9], ids=one.ids[:9]),
    "three": lambda one, at: dataclasses.replace(one, points_px=one.points_px[:3], ids=one.ids[:3]),
    "now and then": lambda one, at: one if at % 5 == 0 else None,
}


@pytest.mark.parametrize("name", NO_BOARD)
def test_corners_that_carry_nothing_are_refused_in_words(name: str) -> None:
    scene, recording, points = filmed(2)
    left, right = (
        dataclasses.replace(side, corners=[NO_BOARD[name](one, at) for at, one in enumerate(side.corners[:180])])
        for side in (recording.left, recording.right)
    )
    times = recording.times_s[0][:180], recording.times_s[1][:180]
    for rig in (scene.rig, None):
        with pytest.raises(SyncRefused):
            board_offset(dataclasses.replace(recording, left=left, right=right, times_s=times), points, rig)
