"""`calibrate` as a user runs it, on rendered pictures with exact truth."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json
from synthetic.board_pictures import SMALL, render_set, write_set
from synthetic.board_scenes import Scene, depth_error_percent
from synthetic.drawn_boards import Look

from calibration.rigfile import load_rig
from livestereo.sources.demo.lens import make_rig

KEYS = {
    "rms_px", "rms_left_px", "rms_right_px", "epipolar_px", "vertical_rms_px", "heldout_vertical_rms_px", "baseline_m",
    "focal_left_px", "focal_right_px", "rotation_deg", "toe_in_deg", "views_used", "views_rejected", "lens_model",
    "board_bend_mm", "sync_ratio", "swapped", "depth_error_percent", "verdict", "warnings", "rig",
}  # fmt: skip
BOARD = ("--board", "chessboard:9x6:25mm")


@pytest.fixture(scope="module")
def made() -> tuple[Scene, list[np.ndarray]]:
    return render_set(dataclasses.replace(SMALL, views=10))


@pytest.fixture
def folder(made: tuple[Scene, list[np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_set(tmp_path, made[1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calibrate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    return run_json(capsys, "calibrate", "left*.png", "right*.png", *words)


def test_pictures_become_a_rig_a_report_and_the_keys_of_the_contract(
    folder: Path, made: tuple[Scene, list[np.ndarray]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, _ = calibrate(capsys, *BOARD, "-o", "my.json", "--report", "my.html", "--at", "0.5")
    assert code == 0 and set(result) >= KEYS
    assert result["verdict"] == "good" and result["views_used"] == 10 and result["views_rejected"] == []
    assert list(result["depth_error_percent"]) == ["1m", "2m", "4m", "0.5m"]
    assert result["rig"] == "my.json" and result["swapped"] is False
    truth = made[0].rig
    # Rendered corners are found to about 0.03 px: a few times what that leaves on ten small pictures.
    assert result["baseline_m"] == pytest.approx(truth.baseline_m, rel=0.002)
    assert result["focal_left_px"] == pytest.approx(truth.left.focal_px, rel=0.003)
    saved = load_rig(folder / "my.json")
    assert saved.rig.baseline_m == pytest.approx(result["baseline_m"])
    assert saved.rig.left.size_wh == (480, 360) and saved.covariance is not None
    assert saved.made_by is not None and saved.made_by.command == "calibrate"
    page = (folder / "my.html").read_text()
    assert "good" in page and 'src="http' not in page


def test_the_result_for_a_person_says_the_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "calibrate", "left*.png", "right*.png", *BOARD)
    assert code == 0 and "The calibration is good." in out and "baseline" in out and "rig.json" in out
    assert load_rig(folder / "rig.json").rig.baseline_m > 0


def test_exchanged_and_upside_down_pictures_are_put_right(
    folder: Path, made: tuple[Scene, list[np.ndarray]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, err = run_json(capsys, "calibrate", "right*.png", "left*.png", *BOARD)
    assert code == 0 and result["swapped"] is True and "exchanged" in err
    assert load_rig(folder / "rig.json").capture.swap is True
    assert result["baseline_m"] == pytest.approx(made[0].rig.baseline_m, rel=0.002)
    for path in folder.glob("right*.png"):
        assert cv2.imwrite(str(path), cv2.rotate(cv2.imread(str(path)), cv2.ROTATE_180))
    code, result, err = calibrate(capsys, *BOARD)
    assert code == 0 and result["swapped"] is False and "upside down" in err
    assert load_rig(folder / "rig.json").capture.flip == ("none", "180")
    assert result["baseline_m"] == pytest.approx(made[0].rig.baseline_m, rel=0.002)


def test_a_pair_of_another_moment_is_left_out_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "right04.png").write_bytes((folder / "right05.png").read_bytes())
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 0 and [view["name"] for view in result["views_rejected"]] == ["left04.png"]
    assert "moved between the exposures" in result["views_rejected"][0]["why"]


def test_measured_rulers_scale_the_rig(
    folder: Path, made: tuple[Scene, list[np.ndarray]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, _ = calibrate(capsys, *BOARD, "--measured", "99.0x99.0mm", "--lens-model", "pinhole")
    assert code == 0 and result["baseline_m"] == pytest.approx(0.99 * made[0].rig.baseline_m, rel=0.002)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--board", "chessboard:zz"), "'zz' is not a grid"),
        (("--board", "chess:9x6:25mm"), "not a kind of board"),
        (("--board", "charuco:9x6:30mm:22mm:DICT_9"), "not an ArUco dictionary"),
        ((*BOARD, "--measured", "99"), "not a pair of measured lengths"),
        ((*BOARD, "--lens-model", "magic"), "Unknown lens model"),
        ((*BOARD, "--goal", "soon"), "not a goal"),
        ((*BOARD, "--at", "0"), "not a list of distances"),
        ((*BOARD, "-o", "left00.png/rig.json"), "not a folder"),
        ((*BOARD, "--frames", "3"), "Too few views: 3"),
        (("--board", "chessboard:10x7:25mm"), "seem to show a chessboard with 9 x 6"),
    ],
)
def test_bad_input_is_told_in_one_message(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, result, err = calibrate(capsys, *words)
    assert code == 1 and said in result["error"]["what"] + result["error"]["fix"]
    assert "Traceback" not in err and not (folder / "rig.json").exists()


def test_a_board_that_is_nowhere_is_told_with_counts_and_causes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in folder.glob("*.png"):
        assert cv2.imwrite(str(path), np.full((360, 480), 120, np.uint8))
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 1 and "in none of 10 pairs" in result["error"]["what"]
    assert all(cause in result["error"]["fix"] for cause in ("inner corners", "blurred", "glare"))
    assert result["rig"] is None and result["views_used"] == 0


def test_a_spec_of_a_part_of_the_board_is_read_as_the_whole_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, _ = calibrate(capsys, "--board", "chessboard:7x6:25mm")
    assert code == 0 and result["verdict"] == "good"
    assert result["baseline_m"] == pytest.approx(0.08, rel=0.002)
    assert any("9 x 6 inner corners" in warning and "chessboard:9x6:25mm" in warning for warning in result["warnings"])


def test_an_old_inverted_charuco_board_is_found_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = "charuco:5x8:20mm:15mm:DICT_4X4_50"
    options = dataclasses.replace(SMALL, views=8, board=spec, size_wh=(640, 480), focal_px=560.0)
    scene, pictures = render_set(options, seed=2, look=Look(legacy=True, inverted=True))
    write_set(tmp_path, pictures)
    code, result, _ = calibrate(capsys, "--board", spec)
    assert code == 0 and result["baseline_m"] == pytest.approx(scene.rig.baseline_m, rel=0.005)
    assert any("older pattern" in text for text in result["warnings"])
    assert any("inverted" in text for text in result["warnings"])
    code, result, _ = calibrate(capsys, "--board", "charuco:8x5:20mm:15mm:DICT_4X4_50")
    assert code == 1 and spec in result["error"]["fix"]


def test_a_board_that_is_rarely_in_both_is_told_with_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.glob("right*.png"))[2:]:
        assert cv2.imwrite(str(path), np.full((360, 480), 120, np.uint8))
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 1 and "in 10 left and 2 right pictures of 10 pairs, in both at once in 2" in result["error"]["what"]


def test_one_picture_of_another_size_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cv2.imwrite("left03.png", cv2.resize(cv2.imread("left03.png"), (960, 720)))
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 1 and "960x720" in result["error"]["what"] and "480x360" in result["error"]["what"]


def test_one_place_again_and_again_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for side in ("left", "right"):
        first = cv2.imread(f"{side}00.png", cv2.IMREAD_GRAYSCALE)
        for path in folder.glob(f"{side}*.png"):
            assert cv2.imwrite(str(path), np.clip(first + rng.normal(0, 3, first.shape), 0, 255).astype(np.uint8))
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 1 and "1 different place" in result["error"]["what"]
    assert not (folder / "rig.json").exists()


def test_a_person_sees_where_the_board_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Squares named ten times too small leave every figure but lengths as it is."""
    spec = "--board", "chessboard:9x6:2.5mm"
    code, told, _ = run_command(capsys, "calibrate", "left*.png", "right*.png", *spec, "-o", "rig.json")
    assert code == 0
    line = next(line for line in told.splitlines() if "board's distance" in line)
    near, far = (float(word) for word in line.split() if word[0].isdigit())
    assert 0.02 <= near < far <= 0.07  # the pictures were taken at ten times that


