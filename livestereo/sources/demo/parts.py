"""Measures and materials of the demo's room, and what all its parts are made with."""

from __future__ import annotations

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.scene import Builder
from livestereo.sources.demo.shapes import Surface
from livestereo.types import U8

FLOOR, CEILING = 1.12, -1.40
LEFT, RIGHT, BACK, FRONT = -1.95, 1.95, 5.0, 0.6
CORRIDOR_END = 8.0
WINDOW = (-1.72, -0.72, -0.98, 0.20)  # x0, x1, y0, y1
DOOR = (0.98, 1.72, -0.90)  # x0, x1, top
TABLE = 0.42
CLEAN_UNIT_M = 0.36
DADO = -0.05
BEHIND_M = 2.5  # a window behind the cameras, seen only in what mirrors it
PERIOD_S = 12.0
MOBILE = (0.34, -0.66, 2.5)

WALL: paint.Colour = (186, 200, 206)
TRIM: paint.Colour = (208, 214, 216)
OAK: paint.Colour = (84, 118, 158)
WALNUT: paint.Colour = (52, 72, 98)
PINE: paint.Colour = (118, 160, 196)


class Parts:
    """Something that is put into the room. `clean`: nothing blank, repeated, glossy, glaring or too near.

    shift: (8,) metres, small differences between seeds.
    """

    def __init__(self, build: Builder, clean: bool, shift: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        self.build = build
        self.rng = build.rng
        self.clean = clean
        self.shift = shift

    def plain(
        self, wide: float, tall: float, z: float, colour: paint.Colour, relief: float = 0.0, grain_px: float = 9
    ) -> U8:
        """Paint a surface: blank, but in the clean room papered all over with irregular figures."""
        rows, columns = self.build.texels(tall, z, 1500), self.build.texels(wide, z, 1500)
        if not self.clean:
            return paint.plaster(rows, columns, colour, self.rng, relief, grain_px)
        unit = self.build.focal_px / max(z, 0.5)
        big = paint.clouds(rows, columns, self.rng, 0.16 * unit, 5, 0.75)
        tint = paint.clouds(rows, columns, self.rng, 0.3 * unit, 4, 0.7)
        tone = big[..., None] * 15 + tint[..., None] * np.array([9, 2, -8], np.float32)
        return paint.done(paint.flat(rows, columns, tuple(c * 0.92 for c in colour)) + tone)

    def kind(self, surface: Surface) -> Surface:
        """Give a kind of surface; all are textured in the clean room."""
        return Surface.TEXTURED if self.clean else surface
