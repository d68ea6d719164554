"""What to do next in guided capture: how good depth is by now, which pose would help most, and how to get there.

    needs = list_needs(views, board, left, right, min_views=12)   # what the views cover and what they still lack
    advice = advise(solution, views, board, Goal(1.0, 2.0))   # the slow part: a second or so
    towards(advice, board, left, right)                       # one plain instruction

All pure; nothing here knows of time or of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import Detection
from calibration.next_pose import Pose, candidate_poses, choose_pose, view_of
from calibration.solution import Solution
from calibration.uncertainty import predict_depth_error
from calibration.views import RASTER_WH, Coverage, View, board_look, look_vector

Array = NDArray[np.float64]

# New: its look (place, size, tilt) differs this much from every view taken; 1 is a large difference.
NEW_DISTANCE = 0.3
# What views must cover, whatever the predicted error says: a lens is not known where no corner was.
AREA_SHARE, SIZE_RATIO, TILTED_VIEWS = 0.4, 1.25, 4
# Views with the board turned by 90° against the rest: only they tell a print that is longer one way.
TURNED_VIEWS = 2
# The board is where it is asked for within these: share of the picture, ratio of sizes, difference of opposite
# sides, degrees.
_PLACE, _SIZE, _TILT, _TURN_DEG = 0.08, 1.15, 0.07, 25.0
# Of poses that would fill gaps, those count that fill this share of what the best one fills.
_FILLS = 0.6


@dataclass(frozen=True)
class Goal:
    """Depth within `percent` (1 σ) at `distance`, metres (squares where the board has no size)."""

    percent: float
    distance: float


@dataclass(frozen=True)
class Need:
    """One thing that views must cover. name: views, position, size, tilt or turned. have, want: in its own measure;
    met when have reaches want. words: what to do about it."""

    name: str
    have: float
    want: float
    words: str

    @property
    def met(self) -> bool:
        """Whether there is enough of it."""
        return self.have >= self.want


@dataclass(frozen=True)
class Advice:
    """What a solution of `views` says. percent: predicted depth error at the goal's distance, 1 σ. pose: the most
    useful next one and how both cameras would see it (`target`); None where none is left."""

    views: tuple[View, ...]
    solution: Solution
    percent: float
    pose: Pose | None
    target: View | None


def list_needs(
    views: Sequence[View], board: Board, left: Coverage, right: Coverage, *, min_views: int
) -> tuple[Need, ...]:
    """Give what the views cover so far; `left` and `right` are their coverage. The worse side counts."""
    needs = [
        Need("views", len(views), min_views, "more views"),
        Need("position", min(left.area, right.area), AREA_SHARE, "views nearer to the borders"),
        Need("size", min(left.size, right.size), SIZE_RATIO, "views nearer and farther off"),
        Need("tilt", min(left.tilt_views, right.tilt_views), TILTED_VIEWS, "tilted views"),
    ]
    # With as many rows as columns the order of the points does not tell a turn.
    if board.grid[0] != board.grid[1]:
        needs.append(Need("turned", _turned_views(views, board), TURNED_VIEWS, "the board turned by 90°"))
    return tuple(needs)


def advise(solution: Solution, views: Sequence[View], board: Board, goal: Goal | None, needs: Sequence[Need]) -> Advice:
    """Say how good depth is by a solution of `views`, and which pose would lower the error most.

    Poses that meet a need that is not met come first; those like a view that was taken are left out.

    Raises:
        CalibrationError: the rig cannot be rectified.
    """
    covariance = solution.report.covariance
    distance = goal.distance if goal is not None else _typical_distance(solution, board)
    percent = predict_depth_error(solution.rig, covariance, [distance])[0].percent
    looks = np.array([look_vector(view, board) for view in views])
    poses = candidate_poses(board, solution.rig)
    seen = [view_of(board, solution.rig, pose) for pose in poses]
    new = [i for i, view in enumerate(seen) if is_new(look_vector(view, board), looks)]
    chosen = _useful(new, poses, seen, views, needs)
    sigma = solution.report.noise_px * covariance.inflation
    best = choose_pose(board, solution.rig, covariance, distance, sigma, [poses[i] for i in chosen])
    target = None if best is None else view_of(board, solution.rig, best)
    return Advice(tuple(views), solution, percent, best, target)


def is_new(look: Array, looks: Array) -> bool:
    """Whether a look (`look_vector`) differs enough from all of `looks` (N,10)."""
    return len(looks) == 0 or bool(np.linalg.norm(looks - look, axis=1).min() >= NEW_DISTANCE)


def _useful(
    new: list[int], poses: Sequence[Pose], seen: Sequence[View], views: Sequence[View], needs: Sequence[Need]
) -> list[int]:
    """Of the new poses, those that meet what is lacking most, where there are any."""
    lacking = {need.name for need in needs if not need.met}
    if "turned" in lacking and (turned := [i for i in new if poses[i].turned]):
        new = turned
    if "tilt" in lacking and (tilted := [i for i in new if poses[i].tilted]):
        return tilted
    if "position" in lacking and new:
        gains = np.array([_new_cells(seen[i], views) for i in new])
        return [i for i, gain in zip(new, gains) if gain >= _FILLS * gains.max()]
    return new


def _new_cells(seen: View, views: Sequence[View]) -> int:
    """Count the parts of both pictures that a view would be the first to cover."""
    count = 0
    for side in ("left", "right"):
        taken: set[tuple[int, int]] = set()
        for view in views:
            taken |= _cells(getattr(view, side))
        count += len(_cells(getattr(seen, side)) - taken)
    return count


def _cells(found: Detection | None) -> set[tuple[int, int]]:
    if found is None:
        return set()
    places = np.floor(found.points_px / np.array(found.size_wh) * np.array(RASTER_WH)).astype(int)
    return {(x, y) for x, y in np.clip(places, 0, np.array(RASTER_WH) - 1).tolist()}


def _turned_views(views: Sequence[View], board: Board) -> int:
    """Count the views of the rarer way round: upright among level ones, or level among upright ones."""
    turns = [float(board_look(seen, board)[4]) for view in views if (seen := view.left or view.right) is not None]
    upright = sum(abs(math.sin(math.radians(turn))) > 0.8 for turn in turns)
    level = sum(abs(math.cos(math.radians(turn))) > 0.8 for turn in turns)
    return min(upright, level)


def _typical_distance(solution: Solution, board: Board) -> float:
    return 2.0 if board.metric else max(solution.report.distance_m) * 3


def towards(advice: Advice, board: Board, left: Detection | None, right: Detection | None) -> str:
    """Say the one thing that brings the board nearer to the pose that is asked for; "" where nothing can be said.

    Directions are those of the picture as it is shown.
    """
    if advice.target is None:
        return ""
    found, wanted = (left, advice.target.left) if left is not None else (right, advice.target.right)
    if found is None or wanted is None:
        return ""
    now, then = board_look(found, board), board_look(wanted, board)
    turn = (then[4] - now[4] + 90) % 180 - 90
    place = then[:2] - now[:2]
    size = math.log(then[2] / now[2])
    tilt = _near_side(then) - _near_side(now)
    wishes = [
        (abs(turn) / _TURN_DEG, "Turn the board by 90° in its plane." if abs(turn) > 60 else "Turn it level."),
        (abs(place[0]) / _PLACE, f"Move it to the {'right' if place[0] > 0 else 'left'}."),
        (abs(place[1]) / _PLACE, f"Move it {'down' if place[1] > 0 else 'up'}."),
        (abs(size) / math.log(_SIZE), "Come nearer." if size > 0 else "Go farther off."),
        (abs(tilt[0]) / _TILT, f"Turn its {'left' if tilt[0] > 0 else 'right'} edge away."),
        (abs(tilt[1]) / _TILT, f"Lean its {'upper' if tilt[1] > 0 else 'lower'} edge away."),
    ]
    worst, words = max(wishes)
    return words if worst > 1 else "That is the place: hold still."


def _near_side(look: Array) -> Array:
    """Which side of the board is nearer, in the picture's axes (x right, y down), by how much: (2,)."""
    turn = math.radians(float(look[4]))
    rotate = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.asarray(rotate @ look[5:7])
