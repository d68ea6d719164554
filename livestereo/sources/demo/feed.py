"""From single shots to pairs, through the same pairing as real cameras; pictures are rendered only afterwards."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from livestereo.phase import PhaseReading, read_phase
from livestereo.sources.demo.timeline import Shot, Timeline
from livestereo.sources.pairing import Dropped, Paired, Pairer

GAP_S = 0.25
# So many shots without a pair, and there will never be one.
HOPELESS = 100_000


@dataclass(frozen=True)
class Given:
    """A pair before it is rendered. skew_s: right − left as the program sees it. gap: why there was none before."""

    left: Shot
    right: Shot
    skew_s: float
    gap: str | None


class Feed:
    """Pairs of a timeline, one after the other."""

    def __init__(self, timeline: Timeline, max_skew_s: float | None = None, bias_s: float = 0.0) -> None:
        self._timeline = timeline
        self._shots = timeline.shots()
        exact = timeline.faults.jitter_s == 0 and not timeline.faults.live
        self._pairer: Pairer[int] = Pairer(max_skew_s, bias_s, (timeline.fps, timeline.fps), exact)
        self._held: dict[int, Shot] = {}
        self._tokens = 0
        self._ahead: Shot = next(self._shots)
        self._ready: deque[Given] = deque()
        self._last: list[float] = [0.0, 0.0]
        self._last_pair_s: float | None = None
        self._back: list[str] = []
        self._asked: set[int] = set()
        self.dropped: Counter[str] = Counter({"camera": 0, "pairing": 0, "busy": 0})
        self.offered = 0
        self.reconnects = 0
        self.now_s = 0.0

    @property
    def next_stamp_s(self) -> float:
        """When the next shot arrives."""
        return self._ahead.stamp_s

    @property
    def waiting(self) -> int:
        """Shots that were offered and are neither given nor dropped."""
        return self._pairer.waiting + 2 * len(self._ready)

    @property
    def missing_s(self) -> float:
        """For how long the quieter camera has been silent."""
        return max(0.0, self.now_s - min(self._last))

    def reopen(self, side: int, opened_s: float) -> None:
        """Close a camera now and open it again at a moment; shots on their way still come."""
        self._asked.add(side)
        self._timeline.reopen(side, self.now_s, opened_s)

    def phase(self, side: int, began_s: float) -> PhaseReading | None:
        """Read the phase of a camera, that was last opened at `began_s`, against the other."""
        if self._asked:
            return None
        bias_s = self._pairer.bias_s if side == 1 else -self._pairer.bias_s
        return read_phase(self._pairer.clocks[1 - side], self._pairer.clocks[side], bias_s, began_s)

    def set_bias(self, bias_s: float) -> None:
        """Pair by another bias from now on."""
        self._pairer.bias_s = bias_s

    def next(self) -> Given:
        """Give the next pair, whenever it comes.

        Raises:
            StopIteration: none will ever come.
        """
        for _ in range(HOPELESS):
            if self._ready:
                return self._ready.popleft()
            self._step()
        raise StopIteration

    def until(self, t_s: float) -> list[Given]:
        """Give all pairs that have been made by a moment."""
        while self._ahead.stamp_s <= t_s:
            self._step()
        self.now_s = max(self.now_s, t_s)
        self._settle(self._pairer.decide(t_s))
        ready, self._ready = list(self._ready), deque()
        return ready

    def _step(self) -> None:
        shot, self._ahead = self._ahead, next(self._shots)
        self.now_s = max(self.now_s, shot.stamp_s)
        if shot.returned:
            name = "left" if shot.side == 0 else "right"
            if shot.side in self._asked:
                self._asked.remove(shot.side)
                self._back.append(f"{name} camera opened again")
            else:
                self.reconnects += 1
                self._back.append(f"{name} camera lost")
            self._settle(list(self._pairer.restart(shot.side)))
        self.offered += 1
        self._last[shot.side] = shot.stamp_s
        self._tokens += 1
        self._held[self._tokens] = shot
        self._settle(self._pairer.offer(shot.side, shot.stamp_s, self._tokens))

    def _settle(self, events: list[Paired[int] | Dropped[int]]) -> None:
        for event in events:
            if isinstance(event, Dropped):
                del self._held[event.token]
                self.dropped["pairing"] += 1
                continue
            left, right = self._held.pop(event.left), self._held.pop(event.right)
            self._ready.append(Given(left, right, event.skew_s, self._gap(left.stamp_s)))

    def _gap(self, stamp_s: float) -> str | None:
        last, self._last_pair_s = self._last_pair_s, stamp_s
        back, self._back = self._back, []
        if last is None or (not back and stamp_s - last <= GAP_S):
            return None
        cause = ", ".join(back) or "no partners within the bound"
        return f"{cause}: nothing for {stamp_s - last:.1f} s"
