"""What stands and hangs in the room."""

from __future__ import annotations

import numpy as np

from livestereo.sources.demo import paint
from livestereo.sources.demo.parts import BACK, FLOOR, LEFT, OAK, PINE, RIGHT, TABLE, WALNUT, Parts
from livestereo.sources.demo.shapes import F64, Surface, turn_xyz


class Furniture(Parts):
    """Sofa, bookshelf, table, lamp, pictures; unless it is clean also a chair and plants."""

    def make(self) -> None:
        """Put everything in."""
        self._sofa()
        self._bookshelf()
        self._table()
        self._lamp()
        self._pictures()
        if not self.clean:
            self._chair()
            self._plant()
            self._near_leaves()

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
            warm if self.clean else striped, self.kind(Surface.REPEATED),
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
            b.box(
                "books",
                (x - 0.16, y, z + 0.12),
                size,
                colour,
                yaw_deg=float(self.rng.uniform(-16, 16)),
                texture="cloth",
            )
            y -= 0.034
        mug = paint.cloth(b.texels(0.1, 1.2), b.texels(0.26, 1.2), (96, 84, 180), self.rng, 3, 2)
        mug[mug.shape[0] // 3 : mug.shape[0] // 2] = (200, 214, 220)
        for k in range(0, mug.shape[1], max(1, mug.shape[1] // 14)):
            mug[int(mug.shape[0] * 0.6) : int(mug.shape[0] * 0.72), k : k + int(self.rng.integers(4, 9))] = (
                190,
                205,
                215,
            )
        b.cone("mug", (x + 0.19, TABLE, z - 0.16), 0.038, 0.042, 0.095, mug)
        b.cone("bowl", (x - 0.21, TABLE, z - 0.15), 0.06, 0.125, 0.06, paint.wood(20, 160, (70, 100, 140), self.rng))
        for dx, dz, up in ((-0.05, 0.0, 0.07), (0.05, 0.02, 0.07), (0.0, -0.05, 0.075), (0.0, 0.02, 0.125)):
            peel = paint.done(
                paint.flat(70, 140, (36, 128, 226))
                + (paint.clouds(70, 140, self.rng, 5, 3) * 10)[..., None] * np.array([0.4, 1, 1], np.float32)
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

    def _chair(self) -> None:
        b = self.build
        x, z, yaw = 0.62 + self.shift[3], 2.35, 24.0 + float(self.shift[4] * 200)
        R = turn_xyz(0, yaw, 0)

        def spot(dx: float, y: float, dz: float) -> F64:
            placed: F64 = R @ np.array([dx, 0, dz]) + [x, y, z]
            return placed

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
        b.cone("lamp shade", (x, -0.34, z), 0.20, 0.13, 0.27, shade, shine, self.kind(Surface.BLANK))

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
            b.rod(
                "stem",
                (x + 0.03 * np.cos(turn), FLOOR - 0.24, z + 0.03 * np.sin(turn)),
                knee,
                0.006,
                (50, 96, 70),
                0.004,
            )
            self._leaf(
                knee, turn, float(self.rng.uniform(0.22, 0.34)), float(self.rng.uniform(0.07, 0.11)), b.texels(0.3, 2.7)
            )

    def _leaf(self, root: F64, turn: float, long: float, half: float, rows: int) -> None:
        along = np.array([np.cos(turn), float(self.rng.uniform(-0.5, 0.6)), np.sin(turn)])
        along /= np.linalg.norm(along)
        side = np.cross(along, [0, 1.0, 0])
        side = side / np.linalg.norm(side) + np.array([0, float(self.rng.uniform(-0.5, 0.5)), 0])
        side *= half / np.linalg.norm(side)
        green = tuple(float(c) for c in np.array([58, 128, 78]) * self.rng.uniform(0.75, 1.25))
        texture = paint.leaf(max(rows, 24), max(rows // 2, 14), self.rng, green)
        self.build.quad("leaf", root - side, 2 * side, along * long, texture)

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
            b.quad("near leaf", np.array(root) - side, 2 * side, along, paint.leaf(rows, rows // 3, self.rng, green))

    def _pictures(self) -> None:
        b = self.build
        z = BACK - 0.035
        for name, x, y, w, h in (("glass", 0.02, -1.06, 0.62, 0.44), ("picture", -0.66, -0.98, 0.34, 0.46)):
            frame = paint.wood(b.texels(h + 0.06, z), b.texels(w + 0.06, z), WALNUT, self.rng)
            b.quad("picture frame", (x - 0.03, y - 0.03, z + 0.01), (w + 0.06, 0, 0), (0, h + 0.06, 0), frame)
            art = paint.painting(b.texels(h, 3.0), b.texels(w, 3.0), self.rng)
            b.quad(
                name,
                (x, y, z),
                (w, 0, 0),
                (0, h, 0),
                art,
                Surface.GLOSSY if name == "glass" and not self.clean else Surface.TEXTURED,
            )
        art = paint.shapes_print(b.texels(0.62, 3.0), b.texels(0.8, 3.0), self.rng)
        b.quad("picture", (LEFT + 0.03, -0.86, 3.35), (0, 0, 0.80), (0, 0.62, 0), art)
        frame = paint.wood(b.texels(0.76, 3.2), b.texels(0.8, 3.2), WALNUT, self.rng)
        b.quad("picture frame", (RIGHT - 0.025, -1.0, 4.35), (0, 0, -0.80), (0, 0.76, 0), frame)
        art = paint.painting(b.texels(0.68, 3.0), b.texels(0.72, 3.0), self.rng)
        b.quad("picture", (RIGHT - 0.03, -0.96, 4.31), (0, 0, -0.72), (0, 0.68, 0), art)
