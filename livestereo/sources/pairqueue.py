"""Pairs between the cameras and whoever reads them: bounded, nothing lost in a hiccup, the newest for a slow reader."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from livestereo.types import StereoFrame

MOST_WAITING = 16
BEHIND_READS = 2  # late reads in a row after which only the newest pair counts
PERIOD_S = 1 / 30  # while no rate is known


class PairQueue:
    """Holds at most `MOST_WAITING` pairs. `lost` counts those that nobody took. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._pairs: deque[StereoFrame] = deque()
        self._last_read_s: float | None = None
        self._late_reads = 0
        self.lost = 0
        self.taken = 0

    def __len__(self) -> int:
        return len(self._pairs)

    def put(self, pair: StereoFrame) -> None:
        """Add the newest pair; the oldest is given up when there is no room."""
        self._pairs.append(pair)
        if len(self._pairs) > MOST_WAITING:
            self._give_up_oldest()

    def take(self, now_s: float, period_s: float) -> StereoFrame:
        """Give the next pair, numbered; the newest where the reader comes late again and again."""
        since = 0.0 if self._last_read_s is None else now_s - self._last_read_s
        self._last_read_s = now_s
        if len(self._pairs) <= 1:
            self._late_reads = 0
        elif since > (period_s or PERIOD_S):
            self._late_reads += 1
        while self._late_reads >= BEHIND_READS and len(self._pairs) > 1:
            self._give_up_oldest()
        pair = replace(self._pairs.popleft(), seq=self.taken, name=str(self.taken))
        self.taken += 1
        return pair

    def _give_up_oldest(self) -> None:
        given_up = self._pairs.popleft()
        self.lost += 1
        if given_up.gap and not self._pairs[0].gap:
            self._pairs[0] = replace(self._pairs[0], gap=given_up.gap)
