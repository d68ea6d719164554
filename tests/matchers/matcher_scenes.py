"""Rendered pairs with exact disparity, for matchers and filters."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8


def texture(height: int, width: int, seed: int = 0) -> U8:
    """A picture that matches well everywhere: smoothed noise of two grains."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.0)
    coarse = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 4.0)
    mixed = fine / fine.std() + coarse / coarse.std()
    return np.clip(128 + 40 * mixed, 0, 255).astype(np.uint8)


def steps(height: int, width: int, disparities: tuple[float, ...], seed: int = 0) -> tuple[U8, U8, F32]:
    """Left and right picture of horizontal bands, each at one disparity, and the exact disparity (H,W).

    The right picture is the texture; the left one is taken from it, so every left pixel with x >= d is seen by both.
    """
    margin = int(max(abs(d) for d in disparities)) + 2
    wide = texture(height, width + 2 * margin, seed)
    truth = np.zeros((height, width), np.float32)
    bands = np.array_split(np.arange(height), len(disparities))
    for rows, disparity in zip(bands, disparities):
        truth[rows] = disparity
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    left = cv2.remap(wide, x - truth + margin, y, cv2.INTER_CUBIC)
    right = wide[:, margin : margin + width].copy()
    return np.asarray(left, np.uint8), right, truth


def bad_percent(estimate: F32, truth: F32, threshold: float = 1.0) -> float:
    """Estimates that are off by more than `threshold` px, percent."""
    known: NDArray[np.bool_] = np.isfinite(estimate)
    return 100.0 * float((np.abs(estimate - truth)[known] > threshold).sum()) / max(1, int(known.sum()))
