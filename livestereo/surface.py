"""What neighbouring pixels say about a surface: smoothed disparity, normals, flying pixels, outliers. Pure.

Everything is done on disparity, because there a plane is affine in the pixel (1/z = a·u + b·v + c) and noise has
the same size near and far, so that one tolerance in px fits the whole picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32

Mask = NDArray[np.bool_]
SAME_SURFACE_PX = 1.0  # neighbours that differ by less count as one surface; steeper slopes are near-grazing views


def shifted(array: F32, dx: int, dy: int) -> F32:
    """Give `out[v, u] = array[v + dy, u + dx]`, NaN outside."""
    height, width = array.shape
    out = np.full_like(array, np.nan)
    ys, yd = slice(max(dy, 0), height + min(dy, 0)), slice(max(-dy, 0), height + min(-dy, 0))
    xs, xd = slice(max(dx, 0), width + min(dx, 0)), slice(max(-dx, 0), width + min(-dx, 0))
    out[yd, xd] = array[ys, xs]
    return out


def surface_support(disparity_px: F32, radius: int = 2, tolerance_px: float = SAME_SURFACE_PX) -> F32:
    """Share (0..1) of the window around each pixel that lies on the same surface; 0 where invalid."""
    near = np.zeros(disparity_px.shape, np.float32)
    offsets = [(dx, dy) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1) if dx or dy]
    with np.errstate(invalid="ignore"):
        for dx, dy in offsets:
            # The tolerance grows with distance, as a slanted surface does.
            near += np.abs(shifted(disparity_px, dx, dy) - disparity_px) <= tolerance_px * max(abs(dx), abs(dy), 1)
    return near / np.float32(len(offsets))


def flying_pixels(disparity_px: F32, tolerance_px: float = SAME_SURFACE_PX) -> Mask:
    """Find pixels at depth edges that hang in the air between two surfaces, or alone.

    A pixel flies when too little of its 5x5 window is on its own surface (less than 30 %: a wire three pixels
    wide has 50 %), or when it lies strictly between a nearer and a farther neighbour on either side of it,
    both a jump away: matching windows that see both surfaces answer with something in between.
    """
    flying = surface_support(disparity_px, 2, tolerance_px) < 0.3
    with np.errstate(invalid="ignore"):
        for reach in (1, 2):
            for dx, dy in ((1, 0), (0, 1)):
                before = shifted(disparity_px, -dx * reach, -dy * reach) - disparity_px
                after = shifted(disparity_px, dx * reach, dy * reach) - disparity_px
                jump = 1.5 * tolerance_px * reach
                flying |= (np.minimum(np.abs(before), np.abs(after)) > jump) & (before * after < 0)
    return np.asarray(flying & np.isfinite(disparity_px))


def statistical_outliers(disparity_px: F32, neighbours: int = 12, sigmas: float = 2.5) -> Mask:
    """Find points whose mean distance to their nearest neighbours is unusual for this cloud.

    The test of Rusu et al. 2008 (mean distance to the k nearest, cut at mean + `sigmas` · standard deviation) with
    the neighbours taken from the 7x7 window of the pixel and distances measured in (u, v, disparity), which makes
    it independent of depth.
    """
    found = np.zeros(disparity_px.shape, bool)
    height, width = disparity_px.shape
    offsets = [(dx, dy) for dy in range(-3, 4) for dx in range(-3, 4) if dx or dy]
    mean_distance = np.full(disparity_px.shape, np.nan, np.float32)
    rows = max(8, 2_000_000 // max(width * len(offsets), 1))
    for top in range(0, height, rows):  # in strips, so that large pictures need no gigabytes
        bottom = min(top + rows, height)
        strip = disparity_px[max(top - 3, 0) : min(bottom + 3, height)]
        inner = slice(top - max(top - 3, 0), top - max(top - 3, 0) + bottom - top)
        squared = np.empty((len(offsets), bottom - top, width), np.float32)
        for i, (dx, dy) in enumerate(offsets):
            step = shifted(strip, dx, dy)[inner] - strip[inner]
            squared[i] = step * step + np.float32(dx * dx + dy * dy)
        squared[np.isnan(squared)] = 400.0  # no neighbour there: as good as 20 px away
        nearest = np.partition(squared, neighbours, axis=0)[:neighbours]
        mean_distance[top:bottom] = np.sqrt(nearest).mean(axis=0)
    valid = np.isfinite(disparity_px)
    if valid.any():
        values = mean_distance[valid]
        # Never below twice the median: in a clean cloud the spread is so small that mere corners would fall.
        found[valid] = values > max(values.mean() + sigmas * values.std(), 2 * np.median(values))
    return found


def smooth_disparity(disparity_px: F32, radius: int = 3, tolerance_px: float = SAME_SURFACE_PX, rounds: int = 1) -> F32:
    """Smooth within surfaces and never across a depth edge; invalid pixels stay invalid.

    A bilateral mean along a local plane: each neighbour on the same surface counts by a Gaussian of its distance
    in the picture and in disparity.
    """
    values = disparity_px
    for _ in range(rounds):
        total = np.zeros(values.shape, np.float32)
        weight = np.zeros(values.shape, np.float32)
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                step = shifted(values, dx, dy) - values
                step[np.isnan(step)] = 99.0
                near = np.exp(-0.5 * (dx * dx + dy * dy) / (0.6 * radius + 0.1) ** 2)
                w = np.float32(near) * np.exp(-0.5 * (step / np.float32(0.6 * tolerance_px)) ** 2)
                w[np.abs(step) > 2 * tolerance_px] = 0
                total += w * step
                weight += w
        with np.errstate(invalid="ignore", divide="ignore"):
            values = values + total / weight
    return values.astype(np.float32)


def disparity_slopes(disparity_px: F32, radius: int = 4, tolerance_px: float = SAME_SURFACE_PX) -> tuple[F32, F32]:
    """Slopes (∂d/∂u, ∂d/∂v) px/px of the surface at each pixel by least squares over its window; NaN if unknown."""
    slopes = []
    for dx, dy in ((1, 0), (0, 1)):
        product = np.zeros(disparity_px.shape, np.float32)
        square = np.zeros(disparity_px.shape, np.float32)
        for k in range(1, radius + 1):
            for sign in (-1, 1):
                step = shifted(disparity_px, sign * k * dx, sign * k * dy) - disparity_px
                with np.errstate(invalid="ignore"):
                    same = np.abs(step) <= tolerance_px * k
                product += np.where(same, step * np.float32(sign * k), np.float32(0))
                square += same * np.float32(k * k)
        # Then the mean over the window of pixels on the same surface, which divides the noise again.
        known = np.isfinite(disparity_px)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(known & (square > 0), product / square, np.float32(0)).astype(np.float32)
        count = (known & (square > 0)).astype(np.float32)
        size = (2 * radius + 1, 2 * radius + 1)
        mean = cv2.boxFilter(slope, -1, size, normalize=False)
        number = cv2.boxFilter(count, -1, size, normalize=False)
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes.append(np.where(known & (number > 0), mean / number, np.float32(np.nan)).astype(np.float32))
    return slopes[0], slopes[1]


def normals_from_disparity(
    disparity_px: F32, focal_px: float, cx_px: float, cy_px: float, doffs_px: float = 0.0
) -> F32:
    """Unit normals (H,W,3) float32 of the surface, towards the camera; NaN where unknown.

    On a plane n·P = 1 with P = z·(x', y', 1), x' = (u − cx)/f: so 1/z = nx·x' + ny·y' + nz, and n follows from the
    slopes of 1/z; f·B scales it and drops out when n is normed.
    """
    slope_u, slope_v = disparity_slopes(disparity_px)
    height, width = disparity_px.shape
    x = ((np.arange(width, dtype=np.float32) - np.float32(cx_px)) / np.float32(focal_px))[None, :]
    y = ((np.arange(height, dtype=np.float32) - np.float32(cy_px)) / np.float32(focal_px))[:, None]
    nx = slope_u * np.float32(focal_px)
    ny = slope_v * np.float32(focal_px)
    nz = disparity_px + np.float32(doffs_px) - nx * x - ny * y
    normals = np.stack([-nx, -ny, -nz], axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return normals.astype(np.float32)
