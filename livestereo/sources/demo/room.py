"""The living room of `demo:room`, as hard as life, and of `demo:clean`, where everything can be matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.light import Blockers, Emitter, Lighting, harmonics, lit
from livestereo.sources.demo.render import reflect
from livestereo.sources.demo.scene import Builder, Mover, Scene
from livestereo.sources.demo.shapes import F64, Cone, Look, Quad, Shape, Sphere, Surface, turn_xyz
from livestereo.types import F32, U8

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


class Room:
    """Builds the room piece by piece. `clean`: nothing blank, repeated, glossy, glaring or too near."""

    def __init__(self, seed: int, focal_px: float, clean: bool) -> None:
        self.rng = np.random.default_rng((seed, 404))
        self.build = Builder(focal_px, self.rng)
        self.clean = clean
        self.shift = self.rng.uniform(-0.05, 0.05, 8)

    def scene(self) -> Scene:
        """Make the whole scene, with its light."""
        b = self.build
        self._walls()
        self._window()
        self._corridor()
        self._floor()
        self._sofa()
        self._bookshelf()
        self._table()
        self._lamp()
        self._pictures()
        if not self.clean:
            self._chair()
            self._plant()
            self._mobile_thread()
            self._near_leaves()
        lighting = self._lighting()
        still = lit(b.shapes, lighting)
        movers = self._movers(lighting)
        still = [self._glossy(s) for s in still]
        return Scene(
            "clean" if self.clean else "room", tuple(still), tuple(movers),
            turn_xyz(float(6.5 + self.shift[6] * 8), float(-1.5 + self.shift[7] * 20), 0.4), CLEAN_UNIT_M if self.clean else 1.0, PERIOD_S,
        )  # fmt: skip

    def _lighting(self) -> Lighting:
        x0, x1, y0, y1 = WINDOW
        window = Emitter(
            np.array([x0, y0, BACK - 0.02]), np.array([x1 - x0, 0, 0]), np.array([0, y1 - y0, 0]),
            np.array([3.4, 3.1, 2.8]), (3, 3), np.array([0, 0, -1.0]),
        )  # fmt: skip
        lamp_power = np.array([0.07, 0.13, 0.19]) * (0.0 if self.clean else 1.0)
        lamp = Emitter(np.array([-0.47, -0.52, 4.42]), np.array([0.12, 0, 0]), np.array([0, 0.14, 0]), lamp_power, (1, 2))
        # A second window behind the cameras, so that what faces them is not in the dark.
        behind = Emitter(
            np.array([0.2, -1.2, -1.6]), np.array([1.5, 0, 0]), np.array([0, 1.2, 0]), np.array([5.2, 5.3, 5.4]), (3, 3),
            np.array([0, 0.1, 1.0]),
        )  # fmt: skip
        hall = Emitter(
            np.array([1.15, CEILING + 0.05, 6.6]), np.array([0.5, 0, 0]), np.array([0, 0, 0.5]), np.array([0.26, 0.34, 0.40]), (1, 1)
        )
        clear = ("outside", "wall", "wallpaper", "skirting", "floor", "rug", "corridor floor", "lamp shade", "glass", "picture",
                 "picture frame", "window frame", "door frame", "book", "shelf back", "near leaf", "leaf", "table edge")
        blockers = Blockers([s for s in self.build.shapes if s.name not in clear])
        return Lighting((window, lamp, behind, hall), np.array([0.50, 0.50, 0.50]), np.array([0.28, 0.31, 0.34]), blockers)

    def _plain(self, wide: float, tall: float, z: float, colour: paint.Colour, relief: float = 0.0, grain_px: float = 9) -> U8:
        """A painted surface: blank, but in the clean room papered all over with irregular figures."""
        rows, columns = self.build.texels(tall, z, 1500), self.build.texels(wide, z, 1500)
        if not self.clean:
            return paint.plaster(rows, columns, colour, self.rng, relief, grain_px)
        unit = self.build.focal_px / max(z, 0.5)
        big = paint.clouds(rows, columns, self.rng, 0.16 * unit, 5, 0.75)
        tint = paint.clouds(rows, columns, self.rng, 0.3 * unit, 4, 0.7)
        tone = big[..., None] * 15 + tint[..., None] * np.float32([9, 2, -8])
        return paint.done(paint.flat(rows, columns, tuple(c * 0.92 for c in colour)) + tone)

    def _wall(
        self, corner: tuple[float, float, float], u: tuple[float, float, float], v: tuple[float, float, float], relief: float = 0.0
    ) -> None:  # fmt: skip
        wide, tall = float(np.linalg.norm(u)), float(np.linalg.norm(v))
        z = max(2.8, min(corner[2], corner[2] + u[2] + v[2]))
        self.build.quad("wall", corner, u, v, self._plain(wide, tall, z, WALL, relief), Surface.TEXTURED if relief else self._kind(Surface.BLANK))

    def _kind(self, surface: Surface) -> Surface:
        return Surface.TEXTURED if self.clean else surface

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
        rough = self._plain(deep, tall, 2.8, (180, 194, 198), 6.5)
        b.quad("rough wall", (LEFT, CEILING, FRONT), (0, 0, deep), (0, tall, 0), rough)
        ceiling = self._plain(RIGHT - LEFT, deep, 3.0, (208, 212, 214), 7.0, 30)
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
            b.quad(name, corner, u, (0, 0.1, 0), self._plain(deep, 0.1, 3.0, TRIM), self._kind(Surface.BLANK))
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
            b.quad("window frame", (x, y, BACK - 0.03), (w, 0, 0), (0, h, 0), self._plain(w, h, 4.8, TRIM), self._kind(Surface.BLANK))
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
        b.quad("corridor", (left, CEILING, BACK), (0, 0, deep), (0, tall, 0), self._plain(deep, tall, 5.0, (164, 184, 196), 3.5))
        b.quad("corridor", (right, CEILING, end), (0, 0, -deep), (0, tall, 0), self._plain(deep, tall, 5.0, (164, 184, 196), 3.5))
        b.quad("corridor end", (left, CEILING, end), (right - left, 0, 0), (0, tall, 0), self._plain(1.2, tall, 8.0, (150, 176, 186)), self._kind(Surface.BLANK))
        b.quad("corridor", (left, CEILING, end), (right - left, 0, 0), (0, 0, -deep), self._plain(1.2, deep, 5.0, TRIM), self._kind(Surface.BLANK))
        floor = paint.planks(b.texels(deep, 4.2), b.texels(1.2, 4.2), OAK, self.rng, b.texels(0.11, 4.2), b.texels(0.9, 4.2))
        b.quad("corridor floor", (left, FLOOR, end), (right - left, 0, 0), (0, 0, -deep), floor)
        b.quad("picture", (1.13, -0.72, end - 0.03), (0.52, 0, 0), (0, 0.72, 0), paint.shapes_print(110, 80, self.rng))
        b.box("chest", (1.38, FLOOR, end - 0.25), (0.7, 0.75, 0.36), WALNUT)
        b.ball("bowl", (1.28, FLOOR - 0.84, end - 0.28), 0.09, paint.cloth(40, 80, (70, 110, 190), self.rng, 18, 12))

    def _floor(self) -> None:
        b = self.build
        near = 1.9
        planks = paint.planks(
            b.texels(BACK - FRONT, near), b.texels(RIGHT - LEFT, near), OAK, self.rng, b.texels(0.12, near), b.texels(1.1, near)
        )
        b.quad("floor", (LEFT, FLOOR, BACK), (RIGHT - LEFT, 0, 0), (0, 0, FRONT - BACK), planks)
        x = -0.2 + self.shift[0]
        rug = paint.rug(b.texels(2.0, near), b.texels(1.9, near), self.rng)
        b.quad("rug", (x - 0.95, FLOOR - 0.008, 4.05), (1.9, 0, 0), (0, 0, -2.0), rug)

    def _sofa(self) -> None:
        b = self.build
        blue: paint.Colour = (124, 104, 78)
        x, z = -1.15 + self.shift[1], 4.12
        b.box("sofa", (x, FLOOR - 0.07, z), (1.36, 0.34, 0.80), blue, texture="cloth")
        b.box("sofa back", (x, FLOOR - 0.38, z + 0.33), (1.36, 0.44, 0.2), blue, texture="cloth")
        for side in (-0.61, 0.61):
            b.box("sofa arm", (x + side, FLOOR - 0.30, z), (0.16, 0.26, 0.80), blue, texture="cloth")
        tall, wide = b.texels(0.36, 3.9), b.texels(0.40, 3.9)
        warm = paint.shapes_print(tall, wide, self.rng)
        striped = paint.stripes(tall, wide, (200, 214, 222), (58, 88, 168), 9)
        b.quad("cushion", (x - 0.45, FLOOR - 0.77, z + 0.17), (0.38, 0, 0.02), (0.02, 0.34, -0.09), warm)
        b.quad(
            "striped cushion", (x + 0.03, FLOOR - 0.77, z + 0.20), (0.38, 0, -0.02), (0.0, 0.34, -0.09),
            warm if self.clean else striped, self._kind(Surface.REPEATED),
        )  # fmt: skip

    def _bookshelf(self) -> None:
        b = self.build
        x0, x1, front, back = -0.10, 0.78, BACK - 0.30, BACK - 0.02
        levels = [FLOOR - 0.10, FLOOR - 0.46, FLOOR - 0.82, FLOOR - 1.18, FLOOR - 1.52]
        for x in (x0, x1):
            b.box("shelf", (x, FLOOR, (front + back) / 2), (0.03, 1.55, back - front), WALNUT)
        dark = paint.wood(b.texels(1.6, 4.8), b.texels(0.9, 4.8), tuple(c * 0.8 for c in WALNUT), self.rng)
        b.quad("shelf back", (x0, FLOOR - 1.55, back), (x1 - x0, 0, 0), (0, 1.55, 0), dark)
        for y in levels:
            b.box("shelf", ((x0 + x1) / 2, y, (front + back) / 2), (x1 - x0, 0.028, back - front), WALNUT)
        for y in levels[:-1]:
            self._books(x0 + 0.02, x1 - 0.02, y - 0.028, front + 0.03)

    def _books(self, start: float, end: float, y: float, front: float) -> None:
        b, x = self.build, start + float(self.rng.uniform(0, 0.04))
        while x < end - 0.03:
            if self.rng.uniform() < 0.10:
                x += float(self.rng.uniform(0.05, 0.14))
                continue
            wide, tall = float(self.rng.uniform(0.018, 0.048)), float(self.rng.uniform(0.19, 0.285))
            z = front + float(self.rng.uniform(0, 0.035))
            back = paint.spine(b.texels(tall, 4.2), b.texels(wide, 4.2), self.rng)
            b.quad("book", (x, y - tall, z), (wide, 0, 0), (0, tall, 0), back)
            shade = paint.plaster(8, 8, tuple(float(c) * 0.6 for c in back.mean(axis=(0, 1))), self.rng)
            b.quad("book", (x, y - tall, z), (0, 0, 0.16), (0, tall, 0), shade)
            b.quad("book", (x + wide, y - tall, z), (0, 0, 0.16), (0, tall, 0), shade)
            x += wide + 0.002

    def _table(self) -> None:
        b = self.build
        x, z = -0.56 + self.shift[2], 1.80 if self.clean else 1.48
        wide, deep = 1.0, 0.72
        top = paint.wood(b.texels(deep, 1.1), b.texels(wide, 1.1), PINE, self.rng, 1.3)
        b.quad("table top", (x - wide / 2, TABLE, z + deep / 2), (wide, 0, 0), (0, 0, -deep), top)
        edge = paint.wood(b.texels(0.035, 1.1), b.texels(wide, 1.1), PINE, self.rng)
        b.quad("table edge", (x - wide / 2, TABLE, z - deep / 2), (wide, 0, 0), (0, 0.035, 0), edge)
        b.quad("table edge", (x + wide / 2, TABLE, z - deep / 2), (0, 0, deep), (0, 0.035, 0), edge)
        for dx in (-wide / 2 + 0.05, wide / 2 - 0.05):
            for dz in (-deep / 2 + 0.05, deep / 2 - 0.05):
                b.rod("table leg", (x + dx, FLOOR, z + dz), (x + dx, TABLE + 0.03, z + dz), 0.018, PINE, 0.024)
        y, colours = TABLE, ((70, 60, 140), (150, 120, 60), (90, 150, 190))
        for number, colour in enumerate(colours):
            size = (0.25 - 0.02 * number, 0.034, 0.18 - 0.012 * number)
            b.box("books", (x - 0.16, y, z + 0.12), size, colour, yaw_deg=float(self.rng.uniform(-16, 16)), texture="cloth")
            y -= 0.034
        mug = paint.cloth(b.texels(0.1, 1.2), b.texels(0.26, 1.2), (96, 84, 180), self.rng, 3, 2)
        mug[mug.shape[0] // 3 : mug.shape[0] // 2] = (200, 214, 220)
        for k in range(0, mug.shape[1], max(1, mug.shape[1] // 14)):
            mug[int(mug.shape[0] * 0.6) : int(mug.shape[0] * 0.72), k : k + int(self.rng.integers(4, 9))] = (190, 205, 215)
        b.cone("mug", (x + 0.19, TABLE, z - 0.16), 0.038, 0.042, 0.095, mug)
        b.cone("bowl", (x - 0.21, TABLE, z - 0.15), 0.06, 0.125, 0.06, paint.wood(20, 160, (70, 100, 140), self.rng))
        for dx, dz, up in ((-0.05, 0.0, 0.07), (0.05, 0.02, 0.07), (0.0, -0.05, 0.075), (0.0, 0.02, 0.125)):
            peel = paint.done(
                paint.flat(70, 140, (36, 128, 226)) + (paint.clouds(70, 140, self.rng, 5, 3) * 10)[..., None] * np.float32([0.4, 1, 1])
            )
            b.ball("orange", (x - 0.21 + dx, TABLE - up, z - 0.15 + dz), 0.042, peel)
        vase = paint.cloth(90, 120, (140, 120, 70), self.rng, 5, 9)
        b.cone("vase", (x + 0.30, TABLE, z + 0.18), 0.05, 0.03, 0.20, vase)
        if not self.clean:
            self._twigs(x + 0.30, z + 0.18)

    def _twigs(self, x: float, z: float) -> None:
        """Thin things: bare twigs with a few buds."""
        b = self.build
        for _ in range(5):
            lean = self.rng.uniform(-0.20, 0.20, 2)
            tip = (x + lean[0], TABLE - 0.2 - float(self.rng.uniform(0.28, 0.46)), z + lean[1])
            root = (x + lean[0] * 0.05, TABLE - 0.16, z + lean[1] * 0.05)
            b.rod("twig", root, tip, 0.0035, (50, 66, 86), 0.0018)
            for part in self.rng.uniform(0.4, 1.0, 3):
                place = np.array(root) * (1 - part) + np.array(tip) * part
                b.ball("bud", place, 0.009, paint.cloth(12, 24, (120, 140, 226), self.rng, 12, 6))

    def _mobile_thread(self) -> None:
        x, y, z = MOBILE
        self.build.rod("thread", (x, y, z), (x, CEILING, z), 0.0014, (90, 90, 90))

    def _chair(self) -> None:
        b = self.build
        x, z, yaw = 0.62 + self.shift[3], 2.35, 24.0 + float(self.shift[4] * 200)
        R = turn_xyz(0, yaw, 0)

        def spot(dx: float, y: float, dz: float) -> F64:
            return np.array([x, 0, z]) + R @ np.array([dx, 0, dz]) + [0, y, 0]

        seat, top = FLOOR - 0.45, FLOOR - 0.92
        b.box("seat", (x, seat + 0.03, z), (0.40, 0.03, 0.38), OAK, yaw_deg=yaw)
        for dx in (-0.17, 0.17):
            b.rod("chair leg", spot(dx, FLOOR, -0.16), spot(dx, seat + 0.02, -0.16), 0.015, OAK, 0.018)
            b.rod("chair leg", spot(dx, FLOOR, 0.17), spot(dx, top, 0.20), 0.017, OAK, 0.015)
        for y in (top + 0.02, top + 0.30):
            b.rod("chair rail", spot(-0.17, y, 0.20), spot(0.17, y, 0.20), 0.014, OAK)
        for dx in np.linspace(-0.11, 0.11, 4):
            b.rod("chair bar", spot(dx, top + 0.29, 0.20), spot(dx, top + 0.03, 0.20), 0.007, OAK)
        for y in (FLOOR - 0.20,):
            b.rod("chair rail", spot(-0.17, y, -0.16), spot(-0.17, y, 0.17), 0.009, OAK)
            b.rod("chair rail", spot(0.17, y, -0.16), spot(0.17, y, 0.17), 0.009, OAK)

    def _lamp(self) -> None:
        b = self.build
        x, z = -0.41, 4.48
        b.rod("lamp pole", (x, FLOOR, z), (x, -0.36, z), 0.0125, (60, 60, 62))
        b.cone("lamp foot", (x, FLOOR, z), 0.15, 0.02, 0.03, paint.plaster(20, 40, (58, 58, 60), self.rng))
        if self.clean:
            shade, shine = paint.cloth(60, 240, (140, 170, 190), self.rng, 16, 14), 0.0
        else:
            shade, shine = paint.plaster(40, 120, (214, 240, 252), self.rng), 2.6
        b.cone("lamp shade", (x, -0.34, z), 0.20, 0.13, 0.27, shade, shine, self._kind(Surface.BLANK))

    def _plant(self) -> None:
        b = self.build
        x, z = 1.42 + self.shift[5], 3.05
        pot = paint.cloth(b.texels(0.3, 2.8), b.texels(0.9, 2.8), (120, 140, 150), self.rng, 4, 6)
        b.cone("pot", (x, FLOOR, z), 0.12, 0.16, 0.28, pot)
        soil = paint.cloth(60, 60, (40, 52, 66), self.rng, 14, 8)
        b.quad("soil", (x - 0.11, FLOOR - 0.25, z + 0.11), (0.22, 0, 0), (0, 0, -0.22), soil)
        count = 12
        for number in range(count):
            turn = 2 * np.pi * (number / count + float(self.rng.uniform(-0.02, 0.02)))
            out = float(self.rng.uniform(0.12, 0.30))
            rise = float(self.rng.uniform(0.35, 0.95))
            knee = np.array([x + out * 0.55 * np.cos(turn), FLOOR - 0.25 - rise, z + out * 0.55 * np.sin(turn)])
            b.rod("stem", (x + 0.03 * np.cos(turn), FLOOR - 0.24, z + 0.03 * np.sin(turn)), knee, 0.006, (50, 96, 70), 0.004)
            self._leaf(knee, turn, float(self.rng.uniform(0.22, 0.34)), float(self.rng.uniform(0.07, 0.11)), b.texels(0.3, 2.7))

    def _leaf(self, root: F64, turn: float, long: float, half: float, rows: int) -> None:
        along = np.array([np.cos(turn), float(self.rng.uniform(-0.5, 0.6)), np.sin(turn)])
        along /= np.linalg.norm(along)
        side = np.cross(along, [0, 1.0, 0])
        side = side / np.linalg.norm(side) + np.array([0, float(self.rng.uniform(-0.5, 0.5)), 0])
        side *= half / np.linalg.norm(side)
        green = tuple(float(c) for c in np.array([58, 128, 78]) * self.rng.uniform(0.75, 1.25))
        texture = paint.leaf(max(rows, 24), max(rows // 2, 14), self.rng, green)  # type: ignore[arg-type]
        self.build.quad("leaf", root - side, 2 * side, along * long, texture)

    def _pictures(self) -> None:
        b = self.build
        z = BACK - 0.035
        for name, x, y, w, h in (("glass", 0.02, -1.06, 0.62, 0.44), ("picture", -0.66, -0.98, 0.34, 0.46)):
            frame = paint.wood(b.texels(h + 0.06, z), b.texels(w + 0.06, z), WALNUT, self.rng)
            b.quad("picture frame", (x - 0.03, y - 0.03, z + 0.01), (w + 0.06, 0, 0), (0, h + 0.06, 0), frame)
            art = paint.painting(b.texels(h, 3.0), b.texels(w, 3.0), self.rng)
            b.quad(name, (x, y, z), (w, 0, 0), (0, h, 0), art, Surface.GLOSSY if name == "glass" and not self.clean else Surface.TEXTURED)
        art = paint.shapes_print(b.texels(0.62, 3.0), b.texels(0.8, 3.0), self.rng)
        b.quad("picture", (LEFT + 0.03, -0.86, 3.35), (0, 0, 0.80), (0, 0.62, 0), art)
        frame = paint.wood(b.texels(0.76, 3.2), b.texels(0.8, 3.2), WALNUT, self.rng)
        b.quad("picture frame", (RIGHT - 0.025, -1.0, 4.35), (0, 0, -0.80), (0, 0.76, 0), frame)
        art = paint.painting(b.texels(0.68, 3.0), b.texels(0.72, 3.0), self.rng)
        b.quad("picture", (RIGHT - 0.03, -0.96, 4.31), (0, 0, -0.72), (0, 0.68, 0), art)

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

    def _movers(self, lighting: Lighting) -> list[Mover]:
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

        y, x = np.mgrid[-1 : 1 : 64j, -1 : 1 : 64j]
        dark = 255 - 150 * np.clip(1.1 - np.hypot(x, y) * 1.1, 0, 1) ** 0.8
        blot = np.dstack([dark.astype(np.uint8)] * 3)
        size = 0.21
        shadow = Quad(np.array([-size, 0, size]), np.array([2 * size, 0, 0]), np.array([0, 0, -2 * size]), Look(blot), "shadow")
        return [Mover("shadow", (shadow,), below, shadow=True), Mover("ball", (ball,), motion)]

    def _mobile(self, lighting: Lighting) -> Mover:
        """Cards on threads under two crossed bars, turning slowly below the ceiling."""
        b = Builder(self.build.focal_px, self.rng)
        height = MOBILE[1]
        light = harmonics(np.array(MOBILE) + [0, 0.2, 0], lighting)
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

    def _near_leaves(self) -> None:
        """Leaves of a plant beside the cameras, nearer than any ordinary disparity range."""
        b = self.build
        for root, tip, half in (
            ((0.245, 0.36, 0.40), (0.178, 0.165, 0.375), 0.026),
            ((0.26, 0.33, 0.43), (0.243, 0.135, 0.41), 0.027),
            ((0.20, 0.36, 0.37), (0.128, 0.222, 0.36), 0.019),
        ):
            along = np.array(tip) - np.array(root)
            side = np.cross(along, [0.25, 0.1, 1.0])
            side *= half / np.linalg.norm(side)
            green = tuple(float(c) for c in np.array([46, 112, 66]) * self.rng.uniform(0.85, 1.2))
            rows = b.texels(0.24, 0.36, 700)
            b.quad("near leaf", np.array(root) - side, 2 * side, along, paint.leaf(rows, rows // 3, self.rng, green))  # type: ignore[arg-type]


def _soft_pane() -> U8:
    """A bright window with blurred edges, as a dull floor mirrors it."""
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    edge = np.clip((1 - np.abs(x)) * 2.2, 0, 1) * np.clip((1 - np.abs(y)) * 2.2, 0, 1)
    return paint.done(edge[..., None].astype(np.float32) ** 0.5 * np.float32([250, 246, 240]))


def _with_light(shape: Shape, light: F32, even: F32) -> Shape:
    look = replace(shape.look, harmonics=light) if isinstance(shape, (Sphere, Cone)) else replace(shape.look, light=even)
    return replace(shape, look=look)  # type: ignore[type-var]


def turn_many(roll: F64, yaw: F64) -> F64:
    """Give rotations (n,3,3): a roll about z, then a yaw about y, radians."""
    zero, one = np.zeros_like(roll), np.ones_like(roll)
    c, s = np.cos(yaw), np.sin(yaw)
    turned = np.stack([np.stack([c, zero, s], -1), np.stack([zero, one, zero], -1), np.stack([-s, zero, c], -1)], 1)
    return turned @ roll_many(-roll)  # type: ignore[no-any-return]


def roll_many(angle: F64) -> F64:
    """Give rotations (n,3,3) about z, radians."""
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, one], -1)], 1)
