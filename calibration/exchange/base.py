"""What all foreign formats share: what a format is, and careful reading of text, numbers and rotations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from calibration.errors import CalibrationError
from calibration.rig import Array, Intrinsics, LensModel, StereoRig
from calibration.rigfile import RigFile

_LARGEST_BYTES = 2_000_000
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
# Printed with four digits, a rotation is off by about this much.
_ROTATION_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Text:
    """A file's name, for messages, and its content."""

    name: str
    content: str


@dataclass(frozen=True)
class Options:
    """What a file may leave open: metres per unit of length (None: as the format says), which two cameras."""

    unit_m: float | None = None
    squares: bool = False
    cameras: tuple[int, int] | None = None


@dataclass(frozen=True)
class Imported:
    """A rig as read, what to tell about it, and what else of the file is worth keeping (`RigFile.extra`)."""

    rig: StereoRig
    metric: bool = True
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """A foreign format.

    recognises: tells from the content of the first file. read: from `files_in` texts (smallest, largest number).
    write: gives the content of each output file, or None where the format is read only.
    """

    name: str
    what: str
    files_in: tuple[int, int]
    recognises: Callable[[Text], bool]
    read: Callable[[Sequence[Text], Options], Imported]
    write: Callable[[RigFile], tuple[str, ...]] | None = None
    files_out: int = 1


class _Loader(yaml.SafeLoader):
    """YAML as OpenCV and ROS write it: `!!opencv-matrix` is a mapping like any other."""


