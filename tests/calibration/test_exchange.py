"""Rig files of other programs: exact both ways, recognised by content, and no loss hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.errors import CalibrationError
from calibration.exchange import FORMATS, Options, find_format, read_foreign, write_foreign
from calibration.rig import Array, Intrinsics, LensModel, StereoRig
from calibration.rigfile import RigFile, save_rig

SIZE = (640, 480)


def turn(*degrees: float) -> Array:
    return np.asarray(cv2.Rodrigues(np.radians(degrees))[0], dtype=np.float64)


def lens(model: LensModel, coefficients: tuple[float, ...], size: tuple[int, int] | None = SIZE) -> Intrinsics:
    K = np.array([[500 / 3, 0, 319.7], [0, 500.123456789012345 / 3, 241.1], [0, 0, 1]])
    return Intrinsics(K, np.array(coefficients), model, size)


PINHOLE = (-0.3, 1 / 7, 1e-4, -2.5e-5, 1 / 30)
RADTAN = (-0.3, 1 / 7, 1e-4, -2.5e-5, 0.0)
RATIONAL = (2.1, 0.5, 1e-4, -2e-4, 0.01, 2.3, 0.9, 0.05)
FISHEYE = (-0.02, 0.005, -0.003, 0.0005)


def rig_of(model: LensModel, coefficients: tuple[float, ...], t: Any = (-0.06, 1e-3 / 3, 2e-4)) -> StereoRig:
    camera = lens(model, coefficients)
    return StereoRig(camera, camera, turn(0.3, 1.2, -0.7), np.array(t))


def rectified(size: tuple[int, int] | None = SIZE) -> StereoRig:
    left = Intrinsics(np.array([[994.978, 0, 311.193], [0, 994.978, 254.877], [0, 0, 1]]), np.zeros(5), "pinhole", size)
    right = Intrinsics(left.K + np.array([[0, 0, 31.086], [0, 0, 0], [0, 0, 0]]), np.zeros(5), "pinhole", size)
    return StereoRig(left, right, np.eye(3), np.array([-0.193001, 0, 0]))


RIGS = {
    "pinhole": rig_of("pinhole", PINHOLE),
    "radtan": rig_of("pinhole", RADTAN),
    "rational": rig_of("rational", RATIONAL),
    "fisheye": rig_of("fisheye", FISHEYE),
    "above": rig_of("pinhole", RADTAN, (1e-3, 0.06, 2e-4)),
    "below": rig_of("pinhole", RADTAN, (1e-3, -0.06, 2e-4)),
    "swapped": rig_of("pinhole", RADTAN, (0.06, 1e-3, 2e-4)),
    "rectified": rectified(),
}
HOLDS = {
    "opencv": set(RIGS),
    "ros": set(RIGS),
    "kalibr": set(RIGS) - {"pinhole", "rational"},
    "middlebury": {"rectified"},
    "kitti": {"rectified"},
}


def assert_same(a: StereoRig, b: StereoRig, tolerance: float = 1e-12) -> None:
    for left, right in ((a.left, b.left), (a.right, b.right)):
        assert left.model == right.model and left.size_wh == right.size_wh
        assert np.abs(left.K - right.K).max() <= tolerance * 1000
        assert np.abs(left.distortion - right.distortion).max() <= tolerance
    assert np.abs(a.R_right_left - b.R_right_left).max() <= tolerance
    assert np.abs(a.t_right_left_m - b.t_right_left_m).max() <= tolerance


def outputs(folder: Path, form: str) -> list[Path]:
    return [folder / f"{form}{i}.txt" for i in range(FORMATS[form].files_out)]


@pytest.mark.parametrize("form", HOLDS)
@pytest.mark.parametrize("name", RIGS)
def test_round_trip_is_exact_or_refused(form: str, name: str, tmp_path: Path) -> None:
    files = outputs(tmp_path, form)
    rig_file = RigFile(rig=RIGS[name])
    if name not in HOLDS[form]:
        with pytest.raises(CalibrationError, match=r"lost|change it"):
            write_foreign(files, rig_file, form)
        assert not any(file.exists() for file in files)
        return
    write_foreign(files, rig_file, form)
    assert find_format(files) == form
    again, _, found = read_foreign(files)
    assert found == form and again.metric
    assert_same(again.rig, RIGS[name])


@pytest.mark.parametrize("name", ["pinhole", "rational"])
def test_a_lens_that_kalibr_lacks_is_refused_with_advice_that_works(name: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError) as refused:
        write_foreign(outputs(tmp_path, "kalibr"), RigFile(rig=RIGS[name]), "kalibr")
    assert "opencv or ros" in refused.value.fix and "--lens-model fisheye" in refused.value.fix


@pytest.mark.parametrize("form", ["ros", "kalibr"])
def test_a_missing_size_is_refused_where_the_format_needs_it(form: str, tmp_path: Path) -> None:
    camera = lens("pinhole", RADTAN, None)
    rig = StereoRig(camera, camera, np.eye(3), np.array([-0.1, 0, 0]))
    with pytest.raises(CalibrationError, match="size"):
        write_foreign(outputs(tmp_path, form), RigFile(rig=rig), form)


@pytest.mark.parametrize("form", ["ros", "kalibr", "kitti", "middlebury"])
def test_squares_are_not_sold_as_metres(form: str, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="squares"):
        write_foreign(outputs(tmp_path, form), RigFile(rig=rectified(), metric=False), form)


def test_opencv_keeps_squares_and_a_missing_size(tmp_path: Path) -> None:
    write_foreign([tmp_path / "o.yml"], RigFile(rig=rectified(None), metric=False), "opencv")
    again, notes, _ = read_foreign([tmp_path / "o.yml"])
    assert not again.metric and again.rig.left.size_wh is None
    assert any("no picture size" in note for note in notes)


def test_opencv_itself_reads_what_we_write(tmp_path: Path) -> None:
    rig = RIGS["pinhole"]
    write_foreign([tmp_path / "o.yml"], RigFile(rig=rig), "opencv")
    storage = cv2.FileStorage(str(tmp_path / "o.yml"), cv2.FILE_STORAGE_READ)
    try:
        assert np.allclose(storage.getNode("M1").mat(), rig.left.K, rtol=1e-14)
        assert np.allclose(storage.getNode("D2").mat().ravel(), rig.right.distortion, rtol=1e-13)
        assert np.allclose(storage.getNode("R").mat(), rig.R_right_left, atol=1e-14)
        assert storage.getNode("T").mat().shape == (3, 1)
        assert storage.getNode("P2").mat().shape == (3, 4) and storage.getNode("Q").mat().shape == (4, 4)
    finally:
        storage.release()


@pytest.mark.parametrize("ending", ["yml", "xml", "json"])
@pytest.mark.parametrize("files", [1, 2])
def test_files_that_opencv_writes(ending: str, files: int, tmp_path: Path) -> None:
    rig = RIGS["pinhole"]
    paths = [tmp_path / f"in.{ending}", tmp_path / f"ex.{ending}"][:files]
    parts = [{"M1": rig.left.K, "D1": rig.left.distortion[None], "M2": rig.right.K, "D2": rig.right.distortion[None]}]
    parts.append({"R": rig.R_right_left, "T": rig.t_right_left_m[:, None], "Q": np.eye(4)})
    if files == 1:
        parts = [{**parts[0], **parts[1]}]
    for path, part in zip(paths, parts):
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        for key, value in part.items():
            storage.write(key, value)
        storage.release()
    assert find_format(paths) == "opencv"
    for order in (paths, paths[::-1]):
        again, notes, _ = read_foreign(order)
        assert again.rig.left.size_wh is None
        assert np.allclose(again.rig.R_right_left, rig.R_right_left, atol=1e-12)
        assert np.allclose(again.rig.left.K, rig.left.K, rtol=1e-12)
        assert any("no unit" in note for note in notes)


@pytest.mark.parametrize(
    "names",
    [
        ("K1", "D1", "K2", "D2", "R", "T"),
        ("cameraMatrix1", "distCoeffs1", "cameraMatrix2", "distCoeffs2", "R", "T"),
        ("left_camera_matrix", "left_distortion", "right_camera_matrix", "right_distortion", "rotation", "translation"),
        ("K_left", "dist_left", "K_right", "dist_right", "rotation_matrix", "translation_vector"),
        ("mtxL", "distL", "mtxR", "distR", "Rot", "Trns"),
        ("camera_matrix_0", "dist_coeffs_0", "camera_matrix_1", "dist_coeffs_1", "R", "T"),
    ],
)
def test_usual_key_names(names: tuple[str, ...], tmp_path: Path) -> None:
    rig = StereoRig(lens("pinhole", PINHOLE), lens("pinhole", RADTAN), turn(0, 1, 0), np.array([-60.0, 0.1, 0.2]))
    values = (rig.left.K, rig.left.distortion, rig.right.K, rig.right.distortion, rig.R_right_left, rig.t_right_left_m)
    data = {name: value.tolist() for name, value in zip(names, values)}
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump({**data, "image_width": 640, "image_height": 480}))
    again, notes, _ = read_foreign([tmp_path / "rig.yaml"], options=Options(unit_m=0.001))
    assert again.rig.left.size_wh == SIZE and not notes
    assert np.array_equal(again.rig.left.distortion, rig.left.distortion)
    assert np.array_equal(again.rig.right.distortion, rig.right.distortion)
    assert again.rig.baseline_m == pytest.approx(0.06, rel=1e-4)
    assert any("millimetres" in note for note in read_foreign([tmp_path / "rig.yaml"])[1])


def test_matrices_in_groups_by_side(tmp_path: Path) -> None:
    rig = RIGS["radtan"]
    sides = {
        side: {"K": c.K.tolist(), "D": c.distortion.tolist()} for side, c in (("left", rig.left), ("right", rig.right))
    }
    text = yaml.safe_dump({**sides, "R": rig.R_right_left.tolist(), "T": rig.t_right_left_m.tolist()})
    (tmp_path / "rig.yaml").write_text(text)
    again, _, form = read_foreign([tmp_path / "rig.yaml"])
    assert form == "opencv" and np.array_equal(again.rig.right.K, rig.right.K)
    assert np.array_equal(again.rig.left.distortion, rig.left.distortion)


@pytest.mark.parametrize("small", [False, True])
def test_ros_messages_that_were_echoed(small: bool, tmp_path: Path) -> None:
    # `rostopic echo` writes K, D, R, P; ROS 2 writes them small, with a header before and a region after
    files = outputs(tmp_path, "ros")
    write_foreign(files, RigFile(rig=RIGS["radtan"]), "ros")
    want = read_foreign(files)[0].rig
    names = {
        "camera_matrix": "K",
        "distortion_coefficients": "D",
        "rectification_matrix": "R",
        "projection_matrix": "P",
    }
    for path in files:
        data = yaml.safe_load(path.read_text())
        echoed = {(new.lower() if small else new): data[old]["data"] for old, new in names.items()}
        rest = {"header": {"frame_id": "cam"}, "width": 640, "height": 480, "distortion_model": "plumb_bob",
                "binning_x": 0, "roi": {"x_offset": 0, "do_rectify": False}}  # fmt: skip
        path.write_text(yaml.safe_dump({**rest, **echoed}))
    again, _, form = read_foreign(files)
    assert form == "ros" and again.rig.left.size_wh == SIZE
    np.testing.assert_array_equal(again.rig.R_right_left, want.R_right_left)
    np.testing.assert_array_equal(again.rig.right.distortion, want.right.distortion)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("%YAML:1.0\n---\nM1: !!opencv-matrix 3\nM2: 4\n", "damaged"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>\n<opencv_storage><M1>&a;</M1></opencv_storage>', "entities"),
        ("<opencv_storage><M1><rows>3</rows></opencv_storage>", "damaged at line"),
        ("<opencv_storage><M1><data>1 2 x</data></M1></opencv_storage>", "m1 must hold numbers"),
        ("M1: " + "[1, " * 3 + "2" + "]" * 3 + "\nD1: [0, 0, 0, 0]\nM2: 1\n", "m1 must have 9 numbers"),
    ],
)
def test_hostile_opencv_files(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "rig.yml").write_text(content)
    with pytest.raises(CalibrationError, match=said):
        read_foreign([tmp_path / "rig.yml"], "opencv")


def test_a_rounded_rotation_becomes_the_nearest_one(tmp_path: Path) -> None:
    R = turn(1, 2, 3)
    write_foreign([tmp_path / "o.yml"], RigFile(rig=rectified()), "opencv")
    data = yaml.safe_load((tmp_path / "o.yml").read_text().split("---\n")[1].replace("!!opencv-matrix", ""))
    data["R"]["data"] = R.round(5).ravel().tolist()
    (tmp_path / "o.yml").write_text(yaml.safe_dump(data))
    again = read_foreign([tmp_path / "o.yml"], "opencv")[0].rig.R_right_left
    assert np.abs(again @ again.T - np.eye(3)).max() < 1e-14 and np.abs(again - R).max() < 1e-5
    data["R"]["data"] = R.round(1).ravel().tolist()
    (tmp_path / "o.yml").write_text(yaml.safe_dump(data))
    with pytest.raises(CalibrationError, match="rotation"):
        read_foreign([tmp_path / "o.yml"], "opencv")


KITTI = """P0: 707.0912 0 601.8873 0 0 707.0912 183.1104 0 0 0 1 0
P1: 7.070912e+02 0 601.8873 -3.798145e+02 0 707.0912 183.1104 0 0 0 1 0
Tr: 1 0 0 0 0 1 0 0 0 0 1 0
"""
KITTI_RAW = """calib_time: 09-Jan-2012 13:57:47
corner_dist: 9.950000e-02
S_00: 1.392000e+03 5.120000e+02
K_00: 984 0 690 0 980 233 0 0 1
D_00: -0.37 0.2 1e-3 2e-3 -0.07
S_rect_00: 1.242000e+03 3.750000e+02
P_rect_00: 721.5 0 609.5 0 0 721.5 172.8 0 0 0 1 0
S_rect_01: 1.242000e+03 3.750000e+02
P_rect_01: 721.5 0 609.5 -387.5 0 721.5 172.8 0 0 0 1 0
"""


@pytest.mark.parametrize("labels", [True, False])
def test_kitti_odometry(labels: bool, tmp_path: Path) -> None:
    lines = KITTI if labels else "\n".join(line.split(": ")[1] for line in KITTI.splitlines()[:2])
    (tmp_path / "calib.txt").write_text(lines)
    rig_file, notes, form = read_foreign([tmp_path / "calib.txt"])
    assert form == "kitti" and rig_file.rig.left.size_wh is None and notes
    assert rig_file.rig.baseline_m == pytest.approx(379.8145 / 707.0912, rel=1e-12)
    assert np.array_equal(rig_file.rig.R_right_left, np.eye(3))


def test_kitti_raw(tmp_path: Path) -> None:
    (tmp_path / "calib_cam_to_cam.txt").write_text(KITTI_RAW)
    rig_file, notes, _ = read_foreign([tmp_path / "calib_cam_to_cam.txt"])
    assert rig_file.rig.left.size_wh == (1242, 375)
    assert rig_file.rig.baseline_m == pytest.approx(387.5 / 721.5, rel=1e-12)
    assert any("rectified" in note for note in notes)
    with pytest.raises(CalibrationError, match="P_rect_02"):
        read_foreign([tmp_path / "calib_cam_to_cam.txt"], options=Options(cameras=(2, 3)))


def test_middlebury_keeps_its_other_fields_and_checks_doffs(tmp_path: Path) -> None:
    text = (
        "cam0=[994.978 0 311.193; 0 994.978 254.877; 0 0 1]\ncam1=[994.978 0 342.279; 0 994.978 254.877; 0 0 1]\n"
        "doffs=31.086\nbaseline=193.001\nwidth=741\nheight=500\nndisp=70\nvmin=7\n"
    )
    (tmp_path / "calib.txt").write_text(text)
    rig_file, _, form = read_foreign([tmp_path / "calib.txt"])
    assert form == "middlebury" and rig_file.rig.baseline_m == pytest.approx(0.193001, rel=1e-15)
    save_rig(tmp_path / "rig.json", rig_file)
    write_foreign([tmp_path / "again.txt"], read_foreign([tmp_path / "rig.json"])[0], "middlebury")
    assert "ndisp=70\nvmin=7\n" in (tmp_path / "again.txt").read_text()
    (tmp_path / "calib.txt").write_text(text.replace("doffs=31.086", "doffs=0"))
    with pytest.raises(CalibrationError, match=r"doffs.*31\.086"):
        read_foreign([tmp_path / "calib.txt"])


def euroc(T: Array, model: str = "equidistant") -> str:
    return (
        "%YAML:1.0\n# General sensor definitions.\nsensor_type: camera\nT_BS:\n  cols: 4\n  rows: 4\n"
        f"  data: [{', '.join(map(repr, T.ravel().tolist()))}]\nresolution: [752, 480]\ncamera_model: pinhole\n"
        "intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv\n"
        f"distortion_model: {model}\ndistortion_coefficients: [-0.28, 0.07, 0.0002, 1e-5]\n"
    )


def test_euroc(tmp_path: Path) -> None:
    rig = RIGS["fisheye"]
    in_body = np.eye(4)
    in_body[:3, :3], in_body[:3, 3] = turn(10, 80, 30), [0.1, -0.2, 0.3]
    left_right = np.eye(4)
    left_right[:3, :3], left_right[:3, 3] = rig.R_right_left, rig.t_right_left_m
    paths = [tmp_path / "left.yaml", tmp_path / "right.yaml"]
    for model, kind in (("equidistant", "fisheye"), ("radial-tangential", "pinhole")):
        for path, T in zip(paths, (in_body, in_body @ np.linalg.inv(left_right))):
            path.write_text(euroc(T, model))
        rig_file, _, form = read_foreign(paths)
        assert form == "euroc" and rig_file.rig.left.model == kind
        assert np.allclose(rig_file.rig.R_right_left, rig.R_right_left, atol=1e-12)
        assert np.allclose(rig_file.rig.t_right_left_m, rig.t_right_left_m, atol=1e-12)
        assert rig_file.rig.left.distortion[3] == 1e-5
    with pytest.raises(CalibrationError, match="not written"):
        write_foreign(paths, rig_file, "euroc")
    with pytest.raises(CalibrationError, match="takes 2 files"):
        read_foreign(paths[:1])


def test_ros_files_the_wrong_way_round_are_told(tmp_path: Path) -> None:
    files = outputs(tmp_path, "ros")
    write_foreign(files, RigFile(rig=RIGS["radtan"]), "ros")
    with pytest.raises(CalibrationError, match="other way round"):
        read_foreign(files[::-1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("radtan", "omni"), "distortion_model"),
        (("camera_model: pinhole", "camera_model: ds"), "camera_model"),
        (("cam1", "cam7"), "cam1"),
        (("T_cn_cnm1", "T_imu"), "T_cn_cnm1"),
        (("resolution: [640, 480]", "resolution: [640]"), "resolution"),
        (("intrinsics: [", "intrinsics: [-"), "intrinsics"),
        (("intrinsics: [", "intrinsics: [nan, "), "numbers"),
        (("intrinsics: [", "intrinsics: ["), ""),
    ],
)
def test_what_a_camchain_lacks_is_named(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    write_foreign([path], RigFile(rig=RIGS["radtan"]), "kalibr")
    path.write_text(path.read_text().replace(*change))
    if not said:
        read_foreign([path], "kalibr")
        return
    with pytest.raises(CalibrationError, match=said):
        read_foreign([path], "kalibr")


def test_unknown_content_is_refused(tmp_path: Path) -> None:
    for content in ("hello", "a: 1", "{}", "<html></html>", "[1, 2]", "a: &x [1]\nb: [*x, *x]\n", json.dumps({"a": 1})):
        (tmp_path / "x").write_text(content)
        with pytest.raises(CalibrationError):
            read_foreign([tmp_path / "x"])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), form=st.sampled_from(sorted(HOLDS)))
def test_damaged_files_give_a_message_or_a_valid_rig(data: st.DataObject, form: str, tmp_path: Path) -> None:
    files = outputs(tmp_path, form)
    write_foreign(files, RigFile(rig=rectified()), form)
    text = files[0].read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    files[0].write_text(
        text[:start] + data.draw(st.text("0123456789.-+eEnaif[]:,{}\n &*!|'\"<>", max_size=6)) + text[end:]
    )
    try:
        rig_file = read_foreign(files, form)[0]
    except CalibrationError as error:
        assert error.what
        return
    assert rig_file.rig.left.K[0, 0] > 0 and np.isfinite(rig_file.rig.t_right_left_m).all()
    assert np.abs(rig_file.rig.R_right_left @ rig_file.rig.R_right_left.T - np.eye(3)).max() < 1e-9
