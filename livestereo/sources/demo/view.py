"""What one camera sees of a scene: the still part rendered once, moving things rendered into each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Intrinsics
from livestereo.sources.demo.camera import Camera
from livestereo.sources.demo.lens import Grid, undistort
from livestereo.sources.demo.render import Painter, average, cast
from livestereo.sources.demo.scene import Mover, Scene
from livestereo.sources.demo.shapes import F64, Shape, place
from livestereo.types import F32, U8

# A part of a picture: row0, row1, column0, column1, px.
Part = tuple[int, int, int, int]
# Places looked at in each pixel, each way. What moves is painted anew in every picture, so it gets fewer.
SAMPLES = 3
MOVING_SAMPLES = 2
BAND_PX = 32
# Sub-samples beside a moving thing may belong to it: its shadow lies this much nearer than the floor it darkens.
SHADOW_SLACK = np.float32(1.004)
GLARE = 0.055


@dataclass(frozen=True)
class Moment:
    """When a picture is taken: the middle of the first row's exposure, and how long rows and exposure take, s.

    flash: (H,) float32 how much more light each row gets, or None.
    """

    t_s: float
    readout_s: float = 0.0
    exposure_s: float = 0.0
    flash: NDArray[np.float32] | None = None


def place_mover(mover: Mover, times: F64, R_camera_world: F64, t_camera_world: F64) -> list[Shape]:
    """Put a moving thing where it is at each of n times, in a camera's frame."""
    R, p = mover.motion(times)
    R_camera = R_camera_world @ R
    p_camera = p @ R_camera_world.T + t_camera_world
    return [shape.at(R_camera, p_camera) for shape in mover.shapes]


