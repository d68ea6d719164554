"""What is really there: exact disparity, depth, occlusion and kind of surface at every pixel of the left view.

Each pixel's truth is that of the ray through its centre. Occlusion is found by casting the ray from the right
camera's centre to that very point: hidden is what something else meets first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification, make_rectification
from calibration.rig import Intrinsics, StereoRig
from livestereo.sources.demo.lens import Grid, pixel_grid, project, undistort
from livestereo.sources.demo.render import cast
from livestereo.sources.demo.scene import Scene
from livestereo.sources.demo.shapes import F64, Shape, Surface, place
from livestereo.sources.demo.view import place_mover
from livestereo.types import F32, U8, Reason

Mask = NDArray[np.bool_]
# A point is hidden if something is nearer by this part of its distance: 0.02 px at a disparity of 60 px.
SAME = np.float32(3e-4)


@dataclass(frozen=True)
class DemoTruth:
    """The truth of one pair in the rectified left view; all arrays (H,W).

    disparity_px, depth_m: float32, z of the rectified left camera; NaN where the left picture shows nothing.
    occluded: something nearer hides it from the right camera. out_of_view: the right picture ends before it.
    surface: uint8 of `Surface`. moving: part of a moving thing.
    raw: gives depth and surface in the left camera's raw (distorted) picture.
    """

    seq: int
    t_s: float
    disparity_px: F32
    depth_m: F32
    occluded: Mask
    out_of_view: Mask
    surface: U8
    moving: Mask
    raw: Callable[[], tuple[F32, U8]] = field(repr=False)

    @cached_property
    def _raw(self) -> tuple[F32, U8]:
        return self.raw()

    @property
    def raw_depth_m(self) -> F32:
        """Depth along the left camera's own axis, in its raw picture; computed on first use."""
        return self._raw[0]

    @property
    def visible(self) -> Mask:
        """Seen by both cameras."""
        return np.isfinite(self.disparity_px) & ~self.occluded & ~self.out_of_view

    def range_class(self, min_disparity_px: float, num_disparities: float) -> U8:
        """Tell which pixels a disparity range cannot hold: uint8 of `Reason` TOO_NEAR, TOO_FAR, else NONE."""
        kind = np.zeros(self.disparity_px.shape, np.uint8)
        kind[self.disparity_px > min_disparity_px + num_disparities - 1] = Reason.TOO_NEAR
        kind[self.disparity_px < min_disparity_px] = Reason.TOO_FAR
        return kind

    def reasons(self, min_disparity_px: float, num_disparities: float) -> U8:
        """Tell why each pixel would have no depth, if it had none: uint8 of `Reason`; NONE: nothing is shown there.

        What the right picture does not show comes first, then the range, then what hides it, then its surface.
        """
        why = np.full(self.surface.shape, Reason.UNKNOWN, np.uint8)
        why[self.surface == Surface.REPEATED] = Reason.REPEATED_TEXTURE
        why[self.surface == Surface.BLANK] = Reason.NO_TEXTURE
        why[self.occluded] = Reason.OCCLUDED
        outside = self.range_class(min_disparity_px, num_disparities)
        cv2.copyTo(outside, outside, why)
        why[self.out_of_view] = Reason.OUT_OF_VIEW
        why[~np.isfinite(self.disparity_px)] = Reason.NONE
        return why


class _Still:
    """One grid of rays from the left camera and everything about it that does not change with time."""

    def __init__(self, scene: Scene, rig: StereoRig, grid: Grid) -> None:
        self.grid = grid
        self._R = scene.R_left_world
        self._rig = rig
        self._t = rig.t_right_left_m / scene.unit_m
        self._left = place(scene.shapes, scene.R_left_world, np.zeros(3))
        self._right = place(scene.shapes, rig.R_right_left @ scene.R_left_world, self._t)
        self._seen = cast(self._left, grid)
        self._rays, _ = self._towards(self._seen.q)
        self._other = cast(self._right, self._rays).q
        self._surfaces = np.array([s.look.surface for s in self._left] + [Surface.NOTHING], np.uint8)

    def _towards(self, q: F32) -> tuple[Grid, F32]:
        """Rays from the right camera to the points met, and their q there."""
        # x_right = R x_left + t, divided by z_left: R (x, y, 1) + q t.
        R, t = self._rig.R_right_left.astype(np.float32), self._t.astype(np.float32)
        x, y = self.grid.x, self.grid.y
        parts = [R[i, 0] * x + R[i, 1] * y + R[i, 2] + t[i] * q for i in range(3)]
        return Grid(parts[0] / parts[2], parts[1] / parts[2]), q / parts[2]

    def at(self, scene: Scene, times: F64) -> tuple[F32, U8, Mask, Mask, Grid]:
        """Give q, surface, moving, hidden from the right, and the rays from the right camera.

        times: (1,), or (H,) one for each row of the grid (rolling shutter).
        """
        solid = [m for m in scene.movers if not m.shadow]
        left: list[Shape] = []
        right: list[Shape] = []
        R_right = self._rig.R_right_left @ self._R
        for mover in solid:
            left += place_mover(mover, times, self._R, np.zeros(3))
            right += place_mover(mover, times, R_right, self._t)
        seen = cast(left, self.grid, near=self._seen.q)
        moving = seen.index >= 0
        kinds = np.array([s.look.surface for s in left] + [Surface.NOTHING], np.uint8)
        surface = np.where(moving, kinds[seen.index], self._surfaces[self._seen.index])
        rays, there = self._towards(seen.q)
        other = self._still_from_right(rays, moving)
        other = cast(right, rays, near=other).q
        hidden = other > there * (1 + SAME)
        return seen.q, surface, moving, hidden & (seen.q > 0), rays

    def _still_from_right(self, rays: Grid, changed: Mask) -> F32:
        """What still shapes the right camera meets: known but for rays that changed."""
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return self._other
        part = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        out = self._other.copy()
        out[part[0] : part[1], part[2] : part[3]] = cast(self._right, rays.cut(*part)).q
        return out


