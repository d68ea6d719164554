"""`convert` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_command, run_json

from calibration.rigfile import load_rig

KITTI = "P0: 707 0 601 0 0 707 183 0 0 0 1 0\nP1: 707 0 601 -379.8 0 707 183 0 0 0 1 0\n"


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    path = tmp_path / "calib.txt"
    path.write_text(KITTI)
    return path


def test_a_foreign_file_becomes_a_rig_and_its_missing_size_is_told(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, err = run_json(capsys, "convert", kitti, tmp_path / "rig.json")
    assert code == 0 and result["from"] == "kitti" and result["size_left"] is None
    assert "no picture size" in err
    assert load_rig(tmp_path / "rig.json").rig.left.size_wh is None
    code, result, err = run_json(capsys, "convert", kitti, tmp_path / "rig.json", "--size", "1226x370")
    assert code == 0 and result["size_right"] == [1226, 370] and "no picture size" not in err


def test_three_paths_are_one_in_and_two_out_for_ros_and_two_in_otherwise(
    kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, rig = tmp_path / "l.yaml", tmp_path / "r.yaml", tmp_path / "rig.json"
    assert run_command(capsys, "convert", kitti, left, right, "--to", "ros", "--size", "1226x370")[0] == 0
    assert run_command(capsys, "convert", left, right, rig)[0] == 0
    assert load_rig(rig).rig.baseline_m == pytest.approx(379.8 / 707, rel=1e-12)
    four = (tmp_path / "l2.yaml", tmp_path / "r2.yaml")
    assert run_command(capsys, "convert", left, right, *four, "--to", "ros")[0] == 0
    assert four[0].read_text() == left.read_text() and four[1].read_text() == right.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("calib.txt",), "two to four paths"),
        (("none.txt", "rig.json"), "no file"),
        (("calib.txt", "rig.json", "--from", "magic"), "Unknown format"),
        (("calib.txt", "rig.json", "--from", "kalibr"), "cam0"),
        (("calib.txt", "out.txt", "--to", "ros", "--size", "1x1"), "takes 2 files"),
        (("calib.txt", "out.yaml", "--to", "kalibr"), "picture size"),
        (("calib.txt", "rig.json", "--size", "big"), "--size"),
        (("calib.txt", "rig.json", "--unit", "ells"), "--unit"),
        (("calib.txt", "rig.json", "--cameras", "2,3"), "P2"),
        (("calib.txt", "calib.txt/rig.json"), "not a folder"),
        (("calib.txt", "l.yaml", "l.yaml", "--to", "ros", "--size", "9x9"), "same name"),
        (("rig.json", "out"), "--to"),
    ],
)
def test_bad_input_is_one_message(
    words: tuple[str, ...], said: str, kitti: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if words[0] == "rig.json":
        run_command(capsys, "convert", "calib.txt", "rig.json")
    before = sorted(tmp_path.iterdir())
    code, out, err = run_command(capsys, "convert", *words)
    assert code == 1 and said in err and not out
    assert sorted(tmp_path.iterdir()) == before


def test_what_only_our_format_knows_is_told(kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = tmp_path / "rig.json"
    run_command(capsys, "convert", kitti, rig)
    rig.write_text(rig.read_text().replace('"swap": false', '"swap": true'))
    code, _, err = run_command(capsys, "convert", rig, tmp_path / "o.yml", "--to", "opencv")
    assert code == 0 and "--swap" in err
