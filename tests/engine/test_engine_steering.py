"""The running loop under way: settings exchanged, paused, stepped, wound, sides exchanged."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from engine_fakes import (
    RECTIFICATION,
    Collector,
    FakeMatcher,
    FakeSource,
    ScriptedView,
    SeekableSource,
    builder,
    pair,
)  # fmt: skip

from livestereo.engine import run
from livestereo.engine_actions import changed_settings
from livestereo.errors import SettingsError
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings, resolve_settings
from livestereo.sinks.base import RecorderState
from livestereo.types import Action

PAIRS = [pair(i) for i in range(20)]


def test_a_view_changes_settings_and_a_wrong_value_changes_nothing() -> None:
    built: list[Settings] = []
    log: list[int] = []

    def build(settings: Settings, frame: Any) -> Pipeline:
        built.append(settings)
        if settings.num_disparities == 32:
            raise SettingsError("num_disparities is too wide for this.")
        return Pipeline(FakeMatcher(log=log), [], RECTIFICATION, settings=settings)

    def script(view: ScriptedView) -> Action | None:
        newest = view.states[-1] if view.states else None
        view.step += 1
        if view.step == 1:
            return Action("set:uniqueness", 20)
        if view.step == 2:
            return Action("set:uniqueness", 2000)
        if newest and newest.settings.uniqueness == 20 and not view.pairs:
            view.pairs = [1]  # asked for once
            return Action("settings", {"num_disparities": 32})
        if any("wide" in m for m in view.messages) and view.pairs == [1]:
            view.pairs = [1, 2]
            return Action("set:colormap", "turbo")
        return Action("quit") if newest and newest.settings.colormap == "turbo" else None

    view = ScriptedView(script)
    run(FakeSource(PAIRS), build, Settings(workers=1, threads=1), views=[view], hold=True)
    assert any("uniqueness must be" in message for message in view.messages)
    assert view.states[-1].settings.uniqueness == 20
    assert view.states[-1].settings.num_disparities is None, "what could not be built is not in force"
    assert [s.uniqueness for s in built][:1] == [None]
    assert all(s.colormap == "viridis" for s in built), "a colour needs no new pipeline"
    assert log.count(0) >= 2, "each new pipeline is warmed up with the first pair"


def test_pause_holds_step_goes_on_by_one_and_settings_show_on_the_held_pair() -> None:
    source = FakeSource(PAIRS)
    gate = threading.Semaphore(2)  # the warm-up and pair 0

    def hook(value: int) -> None:
        gate.acquire(timeout=5)

    def script(view: ScriptedView) -> Action | None:
        state = view.states[-1] if view.states else None
        if view.step == 0 and view.results:
            view.step = 1
            return Action("pause", True)
        if view.step == 1 and state and state.paused:
            gate.release(50)
            view.step = 2
            return Action("set:uniqueness", 30)
        if view.step == 2 and view.settings[-1] and view.settings[-1].uniqueness == 30:
            view.step, view.pairs = 3, [view.results[-1]]  # the pair that is held, seen with the new settings
            return Action("step", 1)
        if view.step == 3 and view.results[-1] > view.pairs[0]:
            return Action("quit")
        return None

    class Cloud(Collector):
        shows = True

    view, kept, cloud = ScriptedView(script), Collector(), Cloud()
    summary = run(source, builder(hook), Settings(workers=1, threads=1), views=[view], sinks=[kept, cloud])
    assert view.step == 3
    # Pairs in work when the pause came are finished; the one seen again is counted once.
    assert summary.pairs == view.results[-1] + 1 <= 6
    held = view.pairs[0]
    assert kept.results == list(range(summary.pairs)), "what keeps results sees each pair once"
    assert cloud.results.count(held) >= 2 and sorted(set(cloud.results)) == kept.results
    assert 30 in [settings.uniqueness for settings, pair in zip(cloud.settings, cloud.results) if pair == held]


@pytest.mark.parametrize(
    ("asked", "shows"), [([], [0]), ([Action("step", 1)], [0]), ([Action("seek", 7)], [7]), ([Action("pause")], None)]
)
def test_a_pause_before_the_first_picture_lets_it_through_and_holds(
    asked: list[Action], shows: list[int] | None
) -> None:
    built = threading.Event()
    actions = [Action("pause", True), *asked]

    def build(settings: Settings, frame: Any) -> Pipeline:
        assert built.wait(timeout=30)
        return Pipeline(FakeMatcher(), [], RECTIFICATION, settings=settings)

    def script(view: ScriptedView) -> Action | None:
        if actions:
            return actions.pop(0)
        built.set()
        view.step += 1 if view.results else 0
        done = view.step > 20 or len(view.results) == len(PAIRS)  # it looked round often enough to see another pair
        return Action("quit") if done else None

    view = ScriptedView(script)
    run(SeekableSource(PAIRS), build, Settings(workers=1, threads=1), sinks=[view], views=[view], hold=True)
    assert view.results[:1] == [0] if shows is None else list(dict.fromkeys(view.results)) == shows


def test_hold_stays_at_the_end_and_seek_goes_back() -> None:
    def script(view: ScriptedView) -> Action | None:
        if view.step == 0 and view.results[-1:] == [19]:
            view.step = 1
            return Action("seek", 5)
        if view.step == 1 and view.results.count(19) >= 2:
            return Action("quit")
        return None

    sink = Collector()
    view = ScriptedView(script)
    run(SeekableSource(PAIRS), builder(), Settings(workers=2), views=[view], sinks=[sink], hold=True)
    assert sink.results == [*range(20), *range(5, 20)]


def test_no_take_begins_at_the_end_of_a_film() -> None:
    class Switch(Collector):
        def state(self) -> RecorderState:
            return RecorderState()

    def script(view: ScriptedView) -> Action | None:
        if view.step == 0 and view.results[-1:] == [19]:
            view.step = 1
            return None
        if view.step == 1 and any(text.startswith("The end. ") for text in view.messages):
            view.step = 2
            return Action("record")
        return Action("quit") if view.step == 2 and any("Go back first" in text for text in view.messages) else None

    begun: list[Action] = []
    view = ScriptedView(script)
    run(SeekableSource(PAIRS), builder(), Settings(), views=[view], sinks=[Switch()], hold=True,
        handlers={"record": lambda action: begun.append(action) or ""})  # fmt: skip
    assert begun == []


def test_a_source_that_cannot_seek_says_so_and_unknown_actions_too() -> None:
    actions = [Action("seek", 3), Action("fly"), Action("save", 1), Action("preset", "nope"), Action("quit")]
    view = ScriptedView(lambda view: actions.pop(0) if actions and view.states else None)
    handlers = {"save": lambda action: f"saved {action.value}"}
    run(FakeSource(PAIRS), builder(), Settings(), views=[view], hold=True, handlers=handlers)
    said = " ".join(view.messages)
    for words in ("cannot go back", "fly: not possible", "saved 1", "Unknown preset: 'nope'"):
        assert words in said


def test_swap_exchanges_left_and_right() -> None:
    def script(view: ScriptedView) -> Action | None:
        view.step += 1
        if view.step == 1:
            return Action("swap")
        return Action("quit") if view.results[-1:] == [19] else None

    frames: list[Any] = []

    class Pairs(Collector):
        def accept_pair(self, frame: Any) -> None:
            frames.append(frame)

    view = ScriptedView(script)
    run(FakeSource(PAIRS), builder(), Settings(workers=1), views=[view], pair_sinks=[Pairs()], hold=True)
    assert frames[-1].left.image[0, 0, 0] == 119
    assert frames[-1].skew_s == -0.002


def test_swap_is_seen_on_a_pair_that_stands_still_and_on_those_that_wait_behind_it() -> None:
    def script(view: ScriptedView) -> Action | None:
        if view.step == 0 and view.results:
            view.step = 1
            return Action("pause", True)
        if view.step == 1 and view.states and view.states[-1].paused:
            view.step, view.pairs = 2, [len(view.results)]
            return Action("swap")
        if view.step == 2 and left[-1] >= 100:  # the pair that stands still
            view.step = 3
            return Action("pause", False)
        return Action("quit") if view.results[-1:] == [19] else None

    left: list[int] = []

    class Watching(ScriptedView):
        def accept(self, result: Any) -> None:
            left.append(int(result.frame.left.image[0, 0, 0]))
            super().accept(result)

    view = Watching(script)
    run(FakeSource(PAIRS), builder(), Settings(workers=1), views=[view], hold=True)
    turned = next(place for place, value in enumerate(left) if value >= 100)
    assert all(value >= 100 for value in left[turned:]) and left[-1] == 119


def test_swap_is_seen_on_the_last_pair_of_a_film() -> None:
    def script(view: ScriptedView) -> Action | None:
        if view.step == 0 and view.results[-1:] == [19] and any("The end" in said for said in view.messages):
            view.step = 1
            return Action("swap")
        return Action("quit") if view.step == 1 and view.results[-2:] == [19, 19] else None

    view = ScriptedView(script)
    summary = run(FakeSource(PAIRS), builder(), Settings(workers=1), views=[view], hold=True)
    assert summary.pairs == 20 and view.disparities[-1] == 1 + 119 / 16


@pytest.mark.parametrize(
    ("actions", "ends_at"),
    [([Action("step", -1)] * 3, 16), ([Action("seek", number) for number in (3, 9, 4, 6)], 6)],
)
def test_steps_back_add_up_and_the_last_of_many_seeks_counts(actions: list[Action], ends_at: int) -> None:
    waiting = list(actions)

    def script(view: ScriptedView) -> Action | None:
        view.opened += 1  # polls: a run that goes wrong ends too
        if view.opened > 1000:
            return Action("quit")
        if view.step == 0 and sink.results[-1:] == [19] and any(text.startswith("The end. ") for text in view.messages):
            view.step = 1
            return Action("pause", True)
        if view.step == 1 and waiting:
            return waiting.pop(0)
        if view.step == 1 and sink.results[-1] == ends_at:
            view.step = 2
            return Action("step", 1)
        return Action("quit") if view.step == 2 and sink.results[-1] != ends_at else None

    view, sink = ScriptedView(script), Collector()
    run(SeekableSource(PAIRS), builder(), Settings(workers=1), views=[view], sinks=[sink], hold=True)
    assert sink.results[-2:] == [ends_at, ends_at + 1]


def test_what_is_undone_while_it_is_built_does_not_come_back() -> None:
    begun, gate = threading.Event(), threading.Event()

    def build(settings: Settings, frame: Any) -> Pipeline:
        if settings.uniqueness == 20:
            begun.set()
            gate.wait(10)
        built.append(settings)
        return Pipeline(FakeMatcher(), [], RECTIFICATION, settings=settings)

    def script(view: ScriptedView) -> Action | None:
        if view.step == 0:
            view.step = 1
            return Action("set:uniqueness", 20)
        if view.step == 1 and begun.is_set():
            view.step = 2
            return Action("set:uniqueness", None)
        if view.step == 2:
            gate.set()
        undone = [settings.uniqueness for settings in built] == [None, 20, None]
        in_use = view.states[-1].resolved if view.states else None
        return Action("quit") if undone and in_use is built[-1] else None

    built: list[Settings] = []
    view = ScriptedView(script)
    run(FakeSource(PAIRS), build, Settings(workers=1, threads=1), views=[view], hold=True)
    assert view.states[-1].settings.uniqueness is None


def test_a_wrong_number_is_a_message() -> None:
    actions = [Action("step", "x"), Action("seek", 1.5), Action("step", True), Action("seek"), Action("quit")]
    view = ScriptedView(lambda view: actions.pop(0) if actions and view.states else None)
    run(SeekableSource(PAIRS), builder(), Settings(), views=[view], hold=True)
    said = " ".join(view.messages)
    assert said.count("step takes a whole number.") >= 1 and said.count("seek takes a whole number.") >= 1


def test_a_preset_keeps_the_range_that_was_tuned() -> None:
    tuned = Settings(num_disparities=96, max_depth=5.0, colormap="turbo")
    for resolve in (None, lambda name, kept: resolve_settings(name, kept)):
        chosen = changed_settings(Action("preset", "quality"), tuned, Settings(), resolve)
        assert (chosen.preset, chosen.num_disparities, chosen.max_depth) == ("quality", 96, 5.0)
        assert chosen.colormap == "turbo"
    # A range that was made smaller to keep up with the cameras is not the person's.
    slow = Settings(num_disparities=64, keep_up=True, scale=0.5)
    assert changed_settings(Action("preset", "quality"), slow, Settings(), None).num_disparities is None
