"""KITTI: `calib.txt` of the odometry and object sets (P0 … P3), and `calib_cam_to_cam.txt` of the raw recordings.

Both describe rectified pictures: P_i = K [I | t_i], row by row, metres; the names P0: may be left out. The odometry
file has no picture size; where a rig has one, it is written beside, under the name of the raw file (S_rect_00).
"""

from __future__ import annotations

from collections.abc import Sequence

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
from calibration.exchange.middlebury import need_rectified
from calibration.rig import Array
from calibration.rigfile import RigFile


def recognises(text: Text) -> bool:
    """Tell by twelve numbers after P0: or P_rect_00: and the like, or by bare lines of twelve."""
    fields = _fields(text)
    return any(len(fields.get(key, ())) == 12 for i in range(4) for key in (f"P{i}", f"P_rect_{i:02d}"))


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read two cameras: 0 and 1 (gray) if they are there, else 2 and 3 (colour), else those that the caller names."""
    text = texts[0]
    fields = _fields(text)
    stem = "P" if any(f"P{i}" in fields for i in range(4)) else "P_rect_0"
    there = [i for i in range(4) if f"{stem}{i}" in fields]
    pair = options.cameras or ((0, 1) if {0, 1} <= set(there) else (2, 3))
    cameras = []
    for i in pair:
        name = f"{stem}{i}"
        if name not in fields:
            raise wrong(text, name, "is missing: a stereo rig needs two cameras")
        P = numbers(text, fields[name], name, 12).reshape(3, 4)
        K = camera_matrix(text, P[:, :3].ravel(), name)
        t = np.linalg.solve(K, P[:, 3])
        size = whole_size(text, fields[f"S_rect_0{i}"], f"S_rect_0{i}") if f"S_rect_0{i}" in fields else None
        cameras.append((make_camera(text, K, np.zeros(0), "pinhole", size, name), t))
    (left, t_left), (right, t_right) = cameras
    notes = []
    if options.cameras is None and {0, 1, 2, 3} <= set(there):
        notes.append("The file has four cameras: 0 and 1 (gray) are taken; --cameras 2,3 for the colour ones.")
    if stem != "P" and any(key.startswith("K_0") for key in fields):
        notes.append("The rig is that of KITTI's rectified pictures, not of the raw ones.")
    return Imported(make_rig(text, left, right, np.eye(3), t_right - t_left), notes=tuple(notes))


def write(rig_file: RigFile) -> tuple[str, ...]:
    """Write P0 and P1 of a rig that is rectified already; any other is refused."""
    need_metric(rig_file, "KITTI")
    rig = rig_file.rig
    need_rectified(rig, "KITTI's calib.txt")
    lines = []
    for i, (camera, t) in enumerate(((rig.left, np.zeros(3)), (rig.right, rig.t_right_left_m))):
        P: Array = np.column_stack([camera.K, camera.K @ t])
        lines.append(f"P{i}: " + " ".join(number(v) for v in P.ravel()))
        if camera.size_wh is not None:
            lines.append(f"S_rect_0{i}: {camera.size_wh[0]} {camera.size_wh[1]}")
    return ("\n".join(lines) + "\n",)


def _fields(text: Text) -> dict[str, list[str]]:
    """Words by the name before the colon; lines of twelve numbers with no name count as P0, P1, …"""
    fields: dict[str, list[str]] = {}
    bare = 0
    for line in text.content.splitlines():
        key, colon, rest = line.partition(":")
        if colon and key.strip().replace("_", "").isalnum():
            fields.setdefault(key.strip(), rest.split())
        elif not colon and len(line.split()) == 12:
            fields.setdefault(f"P{bare}", line.split())
            bare += 1
    return fields


def cameras_of(text: str) -> tuple[int, int]:
    """Parse `2,3`: which two cameras of a file are left and right.

    Raises:
        CalibrationError: it is not two numbers.
    """
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts) or parts[0].strip() == parts[1].strip():
        raise CalibrationError(f"--cameras must be two numbers like 2,3, is {text!r}.", "Name left and right.")
    return int(parts[0]), int(parts[1])


FORMAT = Format("kitti", "KITTI calib.txt or calib_cam_to_cam.txt", (1, 1), recognises, read, write)
