"""A board spec that names fewer or more corners than the board has is found out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_pictures import SMALL, render_set

from calibration.board_size import larger_board, likely_board, seen_grid
from calibration.boards import parse_board
from calibration.detection import BoardDetector, Detection


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Both pictures of four pairs of a 9x6 board."""
    return render_set(dataclasses.replace(SMALL, views=4), seed=3)[1]


def _looks(pictures: list[np.ndarray], spec: str) -> list:
    detector = BoardDetector(parse_board(spec))
    return [(gray, found) for gray in pictures if (found := detector.detect(gray)) is not None]


def test_the_whole_board_is_left_as_it_is(pictures: list[np.ndarray]) -> None:
    looks = _looks(pictures, "chessboard:9x6:25mm")
    assert len(looks) == 8
    assert all(seen_grid(gray, found.points_px, (9, 6)) == (9, 6) for gray, found in looks)
    assert larger_board(looks, parse_board("chessboard:9x6:25mm")) is None


def _part(found: Detection, columns: int, rows: int) -> Detection:
    """A part of a found 9x6 lattice, as a detector gives it that was told of a smaller board."""
    x, y = (9 - columns) // 2, (6 - rows) // 2
    inner = found.points_px.reshape(6, 9, 2)[y : y + rows, x : x + columns].reshape(-1, 2)
    return Detection(np.ascontiguousarray(inner), np.arange(len(inner), dtype=np.int32), found.size_wh)


@pytest.mark.parametrize("columns, rows", [(8, 6), (9, 5), (6, 4), (3, 3)])
def test_a_part_of_the_board_grows_to_the_whole(pictures: list[np.ndarray], columns: int, rows: int) -> None:
    looks = [(gray, _part(found, columns, rows)) for gray, found in _looks(pictures, "chessboard:9x6:25mm")]
    assert all(seen_grid(gray, found.points_px, (columns, rows)) == (9, 6) for gray, found in looks)
    whole = larger_board(looks, parse_board(f"chessboard:{columns}x{rows}:25mm"))
    assert whole is not None and whole.text == "chessboard:9x6:25mm"


def test_the_larger_board_lies_as_the_given_one_does(pictures: list[np.ndarray]) -> None:
    looks = []
    for gray, found in _looks(pictures, "chessboard:9x6:25mm"):
        upright = _part(found, 8, 6).points_px.reshape(6, 8, 2).transpose(1, 0, 2).reshape(-1, 2)
        looks.append((gray, dataclasses.replace(_part(found, 8, 6), points_px=np.ascontiguousarray(upright))))
    whole = larger_board(looks, parse_board("chessboard:6x8:25mm"))
    assert whole is not None and whole.text == "chessboard:6x9:25mm"


@pytest.mark.parametrize("spec", ["chessboard:10x7:25mm", "chessboard:11x8:25mm", "chessboard:12x5:25mm"])
def test_squares_counted_for_corners_give_the_likely_spec(pictures: list[np.ndarray], spec: str) -> None:
    likely = likely_board(pictures, parse_board(spec))
    assert likely is not None and likely.text == "chessboard:9x6:25mm"


def test_pictures_without_a_board_suggest_nothing() -> None:
    noise = [np.random.default_rng(i).integers(0, 255, (240, 320)).astype(np.uint8) for i in range(4)]
    assert likely_board(noise, parse_board("chessboard:9x6:25mm")) is None
    assert larger_board([], parse_board("chessboard:9x6:25mm")) is None
