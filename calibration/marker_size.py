"""How large the markers of a ChArUco board really are, seen in one picture.

A spec often names another size than was printed. The markers only tell where corners are to be looked for, but from a
wrong size the places, and the room in which a corner may be refined, come out wrong: corners are pulled by the markers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board

# Fewer or smaller markers tell nothing: their own corners are found to half a pixel.
_LEAST_MARKERS, _LEAST_SIDE_PX = 6, 12.0
# Of them, so many with their whole square: a small board has few.
_LEAST_WHOLE = 4
# Sides of a board's markers, on its plane, spread by less than this where board and picture belong together.
_ALIKE = 0.1


def measured_ratio(
    board: Board, points_px: NDArray[np.float32], ids: NDArray[np.int32], markers: Sequence[Any]
) -> float | None:
    """Give side of a marker over side of a square; None where it cannot be told.

    points_px (N,2), ids (N,): corners of the board; markers: of each, its four corners in the picture.
    """
    quads = np.array([np.asarray(marker, np.float64).reshape(4, 2) for marker in markers]).reshape(-1, 4, 2)
    if len(quads) < _LEAST_MARKERS or len(ids) < _LEAST_MARKERS:
        return None
    side_px = float(np.median(_sides(quads)))
    if side_px < _LEAST_SIDE_PX:
        return None
    flat = board.object_points()[ids][:, :2] / board.unit_m / np.array(board.scale_xy)
    measured = [side for quad in quads if (side := _on_board(quad, points_px.astype(np.float64), flat)) is not None]
    if len(measured) < _LEAST_WHOLE:
        return None
    # OpenCV gives the outermost dark pixels: half a pixel is missing on either side.
    sides = np.array(measured) * (side_px + 1) / side_px
    ratio = float(np.median(sides))
    return ratio if float(np.median(np.abs(sides - ratio))) < _ALIKE * ratio and 0.2 < ratio < 0.99 else None


def _on_board(quad: NDArray[np.float64], points_px: NDArray[np.float64], flat: NDArray[np.float64]) -> float | None:
    """Mean side of one marker (4,2) px, in squares, by the four corners of its own square: over so small a part no
    lens bends much. None at the rim of the board, where a square has fewer.
    """
    near = np.argsort(np.linalg.norm(points_px - quad.mean(axis=0), axis=1))[:4]
    middle = flat[near].mean(axis=0)
    if not np.allclose(np.abs(flat[near] - middle), 0.5, atol=0.05):
        return None
    homography = cv2.findHomography(points_px[near], flat[near], 0)[0]
    if homography is None:
        return None
    return float(_sides(np.asarray(cv2.perspectiveTransform(quad[None], homography), np.float64)).mean())


def _sides(quads: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(np.roll(quads, -1, axis=1) - quads, axis=2))
