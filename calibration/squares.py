"""Are the corners that were found those of a chessboard: is each cell between four of them one square of one shade?

Where a spec names a board much smaller than the one in the picture, OpenCV's search for squares may put a lattice over
it that skips some and cuts others in half; and it finds the squares of a ChArUco board, whose markers pull the corners.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Places in a cell that must be of one shade, as shares of its sides: away from its edges, which are blurred.
_PLACES = (0.35, 0.5, 0.65)
# One shade: they differ by less than this share of the board's contrast. True boards, real and rendered, have at least
# 95 % such cells, a ChArUco board half, wrong lattices hardly any.
_ONE_SHADE, _LEAST = 0.5, 0.75


def are_squares(gray: NDArray[np.uint8], points_px: NDArray[np.float32], grid: tuple[int, int]) -> bool:
    """Whether a grid of corners (N,2), row by row, in a picture (H,W) encloses squares of one shade each."""
    columns, rows = grid
    lattice = points_px.reshape(rows, columns, 2)
    nw, ne, sw, se = lattice[:-1, :-1], lattice[:-1, 1:], lattice[1:, :-1], lattice[1:, 1:]
    smooth = cv2.blur(gray, (3, 3))
    seen = []
    for v in _PLACES:
        for u in _PLACES:
            place = ((1 - u) * (1 - v) * nw + u * (1 - v) * ne + (1 - u) * v * sw + u * v * se).astype(np.float32)
            seen.append(cv2.remap(smooth, place, np.empty(0), cv2.INTER_LINEAR).astype(np.float64))
    shades = np.array(seen)
    low, high = np.percentile(shades[len(seen) // 2], (10, 90))
    return bool(np.mean(np.ptp(shades, axis=0) < _ONE_SHADE * (high - low)) >= _LEAST)
