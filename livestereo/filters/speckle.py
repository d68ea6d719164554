"""Removes speckles: small patches whose disparity stands apart from what surrounds them."""

from __future__ import annotations

import dataclasses

import cv2

from livestereo.compiled import numba_loaded
from livestereo.fixed import INVALID, from_fixed, to_fixed
from livestereo.types import U8, MatchResult


class SpeckleFilter:
    """Remove patches of at most `size` pixels whose neighbours differ by more than `range_px` px."""

    stateful = False

    def __init__(self, size: int, range_px: float) -> None:
        self._size = size
        self._range = max(1, round(range_px * 16))
        self._compiled = None
        if numba_loaded():  # with `sgm`, say; the same answer in half the time
            from livestereo.filters.speckle_kernel import SpeckleRemover

            self._compiled = SpeckleRemover()

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the result without speckles."""
        if self._compiled is not None:
            clean = self._compiled.without_speckles(match.disparity_px, self._size, self._range / 16)
            return dataclasses.replace(match, disparity_px=clean)
        raw = to_fixed(match.disparity_px)
        cv2.filterSpeckles(raw, INVALID, self._size, self._range)
        return dataclasses.replace(match, disparity_px=from_fixed(raw))

    def reset(self) -> None:
        """Nothing is remembered."""
