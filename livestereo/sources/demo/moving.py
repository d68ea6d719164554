"""What moves in the room: a ball on the floor with its shadow, and a mobile below the ceiling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.light import Lighting, harmonics
from livestereo.sources.demo.parts import CEILING, FLOOR, MOBILE, PERIOD_S, Parts
from livestereo.sources.demo.scene import Builder, Mover
from livestereo.sources.demo.shapes import F64, Cone, Look, Quad, Shape, Sphere, turn_xyz, with_look
from livestereo.types import F32


class Moving(Parts):
    """Ball and mobile."""

    def hang(self) -> None:
        """Put up what the mobile hangs from."""
        if not self.clean:
            x, y, z = MOBILE
            self.build.rod("thread", (x, y, z), (x, CEILING, z), 0.0014, (90, 90, 90))

    def make(self, lighting: Lighting) -> list[Mover]:
        """Make what moves, in the light of where it moves."""
        movers = self._ball(lighting)
        return movers if self.clean else [*movers, self._mobile(lighting)]

    def _ball(self, lighting: Lighting) -> list[Mover]:
        radius = 0.12
        rows = self.build.texels(np.pi * radius, 1.9)
        art = paint.beach_ball(max(rows, 60), max(2 * rows, 120), self.rng)
        light = harmonics(np.array([0.0, FLOOR - radius, 2.7]), lighting)
        ball = Sphere(radius, Look(art, harmonics=light), "ball")

        def path(t: F64) -> F64:
            phase = 2 * np.pi * t / PERIOD_S
            x, z = 0.05 + 0.92 * np.sin(phase), 2.75 + 0.62 * np.sin(2 * phase + 0.7)
            hop = 0.22 * np.abs(np.sin(phase * 4)) * (0.5 + 0.5 * np.cos(phase))
            return np.stack([x, FLOOR - 0.008 - radius - hop, z], -1)

        def motion(t: F64) -> tuple[F64, F64]:
            place = path(t)
            roll = -place[:, 0] / radius
            return turn_many(roll, 0.35 * np.sin(2 * np.pi * t / PERIOD_S)), place

        def below(t: F64) -> tuple[F64, F64]:
            place = path(t)
            place[:, 1] = FLOOR - 0.010
            return np.broadcast_to(np.eye(3), (len(t), 3, 3)).copy(), place

        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        dark = 255 - 150 * np.clip(1.1 - np.hypot(x, y) * 1.1, 0, 1) ** 0.8
        blot = np.dstack([dark.astype(np.uint8)] * 3)
        size = 0.21
        shadow = Quad(
            np.array([-size, 0, size]), np.array([2 * size, 0, 0]), np.array([0, 0, -2 * size]), Look(blot), "shadow"
        )
        return [Mover("shadow", (shadow,), below, shadow=True), Mover("ball", (ball,), motion)]

    def _mobile(self, lighting: Lighting) -> Mover:
        """Cards on threads under two crossed bars, turning slowly below the ceiling."""
        b = Builder(self.build.focal_px, self.rng)
        height = MOBILE[1]
        light = harmonics(np.array([MOBILE[0], MOBILE[1] + 0.2, MOBILE[2]]), lighting)
        for turn in (0.0, 90.0):
            reach = turn_xyz(0, turn, 0) @ np.array([0.21, 0, 0])
            b.rod("mobile", (-reach[0], height, -reach[2]), (reach[0], height, reach[2]), 0.004, (60, 80, 100))
            for side in (-1, 1):
                tip = side * reach
                long = float(self.rng.uniform(0.08, 0.22))
                b.rod("thread", (tip[0], height + long, tip[2]), (tip[0], height, tip[2]), 0.0014, (90, 90, 90))
                art = paint.shapes_print(80, 64, self.rng)
                face = turn_xyz(0, float(self.rng.uniform(0, 180)), 0)[:, 0] * 0.12
                corner = tip + np.array([0, height + long, 0]) - face / 2
                b.quad("card", corner, face, (0, 0.15, 0), art)
        even = np.broadcast_to(light[0], (4, 4, 3)).astype(np.float32).copy()
        made = tuple(_with_light(s, light, even) for s in b.shapes)

        def motion(t: F64) -> tuple[F64, F64]:
            phase = 2 * np.pi * t / PERIOD_S
            place = np.broadcast_to(np.array([MOBILE[0], 0, MOBILE[2]]), (len(t), 3)).copy()
            return turn_many(0.02 * np.sin(5 * phase), phase), place

        return Mover("mobile", made, motion)


def _with_light(shape: Shape, light: F32, even: F32) -> Shape:
    look = (
        replace(shape.look, harmonics=light) if isinstance(shape, (Sphere, Cone)) else replace(shape.look, light=even)
    )
    return with_look(shape, look)


def turn_many(roll: F64, yaw: F64) -> F64:
    """Give rotations (n,3,3): a roll about z, then a yaw about y, radians."""
    zero, one = np.zeros_like(roll), np.ones_like(roll)
    c, s = np.cos(yaw), np.sin(yaw)
    turned = np.stack([np.stack([c, zero, s], -1), np.stack([zero, one, zero], -1), np.stack([-s, zero, c], -1)], 1)
    return turned @ roll_many(-roll)


def roll_many(angle: F64) -> F64:
    """Give rotations (n,3,3) about z, radians."""
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, one], -1)], 1)
