"""Light in the demo scene: what a window, a lamp and the walls send to each place, with soft shadows.

Computed once per scene on a coarse grid over each flat piece, and by direction (first-order harmonics) for round
and moving things. Nothing here is physics to the last digit; it makes a room look like a room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.sources.demo.shapes import F64, Cone, Quad, Ribbon, Shape, Sphere, with_look
from livestereo.types import F32

AMBIENT_REACH_M = 0.9
# Pieces with a side below this get their light from a few points and cast no shadow.
SMALL_M = 0.24
CHUNK = 160  # so that rays times blockers stay in the processor's cache
_GOLDEN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True)
class Emitter:
    """A luminous rectangle, corner + a·u + b·v, giving `power` (3,) BGR; `normal` None shines all round."""

    corner: F64
    u: F64
    v: F64
    power: F64
    samples: tuple[int, int] = (4, 4)
    normal: F64 | None = None

    def points(self) -> F32:
        """Sample points (k,3)."""
        na, nb = self.samples
        a, b = np.meshgrid((np.arange(na) + 0.5) / na, (np.arange(nb) + 0.5) / nb)
        return (self.corner + a.reshape(-1, 1) * self.u + b.reshape(-1, 1) * self.v).astype(np.float32)


class Blockers:
    """The shapes that cast shadows, as arrays, so that many rays meet all of them at once."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        quads = [
            s for s in shapes if isinstance(s, Quad) and min(np.linalg.norm(s.u), np.linalg.norm(s.v)) >= SMALL_M / 8
        ]
        quads = [s for s in quads if max(np.linalg.norm(s.u), np.linalg.norm(s.v)) >= SMALL_M]
        dual = [np.linalg.pinv(np.stack([s.u, s.v], 1)) for s in quads]
        normal = [np.cross(s.u, s.v) for s in quads]
        corner = np.array([s.corner for s in quads], np.float32).reshape(-1, 3)
        axes = [np.array(a, np.float32).reshape(-1, 3) for a in (normal, [d[0] for d in dual], [d[1] for d in dual])]
        self._offset = [(corner * axis).sum(1) for axis in axes]
        self._normal, self._du, self._dv = (np.ascontiguousarray(axis.T) for axis in axes)
        balls = [_ball(s) for s in shapes if isinstance(s, (Sphere, Cone))]
        self._balls = [ball for ball in balls if ball[1] > SMALL_M / 8]

    def stop(self, o: F32, d: F32) -> NDArray[np.bool_]:
        """Tell which segments o..o + d (n,3) are stopped, (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            s = (self._offset[0] - o @ self._normal) / (d @ self._normal)
        cut = np.abs(s - np.float32(0.5)) < np.float32(0.498)
        for axis, offset in ((self._du, self._offset[1]), (self._dv, self._offset[2])):
            part = d @ axis
            part *= s
            part += o @ axis
            part -= offset + np.float32(0.5)
            cut &= np.abs(part, out=part) <= np.float32(0.5)
        stopped: NDArray[np.bool_] = cut.any(axis=1)
        length2 = np.maximum(np.sum(d * d, 1), 1e-9)
        for centre, radius in self._balls:
            part = np.clip(((centre - o) * d).sum(1) / length2, 0, 1)
            gap = o + part[:, None] * d - centre
            outside = ((o - centre) ** 2).sum(1) > (radius * 1.05) ** 2
            stopped |= outside & ((gap * gap).sum(1) < radius**2)
        return stopped


@dataclass(frozen=True)
class Lighting:
    """All light of a scene. `sky`, `ground`: BGR light from above and from below, weaker in nooks."""

    emitters: tuple[Emitter, ...]
    sky: F64
    ground: F64
    blockers: Blockers

    def received(self, points: F64, normals: F64) -> F64:
        """Give the light that reaches points (n,3) with normals (n,3), BGR (n,3)."""
        parts = [
            self._received(points[k : k + CHUNK].astype(np.float32), normals[k : k + CHUNK].astype(np.float32))
            for k in range(0, len(points), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float64)

    def _received(self, points: F32, normals: F32) -> F64:
        start = points + normals * np.float32(0.012)
        up = 0.5 - 0.5 * normals[:, 1:2]  # y is down
        value = (self.sky * up + self.ground * (1 - up)) * self._openness(start, normals)[:, None]
        for emitter in self.emitters:
            ray = emitter.points()[None] - start[:, None]
            far2 = np.sum(ray**2, -1)
            cosine = np.sum(ray * normals[:, None], -1) / np.sqrt(far2)
            strength = np.clip(cosine, 0, 1) / np.maximum(far2, np.float32(0.04))
            if emitter.normal is not None:
                strength *= np.clip(-(ray @ emitter.normal.astype(np.float32)) / np.sqrt(far2), 0, 1)
            busy = strength > 1e-4
            if busy.any():
                origin = np.broadcast_to(start[:, None], ray.shape)[busy]
                strength[busy] *= ~self.blockers.stop(origin, ray[busy])
            value = value + strength.mean(axis=1, keepdims=True) * emitter.power
        return value.astype(np.float64)

    def _openness(self, start: F32, normals: F32) -> F32:
        """Give how open the half-space above each point is, 0.25..1, from a few short rays."""
        n = 10
        k = np.arange(n) + 0.5
        z = np.sqrt(1 - k / n)
        r = np.sqrt(1 - z * z)
        helper = np.where(np.abs(normals[:, :1]) < 0.8, np.array([[1, 0, 0]]), np.array([[0, 1, 0]])).astype(np.float32)
        side = np.cross(normals, helper)
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        other = np.cross(normals, side)
        rays = (
            side[:, None] * (r * np.cos(_GOLDEN * k))[None, :, None]
            + other[:, None] * (r * np.sin(_GOLDEN * k))[None, :, None]
            + normals[:, None] * z[None, :, None]
        ).astype(np.float32) * np.float32(AMBIENT_REACH_M)
        origin = np.repeat(start, n, axis=0)
        shut = self.blockers.stop(origin, rays.reshape(-1, 3)).reshape(-1, n).mean(axis=1)
        openness: F32 = (1 - 0.75 * shut).astype(np.float32)
        return openness


def lit(shapes: Sequence[Shape], lighting: Lighting, grid_m: float = 0.13) -> list[Shape]:
    """Give the shapes with their light baked in; shapes that shine keep their own."""
    plans: list[tuple[int, F64, F64, tuple[int, int]]] = []
    for number, shape in enumerate(shapes):
        if shape.look.shine or shape.look.light is not None:
            continue
        if isinstance(shape, Quad):
            plans.append((number, *_plan(shape, grid_m)))
        elif isinstance(shape, Ribbon):
            points = shape.start + np.array([[0.1], [0.5], [0.9]]) * (shape.end - shape.start)
            facing = np.broadcast_to(-points[1] / np.linalg.norm(points[1]), (3, 3))
            plans.append((number, points, facing, (3, 1)))
        elif isinstance(shape, (Sphere, Cone)):
            normals = _directions()
            plans.append(
                (number, np.broadcast_to(_ball(shape)[0], normals.shape) + normals * _ball(shape)[1], normals, (0, 0))
            )
    values = lighting.received(np.concatenate([p[1] for p in plans]), np.concatenate([p[2] for p in plans]))
    out, first = list(shapes), 0
    for number, points, normals, (rows, columns) in plans:
        mine = values[first : first + len(points)]
        first += len(points)
        look = out[number].look
        if rows:
            look = replace(look, light=_smooth(mine.reshape(rows, columns, 3).astype(np.float32)))
        else:
            look = replace(look, harmonics=_fit(normals, mine))
        out[number] = with_look(out[number], look)
    return out


def harmonics(point: F64, lighting: Lighting) -> F32:
    """Give light by direction at a point, (4,3): c0 + c·n."""
    normals = _directions()
    return _fit(normals, lighting.received(np.broadcast_to(point, normals.shape), normals))


def _plan(quad: Quad, grid_m: float) -> tuple[F64, F64, tuple[int, int]]:
    """Choose the points of a flat piece at which light is computed, and its normal there."""
    sides = [float(np.linalg.norm(side)) for side in (quad.u, quad.v)]
    columns, rows = (int(np.clip(np.ceil(side / grid_m), 2 if side > SMALL_M / 2 else 1, 40)) for side in sides)
    a, b = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    points = quad.corner + a.reshape(-1, 1) * quad.u + b.reshape(-1, 1) * quad.v
    normal = np.cross(quad.u, quad.v)
    normal /= np.linalg.norm(normal)
    if np.dot(normal, quad.corner + (quad.u + quad.v) / 2) > 0:  # the side that the cameras (at 0) see
        normal = -normal
    return points, np.broadcast_to(normal, points.shape), (rows, columns)


def _smooth(light: F32) -> F32:
    rows, columns = light.shape[:2]
    if min(rows, columns) >= 6:
        soft: Any = cv2.GaussianBlur(light, (0, 0), 0.8, borderType=cv2.BORDER_REPLICATE)
        light = soft
    return np.clip(cv2.resize(light, (columns * 3, rows * 3), interpolation=cv2.INTER_CUBIC), 0.01, None).astype(
        np.float32
    )


def _directions() -> F64:
    n = 18
    k = np.arange(n) + 0.5
    y = 1 - 2 * k / n
    r = np.sqrt(1 - y * y)
    return np.stack([r * np.cos(_GOLDEN * k), y, r * np.sin(_GOLDEN * k)], -1)


def _fit(normals: F64, values: F64) -> F32:
    design = np.concatenate([np.ones((len(normals), 1)), normals], 1)
    fitted: F32 = np.linalg.lstsq(design, values, rcond=None)[0].astype(np.float32)
    return fitted


def _ball(shape: Sphere | Cone) -> tuple[F32, float]:
    """A ball about the middle of a round thing."""
    if isinstance(shape, Sphere):
        return shape.centre.reshape(-1)[:3].astype(np.float32), shape.radius
    axis = shape.axes.reshape(-1, 3, 3)[0][:, 1]
    middle = shape.base.reshape(-1)[:3] - axis * shape.height / 2
    return middle.astype(np.float32), min(shape.height / 2, max(shape.bottom, shape.top))
