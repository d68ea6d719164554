"""Fakes for tests of views: a screen that remembers, a clock that stands still, and small results."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from calibration.rectify import Rectification
from livestereo.display import Event, Key, Mouse, MouseKind
from livestereo.types import U8, Frame, MatchResult, Reason, RectifiedPair, SizeWH, StereoFrame, StereoResult

FOCAL_PX, BASELINE_M = 500.0, 0.06


class Later(Executor):
    """Does what it was given when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        for future, make in self.waiting:
            try:
                future.set_result(make())
            except ValueError as error:
                future.set_exception(error)
        self.waiting.clear()


class FakeClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeScreen:
    """A window of a chosen size that gives the events put into it and keeps what was shown."""

    def __init__(self, title: str, size_wh: SizeWH) -> None:
        self.title, self.size_wh, self.is_open = title, size_wh, True
        self.events: deque[Event] = deque()
        self.shown: list[U8] = []

    def show(self, bgr: U8) -> None:
        self.shown.append(bgr)

    def resize(self, size_wh: SizeWH) -> None:
        self.size_wh = size_wh

    def poll(self, wait_s: float = 0.0) -> list[Event]:
        events = list(self.events)
        self.events.clear()
        return events

    def close(self) -> None:
        self.is_open = False

    def press(self, *keys: str) -> None:
        self.events.extend(Key(key) for key in keys)

    def mouse(self, kind: MouseKind, x: int, y: int) -> None:
        self.events.append(Mouse(kind, x, y))


def make_result(
    width: int = 320, height: int = 240, *, depth_m: float = 2.0, seq: int = 0, turns: int = 0, metric: bool = True,
    explained: bool = True, shade: int = 90,
) -> StereoResult:  # fmt: skip
    """A plane at `depth_m`; its left upper quarter is a hole (occluded); σ is 0.25 px."""
    image = np.full((height, width, 3), shade, np.uint8)
    depth = np.full((height, width), depth_m, np.float32)
    depth[: height // 2, : width // 2] = np.nan
    hole = np.isnan(depth)
    frame = StereoFrame(Frame(image, seq / 30, seq), Frame(image, seq / 30, seq), seq, 0.0012)
    rectification = Rectification(
        (width, height), FOCAL_PX, width / 2, height / 2, BASELINE_M, roi=(0, 0, width, height), metric=metric,
        display_turns=turns,
    )  # fmt: skip
    gray = np.full((height, width), shade, np.uint8)
    match = MatchResult((FOCAL_PX * BASELINE_M / depth).astype(np.float32))
    full = dataclasses.replace(
        match, confidence=np.where(hole, np.nan, 0.8).astype(np.float32),
        reason=np.where(hole, int(Reason.OCCLUDED), 0).astype(np.uint8),
        sigma_px=np.where(hole, np.nan, 0.25).astype(np.float32),
    )  # fmt: skip
    return StereoResult(
        frame, RectifiedPair(frame, rectification, gray, gray), match, depth, finished_s=seq / 30 + 0.1,
        explain=(lambda _: full) if explained else None,
    )  # fmt: skip
