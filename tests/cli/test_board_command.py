"""`board` as a user runs it: files at true scale, a board on the screen, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json

from calibration.boards import parse_board
from calibration.detection import BoardDetector
from livestereo import display


@pytest.mark.parametrize(
    ("spec", "page"),
    [
        ("chessboard:9x6:25mm", "a4"), ("chessboard:7x6:20mm", "letter"), ("chessboard:9x6:35mm", "a3"),
        ("charuco:5x7:30mm:22mm:DICT_5X5_100", "a4"), ("charuco:8x11:20mm:15mm:DICT_4X4_250", "letter"),
        ("circles:4x11:20mm", "a4"), ("circles:7x5:25mm", "a3"), ("chessboard:8x7:40mm", "500x400mm"),
    ],
)  # fmt: skip
def test_what_is_drawn_is_found_again(spec: str, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "board.png"
    code, result, _ = run_json(capsys, "board", spec, "-o", str(path), "--page", page, "--dpi", "127")
    assert code == 0 and result["board"] == spec
    board = parse_board(spec)
    found = BoardDetector(board).detect(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    assert found is not None and len(found.ids) == board.point_count
    # 127 dpi: five pixels to a millimetre
    flat = board.object_points()[found.ids, :2] * 1000
    design = np.column_stack([flat, np.ones(len(flat))])
    fitted = np.linalg.lstsq(design, found.points_px / 5.0, rcond=None)[0]
    assert np.abs(np.linalg.norm(fitted[:2], axis=1) - 1).max() < 1e-3


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_each_kind_of_file_is_written(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"board.{ending}"
    code, out, _ = run_command(capsys, "board", "chessboard:9x6:25mm", "-o", str(path))
    assert code == 0 and "100 %" in out and "--measured" in out
    assert path.read_bytes().startswith({"pdf": b"%PDF", "svg": b"<", "png": b"\x89PNG"}[ending])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chessboard:9x6:60mm", "-o", "b.pdf"), "does not fit the page"),
        (("chessboard:9x6", "-o", "b.pdf"), "no size"),
        (("chessboard:9x6:25mm",), "No output file"),
        (("chessboard:9x6:25mm", "-o", "b.gif"), "cannot be written as"),
        (("chessboard:9x6:25mm", "-o", "b.pdf", "--page", "foo"), "not a page size"),
        (("chessboard:9x6:25mm", "-o", "b.pdf", "--orientation", "up"), "Unknown orientation"),
        (("chessboard:9x6:25mm", "-o", "b.png", "--dpi", "0"), "dots per inch"),
        (("chessboard:9x6:25mm", "-o", "/proc/b.pdf"), "The folder /proc cannot be written"),
        (("charuco:25x27:3mm:2mm:DICT_4X4_50", "-o", "b.pdf"), "needs 337 markers"),
        (("chessboard:9x6:25mm", "--screen"), "distance of the monitor's pixels"),
        (("chessboard:9x6:25mm", "--screen", "--pitch", "9"), "distance of the monitor's pixels"),
    ],
)
def test_what_cannot_be_drawn_is_one_message(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, result, err = run_json(capsys, "board", *words)
    assert code == 1 and said in result["error"]["what"] and result["error"]["fix"]
    assert "Traceback" not in err and not list(tmp_path.iterdir())


def test_on_the_screen_squares_are_whole_pixels_and_their_true_size_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    monkeypatch.setattr(display, "probe", lambda: display.Display(True, "", (1600, 1000)))
    monkeypatch.setattr(display, "show_full_screen", lambda title, picture: shown.append(picture))
    code, result, _ = run_json(capsys, "board", "chessboard:9x6:25mm", "--screen", "--pitch", "0.2768")
    assert code == 0 and result["square_px"] == 90 and result["square_mm"] == pytest.approx(90 * 0.2768)
    assert result["board"] == "chessboard:9x6:24.912mm"
    found = BoardDetector(parse_board(result["board"])).detect(cv2.cvtColor(shown[0], cv2.COLOR_BGR2GRAY))
    assert found is not None
    steps = np.diff(found.points_px.reshape(6, 9, 2)[:, :, 0], axis=1)
    assert np.abs(np.abs(steps) - 90).max() < 0.05
    code, result, _ = run_json(capsys, "board", "chessboard:9x6:50mm", "--screen", "--pitch", "0.2768")
    assert code == 1 and "does not fit the screen" in result["error"]["what"]


def test_with_no_display_a_board_on_the_screen_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(display, "probe", lambda: display.Display(False, "There is no display.", (0, 0)))
    code, result, _ = run_json(capsys, "board", "chessboard:9x6:25mm", "--screen", "--pitch", "0.3")
    assert code == 1 and "no display" in result["error"]["what"]
