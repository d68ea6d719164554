"""The board's corners over time in one camera, and where they were at one moment though rows are read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.detection import Detection
from livestereo.sync.offset import Array
from livestereo.sync.recording import Recording

# A board that is lost for longer may come back turned.
APART_S = 0.5
# Neighbours in time count as such up to so many periods apart: one frame may be missing.
MOST_STEP = 2.6
LEAST_CORNERS = 8  # that carry a pose
LEAST_WIDTH = 0.1  # of a view's corners, by their length
MOST_SPAN = 5.6  # from the second look before to the second after


@dataclass(frozen=True)
class Track:
    """Corners of one camera. times_s (n,): when each frame's first row was read. points_px (n,C,2) by id, shares (n,C):
    when within the readout each was read, 0 first row, 1 last; NaN where a corner was not seen."""

    times_s: Array
    points_px: Array
    shares: Array
    size_wh: tuple[int, int]

    @property
    def period_s(self) -> float:
        """Usual time from frame to frame."""
        return float(np.median(np.diff(self.times_s)))

    @property
    def seen(self) -> NDArray[np.intp]:
        """How many corners each frame has, (n,)."""
        return np.asarray(np.isfinite(self.shares).sum(axis=1), np.intp)

    def detection(self, frame: int, points_px: Array | None = None) -> Detection:
        """Give one frame as a detection; points_px (C,2): other places of its corners, NaN where there are none."""
        points = self.points_px[frame] if points_px is None else points_px
        ids = np.flatnonzero(np.isfinite(points).all(axis=1)).astype(np.int32)
        return Detection(points[ids].astype(np.float32), ids, self.size_wh)


def tracks_of(recording: Recording, count: int, *, either_end: bool = False) -> tuple[Track, Track]:
    """Give the tracks of both cameras. count: of the board's points. either_end: the board looks the same turned by
    180°, so that its corners may be numbered from either end in any picture: they are brought into one order."""
    sides: list[tuple[Array, Array]] = []
    for track, times in zip((recording.left, recording.right), recording.times_s):
        points, shares = np.full((len(times), count, 2), np.nan), np.full((len(times), count), np.nan)
        for at, corners in enumerate(track.corners):
            if corners is not None and len(corners.ids):
                points[at, corners.ids] = corners.points_px
                shares[at, corners.ids] = track.row_share(corners.points_px)
        sides.append((points, shares))
    if either_end:
        _bring_into_order(sides, recording.times_s)
    left, right = (
        Track(times, points, shares, track.size_wh)
        for track, times, (points, shares) in zip((recording.left, recording.right), recording.times_s, sides)
    )
    return left, right


def _bring_into_order(sides: Sequence[tuple[Array, Array]], times_s: Sequence[Array]) -> None:
    """Number corners from one end, in place: no board turns round from frame to frame, and both cameras are upright."""
    runs = [_in_runs(points, shares, times) for (points, shares), times in zip(sides, times_s)]
    (left, _), (points, shares) = sides
    along = [p[:, -1] - p[:, 0] for p in (left, points)]
    alike = np.sum(along[0] * along[1], axis=1)
    for run in np.unique(runs[1][runs[1] >= 0]):
        rows = runs[1] == run
        if np.nansum(np.sign(alike[rows])) < 0:
            points[rows], shares[rows] = points[rows, ::-1], shares[rows, ::-1]


def _in_runs(points: Array, shares: Array, times: Array) -> NDArray[np.intp]:
    """Number the corners of each frame as in the one before, in place; gives the run that each belongs to, −1 none."""
    run = np.full(len(times), -1, np.intp)
    before: int | None = None
    for at in np.flatnonzero(np.isfinite(shares).all(axis=1)):
        if before is None or times[at] - times[before] > APART_S:
            run[at] = 0 if before is None else run[before] + 1
        else:
            run[at] = run[before]
            straight, turned = (
                float(np.linalg.norm(one - points[before], axis=1).mean()) for one in (points[at], points[at, ::-1])
            )
            if turned < straight:
                points[at], shares[at] = points[at, ::-1].copy(), shares[at, ::-1].copy()
        before = int(at)
    return run


def at_one_moment(track: Track, readout_s: float, moment_s: float | None = None) -> Array:
    """Give where all corners were when the middle row was read, or `moment_s` after the first one, (n,C,2) px.

    Each look is moved by the way of its corner in between: of the cubic through the two looks before and the two after.
    Its own look is no part of that cubic; else its noise would be less the further it is moved, and a readout that is
    sought by what fits best would be drawn away from the truth. NaN where a corner was not seen just before and after.
    """
    n = len(track.times_s)
    own = track.times_s[:, None] + track.shares * readout_s
    at = np.clip(np.arange(n)[:, None] + np.array([-2, -1, 1, 2]), 0, n - 1)
    nodes, places = own[at], track.points_px[at]  # (n,4,C), (n,4,C,2)
    with np.errstate(invalid="ignore"):
        known = nodes[:, 3] - nodes[:, 0] < MOST_SPAN * track.period_s
        known[:2] = known[-2:] = False
    known &= np.isfinite(places).all(axis=(1, 3)) & np.isfinite(own)
    moved = np.zeros_like(track.points_px)
    middle = np.broadcast_to((track.times_s + (readout_s / 2 if moment_s is None else moment_s))[:, None], own.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        for j in range(4):
            others = [nodes[:, m] for m in range(4) if m != j]
            scale = np.prod([nodes[:, j] - other for other in others], axis=0)
            weight = [np.prod([when - other for other in others], axis=0) / scale for when in (middle, own)]
            moved += (weight[0] - weight[1])[:, :, None] * places[:, j]
    return np.where(known[:, :, None], track.points_px + moved, np.nan)


def speeds_px_s(track: Track) -> Array:
    """How fast the corners move in each frame, (n,) px per second, on average; NaN where that is not known."""
    speed = np.full(len(track.times_s), np.nan)
    gaps = track.times_s[2:] - track.times_s[:-2]
    moved = np.linalg.norm(track.points_px[2:] - track.points_px[:-2], axis=2)
    known = np.isfinite(moved)
    count = known.sum(axis=1)
    mean = np.where(known, moved, 0.0).sum(axis=1) / np.maximum(count, 1)
    speed[1:-1] = np.where((count > 0) & (gaps < 2 * MOST_STEP * track.period_s), mean / gaps, np.nan)
    return speed


def spread_out(flat: Array) -> bool:
    """Whether corners (k,3) of the board, by their own places, carry a pose: enough of them, and not in one row."""
    if len(flat) < LEAST_CORNERS:
        return False
    long, wide = np.linalg.svd(flat[:, :2] - flat[:, :2].mean(axis=0), compute_uv=False)
    return bool(wide > LEAST_WIDTH * long)
