"""Random rooms with exact truth, for what honest depth is fitted on beside heaps: people mostly look at rooms.

Each is laid out anew: plain, rough, papered and tiled walls, a floor, some with windows and ceilings; shelves, tables,
chairs, lamps, plants, fences and boxes of random sizes anywhere. The demo's own room is none of them: nothing of its
layout, measures or furniture is used, only the paints and shapes that everything rendered is made of.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.honesty_scenes import SIZES, Heap, look, shoot
from livestereo.sources.demo import paint
from livestereo.sources.demo.lens import make_rig
from livestereo.sources.demo.light import Blockers, Emitter, Lighting, lit
from livestereo.sources.demo.scene import Builder, Scene
from livestereo.sources.demo.shapes import Shape, Surface, turn_xyz
from livestereo.types import U8

Painted = tuple[U8, Surface]
FLAT_ON_WALLS = "flat"  # casts no shadow
# Numbers of the rooms that are fitted on, and of those held out.
FITTED, HELD_OUT = (*range(240), *range(260, 410)), tuple(range(240, 260))


class Hall:
    """Lays out one room. World: metres, x right, y down, z forward, the left camera at the origin."""

    def __init__(self, rng: np.random.Generator, focal_px: float) -> None:
        self.rng = rng
        self.b = Builder(focal_px, rng)
        self.floor, self.ceiling = float(rng.uniform(0.6, 1.6)), -float(rng.uniform(0.7, 1.9))
        self.back = float(rng.uniform(1.8, 7.0))
        self.left, self.right = -float(rng.uniform(0.9, 3.2)), float(rng.uniform(0.9, 3.2))

    def scene(self) -> Scene:
        self._walls()
        makers = (
            self._table, self._chair, self._shelf, self._cupboard, self._lamp, self._plant, self._fence, self._stack,
            self._ball, self._poster, self._cord, self._screen,
        )  # fmt: skip
        for _ in range(int(self.rng.integers(10, 24))):
            makers[int(self.rng.integers(len(makers)))]()
        if self._chance(0.5):
            self._near()
        turn = turn_xyz(*(float(self.rng.normal(0, s)) + m for s, m in ((5, 5), (9, 0), (1, 0))))
        return Scene("hall", tuple(self._lit()), R_left_world=turn)

    def _chance(self, share: float) -> bool:
        return bool(self.rng.uniform() < share)

    def _between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def _colour(self, low: float = 40, high: float = 225) -> paint.Colour:
        grey = self._between(low, high)
        blue, green, red = (float(np.clip(grey + c, 15, 240)) for c in self.rng.normal(0, 15, 3))
        return blue, green, red

    def _spot(self, near: float = 0.8, margin: float = 0.3) -> tuple[float, float]:
        """Give x and z of a place on the floor that the camera may see."""
        z = 1 / self._between(1 / max(near + 0.2, self.back - margin), 1 / near)
        reach = 0.62 * z
        return float(np.clip(self._between(-reach, reach), self.left + margin, self.right - margin)), z

    # ---- what a large surface looks like

    def _covering(self, wide: float, tall: float, z: float) -> Painted:
        """Paint a wall: plain, rough, papered, tiled, panelled or clouded."""
        rows, columns = self.b.texels(tall, z, 1400), self.b.texels(wide, z, 1400)
        kind, colour = self.rng.uniform(), self._colour(120, 225)
        if kind < 0.25:
            return paint.plaster(rows, columns, colour, self.rng), Surface.BLANK
        if kind < 0.55:  # rough enough to be seen
            grain = self._between(3, 9), self._between(6, 30)
            return paint.plaster(rows, columns, colour, self.rng, *grain), Surface.TEXTURED
        if kind < 0.66:
            dark = tuple(c * self._between(0.45, 0.9) for c in colour)
            return paint.stripes(
                64, columns, colour, (dark[0], dark[1], dark[2]), max(3, round(wide / self._between(0.05, 0.3)))
            ), Surface.REPEATED
        if kind < 0.74:
            return self._tiles(rows, columns, colour), Surface.REPEATED
        if kind < 0.86:
            return paint.planks(
                rows, columns, colour, self.rng, max(6, columns // 9), 4 * max(rows, columns)
            ), Surface.TEXTURED
        tone = paint.clouds(rows, columns, self.rng, columns / self._between(4, 20), 6, 0.7)
        return paint.done(paint.flat(rows, columns, colour) + tone[..., None] * self._between(12, 30)), Surface.TEXTURED

    def _tiles(self, rows: int, columns: int, colour: paint.Colour) -> U8:
        """Lay equal tiles with joints, all alike."""
        side = max(8, columns // int(self.rng.integers(6, 26)))
        tile = paint.plaster(side, side, colour, self.rng, self._between(0, 5))
        tile[: max(1, side // 12)] = tile[:, : max(1, side // 12)] = np.uint8(np.mean(colour) * self._between(0.4, 0.8))
        return np.ascontiguousarray(np.tile(tile, (rows // side + 1, columns // side + 1, 1))[:rows, :columns])

    def _walls(self) -> None:
        """Put up back wall, sides, floor and ceiling; some are missing, and then there is another wall far behind."""
        b, x0, x1, back = self.b, self.left, self.right, self.back
        tall, wide, deep = self.floor - self.ceiling, x1 - x0, back + 0.3
        far = back * 1.6
        b.quad(
            "wall", (-4 * far, -2 * far, far), (8 * far, 0, 0), (0, 4 * far, 0), *self._covering(8 * far, 4 * far, far)
        )
        # The back wall in one to three pieces, each with a covering of its own; a gap may show what is behind.
        edges = [x0, *sorted(self._between(x0, x1) for _ in range(int(self.rng.integers(0, 3)))), x1]
        gap = int(self.rng.integers(0, 2 * len(edges)))
        for number, (a, e) in enumerate(pairwise(edges)):
            if number != gap:
                b.quad("wall", (a, self.ceiling, back), (e - a, 0, 0), (0, tall, 0), *self._covering(e - a, tall, back))
        for x in (x0, x1):
            if self._chance(0.8):
                made = self._covering(deep, tall, back * 0.6)
                b.quad(
                    "wall",
                    (x, self.ceiling, back if x > 0 else -0.3),
                    (0, 0, -deep if x > 0 else deep),
                    (0, tall, 0),
                    *made,
                )
        if self._chance(0.6):
            b.quad(
                "wall", (x0, self.ceiling, back), (wide, 0, 0), (0, 0, -deep), *self._covering(wide, deep, back * 0.6)
            )
        colour, rows, columns = self._colour(80, 200), b.texels(deep, 1.8, 1400), b.texels(wide, 1.8, 1400)
        kind = self.rng.uniform()
        if kind < 0.4:
            floor = paint.planks(rows, columns, colour, self.rng, max(8, columns // 18), rows // 2), Surface.TEXTURED
        elif kind < 0.6:
            floor = paint.cloth(rows, columns, colour, self.rng, self._between(5, 14)), Surface.TEXTURED
        elif kind < 0.7:
            floor = self._tiles(rows, columns, colour), Surface.REPEATED
        else:
            floor = self._covering(wide, deep, 1.8)
        b.quad("wall", (x0, self.floor, back), (wide, 0, 0), (0, 0, -deep), *floor)
        if self._chance(0.5):
            x, z = self._spot(1.2)
            w, d = self._between(0.8, 2.0), self._between(0.6, 1.4)
            rug = paint.rug(b.texels(d, z), b.texels(w, z), self.rng)
            b.quad(FLAT_ON_WALLS, (x - w / 2, self.floor - 0.01, z + d / 2), (w, 0, 0), (0, 0, -d), rug)
        if self._chance(0.5):
            self._window()
        for x in (x0 + 0.02, x1 - 0.02):
            if self._chance(0.3):
                z, w, h = self._between(0.5, 0.9) * back, self._between(0.3, 1.0), self._between(0.3, 0.8)
                art = paint.shapes_print(b.texels(h, z), b.texels(w, z), self.rng)
                y = self._between(self.ceiling * 0.8, 0)
                b.quad(FLAT_ON_WALLS, (x, y, z + (w if x > 0 else 0)), (0, 0, -w if x > 0 else w), (0, h, 0), art)

    def _window(self) -> None:
        """A bright window with bars, on the back wall."""
        b, z = self.b, self.back - 0.02
        w, h = self._between(0.5, 1.3), self._between(0.6, 1.2)
        x, y = self._between(self.left, self.right - w), self._between(self.ceiling, 0.1)
        view = paint.view_outside(b.texels(h, z), b.texels(w, z), self.rng)
        b.quad(FLAT_ON_WALLS, (x, y, z), (w, 0, 0), (0, h, 0), view, shine=self._between(0.3, 2.0))
        for part in np.linspace(0, 1, int(self.rng.integers(2, 5))):
            bar = paint.plaster(8, 8, (210, 214, 216), self.rng)
            b.quad("bar", (x + part * w - 0.02, y, z - 0.03), (0.04, 0, 0), (0, h, 0), bar, Surface.BLANK)
        for part in (0.0, self._between(0.3, 0.6), 1.0):
            bar = paint.plaster(8, 8, (210, 214, 216), self.rng)
            b.quad("bar", (x, y + part * h - 0.02, z - 0.03), (w, 0, 0), (0, 0.04, 0), bar, Surface.BLANK)

    # ---- what stands in it

    def _material(self) -> str:
        return str(self.rng.choice(("wood", "cloth", "plaster"), p=(0.5, 0.35, 0.15)))

    def _box(self, name: str, x: float, y: float, z: float, size: tuple[float, float, float], yaw: float = 0.0) -> None:
        kind = self._material()
        plain = Surface.BLANK if kind == "plaster" else Surface.TEXTURED
        self.b.box(name, (x, y, z), size, self._colour(), yaw_deg=yaw, texture=kind, surface=plain)

    def _table(self) -> None:
        x, z = self._spot(0.8)
        w, d, h, yaw = (
            self._between(0.4, 1.4),
            self._between(0.3, 0.8),
            self._between(0.35, 0.8),
            self._between(-40, 40),
        )
        R, top = turn_xyz(0, yaw, 0), self.floor - h
        self._box("top", x, top + 0.03, z, (w, self._between(0.015, 0.05), d), yaw)
        colour, thick = self._colour(30, 170), self._between(0.006, 0.03)
        for dx in (-0.45, 0.45):
            for dz in (-0.45, 0.45):
                foot = R @ np.array([dx * w, 0, dz * d]) + [x, self.floor, z]
                self.b.rod("leg", foot, foot - [0, h - 0.03, 0], thick, colour)
        for _ in range(int(self.rng.integers(0, 5))):
            place = R @ np.array([self._between(-0.4, 0.4) * w, 0, self._between(-0.4, 0.4) * d]) + [x, top, z]
            self._thing(*place)

    def _thing(self, x: float, y: float, z: float) -> None:
        """Something small that stands on something."""
        kind, tall = self.rng.uniform(), self._between(0.06, 0.3)
        rows = self.b.texels(tall, z)
        if kind < 0.4:
            size = self._between(0.05, 0.25), tall, self._between(0.05, 0.2)
            self._box("thing", x, y, z, size, self._between(-60, 60))
        elif kind < 0.75:
            skin = paint.cloth(rows, 3 * rows, self._colour(), self.rng, self._between(4, 10), 3)
            r = self._between(0.02, 0.09)
            self.b.cone("thing", (x, y, z), r, r * self._between(0.4, 1.4), tall, skin)
        else:
            r = tall / 3
            self.b.ball("thing", (x, y - r, z), r, paint.cloth(rows, 2 * rows, self._colour(), self.rng, 8))

    def _chair(self) -> None:
        x, z = self._spot(0.8)
        yaw, side, seat = self._between(-180, 180), self._between(0.3, 0.5), self.floor - self._between(0.35, 0.5)
        top = seat - self._between(0.3, 0.6)
        R, colour, thick = turn_xyz(0, yaw, 0), self._colour(30, 190), self._between(0.006, 0.02)

        def at(dx: float, y: float, dz: float) -> np.ndarray:
            return np.asarray(R @ np.array([dx * side, 0, dz * side]) + [x, y, z])

        self._box("seat", x, seat + 0.03, z, (side, 0.03, side), yaw)
        for dx in (-0.45, 0.45):
            self.b.rod("leg", at(dx, self.floor, -0.45), at(dx, seat, -0.45), thick, colour)
            self.b.rod("leg", at(dx, self.floor, 0.45), at(dx, top, 0.5), thick, colour)
        for dx in np.linspace(-0.4, 0.4, int(self.rng.integers(0, 7))):
            self.b.rod("bar", at(dx, seat, 0.45), at(dx, top, 0.5), thick * 0.6, colour)
        for y in np.linspace(top, seat - 0.05, int(self.rng.integers(1, 4))):
            self.b.rod("bar", at(-0.45, y, 0.48), at(0.45, y, 0.48), thick * 0.9, colour)

    def _shelf(self) -> None:
        """Boards with books and things, against the back wall or in the middle of the room."""
        b, deep = self.b, self._between(0.15, 0.35)
        x, z = self._spot(1.5)
        z = self.back - deep / 2 - 0.02 if self._chance(0.6) else z
        w, tall, colour = self._between(0.4, 1.3), self._between(0.7, 2.0), self._colour(30, 200)
        for dx in (-w / 2, w / 2):
            b.box("side", (x + dx, self.floor, z), (0.03, tall, deep), colour)
        if self._chance(0.6):
            sheet = paint.wood(b.texels(tall, z), b.texels(w, z), colour, self.rng)
            b.quad("sheet", (x - w / 2, self.floor - tall, z + deep / 2), (w, 0, 0), (0, tall, 0), sheet)
        step = self._between(0.25, 0.45)
        for y in np.arange(self.floor - 0.1, self.floor - tall, -step):
            b.box("board", (x, y, z), (w, 0.025, deep), colour)
            at = x - w / 2 + 0.03
            while at < x + w / 2 - 0.05 and self._chance(0.93):
                wide, high = self._between(0.015, 0.06), self._between(0.5, 0.9) * step
                if self._chance(0.85):
                    back = paint.spine(b.texels(high, z), b.texels(wide, z), self.rng)
                    b.quad("book", (at, y - 0.025 - high, z - deep / 2 + 0.03), (wide, 0, 0), (0, high, 0), back)
                at += wide + 0.002

    def _cupboard(self) -> None:
        x, z = self._spot(1.2)
        size = self._between(0.3, 1.2), self._between(0.3, 1.9), self._between(0.25, 0.6)
        self._box("cupboard", x, self.floor, z, size, self._between(-45, 45) if self._chance(0.5) else 0.0)
        if size[1] < 1.0 and self._chance(0.6):
            self._thing(x, self.floor - size[1], z)

    def _lamp(self) -> None:
        x, z = self._spot(0.8)
        top = self.floor - self._between(0.4, 1.7)
        self.b.rod("pole", (x, self.floor, z), (x, top, z), self._between(0.004, 0.016), self._colour(30, 120))
        shade = paint.plaster(40, 120, self._colour(190, 240), self.rng)
        r = self._between(0.08, 0.2)
        shine = self._between(0.8, 2.5) if self._chance(0.5) else 0.0
        self.b.cone(
            "shade", (x, top, z), r, r * self._between(0.4, 1), self._between(0.1, 0.3), shade, shine, Surface.BLANK
        )

    def _plant(self) -> None:
        b, (x, z) = self.b, self._spot(0.7)
        up = self._between(0.15, 0.35)
        pot = paint.cloth(b.texels(up, z), b.texels(3 * up, z), self._colour(), self.rng, self._between(4, 10))
        b.cone("pot", (x, self.floor, z), up * 0.4, up * 0.55, up, pot)
        for _ in range(int(self.rng.integers(4, 16))):
            turn, out, rise = self._between(0, 6.28), self._between(0.05, 0.25), self._between(0.15, 0.9)
            tip = np.array([x + out * np.cos(turn), self.floor - up - rise, z + out * np.sin(turn)])
            b.rod("stem", (x, self.floor - up, z), tip, self._between(0.002, 0.006), (50, 96, 70))
            self._leaf(tip, self._between(0.08, 0.35), z)

    def _leaf(self, root: np.ndarray, long: float, z: float) -> None:
        R = turn_xyz(*(self._between(-70, 70) for _ in range(3)))
        rows = max(24, self.b.texels(long, z, 700))
        green = paint.leaf(rows, max(14, rows // 2), self.rng, self._colour(60, 150))
        side = R[:, 0] * long * self._between(0.1, 0.3)
        self.b.quad("leaf", root - side, 2 * side, R[:, 1] * long, green)

    def _fence(self) -> None:
        """Upright bars at equal distances: a railing, a radiator, a crate."""
        x, z = self._spot(0.8)
        w, tall, count = self._between(0.3, 1.5), self._between(0.3, 1.1), int(self.rng.integers(4, 18))
        colour, thick, low = self._colour(), self._between(0.004, 0.02), self.floor - self._between(0, 0.4)
        for dx in np.linspace(-w / 2, w / 2, count):
            self.b.rod("bar", (x + dx, low, z), (x + dx, low - tall, z), thick, colour)
        for y in (low, low - tall):
            self.b.rod("rail", (x - w / 2, y, z), (x + w / 2, y, z), thick * 1.5, colour)

    def _stack(self) -> None:
        x, z = self._spot(0.8)
        y = self.floor
        for _ in range(int(self.rng.integers(1, 5))):
            size = self._between(0.15, 0.6), self._between(0.08, 0.4), self._between(0.15, 0.5)
            self._box("crate", x, y, z, size, self._between(-45, 45))
            y -= size[1]

    def _ball(self) -> None:
        x, z = self._spot(0.7)
        r = self._between(0.05, 0.3)
        rows = self.b.texels(3 * r, z, 700)
        skin = paint.beach_ball(rows, 2 * rows, self.rng) if self._chance(0.4) else look(self.rng, rows).texture
        self.b.ball("ball", (x, self.floor - r, z), r, skin[..., :3])

    def _poster(self) -> None:
        b, z = self.b, self.back - 0.02
        w, h = self._between(0.2, 0.9), self._between(0.2, 0.8)
        x, y = self._between(self.left, self.right - w), self._between(self.ceiling, 0.3)
        art = (paint.painting if self._chance(0.5) else paint.shapes_print)(b.texels(h, z), b.texels(w, z), self.rng)
        b.quad(FLAT_ON_WALLS, (x, y, z), (w, 0, 0), (0, h, 0), art)

    def _cord(self) -> None:
        """Something that hangs: a lamp, a ball or nothing on a cord."""
        x, z = self._spot(0.8)
        y = self._between(self.ceiling * 0.7, 0.2)
        self.b.rod("cord", (x, self.ceiling, z), (x, y, z), self._between(0.002, 0.008), self._colour(20, 200))
        if self._chance(0.7):
            self._thing(x, y + 0.1, z)

    def _screen(self) -> None:
        """A flat thing that stands up: a screen, a board, a door leaf."""
        x, z = self._spot(0.8)
        w, h, low = self._between(0.3, 1.0), self._between(0.3, 1.2), self.floor - self._between(0, 0.7)
        made, kind = self._covering(w, h, z)
        u = turn_xyz(0, self._between(-50, 50), 0)[:, 0] * w
        self.b.quad("screen", np.array([x, low - h, z]) - u / 2, u, (0, h, 0), made, kind)

    def _near(self) -> None:
        """Something close before the cameras."""
        for _ in range(int(self.rng.integers(1, 4))):
            z = self._between(0.25, 0.8)
            root = np.array([self._between(-0.4, 0.4) * z, self._between(-0.3, 0.3) * z, z])
            if self._chance(0.5):
                self._leaf(root, self._between(0.1, 0.3) * z, z)
            elif self._chance(0.5):
                self._thing(*root)
            else:
                tip = root + np.array([self._between(-0.3, 0.3), self._between(-0.3, 0.3), 0.1]) * z
                self.b.rod("rod", root, tip, self._between(0.003, 0.02) * z, self._colour())

    def _lit(self) -> list[Shape]:
        """Light it by the sky and one to three windows or lamps that are not seen themselves."""
        lamps = []
        for _ in range(int(self.rng.integers(1, 4))):
            corner = np.array(
                [self._between(self.left, self.right), self._between(self.ceiling, 0), self._between(-1, self.back)]
            )
            power = np.array(self._colour(120, 200)) / 180 * self._between(0.3, 3.0)
            lamps.append(Emitter(corner, np.array([0.5, 0, 0]), np.array([0, 0.3, 0.3]), power, (2, 2)))
        solid = [shape for shape in self.b.shapes if shape.name not in (FLAT_ON_WALLS, "wall", "book", "leaf", "bar")]
        sky = np.full(3, self._between(0.55, 0.95))
        return lit(self.b.shapes, Lighting(tuple(lamps), sky, sky * self._between(0.5, 0.9), Blockers(solid)))


def make_hall(seed: int) -> Heap:
    """Render a room."""
    rng = np.random.default_rng((seed, 717))
    size = SIZES[int(rng.integers(len(SIZES)))]
    rig = make_rig(50_000 + seed, size)
    return shoot(Hall(rng, rig.left.focal_px).scene(), rig, size, 50_000 + seed, rng)


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        made = make_hall(number)
        cv2.imwrite(f"{sys.argv[3]}/hall{number}.png", np.hstack([made.frame.left.image, made.frame.right.image]))
