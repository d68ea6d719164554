"""Views: what both cameras saw of the board at one moment, and which of many pictures are worth solving.

A `View` may lack one side: a camera's own pictures help its own lens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import Detection

Array = NDArray[np.float64]

# Corners that both sides need in common for the view to say something about the rig.
MIN_COMMON = 6


@dataclass(frozen=True, slots=True)
class View:
    """One board pose. name: the left file's name, or the frame number. left, right: None where it was not found."""

    name: str
    left: Detection | None
    right: Detection | None

    @property
    def both(self) -> bool:
        """Whether both cameras saw enough of the same points."""
        return self.left is not None and self.right is not None and len(self.common_ids()) >= MIN_COMMON

    def common_ids(self) -> NDArray[np.int32]:
        """Give ids that both sides saw, ascending (n,)."""
        if self.left is None or self.right is None:
            return np.empty(0, dtype=np.int32)
        return np.intersect1d(self.left.ids, self.right.ids).astype(np.int32)

    def exchanged(self) -> View:
        """Give the view with left and right exchanged."""
        return View(self.name, self.right, self.left)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well views of one camera cover what matters.

    area: share of a 8x6 raster over the picture that holds a corner, 0..1. size: largest over smallest mean corner
    spacing. tilt_views: views whose opposite board sides differ by more than 10 % in length (the board was tilted).
    roll_deg: spread of the board's turn in the picture, 0..90.
    """

    area: float
    size: float
    tilt_views: int
    roll_deg: float
    raster: NDArray[np.int32]


RASTER_WH = (8, 6)
# Views with corners so near to one another show one place: 3 px at 640, what a hand that holds still moves.
SAME_PLACE_SHARE = 0.005
# Corners of two pictures of a board at rest differ by their noise, hundredths of a pixel; those of copies do not.
COPY_SHARE = 1e-5
_TILTED = 0.10


def coverage(found: Sequence[Detection], board: Board) -> Coverage:
    """Measure how well the detections of one camera cover its picture, sizes, tilts and turns."""
    raster = np.zeros((RASTER_WH[1], RASTER_WH[0]), dtype=np.int32)
    if not found:
        return Coverage(0.0, 1.0, 0, 0.0, raster)
    sizes, tilted, rolls = [], 0, []
    for seen in found:
        w, h = seen.size_wh
        x = np.clip((seen.points_px[:, 0] / w * RASTER_WH[0]).astype(int), 0, RASTER_WH[0] - 1)
        y = np.clip((seen.points_px[:, 1] / h * RASTER_WH[1]).astype(int), 0, RASTER_WH[1] - 1)
        np.add.at(raster, (y, x), 1)
        look = board_look(seen, board)
        sizes.append(look[2])
        tilted += look[3] > _TILTED
        rolls.append(look[4])
    # A turn by 180° is the same to a board's print, so that angles are compared doubled.
    doubled = 2 * np.radians(np.array(rolls))
    spread = np.degrees(np.abs(np.angle(np.exp(1j * (doubled[:, None] - doubled[None]))))).max() / 2
    return Coverage(float((raster > 0).mean()), float(max(sizes) / min(sizes)), int(tilted), float(spread), raster)


def board_look(seen: Detection, board: Board) -> Array:
    """Describe how the board lies in the picture: centre x, y (share of the picture), size (share of its diagonal),
    tilt (how much opposite sides differ in length, 0 when seen straight on), turn (degrees), and the tilt's two
    components. (7,) float64."""
    flat = board.object_points()[seen.ids][:, :2]
    homography = fit_homography(flat, seen.points_px.astype(np.float64))
    low, high = board.object_points()[:, :2].min(axis=0), board.object_points()[:, :2].max(axis=0)
    corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    quad = apply_homography(homography, corners)
    w, h = seen.size_wh
    centre = apply_homography(homography, (low + high)[None] / 2)[0]
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    tilt_y = (sides[2] - sides[0]) / max(sides[2] + sides[0], 1e-9) * 2
    tilt_x = (sides[1] - sides[3]) / max(sides[1] + sides[3], 1e-9) * 2
    area = 0.5 * abs(np.sum(quad[:, 0] * np.roll(quad[:, 1], -1) - np.roll(quad[:, 0], -1) * quad[:, 1]))
    along = quad[1] - quad[0] + quad[2] - quad[3]
    turn = np.degrees(np.arctan2(along[1], along[0]))
    size = np.sqrt(area) / np.hypot(w, h)
    return np.array([centre[0] / w, centre[1] / h, size, np.hypot(tilt_x, tilt_y), turn, tilt_x, tilt_y])


def different_poses(views: Sequence[View], board: Board, least: float = 0.02) -> int:
    """Count the poses of the paired views that differ: the board's outer corners lie apart by more than `least` of the
    picture's longer side, on average, in one of the two pictures."""
    points = board.object_points()[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    outer = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    kept: list[Array] = []
    for view in views:
        if view.left is None or view.right is None:
            continue
        quads = np.stack(
            [
                apply_homography(fit_homography(points[seen.ids], seen.points_px.astype(np.float64)), outer)
                / max(seen.size_wh)
                for seen in (view.left, view.right)
            ]
        )
        if all(np.linalg.norm(quads - other, axis=2).mean(axis=1).max() > least for other in kept):
            kept.append(quads)
    return len(kept)


def same_places(views: Sequence[View], least: float = SAME_PLACE_SHARE) -> NDArray[np.intp]:
    """Number the places of the board, (V,). Views have one number whose corners lie nearer together, on average and in
    both pictures, than `least` of the longer side."""
    numbers = np.arange(len(views))
    for v, view in enumerate(views):
        for first in np.unique(numbers[:v]):
            if _at_one_place(views[first], view, least):
                numbers[v] = first
                break
    return numbers


def without_copies(views: Sequence[View]) -> tuple[tuple[View, ...], dict[str, str]]:
    """Leave out views that are copies of earlier ones, and give the name of the earlier one by the name of each."""
    kept: list[View] = []
    copies: dict[str, str] = {}
    for view in views:
        first = next((other for other in kept if _at_one_place(other, view, COPY_SHARE)), None)
        if first is None:
            kept.append(view)
        else:
            copies[view.name] = first.name
    return tuple(kept), copies


def _at_one_place(a: View, b: View, least: float) -> bool:
    for one, other in ((a.left, b.left), (a.right, b.right)):
        if one is None or other is None:
            if one is not other:
                return False
            continue
        if np.array_equal(one.ids, other.ids):
            steps = one.points_px - other.points_px
        else:
            _, i, j = np.intersect1d(one.ids, other.ids, return_indices=True)
            steps = one.points_px[i] - other.points_px[j]
        if not len(steps):
            return False
        apart = np.linalg.norm(steps, axis=1).mean()
        if apart > least * max(one.size_wh):
            return False
    return True


def fit_homography(flat: Array, pixels: Array) -> Array:
    """Fit the homography (3,3) from (N,2) to (N,2) by least squares (DLT with normalization)."""
    a, ta = _centred(flat)
    b, tb = _centred(pixels)
    n = len(a)
    rows = np.zeros((2 * n, 9))
    rows[:n, 0:2], rows[:n, 2] = a, 1
    rows[:n, 6:8], rows[:n, 8] = -b[:, :1] * a, -b[:, 0]
    rows[n:, 3:5], rows[n:, 5] = a, 1
    rows[n:, 6:8], rows[n:, 8] = -b[:, 1:] * a, -b[:, 1]
    # The whole of U would be (2n,2n) for nothing; V has its last row in any case where there are rows enough.
    h = np.linalg.svd(rows, full_matrices=2 * n < 9)[2][8].reshape(3, 3)
    return np.asarray(np.linalg.inv(tb) @ h @ ta)


def apply_homography(homography: Array, points: Array) -> Array:
    """Map points (N,2)."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def _centred(points: Array) -> tuple[Array, Array]:
    middle = points.mean(axis=0)
    scale = 1 / max(np.abs(points - middle).mean(), 1e-12)
    T = np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])
    return (points - middle) * scale, T


def choose_diverse(looks: Array, sharp: Array, count: int, *, least: float = 0.0) -> list[int]:
    """Choose up to `count` of many views that differ most from one another, sharp ones first.

    looks: (N,D), one row per view, `board_look` of both sides scaled so that 1 is a large difference. sharp: (N,)
    larger is better. least: views nearer than this to a chosen one are not taken. Farthest-point choice.
    """
    if len(looks) == 0:
        return []
    good = sharp >= 0.6 * np.median(sharp)
    chosen = [int(np.argmax(np.where(good, sharp, -np.inf)))]
    distance = np.linalg.norm(looks - looks[chosen[0]], axis=1)
    while len(chosen) < count:
        # Of the far ones the sharpest: distance alone would choose the blurred outliers.
        score = np.where(good, distance * np.sqrt(np.minimum(sharp / np.median(sharp), 1.5)), -1.0)
        best = int(np.argmax(score))
        if score[best] <= 0 or distance[best] <= least:
            break
        chosen.append(best)
        distance = np.minimum(distance, np.linalg.norm(looks - looks[best], axis=1))
    return sorted(chosen)


def look_vector(view: View, board: Board) -> Array:
    """Give what makes a view differ from others, scaled so that 1 is a large difference; both sides, (10,)."""
    parts = []
    for seen in (view.left, view.right):
        if seen is None:
            parts.append(np.zeros(5))
            continue
        look = board_look(seen, board)
        parts.append(np.array([look[0] * 2, look[1] * 2, look[2] * 4, look[5] * 2.5, look[6] * 2.5]))
    return np.concatenate(parts)
