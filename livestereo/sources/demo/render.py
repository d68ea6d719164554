"""Casts rays at shapes and averages what they meet: colour in linear light, depth, and which shape it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.sources.demo.lens import Grid
from livestereo.sources.demo.shapes import F64, Hit, Look, Quad, Shape
from livestereo.types import F32, U8

BAND_ROWS = 96


@dataclass
class Cast:
    """What a grid of rays met: q = 1/z (0: nothing), the shape's number (−1: nothing), colour (h,w,3) or None."""

    q: F32
    index: NDArray[np.int16]
    colour: F32 | None


class Painter:
    """Looks up textures, shrunk beforehand to what the rays can tell apart, so that nothing aliases.

    R_camera_world: (3,3), for light that is given by direction in the world.
    """

    def __init__(self, R_camera_world: F64) -> None:
        self._R = R_camera_world.astype(np.float32)
        self._small: dict[tuple[int, int, int], tuple[U8, U8]] = {}

    def colour(self, look: Look, hit: Hit) -> tuple[F32, U8 | None]:
        """Give linear colour (h,w,3) float32 at the hits, and alpha (h,w) uint8 where the texture has one."""
        texture = self._fitting(look.texture, hit)
        seen: Any = _look_up(texture, hit.a, hit.b)
        alpha = cv2.extractChannel(seen, 3) if seen.shape[2] == 4 else None
        encoded = cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR) if alpha is not None else seen
        colour: Any = cv2.multiply(encoded, encoded, scale=1 / 65025, dtype=cv2.CV_32F)
        if look.light is not None:
            colour = cv2.multiply(colour, _look_up(look.light, hit.a, hit.b))
        if look.harmonics is not None and hit.normal is not None:
            bright = hit.normal @ (self._R @ look.harmonics[1:]) + look.harmonics[0]
            colour = cv2.multiply(colour, np.maximum(bright, np.float32(0.02)))
        if look.shine:
            colour = colour * np.float32(1 + look.shine)
        return colour, alpha

    def gloss(self, quad: Quad, grid: Grid, colour: F32) -> F32:
        """Add what a surface mirrors: it stands behind it, so it moves with the view."""
        assert quad.mirror is not None
        hit = quad.mirror.hit(grid.x, grid.y)
        seen, _ = self.colour(quad.mirror.look, hit)
        return colour * np.float32(1 - quad.gloss) + seen * (hit.mask * np.float32(quad.gloss))[..., None]

    def _fitting(self, texture: U8, hit: Hit) -> U8:
        """Shrink a texture, each way by itself, to about one texel per ray."""
        height, width = texture.shape[:2]
        steps = []
        for place, texels in ((hit.a, width), (hit.b, height)):
            step = _typical_step(place, hit.mask) * texels
            steps.append(max(0, math.floor(2 * math.log2(step) + 0.5)) if step > 1 else 0)
        if not any(steps):
            return texture
        key = (id(texture), steps[0], steps[1])
        if key not in self._small:
            size = max(1, round(width / 2 ** (steps[0] / 2))), max(1, round(height / 2 ** (steps[1] / 2)))
            small = cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
            self._small[key] = (np.atleast_3d(small), texture)  # keeps `texture`, so that its id stays its own
        return self._small[key][0]


def _look_up(texture: U8 | F32, a: F32, b: F32) -> Any:
    height, width = texture.shape[:2]
    columns = a * np.float32(width)
    columns -= np.float32(0.5)
    rows = b * np.float32(height)
    rows -= np.float32(0.5)
    return cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _typical_step(place: F32, mask: NDArray[np.bool_]) -> float:
    """How far texture coordinates go from ray to ray, both ways together: upper quartile over where it is hit."""
    if min(place.shape) < 2:
        return 0.0
    rows = np.arange(0, place.shape[0] - 1, max(1, place.shape[0] // 12))[:, None]
    columns = np.arange(0, place.shape[1] - 1, max(1, place.shape[1] // 12))[None]
    here = place[rows, columns]
    step = np.abs(place[rows, columns + 1] - here) + np.abs(place[rows + 1, columns] - here)
    values = np.sort(step[mask[rows, columns] & (step < 0.5)])
    return float(values[(3 * len(values)) // 4]) if len(values) else 0.0


def cast(shapes: Sequence[Shape], grid: Grid, painter: Painter | None = None, *, near: F32 | None = None) -> Cast:
    """Meet every ray with the nearest shape. `near`: q that must be beaten (what stands there already)."""
    h, w = grid.x.shape
    q = np.zeros((h, w), np.float32) if near is None else near.copy()
    index = np.full((h, w), -1, np.int16)
    colour = np.zeros((h, w, 3), np.float32) if painter is not None else None
    for number, shape in enumerate(shapes):
        box = shape.box
        part = grid.window(box) if box is not None else None
        if part is None:
            continue
        row0, row1, column0, column1 = part
        for top in range(row0, row1, BAND_ROWS):
            bottom = min(top + BAND_ROWS, row1)
            here = slice(top, bottom), slice(column0, column1)
            hit = shape.rows(top, bottom).hit(grid.x[here], grid.y[here])
            hit.mask &= hit.q > q[here]
            if hit.mask.any():
                if painter is not None and colour is not None:
                    seen, alpha = painter.colour(shape.look, hit)
                    if isinstance(shape, Quad) and shape.mirror is not None:
                        seen = painter.gloss(shape, grid.cut(top, bottom, column0, column1), seen)
                else:
                    seen, alpha = None, _alpha(shape.look.texture, hit)
                if alpha is not None:
                    hit.mask &= alpha >= 128
                np.copyto(q[here], hit.q, where=hit.mask)
                np.copyto(index[here], np.int16(number), where=hit.mask)
                if colour is not None and seen is not None:
                    cv2.copyTo(seen, hit.mask.view(np.uint8), colour[here])
    return Cast(q, index, colour)


def _alpha(texture: U8, hit: Hit) -> U8 | None:
    if texture.shape[2] < 4:
        return None
    alpha: U8 = _look_up(np.ascontiguousarray(texture[..., 3]), hit.a, hit.b)
    return alpha


def average(values: F32, samples: int) -> F32:
    """Average `samples` × `samples` places into one pixel."""
    if samples == 1:
        return values
    h, w = values.shape[:2]
    smaller = cv2.resize(values, (w // samples, h // samples), interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.float32)


def reflect(quad: Quad, mirror: Quad) -> Quad:
    """Mirror a piece at the plane of another: what is seen in it stands there, behind it."""
    normal = np.cross(mirror.u, mirror.v)
    normal = normal / np.linalg.norm(normal)

    def over(point: F64, pivot: F64) -> F64:
        moved: F64 = point - 2 * np.dot(point - pivot, normal) * normal
        return moved

    zero = np.zeros(3)
    return Quad(over(quad.corner, mirror.corner), over(quad.u, zero), over(quad.v, zero), quad.look, quad.name)
