"""Where the search for the offset begins: lenses, readouts, how the cameras stand, and about how far they are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.projection import camera_vector
from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.board_lens import GuessedLens, guess_lenses, usual_lenses
from livestereo.sync.offset import Array, SyncRefused
from livestereo.sync.paths import CLEARLY, LEAST_LOOKS, Fitted, Path, best_shift, fit_shift, path_of, reach_of
from livestereo.sync.rolling import Readout, measure_readout
from livestereo.sync.tracks import Track, at_one_moment, speeds_px_s

# Cameras are searched so far at first; films that were not started together are apart by more.
SEARCH_S = 0.3
# A look tells of time where the board moves at this share of its fast speed, or faster.
MOVING = 0.25


@dataclass(frozen=True)
class Start:
    """lenses: of both cameras. R (3,3), t (3,): left to right. shift_s: right's moment less left's, about.
    readouts: as the board shows them, None where it does not. guesses: how the lenses were found without a rig."""

    lenses: tuple[Intrinsics, Intrinsics]
    R: Array
    t: Array
    shift_s: float
    readouts: tuple[Readout | None, Readout | None]
    guesses: tuple[GuessedLens, ...] = ()


def starts_of(tracks: tuple[Track, Track], object_points: Array, rig: StereoRig | None) -> list[Start]:
    """Find a start, the likeliest first where the lenses are neither given nor told by the views: then each is for
    lenses of another focal length. object_points: (C,3) by id. rig: the calibration, where there is one.

    Raises:
        SyncRefused: the views do not carry it.
    """
    if rig is not None:
        return [_with_lenses(tracks, object_points, (rig.left, rig.right), (rig.R_right_left, rig.t_right_left_m))]
    guesses = guess_lenses(tracks, object_points)
    if guesses is None:
        return [_with_lenses(tracks, object_points, lenses) for lenses in zip(*map(usual_lenses, tracks))]
    lenses, readouts = (guesses[0].lens, guesses[1].lens), (guesses[0].readout, guesses[1].readout)
    fitted = _fitted(tracks, object_points, lenses, readouts)
    return [Start(lenses, fitted.R, fitted.t, fitted.shift_s, readouts, guesses)]


def _with_lenses(
    tracks: tuple[Track, Track], object_points: Array, lenses: tuple[Intrinsics, Intrinsics],
    pose: tuple[Array, Array] | None = None,
) -> Start:  # fmt: skip
    """Start from lenses, and from how the cameras stand where that is known."""
    model = BoardModel(object_points)
    left, right = (
        measure_readout(track, model, camera_vector(lens), lens.model, np.zeros(4))
        for track, lens in zip(tracks, lenses)
    )
    fitted = _fitted(tracks, object_points, lenses, (left, right))
    R, t = pose if pose is not None else (fitted.R, fitted.t)
    return Start(lenses, R, t, fitted.shift_s, (left, right))


def _fitted(
    tracks: tuple[Track, Track], object_points: Array, lenses: tuple[Intrinsics, Intrinsics],
    readouts: tuple[Readout | None, Readout | None],
) -> Fitted:  # fmt: skip
    """The shift at which both see one rigid rig: near nought, unless another fits clearly better."""
    paths = []
    for track, lens, readout in zip(tracks, lenses, readouts):
        seconds = max(readout.seconds, 0.0) if readout is not None else 0.0
        places = at_one_moment(track, seconds)
        # To find where the board is, a corner that comes and goes is good where it is.
        places = np.where(np.isfinite(places), places, track.points_px)
        found = [track.detection(f, places[f]) for f in range(len(places))]
        paths.append(path_of(track.times_s + seconds / 2, found, object_points, lens))
    left, right = _where_moving(paths[0], tracks[0]).thinned(), paths[1]
    step = max(track.period_s for track in tracks) / 4
    if min(len(left.times_s), np.isfinite(right.places[:, 0]).sum()) < LEAST_LOOKS:
        raise SyncRefused(
            "The board was not seen by both cameras for long enough at a time.", "Keep all of it in both pictures."
        )
    near = _best_of(left, right, np.arange(-SEARCH_S, SEARCH_S + step, step))
    try:
        far = best_shift(left, right, reach_of(left), 2 * step)
    except SyncRefused:
        if not np.isfinite(near.misfit):
            raise
        return near
    if not far.misfit < CLEARLY * near.misfit:
        return near
    return _best_of(left, right, far.shift_s + np.arange(-2.0, 3.0) * step)


def _best_of(left: Path, right: Path, shifts_s: NDArray[np.floating]) -> Fitted:
    return min((fit_shift(left, right, float(shift)) for shift in shifts_s), key=lambda one: one.misfit)


def _where_moving(path: Path, track: Track) -> Path:
    """Leave out where the board rests, unless hardly anything is left then: it fits any time there."""
    speed = speeds_px_s(track)
    if not np.isfinite(speed).any():
        return path
    with np.errstate(invalid="ignore"):
        moving = speed > MOVING * np.nanpercentile(speed, 90)
    places = np.where(moving[:, None], path.places, np.nan)
    return Path(path.times_s, places) if np.isfinite(places[:, 0]).sum() > 2 * LEAST_LOOKS else path
