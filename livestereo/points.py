"""Coloured points from depth, cleaned. Pure.

Frame: the rectified left camera (x right, y down, z forward), turned upright where the cameras stand above each
other; metres, or relative units where the rectification is not metric.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from livestereo.depth import disparity_from_depth
from livestereo.surface import flying_pixels, normals_from_disparity, statistical_outliers
from livestereo.types import F32, U8


@dataclass(frozen=True)
class Cloud:
    """Points (N,3) float32, colors (N,3) uint8 RGB, normals (N,3) float32 or None; pixels (N,2) int32 (u, v)."""

    points: F32
    colors: U8
    normals: F32 | None
    pixels: NDArray[np.int32]


def points_from_depth(depth_m: F32, rectification: Rectification) -> F32:
    """Points (H,W,3) float32 of every pixel, NaN where depth is: x = (u − cx)·z/f, y = (v − cy)·z/f, z."""
    height, width = depth_m.shape
    f = np.float32(rectification.focal_px)
    x = (np.arange(width, dtype=np.float32) - np.float32(rectification.cx_px)) / f
    y = (np.arange(height, dtype=np.float32) - np.float32(rectification.cy_px)) / f
    return np.stack([depth_m * x[None, :], depth_m * y[:, None], depth_m], axis=2)


def upright(vectors: F32, rectification: Rectification) -> F32:
    """Turn vectors (...,3) as `Rectification.to_display` turns the picture: a quarter turn makes (x, y) to (y, −x)."""
    for _ in range(rectification.display_turns % 4):
        vectors = np.stack([vectors[..., 1], -vectors[..., 0], vectors[..., 2]], axis=-1)
    return vectors


def make_cloud(
    depth_m: F32,
    image_bgr: U8,
    rectification: Rectification,
    *,
    clean: bool = True,
    normals: bool = True,
    near_m: float = 0.0,
    far_m: float = float("inf"),
) -> Cloud:
    """Turn depth into a coloured cloud.

    depth_m: (H,W) float32, NaN invalid. image_bgr: (H,W,3) uint8, the rectified left picture.
    clean: drop flying pixels at depth edges and statistical outliers. near_m, far_m: keep what lies between.
    """
    r = rectification
    disparity = disparity_from_depth(depth_m, r.focal_px, r.baseline_m, r.doffs_px)
    keep = np.isfinite(depth_m) & (depth_m >= near_m) & (depth_m <= far_m)
    if clean:
        keep &= ~flying_pixels(disparity)
        keep &= ~statistical_outliers(np.where(keep, disparity, np.float32(np.nan)))
    rows, columns = np.nonzero(keep)
    directions = None
    if normals:
        shown = np.where(keep, disparity, np.float32(np.nan))
        directions = upright(normals_from_disparity(shown, r.focal_px, r.cx_px, r.cy_px, r.doffs_px)[rows, columns], r)
        directions[~np.isfinite(directions).all(axis=1)] = (0.0, 0.0, -1.0)  # a lone point looks at the camera
    return Cloud(
        points=upright(points_from_depth(depth_m, r)[rows, columns], r),
        colors=np.ascontiguousarray(image_bgr[rows, columns, ::-1]),
        normals=directions,
        pixels=np.stack([columns, rows], axis=1).astype(np.int32),
    )
