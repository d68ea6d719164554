"""Median of each pixel's neighbourhood: takes single wrong pixels and half the pixel locking away."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.filters.fixed_chain import FixedChain
from livestereo.fixed import INVALID, equal_to
from livestereo.types import U8, MatchResult


class MedianFilter:
    """Median over `width` × `width` pixels (3 or 5), where an invalid pixel counts as the smallest value.

    A pixel without an answer keeps none: a median never invents.
    """

    stateful = False
    in_place = False

    def __init__(self, width: int) -> None:
        self._width = width

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        return FixedChain([self]).apply(match, guide_gray)

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give the median of int16 disparity."""
        middle = np.asarray(cv2.medianBlur(raw, self._width), np.int16)
        cv2.copyTo(raw, equal_to(raw, INVALID), middle)
        return middle

    def reset(self) -> None:
        """Nothing is remembered."""
