"""Stand-ins for the parts of a run: tiny, instant and steered by the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calibration.rectify import Rectification
from livestereo.errors import NoFrameYet
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.sinks.base import RunState
from livestereo.types import (
    Action,
    CaptureStats,
    Frame,
    MatchResult,
    SourceInfo,
    StereoFrame,
    StereoResult,
)  # fmt: skip

SIZE_WH = (24, 16)
RECTIFICATION = Rectification(
    size_wh=SIZE_WH, focal_px=20.0, cx_px=12, cy_px=8, baseline_m=0.1, roi=(0, 0, *SIZE_WH),
    source_size_wh={"left": SIZE_WH, "right": SIZE_WH},
)  # fmt: skip


def pair(seq: int, *, gap: str | None = None) -> StereoFrame:
    """A pair whose pictures say its number: left all `seq`, right all `seq + 100`."""
    left = np.full((SIZE_WH[1], SIZE_WH[0], 3), seq % 256, np.uint8)
    right = np.full_like(left, (seq + 100) % 256)
    return StereoFrame(Frame(left, seq / 30, seq), Frame(right, seq / 30, seq), seq, skew_s=0.002, gap=gap)


class FakeSource:
    """Gives these pairs, then ends: with None, or by raising `ending`."""

    def __init__(
        self, pairs: Sequence[StereoFrame], *, live: bool = False, ending: BaseException | None = None,
        fps: float = 30.0,
    ) -> None:  # fmt: skip
        self.pairs, self.ending, self.at = list(pairs), ending, 0
        self.info = SourceInfo(name="fake", live=live, fps=fps, count=len(self.pairs))

    def read(self, timeout_s: float) -> StereoFrame | None:
        if self.at >= len(self.pairs):
            if self.ending is not None:
                raise self.ending
            return None
        self.at += 1
        return self.pairs[self.at - 1]

    def stats(self) -> CaptureStats:
        return CaptureStats(offered=2 * self.at, paired=self.at)

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class SeekableSource(FakeSource):
    """A source that can go to any pair, as a take can."""

    seekable = True

    def seek(self, seq: int) -> None:
        self.at = seq


class SteeredSource(FakeSource):
    """A live source that gives pair k when the test has called `give` k + 1 times, and ends after `finish`."""

    def __init__(self, pairs: Sequence[StereoFrame]) -> None:
        super().__init__(pairs, live=True)
        self._lock = threading.Condition()
        self._allowed = 0
        self._ended = False

    def give(self, count: int = 1) -> None:
        with self._lock:
            self._allowed += count
            self._lock.notify_all()

    def finish(self) -> None:
        with self._lock:
            self._ended = True
            self._lock.notify_all()

    def read(self, timeout_s: float) -> StereoFrame | None:
        with self._lock:
            self._lock.wait_for(lambda: self._ended or self.at < self._allowed, timeout_s)
            if self.at < min(self._allowed, len(self.pairs)):
                return super().read(timeout_s)
            if self._ended:
                return None
        raise NoFrameYet


class FakeMatcher:
    """Disparity is 1 + the left picture's gray value / 16, everywhere; `hook` is called with that gray value."""

    def __init__(self, hook: Callable[[int], None] | None = None, log: list[int] | None = None) -> None:
        self.hook, self.log = hook, log

    def compute(self, left_gray: Any, right_gray: Any) -> MatchResult:
        value = int(left_gray[0, 0])
        if self.log is not None:
            self.log.append(value)
        if self.hook is not None:
            self.hook(value)
        return MatchResult(np.full(left_gray.shape, 1 + value / 16, np.float32))


def builder(
    hook: Callable[[int], None] | None = None, log: list[int] | None = None, filters: Sequence[Any] = ()
) -> Any:
    """A `build` for the engine with a `FakeMatcher`."""

    def build(settings: Settings, frame: StereoFrame) -> Pipeline:
        return Pipeline(FakeMatcher(hook, log), list(filters), RECTIFICATION, settings=settings)

    return build


class Collector:
    """Keeps the numbers of what it is given; both a pair sink and a result sink."""

    def __init__(self) -> None:
        self.pairs: list[int] = []
        self.results: list[int] = []
        self.disparities: list[float] = []
        self.settings: list[Settings | None] = []
        self.opened = self.closed = 0

    def open(self, info: SourceInfo) -> None:
        self.opened += 1

    def accept_pair(self, frame: StereoFrame) -> None:
        self.pairs.append(frame.seq)

    def accept(self, result: StereoResult) -> None:
        self.results.append(result.frame.seq)
        self.disparities.append(float(result.disparity_px[0, 0]))
        self.settings.append(result.settings)

    def close(self) -> None:
        self.closed += 1


class ScriptedView(Collector):
    """A view that acts by a script: a function of itself that gives an action or None at each poll."""

    def __init__(self, script: Callable[[ScriptedView], Action | None]) -> None:
        super().__init__()
        self.script = script
        self.states: list[RunState] = []
        self.step = 0

    @property
    def messages(self) -> list[str]:
        return [text for state in self.states for text in state.messages]

    def tell(self, state: RunState) -> None:
        self.states.append(state)

    def poll(self) -> Action | None:
        return self.script(self)
