"""Weighted-least-squares refinement after matching, from both views (Min et al., TIP 2014; OpenCV's ximgproc).

Wraps a matcher, since it needs the right view's disparity too: the same matcher on mirrored, exchanged pictures.
The result is dense; `confidence` says where it rests on agreeing matches.
"""

from __future__ import annotations

import cv2
import numpy as np

from livestereo.fixed import INVALID, STEPS, equal_to, from_fixed, to_fixed, where_invalid
from livestereo.matchers.base import Matcher
from livestereo.types import U8, MatchResult

# Agreement of left and right that counts as a match, 1/16 px.
AGREEMENT = 24
# Px around a depth edge that are trusted less. OpenCV's default of 5 costs thin objects their depth.
EDGE_RADIUS = 2


class WlsMatcher:
    """Match both ways with `inner`, then fill and smooth along the edges of the left picture.

    min_disparity, num_disparities: the range of `inner`. strength: λ; edge: σ, smaller holds edges better. The filter
    answers in the units that it is given: nothing is scaled again.
    """

    def __init__(
        self, inner: Matcher, min_disparity: int, num_disparities: int, *, strength: float, edge: float
    ) -> None:
        self.inner = inner
        self._low = min_disparity
        self._no_left = (min_disparity - 1) * STEPS
        self._no_right = -(min_disparity + num_disparities + 1) * STEPS
        self._filter = cv2.ximgproc.createDisparityWLSFilterGeneric(True)
        self._filter.setLambda(strength)
        self._filter.setSigmaColor(edge)
        self._filter.setLRCthresh(AGREEMENT)
        self._filter.setDepthDiscontinuityRadius(EDGE_RADIUS)

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Match two rectified (H,W) uint8 pictures; dense disparity (H,W) float32 px, NaN where nothing supports it."""
        from_left = to_fixed(self.inner.compute(left_gray, right_gray).disparity_px)
        mirrored = self.inner.compute(_mirror(right_gray), _mirror(left_gray)).disparity_px
        from_right = to_fixed(np.ascontiguousarray(mirrored[:, ::-1]))
        left_raw = np.where(from_left == INVALID, np.int16(self._no_left), from_left)
        # The filter wants what OpenCV's right matcher gives: disparities of the right view are negative.
        right_raw = np.where(from_right == INVALID, np.int16(self._no_right), -from_right)
        smooth = np.asarray(self._filter.filter(left_raw, left_gray, None, right_raw), np.int16)
        disparity = from_fixed(smooth)
        where_invalid(disparity, equal_to(smooth, 0))  # exactly 0: no weight reached this pixel
        disparity[disparity < self._low] = np.nan
        confidence = np.asarray(self._filter.getConfidenceMap(), np.float32) / np.float32(255)
        return MatchResult(disparity, confidence=confidence)

    def close(self) -> None:
        """Release what the wrapped matcher holds."""
        release = getattr(self.inner, "close", None)
        if release is not None:
            release()


def _mirror(gray: U8) -> U8:
    return np.asarray(cv2.flip(gray, 1), np.uint8)
