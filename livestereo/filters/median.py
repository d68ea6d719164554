"""Median of each pixel's neighbourhood: takes single wrong pixels and half the pixel locking away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import numba_loaded
from livestereo.filters.fixed_chain import FixedChain
from livestereo.fixed import INVALID, equal_to
from livestereo.types import U8, MatchResult

if TYPE_CHECKING:
    from livestereo.filters.median_kernel import Median

SIDE = 5  # pixels, of the median that is compiled


class MedianFilter:
    """Median over `width` × `width` pixels (3 or 5), where an invalid pixel counts as the smallest value.

    A pixel without an answer keeps none: a median never invents.
    """

    stateful = False
    in_place = False

    def __init__(self, width: int) -> None:
        self._width = width
        self._compiled: Median | None = None
        if width == SIDE and numba_loaded():  # with `sgm`, say; the same in half the time
            from livestereo.filters.median_kernel import Median

            self._compiled = Median()

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        return FixedChain([self]).apply(match, guide_gray)

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give the median of int16 disparity."""
        if self._compiled is not None:
            return self._compiled.of(raw)
        middle = np.asarray(cv2.medianBlur(raw, self._width), np.int16)
        cv2.copyTo(raw, equal_to(raw, INVALID), middle)
        return middle

    def reset(self) -> None:
        """Nothing is remembered."""
