"""How well a rig explains common corners: distance to epipolar lines, row difference after rectification."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.rectify import Rectification, make_rectification
from calibration.rig import StereoRig

Array = NDArray[np.float64]

# Cosine of 60°: a plane picture is stretched four times there and more, and says nothing of how good a rig is.
_STEEP = 0.5


def epipolar_distances_px(rig: StereoRig, left_px: Array, right_px: Array) -> Array:
    """Give the distance of undistorted corners (N,2) to their epipolar lines, px, left ones then right ones (2N,); NaN
    for corners more than 60° off the axis of a very wide lens.

    With x = K⁻¹ u of the undistorted corner, x_rightᵀ [t]× R x_left = 0 (Longuet-Higgins 1981).
    """
    rays = [_plane(rays_of_pixels(camera, px)) for camera, px in ((rig.left, left_px), (rig.right, right_px))]
    x, y, z = rig.t_right_left_m / rig.baseline_m
    E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rig.R_right_left
    lines_right, lines_left = rays[0] @ E.T, rays[1] @ E
    off = np.sum(rays[1] * lines_right, axis=1)
    left = np.abs(off) / np.hypot(lines_left[:, 0] / rig.left.K[0, 0], lines_left[:, 1] / rig.left.K[1, 1])
    right = np.abs(off) / np.hypot(lines_right[:, 0] / rig.right.K[0, 0], lines_right[:, 1] / rig.right.K[1, 1])
    return np.concatenate([left, right])


def vertical_px(rig: StereoRig, focal_px: float, left_px: Array, right_px: Array) -> Array:
    """Give the row difference right − left (N,) of corners rectified by a rig, px at that focal length; NaN for corners
    more than 60° off the rectified axis.

    Raises:
        CalibrationError: the rig cannot be rectified.
    """
    R_left, R_right, _ = rotations(rig)
    rows = []
    for camera, R, px in ((rig.left, R_left, left_px), (rig.right, R_right, right_px)):
        turned = np.asarray(rays_of_pixels(camera, px)) @ R.T
        rows.append(focal_px * _plane(turned)[:, 1])
    return np.asarray(rows[1] - rows[0])


def try_rectification(rig: StereoRig) -> tuple[Rectification | None, str]:
    """Rectify without maps; None and the reason where the rig cannot be rectified."""
    try:
        return make_rectification(rig, maps=False), ""
    except CalibrationError as error:
        return None, error.what


def axis_angles_deg(rig: StereoRig) -> tuple[float, float]:
    """Give the angle of the relative rotation, and the toe-in: how far the optical axes converge, degrees.

    Toe-in is measured in the plane of the baseline and the mean axis; it is negative where the axes diverge.
    """
    R = rig.R_right_left
    angle = np.degrees(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1)))
    axis_left, axis_right = np.array([0.0, 0.0, 1.0]), R[2]
    across = -R.T @ rig.t_right_left_m
    across = across / np.linalg.norm(across)
    forward = axis_left + axis_right
    forward = forward - across * (forward @ across)
    length = float(np.linalg.norm(forward))
    if length < 1e-9:
        return float(angle), float("nan")
    forward = forward / length
    lean = [np.arctan2(axis @ across, axis @ forward) for axis in (axis_left, axis_right)]
    return float(angle), float(np.degrees(lean[0] - lean[1]))


def _plane(rays: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.where(rays[:, 2:] > _STEEP, rays / rays[:, 2:], np.nan))
