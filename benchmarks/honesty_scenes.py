"""Random heaps of things, rendered with exact truth: what honest depth is fitted on.

No two alike: planes, balls, cones, bars and leaves with textures from rich to none, through cameras from excellent
to poor, at sizes and ranges from a small picture to a large one. Nothing here is copied from a real scene.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

from calibration.rectify import Rectification, make_rectification
from calibration.rig import StereoRig
from livestereo.sources.demo import paint
from livestereo.sources.demo.camera import Camera, sensors
from livestereo.sources.demo.lens import make_rig
from livestereo.sources.demo.scene import Scene
from livestereo.sources.demo.shapes import Cone, Look, Quad, Ribbon, Shape, Sphere, Surface, turn_xyz
from livestereo.sources.demo.truth import DemoTruth, TruthMaker
from livestereo.sources.demo.view import Moment, Stage, View
from livestereo.types import U8, Frame, StereoFrame

SIZES = ((450, 376), (640, 480), (740, 500), (960, 720), (640, 360), (320, 240))


@dataclass(frozen=True)
class Heap:
    """One rendered heap: a raw pair, the left picture before noise, the truth, the rectification, a range that fits."""

    frame: StereoFrame
    truth: DemoTruth
    rectification: Rectification
    clean_left: U8
    num_disparities: int


KINDS = (
    "clouds", "weak", "print", "painting", "cloth", "rug", "wood", "stripes", "tiles", "blank", "spine", "fine",
    "scene",
)  # fmt: skip
SHARES = (0.15, 0.05, 0.10, 0.08, 0.08, 0.07, 0.08, 0.06, 0.04, 0.09, 0.04, 0.04, 0.12)


def texture(rng: np.random.Generator, size: int, wall: bool = False) -> tuple[np.ndarray, Surface]:
    """Paint something: most of it rich, some poor, some blank or repeated; half the walls are as plain as walls are."""
    plain = wall and rng.uniform() < 0.5
    kind = rng.choice(("weak", "blank", "stripes", "clouds")) if plain else rng.choice(KINDS, p=SHARES)
    grey = float(rng.uniform(60, 225))
    colour = tuple(float(np.clip(grey + c, 20, 235)) for c in rng.normal(0, 28, 3))
    if kind == "scene":  # a whole picture of something: things before things, printed flat
        picture = paint.painting(size, size, rng).astype(np.float32)
        for _ in range(40):
            centre = tuple(int(v) for v in rng.uniform(0, size, 2))
            tone = tuple(float(c) for c in rng.uniform(20, 235, 3))
            axes = tuple(int(v) + 1 for v in rng.uniform(0.01, 0.09, 2) * size)
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, tone, -1, cv2.LINE_AA)
        grain = paint.clouds(size, size, rng, 10, 4, 0.9) * float(rng.uniform(2, 9))
        return paint.done(picture + grain[..., None]), Surface.TEXTURED
    if kind == "clouds":
        tone = paint.clouds(size, size, rng, size / rng.uniform(3, 20), 7, float(rng.uniform(0.55, 0.9)))
        return paint.done(
            paint.flat(size, size, colour) + tone[..., None] * float(rng.uniform(10, 48))
        ), Surface.TEXTURED
    if kind == "weak":
        relief = float(rng.uniform(0.2, 4))
        return paint.plaster(size, size, colour, rng, relief), Surface.BLANK if relief < 1.2 else Surface.TEXTURED
    if kind == "print":
        return paint.shapes_print(size, size, rng), Surface.TEXTURED
    if kind == "painting":
        return paint.painting(size, size, rng), Surface.TEXTURED
    if kind == "cloth":
        return paint.cloth(size, size, colour, rng, float(rng.uniform(2, 12)), 6), Surface.TEXTURED
    if kind == "rug":
        return paint.rug(size, size, rng), Surface.TEXTURED
    if kind == "wood":
        return paint.wood(size, size, colour, rng, float(rng.uniform(0.5, 1.8))), Surface.TEXTURED
    if kind == "stripes":
        light, dark = colour, tuple(c * float(rng.uniform(0.25, 0.8)) for c in colour)
        made = paint.stripes(size, size, light, dark, int(rng.integers(6, 36)))
        along = np.abs(np.diff(made[..., 1].astype(np.int16), axis=1)).sum()
        down = np.abs(np.diff(made[..., 1].astype(np.int16), axis=0)).sum()
        upright = made if along > down else np.ascontiguousarray(made.transpose(1, 0, 2))
        return (upright if rng.uniform() < 0.85 else upright.transpose(1, 0, 2).copy()), Surface.REPEATED
    if kind == "tiles":
        side = int(rng.integers(8, 40))
        tile = paint.shapes_print(side * 2, side * 2, rng) if rng.uniform() < 0.5 else paint.painting(side, side, rng)
        tile = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA)
        count = size // side + 1
        return np.ascontiguousarray(np.tile(tile, (count, count, 1))[:size, :size]), Surface.REPEATED
    if kind == "spine":
        return paint.spine(size, size, rng), Surface.TEXTURED
    if kind == "fine":
        tone = paint.clouds(size, size, rng, 4, 2, 0.9)
        return paint.done(
            paint.flat(size, size, colour) + tone[..., None] * float(rng.uniform(6, 25))
        ), Surface.TEXTURED
    return paint.plaster(size, size, colour, rng), Surface.BLANK


def look(rng: np.random.Generator, size: int, wall: bool = False) -> Look:
    """Dress a shape: texture, and light that falls off across it."""
    made, kind = texture(rng, max(16, min(size, 1400)), wall)
    start, end = rng.uniform(0.65, 1.3, 2)
    ramp = np.linspace(start, end, 8, dtype=np.float32)
    light = np.broadcast_to(ramp[None, :, None] if rng.uniform() < 0.5 else ramp[:, None, None], (8, 8, 3)).copy()
    return Look(made, kind, light=light)


def heap_scene(rng: np.random.Generator, focal_px: float) -> Scene:
    """Throw things before a wall and a floor."""
    far = float(rng.uniform(1.2, 6.0))
    near = far * float(np.exp(rng.uniform(np.log(0.12), np.log(0.6))))
    shapes: list[Shape] = []
    for _ in range(int(rng.integers(1, 3))):  # what stands behind everything, slanted
        R = turn_xyz(float(rng.uniform(-25, 25)), float(rng.uniform(-35, 35)), float(rng.uniform(0, 180)))
        wide = far * 5
        corner = np.array([0, 0, far * float(rng.uniform(1.0, 1.25))]) - R[:, 0] * wide / 2 - R[:, 1] * wide / 2
        shapes.append(Quad(corner, R[:, 0] * wide, R[:, 1] * wide, look(rng, int(wide * focal_px / far), True), "wall"))
    floor = look(rng, int(6 * focal_px / near))
    drop = far * float(rng.uniform(0.25, 0.6))
    shapes.append(
        Quad(
            np.array([-3 * far, drop, 2 * far]), np.array([6 * far, 0, 0]), np.array([0, 0, -1.9 * far]), floor, "floor"
        )
    )
    calm = bool(rng.uniform() < 0.4)  # few large things, as in rooms; else a clutter
    for number in range(int(rng.integers(3, 10)) if calm else int(rng.integers(8, 26))):
        z = float(1 / rng.uniform(1 / far, 1 / near))
        place = np.array([float(rng.uniform(-0.55, 0.55)) * z, float(rng.uniform(-0.42, 0.42)) * z, z])
        size = float(rng.uniform(0.05, 0.6 if calm else 0.32)) * z
        pixels = int(2 * size * focal_px / z * 1.2)
        kind = rng.choice(["quad", "sphere", "cone", "bar", "leaf"], p=[0.42, 0.2, 0.16, 0.12, 0.10])
        R = turn_xyz(*(float(a) for a in rng.uniform(-55, 55, 3)))
        name = f"{kind} {number}"
        if kind == "quad":
            u, v = R[:, 0] * size * float(rng.uniform(0.5, 2)), R[:, 1] * size * float(rng.uniform(0.5, 2))
            shapes.append(Quad(place - u / 2 - v / 2, u, v, look(rng, pixels * 2), name))
        elif kind == "sphere":
            shapes.append(Sphere(size / 2, look(rng, pixels * 2), name, place))
        elif kind == "cone":
            shapes.append(
                Cone(size / 2, size * float(rng.uniform(0.1, 0.6)), size, look(rng, pixels * 2), name, place, R[None])
            )
        elif kind == "bar":
            shapes.append(
                Ribbon(
                    place, place + R[:, 1] * size * 2.5, size * float(rng.uniform(0.01, 0.08)), look(rng, pixels), name
                )
            )
        else:
            side, along = R[:, 0] * size * 0.4, R[:, 1] * size * 1.6
            shapes.append(
                Quad(place - side, 2 * side, along, Look(paint.leaf(max(pixels, 24), max(pixels // 2, 16), rng)), name)
            )
    return Scene("heap", tuple(shapes))


def make_heap(seed: int) -> Heap:
    """Render a heap."""
    rng = np.random.default_rng((seed, 909))
    size = SIZES[int(rng.integers(len(SIZES)))]
    rig = make_rig(1000 + seed, size)
    return shoot(heap_scene(rng, rig.left.focal_px), rig, size, seed, rng)


def shoot(scene: Scene, rig: StereoRig, size: tuple[int, int], seed: int, rng: np.random.Generator) -> Heap:
    """Take a pair of pictures of a scene with cameras from excellent to poor, and choose a range that fits."""
    quality = float(rng.uniform(0.15, 1.4))
    plain = bool(rng.uniform() < 0.5)  # half the cameras give their pictures uncompressed
    frames, clean = [], []
    for side, sensor in enumerate(sensors(1000 + seed)):
        own = replace(
            sensor, noise=sensor.noise * quality, blur_px=float(rng.uniform(0.25, 0.8)),
            sharpen=sensor.sharpen * float(rng.uniform(0, 1)),
            gain=sensor.gain * (1.0 if rng.uniform() < 0.5 else float(rng.uniform(0.9, 1.1))),
            jpeg=0 if plain else sensor.jpeg,
        )  # fmt: skip
        R, t = (np.eye(3), np.zeros(3)) if side == 0 else (rig.R_right_left, rig.t_right_left_m)
        R = R @ scene.R_left_world
        lens = rig.left if side == 0 else rig.right
        view = View(Stage(scene, lens, R, t), Camera(own, size, (seed, side)))
        picture = view.picture(Moment(0.0))
        clean.append(picture)
        image, _ = view.camera.expose(picture, 0)
        frames.append(Frame(image, 0.0, 0))
    truth = TruthMaker(scene, rig).at(0, 0.0)
    known = truth.disparity_px[np.isfinite(truth.disparity_px)]
    nearest = float(np.quantile(known, 0.995)) * float(rng.uniform(1.0, 1.8)) + 4
    count = int(np.ceil(max(nearest, 32) / 16)) * 16
    pair = StereoFrame(frames[0], frames[1], 0)
    return Heap(pair, truth, make_rectification(rig), clean[0], min(count, size[0] // 3 // 16 * 16))


if __name__ == "__main__":
    import sys

    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        made = make_heap(number)
        cv2.imwrite(f"{sys.argv[3]}/heap{number}.png", np.hstack([made.frame.left.image, made.frame.right.image]))
