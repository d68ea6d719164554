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


class LastDone(Generic[T]):
    """Works on one thing at a time, always the newest; meanwhile the last one that was done is there."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._kind: Hashable = None
        self._doing: tuple[Hashable, T, Future[object]] | None = None
        self._done: T | None = None

    def of(self, newest: T, kind: Hashable, work: Callable[[T], object]) -> T | None:
        """Give the newest thing that `work` was done on; None: none yet, ask again. Work of another kind is forgotten.

        Raises:
            whatever `work` raised.
        """
        if kind != self._kind:
            self._kind, self._done = kind, None
        self._take_in()
        if self._doing is None and newest is not self._done:
            self._doing = kind, newest, self._pool.submit(work, newest)
            self._take_in()
        return self._done

    def forget(self) -> None:
        """Let go of what was done, and of what is in work."""
        self._kind = self._done = None
        if self._doing is not None:
            self._doing = None, *self._doing[1:]

    def _take_in(self) -> None:
        if self._doing is not None and self._doing[2].done():
            kind, one, future = self._doing
            self._doing = None
            future.result()
            if kind == self._kind:
                self._done = one
