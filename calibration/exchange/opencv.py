"""OpenCV's stereo calibration: intrinsics and extrinsics of its sample program, or all in one file; YAML, XML, JSON.

Files carry no unit: metres, unless they say otherwise (`unit`) or the caller does. M1 and D1 (or K1, cameraMatrix1,
left_camera_matrix, …) are the left camera; R and T take a point from the left camera's frame to the right one's.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from calibration.errors import CalibrationError
from calibration.exchange.base import (
    Format,
    Imported,
    Options,
    Text,
    camera_matrix,
    check_length,
    load_mapping,
    make_camera,
    make_rig,
    numbers,
    rotation,
    rows,
    try_mapping,
    whole_size,
    wrong,
)  # fmt: skip
from calibration.rectify import make_rectification
from calibration.rig import Array, LensModel
from calibration.rigfile import RigFile

_SIDES = {"left": ("1", "l", "left", "0"), "right": ("2", "r", "right", "1")}
_MATRIX = ("m", "k", "cameramatrix", "mtx", "intrinsic", "intrinsics", "intrinsicmatrix", "cm")
_DISTORTION = ("d", "dist", "distcoeffs", "distcoeff", "distortion", "distortioncoefficients", "distortioncoeffs")
_ROTATION = ("r", "rot", "rotation", "rotationmatrix", "rstereo", "rmat")
_TRANSLATION = ("t", "trans", "translation", "translationvector", "tstereo", "trns", "tvec")
_SIZE = ("imagesize", "size", "resolution", "imgsize")
_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}


def recognises(text: Text) -> bool:
    """Tell OpenCV's files by their tags or by the names of their matrices."""
    if "<opencv_storage" in text.content or "opencv-matrix" in text.content:
        return "T_BS" not in text.content and "projection_matrix" not in text.content
    names = {_plain(key) for key in _flat(try_mapping(text))}
    return any(_one(names, side, _MATRIX) for side in _SIDES) or {"r", "t"} <= names


def read(texts: Sequence[Text], options: Options) -> Imported:
    """Read one file, or intrinsics and extrinsics in either order.

    Raises:
        CalibrationError: a field is missing or wrong; with its name.
    """
    fields: dict[str, tuple[Text, Any]] = {}
    for text in texts:
        for key, value in _flat(_load(text)).items():
            fields.setdefault(_plain(key), (text, value))
    names = set(fields)
    first = texts[0]
    cameras = {}
    # With 0 in the names, 1 is the right camera; otherwise it is the left one.
    from_zero = any(stem + "0" in names for stem in _MATRIX)
    for side in _SIDES:
        matrix, bend = (_one(names, side, stems, from_zero) for stems in (_MATRIX, _DISTORTION))
        if matrix is None:
            said = "M1, K1, cameraMatrix1" if side == "left" else "M2, K2, cameraMatrix2"
            raise wrong(first, f"the {side} camera's matrix ({said})", "is missing")
        text, value = fields[matrix]
        K = camera_matrix(text, numbers(text, value, matrix, 9), matrix)
        if bend is None:
            raise wrong(first, f"the {side} camera's distortion (D1, D2)", "is missing")
        text, value = fields[bend]
        coefficients = numbers(text, value, bend, (4, 5, 8, 12, 14))
        cameras[side] = make_camera(text, K, coefficients, _model(fields, side), _size(fields, side, from_zero), bend)
    R_key = next((k for k in _ROTATION if k in names), None)
    t_key = next((k for k in _TRANSLATION if k in names), None)
    if R_key is None or t_key is None:
        missing = " and ".join(n for n, k in (("R", R_key), ("T", t_key)) if k is None)
        raise CalibrationError(
            f"{first.name}: {missing} between the cameras is missing.",
            "Give the extrinsics file too: `livestereo convert intrinsics.yml extrinsics.yml rig.json`.",
        )
    text, value = fields[R_key]
    turn = numbers(text, value, R_key, (9, 3))
    R = rotation(text, turn if len(turn) == 9 else _from_vector(turn), R_key)
    text, value = fields[t_key]
    t = numbers(text, value, t_key, 3)
    unit = str(fields["unit"][1]) if "unit" in fields else None
    notes: list[str] = []
    metric = not (options.squares or unit == "squares")
    if options.unit_m is None and unit is None:
        notes.append("OpenCV files carry no unit: lengths are taken as metres (--unit mm if they are not).")
        if float(np.linalg.norm(t)) > 3:
            notes.append(f"A baseline of {np.linalg.norm(t):.3g} m is long: if it is in millimetres, add --unit mm.")
    factor = options.unit_m or _UNITS.get(unit or "m", 1.0)
    if metric and factor != 1.0:
        t = t * factor
    return Imported(make_rig(text, cameras["left"], cameras["right"], R, t), metric, tuple(notes))


