"""Rectification: maps computed once from a rig, applied to every pair.

The rectified pair has one size, one focal length and epipolar lines on rows. A vertical
baseline (cameras above each other) is turned by 90° inside the maps, so that matching always
runs along rows; `to_display` turns an array back. Maps are CV_16SC2 with 5 fractional bits,
always, so that results do not depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Side = Literal["left", "right"]


@dataclass(frozen=True)
class Rectification:
    """How two pictures become a rectified pair.

    size_wh: size of the rectified pictures. focal_px, cx_px, cy_px: the rectified *left* camera (fx = fy).
    baseline_m: metres (units of the board's squares, or 1, where `metric` is False). doffs_px = cx_right − cx_left.
    roi: (x, y, w, h) where both pictures have content. source_size_wh: what `apply` expects on each side.
    maps: per side (map1 CV_16SC2, map2 CV_16UC1), or None where the pictures are rectified already.
    R_rect_left, R_rect_right: (3,3) rotations from each camera's frame into the rectified frame.
    metric: depth is in metres; otherwise it is relative, and the user is told.
    display_turns: quarter turns (np.rot90 k) that bring a rectified array upright for display.
    min_disparity_px: the smallest disparity that occurs, where it is known (negative after rectification from
    matches); None otherwise. disparity_span_px: likewise how many.
    """

    size_wh: tuple[int, int]
    focal_px: float
    cx_px: float
    cy_px: float
    baseline_m: float
    doffs_px: float = 0.0
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    source_size_wh: dict[str, tuple[int, int]] = field(default_factory=dict)
    maps: dict[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict, repr=False)
    R_rect_left: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    R_rect_right: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    metric: bool = True
    display_turns: int = 0
    min_disparity_px: int | None = None
    disparity_span_px: int | None = None
    notes: tuple[str, ...] = ()

    def apply(self, image: NDArray[np.uint8], side: Side) -> NDArray[np.uint8]:
        """Rectify one picture, (h,w) or (h,w,3) uint8, bilinear; outside is black."""
        if side not in self.maps:
            return image
        map1, map2 = self.maps[side]
        return cv2.remap(image, map1, map2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # type: ignore[return-value]

    def to_display(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn a rectified array upright."""
        return np.ascontiguousarray(np.rot90(array, self.display_turns)) if self.display_turns else array
