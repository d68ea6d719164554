"""Which left and right frames belong together: a list of stamps in, pairs and drops out. No threads, no clock.

The rule is the mutual nearest within the bound, decided as soon as it can be: at once when no better partner can
still come, else when it came or is overdue. Times are those of each camera's learnt clock (`clock.CameraClock`),
which takes the jitter of delivery out; until a clock is learnt, the stamps themselves.

Every frame that is offered is given back exactly once: in a pair, as a drop, or by `waiting`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from livestereo.clock import CameraClock

Token = TypeVar("Token", bound=Hashable)
Side = Literal[0, 1]  # left, right
UNLEARNT_BOUND_S = 0.025  # half a period of 20 fps, while no clock is learnt
SLACK_S = 0.0005  # two cameras half a period apart stay inside the bound that follows from it
LATE_SIGMAS = 4.0
LATE_S = 0.002
MAX_WAITING = 16


@dataclass(frozen=True)
class Paired(Generic[Token]):
    """Two frames that belong together. skew_s = right − left after bias, on the learnt clocks."""

    left: Token
    right: Token
    skew_s: float


@dataclass(frozen=True)
class Dropped(Generic[Token]):
    """A frame without a partner. side: 0 left, 1 right."""

    token: Token
    side: int


@dataclass(frozen=True)
class _Waiting(Generic[Token]):
    t_s: float
    token: Token


class Pairer(Generic[Token]):
    """Pairs the frames of two cameras as they come. Not for use by two threads at once.

    max_skew_s: bound on |skew|; None: half the slower camera's period. bias_s: added to right stamps
    (true skew − stamp skew); may be set anew. fps: nominal rates, a hint for the clocks. exact: stamps carry no jitter
    (files), so clocks are not learnt.
    """

    def __init__(
        self,
        max_skew_s: float | None = None,
        bias_s: float = 0.0,
        fps: tuple[float | None, float | None] = (None, None),
        exact: bool = False,
    ) -> None:
        self._max_skew_s = max_skew_s
        self.bias_s = bias_s
        self._fps = fps
        self._exact = exact
        self.clocks = (CameraClock(fps[0]), CameraClock(fps[1]))
        self._waiting: tuple[deque[_Waiting[Token]], deque[_Waiting[Token]]] = (deque(), deque())
        self._next: list[float | None] = [None, None]

    @property
    def waiting(self) -> int:
        """Frames offered and not yet decided on."""
        return len(self._waiting[0]) + len(self._waiting[1])

    @property
    def bound_s(self) -> float:
        """The bound on |skew| that holds now, seconds."""
        if self._max_skew_s is not None:
            return self._max_skew_s
        slower = max(self._period_s(0), self._period_s(1))
        return slower / 2 + SLACK_S if slower > 0 else UNLEARNT_BOUND_S

    def _bias(self, side: int) -> float:
        return self.bias_s if side == 1 else 0.0

    def _period_s(self, side: int) -> float:
        if self._exact:
            return 1 / (self._fps[side] or 30.0)
        return self.clocks[side].period_s

    def offer(self, side: int, stamp_s: float, token: Token) -> list[Paired[Token] | Dropped[Token]]:
        """Take the next frame of a side and give what can be decided now."""
        clock = self.clocks[side]
        if self._exact:
            t_s = stamp_s
            following: float | None = stamp_s + self._period_s(side)
        else:
            tick = clock.tick(stamp_s)
            t_s = tick.t_s if tick.ready else stamp_s
            following = clock.due(tick.index + 1) if tick.ready else None
        bias = self._bias(side)
        self._next[side] = None if following is None else following + bias
        queue = self._waiting[side]
        # A clock that is being learnt can step back a little; the order of a camera's frames never does.
        t_s = max(t_s + bias, queue[-1].t_s) if queue else t_s + bias
        queue.append(_Waiting(t_s, token))
        return self.decide(stamp_s)

    def decide(self, now_s: float) -> list[Paired[Token] | Dropped[Token]]:
        """Give what can be decided at `now_s` (the clock of the stamps); what is overdue is waited for no longer."""
        events: list[Paired[Token] | Dropped[Token]] = []
        while True:
            event = self._step(now_s)
            if event is None:
                break
            events.extend(event)
        for side in (0, 1):
            while len(self._waiting[side]) > MAX_WAITING:
                events.append(Dropped(self._waiting[side].popleft().token, side))
        return events

    def flush(self, side: int | None = None) -> list[Dropped[Token]]:
        """Drop what waits (on one side, or on both): the camera is gone, or the source ends."""
        events = []
        for each in (0, 1) if side is None else (side,):
            events += [Dropped(item.token, each) for item in self._waiting[each]]
            self._waiting[each].clear()
            self._next[each] = None
        return events

    def set_rate(self, side: int, fps: float | None) -> None:
        """Tell the rate a camera says it has; counts from its next restart."""
        rates = list(self._fps)
        rates[side] = fps
        self._fps = (rates[0], rates[1])

    def restart(self, side: int) -> list[Dropped[Token]]:
        """Forget a camera's phase, as it was opened again; its crystal is the same."""
        dropped = self.flush(side)
        clocks = list(self.clocks)
        clocks[side] = CameraClock(self._fps[side], clocks[side])
        self.clocks = (clocks[0], clocks[1])
        return dropped

    def _step(self, now_s: float) -> list[Paired[Token] | Dropped[Token]] | None:
        left, right = self._waiting
        if not left or not right:
            return None
        # x is the earliest frame of all, y the first of the other side: x can only go with y.
        early: int = 0 if left[0].t_s <= right[0].t_s else 1
        late = 1 - early
        x, y = self._waiting[early][0], self._waiting[late][0]
        apart = y.t_s - x.t_s
        if apart > self.bound_s:
            self._waiting[early].popleft()
            return [Dropped(x.token, early)]
        x2, x2_came = self._following(early, now_s)
        if x2 is not None and abs(x2 - y.t_s) < apart:
            # y has a better partner in sight, unless that one has a better partner itself.
            y2, _ = self._following(late, now_s)
            if y2 is None or abs(y2 - x2) >= abs(x2 - y.t_s):
                if not x2_came:
                    return None
                self._waiting[early].popleft()
                return [Dropped(x.token, early)]
        self._waiting[early].popleft()
        self._waiting[late].popleft()
        first, second = (x, y) if early == 0 else (y, x)
        return [Paired(first.token, second.token, second.t_s - first.t_s)]

    def _following(self, side: int, now_s: float) -> tuple[float | None, bool]:
        """(when, came): the frame after the first waiting one; expected if it has not come and is not overdue."""
        queue = self._waiting[side]
        if len(queue) > 1:
            return queue[1].t_s, True
        expected = self._next[side]
        if expected is None:
            return None, False
        # Exact stamps come from files, where the frames of one side may be read long before the other's.
        late_s = self._period_s(side) if self._exact else LATE_SIGMAS * self.clocks[side].jitter_s + LATE_S
        if now_s + self._bias(side) > expected + late_s:
            return None, False
        return expected, False
