"""How a measured point moves when the rig is a little different from what was calibrated.

What was seen stays: a pixel of each picture. A change of the rig turns these pixels into other directions, and the
point where the two meet moves. Distances and positions inherit the rig's covariance through these derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.bundle import camera_names
from calibration.projection import camera_vector, project_with_derivatives
from calibration.rig import StereoRig

Array = NDArray[Any]
_STEP = 1e-6


def triangulate(directions_left: Array, directions_right: Array, R_right_left: Array, t_right_left_m: Array) -> Array:
    """Meet rays (x, y, 1) of both cameras: points (N,3) in the left camera's frame, metres.

    On the left ray at depth z, the point lies at z·R·a + t in the right frame; z makes it parallel to b:
    b × (z·R·a + t) = 0 in least squares.
    """
    a, b = _homogeneous(directions_left), _homogeneous(directions_right)
    along = np.cross(b, a @ R_right_left.T)
    away = np.cross(b, np.broadcast_to(t_right_left_m, b.shape))
    z = -(along * away).sum(axis=1) / (along * along).sum(axis=1)
    return np.asarray(a * z[:, None])


def point_derivatives(rig: StereoRig, names: Sequence[str], points_left_m: Array) -> Array:
    """Give d(point)/d(unknown), (N,3,n), in the left camera's frame, for points (N,3) that were measured with `rig`.

    names: as in `Covariance.parameters`: `left.fx`, `rotation.x`, `translation.z`, …; unknown names give 0.
    """
    points = np.asarray(points_left_m, np.float64).reshape(-1, 3)
    in_right = points @ rig.R_right_left.T + rig.t_right_left_m
    seen = [p[:, :2] / p[:, 2:] for p in (points, in_right)]
    R, t = rig.R_right_left, rig.t_right_left_m

    def derivative(left: Array, right: Array, turn: Array, shift: Array) -> Array:
        """Central difference along one change of everything that matters."""
        ends = [
            triangulate(
                seen[0] + sign * _STEP * left, seen[1] + sign * _STEP * right,
                cv2.Rodrigues(sign * _STEP * turn)[0] @ R, t + sign * _STEP * shift,
            )
            for sign in (1, -1)
        ]  # fmt: skip
        return np.asarray((ends[0] - ends[1]) / (2 * _STEP))

    none2, none3 = np.zeros_like(seen[0]), np.zeros(3)
    columns: dict[str, Array] = {}
    for i, axis in enumerate("xyz"):
        unit = np.eye(3)[i]
        columns[f"rotation.{axis}"] = derivative(none2, none2, unit, none3)
        columns[f"translation.{axis}"] = derivative(none2, none2, none3, unit)
    for side, camera, plane in (("left", rig.left, seen[0]), ("right", rig.right, seen[1])):
        # A pixel stays where it is, so its direction moves by −(∂π/∂direction)⁻¹ ∂π/∂camera.
        _, by_point, by_camera = project_with_derivatives(_homogeneous(plane), camera_vector(camera), camera.model)
        moved = -np.linalg.solve(by_point[:, :, :2], by_camera)
        for k, name in enumerate(camera_names(side, camera.model)):
            change = moved[:, :, k]
            columns[name] = (
                derivative(change, none2, none3, none3) if side == "left" else derivative(none2, change, none3, none3)
            )
    nothing = np.zeros_like(points)
    return np.stack([columns.get(name, nothing) for name in names], axis=2)


def _homogeneous(plane: Array) -> Array:
    return np.column_stack([plane, np.ones(len(plane))])
