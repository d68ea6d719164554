"""Median of each pixel's neighbourhood: takes single wrong pixels and half the pixel locking away."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from livestereo.fixed import INVALID, equal_to, from_fixed, to_fixed, where_invalid
from livestereo.types import U8, MatchResult


class MedianFilter:
    """Median over `width` × `width` pixels (3 or 5), where an invalid pixel counts as the smallest value.

    A pixel without an answer keeps none: a median never invents.
    """

    stateful = False

    def __init__(self, width: int) -> None:
        self._width = width

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        raw = to_fixed(match.disparity_px)
        middle = np.asarray(cv2.medianBlur(raw, self._width), np.int16)
        disparity = from_fixed(middle)
        where_invalid(disparity, equal_to(raw, INVALID))
        return dataclasses.replace(match, disparity_px=disparity)

    def reset(self) -> None:
        """Nothing is remembered."""
