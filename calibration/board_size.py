"""How large the board in a picture really is: does its lattice go on beyond the corners that were found?

A spec that names fewer corners than the board has is found all the same, somewhere on it, and in the two pictures of a
pair perhaps not at the same place. One that counts squares instead of inner corners is never found.

    grid = seen_grid(gray, points_px, (8, 6))         # (9, 6): one more column of corners
    board = likely_board(pictures, board)             # what most pictures show, where it is not what was given
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import BoardDetector, Detection

Gray = NDArray[np.uint8]
F32 = NDArray[np.float32]
Array = NDArray[np.float64]

# A corner of four squares: its lighter two stand out from its darker two by so much of the board's contrast.
_LEAST_CONTRAST = 0.35
# A side goes on where so many of its places that lie in the picture hold a corner, and so many do lie in it.
_GOES_ON, _KNOWN = 0.8, 0.6
_MOST = 40
# Pictures to look at, and how many must agree.
MOST_LOOKS, _LEAST_LOOKS = 12, 2
# OpenCV's search for a lattice of any size begins with a part of this size.
_SEED = (3, 3)


def seen_grid(gray: Gray, points_px: F32, grid: tuple[int, int]) -> tuple[int, int]:
    """Give columns and rows of corners of the chessboard that a found grid is (a part of).

    gray (H,W) uint8; points_px (N,2) row by row, grid: their columns and rows.
    """
    lattice = points_px.reshape(grid[1], grid[0], 2).astype(np.float64)
    smooth = np.asarray(cv2.GaussianBlur(gray, (0, 0), 0.8), np.uint8)
    signs, contrast = _signs(smooth, lattice)
    if contrast <= 0:
        return grid
    going = True
    while going and max(lattice.shape[:2]) < _MOST:
        going = False
        # Each side in turn, as the last row of a lattice that is turned; that changes one diagonal for the other.
        for turn in range(4):
            turned, own = np.rot90(lattice, turn), np.rot90(signs, turn) * (-1) ** turn
            more = _next_row(smooth, turned, own, contrast)
            if more is not None:
                lattice = np.rot90(np.concatenate([turned, more[None]]), -turn)
                signs = np.rot90(np.concatenate([own, -own[-1:]]), -turn) * (-1) ** turn
                going = True
    return lattice.shape[1], lattice.shape[0]


def larger_board(looks: Sequence[tuple[Gray, Detection]], board: Board) -> Board | None:
    """Give the board that most pictures show, where it has more corners than the given one; None otherwise."""
    if board.kind != "chessboard":
        return None
    seen = [seen_grid(gray, found.points_px, board.grid) for gray, found in looks[:MOST_LOOKS]]
    if len(seen) < _LEAST_LOOKS:
        return None
    (columns, rows), count = Counter((max(grid), min(grid)) for grid in seen).most_common(1)[0]
    if count * 2 <= len(seen) or columns * rows <= board.point_count:
        return None
    return _like(board, columns, rows)


def likely_board(pictures: Sequence[Gray], board: Board) -> Board | None:
    """Give the chessboard that most pictures show, where the given one was not found in them; None if there is none."""
    seen = []
    for gray in pictures[:MOST_LOOKS]:
        part = _part_of_any(gray)
        if part is not None:
            seen.append(seen_grid(gray, *part))
    # Parts of a board are seen more often than the whole of it: the largest that several pictures agree on.
    counted = Counter((max(grid), min(grid)) for grid in seen)
    often = [grid for grid, count in counted.items() if count >= _LEAST_LOOKS or len(seen) == 1]
    for columns, rows in sorted(often, key=lambda grid: -grid[0] * grid[1]):
        other = _like(board, columns, rows)
        if (
            min(columns, rows) >= 3
            and (other.kind, other.grid) != (board.kind, board.grid)
            and _is_found(pictures, other)
        ):
            return other
    return None


def _like(board: Board, longer: int, shorter: int) -> Board:
    """Give the board with another grid, lying as the given one does."""
    across = board.columns >= board.rows
    columns, rows = (longer, shorter) if across else (shorter, longer)
    return dataclasses.replace(board, kind="chessboard", columns=columns, rows=rows, dictionary="")


def _is_found(pictures: Sequence[Gray], board: Board) -> bool:
    detector = BoardDetector(board)
    return any(detector.detect(gray, quick=True) is not None for gray in pictures[:MOST_LOOKS])


def _part_of_any(gray: Gray) -> tuple[F32, tuple[int, int]] | None:
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_LARGER
    found, corners, meta = cv2.findChessboardCornersSBWithMeta(gray, _SEED, flags)
    if not found or corners is None or meta is None:
        return None
    points = np.asarray(corners, np.float32).reshape(-1, 2)
    rows, columns = np.asarray(meta).shape[:2]
    return (points, (columns, rows)) if rows * columns == len(points) else None


def _next_row(smooth: Gray, lattice: Array, signs: Array, contrast: float) -> Array | None:
    """Find the corners beyond the last row of a lattice (R,C,2); (C,2), or None where there are none."""
    a, b, c = lattice[-1], lattice[-2], lattice[-3] if len(lattice) > 2 else 2 * lattice[-2] - lattice[-1]
    # What perspective does to equal steps is nearly a constant change of the step.
    guess = 3 * a - 3 * b + c
    down, across = a - b, np.gradient(a, axis=0)
    room = np.minimum(np.linalg.norm(down, axis=1), np.linalg.norm(across, axis=1))
    h, w = smooth.shape
    margin = 0.5 * room[:, None]
    inside = ((guess > margin) & (guess < np.array([w - 1, h - 1]) - margin)).all(axis=1)
    if inside.sum() < max(2.0, _KNOWN * len(guess)):
        return None
    half = int(np.clip(0.3 * room[inside].min(), 2, 9))
    points = np.ascontiguousarray(guess[inside], dtype=np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.02)
    refined = guess.copy()
    refined[inside] = np.asarray(cv2.cornerSubPix(smooth, points, (half, half), (-1, -1), stop)).reshape(-1, 2)
    near = np.linalg.norm(refined - guess, axis=1) < 0.4 * room
    sign, strength = _corner(smooth, refined, across, down)
    is_corner = near & (strength > _LEAST_CONTRAST * contrast) & (sign == -signs[-1])
    if is_corner[inside].mean() < _GOES_ON:
        return None
    return np.asarray(np.where((is_corner & inside)[:, None], refined, guess))


def _signs(smooth: Gray, lattice: Array) -> tuple[Array, float]:
    """Which way round the squares lie at each corner (R,C), ±1 in turns, and the usual strength of a corner."""
    across, down = np.gradient(lattice, axis=1).reshape(-1, 2), np.gradient(lattice, axis=0).reshape(-1, 2)
    sign, strength = _corner(smooth, lattice.reshape(-1, 2), across, down)
    rows, columns = lattice.shape[:2]
    turns = np.where(np.add.outer(np.arange(rows), np.arange(columns)) % 2, -1.0, 1.0)
    first = np.sign(np.sum(sign.reshape(rows, columns) * turns)) or 1.0
    return np.asarray(first * turns), float(np.median(strength))


def _corner(smooth: Gray, points: Array, across: Array, down: Array) -> tuple[Array, Array]:
    """How much places (N,2) look like a corner of four squares: sign (N,) of which diagonal is light, and by how much
    the darker of the light squares stands out from the lighter of the dark ones, gray levels (N,)."""
    level = {}
    for x, y in ((-1, -1), (1, 1), (-1, 1), (1, -1)):
        places = (points + 0.3 * (x * across + y * down)).astype(np.float32).reshape(-1, 1, 2)
        level[x, y] = (
            cv2.remap(smooth, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            .reshape(-1)
            .astype(np.float64)
        )
    one = np.stack([level[-1, -1], level[1, 1]])
    other = np.stack([level[-1, 1], level[1, -1]])
    gaps = one.min(axis=0) - other.max(axis=0), other.min(axis=0) - one.max(axis=0)
    return np.where(gaps[0] > gaps[1], 1.0, -1.0), np.maximum(*gaps)
