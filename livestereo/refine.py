"""The disparity of one point, as exactly as the two pictures tell it, with its standard deviation. Pure.

A matcher answers for every pixel in 1/16 px steps and leans towards whole pixels. For a few points one can afford
better: the pictures around the point are laid over each other by least squares, with a plane for the surface, gain
and offset for exposure, and a small vertical error (Lucas & Kanade, IJCAI 1981; Gruen, "Adaptive least squares
correlation", 1985).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8

Mask = NDArray[np.bool_]

RADII = (8, 12, 17, 25)  # of the windows whose pictures are laid over each other, px
FAR_RADIUS = 20  # how far other surfaces are looked for
ROBUST = 1.5  # of the noise: how far a gray level may be off and still count half
AGREE = 2.0  # standard deviations within which a larger window must agree with the smaller ones
# Standard deviation of disparity: root of the sum of squares of (weight · sign of trouble). Fitted on the demo's rooms
# 1 to 5, whose truth is exact: the smallest that hold 92 of 100 errors within two of them. Room 0 was kept apart, to be
# measured on.
WEIGHTS = {
    "fit": 2.1,  # px: what the least squares itself says
    "disagreement": 0.42,  # px: between the matcher's plane and the pictures
    "scatter": 0.16,  # px: of the matcher around its plane
    "other": 2.1,  # px: another surface that the pixel may belong to, by its likelihood
    "hole": 0.14,  # at a hole's rim, falling off over 4 px
    "slope": 5.3,  # px per px: a surface seen at a slant
}
PRIOR_SLOPE, PRIOR_RISE_PX = 0.1, 0.3


@dataclass(frozen=True)
class Refined:
    """disparity_px at the pixel and its standard deviation; slope_u, slope_v: px per px. surface: pixels used."""

    disparity_px: float
    sigma_px: float
    slope_u: float
    slope_v: float
    surface: int


@dataclass(frozen=True)
class _Plane:
    """Disparity at the pixel, slopes, scatter of the matcher around it, weights (h,w) of the window's pixels."""

    values: NDArray[np.float64]
    scatter: float
    same: Mask
    window: tuple[slice, slice]
    dx: F32
    dy: F32


def refine(disparity_px: F32, left_gray: U8, right_gray: U8, u: int, v: int) -> Refined | None:
    """Refine the disparity at a pixel of the rectified left picture; None where the matcher has no answer there."""
    if not np.isfinite(disparity_px[v, u]):
        return None
    laid = _widest(disparity_px, left_gray, right_gray, u, v)
    plane, moved, noise, gain, offset = laid.plane, laid.values, laid.noise, laid.gain, laid.offset
    # A fit that ran away says nothing but that it ran away.
    disagreement = abs(moved[0] - plane.values[0])
    if disagreement > 1.5:
        moved = plane.values
    other = _other_surface(disparity_px, left_gray, right_gray, u, v, moved, noise, gain, offset)
    hole = float(np.exp(-_distance_to_hole(disparity_px, u, v) / 4))
    signs = {
        "fit": laid.sigma, "disagreement": min(disagreement, 2.0), "scatter": plane.scatter, "other": other,
        "hole": hole, "slope": abs(float(moved[1])),
    }  # fmt: skip
    sigma = float(np.sqrt(sum((WEIGHTS[name] * sign) ** 2 for name, sign in signs.items())))
    return Refined(float(moved[0]), max(sigma, 0.02), float(moved[1]), float(moved[2]), int(plane.same.sum()))


@dataclass(frozen=True)
class _Laid:
    """What laying the pictures over each other gave in one window."""

    plane: _Plane
    values: NDArray[np.float64]
    sigma: float
    noise: float
    gain: float
    offset: float
    radius: int


def _widest(disparity_px: F32, left_gray: U8, right_gray: U8, u: int, v: int) -> _Laid:
    """Take the widest window that agrees with all smaller ones (Goldenshluger & Nemirovski 1997; Katkovnik 1999).

    A wide window has less noise, and is wrong where the surface bends or ends: then its answer leaves what the
    smaller ones allow.
    """
    best: _Laid | None = None
    low, high = -np.inf, np.inf
    for radius in RADII:
        plane = _local_plane(disparity_px, u, v, radius)
        moved, sigma, noise, gain, offset = _lay_over(plane, left_gray, right_gray, radius)
        ran_away = abs(moved[0] - plane.values[0]) > 1.5
        low, high = max(low, moved[0] - AGREE * sigma), min(high, moved[0] + AGREE * sigma)
        if best is not None and (low > high or ran_away):
            break
        best = _Laid(plane, moved, sigma, noise, gain, offset, radius)
        if ran_away:
            break
    assert best is not None
    return best


