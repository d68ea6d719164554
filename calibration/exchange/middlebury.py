"""Middlebury's calib.txt (2014): a rectified pair; cam0 and cam1 as MATLAB matrices, baseline in millimetres, doffs.

cam0=[994.978 0 311.193; 0 994.978 254.877; 0 0 1]
cam1=[994.978 0 342.279; 0 994.978 254.877; 0 0 1]
doffs=31.086
baseline=193.001
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
    make_camera,
    make_rig,
    need_metric,
    number,
    numbers,
    whole_size,
    wrong,
)  # fmt: skip
from calibration.rectify import is_rectified
from calibration.rig import StereoRig
from calibration.rigfile import RigFile

_OWN = ("cam0", "cam1", "doffs", "baseline", "width", "height")


def recognises(text: Text) -> bool:
    """Tell by cam0=[…]."""
    return any(line.replace(" ", "").startswith("cam0=[") for line in text.content.splitlines())


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read a calib.txt. doffs must agree with the two principal points."""
    text = texts[0]
    data: dict[str, str] = {}
    for line in text.content.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            data[key.strip()] = value.strip()
    K0, K1 = (_matrix(text, data, name) for name in ("cam0", "cam1"))
    baseline = float(numbers(text, data.get("baseline"), "baseline", 1)[0])
    if baseline <= 0:
        raise wrong(text, "baseline", "must be positive (mm)")
    if "doffs" in data:
        doffs = float(numbers(text, data["doffs"], "doffs", 1)[0])
        # Files print three digits; cam0 and cam1 are what depth is computed from.
        if abs(doffs - (K1[0, 2] - K0[0, 2])) > 0.01:
            raise wrong(text, "doffs", f"must be cx1 − cx0 = {K1[0, 2] - K0[0, 2]:.3f}, is {doffs:g}")
    size = None
    if "width" in data or "height" in data:
        size = whole_size(text, [data.get("width"), data.get("height")], "width and height")
    left, right = (make_camera(text, K, np.zeros(0), "pinhole", size, "") for K in (K0, K1))
    rig = make_rig(text, left, right, np.eye(3), np.array([-baseline / 1000, 0, 0]))
    kept: dict[str, Any] = {key: value for key, value in data.items() if key not in _OWN}
    return Imported(rig, extra={"middlebury": kept} if kept else {})


def write(rig_file: RigFile) -> tuple[str, ...]:
    """Write a calib.txt of a rig that is rectified already; any other is refused."""
    need_metric(rig_file, "Middlebury")
    rig = rig_file.rig
    need_rectified(rig, "Middlebury's calib.txt")
    K0, K1 = rig.left.K, rig.right.K
    lines = [
        f"cam0={_text(K0)}",
        f"cam1={_text(K1)}",
        f"doffs={number(K1[0, 2] - K0[0, 2])}",
        f"baseline={number(-rig.t_right_left_m[0] * 1000)}",
    ]
    if rig.left.size_wh is not None:
        lines += [f"width={rig.left.size_wh[0]}", f"height={rig.left.size_wh[1]}"]
    kept = rig_file.extra.get("middlebury")
    if isinstance(kept, dict):
        lines += [f"{key}={value}" for key, value in kept.items()]
    return ("\n".join(lines) + "\n",)


def need_rectified(rig: StereoRig, what: str) -> None:
    """Refuse a rig with any distortion, rotation or sideways baseline.

    Raises:
        CalibrationError: it has.
    """
    exact = is_rectified(rig) and np.abs(rig.R_right_left - np.eye(3)).max() < 1e-9
    if not exact or np.abs(rig.t_right_left_m[1:]).max() > 1e-9 * rig.baseline_m:
        raise CalibrationError(
            f"{what} describes pictures that are rectified already, and this rig's are not: its lenses and its "
            "rotation would be lost.",
            "Write it as opencv, ros or kalibr.",
        )


def _matrix(text: Text, data: dict[str, str], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    words = data.get(name, "").strip("[]").replace(";", " ").replace(",", " ").split()
    K = camera_matrix(text, numbers(text, words or None, name, 9), name)
    return K


def _text(K: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return "[" + "; ".join(" ".join(number(v) for v in row) for row in K) + "]"


FORMAT = Format("middlebury", "Middlebury calib.txt", (1, 1), recognises, read, write)
