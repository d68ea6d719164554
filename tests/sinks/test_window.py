"""The window's behaviour, key by key, on a screen that only remembers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sink_scenes import FakeClock, FakeScreen, make_result

from livestereo.display import Closed
from livestereo.render.compose import Ruler
from livestereo.render.views import VIEWS
from livestereo.settings import Settings
from livestereo.sinks.base import RecorderState, RunState
from livestereo.sinks.snapshot import Snapshots
from livestereo.sinks.window import WindowView
from livestereo.sinks.window_effects import WindowEffects
from livestereo.sinks.window_keys import KEYS, working
from livestereo.sinks.window_scene import length_text, measured_text, readout
from livestereo.sinks.window_state import Measurement, WindowState
from livestereo.types import Action, CaptureStats, Finding, SourceInfo

EVERYTHING = {"tune", "measure", "wls", "temporal", "holes", "record", "swap", "lock_exposure", "step", "effect"}


class Bench:
    """A window with everything fake around it."""

    def __init__(self, can: set[str] | None = None, tmp_path: Path | None = None, **settings: object) -> None:
        self.clock = FakeClock()
        self.screens: list[FakeScreen] = []
        config = tmp_path / "livestereo.toml" if tmp_path else None
        self.state = WindowState(
            Settings(**settings), can=EVERYTHING if can is None else can, clock=self.clock, config_file=config,  # type: ignore[arg-type]
            effects=("fog", "focus"),
        )  # fmt: skip
        self.snapshots = Snapshots(tmp_path / "out") if tmp_path else None
        self.measured: list[Measurement] = []
        self.view = WindowView(
            self.state, open_screen=self._open, clock=self.clock, snapshots=self.snapshots, measure=self._measure,
            effects=WindowEffects(),
        )  # fmt: skip
        self.view.open(SourceInfo("test", True, fps=30))
        self.view.accept(make_result())
        assert self.poll() == []
        self.state.hide_help()
        self.clock.now += 1
        assert self.poll() == []

    def _open(self, title: str, size_wh: tuple[int, int]) -> FakeScreen:
        self.screens.append(FakeScreen(title, (1342, 526)))  # whatever screen the tests run on
        return self.screens[-1]

    def _measure(self, result: object, measurement: Measurement) -> Ruler:
        self.measured.append(measurement)
        return Ruler(measurement.start, measurement.end, ("1.23 m",))

    @property
    def screen(self) -> FakeScreen:
        return self.screens[0]

    def poll(self) -> list[Action]:
        """All actions until the view has no more."""
        found = []
        while (action := self.view.poll()) is not None:
            found.append(action)
        return found

    def press(self, *keys: str) -> list[Action]:
        self.screen.press(*keys)
        self.clock.now += 0.1
        found = self.poll()
        self.clock.now += 0.1
        return found + self.poll()

    def texts(self) -> list[str]:
        return [message.text for message in self.state.messages()]


def test_each_key_of_the_contract_has_a_line_of_help() -> None:
    shown = {key for line in KEYS for key in line.keys}
    contract = set("q0123456789semptwhca[]xkr,.?") - set("89") | {"esc", "space", "tab"}
    assert contract <= shown


@pytest.mark.parametrize(
    ("key", "action"),
    [
        ("q", Action("quit")), ("esc", Action("quit")), ("space", Action("pause")), ("r", Action("record")),
        ("x", Action("swap")), ("k", Action("lock_exposure")), (",", Action("step", -1)), (".", Action("step", 1)),
        ("w", Action("set:wls", True)), ("t", Action("set:temporal", True)), ("h", Action("set:holes", True)),
        ("p", Action("preset", "quality")), ("s", Action("save")),
    ],
)  # fmt: skip
def test_keys_that_reach_the_run(key: str, action: Action) -> None:
    assert Bench().press(key) == [action]


def test_m_goes_through_the_matchers_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.sinks.window_state.sgm_installed", lambda: False)
    bench = Bench()
    assert bench.press("m") == [Action("set:matcher", "bm")]
    assert bench.press("m") == [Action("set:matcher", "sgbm")]


@pytest.mark.parametrize("number", range(8))
def test_views_by_number(number: int) -> None:
    bench = Bench()
    bench.press("1" if number == 0 else "0")
    before = bench.screen.shown[-1]
    assert bench.press(str(number)) == []
    assert bench.state.view == VIEWS[number]
    assert not np.array_equal(bench.screen.shown[-1], before)


def test_colour_keys_change_the_picture_and_say_so() -> None:
    bench = Bench()
    for key in ("c", "]", "[", "}", "a"):
        before = bench.screen.shown[-1]
        assert bench.press(key) == []
        assert not np.array_equal(bench.screen.shown[-1], before), key
        assert bench.texts(), key


def test_the_range_stays_until_somebody_changes_it() -> None:
    bench = Bench()
    fixed = bench.state.depth_range
    bench.view.accept(make_result(depth_m=9.0, seq=1))
    bench.poll()
    assert bench.state.depth_range == fixed
    bench.press("a")
    found = bench.state.depth_range
    assert found is not None and found.near_m < 9.0 < found.far_m
    bench.press("a")
    assert bench.state.depth_range == fixed


def test_range_keys_never_make_an_impossible_range() -> None:
    bench = Bench()
    for key in "[" * 40 + "}" * 40 + "{" * 80 + "]" * 80:
        bench.press(key)
        found = bench.state.depth_range
        assert found is not None and 0 < found.near_m < found.far_m


def test_range_follows_settings_of_interest() -> None:
    bench = Bench(min_depth=0.4, max_depth=3.0)
    assert bench.state.depth_range is not None
    assert (bench.state.depth_range.near_m, bench.state.depth_range.far_m) == (0.4, 3.0)


def test_what_is_not_possible_is_said_and_not_in_the_help() -> None:
    bench = Bench(can=set())
    for key in ("r", "x", "k", "w", "m", "tab", ",", "e"):
        assert bench.press(key) == []
        assert "not possible" in bench.texts()[-1]
    assert {line.command for line in working(set())} == {
        "view", "colormap", "far", "near", "auto_range", "pause", "save", "help", "quit",
    }  # fmt: skip


def test_unknown_keys_do_nothing() -> None:
    bench = Bench()
    before = bench.screen.shown[-1]
    assert bench.press("z", "enter", "up") == []
    assert np.array_equal(bench.screen.shown[-1], before)


def test_help_is_shown_at_the_start_for_a_while_and_by_its_key() -> None:
    bench = Bench()
    plain = bench.screen.shown[-1]
    bench.press("?")
    assert bench.state.help_shown and not np.array_equal(bench.screen.shown[-1], plain)
    assert bench.press("esc") == []  # closes the help, not the program
    assert not bench.state.help_shown
    fresh = WindowState(Settings(), clock=bench.clock)
    assert fresh.help_shown
    bench.clock.now += 60
    assert not fresh.help_shown


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


def test_depth_and_its_sigma_under_the_mouse() -> None:
    result = make_result()
    # σ_Z = Z² σ_d / (f B) = 4 · 0.25 / 30 = 33 mm
    lines, known = readout(result, result.facts(300, 200), 300, 200)
    assert known and lines[0] == "2.000 ± 0.033 m" and "disparity 15.00 ± 0.25 px" in lines
    assert lines[1:3] == ["σ of matching alone", "sure to 80 %"]
    lines, known = readout(result, result.facts(10, 10), 10, 10)
    assert not known and lines[:2] == ["no depth", "hidden from the right camera"]
    unexplained = make_result(explained=False)
    assert readout(unexplained, unexplained.facts(300, 200), 300, 200)[0][0] == "2.00 m"
    relative = make_result(metric=False)
    assert "relative" in readout(relative, relative.facts(300, 200), 300, 200)[0][0]


def test_lengths() -> None:
    assert [length_text(v) for v in (0.0042, 0.05, 0.31, 1.5, 12.34, 250)] == [
        "4.2 mm", "50 mm", "31.0 cm", "1.50 m", "12.3 m", "250 m",
    ]  # fmt: skip
    pairs = ((4.281, 0.265), (2.0, 0.0331), (0.853, 0.0042), (0.0423, 0.0011), (12.0, 3.4), (150.0, 45.0))
    assert [measured_text(*pair) for pair in pairs] == [
        "4.28 ± 0.27 m", "2.000 ± 0.033 m", "85.30 ± 0.42 cm", "42.3 ± 1.1 mm", "12.0 ± 3.4 m", "150 ± 45 m",
    ]  # fmt: skip
    assert measured_text(2.0, float("nan")) == "2.00 m ± ?"


def test_a_message_replaces_the_one_on_the_same_thing() -> None:
    state = WindowState(Settings())
    for text in ("Effect: fog", "Effect: smoke"):
        state.say(text, topic="view")
    state.say("Saved")
    assert [one.text for one in state.messages()] == ["Effect: smoke", "Saved"]


def test_the_pointer_is_drawn_in_both_panes() -> None:
    bench = Bench()
    before = bench.screen.shown[-1].copy()
    bench.screen.mouse("move", 100, 300)
    bench.clock.now += 0.1
    bench.poll()
    bench.clock.now += 0.1
    bench.poll()
    changed = (bench.screen.shown[-1] != before).any(axis=(0, 2))
    assert changed[:640].any() and changed[642:1280].any()


def test_click_measures_a_point_and_drag_a_line() -> None:
    bench = Bench()
    for kind, x, y in (("press", 100, 300), ("release", 101, 300)):
        bench.screen.mouse(kind, x, y)
        bench.poll()
    assert len(bench.state.measurements) == 1
    assert bench.state.measurements[0].start == bench.state.measurements[0].end
    for kind, x, y in (("press", 100, 300), ("move", 150, 320), ("move", 200, 340), ("release", 200, 340)):
        bench.screen.mouse(kind, x, y)
        bench.poll()
    line = bench.state.measurements[1]
    # 320x240 pictures are shown twice as large.
    assert line.end[0] - line.start[0] == pytest.approx(50) and line.end[1] - line.start[1] == pytest.approx(20)
    bench.clock.now += 1
    bench.poll()
    assert line in bench.measured
    bench.press("delete")
    assert bench.state.measurements == []


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


def test_effects_are_gone_through() -> None:
    bench = Bench()
    for wanted in ("fog", "focus", None):
        bench.press("e")
        assert bench.state.effect == wanted
    bench.press("e", "e")
    bench.screen.mouse("press", 600, 300)  # one picture, in the middle
    bench.screen.mouse("release", 600, 300)
    assert bench.poll() == []
    assert any("Focus at 2.00 m" in text for text in bench.texts())
    bench.press("0")
    assert bench.state.effect is None


def test_save_writes_what_is_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path=tmp_path)
    assert bench.press("s") == []
    assert bench.snapshots is not None
    bench.snapshots.close()
    bench.poll()
    kinds = {path.name.split("_", 1)[1] for path in (tmp_path / "out").iterdir()}
    assert kinds == {
        "left.png", "right.png", "depth.png", "depth_mm.png", "disparity.pfm", "cloud.ply", "screen.png",
    }  # fmt: skip
    assert any("Saved 7 files" in text for text in bench.texts())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    bench = Bench(tmp_path=tmp_path)
    bench.press("s")
    assert bench.snapshots is not None
    bench.snapshots.close()
    bench.poll()
    assert any("not a folder" in text for text in bench.texts())


def test_tuning_by_keys(tmp_path: Path) -> None:
    bench = Bench(tmp_path=tmp_path)
    assert bench.press("tab") == []
    assert bench.press("right") == [Action("set:matcher", "bm")]
    assert bench.press("left") == [Action("set:matcher", "sgbm")]
    assert bench.press("down", "right") == [Action("set:mode", "hh")]
    bench.press("tab")
    assert bench.press("down") == []


def test_tuning_by_mouse_sets_drags_resets_and_saves(tmp_path: Path) -> None:
    bench = Bench(tmp_path=tmp_path, mode="hh")
    bench.screen.size_wh = (1280, 1100)
    bench.clock.now += 1
    bench.poll()
    bench.press("tab")
    geometry = bench.state.panel._geometry((1280, 1100), 24)
    rows = dict(geometry.rows)
    from livestereo.parameters import for_matcher

    number = [one.name for one in for_matcher("sgbm")].index("uniqueness")
    rect = rows[number]
    bench.screen.mouse("press", rect.x + rect.w // 2, rect.y + rect.h // 2)
    actions = bench.poll()
    bench.screen.mouse("move", rect.right - 1, rect.y)
    actions += bench.poll()
    bench.screen.mouse("release", rect.right - 1, rect.y)
    bench.screen.mouse("move", rect.x, rect.y)  # no longer dragged
    actions += bench.poll()
    assert [a.name for a in actions] == ["set:uniqueness"] * 2
    assert 20 < actions[0].value < 40 and actions[1].value == 60
    buttons = dict(geometry.buttons)
    bench.screen.mouse("press", buttons["save"].x + 3, buttons["save"].y + 3)
    bench.poll()
    assert bench.press(*"mq-1", "backspace", "2", "enter") == []
    text = (tmp_path / "livestereo.toml").read_text()
    assert "[presets.mq-2]" in text and "uniqueness = 60" in text and 'mode = "hh"' in text
    bench.screen.mouse("press", buttons["reset"].x + 3, buttons["reset"].y + 3)
    assert bench.poll() == [Action("reset")]


def test_a_change_that_breaks_a_rule_is_said_and_changes_nothing() -> None:
    bench = Bench(p1=100, p2=101)
    before = bench.state.settings
    assert bench.state._change("p1", 200, "") == []
    assert bench.state.settings == before
    assert "p1" in bench.texts()[-1]


def test_a_saved_preset_is_one_that_can_be_loaded(tmp_path: Path) -> None:
    from livestereo.settings import resolve_settings

    bench = Bench(tmp_path=tmp_path, uniqueness=12, median=3, scale=0.5)
    bench.state._save_preset("mine")
    loaded = resolve_settings("mine", config_file=tmp_path / "livestereo.toml")
    assert (loaded.uniqueness, loaded.median, loaded.scale) == (12, 3, 0.5)
    assert loaded.speckle_size == bench.state.settings.speckle_size


def test_the_wheel_scrolls_the_panel() -> None:
    bench = Bench()
    bench.press("tab")
    before = bench.screen.shown[-1]
    for _ in range(4):
        bench.screen.mouse("wheel_down", 60, 100)
    bench.poll()
    bench.clock.now += 1
    bench.poll()
    assert not np.array_equal(bench.screen.shown[-1], before)


def test_actions_asked_for_at_once_all_come() -> None:
    bench = Bench()
    assert [a.name for a in bench.press("space", "x", "r")] == ["pause", "swap", "record"]


def test_accepting_draws_nothing() -> None:
    bench = Bench()
    count = len(bench.screen.shown)
    for seq in range(1, 30):
        bench.view.accept(dataclasses.replace(make_result(seq=seq)))
    assert len(bench.screen.shown) == count
    bench.poll()
    assert len(bench.screen.shown) == count + 1  # the newest alone


def test_a_press_or_a_drag_on_the_bar_goes_there() -> None:
    def mouse(kind: str, x: int, y: int, bench: Bench) -> list[Action]:
        bench.screen.mouse(kind, x, y)
        return bench.poll()

    bench = Bench(can={"seek", "measure"})
    bench.state.count = 101
    assert bench.view._layout is not None
    bar = bench.view._layout.bar
    assert bar is not None
    y = bar.y + bar.h // 2
    assert mouse("press", bar.x, y, bench) == [Action("seek", 0)]
    assert mouse("move", bar.x + (bar.w - 1) // 2, y - 50, bench) == [Action("seek", 50)]
    assert mouse("move", bar.right + 500, y, bench) == [Action("seek", 100)]
    assert mouse("release", bar.right, y, bench) == [] and bench.measured == []
    assert mouse("move", bar.x + 5, y, bench) == [], "only while it is pressed"
    other = Bench(can={"measure"})
    other.state.count = 101
    assert mouse("press", bar.x + 5, y, other) == []


def test_a_recording_is_shown_while_it_goes() -> None:
    bench = Bench()
    recorder = RecorderState(True, 12.4, 370, 300, 67 << 20, 8 << 20, 256 << 20, 70, 41.0, {"queue": 2})
    bench.view.tell(RunState(recording_s=12.4, recorder=recorder))
    bench.clock.now += 1
    bench.poll()
    figures = bench.view._maker.figures(bench.view._shown, bench.view._run)
    assert (figures.recording_s, figures.recorded_bytes, figures.minutes_left) == (12.0, 67 << 20, 41.0)
    assert figures.queue_percent == 100 * 8 / 256 and figures.lost == {"queue": 2}