def _window(shape: tuple[int, ...], u: int, v: int, radius: int) -> tuple[slice, slice]:
    return (
        slice(max(0, v - radius), min(shape[0], v + radius + 1)),
        slice(max(0, u - radius), min(shape[1], u + radius + 1)),
    )


def _offsets(window: tuple[slice, slice], u: int, v: int) -> tuple[F32, F32]:
    rows, columns = np.mgrid[window]
    return (columns - u).astype(np.float32), (rows - v).astype(np.float32)


def _local_plane(disparity_px: F32, u: int, v: int, radius: int) -> _Plane:
    """Fit a plane to the matcher's answers of the same surface, robustly (Cauchy weights)."""
    window = _window(disparity_px.shape, u, v, radius)
    dx, dy = _offsets(window, u, v)
    values, centre = disparity_px[window], float(disparity_px[v, u])
    with np.errstate(invalid="ignore"):
        same = np.abs(values - centre) <= 0.75 + 0.35 * np.maximum(np.abs(dx), np.abs(dy))
    if same.sum() < 8:
        return _Plane(np.array([centre, 0.0, 0.0]), 1.0, np.asarray(same), window, dx, dy)
    A = np.stack([np.ones(int(same.sum())), dx[same], dy[same]], axis=1).astype(np.float64)
    y = values[same].astype(np.float64)
    weight = np.ones(len(y))
    scatter = 1.0
    fitted = np.array([centre, 0.0, 0.0])
    for _ in range(4):
        normal = (A * weight[:, None]).T @ A + np.diag([0, 1e-3, 1e-3])
        fitted = np.linalg.solve(normal, (A * weight[:, None]).T @ y)
        rest = y - A @ fitted
        scatter = 1.4826 * float(np.median(np.abs(rest))) + 0.02
        weight = 1 / (1 + (rest / (2 * scatter)) ** 2)
    return _Plane(fitted, scatter, np.asarray(same), window, dx, dy)


def _sample(image: U8, x: Any, y: Any) -> NDArray[np.float32]:
    return np.asarray(
        cv2.remap(image.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC,
                  borderMode=cv2.BORDER_REPLICATE), np.float32,
    )  # fmt: skip


def _lay_over(
    plane: _Plane, left_gray: U8, right_gray: U8, radius: int
) -> tuple[NDArray[np.float64], float, float, float, float]:
    """Least squares of left(x, y) = gain · right(x − d(x, y), y + rise) + offset over the plane's pixels.

    Returns: the plane (3,), standard deviation of its disparity, noise in gray levels, gain, offset.
    """
    rows, columns = np.mgrid[plane.window]
    left = left_gray[plane.window].astype(np.float64)
    dx, dy = plane.dx.astype(np.float64), plane.dy.astype(np.float64)
    weight = np.exp(-(dx * dx + dy * dy) / (2 * (radius / 2) ** 2)) * plane.same
    # Only the strip of the right picture that is needed is turned into floats: where the surface lies, and some more.
    width = right_gray.shape[1]
    more = 24 + math.ceil(radius * float(np.abs(plane.values[1:]).sum()))
    low = int(np.clip(columns.min() - plane.values[0] - more, 0, width - 1))
    high = int(np.clip(columns.max() - plane.values[0] + more, low + 1, width))
    strip = right_gray[max(0, plane.window[0].start - 4) : plane.window[0].stop + 4, low:high]
    top = max(0, plane.window[0].start - 4)
    values, rise = plane.values.copy(), 0.0
    w = weight.ravel()
    robust = w
    gain, offset, variance = 1.0, 0.0, 1.0
    normal = np.eye(4)
    slopes = plane.values[1:].copy()
    for _ in range(10):
        x = columns - (values[0] + values[1] * dx + values[2] * dy) - low
        y = rows + rise - top
        right = _sample(strip, x, y).astype(np.float64)
        by_x = (_sample(strip, x + 0.5, y) - _sample(strip, x - 0.5, y)).astype(np.float64)
        by_y = (_sample(strip, x, y + 0.5) - _sample(strip, x, y - 0.5)).astype(np.float64)
        gain, offset = _exposure(right.ravel(), left.ravel(), robust)
        rest = (left - gain * right - offset).ravel()
        # What is hidden, or belongs to another surface, does not fit and counts less (Cauchy weights).
        noise = max(1.4826 * float(np.median(np.abs(rest[w > 0.02]))) if (w > 0.02).any() else 1.0, 1.0)
        robust = w / (1 + (rest / (ROBUST * noise)) ** 2)
        variance = max(float((robust * rest * rest).sum() / max(robust.sum(), 1e-9)), 1.0)
        A = gain * np.stack([-by_x, -by_x * dx, -by_x * dy, by_y], axis=-1).reshape(-1, 4)
        tight = np.array([0.0, 1 / PRIOR_SLOPE**2, 1 / PRIOR_SLOPE**2, 1 / PRIOR_RISE_PX**2])
        normal = (A * robust[:, None]).T @ A / variance + np.diag(tight + 1e-6)
        pull = tight * np.array([0.0, *(slopes - values[1:]), -rise])
        step = np.linalg.solve(normal, (A * robust[:, None]).T @ rest / variance + pull)
        step = np.clip(step, -0.5, 0.5)
        values += step[:3]
        rise += float(step[3])
        if abs(step[0]) < 0.002:
            break
    sigma = float(np.sqrt(np.linalg.inv(normal)[0, 0]))
    return values, min(sigma, 3.0), float(np.sqrt(variance)), gain, offset


