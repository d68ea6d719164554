"""ROS: a pair of camera_info YAML files, left and right, as `camera_calibration` writes them.

They hold each camera's rectifying rotation R and projection P, from which the motion between the cameras follows
(sensor_msgs/CameraInfo): with x_rect = R_i x_i and P_right = K' [I | t'], R_right_left = R_rightᵀ R_left and
t = R_rightᵀ t'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.errors import CalibrationError
from calibration.exchange.base import (
    Format,
    Imported,
    Options,
    Text,
    camera_matrix,
    load_mapping,
    make_camera,
    make_rig,
    need_metric,
    need_size,
    numbers,
    rotation,
    rows,
    try_mapping,
    whole_size,
    wrong,
)  # fmt: skip
from calibration.rectify import SIDES, Rectification, make_rectification
from calibration.rig import Array, Intrinsics, LensModel
from calibration.rigfile import RigFile

_MODELS: dict[str, LensModel] = {
    "plumb_bob": "pinhole",
    "rational_polynomial": "rational",
    "equidistant": "fisheye",
    "fisheye": "fisheye",
}
_SHORT = {
    "K": "camera_matrix", "D": "distortion_coefficients", "R": "rectification_matrix", "P": "projection_matrix",
    "width": "image_width", "height": "image_height",
}  # fmt: skip
_NAMES = {"pinhole": "plumb_bob", "rational": "rational_polynomial", "fisheye": "equidistant"}


def recognises(text: Text) -> bool:
    """Tell by the fields of a CameraInfo."""
    data = _named(try_mapping(text))
    return "camera_matrix" in data and "projection_matrix" in data


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read the left file and the right file, in this order.

    Raises:
        CalibrationError: a field is missing or wrong, or the files stand the other way round.
    """
    cameras: list[tuple[Intrinsics, Array, Array]] = []
    for text in texts:
        cameras.append(_camera(text, _named(load_mapping(text))))
    (left, R_left, P_left), (right, R_right, P_right) = cameras
    text = texts[1]
    left_t, t = (np.linalg.solve(P[:, :3], P[:, 3]) for P in (P_left, P_right))
    if np.linalg.norm(left_t) > 0 and np.linalg.norm(t) == 0:
        raise CalibrationError(
            "The two files stand the other way round: the first is the right camera's.", "Exchange them."
        )
    if np.linalg.norm(t - left_t) == 0:
        raise CalibrationError(
            f"{text.name}: projection_matrix holds no baseline: the cameras were calibrated one by one.",
            "Export a stereo calibration.",
        )
    R = R_right.T @ R_left
    return Imported(make_rig(text, left, right, R, R_right.T @ (t - left_t)))


def _named(data: dict[str, Any]) -> dict[str, Any]:
    """Give fields the names of the YAML file; a message that was echoed has K, D, R, P (ROS 2: small) instead."""
    data = {**data, **{long: data[short] for short, long in _SHORT.items() if short in data and long not in data}}
    return {**data, **{long: data[short.lower()] for short, long in _SHORT.items()
                       if short.lower() in data and long not in data}}  # fmt: skip


def write(rig_file: RigFile) -> tuple[str, ...]:
    """Write the left and the right file.

    Raises:
        CalibrationError: the rig has no picture size or no scale, or cannot be rectified.
    """
    need_metric(rig_file, "ROS")
    rig = rig_file.rig
    need_size(rig, "ROS")
    made = make_rectification(rig, maps=False)
    turn, projections = _upright(made)
    return (
        _text(rig.left, turn @ made.R_rect_left, projections[0], "left"),
        _text(rig.right, turn @ made.R_rect_right, projections[1], "right"),
    )


def _upright(made: Rectification) -> tuple[Array, list[Array]]:
    """Turn rectified pictures upright, as ROS has them (P_right then holds a vertical baseline in its second row).

    Gives the rotation that does it and both projections.
    """
    w, h = made.size_wh
    turns = made.display_turns
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns]
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], dtype=np.float64)
    projections = []
    for side in SIDES:
        P = made.projection(side)
        cx, cy = P[0, 2], P[1, 2]
        upright = [(cx, cy), (cy, w - 1 - cx), (w - 1 - cx, h - 1 - cy), (h - 1 - cy, cx)][turns]
        K = np.array([[made.focal_px, 0, upright[0]], [0, made.focal_px, upright[1]], [0, 0, 1]])
        t = turn @ [-made.baseline_m if side == "right" else 0.0, 0, 0]
        projections.append(np.column_stack([K, made.focal_px * t]))
    return turn, projections


def _camera(text: Text, data: dict[str, Any]) -> tuple[Intrinsics, Array, Array]:
    name = str(data.get("distortion_model", "plumb_bob"))
    if name not in _MODELS:
        raise wrong(text, "distortion_model", f"must be one of {', '.join(_MODELS)}, is {name}")
    model = _MODELS[name]
    K = camera_matrix(text, numbers(text, data.get("camera_matrix"), "camera_matrix", 9), "camera_matrix")
    counts = {"pinhole": (0, 4, 5), "rational": (8, 12, 14), "fisheye": (4,)}[model]
    values = numbers(text, data.get("distortion_coefficients"), "distortion_coefficients", counts)
    size = None
    if "image_width" in data or "image_height" in data:
        size = whole_size(text, [data.get("image_width"), data.get("image_height")], "image_width and image_height")
    R = rotation(
        text, numbers(text, data.get("rectification_matrix"), "rectification_matrix", 9), "rectification_matrix"
    )
    P = numbers(text, data.get("projection_matrix"), "projection_matrix", 12).reshape(3, 4)
    camera_matrix(text, P[:, :3].ravel(), "projection_matrix")
    return make_camera(text, K, values, model, size, "distortion_coefficients"), R, P


def _text(camera: Intrinsics, R: Array, P: Array, name: str) -> str:
    assert camera.size_wh is not None
    values = camera.distortion

    def matrix(key: str, value: Array, height: int, width: int) -> str:
        return f"{key}:\n  rows: {height}\n  cols: {width}\n  data: [{rows(value)}]\n"

    return (
        f"image_width: {camera.size_wh[0]}\nimage_height: {camera.size_wh[1]}\ncamera_name: {name}\n"
        + matrix("camera_matrix", camera.K, 3, 3)
        + f"distortion_model: {_NAMES[camera.model]}\n"
        + matrix("distortion_coefficients", values, 1, len(values))
        + matrix("rectification_matrix", R, 3, 3)
        + matrix("projection_matrix", P, 3, 4)
    )


FORMAT = Format("ros", "ROS camera_info, left and right", (2, 2), recognises, read, write, files_out=2)
