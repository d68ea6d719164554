"""Which grid of circles is in pictures where the given board was not found: turned, or with one row more or less.

board = likely_circles(pictures, board)       # or None
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import BoardDetector

Gray = NDArray[np.uint8]

MOST_LOOKS = 3
# The grid of OpenCV's own printed example, which most people have.
_USUAL = (4, 11)
_LEAST, _MOST = 3, 24


def likely_circles(pictures: Sequence[Gray], board: Board) -> Board | None:
    """Give the asymmetric grid that is found in one of the pictures (H,W); None where there is none of those likely."""
    a, b = board.columns, board.rows
    grids = [(b, a), _USUAL, (a, b)]
    grids += [(x + i, y + j) for x, y in ((a, b), (b, a)) for i, j in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    for grid in dict.fromkeys(grids):
        other = dataclasses.replace(board, kind="circles", columns=grid[0], rows=grid[1], dictionary="")
        if min(grid) < _LEAST or max(grid) > _MOST or other == board:
            continue
        detector = BoardDetector(other)
        if any(detector.detect(picture, quick=True) is not None for picture in pictures[:MOST_LOOKS]):
            return other
    return None
