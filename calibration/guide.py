"""Live guided capture as a pure state machine: a pair of detections in; accepted, why not, and where next out.

    guide = Guide(board, goal=Goal(1.0, 2.0))
    step = guide.observe(Sighting(left, right, t_s=now, sharp_left=..., sharp_right=...))
    if step.accept:
        guide.take(View("0001", left, right))
    guide.learn(solve(guide.views, board, quick))         # whenever a solution is there

It knows no camera, no clock and no window: time comes with each sighting.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import Detection
from calibration.next_pose import Pose, candidate_poses, choose_pose, view_of
from calibration.solution import Solution
from calibration.uncertainty import predict_depth_error
from calibration.views import Coverage, View, board_look, coverage, look_vector

Array = NDArray[np.float64]

# A hand-held board counts as still when its corners move less than this share of the width in STILL_S.
STILL_SHARE = 0.0022
STILL_S = 0.25
# Blurred: its edges are this much softer than those of the sharper half of what was seen.
SHARP_SHARE = 0.6
# New: its look (place, size, tilt) differs this much from every view taken; 1 is a large difference.
NEW_DISTANCE = 0.3
MIN_VIEWS = 12
MAX_VIEWS = 60
FIRST_SOLVE = 5
# After a view was taken the board must move on; a moment without captures keeps the flash of the window readable.
REST_S = 0.4


@dataclass(frozen=True)
class Goal:
    """Depth within `percent` (1 σ) at `distance`, metres (squares where the board has no size)."""

    percent: float
    distance: float


@dataclass(frozen=True)
class Sighting:
    """What both cameras saw at one moment. sharp_*: `detection.sharpness`, 0 where nothing was found."""

    left: Detection | None
    right: Detection | None
    t_s: float
    sharp_left: float = 0.0
    sharp_right: float = 0.0


@dataclass(frozen=True)
class Step:
    """The answer to one sighting.

    accept: take this view now. why: why it is not taken, or what was done; plain words. next: what to do next. pose:
    the most useful next pose, None until a first solution is there. coverage: of both pictures so far. percent: the
    predicted depth error at the goal's distance (1 σ), NaN until known. done: the goal is met.
    """

    accept: bool
    why: str
    next: str
    views: int
    left: Coverage
    right: Coverage
    pose: Pose | None = None
    percent: float = math.nan
    done: bool = False


@dataclass
class _Seen:
    """What is remembered of the last moments."""

    sightings: deque[Sighting] = field(default_factory=lambda: deque(maxlen=64))
    sharp_left: deque[float] = field(default_factory=lambda: deque(maxlen=120))
    sharp_right: deque[float] = field(default_factory=lambda: deque(maxlen=120))


class Guide:
    """Decides which views to take and which pose to ask for.

    goal: when to stop; None goes on until the person stops. min_views: never fewer than these.
    """

    def __init__(self, board: Board, goal: Goal | None = None, *, min_views: int = MIN_VIEWS) -> None:
        self.board = board
        self.goal = goal
        self.min_views = min_views
        self.solution: Solution | None = None
        self._views: list[View] = []
        self._looks: list[Array] = []
        self._solved_views = 0
        self._pose: Pose | None = None
        self._percent = math.nan
        self._seen = _Seen()
        self._rest_until_s = -math.inf
        self._coverage: tuple[Coverage, Coverage] | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """The views taken so far, in order."""
        return tuple(self._views)

    @property
    def wants_solution(self) -> bool:
        """Whether enough has come since the last solution that a new one would tell more."""
        return len(self._views) >= FIRST_SOLVE and len(self._views) != self._solved_views

    @property
    def percent(self) -> float:
        """Predicted depth error at the goal's distance, 1 σ, from the last solution; NaN before."""
        return self._percent

    @property
    def done(self) -> bool:
        """Whether the goal is met with views enough, and nothing better is to be had by going on."""
        enough = len(self._views) >= self.min_views and self._solved_views >= self.min_views
        met = self.goal is not None and self._percent <= self.goal.percent
        return (enough and met and not self._missing()) or len(self._views) >= MAX_VIEWS

    def observe(self, sighting: Sighting) -> Step:
        """Judge one moment. Call `take` when `accept` is set."""
        why = self._why_not(sighting)
        self._seen.sightings.append(sighting)
        return self._step(sighting, why)

    def take(self, view: View, t_s: float = -math.inf) -> None:
        """Count a view as taken."""
        self._views.append(view)
        self._looks.append(look_vector(view, self.board))
        self._rest_until_s = t_s + REST_S
        self._coverage = None

    def undo(self) -> View | None:
        """Give the last view back and forget it; None where there is none."""
        if not self._views:
            return None
        self._looks.pop()
        self._solved_views = min(self._solved_views, len(self._views) - 1)
        self._coverage = None
        return self._views.pop()

    def learn(self, solution: Solution, views: int) -> None:
        """Take a solution of the first `views` views: it says how good depth is and which pose helps most."""
        self.solution = solution
        self._solved_views = views
        covariance = solution.report.covariance
        distance = self.goal.distance if self.goal is not None else self._typical_distance(solution)
        self._percent = predict_depth_error(solution.rig, covariance, [distance])[0].percent
        sigma = solution.report.noise_px * covariance.inflation
        poses = [
            pose for pose in candidate_poses(self.board, solution.rig) if self._is_new(self._look_of(pose, solution))
        ]
        if self._wants_turned():
            poses = [pose for pose in poses if pose.turned] or poses
        self._pose = choose_pose(self.board, solution.rig, covariance, distance, sigma, poses)

    # --- why a view is not taken

    def _why_not(self, now: Sighting) -> str:
        if now.left is None and now.right is None:
            return "The board is not seen."
        if now.left is None or now.right is None:
            side = "left" if now.left is None else "right"
            return f"The {side} camera does not see the whole board."
        self._seen.sharp_left.append(now.sharp_left)
        self._seen.sharp_right.append(now.sharp_right)
        if now.t_s < self._rest_until_s:
            return "Taken. Move the board."
        if not View("", now.left, now.right).both:
            return "The cameras see different parts of the board."
        moved = self._movement(now)
        if moved is None:
            return "Hold still."
        limit = STILL_SHARE * now.left.size_wh[0]
        if moved > limit:
            return "Hold still: the board moves."
        for side, sharp, past in (
            ("left", now.sharp_left, self._seen.sharp_left), ("right", now.sharp_right, self._seen.sharp_right),
        ):  # fmt: skip
            if len(past) >= 10 and sharp < SHARP_SHARE * float(np.percentile(past, 75)):
                return f"The {side} picture is blurred: hold still, or give more light."
        if not self._is_new(look_vector(View("", now.left, now.right), self.board)):
            return "This view is like one that was taken: move or tilt the board."
        return ""

    def _movement(self, now: Sighting) -> float | None:
        """Largest mean movement of the corners in either picture since STILL_S ago, px; None if not watched so long."""
        assert now.left is not None and now.right is not None
        past = [s for s in self._seen.sightings if now.t_s - s.t_s >= STILL_S]
        recent = [s for s in self._seen.sightings if 0 < now.t_s - s.t_s < STILL_S]
        if not past or now.t_s - past[-1].t_s > 4 * STILL_S:
            return None
        moves = []
        for before in (past[-1], *recent):
            for old, new in ((before.left, now.left), (before.right, now.right)):
                if old is None:
                    return None
                shared, i, j = np.intersect1d(old.ids, new.ids, return_indices=True)
                if len(shared) < 4:
                    return None
                step = np.linalg.norm(old.points_px[i].astype(np.float64) - new.points_px[j], axis=1)
                # An order that turns round by 180° from frame to frame is no movement of the board.
                turned = np.linalg.norm(old.points_px[i][::-1].astype(np.float64) - new.points_px[j], axis=1)
                moves.append(min(float(step.mean()), float(turned.mean())))
        return max(moves)

    def _is_new(self, look: Array) -> bool:
        return all(float(np.linalg.norm(look - other)) >= NEW_DISTANCE for other in self._looks)

    def _look_of(self, pose: Pose, solution: Solution) -> Array:
        return look_vector(view_of(self.board, solution.rig, pose), self.board)

    # --- what to do next

    def _step(self, now: Sighting, why: str) -> Step:
        if self._coverage is None:
            sides = [[v.left for v in self._views if v.left], [v.right for v in self._views if v.right]]
            self._coverage = coverage(sides[0], self.board), coverage(sides[1], self.board)
        return Step(
            accept=not why, why=why or "Taken.", next=self._next_words(), views=len(self._views),
            left=self._coverage[0], right=self._coverage[1], pose=self._pose, percent=self._percent, done=self.done,
        )  # fmt: skip

    def _next_words(self) -> str:
        if self.done:
            return "The goal is met."
        if self._pose is not None and self.solution is not None:
            return self._pose.words[0].upper() + self._pose.words[1:] + "."
        first = (
            "Hold the board straight, in the middle.",
            "Turn the left edge of the board away.",
            "Turn its right edge away.",
            "Lean its upper edge away.",
            "Lean its lower edge away.",
        )
        return first[min(len(self._views), len(first) - 1)]

    def _missing(self) -> str:
        """What the views still lack, whatever the predicted error says."""
        if self._coverage is None:
            return ""
        if min(side.area for side in self._coverage) < 0.35:
            return "views near the borders"
        if min(side.tilt_views for side in self._coverage) < 4:
            return "tilted views"
        return ""

    def _wants_turned(self) -> bool:
        """From time to time ask for the board turned by 90°: only that tells a print that is longer one way."""
        if self.board.grid[0] == self.board.grid[1] or len(self._views) < 8:
            return False
        turned = sum(abs(math.sin(math.radians(_turn(view, self.board)))) > 0.8 for view in self._views)
        return turned * 5 < len(self._views)

    def _typical_distance(self, solution: Solution) -> float:
        return 2.0 if self.board.metric else max(solution.report.distance_m) * 3


def _turn(view: View, board: Board) -> float:
    seen = view.left or view.right
    return float(board_look(seen, board)[4]) if seen is not None else 0.0
