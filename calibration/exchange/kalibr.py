"""Kalibr's camchain.yaml: cam0 is the left camera, cam1 the right one, `T_cn_cnm1` takes a point from cam0 to cam1."""

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
    load_mapping,
    make_camera,
    make_rig,
    need_metric,
    need_size,
    number,
    numbers,
    rotation,
    rows,
    try_mapping,
    whole_size,
    wrong,
)  # fmt: skip
from calibration.rig import Intrinsics, LensModel
from calibration.rigfile import RigFile

_MODELS: dict[str, tuple[LensModel, int]] = {
    "radtan": ("pinhole", 4),
    "equidistant": ("fisheye", 4),
    "none": ("pinhole", 0),
}
# Kalibr's equidistant model has the four coefficients of the fisheye one, which describes ordinary lenses too.
ADVICE = "Write it as opencv or ros, or calibrate with --lens-model fisheye, which Kalibr knows as equidistant."


def recognises(text: Text) -> bool:
    """Tell by cam0 and its intrinsics."""
    camera = try_mapping(text).get("cam0")
    return isinstance(camera, dict) and "intrinsics" in camera


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read cam0 and cam1, or two neighbours that the caller names.

    Raises:
        CalibrationError: a field is missing or wrong, or the two are no neighbours.
    """
    text = texts[0]
    data = load_mapping(text)
    first, second = options.cameras or (0, 1)
    if second != first + 1:
        raise CalibrationError("A camchain links each camera to the one before it.", "Name two neighbours, as 0,1.")
    cameras = []
    for i in (first, second):
        part = data.get(f"cam{i}")
        if not isinstance(part, dict):
            raise wrong(text, f"cam{i}", "is missing: a stereo rig needs two cameras")
        cameras.append(_camera(text, part, f"cam{i}"))
    name = f"cam{second}.T_cn_cnm1"
    T = numbers(text, data[f"cam{second}"].get("T_cn_cnm1"), name, 16).reshape(4, 4)
    if np.abs(T[3] - [0, 0, 0, 1]).max() > 1e-9:
        raise wrong(text, name, "must end with the row 0, 0, 0, 1")
    R = rotation(text, T[:3, :3].ravel(), name)
    notes = []
    if options.cameras is None and "cam2" in data:
        notes.append("The camchain has more than two cameras: cam0 and cam1 are taken (--cameras 1,2 for others).")
    return Imported(make_rig(text, cameras[0], cameras[1], R, T[:3, 3]), notes=tuple(notes))


def write(rig_file: RigFile) -> tuple[str, ...]:
    """Write a camchain.

    Raises:
        CalibrationError: a lens needs more than Kalibr's four coefficients, or the rig has no picture size or no scale.
    """
    need_metric(rig_file, "Kalibr")
    rig = rig_file.rig
    sizes = need_size(rig, "Kalibr")
    out = []
    for i, (camera, size) in enumerate(zip((rig.left, rig.right), sizes)):
        side = ("left", "right")[i]
        values = camera.distortion
        if camera.model == "rational":
            raise CalibrationError(
                f"The {side} lens is of the rational model, and Kalibr has no such model: converting would change it.",
                ADVICE,
            )
        if camera.model == "pinhole" and values[4] != 0:
            raise CalibrationError(
                f"The {side} lens has k3 = {values[4]:.4g}, and Kalibr's radtan has no k3: it would be lost.",
                ADVICE,
            )
        K = camera.K
        out += [
            f"cam{i}:",
            "  camera_model: pinhole",
            f"  distortion_coeffs: [{rows(values[:4])}]",
            f"  distortion_model: {'equidistant' if camera.model == 'fisheye' else 'radtan'}",
            f"  intrinsics: [{rows(np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]]))}]",
            f"  resolution: [{size[0]}, {size[1]}]",
            f"  rostopic: /{side}/image_raw",
        ]
        if i == 1:
            out.append("  T_cn_cnm1:")
            for R_row, t in zip(rig.R_right_left, rig.t_right_left_m):
                out.append(f"  - [{rows(R_row)}, {number(t)}]")
            out.append("  - [0.0, 0.0, 0.0, 1.0]")
    return ("\n".join(out) + "\n",)


def _camera(text: Text, part: dict[str, Any], name: str) -> Intrinsics:
    if part.get("camera_model", "pinhole") != "pinhole":
        raise wrong(text, f"{name}.camera_model", f"must be pinhole, is {part.get('camera_model')}")
    model_name = str(part.get("distortion_model", "none"))
    if model_name not in _MODELS:
        raise wrong(text, f"{name}.distortion_model", f"must be one of {', '.join(_MODELS)}, is {model_name}")
    model, count = _MODELS[model_name]
    fx, fy, cx, cy = numbers(text, part.get("intrinsics"), f"{name}.intrinsics", 4)
    if fx <= 0 or fy <= 0:
        raise wrong(text, f"{name}.intrinsics", "must begin with positive focal lengths")
    values = np.zeros(0)
    if count:
        values = numbers(text, part.get("distortion_coeffs"), f"{name}.distortion_coeffs", count)
    size = whole_size(text, part["resolution"], f"{name}.resolution") if "resolution" in part else None
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return make_camera(text, K, values, model, size, f"{name}.distortion_coeffs")


FORMAT = Format("kalibr", "Kalibr camchain", (1, 1), recognises, read, write)
