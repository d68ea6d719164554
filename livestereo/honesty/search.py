"""Looks over the disparity range once more, at half size, for what a matcher's answer does not tell.

How well does an answer fit, how well does the best other one, does the right picture agree, is something beyond the
range still better, does the left picture repeat itself along the row?

The cost is the absolute difference of the two pictures without their local mean, each at most `CAP`, summed over 5x5
pixels of half size: uint16, `HIGHEST` at most. A plane is a disparity of half size, 2 px of full size. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import U8

U16 = NDArray[np.uint16]
I16 = NDArray[np.int16]

CAP = 32
SIDE = 5
HIGHEST = SIDE * SIDE * CAP
NONE = 65535
SAME_PLANES = 1  # planes next to an answer that count as the answer
OWN_FROM, OWN_TO = 3, 40  # planes by which the left picture is moved against itself


@dataclass(frozen=True)
class Range:
    """Disparities that were searched, `low` … `high` px, and the smallest that can occur at all, px of full size."""

    low: float
    high: float
    least: float

    @property
    def planes(self) -> tuple[int, int]:
        """First and last plane."""
        return math.floor(self.low / 2), math.floor(self.high / 2)


@dataclass(frozen=True)
class Best:
    """The best of the range, (h,w): cost uint16, plane int16; right_plane: for pixels of the right picture."""

    cost: U16
    plane: I16
    right_plane: I16


def halved(gray: U8) -> U8:
    """Give a gray picture at half size without its local mean: 128 + difference, (h,w) uint8."""
    height, width = gray.shape
    even = gray[: height // 2 * 2, : width // 2 * 2]
    half = cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.addWeighted(half, 1.0, cv2.blur(half, (9, 9)), -1.0, 128.0), np.uint8)


def costs(left: U8, right: U8, first: int, last: int) -> Iterator[tuple[int, U16]]:
    """Give (plane, cost) of each plane; the cost, (h,w) uint16, is overwritten by the next one."""
    height, width = left.shape
    cost = np.empty((height, width), np.uint16)
    difference = np.empty((height, width), np.uint8)
    for k in range(first, last + 1):
        a, b = max(k, 0), width + min(k, 0)
        if b - a < SIDE:
            continue
        part = difference[:, : b - a]
        cv2.absdiff(left[:, a:b], right[:, a - k : b - k], dst=part)
        np.minimum(part, np.uint8(CAP), out=part)
        cost.fill(HIGHEST)
        cost[:, a:b] = cv2.boxFilter(part, cv2.CV_16U, (SIDE, SIDE), normalize=False, borderType=cv2.BORDER_REPLICATE)
        yield k, cost


def find_best(left: U8, right: U8, span: Range) -> Best:
    """Find the best plane of the range for each pixel of both pictures; left, right: from `halved`."""
    width = left.shape[1]
    first, last = span.planes
    best, of_right = np.full(left.shape, NONE, np.uint16), np.full(left.shape, NONE, np.uint16)
    plane, right_plane = np.full(left.shape, first, np.int16), np.full(left.shape, first, np.int16)
    for k, cost in costs(left, right, first, last):
        cv2.copyTo(np.full(left.shape, k, np.int16), cv2.compare(cost, best, cv2.CMP_LT), plane)
        cv2.min(best, cost, dst=best)
        # The pixel x of the left picture meets x − k of the right one.
        a, b = max(k, 0), width + min(k, 0)
        seen, there = cost[:, a:b], of_right[:, a - k : b - k]
        cv2.copyTo(
            np.full(seen.shape, k, np.int16), cv2.compare(seen, there, cv2.CMP_LT), right_plane[:, a - k : b - k]
        )
        cv2.min(there, seen, dst=there)
    return Best(best, plane, right_plane)


def weigh(left: U8, right: U8, answer: I16, span: Range) -> tuple[U16, U16]:
    """Give the costs of an answer, (h,w) planes, and of the best one in the range away from it; `NONE`: none."""
    first, last = span.planes
    here, other = np.full(left.shape, NONE, np.uint16), np.full(left.shape, NONE, np.uint16)
    kept = np.empty(left.shape, np.uint16)
    wanted = (answer.astype(np.int32) - first + 2).clip(0, NONE).astype(np.uint16)
    away = np.empty(left.shape, np.uint16)
    for k, cost in costs(left, right, first - 1, last + 1):
        away[:] = cv2.absdiff(wanted, np.full(left.shape, k - first + 2, np.uint16))
        cv2.threshold(away, SAME_PLANES, NONE, cv2.THRESH_BINARY, dst=away)
        cv2.bitwise_or(cost, away, dst=kept)
        cv2.min(here, kept, dst=here)
        if first <= k <= last:
            cv2.bitwise_not(away, dst=away)
            cv2.bitwise_or(cost, away, dst=kept)
            cv2.min(other, kept, dst=other)
    return here, other


def beyond(left: U8, right: U8, span: Range) -> U16:
    """Give the best cost nearer than the range reaches.

    left, right: (h,w) uint8 gray of half size. Returns: (h,w) uint16; NONE where nothing could be compared.
    """
    first, last = span.planes
    near = np.full(left.shape, NONE, np.uint16)
    for _, cost in costs(left, right, last + 1, last + max(16, last - first)):
        cv2.min(near, cost, dst=near)
    return near


def likeness(left: U8, span: Range) -> U16:
    """Tell how well the left picture fits itself when it is moved along the row: low where it repeats, or is blank.

    left: (h,w) uint8 gray of half size. Returns: (h,w) uint16, the least cost; HIGHEST where none was found.
    """
    first, last = span.planes
    own = np.full(left.shape, HIGHEST, np.uint16)
    for k, cost in costs(left, left, OWN_FROM, min(OWN_TO, last - first)):
        cv2.min(own, cost, dst=own)
        own[:, :-k] = cv2.min(own[:, :-k], np.ascontiguousarray(cost[:, k:]))
    return own
