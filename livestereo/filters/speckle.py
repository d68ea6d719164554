"""Removes speckles: small patches whose disparity stands apart from what surrounds them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.filters.fixed_chain import FixedChain
from livestereo.fixed import INVALID
from livestereo.types import U8, MatchResult


class SpeckleFilter:
    """Remove patches of at most `size` pixels whose neighbours differ by more than `range_px` px."""

    stateful = False

    def __init__(self, size: int, range_px: float) -> None:
        self._size = size
        self._range = max(1, round(range_px * 16))
        self._labels: U8 | None = None  # kept for speed: OpenCV fills it anew

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the result without speckles."""
        return FixedChain([self]).apply(match, guide_gray)

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Take the speckles out of int16 disparity in place."""
        _, labels = cv2.filterSpeckles(raw, INVALID, self._size, self._range, self._labels)
        self._labels = np.asarray(labels, np.uint8)
        return raw

    def reset(self) -> None:
        """Nothing is remembered."""
