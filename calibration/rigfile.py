"""The native rig file: one JSON document that holds a rig and how it came about.

    rig_file = load_rig("rig.json")
    rig_file.rig.baseline_m, rig_file.capture.swap
    save_rig("copy.json", rig_file)

Lengths are metres (board squares where `metric` is false), pixels are those of `calibration.rig`. Numbers are
written with as many digits as it takes to read the same double back (17 at most). Keys that this version does
not know are kept. A file of a newer major version is refused: its numbers may mean something else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, StrictBool, StrictStr, ValidationError, field_validator

from calibration.errors import CalibrationError
from calibration.files import read_text, write_atomically
from calibration.rig import DISTORTION_LENGTH, Intrinsics, LensModel, StereoRig
from calibration.rig_faults import describe, not_finite, short, wrong_fields
from calibration.rig_parts import (
    VERSION,
    Camera,
    Cameras,
    Capture,
    Covariance,
    MadeBy,
    Matrix3,
    Number,
    Part,
    RigFile,
    Row3,
    Size,
    Timing,
)

__all__ = [
    "Camera", "Cameras", "Capture", "Covariance", "MadeBy", "RigFile", "Timing", "format_rig", "load_rig", "parse_rig",
    "save_rig",
]  # fmt: skip

FORMAT = "livestereo-rig"


def _positive_focal(K: Matrix3) -> Matrix3:
    (fx, skew, _), (zero, fy, _), last = K
    if not (0 < fx < 1e6 and 0 < fy < 1e6):
        raise ValueError("must have positive focal lengths (in px) at [0][0] and [1][1]")
    if skew != 0 or zero != 0 or last != (0, 0, 1):
        raise ValueError("must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
    return K


class _CameraDocument(Part):
    size_wh: Size | None
    model: LensModel
    K: Annotated[Matrix3, AfterValidator(_positive_focal)]
    distortion: tuple[Annotated[Number, Field(gt=-1e6, lt=1e6)], ...]

    @field_validator("distortion")
    @classmethod
    def _as_many_as_the_model_has(cls, values: tuple[float, ...], info: Any) -> tuple[float, ...]:
        wanted = DISTORTION_LENGTH.get(info.data.get("model", ""))
        if wanted is not None and len(values) != wanted:
            raise ValueError(f"must have {wanted} values for the model {info.data['model']}")
        return values


class _Document(Part):
    format: Literal["livestereo-rig"]
    version: StrictStr
    metric: StrictBool
    left: _CameraDocument
    right: _CameraDocument
    R_right_left: Matrix3
    t_right_left_m: Row3
    covariance: Covariance | None = None
    cameras: Cameras = Cameras()
    capture: Capture = Capture()
    stamp_bias_ms: Number = 0.0
    timing: Timing = Timing()
    made_by: MadeBy = MadeBy()
    summary: dict[str, Any] = Field(default_factory=dict)

    @field_validator("R_right_left")
    @classmethod
    def _is_rotation(cls, rows: Matrix3) -> Matrix3:
        R = np.array(rows)
        if (np.abs(R) > 2).any() or not np.allclose(R @ R.T, np.eye(3), atol=1e-6) or np.linalg.det(R) < 0:
            raise ValueError("must be a rotation matrix")
        return rows

    @field_validator("t_right_left_m")
    @classmethod
    def _has_length(cls, t: Row3) -> Row3:
        if not 1e-6 < float(np.linalg.norm(t)) < 1e6:
            raise ValueError("must have a length between 1e-6 and 1e6: the baseline")
        return t


def load_rig(path: str | Path) -> RigFile:
    """Read a rig file.

    Raises:
        CalibrationError: missing, empty, cut, foreign, of a newer major version, or with wrong fields; all wrong
            fields are named at once (`details["fields"]`), each with what was expected.
    """
    return parse_rig(read_text(path), str(path))


def save_rig(path: str | Path, rig_file: RigFile) -> None:
    """Write a rig file whole or not at all.

    Raises:
        CalibrationError: it could not be read back (a value that JSON does not hold, a non-finite number), or the
            folder cannot be written.
    """
    write_atomically(path, format_rig(rig_file))


def parse_rig(text: str, name: str = "The rig file") -> RigFile:
    """Read a rig from the text of a rig file; `name` is what messages call it. Raises as `load_rig`."""
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates)
    except CalibrationError as error:
        raise CalibrationError(f"{name}: {error.what}", error.fix) from None
    except json.JSONDecodeError as error:
        raise CalibrationError(
            f"{name} is not a rig file: line {error.lineno}, column {error.colno}: {error.msg}.",
            "If it is another program's calibration, run `livestereo convert` on it; if it is cut, make it again.",
        ) from None
    except (RecursionError, ValueError):
        raise CalibrationError(f"{name} is not a rig file.", "Make it again with `livestereo calibrate`.") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CalibrationError(
            f'{name} is not a rig file: "format" must be "{FORMAT}".',
            "If it is another program's calibration, run `livestereo convert` on it.",
        )
    version = _version(data.get("version"), name)
    try:
        document = _Document.model_validate(data)
        fields = not_finite(data, "")
    except ValidationError as error:
        fields = describe(error)
        named = {field["field"] for field in fields}
        fields += [field for field in not_finite(data, "") if field["field"] not in named]
    except RecursionError:
        raise CalibrationError(f"{name} is nested too deeply to be a rig file.", "Restore the original.") from None
    if fields:
        raise wrong_fields(name, fields)
    rig = StereoRig(
        _intrinsics(document.left), _intrinsics(document.right),
        np.array(document.R_right_left), np.array(document.t_right_left_m),
    )  # fmt: skip
    extra: dict[str, Any] = dict(document.model_extra or {})
    for side in ("left", "right"):
        unknown = getattr(document, side).model_extra
        if unknown:
            extra[side] = dict(unknown)
    return RigFile(
        rig=rig, metric=document.metric, covariance=document.covariance, cameras=document.cameras,
        capture=document.capture, stamp_bias_ms=document.stamp_bias_ms, timing=document.timing,
        made_by=document.made_by, summary=document.summary, extra=extra, version=version,
    )  # fmt: skip


def format_rig(rig_file: RigFile) -> str:
    """Give the text of a rig file. Raises as `save_rig`."""
    rig = rig_file.rig
    version = max(VERSION, rig_file.version)  # unknown keys of a newer minor version are kept, so is its number
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": f"{version[0]}.{version[1]}",
        "metric": rig_file.metric,
        "left": _camera_data(rig.left),
        "right": _camera_data(rig.right),
        "R_right_left": rig.R_right_left.tolist(),
        "t_right_left_m": rig.t_right_left_m.tolist(),
        "cameras": rig_file.cameras.model_dump(mode="python"),
        "capture": rig_file.capture.model_dump(mode="python"),
        "stamp_bias_ms": rig_file.stamp_bias_ms,
        **({} if rig_file.timing == Timing() else {"timing": rig_file.timing.model_dump(mode="python")}),
        "made_by": rig_file.made_by.model_dump(mode="python"),
        "summary": rig_file.summary,
        "covariance": rig_file.covariance.model_dump(mode="python") if rig_file.covariance else None,
    }
    for key, value in rig_file.extra.items():
        if key in ("left", "right") and isinstance(value, Mapping):
            data[key] = {**value, **data[key]}
        else:
            data.setdefault(key, value)
    data = _plain(data, "")
    text = _layout(data, 0) + "\n"
    parse_rig(text, "The rig")  # what cannot be read back is not written
    return text


def _camera_data(camera: Intrinsics) -> dict[str, Any]:
    size = None if camera.size_wh is None else list(camera.size_wh)
    return {
        "size_wh": size,
        "model": camera.model,
        "K": camera.K.tolist(),
        "distortion": camera.distortion.tolist(),
    }


def _intrinsics(camera: _CameraDocument) -> Intrinsics:
    return Intrinsics(np.array(camera.K), np.array(camera.distortion), camera.model, camera.size_wh)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        names = [key for key, _ in pairs]
        double = sorted({key for key in names if names.count(key) > 1})
        raise CalibrationError(f"{', '.join(double)} stands there twice.", "Keep one of them.")
    return data


def _version(value: object, name: str) -> tuple[int, int]:
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        raise CalibrationError(f'{name}: version must be text like "1.0", is {short(value)}.', "Restore the original.")
    major, minor = int(parts[0]), int(parts[1])
    if major != VERSION[0]:
        newer = major > VERSION[0]
        raise CalibrationError(
            f"{name} has version {major}.{minor}; this program reads version {VERSION[0]}.",
            "Update livestereo." if newer else "Make the rig again with `livestereo calibrate`.",
        )
    return major, minor


def _plain(value: Any, where: str) -> Any:
    """Turn a value into what JSON holds exactly; refuse what it does not."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist(), where)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        return _plain(value.item(), where)
    if isinstance(value, float) and not np.isfinite(value):
        if where.startswith(".summary"):
            return None  # a figure that could not be computed
        raise CalibrationError(f"The rig cannot be saved: {where.lstrip('.')} is not a finite number.")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise CalibrationError(f"The rig cannot be saved: {where.lstrip('.')} is of a kind that JSON does not hold.")


def _layout(value: Any, depth: int) -> str:
    """JSON with one matrix row per line, so that a person can read it."""
    pad, inner = "  " * depth, "  " * (depth + 1)
    if isinstance(value, dict) and value:
        items = [f"{inner}{_text(key)}: {_layout(v, depth + 1)}" for key, v in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{pad}}}"
    if isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value):
        return "[\n" + ",\n".join(inner + _layout(item, depth + 1) for item in value) + f"\n{pad}]"
    return _text(value)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: legal in JSON as an escape, not in UTF-8
        text = json.dumps(value, allow_nan=False)
    return text
