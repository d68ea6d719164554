"""Removes speckles: small patches whose disparity stands apart from what surrounds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import numba_loaded
from livestereo.filters.fixed_chain import FixedChain
from livestereo.fixed import INVALID
from livestereo.types import U8, MatchResult

if TYPE_CHECKING:
    from livestereo.filters.speckle_kernel import SpeckleRemover


class SpeckleFilter:
    """Remove patches of at most `size` pixels whose neighbours differ by more than `range_px` px."""

    stateful = False
    in_place = True

    def __init__(self, size: int, range_px: float) -> None:
        self._size = size
        self._range = max(1, round(range_px * 16))
        self._labels: U8 | None = None  # kept for speed: OpenCV fills it anew
        self._compiled: SpeckleRemover | None = None
        if numba_loaded():  # with `sgm`, say; the same answer in a third of the time
            from livestereo.filters.speckle_kernel import SpeckleRemover

            self._compiled = SpeckleRemover()

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the result without speckles."""
        return FixedChain([self]).apply(match, guide_gray)

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Take the speckles out of int16 disparity in place."""
        if self._compiled is not None and raw.flags.c_contiguous:
            self._compiled.remove(raw, self._size, self._range)
            return raw
        _, labels = cv2.filterSpeckles(raw, INVALID, self._size, self._range, self._labels)
        self._labels = np.asarray(labels, np.uint8)
        return raw

    def reset(self) -> None:
        """Nothing is remembered."""
