"""Rays that should meet: what the board and the free points share."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Intrinsics
from livestereo.sync.offset import Array


def normalised(points_px: NDArray[np.float32], lens: Intrinsics) -> Array:
    """Rays (N,2) x/z, y/z of pixels, lens distortion removed."""
    flat = points_px.reshape(-1, 1, 2).astype(np.float64)
    if lens.model == "fisheye":
        undone = cv2.fisheye.undistortPoints(flat, lens.K, lens.distortion)
    else:
        undone = cv2.undistortPoints(flat, lens.K, lens.distortion)
    return np.asarray(undone, np.float64).reshape(-1, 2)


def direction(a: float, b: float) -> Array:
    """Unit vector by two angles about (−1, 0, 0), where the translation of an ordinary rig points."""
    return np.array([-np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)])


def angles(t: Array) -> tuple[float, float]:
    """The two angles of a direction, as `direction` takes them."""
    unit = t / np.linalg.norm(t)
    return float(np.arctan2(unit[1], -unit[0])), float(np.arcsin(np.clip(unit[2], -1, 1)))


def sampson(rotation: Array, t: Array, left: Array, right: Array) -> Array:
    """First-order distance of each pair of rays from meeting, signed, normalised units."""
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    essential = cross @ rotation
    a = np.column_stack([left, np.ones(len(left))])
    b = np.column_stack([right, np.ones(len(right))])
    la, lb = a @ essential.T, b @ essential
    miss = np.einsum("ij,ij->i", b, la)
    norm = np.sqrt(la[:, 0] ** 2 + la[:, 1] ** 2 + lb[:, 0] ** 2 + lb[:, 1] ** 2)
    return np.asarray(miss / np.maximum(norm, 1e-12))
