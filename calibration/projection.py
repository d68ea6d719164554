"""The lens models of `calibration.rig` in numpy, with their derivatives.

A camera is one vector: fx, fy, cx, cy, then the distortion in OpenCV's order. With X = (X, Y, Z) in the camera
frame, x = X/Z, y = Y/Z, r² = x² + y²:

- pinhole, rational: x' = x·q + 2 p1 x y + p2 (r² + 2x²), y' = y·q + p1 (r² + 2y²) + 2 p2 x y,
  q = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶)
- fisheye (equidistant): ρ = √(X² + Y²), θ = atan2(ρ, Z), (x', y') = (X, Y)/ρ · θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸),
  which also holds beside and behind the lens (θ of 90° and more)

then u = fx x' + cx, v = fy y' + cy (OpenCV's calib3d and fisheye documentation). Tested against
`cv2.projectPoints`, `cv2.fisheye.projectPoints` and against differences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.rig import DISTORTION_LENGTH, Intrinsics, LensModel

Array = NDArray[np.float64]

# Points nearer than this to the plane of the lens, or behind it, have no picture; the value is clamped so that a
# wild step of a solver gives a large error and not a division by zero.
_MIN_DEPTH = 1e-9
_SMALL = 1e-9


def camera_vector(intrinsics: Intrinsics) -> Array:
    """Give fx, fy, cx, cy and distortion as one (4+n,) vector."""
    K = intrinsics.K
    return np.concatenate([[K[0, 0], K[1, 1], K[0, 2], K[1, 2]], intrinsics.distortion])


def intrinsics_of(vector: Array, model: LensModel, size_wh: tuple[int, int] | None) -> Intrinsics:
    """Turn a camera vector back into `Intrinsics`."""
    K = np.array([[vector[0], 0, vector[2]], [0, vector[1], vector[3]], [0, 0, 1.0]])
    return Intrinsics(K, vector[4 : 4 + DISTORTION_LENGTH[model]], model, size_wh)


def project(points: Array, camera: Array, model: LensModel) -> Array:
    """Project points (N,3), camera frame, to pixels (N,2)."""
    return project_with_derivatives(points, camera, model, derivatives=False)[0]


def project_with_derivatives(
    points: Array, camera: Array, model: LensModel, *, derivatives: bool = True
) -> tuple[Array, Array, Array]:
    """Project points (N,3), camera frame.

    Returns pixels (N,2), their derivatives by the point (N,2,3) and by the camera vector (N,2,4+n); both empty
    without `derivatives`.
    """
    distort = _fisheye if model == "fisheye" else _perspective
    distorted, by_point, by_distortion = distort(points, camera[4:], derivatives)
    focal = camera[:2]
    pixels = distorted * focal + camera[2:4]
    if not derivatives:
        return pixels, np.empty(0), np.empty(0)
    by_point *= focal[None, :, None]
    by_camera = np.zeros((len(points), 2, len(camera)))
    by_camera[:, 0, 0] = distorted[:, 0]
    by_camera[:, 1, 1] = distorted[:, 1]
    by_camera[:, 0, 2] = 1.0
    by_camera[:, 1, 3] = 1.0
    by_camera[:, :, 4:] = by_distortion * focal[None, :, None]
    return pixels, by_point, by_camera


def _perspective(points: Array, dist: Array, derivatives: bool) -> tuple[Array, Array, Array]:
    z = np.where(np.abs(points[:, 2]) < _MIN_DEPTH, _MIN_DEPTH, points[:, 2])
    x, y = points[:, 0] / z, points[:, 1] / z
    distorted, by_xy, by_distortion = _radial_tangential(x, y, dist, derivatives)
    if not derivatives:
        return distorted, by_xy, by_distortion
    by_point = np.empty((len(z), 2, 3))
    by_point[:, :, :2] = by_xy / z[:, None, None]
    by_point[:, :, 2] = -(by_xy[:, :, 0] * (x / z)[:, None] + by_xy[:, :, 1] * (y / z)[:, None])
    return distorted, by_point, by_distortion


def _radial_tangential(x: Array, y: Array, dist: Array, derivatives: bool) -> tuple[Array, Array, Array]:
    k1, k2, p1, p2, k3 = dist[:5]
    k4, k5, k6 = dist[5:8] if len(dist) == 8 else (0.0, 0.0, 0.0)
    xx, yy, xy = x * x, y * y, x * y
    r2 = xx + yy
    top = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bottom = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    q = top / bottom
    distorted = np.stack([x * q + 2 * p1 * xy + p2 * (r2 + 2 * xx), y * q + p1 * (r2 + 2 * yy) + 2 * p2 * xy], axis=1)
    if not derivatives:
        return distorted, np.empty(0), np.empty(0)
    slope = ((k1 + r2 * (2 * k2 + 3 * r2 * k3)) - q * (k4 + r2 * (2 * k5 + 3 * r2 * k6))) / bottom
    by_xy = np.empty((len(x), 2, 2))
    cross = 2 * xy * slope + 2 * p1 * x + 2 * p2 * y
    by_xy[:, 0, 0] = q + 2 * xx * slope + 2 * p1 * y + 6 * p2 * x
    by_xy[:, 0, 1] = cross
    by_xy[:, 1, 0] = cross
    by_xy[:, 1, 1] = q + 2 * yy * slope + 6 * p1 * y + 2 * p2 * x
    by_distortion = np.empty((len(x), 2, len(dist)))
    powers = np.stack([r2, r2 * r2, r2 * r2 * r2], axis=1)
    for row, coordinate in enumerate((x, y)):
        radial = powers * (coordinate / bottom)[:, None]
        by_distortion[:, row, 0:2] = radial[:, :2]
        by_distortion[:, row, 4] = radial[:, 2]
        if len(dist) == 8:
            by_distortion[:, row, 5:8] = -radial * q[:, None]
    by_distortion[:, 0, 2], by_distortion[:, 0, 3] = 2 * xy, r2 + 2 * xx
    by_distortion[:, 1, 2], by_distortion[:, 1, 3] = r2 + 2 * yy, 2 * xy
    return distorted, by_xy, by_distortion


def _fisheye(points: Array, dist: Array, derivatives: bool) -> tuple[Array, Array, Array]:
    x, y, z = points.T
    square = np.maximum(x * x + y * y + z * z, _MIN_DEPTH**2)
    across = np.maximum(np.hypot(x, y), _SMALL * np.sqrt(square))
    theta = np.arctan2(across, z)
    t2 = theta * theta
    k1, k2, k3, k4 = dist
    scale = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) / across
    distorted = np.stack([x * scale, y * scale], axis=1)
    if not derivatives:
        return distorted, np.empty(0), np.empty(0)
    by_theta = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    # ∂θ/∂ρ = Z/(ρ² + Z²), ∂θ/∂Z = −ρ/(ρ² + Z²); both here of the scale, by ρ once more divided by ρ.
    by_across = (by_theta * z / square - scale) / across / across
    by_z = -by_theta / square
    by_point = np.empty((len(x), 2, 3))
    by_point[:, 0, 0] = scale + x * x * by_across
    by_point[:, 0, 1] = x * y * by_across
    by_point[:, 1, 0] = by_point[:, 0, 1]
    by_point[:, 1, 1] = scale + y * y * by_across
    by_point[:, 0, 2] = x * by_z
    by_point[:, 1, 2] = y * by_z
    powers = np.stack([theta * t2, theta * t2**2, theta * t2**3, theta * t2**4], axis=1) / across[:, None]
    return distorted, by_point, np.stack([powers * x[:, None], powers * y[:, None]], axis=1)
