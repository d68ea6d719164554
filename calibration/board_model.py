"""A printed board as it really is: a little bent, a little longer one way, its points a little off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHAPE_NAMES = ("bend_x", "bend_y", "twist", "stretch")


class BoardModel:
    """Points of a board that is not quite flat and not quite square.

    z = bend_x (1 − u²) + bend_y (1 − v²) + twist u v, with u, v = −1..1 across and down the corners; y grows by
    1 + stretch (lengths across are taken as right). warp (N,3): what each point is off beyond that.
    """

    def __init__(self, points: Array, warp: Array | None = None) -> None:
        self.flat = points
        self.warp = np.zeros_like(points) if warp is None else warp
        middle = (points.max(axis=0) + points.min(axis=0)) / 2
        half = np.maximum((points.max(axis=0) - points.min(axis=0)) / 2, 1e-12)
        u, v = (points[:, 0] - middle[0]) / half[0], (points[:, 1] - middle[1]) / half[1]
        self._height = np.stack([1 - u * u, 1 - v * v, u * v], axis=1)
        self.extent = 2 * half[:2]
        self._low = np.stack([np.ones_like(u), u, v, u * u, v * v, u * v], axis=1)
        self.derivatives = np.zeros((len(points), 3, 4))
        self.derivatives[:, 2, :3] = self._height
        self.derivatives[:, 1, 3] = points[:, 1]

    def points(self, shape: Array) -> Array:
        """Give the points (N,3) of a board of this shape."""
        points = self.flat + self.warp
        points[:, 2] += self._height @ shape[:3]
        points[:, 1] += self.flat[:, 1] * shape[3]
        return points

    def with_warp(self, warp: Array) -> BoardModel:
        """Give the board with each point moved by a row of `warp` (N,3), less what a pose, a stretch, a shear or a
        bend explains."""
        if len(warp) <= self._low.shape[1]:
            return self
        left = warp.copy()
        for axis, terms in ((0, 3), (1, 3), (2, 6)):
            low = self._low[:, :terms]
            left[:, axis] -= low @ np.linalg.lstsq(low, left[:, axis], rcond=None)[0]
        return BoardModel(self.flat, left)

    def sagitta(self, shape: Array) -> float:
        """Give the largest distance of the surface from its own best plane, board units."""
        points = self.points(shape)
        design = np.column_stack([points[:, :2], np.ones(len(points))])
        plane = np.linalg.lstsq(design, points[:, 2], rcond=None)[0]
        off = points[:, 2] - design @ plane
        return float(off.max() - off.min())
