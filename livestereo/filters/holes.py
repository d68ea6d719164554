"""Fills holes by their kind: what is hidden behind something belongs to the far side; small gaps to their edges.

A run of missing pixels in a row ends at two disparities. Where they agree, the gap lies on one surface and is bridged.
Where they differ, the gap is what the nearer thing hides from the right camera: it takes the farther one's disparity
(the smaller). Runs wider than asked for, and those at the picture's border, which nobody has seen, stay open.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.fixed import INVALID, from_fixed, to_fixed
from livestereo.types import F32, U8, MatchResult

SAME_SURFACE_PX = 2.0


class HoleFilter:
    """Fill runs of at most `size` missing pixels."""

    stateful = False

    def __init__(self, size: int) -> None:
        self._size = size

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the result with holes filled; known pixels stay as they are."""
        known = match.disparity_px == match.disparity_px
        if known.all() or not known.any():
            return match
        filled = self._fill_rows(match.disparity_px, known)
        # Rows are filled one by one: a median across them takes the streaks out of what was filled.
        raw = to_fixed(filled)
        calm = np.asarray(cv2.medianBlur(raw, 5), np.int16)
        calm[calm == INVALID] = raw[calm == INVALID]
        smooth = from_fixed(calm)
        disparity = np.where(known | ~(filled == filled), match.disparity_px, smooth)
        return dataclasses.replace(match, disparity_px=disparity)

    def reset(self) -> None:
        """Nothing is remembered."""

    def _fill_rows(self, disparity: F32, known: NDArray[np.bool_]) -> F32:
        width = disparity.shape[1]
        columns = np.arange(width, dtype=np.int32)
        before = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
        after = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
        rows, at = np.nonzero(~known & (before >= 0) & (after < width) & (after - before - 1 <= self._size))
        left_at, right_at = before[rows, at], after[rows, at]
        left, right = disparity[rows, left_at], disparity[rows, right_at]
        share = ((at - left_at) / (right_at - left_at)).astype(np.float32)
        bridged = left + share * (right - left)
        filled = disparity.copy()
        filled[rows, at] = np.where(np.abs(left - right) <= SAME_SURFACE_PX, bridged, np.minimum(left, right))
        return filled
