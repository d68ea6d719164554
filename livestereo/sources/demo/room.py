"""The living room of `demo:room`, as hard as life, and of `demo:clean`, where everything can be matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.furniture import Furniture
from livestereo.sources.demo.light import Blockers, Emitter, Lighting, lit
from livestereo.sources.demo.moving import Moving
from livestereo.sources.demo.parts import BACK, BEHIND_M, CEILING, CLEAN_UNIT_M, PERIOD_S, WINDOW
from livestereo.sources.demo.render import reflect
from livestereo.sources.demo.scene import Builder, Scene
from livestereo.sources.demo.shapes import Look, Quad, Shape, turn_xyz
from livestereo.sources.demo.shell import Shell
from livestereo.types import U8

# They lie flat against something, let light through, or are too small to matter.
CAST_NO_SHADOW = (
    "outside", "wall", "rough wall", "wallpaper", "panelling", "skirting", "floor", "rug", "corridor floor",
    "lamp shade", "glass", "picture", "picture frame", "window frame", "door frame", "book", "shelf back", "near leaf",
    "leaf", "table edge", "dado rail",
)  # fmt: skip


class Room:
    """Puts the room together, lights it, lets glass and floor mirror the windows."""

    def __init__(self, seed: int, focal_px: float, clean: bool) -> None:
        self.rng = np.random.default_rng((seed, 404))
        self.build = Builder(focal_px, self.rng)
        self.clean = clean
        self.shift = self.rng.uniform(-0.05, 0.05, 8)

    def scene(self) -> Scene:
        """Make the whole scene, with its light."""
        given = self.build, self.clean, self.shift
        Shell(*given).make()
        Furniture(*given).make()
        moving = Moving(*given)
        moving.hang()
        lighting = self._lighting()
        still = [self._glossy(shape) for shape in lit(self.build.shapes, lighting)]
        return Scene(
            name="clean" if self.clean else "room",
            shapes=tuple(still),
            movers=tuple(moving.make(lighting)),
            R_left_world=turn_xyz(6.5 + 8 * float(self.shift[6]), -1.5 + 20 * float(self.shift[7]), 0.4),
            unit_m=CLEAN_UNIT_M if self.clean else 1.0,
            period_s=PERIOD_S,
        )

    def _lighting(self) -> Lighting:
        x0, x1, y0, y1 = WINDOW
        window = Emitter(
            np.array([x0, y0, BACK - 0.02]), np.array([x1 - x0, 0, 0]), np.array([0, y1 - y0, 0]),
            np.array([3.4, 3.1, 2.8]), (3, 3), np.array([0, 0, -1.0]),
        )  # fmt: skip
        lamp_power = np.array([0.07, 0.13, 0.19]) * (0.0 if self.clean else 1.0)
        lamp = Emitter(
            np.array([-0.47, -0.52, 4.42]), np.array([0.12, 0, 0]), np.array([0, 0.14, 0]), lamp_power, (1, 2)
        )
        # A second window behind the cameras, so that what faces them is not in the dark.
        behind = Emitter(
            np.array([0.2, -1.2, -1.6]), np.array([1.5, 0, 0]), np.array([0, 1.2, 0]), np.array([5.2, 5.3, 5.4]),
            (3, 3), np.array([0, 0.1, 1.0]),
        )  # fmt: skip
        hall = Emitter(
            np.array([1.15, CEILING + 0.05, 6.6]),
            np.array([0.5, 0, 0]),
            np.array([0, 0, 0.5]),
            np.array([0.26, 0.34, 0.40]),
            (1, 1),
        )
        blockers = Blockers([shape for shape in self.build.shapes if shape.name not in CAST_NO_SHADOW])
        sky, ground = np.array([0.50, 0.50, 0.50]), np.array([0.28, 0.31, 0.34])
        return Lighting((window, lamp, behind, hall), sky, ground, blockers)

    def _glossy(self, shape: Shape) -> Shape:
        """Let the glazed picture and the floor mirror the windows."""
        if self.clean or not isinstance(shape, Quad) or shape.name not in ("glass", "floor"):
            return shape
        if shape.name == "glass":
            pane = np.zeros((96, 160, 3), np.uint8)
            pane[8:88, 8:76] = 250
            pane[8:88, 84:152] = 250
            look = Look(pane, shine=1.6)
            behind = Quad(np.array([-0.35, -1.9, -BEHIND_M]), np.array([0.9, 0, 0]), np.array([0, 1.2, 0]), look)
            return replace(shape, mirror=reflect(behind, shape), gloss=0.42)
        x0, x1, y0, y1 = WINDOW
        glow = Look(_soft_pane(), shine=0.8)
        pane_quad = Quad(np.array([x0, y0, BACK]), np.array([x1 - x0, 0, 0]), np.array([0, y1 - y0, 0]), glow)
        return replace(shape, mirror=reflect(pane_quad, shape), gloss=0.07)


def _soft_pane() -> U8:
    """A bright window with blurred edges, as a dull floor mirrors it."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    edge = np.clip((1 - np.abs(x)) * 2.2, 0, 1) * np.clip((1 - np.abs(y)) * 2.2, 0, 1)
    return paint.done(edge[..., None].astype(np.float32) ** 0.5 * np.array([250, 246, 240], np.float32))
