"""The board's path as each camera alone sees it, and the time shift at which the two paths are one rigid rig's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.detection import Detection
from calibration.lens import rays_of_pixels
from calibration.rig import Intrinsics
from livestereo.sync.offset import Array, SyncRefused, hermite

LEAST_LOOKS = 25
LEAST_CORNERS = 6
LEAST_AHEAD = 0.15  # cosine from the axis: corners further out fit no plane
# The best shift must fit so much better than any that is not near it.
CLEARLY, NEAR_S = 0.7, 0.4
MOST_LOOKS = 160  # of the left path; more only cost time
# Films are compared at up to so many seconds apart, but half of them must overlap.
MOST_LAG_S, LEAST_OVERLAP = 20.0, 0.5


@dataclass(frozen=True)
class Path:
    """times_s (n,) rising; places (n,12): four places of the board in the camera's frame, NaN where it saw none."""

    times_s: Array
    places: Array

    def thinned(self) -> Path:
        """Give at most MOST_LOOKS of its looks that saw the board."""
        seen = np.flatnonzero(np.isfinite(self.places).all(axis=1))
        kept = seen[:: max(1, -(-len(seen) // MOST_LOOKS))]
        return Path(self.times_s[kept], self.places[kept])


@dataclass(frozen=True)
class Fitted:
    """A shift (right's moment = left's + shift_s), how badly it fits (median distance as seen by the camera, radians),
    and the rig's pose there: R (3,3), t (3,)."""

    shift_s: float
    misfit: float
    R: Array
    t: Array


def path_of(times_s: Array, found: Sequence[Detection | None], object_points: Array, lens: Intrinsics) -> Path:
    """Give where one camera saw the board at each look. object_points: (C,3) by id."""
    low, high = object_points.min(axis=0), object_points.max(axis=0)
    outer = np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])
    places = np.full((len(found), 12), np.nan)
    enough = [(row, one) for row, one in zip(places, found) if one is not None and len(one) >= LEAST_CORNERS]
    if not enough:
        return Path(times_s, places)
    seen = rays_of_pixels(lens, np.concatenate([one.points_px for _, one in enough]).astype(np.float64))
    ends = np.cumsum([len(one) for _, one in enough])
    for (row, one), rays in zip(enough, np.split(seen, ends[:-1])):
        good = np.asarray(np.nan_to_num(rays[:, 2]) > LEAST_AHEAD)
        if good.sum() < LEAST_CORNERS:
            continue
        plane = rays[good, :2] / rays[good, 2:]
        known, turn, move = cv2.solvePnP(
            object_points[one.ids[good]], plane, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_IPPE
        )
        if known:
            row[:] = (outer @ np.asarray(cv2.Rodrigues(turn)[0], np.float64).T + move.reshape(3)).ravel()
    return Path(times_s, places)


def reach_of(left: Path) -> float:
    """How far apart films may be that one of them is as long as this path, seconds."""
    return min(MOST_LAG_S, (1 - LEAST_OVERLAP) * float(left.times_s[-1] - left.times_s[0]))


def best_shift(left: Path, right: Path, reach_s: float, step_s: float) -> Fitted:
    """Search the shift up to `reach_s` either way.

    Raises:
        SyncRefused: the cameras did not see the board at once for long enough, or more than one shift fits.
    """
    left = left.thinned()
    count = int(np.ceil(reach_s / step_s))
    shifts = np.arange(-count, count + 1) * step_s
    costs = np.array([fit_shift(left, right, float(shift)).misfit for shift in shifts])
    if not np.isfinite(costs).any():
        raise SyncRefused(
            "The board was not seen by both cameras for long enough at a time.", "Keep all of it in both pictures."
        )
    best = int(np.argmin(costs))
    far = np.abs(shifts - shifts[best]) > NEAR_S
    if far.any() and costs[best] > CLEARLY * float(np.min(costs[far])):
        raise SyncRefused("The board's motion fits more than one time.", "Move the board differently every time.")
    return fit_shift(left, right, float(shifts[best]))


def fit_shift(left: Path, right: Path, shift_s: float) -> Fitted:
    """Fit the rigid motion that takes the left path to the right one at a shift; a misfit of inf where too little is
    seen by both."""
    other = hermite(right.times_s, right.places, left.times_s + shift_s)
    seen = np.isfinite(left.places).all(axis=1)
    good = np.isfinite(other).all(axis=1) & seen
    if good.sum() < max(LEAST_LOOKS, 0.4 * seen.sum()):
        return Fitted(shift_s, float("inf"), np.eye(3), np.zeros(3))
    a, b = left.places[good].reshape(-1, 3), other[good].reshape(-1, 3)
    weight = np.ones(len(a))
    for _ in range(4):
        share = weight / weight.sum()
        ma, mb = share @ a, share @ b
        u, _, vt = np.linalg.svd(((b - mb) * weight[:, None]).T @ (a - ma))
        R = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
        t = mb - R @ ma
        off = np.linalg.norm(a @ R.T + t - b, axis=1) / np.linalg.norm(b, axis=1)
        usual = max(float(np.median(off)), 1e-9)
        weight = 1 / np.maximum(off / usual, 1.0)
    return Fitted(shift_s, usual, R, t)