def write(rig_file: RigFile) -> tuple[str, ...]:
    """Write all that the sample's two files hold, in one, with sizes, lens models and the unit."""
    rig = rig_file.rig
    out = ["%YAML:1.0", "---"]
    for i, camera in enumerate((rig.left, rig.right), 1):
        out += _matrix(f"M{i}", camera.K) + _matrix(f"D{i}", camera.distortion[None])
        out.append(f'model{i}: "{camera.model}"')
        if camera.size_wh is not None:
            out.append(f"imageSize{i}: [ {camera.size_wh[0]}, {camera.size_wh[1]} ]")
    out += _matrix("R", rig.R_right_left) + _matrix("T", rig.t_right_left_m[:, None])
    out.append(f'unit: "{"m" if rig_file.metric else "squares"}"')
    try:
        made = make_rectification(rig, maps=False)
    except CalibrationError:
        pass  # too convergent, or no size: R1 to Q are extras that a reader can compute
    else:
        f, cx, cy, B = made.focal_px, made.cx_px, made.cy_px, made.baseline_m
        Q = np.array([[1, 0, 0, -cx], [0, 1, 0, -cy], [0, 0, 0, f], [0, 0, 1 / B, made.doffs_px / B]])
        for name, value in (
            ("R1", made.R_rect_left), ("R2", made.R_rect_right),
            ("P1", made.projection("left")), ("P2", made.projection("right")), ("Q", Q),
        ):  # fmt: skip
            out += _matrix(name, value)
    return ("\n".join(out) + "\n",)


def _matrix(name: str, value: Array) -> list[str]:
    height, width = value.shape
    data = f"   data: [ {rows(value)} ]"
    return [f"{name}: !!opencv-matrix", f"   rows: {height}", f"   cols: {width}", "   dt: d", data]


def _load(text: Text) -> dict[str, Any]:
    if not text.content.lstrip().startswith("<"):
        return load_mapping(text)
    check_length(text)
    if "<!ENTITY" in text.content:
        raise CalibrationError(f"{text.name} uses XML entities, which no calibration file needs.", "Write it out.")
    try:
        root = ElementTree.fromstring(text.content)
    except ElementTree.ParseError as error:
        raise CalibrationError(
            f"{text.name} is damaged at line {error.position[0]}.", "Take the original again."
        ) from None
    fields: dict[str, Any] = {}
    for node in root:
        data = node.find("data")
        content = (data.text if data is not None else node.text) or ""
        words = content.split()
        fields[node.tag] = content.strip().strip('"') if len(words) == 1 and data is None else words
    return fields


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Bring `left: {K: …, D: …}` to `left.K`, `left.D`; matrices, which are mappings too, stay whole."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict) and "data" not in value and not {"width", "height"} <= set(value):
            flat.update({f"{key}.{inner}": content for inner, content in value.items()})
        else:
            flat[key] = value
    return flat


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())


def _one(names: set[str], side: str, stems: Sequence[str], from_zero: bool | None = None) -> str | None:
    """Find the key of one side among the usual spellings: M1, K_left, left_camera_matrix, cameraMatrixL."""
    marks = [mark for mark in _SIDES[side] if not (from_zero is False and mark == "0")]
    if from_zero:
        marks = [{"left": "0", "right": "1"}[side], *[m for m in marks if not m.isdigit()]]
    elif side == "right":
        marks.remove("1")
    for stem in stems:
        for mark in marks:
            for key in (stem + mark, mark + stem, "camera" + mark + stem, stem + "camera" + mark):
                if key in names:
                    return key
    return None


def _size(fields: dict[str, tuple[Text, Any]], side: str, from_zero: bool) -> tuple[int, int] | None:
    key = _one(set(fields), side, _SIZE, from_zero) or next((k for k in _SIZE if k in fields), None)
    if key is not None:
        text, value = fields[key]
        if isinstance(value, dict) and {"width", "height"} <= set(value):
            value = [value["width"], value["height"]]
        return whole_size(text, value, key)
    for w, h in (("imagewidth", "imageheight"), ("width", "height"), ("imgwidth", "imgheight")):
        if w in fields and h in fields:
            text = fields[w][0]
            return whole_size(text, [_single(fields[w][1]), _single(fields[h][1])], f"{w} and {h}")
    return None


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _model(fields: dict[str, tuple[Text, Any]], side: str) -> LensModel:
    """The lens model that a file names; OpenCV's own files name none, and are pinhole."""
    mark = {"left": "1", "right": "2"}[side]
    for key in (
        "model" + mark,
        "distortionmodel" + mark,
        "cameramodel" + mark,
        "model",
        "distortionmodel",
        "cameramodel",
    ):
        if key in fields:
            name = str(_single(fields[key][1])).lower()
            if name in ("fisheye", "equidistant", "kannalabrandt"):
                return "fisheye"
    if "fisheye" in fields and str(_single(fields["fisheye"][1])).lower() in ("1", "true", "yes"):
        return "fisheye"
    return "pinhole"


def _from_vector(vector: Array) -> Array:
    return np.asarray(cv2.Rodrigues(vector)[0], dtype=np.float64).ravel()


FORMAT = Format("opencv", "OpenCV stereo calibration (YAML, XML)", (1, 2), recognises, read, write)
