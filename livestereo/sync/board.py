"""The offset from a moving calibration board: only at the true offset do the two cameras' rays to each corner meet.

Every corner leaves a track on each camera, each point of it taken at its own row's time. For an offset, the right
track is interpolated to the moments of the left one, and the epipolar residual (Sampson's first-order distance;
Hartley and Zisserman, Multiple View Geometry, 2nd ed., 11.4.3) says how far the rays miss. Offset, relative pose and
readouts are solved together, so that a rig that has moved a little does not spoil the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.board_start import rig_from_views
from livestereo.sync.epipolar import angles, direction, normalised, sampson
from livestereo.sync.offset import Array, Offset, SyncRefused, cubic, jackknife, t95, time_blocks
from livestereo.sync.recording import Recording, SideTrack

SEARCH_S = 0.3
COARSE_STEPS = 0.25  # of a frame period
LEAST_VIEWS = 25
LEAST_SPEED_PX = 0.8  # across the epipolar lines, per frame
LEAST_MOVING = 0.06  # share of the views in which it moves so
CORNERS_PER_VIEW = 12
MOST_VIEWS = 300
ROUNDS = 12
BLOCKS = 10
PRIOR_READOUT = (0.7, 0.3)  # mean and spread, shares of the frame period
GIVEN_READOUT = 0.02
SYSTEMATIC_S = 0.0001
MOST_UNCERTAIN_S = 0.003
NOISE_PX = 0.15
GUESSED = 1.5  # lenses that were only estimated from the same views


@dataclass(frozen=True)
class _Side:
    """One camera's corner tracks. points, shares: (n,C,2) normalised and (n,C) row shares, NaN unseen; times (n,)."""

    times: Array
    points: Array
    shares: Array
    focal_px: float
    period_s: float


def board_offset(
    recording: Recording,
    object_points: Array,
    rig: StereoRig | None = None,
    readout_s: Sequence[float | None] = (None, None),
) -> Offset:
    """Measure by a board. object_points: (C,3) of its corners by id. rig: the calibration, where there is one; else
    lenses and pose are estimated from the board's views.

    Raises:
        SyncRefused: the board was seen too seldom, or moved too little across the epipolar lines.
    """
    seen = sum(a is not None and b is not None for a, b in zip(recording.left.corners, recording.right.corners))
    if seen < LEAST_VIEWS:
        raise SyncRefused(
            f"The board was seen by both cameras in {seen} pairs; at least {LEAST_VIEWS} are needed.",
            "Move the board slowly up and down where both cameras see all of it.",
        )
    tracks = (recording.left, recording.right)
    shift: float | None = None
    guessed = rig is None
    if rig is None:
        rig, shift = rig_from_views(recording, object_points)
    sides = [
        _side(track, times, lens, len(object_points), period)
        for track, times, lens, period in zip(tracks, recording.times_s, (rig.left, rig.right), recording.period_s)
    ]
    problem = _Problem(sides[0], sides[1], readout_s)
    start = _start(problem, rig, shift)
    solution, linear = problem.solve(start)
    focal = np.sqrt(sides[0].focal_px * sides[1].focal_px)

    # A board at rest is fitted too, by the noise of its corners: it must be seen to move across the epipolar lines.
    moving = np.abs(linear.jacobian[:, 5]) * max(recording.period_s) * focal > LEAST_SPEED_PX
    if np.mean(moving) < LEAST_MOVING:
        raise SyncRefused(
            "The board hardly moves up and down, so it tells nothing of time.",
            "Move the board up and down where both cameras see all of it.",
        )

    def estimate(keep: NDArray[np.bool_]) -> float:
        return float(solution[5] + linear.step(keep)[5])

    error, used = jackknife(estimate, time_blocks(linear.moments, BLOCKS))
    known = all(given is not None for given in readout_s)
    uncertainty = float(np.hypot(t95(used - 1) * error, SYSTEMATIC_S * (1 if known else 3)))
    uncertainty *= GUESSED if guessed else 1.0
    if not uncertainty < MOST_UNCERTAIN_S:
        raise SyncRefused(
            f"The board's motion leaves the offset uncertain by {uncertainty * 1e3:.1f} ms.",
            "Move the board up and down, faster, where both cameras see all of it.",
        )
    left_s, right_s = float(solution[6]), float(solution[7])
    residual_px = float(np.nanmedian(np.abs(problem.residuals(solution)))) * focal
    notes: tuple[str, ...] = (f"The corners meet to {residual_px:.2f} px.",)
    if guessed:
        notes += ("Without a rig the lenses were estimated from these views; with --rig it is surer.",)
    return Offset(float(solution[5]), uncertainty, "board", (left_s, right_s), known, notes)


