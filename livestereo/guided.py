"""Guided calibration over a source: finds the board in both pictures, asks the guide, keeps the pairs, solves beside.

The window is handed in, so that the same loop runs with one, without one, and in tests.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np

from calibration.advice import Advice, Goal, Need
from calibration.board_markers import likely_charuco
from calibration.board_size import larger_board, likely_board
from calibration.boards import Board
from calibration.detection import BoardDetector, Detection, sharpness
from calibration.errors import CalibrationError
from calibration.guide import Guide, Sighting, Step
from calibration.session import Session
from calibration.solution import Solution
from calibration.solve import SolveOptions, solve
from calibration.views import View
from livestereo.errors import IncompleteSource, NoFrameYet
from livestereo.sources.base import Source
from livestereo.timing import Clock, monotonic
from livestereo.types import U8, StereoFrame

READ_S = 0.1
# While a file waits for the solver, the window is looked after this often.
SERVE_S = 0.1
# Fast and good enough to steer by; the final solve does everything.
STEERING = SolveOptions(lens="pinhole", bend=False, stretch=False, heldout=False)
FLASH_S = 0.5
# Pictures of the first views in which to look whether the board is larger than was said.
BOARD_LOOKS = 6
# Of pairs in which no board is seen every so many is kept; when there are so many, another board is looked for in them;
# and again after so many more.
BLIND_EVERY, BLIND_LOOKS, BLIND_AGAIN = 10, 4, 400


class GuideWindow(Protocol):
    """What shows the guide: draws, and gives the names of keys that were pressed."""

    def show(self, frame: StereoFrame, moment: Moment) -> None:
        """Draw one moment."""
        ...

    def pressed(self) -> list[str]:
        """Names of keys pressed since the last call; `closed` when the window was closed."""
        ...


@dataclass(frozen=True)
class Moment:
    """One moment of guided capture, for the window and for what is told."""

    found_left: Detection | None
    found_right: Detection | None
    step: Step
    goal: Goal | None
    flash: float = 0.0
    busy: bool = False
    message: str = ""


@dataclass(frozen=True)
class Captured:
    """What guided capture gives. ended: goal, person, source or stopped. incomplete: what the source lacked.
    whole: the board that the pictures seem to show, where it is not the given one."""

    views: tuple[View, ...]
    notes: tuple[str, ...]
    ended: str
    decisions: int
    seconds: float
    incomplete: IncompleteSource | None = None
    needs: tuple[Need, ...] = ()
    whole: Board | None = None


@dataclass
class Capture:
    """The running loop. Every pair that is taken is in `session` before it counts.

    until_goal: stop by itself when the goal is met; otherwise the person says when. stop: asked between pairs.
    """

    board: Board
    session: Session
    goal: Goal | None = None
    until_goal: bool = True
    clock: Clock = monotonic
    solver: Callable[[tuple[View, ...], Board], Solution] = field(
        default=lambda views, board: solve(views, board, STEERING)
    )

    def __post_init__(self) -> None:
        self.guide = Guide(self.board, self.goal)
        self._detectors = BoardDetector(self.board), BoardDetector(self.board)
        self._names: list[str] = []
        self._solver = _Solver(self._work)
        self._asked: tuple[View, ...] = ()
        self._last: tuple[Detection | None, Detection | None] = (None, None)
        self._decisions = 0
        self._incomplete: IncompleteSource | None = None
        self._taken_s = float("-inf")
        self._message = ""
        self._looks: list[tuple[U8, Detection]] = []
        self._whole: Board | None = None
        self._blind: list[U8] = []
        self._blind_count = 0
        # A thread of its own: what looks at pictures now must not wait for it.
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="livestereo-board", initializer=_give_way)
        self._guess: Future[Board | None] | None = None
        self._likely: Board | None = None

    def resume(self, progress: Callable[[int, int], None] = lambda _i, _n: None) -> int:
        """Take the pairs that the session holds already; give how many."""
        names = self.session.names()
        for i, name in enumerate(names):
            pair = self.session.load(name)
            if pair is not None:
                left, right = (d.detect(_gray(p)) for d, p in zip(self._detectors, pair))
                if left is not None and right is not None and View(name, left, right).both:
                    self._names.append(name)
                    self.guide.take(View(name, left, right))
            progress(i + 1, len(names))
        return len(self._names)

    def run(
        self, source: Source, *, window: GuideWindow | None = None, stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _text: None, frames: int | None = None, duration_s: float | None = None,
    ) -> Captured:  # fmt: skip
        """Capture until the goal is met, the person or the source ends, or `stop` says so."""
        begin = self.clock()
        end_s = float("inf") if duration_s is None else begin + duration_s
        self._solver.start()
        try:
            with ThreadPoolExecutor(2, thread_name_prefix="livestereo-detect") as pool:
                ended = self._loop(source, pool, window, stop, tell, frames, end_s)
        finally:
            self._solver.close()
            self._aside.shutdown()
        if self._guess is not None and not self.guide.views:
            self._likely = self._guess.result()
        notes = tuple(dict.fromkeys(note for detector in self._detectors for note in detector.notes()))
        return Captured(
            self.guide.views, notes, ended, self._decisions, self.clock() - begin, self._incomplete, self.guide.needs,
            self._whole or self._likely,
        )  # fmt: skip

    def _loop(
        self, source: Source, pool: ThreadPoolExecutor, window: GuideWindow | None, stop: Callable[[], bool],
        tell: Callable[[str], None], frames: int | None, end_s: float,
    ) -> str:  # fmt: skip
        """Give why it ended."""
        told, warned = "", False
        while not stop():
            if self._decisions == frames or self.clock() >= end_s:
                return "source"
            try:
                frame = source.read(READ_S)
            except NoFrameYet:
                if window is not None and _leaves(window.pressed()):
                    return "person"
                continue
            except IncompleteSource as error:
                self._incomplete = error
                return "source"
            if frame is None:
                return "source"
            self._decisions += 1
            step = self._decide(frame, pool)
            if (self._whole is not None or self._likely is not None) and not warned:
                warned = True
                tell(self._message)
            if (step.accept or window is None) and (text := _told(step)) != told:
                told = text
                tell(text)
            if self._serve(window, frame, step):
                return "person"
            # A camera goes on while views are solved; a file would be over before anything is known.
            while not source.info.live and self._solver.busy and not stop():
                self._solver.wait(SERVE_S if window is not None else 1.0)
                if self._serve(window, frame, step):
                    return "person"
            self._learn()
            if self.guide.done and self.until_goal:
                return "goal"
        return "stopped"

    def _decide(self, frame: StereoFrame, pool: ThreadPoolExecutor) -> Step:
        grays = [_gray(side.image) for side in (frame.left, frame.right)]
        left, right = pool.map(lambda d, g: d.detect(g, quick=True), self._detectors, grays)
        self._last = left, right
        sharp = [sharpness(g, d) if d is not None else 0.0 for g, d in zip(grays, (left, right))]
        step = self.guide.observe(Sighting(left, right, frame.t_s, sharp[0], sharp[1]))
        if step.accept and left is not None and right is not None:
            self._take(frame, left, right)
        if left is None and right is None and not self.guide.views:
            self._wonder(grays[0])
        self._ask()
        return step

    def _wonder(self, gray: U8) -> None:
        """Where no board is seen for long: is there another one than was said?"""
        self._blind_count += 1
        if self._guess is None:
            if self._blind_count % BLIND_EVERY == 0:
                self._blind.append(gray)
            if len(self._blind) == BLIND_LOOKS:
                self._guess = self._aside.submit(_likely_board, self._blind, self.board)
        elif self._likely is None and self._guess.done():
            self._likely = self._guess.result()
            if self._likely is not None:
                self._message = f"This seems to be {self._likely.words}: end, and give --board {self._likely.text}."
            elif self._blind_count >= BLIND_AGAIN:
                self._blind, self._guess, self._blind_count = [], None, 0

    def _take(self, frame: StereoFrame, left: Detection, right: Detection) -> None:
        name = self.session.add(frame.left.image, frame.right.image)
        self._names.append(name)
        self.guide.take(View(name, left, right), frame.t_s)
        self._taken_s = self.clock()
        self._message = ""
        if len(self._looks) < BOARD_LOOKS:
            self._looks += [(_gray(side.image), found) for side, found in ((frame.left, left), (frame.right, right))]
            self._whole = larger_board(self._looks, self.board) if len(self._looks) >= BOARD_LOOKS else None
        if self._whole is not None:
            self._message = f"This is {self._whole.words}: end, and give --board {self._whole.text}."

    def _work(self, views: tuple[View, ...]) -> Advice:
        """What the solver's thread does."""
        return self.guide.advise(self.solver(views, self.board), views)

    def _ask(self) -> None:
        """Hand the solver its next work: the newest views, once."""
        views = self.guide.views
        if self.guide.wants_solution and not self._solver.busy and not _same(views, self._asked):
            self._asked = views
            self._solver.ask(views)

    def _learn(self) -> None:
        """Take what the solver has found since."""
        answer = self._solver.answer()
        if isinstance(answer, CalibrationError):
            self._message = f"Not solved yet: {answer.what}"
        elif answer is not None:
            self.guide.learn(answer)

    def _serve(self, window: GuideWindow | None, frame: StereoFrame, step: Step) -> bool:
        """Draw a moment and do what keys ask for; whether the person ends it."""
        if window is None:
            return False
        flash = max(0.0, 1 - (self.clock() - self._taken_s) / FLASH_S)
        left, right = self._last
        window.show(frame, Moment(left, right, step, self.goal, flash, self._solver.busy, self._message))
        keys = window.pressed()
        for key in keys:
            if key == "u":
                self._undo()
            elif key == "space":
                self._take_by_hand(frame)
        return _leaves(keys)

    def _undo(self) -> None:
        view = self.guide.undo()
        if view is not None and self._names:
            self.session.undo(self._names.pop())
            self._message = "The last view was taken back."
            self._ask()

    def _take_by_hand(self, frame: StereoFrame) -> None:
        left, right = self._last
        if left is not None and right is not None and View("", left, right).both:
            self._take(frame, left, right)
        else:
            self._message = "Both cameras must see the board."


