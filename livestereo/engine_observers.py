"""The thread that looks at a run about once a second, for what a person should know."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from livestereo.engine_flow import Flow
from livestereo.engine_rooms import RunThread
from livestereo.sources.base import Source
from livestereo.types import CaptureStats, Finding, StereoFrame, StereoResult

OBSERVE_EVERY_S = 1.0


class Observer(Protocol):
    """Looks at the run about once a second, in a thread of its own.

    It may have `figures`, a mapping of names to numbers that the status bar knows: `vertical_px`.
    """

    def observe(self, frame: StereoFrame, result: StereoResult, stats: CaptureStats) -> Iterable[Finding]:
        """Give what is found now."""
        ...


class Observers(RunThread):
    """Asks each observer about once a second what it finds."""

    def __init__(self, observers: Sequence[Any], source: Source, flow: Flow) -> None:
        super().__init__("observer", self._watch, flow)
        self._observers, self._source = observers, source
        self._end = threading.Event()
        self._latest: StereoResult | None = None
        self._asked = False
        self._now: tuple[Finding, ...] = ()
        self._figures: dict[str, float] = {}
        self._all: dict[str, Finding] = {}

    def start(self) -> None:
        """Begin, if there is anyone to ask."""
        if self._observers:
            super().start()

    def see(self, result: StereoResult) -> None:
        """Take the newest result."""
        self._latest = result

    def now(self) -> tuple[Finding, ...]:
        """What was found at the last look, worst first."""
        return self._now

    def figures(self) -> dict[str, float]:
        """Numbers of the last look, for the status bar."""
        return dict(self._figures)

    def all(self) -> tuple[Finding, ...]:
        """Everything that was ever found, the newest words for each check, worst first."""
        return tuple(sorted(self._all.values(), key=lambda finding: -finding.severity))

    def join(self, timeout_s: float) -> None:
        """End; a run too short for a look gets one."""
        self._end.set()
        super().join(timeout_s)

    def _watch(self) -> None:
        while not self._end.wait(OBSERVE_EVERY_S):
            self._look()
        if not self._asked and self._flow.failure is None:
            self._look()

    def _look(self) -> None:
        result = self._latest
        if result is None:
            return
        self._asked = True
        found: list[Finding] = []
        figures: dict[str, float] = {}
        for observer in self._observers:
            answer: Iterable[Finding] = observer.observe(result.frame, result, self._source.stats())
            found += [finding for finding in answer if not finding.ok]
            figures.update(getattr(observer, "figures", {}))
        # Two observers may find the same thing: the surer one speaks.
        worst_first = sorted(found, key=lambda finding: -finding.severity)
        unique = {finding.check: finding for finding in reversed(worst_first)}
        self._now = tuple(sorted(unique.values(), key=lambda finding: -finding.severity))
        self._figures = figures
        self._all.update(unique)