def _side(track: SideTrack, times: Array, lens: Intrinsics, count: int, period_s: float) -> _Side:
    n = len(times)
    points, shares = np.full((n, count, 2), np.nan), np.full((n, count), np.nan)
    for at, corners in enumerate(track.corners):
        if corners is None or not len(corners.ids):
            continue
        shares[at, corners.ids] = track.row_share(corners.points_px)
        points[at, corners.ids] = normalised(corners.points_px, lens)
    return _Side(times, points, shares, lens.focal_px, period_s)


class _Problem:
    """Residuals of (ω (3), direction of t as two angles (2), shift, R_L, R_R).

    moments: (m,) the left frame time of each residual, for leaving out stretches of time.
    """

    def __init__(self, left: _Side, right: _Side, readout_s: Sequence[float | None]) -> None:
        self._left, self._right = left, right
        frames, corners = np.nonzero(np.isfinite(left.shares))
        frames, corners = _thin(frames, corners, len(left.times))
        self._frames, self._corners = frames, corners
        self.moments = left.times[frames]
        self._points = left.points[frames, corners]
        self._shares = left.shares[frames, corners]
        self.priors = [
            (given, max(GIVEN_READOUT * given, 1e-5)) if given is not None
            else (PRIOR_READOUT[0] * side.period_s, PRIOR_READOUT[1] * side.period_s)
            for given, side in zip(readout_s, (left, right))
        ]  # fmt: skip
        self._scale = NOISE_PX / np.sqrt(left.focal_px * right.focal_px)

    def residuals(self, x: Array) -> Array:
        """Sampson distances (m,), normalised units; NaN where the right track has no point near."""
        rotation = np.asarray(cv2.Rodrigues(x[:3].reshape(3, 1))[0], np.float64)
        right = self._right_points(float(x[5]), float(x[6]), float(x[7]))
        return sampson(rotation, direction(x[3], x[4]), self._points, right)

    def _right_points(self, shift: float, left_s: float, right_s: float) -> Array:
        """The right track of each corner at the moment when the left camera saw it, (m,2)."""
        side = self._right
        at = self.moments + self._shares * left_s + shift
        n = len(side.times)
        k = np.searchsorted(side.times, at - self._shares * right_s, side="right") - 1
        out = np.full((len(at), 2), np.nan)
        for step in (0, 1, -1):
            kk = np.clip(k + step, 1, n - 3)
            rows = [side.times[kk + d] + side.shares[kk + d, self._corners] * right_s for d in (-1, 0, 1, 2)]
            with np.errstate(invalid="ignore"):
                good = (at >= rows[1]) & (at <= rows[2]) & ((rows[3] - rows[0]) < 3 * 1.6 * side.period_s)
                good &= np.isnan(out[:, 0])
            if good.any():
                values = [side.points[kk + d, self._corners][good] for d in (-1, 0, 1, 2)]
                out[good] = cubic(at[good], [row[good] for row in rows], values)
        return out

    def solve(self, start: Array) -> tuple[Array, _Linear]:
        """Gauss-Newton with Huber weights and the priors on the readouts: (x (8,), the last linear equations)."""
        x = start.copy()
        most = np.array([0.05] * 5 + [0.02] * 3)
        for _ in range(ROUNDS):
            linear = self._linear(x)
            step = np.clip(linear.step(), -most, most)
            x = x + step
            x[6:8] = np.clip(x[6:8], 0.0, [1.2 * self._left.period_s, 1.2 * self._right.period_s])
            if np.abs(step[5]) < 2e-6 and np.abs(step[:5]).max() < 1e-6:
                break
        return x, self._linear(x)

    def _linear(self, x: Array) -> _Linear:
        r = self.residuals(x)
        jacobian = np.empty((len(r), 8))
        for at, small in enumerate([1e-5] * 5 + [2e-4] * 3):
            moved = x.copy()
            moved[at] += small
            jacobian[:, at] = (self.residuals(moved) - r) / small
        good = np.isfinite(r) & np.isfinite(jacobian).all(axis=1)
        if good.sum() < 50:
            raise SyncRefused(
                "The board's tracks in the two cameras do not overlap in time.",
                "Keep all of the board in both pictures while it moves.",
            )
        spread = max(1.4826 * float(np.median(np.abs(r[good]))), 0.2 * self._scale)
        weight = np.minimum(1.0, 2.0 * spread / np.maximum(np.abs(r[good]), 1e-15)) / spread**2
        pull = [((mean - x[at]), 1 / wide**2) for at, (mean, wide) in zip((6, 7), self.priors)]
        return _Linear(jacobian[good], r[good], weight, self.moments[good], pull)


