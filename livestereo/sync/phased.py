"""Carry a phase search out on a live source, and watch the phase afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from livestereo.errors import NoFrameYet
from livestereo.phase import Aim, PhaseReading
from livestereo.sources.base import Source
from livestereo.sync.phase import PhaseSearch, lost_in_s
from livestereo.timing import Clock, monotonic
from livestereo.types import CaptureStats, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self

PAUSE_S = 0.25  # closed for so long at least, so that the driver lets go
JUDGE_EVERY_S = 0.1
WATCH_EVERY_S = 5.0
NOTHING_S = 15.0  # no phase to be read for so long: the search is given up
LIMIT_S = 240.0
FORETELL_S = 600.0


class Reopening(Source, Protocol):
    """A live source whose cameras can be opened again."""

    def reopen(self, side: str, pause_s: float = 0.0, aim: Aim | None = None) -> None:
        """Close a camera and open it again at a moment that `aim` names."""
        ...

    def phase(self, side: str) -> PhaseReading | None:
        """Read its phase against the other camera."""
        ...


class PhaseKeeper:
    """Brings a live source into phase and keeps an eye on it; `step` is to be called with each pair that is read.

    hold: True while nothing may be opened again, because it is being recorded. tell: hears of the progress.
    """

    def __init__(
        self, source: Reopening, search: PhaseSearch, tell: Callable[[str], object], *, side: str = "right",
        clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self._source = source
        self.search = search
        self._tell = tell
        self._side = side
        self._clock = clock
        self.hold: Callable[[], bool] = lambda: False
        self.searching = True
        self.reached = False
        self.reading: PhaseReading | None = None
        self._since_s = self._heard_s = clock()
        self._next_s = float("-inf")
        self._told: set[str] = set()

    def step(self) -> None:
        """Look at the phase when it is time to, and act."""
        now = self._clock()
        if now < self._next_s:
            return
        reading = self._source.phase(self._side)
        self._next_s = now + (JUDGE_EVERY_S if self.searching else WATCH_EVERY_S)
        if reading is not None:
            self._heard_s, self.reading = now, reading
            if self.searching:
                self._search(reading, now)
            else:
                self._watch(reading, now)
        if self.searching and now - self._heard_s > NOTHING_S:
            self._end("no phase can be read: the cameras are silent, or their rates differ")
        elif self.searching and now - self._since_s > LIMIT_S:
            self._end(f"not found within {LIMIT_S:.0f} s")

    def _search(self, reading: PhaseReading, now: float) -> None:
        step = self.search.judge(reading)
        if step.action == "measure":
            if step.why:
                number = self.search.tried
                self._once(f"near {number}", f"Phase search, opening {number}: {step.why}.")
        elif step.action == "accept":
            self.searching, self.reached = False, True
            self._told = set()
            self._tell(f"Phase search: {step.why} ± {2e3 * reading.sigma_s:.1f} ms after {_openings(self.search)}.")
        elif step.action == "give up":
            self._end(step.why)
        else:
            self._tell(f"Phase search, opening {self.search.tried - 1}: {step.why}; opening the {self._side} again.")
            self._heard_s = now
            self._source.reopen(self._side, PAUSE_S, Aim(reading.anchor_s + step.begin_phase_s, reading.period_s))

    def _end(self, why: str) -> None:
        self.searching = False
        self._tell(f"Phase search given up after {_openings(self.search)}: {why}.")

    def _watch(self, reading: PhaseReading, now: float) -> None:
        if not self.reached:
            return
        bound_s = self.search.bound_s
        if abs(reading.phase_s) > bound_s + 2 * reading.sigma_s:
            where = f"The phase has drifted to {reading.phase_s * 1e3:+.1f} ms, over ±{bound_s * 1e3:g} ms"
            if self.hold():
                self._once("lost", f"{where}; while recording, no camera is opened again.")
                return
            self._tell(f"{where}: searching again.")
            self._told = set()
            self.search.begin()
            self.searching, self._since_s, self._heard_s, self._next_s = True, now, now, float("-inf")
            return
        left_s = lost_in_s(reading, bound_s)
        if left_s < FORETELL_S:
            length = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
            self._once(
                "foretold",
                f"The cameras drift by {reading.drift * 6e4:+.1f} ms per minute: the phase will leave "
                f"±{bound_s * 1e3:g} ms in about {length}.",
            )

    def _once(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._tell(text)

    @property
    def lost_in_s(self) -> float:
        """After how many seconds the drift takes the phase over the bound; infinite where none can be told."""
        return math.inf if self.reading is None else lost_in_s(self.reading, self.search.bound_s)


def _openings(search: PhaseSearch) -> str:
    return "1 opening" if search.tried == 1 else f"{search.tried} openings"


def settle(keeper: PhaseKeeper, source: Source, stop: Callable[[], bool] = lambda: False) -> None:
    """Read pairs, for nothing but the phase, until the search has ended."""
    while keeper.searching and not stop():
        try:
            if source.read(0.1) is None:
                return
        except NoFrameYet:
            pass
        keeper.step()


class PhasedSource:
    """A live source in phase: searched for while it is opened, watched while it is read; see `Source`."""

    def __init__(self, source: Reopening, bound_s: float, tell: Callable[[str], object]) -> None:
        self._source = source
        self.keeper = PhaseKeeper(source, PhaseSearch(bound_s), tell)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def info(self) -> SourceInfo:
        """As the source says."""
        return self._source.info

    def __enter__(self) -> Self:
        self._source.__enter__()
        try:
            settle(self.keeper, self._source)
        except BaseException:
            self._source.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair; see `Source`."""
        pair = self._source.read(timeout_s)
        self.keeper.step()
        return pair

    def stats(self) -> CaptureStats:
        """As the source counts."""
        return self._source.stats()
