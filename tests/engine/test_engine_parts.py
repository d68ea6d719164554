"""The parts of a run: plan, keeping up, percentiles, what actions do to settings."""

from __future__ import annotations

import random
import signal
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine_fakes import RECTIFICATION, FakeMatcher, ScriptedView, SteeredSource, pair

from livestereo.engine import run
from livestereo.engine_actions import changed_settings
from livestereo.engine_plan import Plan, brisk_switching, keeps_up, make_plan, smaller_choices, views_per_s
from livestereo.engine_stats import Sample
from livestereo.engine_stop import stopping_signals
from livestereo.errors import SettingsError
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.timing import percentile
from livestereo.types import Action, CaptureStats, MatchResult, SourceInfo


def test_files_get_a_worker_for_each_core_and_live_one_pair_at_a_time() -> None:
    three_way, paths = Settings(mode="3way"), Settings(mode="hh")
    assert make_plan(three_way, live=False, cores=4) == Plan(4, 1)
    assert make_plan(three_way, live=True, cores=2) == Plan(1, 2)
    assert make_plan(three_way, live=True, cores=8) == Plan(2, 4), "3way has four stripes: more threads gain nothing"
    assert make_plan(paths, live=True, cores=2) == Plan(2, 1), "hh takes one thread whatever it is given"
    assert make_plan(Settings(matcher="sgm"), live=True, cores=2) == Plan(2, 1)
    assert make_plan(three_way.changed(workers=3, threads=2), live=False, cores=2) == Plan(3, 2)
    assert make_plan(three_way, live=True, cores=1) == Plan(1, 1)


def test_keeping_up_leaves_a_quarter_for_the_rest() -> None:
    assert keeps_up(0.024, Plan(1, 2), 30)
    assert not keeps_up(0.027, Plan(1, 2), 30)
    assert keeps_up(0.049, Plan(2, 1), 30)


def test_percentiles_of_a_long_run_stay_right_in_bounded_memory() -> None:
    values = [random.Random(0).gauss(50, 10) for _ in range(1)]
    rng = random.Random(1)
    sample, values = Sample(), []
    for _ in range(30_000):
        value = rng.gauss(50, 10)
        sample.add(value)
        values.append(value)
    assert len(sample) == 30_000
    assert len(sample._kept) <= Sample.LIMIT
    assert sample.maximum == max(values)
    assert sample.mean == pytest.approx(sum(values) / len(values))
    # The middle of 3750 or more evenly spaced draws: standard error 1.25 · 10 / √3750 = 0.2.
    assert sample.percentile(50) == pytest.approx(percentile(values, 50), abs=0.8)
    assert sample.percentile(95) == pytest.approx(percentile(values, 95), abs=1.5)


def test_few_values_are_exact_and_nan_is_left_out() -> None:
    sample = Sample()
    assert np.isnan(sample.percentile(50))
    for value in (3.0, float("nan"), 1.0, 2.0):
        sample.add(value)
    assert (sample.percentile(50), sample.maximum, len(sample)) == (2.0, 3.0, 3)


def test_actions_change_settings() -> None:
    start = Settings(num_disparities=64)

    def after(action: Action, now: Settings = start) -> Settings:
        return changed_settings(action, now, start, None)

    assert after(Action("set:median", 3)).median == 3
    assert after(Action("toggle:wls")).wls is True
    assert after(Action("settings", {"p1": 10, "p2": 20})).p2 == 20
    assert after(Action("preset", "quality")).num_disparities == 64, "the range of the rig stays"
    assert after(Action("preset")).preset == "quality", "None is the next"
    assert after(Action("matcher")).matcher == "bm"
    assert after(Action("reset"), start.changed(wls=True)) == start
    assert after(Action("set:scale", 0.5), start.changed(keep_up=True)).keep_up is False, "who sets it means it"
    for wrong in (Action("set:median", 4), Action("set:speed", 1), Action("settings", {"p1": 9, "p2": 3})):
        with pytest.raises(SettingsError):
            after(wrong)


def test_smaller_choices_halve_then_narrow_unless_the_range_was_asked_for() -> None:
    pipeline = Pipeline(FakeMatcher(), [], RECTIFICATION, settings=Settings(num_disparities=256))
    choices = [settings for settings, _ in smaller_choices(Settings(), pipeline)]
    assert [(s.scale, s.num_disparities) for s in choices] == [(0.5, None), (0.5, 192), (0.5, 128)]
    asked = [settings for settings, _ in smaller_choices(Settings(num_disparities=256), pipeline)]
    assert [(s.scale, s.num_disparities) for s in asked] == [(0.5, 256)]


