"""How long a shutter rolls, from one camera's views of a moving board.

Rows are read one after another, so a board that moves is seen sheared or stretched: each corner is where it was at its
own row's time. A rigid board cannot be so; with the lens known, the readout is what makes every view one of a rigid
board again. It is found by least squares, each view's pose left free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.bundle import State, adjust, pose_derivatives
from calibration.rig import LensModel
from calibration.solve_start import best_poses, gather, poses
from livestereo.sync.offset import Array, time_blocks
from livestereo.sync.tracks import LEAST_CORNERS, Track, at_one_moment, speeds_px_s, spread_out

MOST_FRAMES = 80
LEAST_FRAMES = 12
BLOCKS = 10
ROUNDS = 3
SMALL_S = 1e-3
# Variance of the slope of a cubic through the looks at −2, −1, 1, 2, where each has a variance of 1.
SPEED_NOISE = 2 * ((2 / 3) ** 2 + (1 / 12) ** 2)


@dataclass(frozen=True)
class Readout:
    """Time from the first row to the last, and its standard error, seconds."""

    seconds: float
    sigma_s: float


def measure_readout(track: Track, board: BoardModel, camera: Array, model: LensModel, shape: Array) -> Readout | None:
    """Measure how long the shutter rolls; None where the board moves in too few frames, or is none.

    camera: its vector (4+n,). shape: of the board (4,).
    """
    try:
        return _measured(track, board, camera, model, shape)
    except np.linalg.LinAlgError:  # corners that are no board's have no pose
        return None


def _measured(track: Track, board: BoardModel, camera: Array, model: LensModel, shape: Array) -> Readout | None:
    frames = _moving(track)
    readout_s = 0.0
    R, t = np.empty((0, 3, 3)), np.empty((0, 3))
    for turn in range(ROUNDS):
        places, later = (at_one_moment(track, value) for value in (readout_s, readout_s + SMALL_S))
        by_readout = (later - places) / SMALL_S
        known: NDArray[np.bool_] = np.asarray(np.isfinite(by_readout).all(axis=2))
        enough = np.array([spread_out(board.flat[known[f]]) for f in frames], bool)
        frames = frames[enough]
        if len(frames) < LEAST_FRAMES:
            return None
        seen = gather([(track.detection(f, np.where(known[f, :, None], places[f], np.nan)), None) for f in frames])
        state = State((camera, camera), (model, model), np.eye(3), np.array([-1.0, 0, 0]), shape, R, t)
        state = state.with_poses(R[enough], t[enough]) if turn else best_poses(board, seen, poses(board, seen, state))
        fit = adjust(board, seen, state, free=(), iterations=10)
        R, t = fit.state.R, fit.state.t
        x = by_readout[frames[seen.view], seen.ids]
        J = pose_derivatives(board, seen, fit.state)
        xx, xy, scale, levers = np.zeros((4, len(frames)))
        for v in range(len(frames)):
            rows = seen.view == v
            q, _ = np.linalg.qr(J[rows].reshape(-1, 6))
            a, y = x[rows].ravel(), fit.residuals_px[rows].ravel()
            a, y = a - q @ (q.T @ a), y - q @ (q.T @ y)
            xx[v], xy[v], scale[v] = a @ a, a @ y, float(np.mean(y * y))
            share = track.shares[frames[v], seen.ids[rows]]
            levers[v] = np.sum((0.5 - share) ** 2) * (2 - 6 / len(share))
        # A view that fits worse than most counts less: its corners are blurred, or not all of the board's.
        weight = 1 / (np.median(scale) + scale)
        # Speeds are read from noisy corners: what that adds to xx, and through the readout to xy, is no motion.
        moved = SPEED_NOISE / track.period_s**2 * levers
        spread = float(np.median(scale) / (1 + readout_s**2 * np.median(moved / np.maximum(2 * track.seen[frames], 1))))
        xx, xy = xx - spread * moved, xy - readout_s * spread * moved
        total = float(weight @ xx)
        if not total > 0:
            return None
        step = -float(weight @ xy) / total
        readout_s += step
    blocks = time_blocks(track.times_s[frames], BLOCKS)
    influence = np.bincount(blocks, weights=weight * (xy + step * xx), minlength=BLOCKS) / total
    used = len(np.unique(blocks))
    sigma = float(np.sqrt(np.sum(influence**2) * used / max(used - 1, 1)))
    return Readout(readout_s, sigma)


def _moving(track: Track) -> NDArray[np.intp]:
    """Frames (k,) in which the board moves, spread over time, the whole of it seen before and after too."""
    speed = speeds_px_s(track)
    whole = track.seen >= LEAST_CORNERS
    whole[:2] = whole[-2:] = False
    near = np.convolve(track.seen >= LEAST_CORNERS, np.ones(5), "same") >= 5
    fast = np.nanpercentile(speed, 90) if np.isfinite(speed).any() else np.inf
    with np.errstate(invalid="ignore"):
        frames = np.flatnonzero(whole & near & (speed > 0.3 * fast))
    if len(frames) > MOST_FRAMES:
        frames = frames[np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int)]
    return frames
