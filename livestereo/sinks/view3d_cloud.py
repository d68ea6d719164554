"""A cloud small enough to be sent many times a second: cut, thinned evenly, edges left out. Pure and fast."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.points import upright
from livestereo.types import F32, U8, StereoResult

EDGE_PX = 1.5  # neighbours that differ by more lie on different surfaces, and a pixel between them hangs in the air


@dataclass(frozen=True)
class Cuts:
    """Which points to show. most: at most so many. near_m, far_m: depths. confidence: at least, 0..1; 0 asks nobody."""

    most: int = 60_000
    near_m: float = 0.0
    far_m: float = float("inf")
    confidence: float = 0.0
    edges: bool = True


@lru_cache(maxsize=4)
def _lot(shape: tuple[int, int]) -> NDArray[np.float32]:
    """A lot in 0..1 for each pixel, always the same: the points that are shown do not flicker from cloud to cloud."""
    return np.random.default_rng(0).random(shape, np.float32)


def depth_edges(disparity_px: F32) -> NDArray[np.bool_]:
    """Find pixels with a jump of disparity in their 3x3 neighbourhood; holes are no jump."""
    known = np.isfinite(disparity_px)
    kernel = np.ones((3, 3), np.uint8)
    high = cv2.dilate(np.where(known, disparity_px, np.float32(-1e6)), kernel)
    low = cv2.erode(np.where(known, disparity_px, np.float32(1e6)), kernel)
    return np.asarray(known & (high - low > 2 * EDGE_PX))


def live_cloud(result: StereoResult, cuts: Cuts) -> tuple[F32, U8]:
    """Give points (N,3) float32, metres, and colours (N,3) uint8 RGB; N is at most `cuts.most`."""
    depth = result.depth_m
    with np.errstate(invalid="ignore"):
        keep = (depth >= cuts.near_m) & (depth <= cuts.far_m)
    if cuts.edges:
        keep &= ~depth_edges(result.disparity_px)
    if cuts.confidence > 0 and result.confidence is not None:
        with np.errstate(invalid="ignore"):
            keep &= result.confidence >= cuts.confidence
    count = int(np.count_nonzero(keep))
    if count > cuts.most:
        keep &= _lot(depth.shape) < cuts.most / count
    rows, columns = np.nonzero(keep)
    if len(rows) > cuts.most:  # the lots are even only on average
        rows, columns = rows[: cuts.most], columns[: cuts.most]
    at = result.pair.rectification
    z = depth[rows, columns]
    points = np.empty((len(z), 3), np.float32)
    points[:, 0] = (columns - np.float32(at.cx_px)) / np.float32(at.focal_px) * z
    points[:, 1] = (rows - np.float32(at.cy_px)) / np.float32(at.focal_px) * z
    points[:, 2] = z
    return upright(points, at), np.ascontiguousarray(result.pair.left[rows, columns, ::-1])