class Stage:
    """A scene as the light that reaches one camera. Prepared on construction; afterwards read only.

    light: (H,W,3) float32, what never moves. nearness: 1/z of it at `MOVING_SAMPLES` × `MOVING_SAMPLES` places in each
    pixel.
    """

    def __init__(self, scene: Scene, lens: Intrinsics, R_camera_world: F64, t_camera_world: F64) -> None:
        assert lens.size_wh is not None
        self.scene = scene
        self.size_wh = lens.size_wh
        self.R = R_camera_world
        self.t = t_camera_world
        self.painter = Painter(R_camera_world)
        w, h = lens.size_wh
        # One pixel more on every side, so that places between pixels are interpolated up to the edge.
        u, v = np.meshgrid(np.arange(-1.0, w + 1), np.arange(-1.0, h + 1))
        self._x, self._y = undistort(lens, u, v)
        self.light, self.nearness = self._still()

    def coarse(self) -> Grid:
        """Rays of the pixels."""
        return Grid(self._x[1:-1, 1:-1], self._y[1:-1, 1:-1])

    def place(self, mover: Mover, times: F64) -> list[Shape]:
        """Put a moving thing where it is at each of n times."""
        return place_mover(mover, times, self.R, self.t)

    def grid(self, row0: int, row1: int, column0: int, column1: int, samples: int) -> Grid:
        """Rays of `samples` × `samples` places in each pixel of a part of the picture."""
        part = slice(row0, row1 + 2), slice(column0, column1 + 2)
        s = samples
        size = ((column1 - column0 + 2) * s, (row1 - row0 + 2) * s)
        fine = [cv2.resize(c[part], size, interpolation=cv2.INTER_LINEAR)[s:-s, s:-s] for c in (self._x, self._y)]
        return Grid(np.ascontiguousarray(fine[0]), np.ascontiguousarray(fine[1]))

    def _still(self) -> tuple[F32, F32]:
        """Render what never moves: linear light (H,W,3), and 1/z of the places where moving things are looked for."""
        shapes = sorted(place(self.scene.shapes, self.R, self.t), key=_distance)
        w, h = self.size_wh
        light = np.empty((h, w, 3), np.float32)
        fine = MOVING_SAMPLES
        nearness = np.empty((h * fine, w * fine), np.float32)
        for top in range(0, h, BAND_PX):
            bottom = min(top + BAND_PX, h)
            seen = cast(shapes, self.grid(top, bottom, 0, w, SAMPLES), self.painter)
            assert seen.colour is not None
            light[top:bottom] = average(seen.colour, SAMPLES)
            nearness[top * fine : bottom * fine] = cast(shapes, self.grid(top, bottom, 0, w, fine)).q
        bright = np.maximum(light - 1, np.float32(0))
        if float(bright.max()) > 0.3:  # a lamp glares: part of its light goes everywhere around
            small = cv2.resize(bright, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
            spread = cv2.GaussianBlur(small, (0, 0), w / 180) * 0.6 + cv2.GaussianBlur(small, (0, 0), w / 48)
            light += np.float32(2 * GLARE) * cv2.resize(spread, (w, h), interpolation=cv2.INTER_LINEAR)
        return light, nearness


class View:
    """One camera before a stage: its pictures. Read only, so threads may share it."""

    def __init__(self, stage: Stage, camera: Camera) -> None:
        self.stage = stage
        self.camera = camera
        self.still: U8 = camera.develop(stage.light)

    def picture(self, moment: Moment) -> U8:
        """Give the picture (H,W,3) uint8 of a moment, before noise and JPEG."""
        placed: dict[str, list[Shape]] = {}
        parts = self._parts(moment, placed)
        if moment.flash is not None:
            light = self.stage.light.copy()
            for part, movers in parts:
                light[part[0] : part[1], part[2] : part[3]] = self._light(part, movers, moment, placed)
            return self.camera.develop(light * (1 + moment.flash)[:, None, None])
        picture = self.still.copy()
        for part, movers in parts:
            self._redraw(picture, part, self._light(part, movers, moment, placed))
        return picture

    def _parts(self, moment: Moment, placed: dict[str, list[Shape]]) -> list[tuple[Part, list[Mover]]]:
        """Find where movers are: parts of the picture (row0, row1, column0, column1), those that overlap joined."""
        w, h = self.stage.size_wh
        reach = self.camera.reach + 1
        span = moment.readout_s + moment.exposure_s / 2
        times = np.array([moment.t_s]) if span == 0 else moment.t_s + np.array([-moment.exposure_s / 2, span / 2, span])
        coarse = self.stage.coarse()
        parts: list[tuple[Part, list[Mover]]] = []
        for mover in self.stage.scene.movers:
            shapes = self.stage.place(mover, times)
            if len(times) == 1:
                placed[mover.name] = shapes
            boxes = [shape.box for shape in shapes]
            found = [coarse.window(_wider(box)) for box in boxes if box is not None]
            windows = [window for window in found if window is not None]
            if not windows:
                continue
            row0, column0 = min(x[0] for x in windows) - reach, min(x[2] for x in windows) - reach
            row1, column1 = max(x[1] for x in windows) + reach, max(x[3] for x in windows) + reach
            part = max(row0, 0), min(row1, h), max(column0, 0), min(column1, w)
            group = [mover]
            overlapping = [other for other in parts if _overlap(other[0], part)]
            for other in overlapping:
                parts.remove(other)
                part = _joined(part, other[0])
                group = other[1] + group
            parts.append((part, [m for m in self.stage.scene.movers if m in group]))
        return parts

    def _light(
        self, part: Part, movers: Sequence[Mover], moment: Moment, placed: dict[str, list[Shape]]
    ) -> F32:  # fmt: skip
        """Give the light (h,w,3) of a part of the picture with what moves in it."""
        row0, row1, column0, column1 = part
        fine = MOVING_SAMPLES
        painter, grid = self.stage.painter, self.stage.grid(*part, MOVING_SAMPLES)
        times = self._times(row0, row1, moment)
        light = self.stage.light[row0:row1, column0:column1]
        standing = self.stage.nearness[row0 * fine : row1 * fine, column0 * fine : column1 * fine]
        solid: list[Shape] = []
        for mover in movers:
            shapes = placed[mover.name] if mover.name in placed else self.stage.place(mover, times)
            if not mover.shadow:
                solid += shapes
                continue
            seen = cast(shapes, grid, painter, near=standing / SHADOW_SLACK)
            assert seen.colour is not None
            darker = np.where(seen.index >= 0, seen.colour[..., 0], np.float32(1))
            light = light * average(darker, fine)[..., None]
        seen = cast(solid, grid, painter, near=standing)
        assert seen.colour is not None
        light = light * average((seen.index < 0).astype(np.float32), fine)[..., None]
        light += average(seen.colour, fine)
        return light

    def _redraw(self, picture: U8, part: Part, light: F32) -> None:
        """Develop a part and put it into the picture, but for a margin that lacks its surroundings."""
        row0, row1, column0, column1 = part
        margin = self.camera.reach
        developed = self.camera.develop(light, (slice(row0, row1), slice(column0, column1)))
        w, h = self.stage.size_wh
        top, left = (0 if row0 == 0 else margin), (0 if column0 == 0 else margin)
        bottom = developed.shape[0] - (0 if row1 == h else margin)
        right = developed.shape[1] - (0 if column1 == w else margin)
        picture[row0 + top : row0 + bottom, column0 + left : column0 + right] = developed[top:bottom, left:right]

    def _times(self, row0: int, row1: int, moment: Moment) -> F64:
        """When each row of sub-samples is seen; one time for all where nothing makes them differ.

        The sub-samples of a pixel are spread over the exposure, which blurs what moves.
        """
        if moment.readout_s == 0 and moment.exposure_s == 0:
            return np.array([moment.t_s])
        _, h = self.stage.size_wh
        row = np.repeat(np.arange(row0, row1) / h, MOVING_SAMPLES)
        within = np.tile((np.arange(MOVING_SAMPLES) + 0.5) / MOVING_SAMPLES - 0.5, row1 - row0)
        return moment.t_s + moment.readout_s * row + moment.exposure_s * within


def _distance(shape: Shape) -> float:
    """Nearest first, roughly: what is hidden then need not be painted."""
    box = shape.box
    if box is None:
        return np.inf
    corners: NDArray[np.float64]
    corners = getattr(shape, "corner", getattr(shape, "centre", getattr(shape, "base", np.zeros((1, 3)))))
    return float(np.linalg.norm(corners))


def _wider(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return box[0] - 2e-3, box[1] - 2e-3, box[2] + 2e-3, box[3] + 2e-3


def _overlap(a: Part, b: Part) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _joined(a: Part, b: Part) -> Part:
    return min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3])
