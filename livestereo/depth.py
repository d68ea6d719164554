"""Disparity to depth and back, and the error that a disparity error makes. Pure.

Z = f · B / (d + doffs), with f in px, B in metres, d = x_left − x_right in px and
doffs = cx_right − cx_left (Scharstein et al. 2014, Middlebury's calib.txt).
"""

from __future__ import annotations

import math

import numpy as np

from livestereo.types import F32


def depth_from_disparity(disparity_px: F32, focal_px: float, baseline_m: float, doffs_px: float = 0.0) -> F32:
    """Depth (H,W) float32 metres; NaN where disparity is NaN or the point lies at or behind infinity."""
    shifted = disparity_px + np.float32(doffs_px)
    np.maximum(shifted, np.float32(0), out=shifted)  # keeps NaN
    with np.errstate(divide="ignore", invalid="ignore"):
        depth: F32 = np.float32(focal_px * baseline_m) / shifted
        depth += depth - depth  # ∞ − ∞ is NaN: six times faster than a boolean index
    return depth


def disparity_from_depth(depth_m: F32, focal_px: float, baseline_m: float, doffs_px: float = 0.0) -> F32:
    """Disparity (H,W) float32 px; NaN where depth is NaN or not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = np.float32(focal_px * baseline_m) / depth_m - np.float32(doffs_px)
    disparity[~(depth_m > 0)] = np.nan
    return disparity


def depth_error_m(depth_m: float, disparity_error_px: float, focal_px: float, baseline_m: float) -> float:
    """First-order depth error: Z² · δd / (f · B)."""
    return depth_m * depth_m * disparity_error_px / (focal_px * baseline_m)


def disparity_range(
    focal_px: float, baseline_m: float, doffs_px: float, min_depth_m: float, max_depth_m: float
) -> tuple[int, int]:
    """Give (min_disparity, num_disparities) in px that cover the depths; num_disparities is a multiple of 16.

    `max_depth_m` may be infinite.
    """
    nearest = focal_px * baseline_m / min_depth_m - doffs_px
    farthest = (focal_px * baseline_m / max_depth_m if math.isfinite(max_depth_m) else 0.0) - doffs_px
    low = math.floor(farthest)
    span = math.ceil(nearest) + 1 - low
    return low, max(16, math.ceil(span / 16) * 16)
