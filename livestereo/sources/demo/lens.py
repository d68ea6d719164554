"""The two lenses: the exact rig, and for each pixel (or part of one) the ray that it sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Intrinsics, StereoRig
from livestereo.sources.demo.shapes import Box, turn_xyz
from livestereo.types import F32, SizeWH

# Focal length over the diagonal of the picture: 69° across the corners, as ordinary webcams have.
FOCAL_PER_DIAGONAL = 0.69
BASELINE_M = 0.100
BUMP_AXIS = np.array([1.0, 0.4, 0.5])


def make_rig(seed: int, size_wh: SizeWH) -> StereoRig:
    """Make the demo's rig: two different lenses, toe-in, and the small errors of a rig put together by hand.

    The same for all scenes of one seed and size.
    """
    rng = np.random.default_rng((seed, 101))
    w, h = size_wh
    focal = FOCAL_PER_DIAGONAL * float(np.hypot(w, h))
    unit = float(np.hypot(w, h)) / 800

    def camera(focal_px: float, offset_px: tuple[float, float], distortion: tuple[float, ...]) -> Intrinsics:
        dx, dy = (np.array(offset_px) + rng.uniform(-1.5, 1.5, 2)) * unit
        fx = focal_px * rng.uniform(0.995, 1.005)
        fy = fx * rng.uniform(0.9992, 1.0008)
        K = np.array([[fx, 0, (w - 1) / 2 + dx], [0, fy, (h - 1) / 2 + dy], [0, 0, 1]])
        bent = np.array(distortion) * rng.uniform(0.93, 1.07, 5)
        return Intrinsics(K, bent, "pinhole", size_wh)

    left = camera(focal, (4.0, -3.0), (-0.165, 0.045, 0.0006, -0.0004, 0.0))
    right = camera(focal * 1.021, (-5.0, 4.0), (-0.132, 0.028, -0.0005, 0.0007, 0.0))
    wobble = rng.uniform(-0.15, 0.15, 3)
    R_right_left = turn_xyz(-0.35 + wobble[0], 1.3 + wobble[1], 0.5 + wobble[2])
    # The left camera looks inwards too, so the right one stands a little in front in its frame.
    towards = turn_xyz(0, 0.6 + wobble[1] / 2, 0) @ np.array([1.0, 0.012, 0.008])
    centre = BASELINE_M * rng.uniform(0.99, 1.01) * towards / np.linalg.norm(towards)
    return StereoRig(left, right, R_right_left, -R_right_left @ centre)


def turned(rig: StereoRig, bump_deg: float) -> StereoRig:
    """Turn the right camera where it stands, about an axis that tilts, yaws and rolls it."""
    if not bump_deg:
        return rig
    axis = BUMP_AXIS / np.linalg.norm(BUMP_AXIS)
    turn, _ = cv2.Rodrigues(axis * np.radians(bump_deg))
    return StereoRig(rig.left, rig.right, turn @ rig.R_right_left, turn @ rig.t_right_left_m)


@dataclass(frozen=True)
class Grid:
    """Rays (x, y, 1) for a grid of places in a picture, (h,w) float32 each."""

    x: F32
    y: F32

    @cached_property
    def _columns(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.x.min(axis=0), self.x.max(axis=0)

    @cached_property
    def _rows(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.y.min(axis=1), self.y.max(axis=1)

    def window(self, box: Box) -> tuple[int, int, int, int] | None:
        """Give the part (row0, row1, column0, column1) that can see inside `box`, or None."""
        low, high = self._columns
        columns = np.flatnonzero((high >= box[0]) & (low <= box[2]))
        low, high = self._rows
        rows = np.flatnonzero((high >= box[1]) & (low <= box[3]))
        if not len(columns) or not len(rows):
            return None
        return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1

    def cut(self, row0: int, row1: int, column0: int, column1: int) -> Grid:
        """Give a part of the grid."""
        return Grid(self.x[row0:row1, column0:column1], self.y[row0:row1, column0:column1])


def undistort(camera: Intrinsics, u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[F32, F32]:
    """Give the normalised coordinates that pixels (u, v) see: Newton's method on the distortion, to 1e-9."""
    K, (k1, k2, p1, p2, k3) = camera.K, camera.distortion
    xd = (u - K[0, 2]) / K[0, 0]
    yd = (v - K[1, 2]) / K[1, 1]
    x, y = xd.copy(), yd.copy()
    for _ in range(6):
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2 * (k1 + r2 * (2 * k2 + 3 * r2 * k3))
        ex = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) - xd
        ey = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y - yd
        xx = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
        yy = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
        xy = x * y * slope + 2 * p1 * x + 2 * p2 * y
        det = xx * yy - xy * xy
        x -= (yy * ex - xy * ey) / det
        y -= (xx * ey - xy * ex) / det
    return x.astype(np.float32), y.astype(np.float32)


def pixel_grid(camera: Intrinsics, samples: int = 1) -> Grid:
    """Rays of a camera's own (distorted) picture, `samples` × `samples` places in each pixel."""
    assert camera.size_wh is not None
    w, h = camera.size_wh
    if samples == 1:
        u, v = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
        return Grid(*undistort(camera, u, v))
    # Exact at pixel centres, linear between them: off by less than 1e-4 px.
    u, v = np.meshgrid(np.arange(-1.0, w + 1), np.arange(-1.0, h + 1))
    wide = ((w + 2) * samples, (h + 2) * samples)
    parts: list[F32] = [
        np.ascontiguousarray(
            cv2.resize(c, wide, interpolation=cv2.INTER_LINEAR)[samples:-samples, samples:-samples], np.float32
        )
        for c in undistort(camera, u, v)
    ]
    return Grid(parts[0], parts[1])


def project(camera: Intrinsics, x: F32, y: F32) -> tuple[F32, F32]:
    """Give the pixels where a camera sees the rays (x, y, 1), float32."""
    points = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 1, 3).astype(np.float64)
    seen, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.K, camera.distortion)
    uv = seen.reshape(*x.shape, 2).astype(np.float32)
    return np.ascontiguousarray(uv[..., 0]), np.ascontiguousarray(uv[..., 1])
