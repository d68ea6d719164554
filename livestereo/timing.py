"""Clock, rate and latency meters, stage timers. Everything takes its clock from outside."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]
monotonic: Clock = time.monotonic


class RateMeter:
    """Events per second over a sliding window of `window_s` seconds."""

    def __init__(self, window_s: float = 2.0, clock: Clock = monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._stamps: deque[float] = deque()

    def tick(self, t_s: float | None = None) -> None:
        """Count one event at `t_s` (now if left out)."""
        now = self._clock() if t_s is None else t_s
        self._stamps.append(now)
        while self._stamps and now - self._stamps[0] > self._window_s:
            self._stamps.popleft()

    def rate(self) -> float:
        """Events per second; 0 when fewer than two are in the window."""
        now = self._clock()
        stamps = [t for t in self._stamps if now - t <= self._window_s]
        if len(stamps) < 2 or stamps[-1] <= stamps[0]:
            return 0.0
        return (len(stamps) - 1) / (stamps[-1] - stamps[0])


class StageTimer:
    """Seconds spent per named stage of one pair."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to `name`."""
        start = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - start


def percentile(values: list[float] | deque[float], q: float) -> float:
    """The q-th percentile (0..100) by nearest rank; NaN for no values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    rank = min(len(ordered) - 1, max(0, round(q / 100 * (len(ordered) - 1))))
    return ordered[rank]
