"""Matches a pair once more, over every disparity that can occur: what lies where a matcher gave no answer?

A matcher looks at its range alone. What lies beyond the range, and what something nearer hides, is seen when both
pictures are matched over all disparities, each with an answer at every pixel: the left view's answer tells near from
far, and what no pixel of the right view leads to is hidden from it. Semi-global matching (Hirschmüller, PAMI 2008) as
OpenCV has it, at half size. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.honesty.search import Range
from livestereo.types import F32, U8

WINDOW_PX = 5
NEAREST = 0.4  # of the width: what has more disparity is too near for two cameras to meet on
AGREE_PX = 2.5
SPECK = 40  # pixels of half size; smaller patches that agree do so by chance
NOTHING = np.float32(-1e4)


@dataclass(frozen=True)
class Survey:
    """What lies where, (h,w) float32 of half size, disparities in px of full size.

    left_px: the left view's answer at every pixel. agrees: the right view's answer is the same, bool.
    off_px: by how much nearer the right view's answer is where the left one's leads to.
    behind_px: what agrees; elsewhere the farther one of what agrees on the left and on the right.
    covering_px: the nearest that any pixel of the right view puts here; `NOTHING`: none does, this is hidden from it.
    """

    left_px: F32
    agrees: NDArray[np.bool_]
    off_px: F32
    behind_px: F32
    covering_px: F32

    def rows(self, first: int, count: int) -> Survey:
        """Give only some rows of half size."""
        part = slice(first, first + count)
        return Survey(
            self.left_px[part], self.agrees[part], self.off_px[part], self.behind_px[part], self.covering_px[part]
        )


def survey(left: U8, right: U8, span: Range) -> Survey:
    """Match both ways. left, right: (H,W) uint8 of full size, or (H,W,3): equally bright things may differ."""
    height, width = (side // 2 for side in left.shape[:2])
    half_left, half_right = (
        np.asarray(cv2.resize(one[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        for one in (left, right)
    )
    first = math.floor(span.least / 2)
    last = min(max(math.ceil(NEAREST * width), round(0.625 * span.high)), width - 1)
    of_left = _matched(half_left, half_right, first, last)
    from_right, from_left = (np.ascontiguousarray(one[:, ::-1]) for one in (half_right, half_left))
    mirrored = _matched(from_right, from_left, first, last)
    of_right = np.ascontiguousarray(mirrored[:, ::-1])
    columns = np.arange(width, dtype=np.float32)[None]
    there = np.rint(columns - of_left * np.float32(0.5)).astype(np.int32)
    place = there.clip(0, width - 1)
    place += np.arange(height, dtype=np.int32)[:, None] * width
    off = np.where(there >= 0, of_right.ravel().take(place) - of_left, np.float32(0)).astype(np.float32)
    agrees = _in_patches(of_left, (np.abs(off) <= AGREE_PX) & (there >= 0))
    return Survey(of_left, agrees, off, _behind(of_left, agrees), _covering(of_right))


def _matched(left: U8, right: U8, first: int, last: int) -> F32:
    """Give the left view's disparity at every pixel, px of full size."""
    count = math.ceil((last - first + 1) / 16) * 16
    step = 8 * WINDOW_PX**2 * (left.shape[2] if left.ndim == 3 else 1)
    matcher = cv2.StereoSGBM.create(
        minDisparity=first, numDisparities=count, blockSize=WINDOW_PX, P1=step, P2=4 * step, disp12MaxDiff=1 << 20,
        preFilterCap=31, uniquenessRatio=0, speckleWindowSize=0, mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    before, after = max(first + count, 0), max(-first, 0)
    wide = [cv2.copyMakeBorder(one, 0, 0, before, after, cv2.BORDER_REPLICATE) for one in (left, right)]
    found = matcher.compute(*wide)[:, before : before + left.shape[1]]
    return np.ascontiguousarray(found.astype(np.float32) * np.float32(2 / 16))


def _in_patches(left: F32, agrees: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave out small patches."""
    steps = np.where(agrees, np.rint(left * np.float32(4)), np.float32(-32768)).astype(np.int16)
    cv2.filterSpeckles(steps, -32768, SPECK, round(4 * AGREE_PX))
    return np.asarray(steps > -32768)


def _behind(left: F32, agrees: NDArray[np.bool_]) -> F32:
    """Fill what does not agree from its farther side."""
    width = left.shape[1]
    columns = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(agrees, columns, -1), axis=1)
    after = np.minimum.accumulate(np.where(agrees, columns, width)[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(len(left))[:, None]
    far = np.float32(1e6)
    from_left = np.where(before >= 0, left[rows, before.clip(0)], far)
    from_right = np.where(after < width, left[rows, after.clip(None, width - 1)], far)
    filled = np.minimum(from_left, from_right)
    filled = np.where(filled < far, filled, left).astype(np.float32)
    return np.where(agrees, left, np.asarray(cv2.medianBlur(filled, 5), np.float32))


def _covering(right: F32) -> F32:
    """Carry the right view's answers over to the left one; gaps of one pixel are closed."""
    height, width = right.shape
    columns = np.arange(width, dtype=np.float32)[None]
    there = np.rint(columns + right * np.float32(0.5)).astype(np.int32)
    inside = (there >= 0) & (there < width)
    there += np.arange(height, dtype=np.int32)[:, None] * width
    out = np.full(height * width, NOTHING, np.float32)
    np.maximum.at(out, there[inside], right[inside])
    closed = cv2.morphologyEx(out.reshape(height, width), cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    return np.asarray(closed, np.float32)
