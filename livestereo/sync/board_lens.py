"""The lenses of both cameras from a moving board's views alone, where no calibration is given.

A rolling shutter bends the board in every view in which it moves; so lens and readout are found in turn, from views
whose corners are brought to one moment.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.detection import Detection
from calibration.errors import CalibrationError
from calibration.projection import intrinsics_of
from calibration.rig import Intrinsics
from calibration.solve_lens import choose_lens
from calibration.solve_start import CameraFit, solve_camera
from calibration.views import View, choose_diverse
from livestereo.sync.offset import Array
from livestereo.sync.rolling import Readout, measure_readout
from livestereo.sync.tracks import LEAST_CORNERS, Track, at_one_moment, speeds_px_s, spread_out

VIEWS = 40
LEAST_VIEWS = 8
# Views that leave the focal length more open than this share of it do not tell the lens.
FOCAL_KNOWN = 0.05
POSSIBLE_FOCAL = (0.25, 6.0)  # picture widths
# Cameras that people have: 85°, 61° and 42° across.
USUAL_FOCAL = (0.85, 0.55, 1.3)
DIFFERENT = 0.05  # views nearer than this to another are not taken; 1 is a large difference
SLOW = 0.5  # picture widths per second
ROUNDS = 5
SETTLED_S = 1e-4


@dataclass(frozen=True)
class GuessedLens:
    """One camera's lens as its own views tell it, the readout of its shutter, and the times (v,) of those views."""

    lens: Intrinsics
    fit: CameraFit
    readout: Readout | None
    times_s: Array


def guess_lenses(tracks: tuple[Track, Track], object_points: Array) -> tuple[GuessedLens, GuessedLens] | None:
    """Estimate both lenses; None where the views do not tell them. object_points: (C,3) by id."""
    try:
        return _guessed(tracks, object_points)
    except (CalibrationError, np.linalg.LinAlgError):
        return None


def _guessed(tracks: tuple[Track, Track], object_points: Array) -> tuple[GuessedLens, GuessedLens] | None:
    model = BoardModel(object_points)
    frames = [_different(track, object_points) for track in tracks]
    if min(len(chosen) for chosen in frames) < LEAST_VIEWS:
        return None
    found = [[track.detection(int(f)) for f in chosen] for track, chosen in zip(tracks, frames)]
    views = [View(str(i), one, None) for i, one in enumerate(found[0])]
    views += [View(str(i), None, one) for i, one in enumerate(found[1])]
    fits, _ = choose_lens(views, model, None)
    left, right = (_refined(track, model, fit, own) for track, fit, own in zip(tracks, fits, frames))
    return (left, right) if _told(left) and _told(right) else None


def usual_lenses(track: Track) -> tuple[Intrinsics, ...]:
    """Lenses (pinhole, no distortion) that span what cameras usually have, the likeliest first."""
    width, height = track.size_wh
    middle = (width - 1) / 2, (height - 1) / 2
    return tuple(
        Intrinsics(
            np.array([[share * width, 0, middle[0]], [0, share * width, middle[1]], [0, 0, 1]]), np.zeros(5), "pinhole",
            track.size_wh,
        )
        for share in USUAL_FOCAL
    )  # fmt: skip


def _told(guess: GuessedLens) -> bool:
    """Whether the views tell the focal length, and it is that of a camera."""
    focal = float(guess.fit.camera[0])
    normal = guess.fit.fit.terms.matrices.sum(axis=0) + guess.fit.fit.prior_matrix
    variance = float(np.linalg.pinv(normal, hermitian=True)[0, 0]) * guess.fit.noise.sigma_px**2
    least, most = (share * guess.lens.size_wh[0] for share in POSSIBLE_FOCAL) if guess.lens.size_wh else (0.0, np.inf)
    return bool(least < focal < most and np.sqrt(max(variance, 0.0)) < FOCAL_KNOWN * focal)


def _refined(track: Track, model: BoardModel, fit: CameraFit, frames: NDArray[np.intp]) -> GuessedLens:
    readout: Readout | None = None
    for _ in range(ROUNDS):
        measured = measure_readout(track, model, fit.camera, fit.model, fit.shape)
        if measured is None:
            break
        before, readout = readout, measured
        if before is not None and abs(before.seconds - readout.seconds) < SETTLED_S:
            break
        places = at_one_moment(track, max(readout.seconds, 0.0))
        found: list[Detection] = []
        kept: list[int] = []
        for at, f in enumerate(frames):
            one = track.detection(int(f), places[f])
            if len(one) >= LEAST_CORNERS:
                found.append(one)
                kept.append(at)
        if len(found) < LEAST_VIEWS:
            break
        frames = frames[kept]
        start = dataclasses.replace(fit, R=fit.R[kept], t=fit.t[kept])
        fit = solve_camera(model, found, fit.model, start=start)
    return GuessedLens(intrinsics_of(fit.camera, fit.model, track.size_wh), fit, readout, track.times_s[frames])


def _different(track: Track, object_points: Array) -> NDArray[np.intp]:
    """Frames (k,) of views that differ most, slow ones first."""
    speed = speeds_px_s(track)
    known = np.isfinite(track.shares)
    whole = [bool(np.isfinite(v)) and spread_out(object_points[seen]) for v, seen in zip(speed, known)]
    frames = np.flatnonzero(whole)
    if len(frames) >= LEAST_VIEWS:
        looks = np.array([_look(track, int(f), object_points) for f in frames])
        worth = 1 / (1 + speed[frames] / (SLOW * track.size_wh[0]))
        frames = frames[choose_diverse(looks, worth, VIEWS, least=DIFFERENT)]
    return frames


def _look(track: Track, frame: int, object_points: Array) -> Array:
    """Where the board is, how large, and how it is slanted: the affine map from the board to the picture, and what is
    left of it; scaled so that 1 is a large difference."""
    points = track.points_px[frame]
    good = np.isfinite(points).all(axis=1)
    flat = object_points[good, :2]
    size = np.ptp(object_points[:, :2], axis=0).max()
    flat = (flat - object_points[:, :2].mean(axis=0)) / size
    seen = points[good] / max(track.size_wh)
    design = np.column_stack([np.ones(len(flat)), flat, flat[:, 0] * flat[:, 1], flat**2])
    terms = np.linalg.lstsq(design, seen, rcond=None)[0]
    return np.concatenate([2 * terms[0], 4 * terms[1], 4 * terms[2], 4 * terms[3:].ravel()])


def lens_without(guess: GuessedLens, first_s: float, last_s: float) -> Array:
    """How much the camera's vector (4+n,) would move without the views of a stretch of time, to first order."""
    terms = guess.fit.fit.terms
    out = (guess.times_s >= first_s) & (guess.times_s <= last_s)
    normal = terms.matrices[~out].sum(axis=0) + guess.fit.fit.prior_matrix
    step = np.linalg.lstsq(normal, -terms.vectors[out].sum(axis=0), rcond=None)[0]
    return np.asarray(step[: len(guess.fit.camera)])