def test_copies_of_one_pair_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("left", "right"):
        for path in folder.glob(f"{side}*.png"):
            path.write_bytes((folder / f"{side}00.png").read_bytes())
    code, result, _ = calibrate(capsys, *BOARD)
    assert code == 1 and "copies of others" in result["error"]["what"]
    assert not (folder / "rig.json").exists()


def test_guided_views_of_the_demo_reach_the_goal_and_leave_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    demo = "demo:board,fps=6,size=320x240"
    code, result, err = run_json(capsys, "calibrate", demo, *BOARD, "--auto", "--goal", "1%@2m", "--report", "r.html")
    assert code == 0 and result["goal_met"] is True and result["verdict"] == "good"
    assert "The goal is met." in err and "turned by 90°" in err
    assert result["depth_error_percent"]["2m"] < 1
    assert {path.name for path in tmp_path.iterdir()} == {"rig.json", "r.html"}
    truth = make_rig(0, (320, 240))
    found = load_rig(tmp_path / "rig.json").rig
    assert depth_error_percent(found, truth, 2.0) < 2 * result["depth_error_percent"]["2m"]
    # thumbnails of the session are in the page although its folder is gone
    assert (tmp_path / "r.html").read_text().count("data:image/jpeg") >= 2 * result["views_used"]


def test_guided_capture_with_a_wrong_spec_says_the_likely_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = ("--board", "chessboard:10x7:25mm")
    code, result, _ = run_json(capsys, "calibrate", "demo:board,fps=6,size=480x360", *wrong, "--auto", "--frames", "45")
    assert code == 1 and "9 x 6 inner corners" in result["error"]["what"]
    assert "chessboard:9x6:25mm" in result["error"]["fix"]


def test_too_few_guided_views_are_told_with_the_folder_that_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    demo = "demo:board,fps=6,size=320x240"
    words = ("calibrate", demo, *BOARD, "--auto", "--session", "mine", "--frames", "8")
    code, result, err = run_json(capsys, *words)
    assert code == 1 and "Only 1 view of the board was taken in 8 pairs" in result["error"]["what"]
    assert "--session mine" in result["error"]["fix"] and not (tmp_path / "rig.json").exists()
    code, _, err = run_json(capsys, *words)
    assert "Going on with the 1 view of mine" in err
    code, result, _ = run_json(
        capsys, "calibrate", demo, "--board", "chessboard:7x6:25mm", "--auto", "--session", "mine"
    )
    assert code == 1 and "made with the board chessboard:9x6:25mm" in result["error"]["what"]