class TruthMaker:
    """Gives the truth of a scene seen by a rig; what stands still is computed once."""

    def __init__(self, scene: Scene, rig: StereoRig) -> None:
        self.scene = scene
        self.rig = rig
        self.rectification = make_rectification(rig)
        self._still: dict[int, tuple[Rectification, _Still, Mask, F64]] = {}
        self._raw: _Still | None = None

    def at(
        self, seq: int, t_left_s: float, rectification: Rectification | None = None, readout_s: float = 0.0
    ) -> DemoTruth:
        """Give the truth at the left camera's moment (each row's, where its shutter rolls), in the rectified left view.

        rectification: another one than the exact rig's, one from a calibration say; the truth is then what a
        perfect matcher finds in pictures rectified that way, and the true depth along *its* axis.
        """
        made = rectification or self.rectification
        still, inside, raw_rows = self._for(made)
        h_raw = raw_rows.shape[0] if self.rig.left.size_wh is None else self.rig.left.size_wh[1]
        times = t_left_s + readout_s * raw_rows / h_raw if readout_s else np.array([t_left_s])
        q, surface, moving, hidden, rays = still.at(self.scene, times)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(inside & (q > 0), self.scene.unit_m / q, np.nan).astype(np.float32)
        axis = made.R_rect_left[2].astype(np.float32)
        depth = (axis[0] * still.grid.x + axis[1] * still.grid.y + axis[2]) * z
        u, v = project(self.rig.right, rays.x, rays.y)
        assert self.rig.right.size_wh is not None
        w, h = self.rig.right.size_wh
        beyond = ~((u >= 0) & (u <= w - 1) & (v >= 0) & (v <= h - 1))
        if rectification is None:
            disparity = np.float32(made.focal_px * made.baseline_m) / depth - np.float32(made.doffs_px)
        else:
            places = made.rectify_points(np.stack([u, v], -1).reshape(-1, 2).astype(np.float64), "right")
            column = np.arange(depth.shape[1], dtype=np.float32)[None]
            disparity = (column - places[:, 0].reshape(depth.shape)).astype(np.float32)
            disparity[~np.isfinite(depth)] = np.nan
        column = np.arange(depth.shape[1], dtype=np.float32)[None]
        matched = column - disparity
        beyond |= (matched < 0) | (matched > depth.shape[1] - 1)
        known = np.isfinite(depth)
        return DemoTruth(
            seq, t_left_s, disparity.astype(np.float32), depth.astype(np.float32), hidden & known, beyond & known,
            np.where(known, surface, Surface.NOTHING).astype(np.uint8), moving & known,
            lambda: self._raw_at(t_left_s, readout_s),
        )  # fmt: skip

    def _raw_at(self, t_left_s: float, readout_s: float) -> tuple[F32, U8]:
        if self._raw is None:
            self._raw = _Still(self.scene, self.rig, pixel_grid(self.rig.left))
        rows = self._raw.grid.x.shape[0]
        times = t_left_s + readout_s * np.arange(rows) / rows if readout_s else np.array([t_left_s])
        q, surface, *_ = self._raw.at(self.scene, times)
        with np.errstate(divide="ignore"):
            return np.where(q > 0, self.scene.unit_m / q, np.nan).astype(np.float32), surface

    def _for(self, rectification: Rectification) -> tuple[_Still, Mask, F64]:
        key = id(rectification)
        if key not in self._still:
            while len(self._still) >= 2:
                self._still.pop(next(iter(self._still)))
            grid, inside, rows = rectified_grid(self.rig.left, rectification)
            self._still[key] = rectification, _Still(self.scene, self.rig, grid), inside, rows
        return self._still[key][1:]


def rectified_grid(camera: Intrinsics, rectification: Rectification) -> tuple[Grid, Mask, F64]:
    """Rays of the left camera behind each rectified pixel, whether its picture reaches there, its row on average."""
    w, h = rectification.size_wh
    u, v = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
    raw: F64 = rectification.unrectify_points(np.stack([u, v], -1).reshape(-1, 2), "left")
    assert camera.size_wh is not None
    across, down = camera.size_wh
    raw = np.where(np.isfinite(raw), raw, -1e3).reshape(h, w, 2)
    inside = (raw[..., 0] >= 0) & (raw[..., 0] <= across - 1) & (raw[..., 1] >= 0) & (raw[..., 1] <= down - 1)
    clipped = np.clip(raw, -20, [across + 20, down + 20])
    x, y = undistort(camera, clipped[..., 0], clipped[..., 1])
    return Grid(x, y), inside, np.clip(clipped[..., 1], 0, down - 1).mean(axis=1)
