"""Corners of a grid to sub-pixel.

The corner window follows the room that each corner has: a window that reaches another edge (the next corner, the cut
outer square of a board, a ChArUco marker) pulls the answer away by tenths of a pixel, one that is too small throws
precision away. The picture is smoothed a little first: `cornerSubPix` weighs gradients of single pixels, and on
rendered and real boards smoothing takes a fifth to a third off its error.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Gray = NDArray[np.uint8]

# Half window per corner's room that catches no other edge.
WINDOW_SHARE_SAFE = 0.25
WINDOW_MAX_PX = 11
WINDOW_MIN_PX = 2
# Answers of the full and the safe window that differ by more mean that the full one caught another edge.
WINDOW_AGREE_PX = 0.25
# Copies in which corners of large squares are looked for too, smaller by so much, where so much room is left in them.
COPIES = (1.5, 2.0, 3.0, 4.0)
COPY_ROOM_PX = 30.0
CLEARLY_MORE_EVEN = 0.95
SMOOTHING_PX, SMOOTHING_SMALL_PX = 1.0, 0.6
# cornerSubPix: the change is far below the noise of any camera.
_STOP: Any = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)


def refine_corners(gray: Gray, points_px: F32, ids: I32, grid: tuple[int, int], share: F64) -> F32:
    """Refine corners of a grid to sub-pixel, where squares are large in the picture or in a smaller copy of it.

    The pixels of a large picture are soft and noisy, and windows that reach far in it cost much: of the copies that
    leave enough room, that one is taken in which the corners lie most evenly.

    points_px (N,2) float32. share (N,): half window per room, see `room`. Gives (N,2) float32.
    """
    room_px = room(points_px, ids, grid)
    best = _refined(gray, points_px, room_px, share)
    least = uneven_px(best, ids, grid)
    height, width = gray.shape
    for factor in COPIES:
        if least is None or np.median(room_px) < factor * COPY_ROOM_PX:
            break
        size_wh = round(width / factor), round(height / factor)
        copy = np.asarray(cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
        shrunk = np.array(size_wh) / (width, height)
        small = _refined(copy, ((points_px + 0.5) * shrunk - 0.5).astype(np.float32), room_px / factor, share)
        points = ((small + 0.5) / shrunk - 0.5).astype(np.float32)
        uneven = uneven_px(points, ids, grid)
        if uneven is not None and uneven < CLEARLY_MORE_EVEN * least:
            best, least = points, uneven
    return best


def uneven_px(points_px: F32, ids: I32, grid: tuple[int, int]) -> float | None:
    """Say by how much points of a grid (N,2) scatter, px per axis; None where too few lie in rows of five.

    What is left after a homography changes along each row and column as a lens bends it: its fourth differences are
    noise, of which they are √70 times as large.
    """
    columns, rows = grid
    if len(ids) < 4:
        return None
    places = np.column_stack([ids % columns, ids // columns]).astype(np.float64)
    H, _ = cv2.findHomography(places, points_px.astype(np.float64), 0)
    if H is None:
        return None
    flat = cv2.perspectiveTransform(places[:, None], H)[:, 0]
    left_over = np.full((rows * columns, 2), np.nan)
    left_over[ids] = points_px - flat
    lattice = left_over.reshape(rows, columns, 2)
    bent = np.concatenate([np.diff(lattice, 4, axis=axis).reshape(-1, 2) for axis in (0, 1)])
    bent = bent[np.isfinite(bent).all(axis=1)]
    return float(np.sqrt(np.mean(bent**2) / 70)) if len(bent) >= 8 else None


def _refined(gray: Gray, points_px: F32, room_px: F64, share: F64) -> F32:
    """Refine corners with windows that follow their room; room_px (N,), share (N,)."""
    start = np.ascontiguousarray(points_px, dtype=np.float32).reshape(-1, 2)
    smoothed = [np.asarray(cv2.GaussianBlur(gray, (0, 0), s), np.uint8) for s in (SMOOTHING_PX, SMOOTHING_SMALL_PX)]

    def refined(share: F64) -> tuple[F32, I32]:
        half = np.clip(np.rint(share * room_px), WINDOW_MIN_PX, WINDOW_MAX_PX).astype(np.int32)
        points = start.copy()
        for size in np.unique(half):
            rows = half == size
            # A window of few pixels must not see further through the smoothing than it is wide.
            picture = smoothed[0] if size > 3 else smoothed[1]
            some = np.ascontiguousarray(start[rows]).reshape(-1, 1, 2)
            window = (int(size), int(size))
            points[rows] = np.asarray(cv2.cornerSubPix(picture, some, window, (-1, -1), _STOP)).reshape(-1, 2)
        return points, half

    points, half = refined(share)
    safe, safe_half = refined(np.minimum(share, WINDOW_SHARE_SAFE))
    caught = (np.hypot(*(points - safe).T) > WINDOW_AGREE_PX) & (safe_half > 3) & (half > safe_half)
    points[caught] = safe[caught]
    return points


def room(points_px: F32, ids: I32, grid: tuple[int, int]) -> F64:
    """Give the room around each corner (N,): the smallest height of the grid's cells that meet in it, px.

    A cell's height is its area over its longer side. Corners with no whole cell get the smallest room of all.
    """
    columns, rows = grid
    corners = np.full((rows * columns, 2), np.nan)
    corners[ids] = points_px
    lattice = corners.reshape(rows, columns, 2)
    nw, ne, se, sw = lattice[:-1, :-1], lattice[:-1, 1:], lattice[1:, 1:], lattice[1:, :-1]
    across, down = (ne - nw + se - sw) / 2, (sw - nw + se - ne) / 2
    area = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0])
    longer = np.maximum(np.linalg.norm(across, axis=2), np.linalg.norm(down, axis=2))
    height = np.where(np.isfinite(area), area / np.maximum(longer, 1e-9), np.inf)
    least = np.full((rows, columns), np.inf)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = least[y : y + rows - 1, x : x + columns - 1]
        np.minimum(part, height, out=part)
    own = least.reshape(-1)[ids]
    known = own[np.isfinite(own)]
    return np.where(np.isfinite(own), own, known.min() if len(known) else smallest_distance_px(points_px))


def smallest_distance_px(points: F32) -> float:
    """Give the smallest distance between any two points (N,2), px."""
    gaps = np.linalg.norm(points[:, None].astype(np.float64) - points[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    return float(gaps.min())
