"""The room itself: walls, ceiling and floor, the window with its curtains, the corridor behind the door."""

from __future__ import annotations

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.parts import (
    BACK,
    CEILING,
    CORRIDOR_END,
    DADO,
    DOOR,
    FLOOR,
    FRONT,
    LEFT,
    OAK,
    PINE,
    RIGHT,
    TRIM,
    WALL,
    WALNUT,
    WINDOW,
    Parts,
)
from livestereo.sources.demo.shapes import Surface

Point = tuple[float, float, float]


class Shell(Parts):
    """Walls, window, corridor, floor."""

    def make(self) -> None:
        """Put everything in."""
        self._walls()
        self._window()
        self._corridor()
        self._floor()

    def _wall(self, corner: Point, u: Point, v: Point, relief: float = 0.0) -> None:
        wide, tall = float(np.linalg.norm(u)), float(np.linalg.norm(v))
        z = max(2.8, min(corner[2], corner[2] + u[2] + v[2]))
        self.build.quad(
            "wall",
            corner,
            u,
            v,
            self.plain(wide, tall, z, WALL, relief),
            Surface.TEXTURED if relief else self.kind(Surface.BLANK),
        )

    def _walls(self) -> None:
        b = self.build
        x0, x1, y0, y1 = WINDOW
        d0, d1, dtop = DOOR
        tall = FLOOR - CEILING
        self._wall((LEFT, CEILING, BACK), (x0 - LEFT, 0, 0), (0, tall, 0), 2.5)
        self._wall((x0, CEILING, BACK), (x1 - x0, 0, 0), (0, y0 - CEILING, 0), 2.5)
        self._wall((x0, y1, BACK), (x1 - x0, 0, 0), (0, FLOOR - y1, 0))
        self._wall((x1, CEILING, BACK), (d0 - x1, 0, 0), (0, tall, 0))
        self._wall((d0, CEILING, BACK), (d1 - d0, 0, 0), (0, dtop - CEILING, 0), 2.5)
        self._wall((d1, CEILING, BACK), (RIGHT - d1, 0, 0), (0, tall, 0), 2.5)
        deep = BACK - FRONT
        rough = self.plain(deep, tall, 2.8, (180, 194, 198), 6.5)
        b.quad("rough wall", (LEFT, CEILING, FRONT), (0, 0, deep), (0, tall, 0), rough)
        ceiling = self.plain(RIGHT - LEFT, deep, 3.0, (208, 212, 214), 7.0, 30)
        b.quad("ceiling", (LEFT, CEILING, BACK), (RIGHT - LEFT, 0, 0), (0, 0, -deep), ceiling)
        if self.clean:
            self._wall((RIGHT, CEILING, BACK), (0, 0, -deep), (0, tall, 0))
        else:
            paper = paint.stripes(64, b.texels(deep, 2.4), (182, 200, 204), (120, 146, 128), round(deep / 0.16))
            b.quad("wallpaper", (RIGHT, CEILING, BACK), (0, 0, -deep), (0, DADO - CEILING, 0), paper, Surface.REPEATED)
            self._panelling(deep)
        for name, corner, u in (
            ("skirting", (LEFT, FLOOR - 0.1, BACK - 0.015), (d0 - LEFT, 0.0, 0.0)),
            ("skirting", (LEFT + 0.015, FLOOR - 0.1, FRONT), (0.0, 0.0, deep)),
            ("skirting", (RIGHT - 0.015, FLOOR - 0.1, BACK), (0.0, 0.0, -deep)),
        ):
            b.quad(name, corner, u, (0, 0.1, 0), self.plain(deep, 0.1, 3.0, TRIM), self.kind(Surface.BLANK))
        for x in (d0 - 0.07, d1):  # the door's frame
            b.box("door frame", (x + 0.035, FLOOR, BACK - 0.01), (0.07, FLOOR - dtop + 0.07, 0.05), TRIM)
        b.box("door frame", ((d0 + d1) / 2, dtop, BACK - 0.01), (d1 - d0, 0.07, 0.05), TRIM)

    def _panelling(self, deep: float) -> None:
        """Boards along the lower part of the right wall, under a rail."""
        b = self.build
        rows, columns = b.texels(FLOOR - DADO, 2.8), b.texels(deep, 2.8)
        boards = paint.planks(rows, columns, (112, 150, 168), self.rng, b.texels(0.31, 2.8), 4 * rows)
        b.quad("panelling", (RIGHT - 0.012, DADO, BACK), (0, 0, -deep), (0, FLOOR - DADO, 0), boards)
        rail = paint.wood(b.texels(0.05, 2.8), columns, PINE, self.rng)
        b.quad("dado rail", (RIGHT - 0.025, DADO - 0.03, BACK), (0, 0, -deep), (0, 0.05, 0), rail)

    def _window(self) -> None:
        b = self.build
        x0, x1, y0, y1 = WINDOW
        view = paint.view_outside(b.texels(17, 30.0), b.texels(22, 30.0), self.rng)
        if self.clean:
            self._wall((x0, y0, BACK), (x1 - x0, 0, 0), (0, y1 - y0, 0))
            art = paint.painting(b.texels(0.9, 3.2), b.texels(0.8, 3.2), self.rng)
            b.quad("picture", (x0 + 0.1, y0 + 0.12, BACK - 0.03), (0.8, 0, 0), (0, 0.9, 0), art)
            return
        b.quad("outside", (-18.5, -9.5, 40), (15, 0, 0), (0, 13, 0), view, shine=0.0 if self.clean else 0.25)
        wide, tall = x1 - x0, y1 - y0
        bars = [(x0 - 0.02, y0 - 0.04, wide + 0.04, 0.05), (x0 - 0.02, y1 - 0.01, wide + 0.04, 0.05)]
        bars += [(x0 - 0.02, y0, 0.045, tall), (x1 - 0.025, y0, 0.045, tall), ((x0 + x1) / 2 - 0.02, y0, 0.04, tall)]
        bars += [(x0, y0 + tall * 0.36, wide, 0.028)]
        for x, y, w, h in bars:
            b.quad(
                "window frame",
                (x, y, BACK - 0.03),
                (w, 0, 0),
                (0, h, 0),
                self.plain(w, h, 4.8, TRIM),
                self.kind(Surface.BLANK),
            )
        b.box("sill", ((x0 + x1) / 2, y1 + 0.06, BACK - 0.1), (wide + 0.16, 0.035, 0.2), TRIM)
        b.rod("curtain rail", (x0 - 0.2, y0 - 0.16, BACK - 0.12), (x1 + 0.2, y0 - 0.16, BACK - 0.12), 0.012, WALNUT)
        for start, sign in ((x0 - 0.17, 1), (x1 + 0.16, -1)):
            self._curtain(start, sign, y0 - 0.15)

    def _curtain(self, start: float, sign: int, top: float) -> None:
        b = self.build
        tall = FLOOR - 0.03 - top
        x, front = start, False
        for _ in range(7):
            wide = float(self.rng.uniform(0.035, 0.055))
            z0, z1 = (BACK - 0.10, BACK - 0.16) if front else (BACK - 0.16, BACK - 0.10)
            front = not front
            texture = paint.cloth(b.texels(tall, 4.6), b.texels(0.09, 4.6), (96, 132, 172), self.rng, 5, 4)
            left, right = (x, x + wide) if sign > 0 else (x - wide, x)
            if sign < 0:
                z0, z1 = z1, z0
            b.quad("curtain", (left, top, z0), (right - left, 0, z1 - z0), (0, tall, 0), texture)
            x += sign * wide

    def _corridor(self) -> None:
        b = self.build
        left, right, end = 0.72, 1.95, CORRIDOR_END
        deep, tall = end - BACK, FLOOR - CEILING
        b.quad(
            "corridor",
            (left, CEILING, BACK),
            (0, 0, deep),
            (0, tall, 0),
            self.plain(deep, tall, 5.0, (164, 184, 196), 3.5),
        )
        b.quad(
            "corridor",
            (right, CEILING, end),
            (0, 0, -deep),
            (0, tall, 0),
            self.plain(deep, tall, 5.0, (164, 184, 196), 3.5),
        )
        b.quad(
            "corridor end",
            (left, CEILING, end),
            (right - left, 0, 0),
            (0, tall, 0),
            self.plain(1.2, tall, 8.0, (150, 176, 186)),
            self.kind(Surface.BLANK),
        )
        b.quad(
            "corridor",
            (left, CEILING, end),
            (right - left, 0, 0),
            (0, 0, -deep),
            self.plain(1.2, deep, 5.0, TRIM),
            self.kind(Surface.BLANK),
        )
        floor = paint.planks(
            b.texels(deep, 4.2), b.texels(1.2, 4.2), OAK, self.rng, b.texels(0.11, 4.2), b.texels(0.9, 4.2)
        )
        b.quad("corridor floor", (left, FLOOR, end), (right - left, 0, 0), (0, 0, -deep), floor)
        b.quad("picture", (1.13, -0.72, end - 0.03), (0.52, 0, 0), (0, 0.72, 0), paint.shapes_print(110, 80, self.rng))
        b.box("chest", (1.38, FLOOR, end - 0.25), (0.7, 0.75, 0.36), WALNUT)
        b.ball("bowl", (1.28, FLOOR - 0.84, end - 0.28), 0.09, paint.cloth(40, 80, (70, 110, 190), self.rng, 18, 12))

    def _floor(self) -> None:
        b = self.build
        near = 1.9
        planks = paint.planks(
            b.texels(BACK - FRONT, near),
            b.texels(RIGHT - LEFT, near),
            OAK,
            self.rng,
            b.texels(0.12, near),
            b.texels(1.1, near),
        )
        b.quad("floor", (LEFT, FLOOR, BACK), (RIGHT - LEFT, 0, 0), (0, 0, FRONT - BACK), planks)
        x = -0.2 + self.shift[0]
        rug = paint.rug(b.texels(2.0, near), b.texels(1.9, near), self.rng)
        b.quad("rug", (x - 0.95, FLOOR - 0.008, 4.05), (1.9, 0, 0), (0, 0, -2.0), rug)
