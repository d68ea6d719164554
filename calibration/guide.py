"""Live guided capture as a pure state machine: a pair of detections in; accepted, why not, and where next out.

    guide = Guide(board, goal=Goal(1.0, 2.0))
    step = guide.observe(Sighting(left, right, t_s=now, sharp_left=..., sharp_right=...))
    if step.accept:
        guide.take(View("0001", left, right))
    guide.learn(guide.advise(solve(guide.views, board, quick)))     # whenever a solution is there

It knows no camera, no clock and no window: time comes with each sighting. `advise` is slow and changes nothing, so
that it may run beside.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibration.advice import Advice, Goal, Need, advise, is_new, list_needs, towards
from calibration.boards import Board
from calibration.detection import Detection
from calibration.next_pose import Pose
from calibration.solution import Solution
from calibration.views import Coverage, View, coverage, look_vector

Array = NDArray[np.float64]

# A hand-held board counts as still when its corners move less than this share of the width in STILL_S.
STILL_SHARE = 0.0022
STILL_S = 0.25
# Blurred: its edges are this much softer than those of the sharper half of what was seen.
SHARP_SHARE = 0.6
MIN_VIEWS = 12
MAX_VIEWS = 60
FIRST_SOLVE = 5
# Before a solution can say what helps: these tell focal lengths and the rig's angles.
FIRST = (
    "Show the board straight, in the middle.",
    "Turn its left edge away.",
    "Turn its right edge away.",
    "Lean its upper edge away.",
    "Lean its lower edge away.",
)
# After a view was taken the board must move on; a moment without captures keeps the flash of the window readable.
REST_S = 0.4


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

    accept: take this view now. why: why it is not taken, or what was done; plain words. next: which view to take next;
    hint: how to get there from where the board is, "" if not known. pose: the most useful next pose, None until a first
    solution is there. left, right: coverage of both pictures so far; needs: what it must reach. percent: the predicted
    depth error at the goal's distance (1 σ), NaN until known. done: the goal is met, and the needs.
    """

    accept: bool
    why: str
    next: str
    views: int
    left: Coverage
    right: Coverage
    needs: tuple[Need, ...] = ()
    hint: str = ""
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
        self._views: list[View] = []
        self._looks: list[Array] = []
        self._advice: Advice | None = None
        self._seen = _Seen()
        self._rest_until_s = -math.inf
        self._covered: tuple[Coverage, Coverage, tuple[Need, ...]] | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """The views taken so far, in order."""
        return tuple(self._views)

    @property
    def wants_solution(self) -> bool:
        """Whether enough has come since the last solution that a new one would tell more."""
        return len(self._views) >= FIRST_SOLVE and not self._advised

    @property
    def percent(self) -> float:
        """Predicted depth error at the goal's distance, 1 σ, from the last solution; NaN before."""
        return self._advice.percent if self._advice is not None else math.nan

    @property
    def needs(self) -> tuple[Need, ...]:
        """What the views must cover, and how far they are."""
        return self._coverage()[2]

    @property
    def done(self) -> bool:
        """Whether the goal is met by a solution of views enough, and they cover what they must."""
        known = () if self._advice is None else self._advice.views
        # A view that came since can only help; one that was taken back counts no more.
        stands = len(known) <= len(self._views) and all(a is b for a, b in zip(known, self._views))
        met = self.goal is not None and self.percent <= self.goal.percent and len(known) >= self.min_views and stands
        return (met and all(need.met for need in self.needs)) or len(self._views) >= MAX_VIEWS

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
        self._covered = None

    def undo(self) -> View | None:
        """Give the last view back and forget it; None where there is none."""
        if not self._views:
            return None
        self._looks.pop()
        self._covered = None
        return self._views.pop()

    def advise(self, solution: Solution, views: tuple[View, ...]) -> Advice:
        """Say what a solution of some views means; slow, and changes nothing.

        Raises:
            CalibrationError: the rig cannot be rectified.
        """
        sides = [coverage([s for v in views if (s := getattr(v, side))], self.board) for side in ("left", "right")]
        needs = list_needs(views, self.board, sides[0], sides[1], min_views=self.min_views)
        return advise(solution, views, self.board, self.goal, needs)

    def learn(self, advice: Advice) -> None:
        """Take advice: it says how good depth is and which pose helps most."""
        self._advice = advice

    @property
    def _advised(self) -> bool:
        """Whether the advice is of the views as they are now."""
        known = () if self._advice is None else self._advice.views
        return len(known) == len(self._views) and all(a is b for a, b in zip(known, self._views))

    # --- why a view is not taken

    def _why_not(self, now: Sighting) -> str:
        if now.left is None and now.right is None:
            return "The board is not seen."
        if now.left is None or now.right is None:
            side = "left" if now.left is None else "right"
            part = "enough of the board" if self.board.kind == "charuco" else "the whole board"
            return f"The {side} camera does not see {part}."
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
        if not is_new(look_vector(View("", now.left, now.right), self.board), np.array(self._looks)):
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

    # --- what to do next

    def _coverage(self) -> tuple[Coverage, Coverage, tuple[Need, ...]]:
        if self._covered is None:
            left, right = (
                coverage([s for v in self._views if (s := getattr(v, side))], self.board) for side in ("left", "right")
            )
            needs = list_needs(self._views, self.board, left, right, min_views=self.min_views)
            self._covered = left, right, needs
        return self._covered

    def _step(self, now: Sighting, why: str) -> Step:
        left, right, needs = self._coverage()
        done, pose, hint, accept = self.done, None, "", not why
        if self._advice is not None and not done:
            pose = self._advice.pose
            hint = "" if accept else towards(self._advice, self.board, now.left, now.right)
        return Step(
            accept=accept, why=why or "Taken.", next=self._next_words(done), views=len(self._views), left=left,
            right=right, needs=needs, hint=hint, pose=pose, percent=self.percent, done=done,
        )  # fmt: skip

    def _next_words(self, done: bool) -> str:
        if done:
            return "The goal is met."
        if self._advice is not None and self._advice.pose is not None:
            words = self._advice.pose.words
            return words[0].upper() + words[1:] + "."
        if self._advice is not None:
            lacking = [need.words for need in self.needs if not need.met]
            return f"Still wanted: {', '.join(lacking)}." if lacking else "Show the board as it was not shown yet."
        return FIRST[min(len(self._views), len(FIRST) - 1)]
