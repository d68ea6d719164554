"""EuRoC: two sensor.yaml files, left and right, each with its camera's pose in the body's frame. Read only.

`T_BS` takes a point from the camera's frame to the body's, so T_right_left = T_BS_right⁻¹ T_BS_left
(Burri et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.exchange.base import (
    Format,
    Imported,
    Options,
    Text,
    load_mapping,
    make_camera,
    make_rig,
    numbers,
    rotation,
    try_mapping,
    whole_size,
    wrong,
)  # fmt: skip
from calibration.rig import Array, Intrinsics, LensModel

_MODELS: dict[str, LensModel] = {
    "radial-tangential": "pinhole", "radtan": "pinhole", "plumb_bob": "pinhole", "none": "pinhole",
    "equidistant": "fisheye", "fisheye": "fisheye",
}  # fmt: skip


def recognises(text: Text) -> bool:
    """Tell by T_BS and intrinsics."""
    data = try_mapping(text)
    return "T_BS" in data and "intrinsics" in data


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read the left file and the right file, in this order."""
    (left, R_left, t_left), (right, R_right, t_right) = (_camera(text, load_mapping(text)) for text in texts)
    return Imported(make_rig(texts[1], left, right, R_right.T @ R_left, R_right.T @ (t_left - t_right)))


def _camera(text: Text, data: dict[str, Any]) -> tuple[Intrinsics, Array, Array]:
    if str(data.get("camera_model", "pinhole")) != "pinhole":
        raise wrong(text, "camera_model", f"must be pinhole, is {data.get('camera_model')}")
    name = str(data.get("distortion_model", "radial-tangential")).lower()
    if name not in _MODELS:
        raise wrong(text, "distortion_model", f"must be one of {', '.join(_MODELS)}, is {name}")
    fx, fy, cx, cy = numbers(text, data.get("intrinsics"), "intrinsics", 4)
    if fx <= 0 or fy <= 0:
        raise wrong(text, "intrinsics", "must begin with positive focal lengths")
    values = numbers(text, data.get("distortion_coefficients"), "distortion_coefficients", (4, 5))
    if len(values) == 5 and _MODELS[name] == "fisheye":
        raise wrong(text, "distortion_coefficients", "must have 4 numbers, has 5")
    size = whole_size(text, data["resolution"], "resolution") if "resolution" in data else None
    T = numbers(text, data.get("T_BS"), "T_BS", 16).reshape(4, 4)
    if np.abs(T[3] - [0, 0, 0, 1]).max() > 1e-9:
        raise wrong(text, "T_BS", "must end with the row 0, 0, 0, 1")
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    camera = make_camera(text, K, values, _MODELS[name], size, "distortion_coefficients")
    return camera, rotation(text, T[:3, :3].ravel(), "T_BS"), T[:3, 3]


FORMAT = Format("euroc", "EuRoC sensor.yaml, left and right", (2, 2), recognises, read)
