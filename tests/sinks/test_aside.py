"""What is made aside: shown when it is there, and never waited for."""

from __future__ import annotations

import pytest
from sink_scenes import FakeClock, Later

from livestereo.sinks.aside import Aside, AtOnce, LastDone


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


def test_the_newest_is_worked_on_and_the_last_one_done_is_there_meanwhile() -> None:
    later, worked = Later(), []
    done: LastDone[str] = LastDone(later)
    assert done.of("a", "kind", worked.append) is None
    assert done.of("b", "kind", worked.append) is None and len(later.waiting) == 1  # one at a time
    later.work()
    assert done.of("c", "kind", worked.append) == "a" and worked == ["a"]  # b passed meanwhile
    later.work()
    assert done.of("c", "kind", worked.append) == "c" and worked == ["a", "c"] and not later.waiting


def test_what_was_done_of_another_kind_is_not_given() -> None:
    later = Later()
    done: LastDone[str] = LastDone(later)
    assert done.of("a", "one", len) is None
    later.work()
    assert done.of("a", "one", len) == "a"
    assert done.of("a", "other", len) is None
    later.work()
    assert done.of("b", "other", len) == "a"
    done.forget()
    later.work()
    assert done.of("b", "other", len) is None


def test_a_failure_of_the_work_comes_out() -> None:
    def fail(one: str) -> None:
        raise ValueError(one)

    with pytest.raises(ValueError, match="a"):
        LastDone[str](AtOnce()).of("a", "kind", fail)