@dataclass(frozen=True)
class _Linear:
    """The equations J · step = −r with weights, at one place, and the pull of the priors on both readouts."""

    jacobian: Array
    residuals: Array
    weights: Array
    moments: Array
    pull: list[tuple[float, float]]

    def step(self, keep: NDArray[np.bool_] | None = None) -> Array:
        """Least-squares step (8,), of all equations or of those to keep."""
        J, r, w = self.jacobian, self.residuals, self.weights
        if keep is not None:
            J, r, w = J[keep], r[keep], w[keep]
        normal = (J * w[:, None]).T @ J
        gradient = (J * w[:, None]).T @ r
        for at, (missing, strength) in zip((6, 7), self.pull):
            normal[at, at] += strength
            gradient[at] -= missing * strength
        return -np.asarray(np.linalg.lstsq(normal, gradient, rcond=1e-12)[0])


def _thin(frames: NDArray[np.intp], corners: NDArray[np.intp], views: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Keep enough corners of enough views: more only cost time."""
    every = max(1, views // MOST_VIEWS)
    most = int(corners.max()) + 1 if len(corners) else 1
    each = max(1, most // CORNERS_PER_VIEW)
    keep = (frames % every == 0) & ((corners + frames) % each == 0)
    return frames[keep], corners[keep]


def _start(problem: _Problem, rig: StereoRig, shift: float | None) -> Array:
    """The rig's pose, and the offset that fits best on a coarse grid where none is given."""
    omega = cv2.Rodrigues(rig.R_right_left)[0].reshape(3)
    x = np.array([*omega, *angles(rig.t_right_left_m), 0.0, problem.priors[0][0], problem.priors[1][0]])
    if shift is not None:
        x[5] = shift
        return x
    step = COARSE_STEPS * problem._right.period_s
    shifts = np.arange(-SEARCH_S, SEARCH_S + step, step)
    costs = []
    for shift in shifts:
        x[5] = shift
        r = problem.residuals(x)
        good = np.isfinite(r)
        # A rig that has turned a little misses everywhere alike: what counts is how the misses vary.
        costs.append(float(np.median(np.abs(r[good] - np.median(r[good])))) if good.sum() > 0.3 * len(r) else np.inf)
    x[5] = shifts[int(np.argmin(costs))]
    return x
