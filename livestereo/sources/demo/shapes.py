"""What the demo scene is built of: flat pieces, balls and cones, each met exactly by a ray.

A ray is (x, y, 1) in the camera's frame, normalised undistorted coordinates; a hit is q = 1/z, which for a flat
piece is affine in (x, y), so that nearer means larger and nothing at infinity overflows. Every `hit` also gives
texture coordinates a, b in 0..1 (right and down in the texture).

A shape is placed by rotations R (n,3,3) and positions p (n,3) from its own frame to the camera's; n is 1, or the
number of rows of the ray grid where each row is seen at a time of its own (rolling shutter, moving shape).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8

F64 = NDArray[np.float64]
Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in normalised coordinates
NEAR_M = 0.05


class Surface(IntEnum):
    """What a surface's texture is like for matching."""

    NOTHING = 0
    TEXTURED = 1
    BLANK = 2
    REPEATED = 3
    GLOSSY = 4


@dataclass(frozen=True)
class Look:
    """How a surface looks. `texture`: (h,w,3|4) uint8 BGR(A), square root of linear light; alpha below 128 is a hole.

    light: (gh,gw,3) float32 what falls on it, spread over a and b; or None. shine: how much brighter than the
    texture it is by itself (a lamp). harmonics: (4,3) light by direction, c0 + c·n, for round and moving things,
    in the world's frame; or None.
    """

    texture: U8
    surface: Surface = Surface.TEXTURED
    light: F32 | None = None
    shine: float = 0.0
    harmonics: F32 | None = None


@dataclass
class Hit:
    """Where rays meet a shape: q = 1/z and texture coordinates (h,w) float32, `mask` where they do.

    normal: (h,w,3) float32 in the camera's frame, for round shapes; else None.
    """

    q: F32
    a: F32
    b: F32
    mask: NDArray[np.bool_]
    normal: F32 | None = None


class Shape(Protocol):
    """One piece of the scene."""

    @property
    def look(self) -> Look:
        """How it looks."""
        ...

    @property
    def name(self) -> str:
        """What it is."""
        ...

    def at(self, R: F64, p: F64) -> Shape:
        """Place it: x_camera = R x + p, R (n,3,3), p (n,3)."""
        ...

    def rows(self, first: int, last: int) -> Shape:
        """Give the placement for rows first..last of the grid; itself where every row sees the same."""
        ...

    @property
    def box(self) -> Box | None:
        """Bounds in normalised coordinates; None where nothing is in front of the camera."""
        ...

    def hit(self, x: F32, y: F32) -> Hit:
        """Meet a grid of rays (h,w)."""
        ...


def with_look(shape: Shape, look: Look) -> Shape:
    """Give the same shape with another look."""
    bare: Any = shape  # each is a dataclass, which a protocol cannot say
    changed: Shape = replace(bare, look=look)
    return changed


