"""What each key of the window does, on a screen that only remembers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sink_scenes import make_result
from window_bench import EVERYTHING, Bench

from livestereo.parameters import MATCHER_NAMES
from livestereo.render import cards
from livestereo.render.views import VIEWS
from livestereo.settings import Settings
from livestereo.sinks.base import RunState
from livestereo.sinks.window_keys import KEYS, SHORT, working
from livestereo.sinks.window_scene import SceneMaker, help_groups
from livestereo.sinks.window_state import WindowState
from livestereo.types import Action


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


def test_m_goes_in_the_order_of_the_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.sinks.window_state.sgm_installed", lambda: True)
    bench = Bench()
    assert [bench.press("m")[0].value for _ in MATCHER_NAMES] == [*MATCHER_NAMES[1:], MATCHER_NAMES[0]]


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


@pytest.mark.parametrize(("metric", "unit"), [(True, " m"), (False, " (relative)")])
def test_the_range_is_told_in_metres_only_where_depth_is_metric(metric: bool, unit: str) -> None:
    bench = Bench()
    bench.view.accept(make_result(seq=1, metric=metric))
    bench.poll()
    bench.press("]")
    assert bench.texts()[-1].endswith(unit)


@pytest.mark.parametrize("key", [",", ".", "m"])
def test_a_refusal_names_the_key_that_was_pressed(key: str) -> None:
    bench = Bench(can=set())
    bench.press(key)
    assert bench.texts()[-1].startswith(f"Key {key}: ")


def test_half_size_is_a_figure_of_its_own() -> None:
    for scale in (0.5, 1.0):
        figures = SceneMaker(live=True).figures(make_result(), RunState(settings=Settings(scale=scale)))
        assert figures.half_size == (scale < 1) != ("full size" in figures.note)


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


@pytest.mark.parametrize("can", [EVERYTHING, {"tune", "measure", "step", "seek", "effect"}])
def test_the_help_of_the_smallest_window_cuts_no_text_short(can: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str]] = []

    def kept(text: str, *rest: int) -> str:
        drawn.append((text, real(text, *rest)))
        return drawn[-1][1]

    real = cards.ellipsis
    monkeypatch.setattr(cards, "ellipsis", kept)
    canvas = np.zeros((240, 320, 3), np.uint8)
    cards.draw_help(canvas, "livestereo", help_groups(WindowState(Settings(), can=can)), short=SHORT)
    assert len(drawn) == len(working(can))
    assert [wanted for wanted, shown in drawn if wanted != shown] == []
    assert set(SHORT) <= {line.text for line in KEYS}


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


def test_actions_asked_for_at_once_all_come() -> None:
    bench = Bench()
    assert [a.name for a in bench.press("space", "x", "r")] == ["pause", "swap", "record"]
