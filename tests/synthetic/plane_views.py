"""Pictures of a still scene of textured planes, through any rig, with exact truth: for tests and benchmarks.

scene = make_scene(seed=0)
left, right = render_pair(scene, rig)                  # (H,W) uint8 each
points = scene_points(scene, rig.left, 500)            # (N,3) metres, left camera's frame
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.lens import rays_of_pixels
from calibration.rig import Array, Intrinsics, LensModel, StereoRig

U8 = NDArray[np.uint8]

_SAMPLES = 2  # per pixel and axis; the textures hold nothing finer


@dataclass(frozen=True)
class Plane:
    """A textured rectangle: corner (3,) metres, sides u and v (3,), texture (h,w) uint8; left camera's frame."""

    corner: Array
    u: Array
    v: Array
    texture: U8


def make_scene(
    seed: int = 0, *, near: float = 0.8, far: float = 4.0, count: int = 14, plain: float = 0.0
) -> list[Plane]:
    """Make a back wall and `count` tilted posters between `near` and `far` metres; repeatable by seed.

    plain: 0 for rich texture, towards 1 for hardly any.
    """
    rng = np.random.default_rng(seed)
    wide = 4.0 * far
    planes = [_poster(rng, np.array([0, 0, far * 1.1]), wide, wide, np.zeros(2), plain)]
    for _ in range(count):
        z = float(rng.uniform(near, far))
        place = np.array([rng.uniform(-0.55, 0.55) * z, rng.uniform(-0.45, 0.45) * z, z])
        size = rng.uniform(0.2, 0.45, 2) * z
        planes.append(_poster(rng, place, size[0], size[1], rng.uniform(-0.5, 0.5, 2), plain))
    return planes


def render_pair(scene: list[Plane], rig: StereoRig, *, noise: float = 1.0, seed: int = 0) -> tuple[U8, U8]:
    """Render both views, (H,W) uint8, with Gaussian noise of `noise` gray levels."""
    left = render_view(scene, rig.left, np.eye(3), np.zeros(3), noise=noise, seed=seed)
    return left, render_view(scene, rig.right, rig.R_right_left, rig.t_right_left_m, noise=noise, seed=seed + 1)


def render_view(scene: list[Plane], camera: Intrinsics, R: Array, t: Array, *, noise: float = 1.0, seed: int = 0) -> U8:
    """Render one view, (H,W) uint8; R, t take a point from the scene's frame to the camera's."""
    picture = _view(scene, camera, R, t)
    noisy = picture + np.random.default_rng([seed, 7]).normal(0, noise, picture.shape)
    return np.asarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))


def scene_points(scene: list[Plane], camera: Intrinsics, count: int, seed: int = 0) -> Array:
    """Points (N,3) of the scene that the left camera sees at random pixels, metres, left camera's frame."""
    assert camera.size_wh is not None
    rng = np.random.default_rng([seed, 3])
    pixels = rng.uniform([0, 0], np.array(camera.size_wh) - 1.0, (count, 2))
    rays = rays_of_pixels(camera, pixels)
    depth, _ = _cast(scene, rays, np.zeros(3))
    points = rays * depth[:, None]
    return np.asarray(points[np.isfinite(points).all(1)])


def _poster(rng: np.random.Generator, middle: Array, wide: float, tall: float, tilt: Array, plain: float) -> Plane:
    turn = np.asarray(cv2.Rodrigues(np.array([tilt[0], tilt[1], rng.uniform(-0.3, 0.3)]))[0], np.float64)
    u, v = turn[:, 0] * wide, turn[:, 1] * tall
    h, w = 384, max(64, round(384 * wide / tall))
    layers = np.zeros((h, w), np.float32)
    for size, gain in ((3.0, 1.0), (8.0, 1.2), (24.0, 1.0)):
        layer = cv2.GaussianBlur(rng.normal(0, 1, (h, w)).astype(np.float32), (0, 0), size)
        layers += gain * layer / layer.std()
    levels = rng.uniform(90, 160) + (1 - plain) * 34 * layers
    return Plane(middle - u / 2 - v / 2, u, v, np.clip(levels, 0, 255).astype(np.uint8))


def _cast(scene: list[Plane], rays: Array, origin: Array) -> tuple[Array, NDArray[np.float32]]:
    """First hit of rays (N,3) from `origin`: its factor along the ray (inf: none) and the gray level there."""
    nearest = np.full(len(rays), np.inf)
    level = np.zeros(len(rays), np.float32)
    for plane in scene:
        normal = np.cross(plane.u, plane.v)
        to_u, to_v = plane.u / (plane.u @ plane.u), plane.v / (plane.v @ plane.v)
        start = plane.corner - origin
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = (start @ normal) / (rays @ normal)
            a = (rays @ to_u) * factor - start @ to_u
            b = (rays @ to_v) * factor - start @ to_v
        hit = np.flatnonzero((factor > 1e-3) & (factor < nearest) & (np.abs(a - 0.5) <= 0.5) & (np.abs(b - 0.5) <= 0.5))
        if len(hit):
            h, w = plane.texture.shape
            x, y = a[hit] * (w - 1), b[hit] * (h - 1)
            level[hit] = _look_up(plane.texture, x.astype(np.float32), y.astype(np.float32))
            nearest[hit] = factor[hit]
    return nearest, level


def _look_up(texture: U8, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    # cv2.remap takes at most 2^15 columns: fold the list of places into rows of that many.
    width = 30000
    rows = -(-x.size // width)
    padded = [np.resize(values, (rows, width)) for values in (x, y)]
    found = cv2.remap(
        texture.astype(np.float32), padded[0], padded[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found, np.float32).ravel()[: x.size]


def _view(scene: list[Plane], camera: Intrinsics, R: Array, t: Array) -> NDArray[np.float32]:
    assert camera.size_wh is not None
    w, h = camera.size_wh
    rays = _ray_grid(camera.K.tobytes(), camera.distortion.tobytes(), camera.model, (w, h))
    _, level = _cast(scene, rays @ R, -R.T @ t)
    fine = level.reshape(h * _SAMPLES, w * _SAMPLES)
    return np.asarray(cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA), np.float32)


@lru_cache(maxsize=4)
def _ray_grid(K: bytes, distortion: bytes, model: LensModel, size_wh: tuple[int, int]) -> Array:
    """Directions (N,3) of all samples of a picture, row by row; kept, because a series has the same cameras."""
    camera = Intrinsics(np.frombuffer(K), np.frombuffer(distortion), model, size_wh)
    w, h = size_wh
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    u, v = np.meshgrid((np.arange(w)[:, None] + offsets).ravel(), (np.arange(h)[:, None] + offsets).ravel())
    rays = np.nan_to_num(rays_of_pixels(camera, np.column_stack([u.ravel(), v.ravel()])))
    rays.setflags(write=False)
    return rays
