"""The lens models, forward and back: rays of the camera frame to pixels and pixels to rays.

    pixels = project_rays(camera, rays)      # (N,3) -> (N,2), NaN where the lens cannot see
    rays = rays_of_pixels(camera, pixels)    # (N,2) -> (N,3) of length 1

Both stop where a model's polynomial folds back: beyond that radius it would place two directions on one
pixel, and a map made from it would show a picture's rim a second time.
Formulas: OpenCV's calib3d (pinhole, rational) and fisheye (Kannala and Brandt 2006, equidistant).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from calibration.rig import Array, Intrinsics

# Beyond 85° off the axis a plane picture has no use: its pixels are stretched more than 100 times.
_STEEPEST = math.radians(85.0)


def fold_angle(camera: Intrinsics) -> float:
    """Angle off the optical axis, radians, up to which the lens model is one-to-one (at most π)."""
    if camera.model == "fisheye":
        theta = np.linspace(0, math.pi, 4001)
        radius = _fisheye_radius(theta, camera.distortion)
    else:
        theta = np.linspace(0, _STEEPEST, 4001)
        r = np.tan(theta)
        with np.errstate(all="ignore"):
            radius = r * _radial(r * r, camera.distortion)
    rising = np.diff(radius) > 0
    rising &= np.isfinite(radius[1:])
    return float(theta[-1] if rising.all() else theta[int(np.argmin(rising))])


def distort(normalized: Array, camera: Intrinsics) -> Array:
    """Bend points (N,2) of the plane z = 1 as a pinhole or rational lens does; (N,2), still in that plane."""
    k = camera.distortion
    x, y = normalized[:, 0], normalized[:, 1]
    r2 = x * x + y * y
    radial = _radial(r2, k)
    p1, p2 = k[2], k[3]
    return np.stack(
        [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y],
        axis=1,
    )


def project_rays(camera: Intrinsics, rays: Array) -> Array:
    """Give the pixels (N,2) that see directions (N,3) of the camera frame; NaN where the model ends."""
    rays = np.asarray(rays, dtype=np.float64).reshape(-1, 3)
    across = np.hypot(rays[:, 0], rays[:, 1])
    angle = np.arctan2(across, rays[:, 2])
    with np.errstate(all="ignore"):
        if camera.model == "fisheye":
            scale = np.where(across > 1e-12, _fisheye_radius(angle, camera.distortion) / across, 1 / rays[:, 2])
            bent = rays[:, :2] * scale[:, None]
        else:
            bent = distort(rays[:, :2] / rays[:, 2:], camera)
    bent[~(angle < fold_angle(camera))] = np.nan
    return np.asarray(bent * camera.K.diagonal()[:2] + camera.K[:2, 2])


def rays_of_pixels(camera: Intrinsics, pixels: Array) -> Array:
    """Give the directions (N,3), length 1, that pixels (N,2) see; NaN where the model reaches no such pixel.

    Newton's method to 1e-12: the fixed-point iteration that is usual here drifts at wide angles.
    """
    pixels = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    bent = (pixels - camera.K[:2, 2]) / camera.K.diagonal()[:2]
    limit = fold_angle(camera)
    if camera.model == "fisheye":
        wanted = np.hypot(bent[:, 0], bent[:, 1])
        angle = _invert_rising(wanted, lambda a: _fisheye_radius(a, camera.distortion), limit)
        with np.errstate(all="ignore"):
            direction = np.where(wanted[:, None] > 1e-15, bent / wanted[:, None], 0.0)
        return np.column_stack([direction * np.sin(angle)[:, None], np.cos(angle)])
    plane = _undistort(bent, camera, limit)
    rays = np.column_stack([plane, np.ones(len(plane))])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def _radial(r2: Array, k: Array) -> Array:
    top = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
    if len(k) < 8:
        return np.asarray(top)
    return np.asarray(top / (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7]))))


def _fisheye_radius(theta: Array, k: Array) -> Array:
    t2 = theta * theta
    return np.asarray(theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3])))))


def _invert_rising(wanted: Array, function: Callable[[Array], Array], limit: float) -> Array:
    """Solve function(a) = wanted for a in 0..limit, where it rises; NaN above its end."""
    table = np.linspace(0, limit, 2001)
    values = function(table)
    angle = np.interp(wanted, values, table, right=np.nan)
    step = 1e-6
    for _ in range(4):
        slope = (function(angle + step) - function(angle - step)) / (2 * step)
        with np.errstate(all="ignore"):
            moved = angle - (function(angle) - wanted) / slope
        angle = np.where(np.isfinite(moved) & (slope > 0), np.clip(moved, 0, limit), angle)
    return angle


def _undistort(bent: Array, camera: Intrinsics, limit: float) -> Array:
    """Invert `distort` for points (N,2): radial table first, then Newton with a numerical Jacobian."""
    wanted = np.hypot(bent[:, 0], bent[:, 1])
    far = math.tan(min(limit, _STEEPEST))

    def radius(angle: Array) -> Array:
        r = np.tan(angle)
        return np.asarray(r * _radial(r * r, camera.distortion))

    start = np.tan(_invert_rising(wanted, radius, min(limit, _STEEPEST)))
    # Tangential terms may carry a point a little past the radial end: begin at the rim, and let the check below decide.
    start = np.where(np.isnan(start), 0.98 * far, start)
    with np.errstate(all="ignore"):
        plane = np.where(wanted[:, None] > 1e-15, bent / wanted[:, None], 0.0) * start[:, None]
    h = 1e-7
    for _ in range(12):
        value = distort(plane, camera)
        dx = (distort(plane + np.array([h, 0.0]), camera) - value) / h
        dy = (distort(plane + np.array([0.0, h]), camera) - value) / h
        determinant = dx[:, 0] * dy[:, 1] - dy[:, 0] * dx[:, 1]
        miss = value - bent
        with np.errstate(all="ignore"):
            step = np.column_stack(
                [
                    (dy[:, 1] * miss[:, 0] - dy[:, 0] * miss[:, 1]) / determinant,
                    (dx[:, 0] * miss[:, 1] - dx[:, 1] * miss[:, 0]) / determinant,
                ]
            )
        length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-300)
        step *= np.minimum(1.0, 0.2 * (1 + np.hypot(plane[:, 0], plane[:, 1])) / length)[:, None]
        plane = plane - np.where(np.isfinite(step), step, 0.0)
        if float(np.max(np.abs(miss), initial=0.0)) < 1e-13:
            break
    off = np.hypot(*(distort(plane, camera) - bent).T)
    wrong = ~(off < 1e-9) | (np.hypot(plane[:, 0], plane[:, 1]) > far)
    plane[wrong] = np.nan
    return np.asarray(plane)