@dataclass(frozen=True)
class Quad:
    """A flat piece: corner + a·u + b·v, a, b in 0..1.

    mirror: a piece of the mirrored world behind it; `gloss` of that is seen in this surface.
    """

    corner: F64
    u: F64
    v: F64
    look: Look
    name: str = ""
    mirror: Quad | None = None
    gloss: float = 0.0
    inverse: F64 | None = field(default=None, repr=False)

    def at(self, R: F64, p: F64) -> Quad:
        """Place it."""
        corner = _turn(R, self.corner) + p
        u, v = _turn(R, self.u), _turn(R, self.v)
        mirror = self.mirror.at(R, p) if self.mirror is not None else None
        inverse = np.linalg.inv(np.stack([u, v, corner], axis=-1))
        return replace(self, corner=corner, u=u, v=v, inverse=inverse, mirror=mirror)

    def rows(self, first: int, last: int) -> Quad:
        """Give the placement for these rows."""
        if self.inverse is None or len(self.inverse) == 1:
            return self
        part = slice(first, last)
        return replace(self, corner=self.corner[part], u=self.u[part], v=self.v[part], inverse=self.inverse[part])

    def corners(self) -> F64:
        """Corners (4,n,3), in turn."""
        return np.stack(
            [np.atleast_2d(self.corner + a * self.u + b * self.v) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
        )

    @cached_property
    def box(self) -> Box | None:
        """Bounds in normalised coordinates."""
        corners = self.corners()
        n = corners.shape[1]
        picked = sorted({0, n // 2, n - 1})
        return _join([_box_of_polygon(corners[:, i]) for i in picked])

    def hit(self, x: F32, y: F32) -> Hit:
        """Meet rays: (a q, b q, q) is linear in (x, y, 1)."""
        assert self.inverse is not None
        m = self.inverse.astype(np.float32)[:, :, :, None, None]  # (n,3,3,1,1)
        rows = [(m[:, i, 0, :, 0] * x + (m[:, i, 1, :, 0] * y + m[:, i, 2, :, 0])) for i in range(3)]
        q = rows[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.float32(1) / q
            a, b = rows[0], rows[1]
            a *= z
            b *= z
        mask = (q > 0) & (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1)
        return Hit(q, a, b, mask)


@dataclass(frozen=True)
class Ribbon:
    """A thin round bar from `start` to `end`, drawn as a strip that faces the camera: true to its radius.

    Texture: a across, b along.
    """

    start: F64
    end: F64
    radius: float
    look: Look
    name: str = ""

    @property
    def box(self) -> Box | None:
        """Known once it is placed."""
        return None

    def at(self, R: F64, p: F64) -> Quad:
        """Place it; what comes back is the strip."""
        start, end = _turn(R, self.start) + p, _turn(R, self.end) + p
        along = end - start
        across = np.cross(along, start + end)
        across *= 2 * self.radius / np.linalg.norm(across, axis=-1, keepdims=True)
        corner = start - across / 2
        return Quad(
            corner, across, along, self.look, self.name, inverse=np.linalg.inv(np.stack([across, along, corner], -1))
        )

    def rows(self, first: int, last: int) -> Ribbon:
        """Nothing to choose before it is placed."""
        return self

    def hit(self, x: F32, y: F32) -> Hit:
        """Not before it is placed."""
        raise TypeError("a ribbon is met by rays only once it is placed: `place` makes it a quad")


@dataclass(frozen=True)
class Sphere:
    """A ball. Texture: a around its axis (y), b from top to bottom."""

    radius: float
    look: Look
    name: str = ""
    centre: F64 = field(default_factory=lambda: np.zeros(3))
    axes: F64 = field(default_factory=lambda: np.eye(3)[None])

    def at(self, R: F64, p: F64) -> Sphere:
        """Place it."""
        return replace(self, centre=_turn(R, self.centre) + p, axes=R @ self.axes)

    def rows(self, first: int, last: int) -> Sphere:
        """Give the placement for these rows."""
        if len(self.centre) == 1:
            return self
        return replace(self, centre=self.centre[first:last], axes=self.axes[first:last])

    @cached_property
    def box(self) -> Box | None:
        """Bounds in normalised coordinates."""
        centres = np.atleast_2d(self.centre)
        return _join([_box_of_ball(centres[i], self.radius) for i in sorted({0, len(centres) // 2, len(centres) - 1})])

    def hit(self, x: F32, y: F32) -> Hit:
        """Meet rays: the nearer root of |z d − c|² = r², written for q."""
        c = self.centre.astype(np.float32)
        cx, cy, cz = c[:, 0:1], c[:, 1:2], c[:, 2:3]
        rest = np.sum(self.centre**2, axis=1, keepdims=True).astype(np.float32) - np.float32(self.radius**2)
        dd = x * x + y * y + np.float32(1)
        dc = x * cx + y * cy + cz
        disc = dc * dc - dd * rest
        mask = (disc >= 0) & (dc > 0)
        q = (dc + np.sqrt(np.maximum(disc, 0))) / rest
        z = np.float32(1) / np.maximum(q, np.float32(1e-6))
        scale = np.float32(1 / self.radius)
        normal = np.stack([(z * x - cx) * scale, (z * y - cy) * scale, (z - cz) * scale], axis=-1)
        own = _untwist(self.axes, normal)
        a = np.arctan2(own[..., 0], own[..., 2]) * np.float32(0.5 / np.pi) + np.float32(0.5)
        b = np.arccos(np.clip(-own[..., 1], -1, 1)) * np.float32(1 / np.pi)
        return Hit(q, a, b, mask, normal)


@dataclass(frozen=True)
class Cone:
    """A round thing along its own −y axis: radius `bottom` at y = 0, `top` at y = −height; open at both ends.

    Texture: a around, b from top to bottom. Its inside is seen where the outside is open.
    """

    bottom: float
    top: float
    height: float
    look: Look
    name: str = ""
    base: F64 = field(default_factory=lambda: np.zeros(3))
    axes: F64 = field(default_factory=lambda: np.eye(3)[None])

    def at(self, R: F64, p: F64) -> Cone:
        """Place it."""
        return replace(self, base=_turn(R, self.base) + p, axes=R @ self.axes)

    def rows(self, first: int, last: int) -> Cone:
        """Give the placement for these rows."""
        if len(self.base) == 1:
            return self
        return replace(self, base=self.base[first:last], axes=self.axes[first:last])

    @cached_property
    def box(self) -> Box | None:
        """Bounds in normalised coordinates: those of two balls around the rims."""
        bases = np.atleast_2d(self.base)
        boxes = []
        for i in sorted({0, len(bases) // 2, len(bases) - 1}):
            top = bases[i] - self.axes[i][:, 1] * self.height
            boxes += [_box_of_ball(bases[i], self.bottom), _box_of_ball(top, self.top)]
        return _join(boxes)

    def hit(self, x: F32, y: F32) -> Hit:
        """Meet rays: the nearest root within the height, in the cone's own frame."""
        A = self.axes.astype(np.float32)
        ox, oy, oz = (
            -np.sum(self.axes[:, :, i] * self.base, axis=1, keepdims=True).astype(np.float32) for i in range(3)
        )
        dx, dy, dz = (A[:, 0:1, i] * x + A[:, 1:2, i] * y + A[:, 2:3, i] for i in range(3))
        slope = np.float32((self.bottom - self.top) / self.height)
        low = np.float32(self.bottom)
        # radius at height y: low + slope·y (y is negative upwards)
        r0 = low + slope * oy
        qa = dx * dx + dz * dz - slope * slope * dy * dy
        qb = ox * dx + oz * dz - slope * dy * r0
        qc = ox * ox + oz * oz - r0 * r0
        disc = qb * qb - qa * qc
        root = np.sqrt(np.maximum(disc, 0))
        best_z = np.full(x.shape, np.inf, np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            for sign in (-1, 1):
                z = (-qb + np.float32(sign) * root) / qa
                height = oy + z * dy
                fits = (
                    (disc >= 0) & (z > NEAR_M) & (height <= 0) & (height >= -self.height) & (low + slope * height > 0)
                )
                best_z = np.where(fits & (z < best_z), z, best_z)
        mask = np.isfinite(best_z)
        z = np.where(mask, best_z, np.float32(1))
        px, py, pz = ox + z * dx, oy + z * dy, oz + z * dz
        radius = np.maximum(np.sqrt(px * px + pz * pz), np.float32(1e-6))
        own = np.stack([px / radius, np.full_like(px, -slope), pz / radius], axis=-1)
        facing = own[..., 0] * dx + own[..., 1] * dy + own[..., 2] * dz
        own *= np.where(facing > 0, np.float32(-1), np.float32(1))[..., None]  # the inside faces inwards
        a = np.arctan2(px, pz) * np.float32(0.5 / np.pi) + np.float32(0.5)
        b = np.float32(1) + py * np.float32(1 / self.height)
        q = (np.float32(1) / z).astype(np.float32)
        return Hit(q, a.astype(np.float32), b.astype(np.float32), mask, _twist(self.axes, own))


def place(shapes: Sequence[Shape], R: F64, p: F64) -> list[Shape]:
    """Place still shapes: R (3,3), p (3,)."""
    return [shape.at(R[None], p[None]) for shape in shapes]


def turn_xyz(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> F64:
    """Give the rotation Ry Rx Rz (3,3): roll first, then pitch, then yaw."""
    x, y, z = np.radians([x_deg, y_deg, z_deg])
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    turned: F64 = ry @ rx @ rz
    return turned


def _turn(R: F64, vector: F64) -> F64:
    """R (n,3,3) times (3,) or (n,3) or (1,3), giving (n,3)."""
    moved: F64 = np.einsum("nij,nj->ni", R, np.broadcast_to(np.atleast_2d(vector), (len(R), 3)))
    return moved


def _untwist(axes: F64, normal: F32) -> F32:
    """Bring (h,w,3) camera directions into the shape's own frame."""
    A = axes.astype(np.float32)
    turned: F32 = normal @ A[0] if len(A) == 1 else np.einsum("hwi,hij->hwj", normal, A)
    return turned


def _twist(axes: F64, own: F32) -> F32:
    """Bring (h,w,3) directions of the shape's own frame into the camera's."""
    A = axes.astype(np.float32)
    turned: F32 = own @ A[0].T if len(A) == 1 else np.einsum("hwj,hij->hwi", own, A)
    return turned


def _box_of_polygon(corners: F64) -> Box | None:
    """Bounds of a convex polygon (k,3), cut off at the near plane."""
    points: list[list[float]] = []
    listed = corners.tolist()
    for here, after in zip(listed, listed[1:] + listed[:1]):
        if here[2] >= NEAR_M:
            points.append(here)
        if (here[2] >= NEAR_M) != (after[2] >= NEAR_M):
            part = (NEAR_M - here[2]) / (after[2] - here[2])
            points.append([a + part * (b - a) for a, b in zip(here, after)])
    if not points:
        return None
    x = [p[0] / p[2] for p in points]
    y = [p[1] / p[2] for p in points]
    return min(x), min(y), max(x), max(y)


def _box_of_ball(centre: F64, radius: float) -> Box | None:
    """Bounds of a ball: exact, from the tangent planes through the camera."""
    cz = float(centre[2])
    if cz <= radius + 1e-3:
        return None if cz < -radius else (-9.0, -9.0, 9.0, 9.0)
    ends = []
    for c in (float(centre[0]), float(centre[1])):
        spread = radius * np.sqrt(max(c * c + cz * cz - radius * radius, 0.0))
        below = cz * cz - radius * radius
        ends.append(((c * cz - spread) / below, (c * cz + spread) / below))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _join(boxes: Sequence[Box | None]) -> Box | None:
    real = [box for box in boxes if box is not None]
    if len(real) < 2:
        return real[0] if real else None
    return min(b[0] for b in real), min(b[1] for b in real), max(b[2] for b in real), max(b[3] for b in real)
