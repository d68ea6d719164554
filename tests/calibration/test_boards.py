"""What a board spec means, and what is said of a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.boards import parse_board, parse_measured
from calibration.errors import CalibrationError


@pytest.mark.parametrize(
    ("text", "count", "square_m"),
    [
        ("chessboard:9x6:25mm", 54, 0.025),
        ("chessboard:9X6:2.5cm", 54, 0.025),
        (" Chessboard : 7x4 : 1in ", 28, 0.0254),
        ("chessboard:9x6", 54, None),
        ("charuco:9x6:30mm:22mm:DICT_5X5_100", 40, 0.03),
        ("charuco:9x6:dict_5x5_100", 40, None),
        ("circles:4x11:20mm", 44, 0.02),
    ],
)
def test_specs_are_read(text: str, count: int, square_m: float | None) -> None:
    board = parse_board(text)
    assert board.point_count == count and board.square_m == square_m and board.metric == (square_m is not None)
    assert parse_board(board.text) == board


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a kind of board"),
        ("chess:9x6", "'chess' is not a kind of board"),
        ("chessboard", "the grid is missing"),
        ("chessboard:nine", "'nine' is not a grid"),
        ("chessboard:2x6:25mm", "too few"),
        ("chessboard:900x6:25mm", "too many"),
        ("chessboard:9x6:25", "'25' is not a length"),
        ("chessboard:9x6:0mm", "not a size for a square"),
        ("chessboard:9x6:25mm:3mm", "is too much"),
        ("charuco:9x6:30mm:22mm", "not an ArUco dictionary"),
        ("charuco:9x6", "the dictionary is missing"),
        ("charuco:9x6:30mm:DICT_5X5_100", "two lengths"),
        ("charuco:9x6:30mm:40mm:DICT_5X5_100", "smaller than its square"),
        ("charuco:20x20:30mm:20mm:DICT_4X4_50", "needs 200 markers"),
    ],
)
def test_wrong_specs_are_told_with_the_form_of_their_kind(text: str, why: str) -> None:
    with pytest.raises(CalibrationError, match=why) as caught:
        parse_board(text)
    assert ("charuco:5x7:30mm:22mm" if text.startswith("charuco") else "chessboard:9x6:25mm") in caught.value.fix


def test_points_lie_row_by_row() -> None:
    points = parse_board("chessboard:4x3:10mm").object_points()
    assert points.shape == (12, 3) and (points[:, 2] == 0).all()
    assert points[1] == pytest.approx([0.01, 0, 0]) and points[4] == pytest.approx([0, 0.01, 0])


def test_circles_are_shifted_in_every_other_row() -> None:
    points = parse_board("circles:4x11:20mm").object_points()
    assert points[1] == pytest.approx([0.04, 0, 0]) and points[4] == pytest.approx([0.02, 0.02, 0])


def test_a_board_without_a_size_is_in_squares() -> None:
    assert parse_board("chessboard:4x3").object_points()[:, 0].max() == 3.0


def test_measured_rulers_stretch_the_board_each_way() -> None:
    board = parse_board("chessboard:4x3:10mm")
    measured = board.with_measured(parse_measured("99.0 x 101mm")).object_points()
    assert np.allclose(measured, board.object_points() * [0.99, 1.01, 1])


@pytest.mark.parametrize("text", ["99", "axb", "99x", "10x100mm", "99x400"])
def test_wrong_measures_are_refused(text: str) -> None:
    with pytest.raises(CalibrationError):
        parse_measured(text)
