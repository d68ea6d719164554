"""The rig file: what goes in comes out, and nothing wrong gets in."""

from __future__ import annotations

import json
import math
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import CalibrationError
from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import Camera, Cameras, Capture, Covariance, RigFile, format_rig, load_rig, parse_rig, save_rig


def make_rig(**changes: Any) -> StereoRig:
    K = np.array([[600.1, 0, 319.7], [0, 600.9, 241.3], [0, 0, 1]])
    angle = 0.02
    R = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    left = Intrinsics(K, np.array([-0.3, 0.1, 1e-3, -2e-4, 0.01]), "pinhole", (640, 480))
    right = Intrinsics(K * 1.5 - 0.5 * np.diag([0, 0, 1]), np.full(4, 1 / 3), "fisheye", None)
    return StereoRig(left, right, R, np.array([-0.06, 1 / 3e3, 1e-4]))


def document(**changes: Any) -> dict[str, Any]:
    return {**json.loads(format_rig(RigFile(rig=make_rig()))), **changes}


def fields_of(data: object) -> list[str]:
    with pytest.raises(CalibrationError) as caught:
        parse_rig(json.dumps(data), "rig.json")
    fields: Any = caught.value.details.get("fields", [])
    return [field["field"] for field in fields]


def test_round_trip_is_exact(tmp_path: Path) -> None:
    covariance = Covariance.of(["left.fx", "rotation.y"], np.array([[2.0, 0.1], [0.1, 1 / 3]]))
    given_file = RigFile(
        rig=make_rig(), metric=False, covariance=covariance, stamp_bias_ms=-1.25, summary={"rms_px": 0.2},
        cameras=Cameras(left=Camera(id="usb:a", controls={"zoom": 100})),
        capture=Capture(swap=True, flip=("180", "none"), size_wh=((640, 480), (1280, 720)), autofocus=False),
    )  # fmt: skip
    save_rig(tmp_path / "rig.json", given_file)
    read = load_rig(tmp_path / "rig.json")
    assert np.array_equal(read.rig.left.K, given_file.rig.left.K)
    assert np.array_equal(read.rig.right.distortion, given_file.rig.right.distortion)
    assert np.array_equal(read.rig.R_right_left, given_file.rig.R_right_left)
    assert np.array_equal(read.rig.t_right_left_m, given_file.rig.t_right_left_m)
    assert read.rig.right.size_wh is None
    assert (read.metric, read.capture, read.cameras) == (False, given_file.capture, given_file.cameras)
    assert read.covariance is not None and np.array_equal(read.covariance.array, covariance.array)
    assert (read.stamp_bias_ms, read.summary) == (-1.25, {"rms_px": 0.2})


@given(st.lists(st.floats(-1e5, 1e5), min_size=9, max_size=9))
def test_every_double_survives(values: list[float]) -> None:
    fx, fy = abs(values[0]) + 1e-3, abs(values[1]) + 1e-3
    K = np.array([[fx, 0, values[2]], [0, fy, values[3]], [0, 0, 1]])
    rig = StereoRig(Intrinsics(K, np.array(values[4:9])), Intrinsics(K, np.zeros(5)), np.eye(3), np.array([-1.0, 0, 0]))
    read = parse_rig(format_rig(RigFile(rig=rig))).rig
    assert np.array_equal(read.left.K, K) and np.array_equal(read.left.distortion, rig.left.distortion)


def test_unknown_keys_are_kept_at_every_level() -> None:
    data = document(version="1.7", future={"a": [1, 2]})
    data["left"]["serial"] = "x1"
    data["capture"]["hdr"] = True
    data["cameras"]["right"]["lens"] = "6 mm"
    again = json.loads(format_rig(parse_rig(json.dumps(data))))
    assert again == data


def test_a_newer_major_version_is_refused() -> None:
    with pytest.raises(CalibrationError, match=r"version 2\.0.*Update"):
        parse_rig(json.dumps(document(version="2.0")))


def test_all_wrong_fields_are_named_at_once() -> None:
    data = document(stamp_bias_ms="1")
    data["left"]["K"][0][0] = -600.0
    data["right"]["distortion"] = [0, 0, 0]
    data["R_right_left"] = [[1, 0, 0], [0, 1, 0], [0, 0, -1]]
    data["capture"]["flip"] = ["none", "upside"]
    data["future"] = {"x": [math.nan]}
    del data["t_right_left_m"]
    wanted = {
        "left.K",
        "right.distortion",
        "R_right_left",
        "capture.flip[1]",
        "future.x[0]",
        "t_right_left_m",
        "stamp_bias_ms",
    }
    assert set(fields_of(data)) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1"),
        ("[]", "format"),
        ('{"format": "other"}', "format"),
        ('{"format": "livestereo-rig"}', "version"),
        ('{"format": "livestereo-rig", "version": 1}', "version"),
        ('{"format": "livestereo-rig", "format": "livestereo-rig"}', "twice"),
        ("[" * 100000, "not a rig file"),
        ("%YAML:1.0\n---\nM1: 3", "livestereo convert"),
    ],
)
def test_what_is_no_rig_file_is_refused(text: str, said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        parse_rig(text)


def test_unreadable_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text(" \n")
    (tmp_path / "binary.json").write_bytes(b"\xff\xd8\xff\xe0")
    for name, said in (
        ("none.json", "no file"),
        ("empty.json", "empty"),
        ("binary.json", "not a text"),
        (".", "folder"),
    ):
        with pytest.raises(CalibrationError, match=said):
            load_rig(tmp_path / name)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rig.json"
    save_rig(path, RigFile(rig=make_rig()))
    path.chmod(0o640)
    before = path.read_bytes()
    with pytest.raises(CalibrationError, match="extra"):
        save_rig(path, RigFile(rig=make_rig(), extra={"extra": object()}))
    assert path.read_bytes() == before
    save_rig(path, RigFile(rig=make_rig(), stamp_bias_ms=2.0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["rig.json"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no folder"):
        save_rig(tmp_path / "no" / "rig.json", RigFile(rig=make_rig()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix] + [path for key, item in items for path in paths(item, (*prefix, key))]


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_document_is_refused_or_means_the_same(data: st.DataObject) -> None:
    """Whatever is put anywhere: one CalibrationError, or a rig that is valid and says what the file says."""
    damaged = document()
    damaged["covariance"] = {"parameters": ["left.fx"], "matrix": [[0.5]]}
    path = data.draw(st.sampled_from(paths(damaged)[1:]))
    value = data.draw(JSON)
    place = damaged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        read = parse_rig(json.dumps(damaged))
    except CalibrationError as error:
        assert error.what and error.fix
        return
    again = json.loads(format_rig(read))
    for key in ("left", "right", "R_right_left", "t_right_left_m", "metric", "stamp_bias_ms"):
        assert again[key] == damaged[key]
    assert read.rig.left.K[0, 0] > 0 and np.isfinite(read.rig.t_right_left_m).all()


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_text_is_refused_with_a_message(text: str) -> None:
    with pytest.raises(CalibrationError):
        parse_rig(text)


@given(st.integers(0, 900))
def test_a_cut_file_is_refused(keep: int) -> None:
    with pytest.raises(CalibrationError):
        parse_rig(format_rig(RigFile(rig=make_rig()))[:keep])
