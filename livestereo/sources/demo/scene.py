"""A scene: still shapes in the world's frame, things that move, and how the left camera looks at them.

World: metres, x right, y down, z forward, the left camera's centre at the origin, gravity along +y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.shapes import F64, Cone, Look, Quad, Ribbon, Shape, Sphere, Surface, turn_xyz
from livestereo.types import U8

# A bar thinner than this is drawn as a strip.
THIN_M = 0.013

Vector = Sequence[float] | F64
# n times (s) -> rotations (n,3,3) and positions (n,3) in the world.
Motion = Callable[[F64], tuple[F64, F64]]


@dataclass(frozen=True)
class Mover:
    """Something that moves: shapes in a frame of their own, and where that is at a time. `shadow`: darkens only."""

    name: str
    shapes: tuple[Shape, ...]
    motion: Motion
    shadow: bool = False


@dataclass(frozen=True)
class Scene:
    """A whole scene, lit. R_left_world turns world directions into the left camera's frame.

    unit_m: how many metres a unit of the world is; a room at 0.4 is a model of a room, seen from as much nearer.
    period_s: after this the motion repeats. duration_s: how long it is meant to last, None for ever.
    """

    name: str
    shapes: tuple[Shape, ...]
    movers: tuple[Mover, ...] = ()
    R_left_world: F64 = field(default_factory=lambda: np.eye(3))
    unit_m: float = 1.0
    period_s: float = 12.0
    duration_s: float | None = None


class Builder:
    """Puts shapes together. `focal_px` decides how fine textures must be."""

    def __init__(self, focal_px: float, rng: np.random.Generator) -> None:
        self.focal_px = focal_px
        self.rng = rng
        self.shapes: list[Shape] = []

    def texels(self, length_m: float, z_m: float, limit: int = 2400) -> int:
        """How many texels a length needs when it is looked at from `z_m`."""
        return int(np.clip(length_m * self.focal_px / max(z_m, 0.2) * 1.25, 6, limit))

    def quad(
        self,
        name: str,
        corner: Vector,
        u: Vector,
        v: Vector,
        texture: U8,
        surface: Surface = Surface.TEXTURED,
        shine: float = 0.0,
    ) -> Quad:
        """Add a flat piece."""
        made = Quad(
            np.array(corner, float), np.array(u, float), np.array(v, float), Look(texture, surface, shine=shine), name
        )
        self.shapes.append(made)
        return made

    def box(
        self,
        name: str,
        centre: Vector,
        size: Vector,
        colour: paint.Colour,
        *,
        yaw_deg: float = 0.0,
        texture: str = "wood",
        front: U8 | None = None,
        surface: Surface = Surface.TEXTURED,
    ) -> None:
        """Add those faces of a box that the cameras can see. `centre` is the middle of its *bottom* face."""
        R = turn_xyz(0, yaw_deg, 0)
        w, h, d = (float(s) for s in size)
        x, y, z = R[:, 0], np.array([0.0, 1.0, 0.0]), R[:, 2]
        middle = np.array(centre, float) - y * h / 2
        faces = (
            (-z, x, y, w, h), (z, -x, y, w, h), (-x, -z, y, d, h), (x, z, y, d, h), (-y, x, -z, w, d),
        )  # fmt: skip
        for number, (normal, right, down, wide, tall) in enumerate(faces):
            face = middle + normal * (d, d, w, w, h)[number] / 2
            if np.dot(normal, face) > 0.05 * np.linalg.norm(face):
                continue
            distance = max(0.3, float(face[2]) - max(w, d) / 2)
            rows, columns = self.texels(tall, distance), self.texels(wide, distance)
            if number == 0 and front is not None:
                picture = front
            elif texture == "wood":
                picture = (
                    paint.wood(rows, columns, colour, self.rng)
                    if columns >= rows
                    else np.ascontiguousarray(paint.wood(columns, rows, colour, self.rng).transpose(1, 0, 2))
                )
            elif texture == "cloth":
                picture = paint.cloth(rows, columns, colour, self.rng)
            else:
                picture = paint.plaster(rows, columns, colour, self.rng)
            corner = face - right * wide / 2 - down * tall / 2
            self.quad(name, corner, right * wide, down * tall, picture, surface)

    def rod(
        self, name: str, start: Vector, end: Vector, radius: float, colour: paint.Colour, top: float | None = None
    ) -> None:
        """Add a thin round bar (or a cone, with `top` as the radius at its end)."""
        a, b = np.array(start, float), np.array(end, float)
        height = float(np.linalg.norm(b - a))
        if radius < THIN_M:
            rows = self.texels(height, float(min(a[2], b[2])), 400)
            tone = paint.clouds(rows, 1, self.rng, 12, 3)[:, :, None] * 7
            profile = np.array([0.62, 0.95, 1.0, 0.95, 0.62], np.float32)[None, :, None]
            texture = paint.done((paint.flat(rows, 5, colour) + tone) * profile)
            mean = radius if top is None else (radius + top) / 2
            self.shapes.append(Ribbon(a, b, mean, Look(texture), name))
            return
        down = (a - b) / height
        helper = np.array([0.0, 0, 1]) if abs(down[2]) < 0.8 else np.array([1.0, 0, 0])
        x = np.cross(down, helper)
        x /= np.linalg.norm(x)
        axes = np.stack([x, down, np.cross(x, down)], axis=1)
        rows = self.texels(height, float(min(a[2], b[2])), 600)
        texture = np.ascontiguousarray(paint.wood(24, max(rows, 8), colour, self.rng, 0.7).transpose(1, 0, 2))
        end_radius = radius if top is None else top
        self.shapes.append(Cone(radius, end_radius, height, Look(texture), name, a, axes[None]))

    def cone(
        self, name: str, base: Vector, bottom: float, top: float, height: float, texture: U8, shine: float = 0.0,
        surface: Surface = Surface.TEXTURED,
    ) -> None:  # fmt: skip
        """Add an upright round thing, open at the top."""
        look = Look(texture, surface, shine=shine)
        self.shapes.append(Cone(bottom, top, height, look, name, np.array(base, float)))

    def ball(self, name: str, centre: Vector, radius: float, texture: U8) -> None:
        """Add a ball."""
        self.shapes.append(Sphere(radius, Look(texture), name, np.array(centre, float)))
