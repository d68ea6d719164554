"""A wrong ChArUco spec is answered with the board that the markers belong to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_pictures import SMALL, render_set
from synthetic.drawn_boards import Look

from calibration.board_markers import likely_charuco
from calibration.boards import parse_board

BOARD = "charuco:5x8:30mm:22mm:DICT_4X4_50"
LARGE = dataclasses.replace(SMALL, views=3, board=BOARD, size_wh=(640, 480), focal_px=560.0)


@pytest.fixture(scope="module", params=["ordinary", "legacy", "inverted"])
def pictures(request: pytest.FixtureRequest) -> list[np.ndarray]:
    look = Look(legacy=request.param == "legacy", inverted=request.param == "inverted")
    return render_set(LARGE, seed=2, look=look)[1]


@pytest.mark.parametrize(
    "spec",
    [
        "charuco:8x5:30mm:22mm:DICT_4X4_50",  # rows and columns exchanged
        "charuco:4x7:30mm:22mm:DICT_4X4_50",  # corners counted for squares
        "charuco:5x8:30mm:22mm:DICT_6X6_250",  # another dictionary
    ],
)
def test_markers_tell_the_board(pictures: list[np.ndarray], spec: str) -> None:
    likely = likely_charuco(pictures, parse_board(spec))
    assert likely is not None and likely.text == BOARD


def test_the_right_spec_and_pictures_without_markers_suggest_nothing(pictures: list[np.ndarray]) -> None:
    assert likely_charuco(pictures, parse_board(BOARD)) is None
    plain = render_set(dataclasses.replace(SMALL, views=2))[1]
    assert likely_charuco(plain, parse_board("chessboard:10x7:25mm")) is None