def _give_way() -> None:
    """Put this thread behind the others, where the system can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _likely_board(pictures: list[U8], board: Board) -> Board | None:
    return likely_charuco(pictures, board) or likely_board(pictures, board)


class _Solver:
    """One thread that works on the newest set of views it is given."""

    def __init__(self, work: Callable[[tuple[View, ...]], Advice]) -> None:
        self._work = work
        self._lock = threading.Condition()
        self._asked: tuple[View, ...] | None = None
        self._answer: Advice | CalibrationError | None = None
        self._failure: BaseException | None = None
        self._working = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="livestereo-solver", daemon=True)

    @property
    def busy(self) -> bool:
        """Whether a solution is being computed."""
        with self._lock:
            return self._working or self._asked is not None

    def start(self) -> None:
        self._thread.start()

    def ask(self, views: tuple[View, ...]) -> None:
        with self._lock:
            self._asked = views
            self._lock.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until nothing is being computed, or for so long."""
        with self._lock:
            self._lock.wait_for(lambda: not (self._working or self._asked) or self._failure is not None, timeout_s)

    def answer(self) -> Advice | CalibrationError | None:
        """Give what was found since the last call."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            answer, self._answer = self._answer, None
            return answer

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._asked = None
            self._lock.notify_all()
        # A solve cannot be cut short; it takes a second or two.
        self._thread.join(20)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._asked is not None or self._closing)
                if self._closing or self._asked is None:
                    return
                views, self._asked = self._asked, None
                self._working = True
            found: Advice | CalibrationError | None = None
            try:
                found = self._work(views)
            except CalibrationError as error:
                found = error
            except BaseException as error:  # the edge of the thread: raised by answer()
                with self._lock:
                    self._failure = error
            with self._lock:
                self._working = False
                if found is not None:
                    self._answer = found
                self._lock.notify_all()


def _leaves(keys: list[str]) -> bool:
    return any(key in ("q", "esc", "closed", "enter") for key in keys)


def _same(a: tuple[View, ...], b: tuple[View, ...]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b))


def _told(step: Step) -> str:
    """One line for the terminal."""
    count = step.views + step.accept
    error = f", depth error {step.percent:.2g} %" if step.percent == step.percent else ""
    return f"{count} view{'' if count == 1 else 's'}{error}. {step.why if step.accept else step.next}"


def _gray(image: U8) -> U8:
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