def _mapping(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.constructor.ConstructorError(None, None, "a matrix must be a mapping", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _mapping)


def load_mapping(text: Text) -> dict[str, Any]:
    """Read YAML or JSON whose top is a mapping.

    Raises:
        CalibrationError: it is something else, damaged, or too large to be a calibration.
    """
    content = text.content
    check_length(text)
    if "*" in content and re.search(r"(^|[\s\[,:-])\*\w", content):
        raise CalibrationError(f"{text.name} uses YAML references, which no calibration file needs.", "Write it out.")
    # OpenCV writes %YAML:1.0, which is no YAML directive; its matrices of old have tabs.
    content = re.sub(r"\A%YAML[^\n]*\n", "", content).replace("\t", " ")
    try:
        data = json.loads(content) if content.lstrip().startswith("{") else yaml.load(content, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 2}"
        raise CalibrationError(f"{text.name} is damaged{where}.", "Take the original again.") from None
    except (ValueError, RecursionError, TypeError):
        raise CalibrationError(f"{text.name} is damaged.", "Take the original again.") from None
    if not isinstance(data, dict):
        raise CalibrationError(f"{text.name} is not a calibration file.", "Name another file.")
    return {str(key): value for key, value in data.items()}


def check_length(text: Text) -> None:
    """Refuse what is too large to be a calibration.

    Raises:
        CalibrationError: it is.
    """
    if len(text.content) > _LARGEST_BYTES:
        raise CalibrationError(f"{text.name} is too large to be a calibration file.", "Name another file.")


def try_mapping(text: Text) -> dict[str, Any]:
    """Read as `load_mapping`, or give an empty mapping."""
    try:
        return load_mapping(text)
    except CalibrationError:
        return {}


def wrong(text: Text, name: str, expected: str) -> CalibrationError:
    """Make the error of a field that is not what it must be."""
    return CalibrationError(
        f"{text.name}: {name} {expected}.", "Correct it, or export the calibration again.",
        details={"fields": [{"field": name, "expected": expected}]},
    )  # fmt: skip


def numbers(text: Text, value: object, name: str, count: int | Sequence[int]) -> Array:
    """Give `count` (or one of several counts) finite numbers from lists, nested lists or an OpenCV matrix."""
    counts = (count,) if isinstance(count, int) else tuple(count)
    if isinstance(value, Mapping):
        value = value.get("data")
    found: list[float] = []
    waiting: list[object] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            if len(item) + len(waiting) > 10_000:
                break
            waiting.extend(reversed(item))
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            found.append(float(item) if abs(item) < 1e300 else float("nan"))
        elif isinstance(item, str) and _NUMBER.fullmatch(item.strip()):
            found.append(float(item))  # YAML 1.1 takes 1e-5 for text
        else:
            raise wrong(text, name, "is missing" if item is None else "must hold numbers")
    if len(found) not in counts:
        wanted = " or ".join(map(str, counts))
        raise wrong(text, name, f"must have {wanted} numbers, has {len(found)}")
    array = np.array(found, dtype=np.float64)
    if not np.isfinite(array).all():
        raise wrong(text, name, "must hold finite numbers")
    return array


def whole_size(text: Text, value: object, name: str) -> tuple[int, int]:
    """Give a picture size (width, height)."""
    w, h = numbers(text, value, name, 2)
    if w != int(w) or h != int(h) or not (0 < w < 32768 and 0 < h < 32768):
        raise wrong(text, name, "must be a width and a height in whole pixels")
    return int(w), int(h)


def rotation(text: Text, value: Array, name: str) -> Array:
    """Give the (3,3) rotation that a rounded one stands for; an exact one is left as it is."""
    R = value.reshape(3, 3)
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if not off < _ROTATION_TOLERANCE or np.linalg.det(R) < 0:
        raise wrong(text, name, "must be a rotation matrix")
    if off < 1e-12:
        return R
    u, _, vt = np.linalg.svd(R)
    return np.asarray(u @ vt, dtype=np.float64)


def camera_matrix(text: Text, value: Array, name: str) -> Array:
    """Check a (3,3) camera matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]."""
    K = value.reshape(3, 3)
    if not (K[0, 0] > 0 and K[1, 1] > 0):
        raise wrong(text, name, "must have positive focal lengths")
    if abs(K[0, 1]) > 1e-9 * K[0, 0] or K[1, 0] != 0 or K[2, 0] != 0 or K[2, 1] != 0 or abs(K[2, 2] - 1) > 1e-12:
        raise wrong(text, name, "must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] (skew cannot be kept)")
    K = K.copy()
    K[0, 1], K[2, 2] = 0.0, 1.0
    return K


def make_camera(
    text: Text, K: Array, coefficients: Array, model: LensModel, size: tuple[int, int] | None, name: str
) -> Intrinsics:
    """Make a camera from as many coefficients as a file has; those left out are zero, those too many must be.

    pinhole: 0, 4, 5 (k1 k2 p1 p2 k3); more make it rational: 8, 12, 14 of which the last must be zero. fisheye: 0, 4.
    """
    values = coefficients
    if model != "fisheye" and len(values) > 5:
        model = "rational"
        if values[8:].any():
            raise wrong(text, name, "has thin-prism or tilt terms, which the lens models here do not have")
        values = values[:8]
    length = {"pinhole": 5, "rational": 8, "fisheye": 4}[model]
    return Intrinsics(K, np.concatenate([values, np.zeros(length - len(values))]), model, size)


def make_rig(text: Text, left: Intrinsics, right: Intrinsics, R: Array, t: Array) -> StereoRig:
    """Make a rig, with the file named if its baseline is zero."""
    if not 1e-6 < float(np.linalg.norm(t)) < 1e6:
        raise wrong(text, "the translation between the cameras", "must not be zero or beyond all measure")
    return StereoRig(left, right, R, t)


def number(value: float) -> str:
    """Text of a number that reads back as the same double."""
    return repr(float(value))


def rows(values: Array) -> str:
    """Numbers separated by commas."""
    return ", ".join(number(v) for v in np.asarray(values).ravel())


def need_size(rig: StereoRig, what: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give both sizes (width, height), px: the format cannot leave them out.

    Raises:
        CalibrationError: the rig lacks one.
    """
    if rig.left.size_wh is None or rig.right.size_wh is None:
        raise CalibrationError(f"{what} needs the picture size, which the rig lacks.", "Add --size WxH.")
    return rig.left.size_wh, rig.right.size_wh


def need_metric(rig_file: RigFile, what: str) -> None:
    """Refuse lengths in board squares where the format means metres.

    Raises:
        CalibrationError: they are in squares.
    """
    if not rig_file.metric:
        raise CalibrationError(
            f"The rig's lengths are in board squares, and {what} means metres.",
            "Calibrate with the size of the squares in the board, chessboard:9x6:25mm.",
        )
