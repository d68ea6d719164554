"""Values that cost too much time to make while the window draws: made aside, and shown when they are there."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, Future
from typing import Any, Generic, TypeVar

from livestereo.timing import Clock

T = TypeVar("T")


class AtOnce(Executor):
    """Does what it is given before it returns, in the thread of who gives it."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Do it."""
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Aside(Generic[T]):
    """One value at a time, of what was last asked for.

    It is ordered when the same is asked for twice in a row, so that what passes quickly is not made, and every
    `every_s` anew.
    """

    def __init__(self, pool: Executor, every_s: float, clock: Clock) -> None:
        self._pool, self._every_s, self._clock = pool, every_s, clock
        self._known: tuple[Hashable, T] | None = None
        self._ordered: tuple[Hashable, Future[T]] | None = None
        self._ordered_s = -math.inf
        self._asked: Hashable = None

    def get(self, key: Hashable, make: Callable[[], T]) -> T | None:
        """Give the newest value known for a key; None: not yet, ask again.

        Raises:
            whatever `make` raised.
        """
        self._take_in()
        known = self._known is not None and self._known[0] == key
        rests, self._asked = key == self._asked, key
        now = self._clock()
        due = now - self._ordered_s >= self._every_s
        if self._ordered is None and (due or (rests and not known)):
            self._ordered, self._ordered_s = (key, self._pool.submit(make)), now
            self._take_in()
        return self._known[1] if self._known is not None and self._known[0] == key else None

    def _take_in(self) -> None:
        if self._ordered is not None and self._ordered[1].done():
            key, future = self._ordered
            self._ordered = None
            self._known = key, future.result()