class _SlowMatcher:
    """Takes time on a clock of the test: in proportion to the disparities."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self.clock, self.seconds = clock, seconds

    def compute(self, left_gray: Any, right_gray: Any) -> MatchResult:
        self.clock[0] += self.seconds
        return MatchResult(np.full(left_gray.shape, 2, np.float32))


@pytest.mark.parametrize(
    ("full_s", "half_s", "scale", "count"),
    [(0.020, 0.005, 1.0, 256), (0.060, 0.015, 0.5, 256), (0.400, 0.030, 0.5, 192), (0.4, 0.2, 0.5, 128)],
)
def test_balanced_live_goes_to_half_size_where_it_must(full_s: float, half_s: float, scale: float, count: int) -> None:
    clock = [0.0]

    def build(settings: Settings, frame: Any) -> Pipeline:
        number = settings.num_disparities or 256
        seconds = full_s if settings.scale == 1 else half_s * number / 256
        resolved = settings.changed(num_disparities=number)
        return Pipeline(_SlowMatcher(clock, seconds), [], RECTIFICATION, scale=settings.scale, settings=resolved)

    source = SteeredSource([pair(i) for i in range(3)])
    source.info = replace(source.info, fps=30.0)
    source.give(1)
    view = ScriptedView(lambda view: Action("quit") if view.states and view.states[-1].resolved else None)
    settings = Settings(keep_up=True, workers=1, threads=1)
    summary = run(source, build, settings, views=[view], clock=lambda: clock[0])
    assert (summary.settings["scale"], summary.settings["num_disparities"]) == (scale, count)
    assert any("half size" in warning for warning in summary.warnings) == (scale == 0.5)


@pytest.mark.parametrize(
    ("live", "fps", "pace", "rate"),
    [
        (True, 30.0, None, 60), (False, 30.0, None, 30), (False, 30.0, 1.0, 60), (False, 5.0, None, 25),
        (False, 240.0, None, 60), (False, None, None, 60),
    ],
)  # fmt: skip
def test_a_film_is_shown_at_its_own_rate_at_most(live: bool, fps: float | None, pace: float | None, rate: int) -> None:
    assert views_per_s(SourceInfo("any", live, fps=fps), pace) == rate


def test_what_was_built_late_is_told_at_once() -> None:
    """However little time has passed since the views were told last: here the clock stands still."""
    told = threading.Event()

    def build(settings: Settings, frame: Any) -> Pipeline:
        assert told.wait(60)
        return Pipeline(_SlowMatcher([0.0], 0.0), [], RECTIFICATION, settings=settings)

    def quit_when_resolved(view: ScriptedView) -> Action | None:
        if view.states:
            told.set()
        return Action("quit") if view.states and view.states[-1].resolved else None

    source = SteeredSource([pair(i) for i in range(3)])
    source.give(1)
    run(source, build, Settings(workers=1, threads=1), views=[ScriptedView(quit_when_resolved)], clock=lambda: 0.0)


def test_who_stops_the_run_stops_what_stands_around_it() -> None:
    with stopping_signals() as outer:
        with stopping_signals() as inner:
            signal.raise_signal(signal.SIGINT)
            assert inner.stop and not outer.stop
        assert outer.stop and not outer.leave
    with stopping_signals() as outer:
        with stopping_signals():
            pass
        assert not outer.stop


def test_threads_hand_over_sooner_only_while_a_run_lasts() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(RuntimeError), brisk_switching():
        assert sys.getswitchinterval() <= 0.001
        raise RuntimeError
    assert sys.getswitchinterval() == before


def test_the_rate_of_cameras_that_tell_none_comes_from_their_first_pictures() -> None:
    """At 5 pairs per second there is time for full size, whatever 30 would need."""
    clock = [0.0]

    class Slow(SteeredSource):
        def stats(self) -> CaptureStats:
            return CaptureStats(offered=2 * self.at, paired=self.at, fps_left=5.0, fps_right=5.0)

    def build(settings: Settings, frame: Any) -> Pipeline:
        return Pipeline(_SlowMatcher(clock, 0.060), [], RECTIFICATION, scale=settings.scale, settings=settings)

    source = Slow([pair(i) for i in range(6)])
    source.info = replace(source.info, fps=None)
    source.give(6)
    view = ScriptedView(lambda view: Action("quit") if view.states and view.states[-1].resolved else None)
    summary = run(source, build, Settings(keep_up=True, workers=1, threads=1), views=[view], clock=lambda: clock[0])
    assert summary.settings["scale"] == 1 and not summary.warnings
