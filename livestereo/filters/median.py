"""Median of each pixel's neighbourhood: takes single wrong pixels and half the pixel locking away."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import numba_loaded
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
        self._keep_invalid: Callable[..., None] = _keep_invalid
        if numba_loaded():  # with `sgm`, say; the same in a sixth of the time
            from livestereo.filters.median_kernel import keep_invalid

            self._keep_invalid = keep_invalid()

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        return FixedChain([self]).apply(match, guide_gray)

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give the median of int16 disparity."""
        middle = np.asarray(cv2.medianBlur(raw, self._width), np.int16)
        self._keep_invalid(raw, middle)
        return middle

    def reset(self) -> None:
        """Nothing is remembered."""


def _keep_invalid(before: NDArray[np.int16], after: NDArray[np.int16]) -> None:
    """Set `after` to INVALID, in place, where `before` is."""
    cv2.copyTo(before, equal_to(before, INVALID), after)