def _exposure(right: NDArray[np.float64], left: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[float, float]:
    """Gain (0.5 to 2) and offset that bring the right picture to the left one."""
    total = max(float(w.sum()), 1e-9)
    mean_right, mean_left = float((w * right).sum()) / total, float((w * left).sum()) / total
    spread = float((w * (right - mean_right) ** 2).sum())
    gain = float((w * (right - mean_right) * (left - mean_left)).sum()) / spread if spread > total else 1.0
    gain = float(np.clip(gain, 0.5, 2.0))
    return gain, mean_left - gain * mean_right


def _distance_to_hole(disparity_px: F32, u: int, v: int) -> float:
    window = _window(disparity_px.shape, u, v, FAR_RADIUS)
    dx, dy = _offsets(window, u, v)
    hole = np.isnan(disparity_px[window])
    return float(np.hypot(dx, dy)[hole].min()) if hole.any() else float(FAR_RADIUS)


def _other_surface(
    disparity_px: F32,
    left_gray: U8,
    right_gray: U8,
    u: int,
    v: int,
    plane: NDArray[np.float64],
    noise: float,
    gain: float,
    offset: float,
) -> float:
    """How far off the answer would be if the pixel belonged to another surface nearby, by how likely that is, px.

    The nearest surface in front and the nearest behind are tried: how well the few pixels around fit there against
    how well they fit here. It counts less the farther it begins.
    """
    window = _window(disparity_px.shape, u, v, FAR_RADIUS)
    dx, dy = _offsets(window, u, v)
    step = disparity_px[window] - (plane[0] + plane[1] * dx + plane[2] * dy)
    distance = np.hypot(dx, dy)
    sure = max(noise, 2.0)
    here = _misfit(left_gray, right_gray, u, v, plane, sure, gain, offset)
    hole = _distance_to_hole(disparity_px, u, v)
    worst = 0.0
    for sign in (1, -1):
        with np.errstate(invalid="ignore"):
            other = sign * step > 1.2
        if other.sum() < 4:
            continue
        begins = float(distance[other].min())
        there = float(np.median(disparity_px[window][other & (distance < begins + 3)]))
        misfit = _misfit(left_gray, right_gray, u, v, np.array([there, 0.0, 0.0]), sure, gain, offset)
        likely = 1 / (1 + np.exp(np.clip(4 * (misfit - here), -50, 50)))
        near = np.exp(-max(min(begins, hole) - 1, 0) / 3)
        worst = max(worst, float(np.sqrt(likely) * abs(there - plane[0]) * near))
    return worst


def _misfit(
    left_gray: U8, right_gray: U8, u: int, v: int, plane: NDArray[np.float64], noise: float, gain: float, offset: float
) -> float:
    """Mean squared difference of the 5x5 px around, in units of the noise, each at most 9."""
    window = _window(left_gray.shape, u, v, 2)
    dx, dy = _offsets(window, u, v)
    x = u + dx - (plane[0] + plane[1] * dx + plane[2] * dy)
    right = cv2.remap(
        right_gray, x.astype(np.float32), (v + dy).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    weight = np.exp(-(dx * dx + dy * dy) / (2 * 1.2**2))
    rest = (left_gray[window].astype(np.float64) - gain * right - offset) / noise
    return float((weight * np.minimum(rest * rest, 9)).sum() / weight.sum())
