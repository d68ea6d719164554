"""Points that both cameras see, and how they move: what a pair tells about time without any tool.

A point that moves across the epipolar lines is off them by its speed times the time between the two exposures. So
each pair is searched for corners, where things move first of all; they are followed to the other camera and, in the
right one, to the frames before and after (pyramidal Lucas-Kanade, forth and back).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import U8

F32 = NDArray[np.float32]
Array = NDArray[np.float64]
WIDTH_PX = 480  # pictures are made no larger than this
MOVING, STILL = 90, 40  # corners of either kind, at most
CHANGED = 7  # grey levels between two frames that mean motion
STEADY_PX, STEADY_SHARE = 0.7, 0.35  # how much the speed may change from one frame to the next
BACK_PX = 0.4  # forth and back must come home so near
_track: Any = cv2.calcOpticalFlowPyrLK  # its stubs do not know that it makes its own output
_LK = {
    "winSize": (15, 15),
    "maxLevel": 4,
    "criteria": (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 0.01),
}


@dataclass(frozen=True)
class PairPoints:
    """Points of pair `index`: left, right (n,2) px of the full pictures; velocity (n,2) px per frame, of the right."""

    index: int
    left: F32
    right: F32
    velocity: F32


@dataclass
class _Pending:
    index: int
    left: F32
    right: F32
    back: F32


class PointTracker:
    """Takes pairs in order; `points` grows by one entry for each pair but the first and the last."""

    def __init__(self) -> None:
        self.points: list[PairPoints] = []
        self._before: tuple[U8, U8] | None = None
        self._pending: _Pending | None = None

    def clear(self) -> None:
        """Forget everything: what follows has another phase."""
        self.points.clear()
        self._before = self._pending = None

    def add(self, index: int, left: U8, right: U8) -> None:
        """Take one pair of gray pictures, (H,W) each; `index` counts the pairs kept."""
        # Two cameras may differ in size: both are brought to one width, and see about as much of the world.
        width = min(WIDTH_PX, left.shape[1], right.shape[1])
        scales = width / left.shape[1], width / right.shape[1]
        small = _of_one_size(_resized(left, scales[0]), _resized(right, scales[1]))
        before, self._before = self._before, small
        if before is None or before[0].shape != small[0].shape or before[1].shape != small[1].shape:
            self._pending = None
            return
        if self._pending is not None:
            self._finish(self._pending, before[1], small[1], scales)
        self._pending = self._begin(index, before, small)

    def _begin(self, index: int, before: tuple[U8, U8], now: tuple[U8, U8]) -> _Pending | None:
        corners = _corners(before[0], now[0])
        if corners is None:
            return None
        right, good = _follow(now[0], now[1], corners)
        back, seen = _follow(now[1], before[1], right)
        good &= seen
        return _Pending(index, corners[good], right[good], back[good]) if good.any() else None

    def _finish(self, held: _Pending, there: U8, after: U8, scales: tuple[float, float]) -> None:
        ahead, good = _follow(there, after, held.right)
        came, goes = held.right - held.back, ahead - held.right
        # Nothing turns round within a frame: such a point jumped to its like (squares of a board, a fence).
        good &= np.linalg.norm(goes - came, axis=1) < STEADY_PX + STEADY_SHARE * np.linalg.norm(goes + came, axis=1) / 2
        if good.any():
            velocity = (goes[good] + came[good]) / 2
            # Pixel centres: (0,0) is the middle of the first pixel, at every size.
            sides = zip((held.left, held.right), scales)
            full = [((p[good] + 0.5) / scale - 0.5).astype(np.float32) for p, scale in sides]
            self.points.append(PairPoints(held.index, full[0], full[1], (velocity / scales[1]).astype(np.float32)))


def _resized(gray: U8, scale: float) -> U8:
    if scale == 1:
        return gray
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _of_one_size(left: U8, right: U8) -> tuple[U8, U8]:
    """Lengthen what is shorter, which optical flow asks for; what is added repeats the border and holds no corners."""
    height, width = (max(left.shape[i], right.shape[i]) for i in (0, 1))

    def filled(small: U8) -> U8:
        more = height - small.shape[0], width - small.shape[1]
        if not any(more):
            return small
        return np.asarray(cv2.copyMakeBorder(small, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE), np.uint8)

    return filled(left), filled(right)


def _corners(before: U8, now: U8) -> F32 | None:
    """Corners (n,2) where the picture changes, and some where it does not."""
    change = cv2.absdiff(cv2.blur(before, (5, 5)), cv2.blur(now, (5, 5)))
    moving = cv2.dilate(np.asarray(change > CHANGED, np.uint8), np.ones((9, 9), np.uint8))
    if int(moving.sum()) < 150:
        return None
    found = []
    for mask, most in ((moving, MOVING), (1 - moving, STILL)):
        some = cv2.goodFeaturesToTrack(now, most, 0.01, 6, mask=np.asarray(mask, np.uint8))
        if some is not None:
            found.append(np.asarray(some, np.float32).reshape(-1, 2))
    return np.concatenate(found) if found else None


def _follow(one: U8, other: U8, points: F32) -> tuple[F32, NDArray[np.bool_]]:
    """Where points of one picture are in another (n,2), and whether that is sure."""
    there, ok, _ = _track(one, other, points, None, **_LK)
    home, back, _ = _track(other, one, there, None, **_LK)
    off = np.linalg.norm(home - points, axis=1)
    h, w = other.shape
    inside = (there[:, 0] > 1) & (there[:, 0] < w - 2) & (there[:, 1] > 1) & (there[:, 1] < h - 2)
    return there, (ok[:, 0] == 1) & (back[:, 0] == 1) & (off < BACK_PX) & inside
