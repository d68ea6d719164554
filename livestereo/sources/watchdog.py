"""Watches one camera's frames for what goes wrong while it runs. Pure: it is told when what came."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

from livestereo.sources.capture import Grabbed
from livestereo.types import SizeWH

State = Literal["ok", "stalled", "frozen", "slow", "wrong size", "missing", "ended"]
STALLED_PERIODS = 4.0
STALLED_S = 0.4
FROZEN_FRAMES = 8
FROZEN_S = 0.5
SLOW_SHARE = 0.75  # below this share of the rate it should have
RATE_OVER_S = 2.0


def fingerprint(grabbed: Grabbed) -> int:
    """A number that tells frames apart: a real sensor's noise never gives the same one twice."""
    if grabbed.encoded is not None:
        return zlib.crc32(grabbed.encoded)
    return 0 if grabbed.image is None else zlib.crc32(grabbed.image[::4].tobytes())


@dataclass(frozen=True)
class Health:
    """state, and since when it has been so (seconds on the monotonic clock)."""

    state: State
    since_s: float


class Watchdog:
    """Judges one camera. Not for use by two threads at once.

    fps: the rate it should have, or None where nobody knows: then the best rate it has shown counts.
    """

    def __init__(self, now_s: float, fps: float | None = None) -> None:
        self._fps = fps
        self._opened = False
        self._ended = False
        self._lost_s: float | None = now_s
        self._last_s = now_s
        self._recent: list[float] = []
        self._best_rate = 0.0
        self._slow_since_s: float | None = None
        self._print = -1
        self._same = 0
        self._same_since_s = now_s
        self._odd_size_since_s: float | None = None
        self.size_wh: SizeWH | None = None

    def opened(self, now_s: float, fps: float | None) -> None:
        """The camera was opened (again); frames are to follow."""
        self._fps = fps or self._fps
        self._opened, self._last_s = True, now_s
        self._recent.clear()
        self._slow_since_s = self._odd_size_since_s = None
        self._same, self._same_since_s = 0, now_s

    def lost(self, now_s: float, ended: bool = False) -> None:
        """The camera gave an error or was closed."""
        self._opened, self._ended = False, ended
        if self._lost_s is None:
            self._lost_s = now_s if ended else self._last_s

    def saw(self, now_s: float, mark: int, size_wh: SizeWH) -> bool:
        """A whole frame came. False: its size is not that of the first, so it fits no pair."""
        period = now_s - self._last_s
        self._last_s, self._lost_s = now_s, None
        self._watch_rate(now_s, period)
        if mark == self._print:
            self._same += 1
        else:
            self._print, self._same, self._same_since_s = mark, 0, now_s
        if self.size_wh is None:
            self.size_wh = size_wh
        if size_wh != self.size_wh:
            if self._odd_size_since_s is None:
                self._odd_size_since_s = now_s
            return False
        self._odd_size_since_s = None
        return True

    def _watch_rate(self, now_s: float, period_s: float) -> None:
        self._recent.append(now_s)
        while now_s - self._recent[0] > RATE_OVER_S:
            self._recent.pop(0)
        rate = self.rate(now_s)
        if now_s - self._recent[0] > 0.75 * RATE_OVER_S:
            self._best_rate = max(self._best_rate, rate)
        should = self._fps or self._best_rate
        if should and rate < SLOW_SHARE * should and now_s - self._recent[0] > 0.75 * RATE_OVER_S:
            if self._slow_since_s is None:
                self._slow_since_s = now_s
        else:
            self._slow_since_s = None

    @property
    def ended(self) -> bool:
        """The stream is over and will not come back."""
        return self._ended

    def rate(self, now_s: float) -> float:
        """Frames per second over the last two seconds."""
        recent = [t for t in self._recent if now_s - t <= RATE_OVER_S]
        if len(recent) < 2 or now_s - recent[-1] > RATE_OVER_S / 2:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0]) if recent[-1] > recent[0] else 0.0

    def frozen(self, now_s: float) -> bool:
        """The same bytes have come for a while."""
        return self._same >= FROZEN_FRAMES and now_s - self._same_since_s >= FROZEN_S

    def health(self, now_s: float) -> Health:
        """Judge the camera as it is now, the gravest first."""
        if self._lost_s is not None:
            return Health("ended" if self._ended else "missing", self._lost_s)
        period = 1 / self._fps if self._fps else 1 / 15
        if now_s - self._last_s > max(STALLED_S, STALLED_PERIODS * period):
            return Health("stalled", self._last_s)
        if self._odd_size_since_s is not None:
            return Health("wrong size", self._odd_size_since_s)
        if self.frozen(now_s):
            return Health("frozen", self._same_since_s)
        if self._slow_since_s is not None:
            return Health("slow", self._slow_since_s)
        return Health("ok", self._last_s)
