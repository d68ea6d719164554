"""The window's tuning panel, by keys and by mouse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from window_bench import Bench

from livestereo.settings import PRESETS, resolve_settings
from livestereo.types import Action


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


def test_nothing_is_read_under_the_panel() -> None:
    bench = Bench()
    bench.screen.mouse("move", 600, 300)
    bench.poll()
    assert bench.state.mouse == (600, 300)
    bench.press("tab")
    bench.screen.mouse("move", 60, 100)
    bench.poll()
    assert bench.state.mouse is None
    bench.screen.mouse("move", 600, 300)
    bench.poll()
    assert bench.state.mouse == (600, 300)


@pytest.mark.parametrize("start", sorted(PRESETS))
def test_a_saved_preset_leads_to_what_was_tuned_whatever_it_started_from(tmp_path: Path, start: str) -> None:
    file = tmp_path / "livestereo.toml"
    file.write_text("")
    tuned = resolve_settings(start, {"uniqueness": 7, "keep_up": False, "sgm_p2": 40}, file, sgm=True)
    bench = Bench(tmp_path=tmp_path, **tuned.model_dump())
    bench.state._save_preset("mine")
    shown = {"colormap", "range_near", "range_far", "range_auto"}
    loaded = resolve_settings("mine", config_file=file, sgm=True)
    assert loaded.model_dump(exclude={"preset", *shown}) == tuned.model_dump(exclude={"preset", *shown})
    bench.state.automatic = True
    bench.state._save_preset("mine")
    assert resolve_settings("mine", config_file=file, sgm=True).range_auto


def test_what_the_top_of_the_file_takes_from_a_saved_preset_is_said(tmp_path: Path) -> None:
    (tmp_path / "livestereo.toml").write_text("median = 5\nuniqueness = 3\n")
    bench = Bench(tmp_path=tmp_path, uniqueness=12)
    bench.state._save_preset("mine")
    assert "uniqueness" in bench.texts()[-1] and "median" not in bench.texts()[-1]
    (tmp_path / "livestereo.toml").write_text("median = 5\n")
    bench.state._messages.clear()
    bench.state._save_preset("mine")
    assert [text.partition(":")[0] for text in bench.texts()] == ["Saved"]
