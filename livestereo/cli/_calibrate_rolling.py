"""Films of a board that moves before rolling shutters: its corners are brought to one moment of each picture.

A board that never rests is sheared in every picture, alike in both cameras, so that pairs agree with one another and
the rig is wrong all the same. What tells it is the board itself, which is rigid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from calibration.arrange import same_turned
from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.detection import Detection
from calibration.projection import camera_vector
from calibration.rig import Intrinsics
from calibration.views import View
from livestereo.cli._calibrate_files import Collected, choose_looks
from livestereo.sync.board_lens import guess_lenses
from livestereo.sync.lag import MOST_STEP_S, Film, recording_of
from livestereo.sync.offset import Array
from livestereo.sync.paths import LEAST_LOOKS
from livestereo.sync.rolling import Readout, measure_readout
from livestereo.sync.tracks import LEAST_CORNERS, Track, at_one_moment, tracks_of

# A shutter rolls where its readout is so many standard errors from nought, and so long at least.
_SURELY, _LEAST_S = 4.0, 0.001
# With a lens that was found from sheared views, fewer are enough to look again.
_PERHAPS = 2.0
# A readout that is found together with the lens is sure to this share of it.
_UNSURE = 0.015
# What rolling shears the chosen views by, as a share of the corners' noise, that is worth mending.
_WORTH = 0.5
# Of the corners of a look, where they may be in part, so many must have been seen before and after.
_MOST_KEPT = 0.8


def unrolled(
    collected: Collected, film: Film, board: Board, lenses: tuple[Intrinsics, Intrinsics], shape: Array, noise_px: float
) -> tuple[Collected, Collected, Collected] | None:
    """Bring the corners of two films to one moment of each picture; None where their shutters do not roll, or the
    board rests in the views that were chosen.

    lenses: of both cameras, about. shape: of the board (4,). noise_px: σ of the corners. The others are the same with
    the left readout one σ off, and the right one, for what their uncertainty does to the rig.
    """
    sides = film.left, film.right
    if film.step_s > MOST_STEP_S or min(sum(one is not None for one in side.found) for side in sides) < LEAST_LOOKS:
        return None
    points = board.object_points()
    tracks = tracks_of(recording_of(film, 0.0), len(points), either_end=same_turned(board))
    model = BoardModel(points)
    found = [
        measure_readout(track, model, camera_vector(lens), lens.model, shape) for track, lens in zip(tracks, lenses)
    ]
    if not _matters(collected, tracks, found, noise_px, _PERHAPS):
        return None
    # The lenses were found from sheared views: both are found in turn.
    guesses = guess_lenses(tracks, points)
    if guesses is None or not _matters(collected, tracks, [guess.readout for guess in guesses], noise_px, _SURELY):
        return None
    readouts = [guess.readout or Readout(0.0, 0.0) for guess in guesses]
    off = [one.seconds - np.copysign(np.hypot(one.sigma_s, _UNSURE * one.seconds), one.seconds) for one in readouts]
    told = (
        f"The shutters roll ({abs(readouts[0].seconds) * 1e3:.1f} ms left, {abs(readouts[1].seconds) * 1e3:.1f} ms "
        "right, from first row to last) and the board moved: its corners were taken at one moment of each picture."
    )
    straight = _at_one_moment(collected, board, tracks, [one.seconds for one in readouts])
    left_off = _at_one_moment(collected, board, tracks, [off[0], readouts[1].seconds])
    right_off = _at_one_moment(collected, board, tracks, [readouts[0].seconds, off[1]])
    return dataclasses.replace(straight, notes=(*collected.notes, told)), left_off, right_off


def _at_one_moment(
    collected: Collected, board: Board, tracks: tuple[Track, Track], readouts: Sequence[float]
) -> Collected:
    """Take all corners at the moment of the middle row of both cameras, or half-way between."""
    moment_s = sum(readouts) / 4
    straight = [at_one_moment(track, readout, moment_s) for track, readout in zip(tracks, readouts)]
    looks = []
    for at, look in enumerate(collected.looks):
        seen = [
            _moved(getattr(look.view, side), places[at], board) for side, places in zip(("left", "right"), straight)
        ]
        if any(one is not None for one in seen):
            looks.append(dataclasses.replace(look, view=View(look.view.name, *seen)))
    chosen = choose_looks(looks, board)
    return dataclasses.replace(
        collected,
        views=[look.view for look in chosen],
        pictures={look.view.name: look.pair for look in chosen},
        looks=looks,
    )


def _moved(found: Detection | None, places: Array, board: Board) -> Detection | None:
    """Give the same corners at other places (C,2); None where too few of them are known there."""
    if found is None:
        return None
    known = np.isfinite(places).all(axis=1)
    ids = np.flatnonzero(known).astype(np.int32)
    share = _MOST_KEPT if board.kind == "charuco" else 1.0
    if len(ids) < max(LEAST_CORNERS, share * len(found)):
        return None
    return dataclasses.replace(found, points_px=places[ids].astype(np.float32), ids=ids)


def _matters(
    collected: Collected,
    tracks: tuple[Track, Track],
    readouts: Sequence[Readout | None],
    noise_px: float,
    surely: float,
) -> bool:
    """Whether a shutter surely rolls, and shears the chosen views by more than their noise hides."""
    frame_of = {look.view.name: at for at, look in enumerate(collected.looks)}
    chosen = [frame_of[view.name] for view in collected.views if view.name in frame_of]
    for track, readout in zip(tracks, readouts):
        if readout is None or not abs(readout.seconds) > max(_LEAST_S, surely * readout.sigma_s):
            continue
        moved = (at_one_moment(track, readout.seconds) - track.points_px)[chosen]
        known = np.isfinite(moved).all(axis=(1, 2))
        sheared = moved[known] - moved[known].mean(axis=1, keepdims=True)
        if known.any() and float(np.sqrt(np.mean(sheared**2))) > _WORTH * noise_px:
            return True
    return False
