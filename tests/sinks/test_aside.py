"""What is made aside: shown when it is there, and never waited for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from sink_scenes import FakeClock

from livestereo.sinks.aside import Aside, AtOnce


class Later(Executor):
    """Does what it was given when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        for future, make in self.waiting:
            try:
                future.set_result(make())
            except ValueError as error:
                future.set_exception(error)
        self.waiting.clear()


def test_it_is_there_when_it_was_made() -> None:
    later, clock = Later(), FakeClock()
    aside: Aside[str] = Aside(later, 0.25, clock)
    assert aside.get("a", lambda: "A") is None and len(later.waiting) == 1
    assert aside.get("a", lambda: "A again") is None and len(later.waiting) == 1  # one at a time
    later.work()
    assert aside.get("a", lambda: "A again") == "A" and not later.waiting
    clock.now += 0.3  # made anew now and then, and the old one shown meanwhile
    assert aside.get("a", lambda: "A again") == "A" and len(later.waiting) == 1
    later.work()
    assert aside.get("a", lambda: "") == "A again"


def test_what_passes_quickly_is_not_made() -> None:
    later, clock = Later(), FakeClock()
    aside: Aside[int] = Aside(later, 0.25, clock)
    assert aside.get(0, lambda: 0) is None
    later.work()
    for key in range(1, 8):
        clock.now += 0.02
        assert aside.get(key, lambda: 1) is None
    assert not later.waiting
    assert aside.get(7, lambda: 7) is None  # it rests
    later.work()
    assert aside.get(7, lambda: 0) == 7
    assert aside.get(8, lambda: 8) is None  # what was known of another is not told of this one


def test_a_failure_is_raised_where_it_is_asked_for() -> None:
    later = Later()
    aside: Aside[int] = Aside(later, 0.25, FakeClock())

    def fails() -> int:
        raise ValueError("broken")

    aside.get(0, fails)
    later.work()
    with pytest.raises(ValueError, match="broken"):
        aside.get(0, fails)


def test_at_once() -> None:
    assert Aside[int](AtOnce(), 0.25, FakeClock()).get(0, lambda: 5) == 5
