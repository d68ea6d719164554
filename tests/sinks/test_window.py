"""What the window shows of a run, and when."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sink_scenes import FakeClock, FakeScreen, Later, make_result
from window_bench import Bench

from livestereo.display import Closed
from livestereo.settings import Settings
from livestereo.sinks.base import RecorderState, RunState
from livestereo.sinks.window import WindowView
from livestereo.sinks.window_state import WindowState
from livestereo.types import Action, CaptureStats, Finding, SourceInfo


def test_messages_fade_and_go() -> None:
    bench = Bench()
    bench.state.say("hello")
    assert bench.state.messages()[0].opacity == 1.0
    bench.clock.now += 2.7
    assert 0 < bench.state.messages()[0].opacity < 1.0
    bench.clock.now += 1.0
    assert bench.state.messages() == ()


def test_the_close_button_quits() -> None:
    bench = Bench()
    bench.screen.events.append(Closed())
    assert bench.poll() == [Action("quit")]


def test_a_message_replaces_the_one_on_the_same_thing() -> None:
    state = WindowState(Settings())
    for text in ("Effect: fog", "Effect: smoke"):
        state.say(text, topic="view")
    state.say("Saved")
    assert [one.text for one in state.messages()] == ["Effect: smoke", "Saved"]


def test_the_window_may_be_any_size() -> None:
    bench = Bench()
    for size in ((320, 240), (60, 40), (1, 1), (1920, 1080), (200, 900)):
        bench.screen.size_wh = size
        bench.clock.now += 1
        bench.poll()
        assert bench.screen.shown[-1].shape == (size[1], size[0], 3)


def test_results_of_another_size_are_shown_too() -> None:
    bench = Bench()
    bench.press("7")
    bench.view.accept(make_result(160, 120, seq=1))
    bench.screen.mouse("move", 200, 200)
    bench.poll()
    bench.view.accept(make_result(64, 200, seq=2, turns=1))
    bench.poll()


def test_nothing_is_drawn_when_nothing_changed() -> None:
    bench = Bench()
    bench.clock.now += 10
    bench.poll()
    bench.clock.now += 1
    count = len(bench.screen.shown)
    for _ in range(20):
        bench.clock.now += 0.5
        bench.poll()
    assert len(bench.screen.shown) == count


def test_a_window_is_opened_while_the_first_result_takes_long() -> None:
    clock, screens = FakeClock(), []

    def open_screen(title: str, size_wh: tuple[int, int]) -> FakeScreen:
        screens.append(FakeScreen(title, size_wh))
        return screens[0]

    view = WindowView(WindowState(Settings(), clock=clock), open_screen=open_screen, clock=clock)
    view.open(SourceInfo("slow", True, left_size_wh=(640, 480)))
    assert view.poll() is None and not screens
    clock.now += 1.0
    assert view.poll() is None and screens[0].shown
    screens[0].press("q")
    assert view.poll() == Action("quit")
    view.accept(make_result())
    view.poll()
    assert len(screens) == 1 and len(screens[0].shown) == 2
    view.close()
    view.close()
    assert not screens[0].is_open


def test_what_the_run_tells_is_shown() -> None:
    bench = Bench()
    plain = bench.screen.shown[-1]
    told = RunState(
        settings=Settings(), stats=CaptureStats(fps_left=30, fps_right=29, state_right="stalled", missing_s=3),
        dropped={"busy": 3}, pairs=9, paused=True, recording_s=4.2, messages=("Left and right are exchanged.",),
        findings=(Finding("dark", "The left picture is dark.", "Switch on a light.", 0.7),),
    )  # fmt: skip
    bench.view.tell(told)
    bench.clock.now += 1
    bench.poll()
    assert not np.array_equal(bench.screen.shown[-1], plain)
    assert bench.texts() == ["Left and right are exchanged."]


def test_settings_refused_by_the_run_are_taken_back() -> None:
    bench = Bench()
    running = Settings()
    bench.view.tell(RunState(settings=running))
    bench.press("w")
    assert bench.state.settings.wls
    bench.view.tell(RunState(settings=running))
    assert bench.state.settings.wls  # the new pipeline is still being built
    bench.view.tell(RunState(settings=running, messages=("WLS needs more memory.",)))
    assert not bench.state.settings.wls


def test_accepting_draws_nothing() -> None:
    bench = Bench()
    count = len(bench.screen.shown)
    for seq in range(1, 30):
        bench.view.accept(dataclasses.replace(make_result(seq=seq)))
    assert len(bench.screen.shown) == count
    bench.poll()
    assert len(bench.screen.shown) == count + 1  # the newest alone


@pytest.mark.parametrize(
    ("live", "left", "said"),
    [
        (True, "ok", ""),
        (True, "stalled", "The left camera is stalled."),
        (True, "ended", "The left stream has ended."),
        (False, "ended", ""),
    ],
)
def test_a_film_that_has_ended_is_no_fault_of_a_camera(live: bool, left: str, said: str) -> None:
    bench = Bench()
    bench.view.open(SourceInfo("test", live, fps=30))
    run = RunState(settings=Settings(), stats=CaptureStats(fps_left=30, fps_right=30, state_left=left))
    result = make_result()
    layout = bench.view._maker.layout((640, 480), result, bench.state)
    assert bench.view._maker.scene(layout, result, bench.state, run).banner == said


def test_a_recording_is_shown_while_it_goes() -> None:
    bench = Bench()
    recorder = RecorderState(True, 12.4, 370, 300, 67 << 20, 8 << 20, 256 << 20, 70, 41.0, {"queue": 2})
    bench.view.tell(RunState(recording_s=12.4, recorder=recorder))
    bench.clock.now += 1
    bench.poll()
    figures = bench.view._maker.figures(bench.view._shown, bench.view._run)
    assert (figures.recording_s, figures.recorded_bytes, figures.minutes_left) == (12.0, 67 << 20, 41.0)
    assert figures.queue_percent == 100 * 8 / 256 and figures.lost == {"queue": 2}


def test_a_view_that_explains_every_pixel_holds_nothing_up() -> None:
    later = Later()
    bench = Bench(pool=later)
    bench.press("7")
    first = bench.screen.shown[-1]
    asked = dataclasses.replace(make_result(seq=1), explain=lambda result: result.match)
    bench.view.accept(asked)
    bench.clock.now += 1
    bench.press("?")  # the window lives on
    assert bench.state.help_shown and bench.screen.shown[-1] is first
    bench.press("?")
    for seq in (2, 3):
        later.work()
        bench.clock.now += 1
        bench.poll()
        assert not np.array_equal(bench.screen.shown[-1], first)
        bench.view.accept(make_result(seq=seq))
    bench.press("4")
    shown = bench.screen.shown[-1]
    bench.poll()
    assert bench.view._shown is bench.view._newest and not np.array_equal(shown, first)
