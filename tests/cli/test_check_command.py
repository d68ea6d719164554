"""`check` as a user runs it, on the demo: a good rig, a knocked one, exchanged, another size, another camera."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_scenes import run_command, run_json
from synthetic.board_scenes import depth_error_percent

from calibration.rigfile import Camera, Cameras, RigFile, load_rig, save_rig
from livestereo.cli.check import _other_cameras
from livestereo.sources.demo.lens import make_rig, turned
from livestereo.sources.demo.options import open_demo
from livestereo.types import SourceInfo

KEYS = {
    "vertical_rms_px", "vertical_median_px", "depth_scale_percent", "rotation_drift_deg", "swapped", "verdict",
    "warnings",
}  # fmt: skip
# Small pictures: the scenes are the dear part.
SIZE = (320, 240)
ROOM, PLANE, SHOWN = "demo:room,size=320x240", "demo:plane,size=320x240,distance=2m", "demo:board,size=320x240,fps=2"
KNOCKED = f"{ROOM},bump=0.5deg@0s"
BOARD = ("--board", "chessboard:9x6:25mm")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_rig_is_called_good(capsys: pytest.CaptureFixture[str]) -> None:
    code, result, _ = run_json(capsys, "check", ROOM, "--frames", "2")
    assert code == 0 and set(result) >= KEYS and result["verdict"] == "good" and result["warnings"] == []
    assert result["vertical_median_px"] < 0.1 and result["rotation_drift_deg"] < 0.02
    assert result["depth_scale_percent"] is None and result["pattern"] == [] and result["swapped"] is not True
    # what no scene shows is said with a figure
    assert set(result["sigma_deg"]) == {"pitch", "yaw", "roll"} and result["hidden_depth_percent"]["2m"] > 0


def test_a_knock_is_named_and_repaired(capsys: pytest.CaptureFixture[str]) -> None:
    code, result, err = run_json(capsys, "check", KNOCKED, "--frames", "4", "--repair", "-o", "mended.json")
    assert code == 0 and result["verdict"] == "bad" and result["pattern"][0] == "pitch"
    assert "tilted down by 0.42°" in err and "rolled" in err
    true = turned(make_rig(0, SIZE), 0.5)
    rig = load_rig(Path("mended.json")).rig
    after, before = (depth_error_percent(used, true, 2.0) for used in (rig, make_rig(0, SIZE)))
    assert after < before + result["repaired"]["depth_sigma_percent"]["2m"]
    code, again, _ = run_json(capsys, "check", KNOCKED, "--frames", "2", "--rig", "mended.json")
    assert again["verdict"] == "good" and again["vertical_median_px"] < 0.1


def test_one_measured_distance_settles_yaw(capsys: pytest.CaptureFixture[str]) -> None:
    plane = f"{PLANE},bump=0.2deg@0s"
    code, result, _ = run_json(capsys, "check", plane, "--distance", "2.00", "--frames", "2", "--repair")
    assert code == 0 and result["yaw_resolved"] is True and result["distance_error_percent"] > 1.5
    rig = load_rig(Path("rig-repaired.json")).rig
    true = turned(make_rig(0, SIZE), 0.2)
    assert depth_error_percent(rig, true, 2.0) < 2 * result["repaired"]["depth_sigma_percent"]["2m"] < 1.5


def test_a_board_tells_the_scale(capsys: pytest.CaptureFixture[str]) -> None:
    code, result, _ = run_json(capsys, "check", SHOWN, *BOARD, "--frames", "8")
    assert code == 0 and result["verdict"] == "good" and abs(result["depth_scale_percent"]) < 0.2
    # the same pictures with a board said to be 2 % larger
    code, result, _ = run_json(capsys, "check", SHOWN, "--board", "chessboard:9x6:25.5mm", "--frames", "8")
    assert code == 0 and result["depth_scale_percent"] == pytest.approx(-100 * (1 - 25 / 25.5), abs=0.2)


def test_exchanged_pictures_and_another_size_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result, err = run_json(capsys, "check", ROOM, "--swap", "--frames", "2")
    assert code == 0 and result["swapped"] is True and result["verdict"] == "bad" and "--swap" in err
    with open_demo(ROOM) as source:
        save_rig(here / "rig.json", source.rig)
    code, result, _ = run_json(capsys, "check", "demo:room,size=160x120", "--rig", "rig.json", "--frames", "1")
    assert code == 1 and "another picture size" in result["error"]["what"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((ROOM, "--distance", "-1"), "must be in metres"),
        ((ROOM, "--distance", "2", "--frames", "2"), "not flat"),
        ((ROOM, "--rig", "no.json"), "no rig file"),
        ((SHOWN, "--board", "chessboard:8x5:25mm", "--frames", "3"), "in both pictures of none"),
        ((ROOM, "--board", "chess"), "not a kind of board"),
    ],
)
def test_what_cannot_be_checked_is_one_message(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, err = run_json(capsys, "check", *words)
    assert code == 1 and said in result["error"]["what"] and result["error"]["fix"] and "Traceback" not in err


def test_a_person_reads_what_turned_and_what_stays_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "check", KNOCKED, "--frames", "3", "--repair", "-o", "mended.json")
    assert code == 0 and "pitch +0.4" in out and "verdict" in out and "repaired: pitch" in out
    assert "No scene shows the baseline" in out and "a yaw may still cause" in out


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (("usb:a", "usb:b"), []),
        (("usb:b", "usb:a"), ["exchanged: use --swap"]),
        (("usb:a", "usb:c"), ["The right camera is not the one"]),
        (("usb:c", "usb:d"), ["The left and the right camera is not the one"]),
        (("left.png", "right.png"), []),
    ],
)
def test_other_cameras_are_told_by_their_stable_ids(now: tuple[str, str], said: list[str]) -> None:
    cameras = Cameras(left=Camera(id="usb:a"), right=Camera(id="usb:b"))
    opened: Any = SimpleNamespace(source=SimpleNamespace(info=SourceInfo("x", True, left_id=now[0], right_id=now[1])))
    told = _other_cameras(RigFile(rig=make_rig(0, SIZE), cameras=cameras), opened)
    assert len(told) == len(said) and all(part in text for part, text in zip(said, told))
