"""A grid of circles that was misnamed is found out."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic.drawn_boards import camera_of, render_board

from calibration.board_circles import likely_circles
from calibration.boards import parse_board
from calibration.bundle import rotation


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    board = parse_board("circles:4x11:18mm")
    camera = camera_of((640, 480), 600.0, (-0.1, 0.05, 0, 0, 0))
    made = []
    for x, y, z in ((10, 5, 0), (-15, 10, 4), (5, -12, -6)):
        R = rotation(np.radians([x, y, z]))
        made.append(render_board(camera, board, [(R, np.array([0, 0, 0.5]) - R @ board.object_points().mean(axis=0))]))
    return made


@pytest.mark.parametrize("spec", ["circles:11x4:18mm", "circles:4x10:18mm", "chessboard:9x6:18mm"])
def test_the_grid_that_is_there_is_named(pictures: list[np.ndarray], spec: str) -> None:
    likely = likely_circles(pictures, parse_board(spec))
    assert likely is not None and likely.text == "circles:4x11:18mm"


def test_pictures_without_circles_suggest_nothing(pictures: list[np.ndarray]) -> None:
    noise = [np.random.default_rng(0).integers(0, 255, (240, 320)).astype(np.uint8)]
    assert likely_circles(noise, parse_board("chessboard:9x6:25mm")) is None
    assert likely_circles([], parse_board("circles:11x4:18mm")) is None
