"""Padding for matchers that lose columns: a pixel needs room for its whole disparity range.

A matcher with disparities d_min … d_max−1 gives no answer for columns x < d_max (and x ≥ W + d_min where d_min < 0).
Repeating the border column on both pictures gives it one; an answer that points outside the right picture is
then taken away again, since nobody saw it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.fixed import STEPS
from livestereo.types import U8


@dataclass(frozen=True)
class Padding:
    """How much to add on each side for disparities `min_disparity` … `min_disparity + num_disparities − 1`.

    margin: lines added on all four sides beside that, for a matcher that answers only where its block lies inside.
    """

    min_disparity: int
    num_disparities: int
    margin: int = 0

    @property
    def left(self) -> int:
        """Columns added on the left."""
        return max(self.min_disparity + self.num_disparities, 0) + self.margin

    @property
    def right(self) -> int:
        """Columns added on the right."""
        return max(-self.min_disparity, 0) + self.margin

    def add(self, image: U8) -> U8:
        """Give the picture with its border repeated, (margin + H + margin, left + W + right) uint8."""
        m = self.margin
        padded = cv2.copyMakeBorder(image, m, m, self.left, self.right, cv2.BORDER_REPLICATE)
        return np.asarray(padded, np.uint8)

    def crop(self, raw: NDArray[np.int16], invalid: int) -> NDArray[np.int16]:
        """Take the padding off an answer (int16, 1/16 px) and, in place, answers that point outside the right view."""
        width = raw.shape[1] - self.left - self.right
        inside = raw[self.margin : raw.shape[0] - self.margin, self.left : self.left + width]
        if self.left > 0:
            edge = inside[:, : min(self.left, width)]
            # x − d < 0: the point lies left of the right picture.
            edge[edge > np.arange(edge.shape[1], dtype=np.int16) * STEPS] = invalid
        if self.right > 0:
            count = min(self.right, width)
            edge = inside[:, width - count :]
            beyond = (np.arange(width - count, width) - (width - 1)) * STEPS
            edge[edge < beyond.astype(np.int16)] = invalid
        return inside
