"""The equations of a board's corners in two cameras: rays that must meet, at an offset in time that is to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.projection import camera_vector, intrinsics_of
from calibration.rig import Intrinsics
from livestereo.sync.board_start import Start
from livestereo.sync.epipolar import angles, direction, normalised, sampson
from livestereo.sync.offset import Array, SyncRefused, cubic
from livestereo.sync.rolling import Readout
from livestereo.sync.tracks import Track

CORNERS_PER_VIEW = 12
MOST_VIEWS = 300
ROUNDS = 12
PRIOR_READOUT = (0.7, 0.3)  # mean and spread, shares of the frame period
GIVEN_READOUT = 0.02
# A measured readout is believed within three standard errors and this share of it.
MEASURED_READOUT, MEASURED_READOUT_S = 0.01, 1e-4
MOST_READOUT = 1.2  # frame periods
NOISE_PX = 0.15
SMALL_LENS = 1e-4


@dataclass(frozen=True)
class _Side:
    """One camera's corner tracks. points, shares: (n,C,2) normalised and (n,C) row shares, NaN unseen; times (n,)."""

    times: Array
    points: Array
    shares: Array
    lens: Intrinsics
    period_s: float


def _side(track: Track, lens: Intrinsics) -> _Side:
    points = np.full_like(track.points_px, np.nan)
    good = np.isfinite(track.shares)
    if good.any():
        points[good] = normalised(track.points_px[good].astype(np.float32), lens)
    return _Side(track.times_s, points, track.shares, lens, track.period_s)


def readout_prior(given_s: float | None, measured: Readout | None, period_s: float) -> tuple[float, float]:
    """(mean, standard deviation) of what is known of a readout before both cameras are put together, seconds."""
    if given_s is not None:
        return given_s, max(GIVEN_READOUT * given_s, 1e-5)
    usual = PRIOR_READOUT[0] * period_s, PRIOR_READOUT[1] * period_s
    if measured is None:
        return usual
    mean = measured.seconds
    deviation = float(np.hypot(3 * measured.sigma_s, MEASURED_READOUT * mean + MEASURED_READOUT_S))
    possible = -3 * deviation < mean < MOST_READOUT * period_s + 3 * deviation
    return (max(mean, 0.0), deviation) if possible and deviation < usual[1] / 2 else usual


class Problem:
    """Residuals of (ω (3), direction of t as two angles (2), shift, R_L, R_R).

    moments: (m,) the left frame time of each residual, for leaving out stretches of time.
    """

    def __init__(self, tracks: tuple[Track, Track], start: Start, readout_s: Sequence[float | None]) -> None:
        self._tracks, self._begin = tracks, start
        left, right = (_side(track, lens) for track, lens in zip(tracks, start.lenses))
        self._left, self._right = left, right
        frames, corners = np.nonzero(np.isfinite(left.shares))
        frames, corners = _thin(frames, corners, len(left.times))
        self._frames, self._corners = frames, corners
        self.moments = left.times[frames]
        self._points = left.points[frames, corners]
        self._shares = left.shares[frames, corners]
        self.priors = [
            readout_prior(given, measured, side.period_s)
            for given, measured, side in zip(readout_s, start.readouts, (left, right))
        ]
        self.focal_px = float(np.sqrt(left.lens.focal_px * right.lens.focal_px))
        self._scale = NOISE_PX / self.focal_px

    def start(self) -> Array:
        """Where the search begins, (8,)."""
        omega = cv2.Rodrigues(self._begin.R)[0].reshape(3)
        readouts = [prior[0] for prior in self.priors]
        return np.array([*omega, *angles(self._begin.t), self._begin.shift_s, *readouts])

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

    def solve(self, start: Array) -> tuple[Array, Linear]:
        """Gauss-Newton with Huber weights and the priors on the readouts: (x (8,), the last linear equations)."""
        x = start.copy()
        most = np.array([0.05] * 5 + [0.02] * 3)
        for _ in range(ROUNDS):
            linear = self._linear(x)
            step = np.clip(linear.step(), -most, most)
            x = x + step
            x[6:8] = np.clip(x[6:8], 0.0, [MOST_READOUT * self._left.period_s, MOST_READOUT * self._right.period_s])
            if np.abs(step[5]) < 2e-6 and np.abs(step[:5]).max() < 1e-6:
                break
        return x, self._linear(x)

    def _linear(self, x: Array) -> Linear:
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
        return Linear(jacobian[good], r[good], weight, self.moments[good], pull, good, self._right.period_s)

    def by_lens(self, x: Array, which: int) -> Array:
        """Derivatives (m,L) of the residuals by one camera's vector (0 left, 1 right)."""
        lens = self._begin.lenses[which]
        camera = camera_vector(lens)
        r = self.residuals(x)
        out = np.empty((len(r), len(camera)))
        for at in range(len(camera)):
            # Pixels for the focal length and the middle, shares for the distortion.
            small = SMALL_LENS * (camera[0] if at < 4 else 1.0)
            moved = camera.copy()
            moved[at] += small
            other = replace(self._begin, lenses=_with(self._begin.lenses, which, moved))
            out[:, at] = (Problem(self._tracks, other, (None, None)).residuals(x) - r) / small
        return out


@dataclass(frozen=True)
class Linear:
    """The equations J · step = −r with weights, at one place, and the pull of the priors on both readouts.

    rows: which of the problem's residuals they are. period_s: from look to look of the right camera.
    """

    jacobian: Array
    residuals: Array
    weights: Array
    moments: Array
    pull: list[tuple[float, float]]
    rows: NDArray[np.bool_]
    period_s: float

    @property
    def pulled_s(self) -> float:
        """How far noise alone may pull the shift, seconds; infinite where the board rests.

        Between two looks the noise of the right track is less, 0.64 of its variance in the middle of a cubic. So a
        shift that falls there fits better, by a cost of N · 0.36 σ² (1 − cos(2π shift/period))/2 at most; motion holds
        against it with Σ (shift · speed)². What σ² and speed² are told by: the misfits, half of which are the right
        track's, and their change from look to look, less what noise makes of it.
        """
        usual = 1.4826 * float(np.median(np.abs(self.residuals)))
        noise = usual**2 / 2
        moved = self.jacobian[:, 5] * self.period_s
        speed = float(np.mean(np.minimum(moved**2, (30 * usual) ** 2))) - 1.5 * noise
        return 0.18 * np.pi * noise / speed * self.period_s if speed > 0 else float("inf")

    def step(self, keep: NDArray[np.bool_] | None = None, moved: Array | None = None) -> Array:
        """Least-squares step (8,), of all equations or of those to keep. moved: residuals changed by so much."""
        J, r, w = self.jacobian, self.residuals, self.weights
        r = r if moved is None else r + moved
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


def _with(lenses: tuple[Intrinsics, Intrinsics], which: int, camera: Array) -> tuple[Intrinsics, Intrinsics]:
    other = intrinsics_of(camera, lenses[which].model, lenses[which].size_wh)
    return (other, lenses[1]) if which == 0 else (lenses[0], other)
