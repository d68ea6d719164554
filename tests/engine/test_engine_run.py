"""The running loop: order, newest-wins, failures, stops, what is told."""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from engine_fakes import (
    RECTIFICATION,
    Collector,
    FakeMatcher,
    FakeSource,
    ScriptedView,
    SteeredSource,
    builder,
    pair,
)  # fmt: skip

from calibration.errors import CalibrationError
from livestereo.engine import run
from livestereo.engine_stats import RunSummary
from livestereo.errors import IncompleteSource, SettingsError, SourceError
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.types import Action, Finding, MatchResult, StereoFrame, StereoResult

PAIRS = [pair(i) for i in range(20)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_files_give_every_pair_in_order_whatever_the_workers(workers: int) -> None:
    sink = Collector()
    # Later pairs finish first: a pair waits until its successor has begun, where there is a second worker.
    begun = [threading.Event() for _ in range(len(PAIRS) + 1)]

    def hook(value: int) -> None:
        begun[value].set()
        if workers > 1 and value + 1 < len(PAIRS):
            begun[value + 1].wait(0.05)

    settings = Settings(workers=workers, threads=1)
    summary = run(FakeSource(PAIRS), builder(hook), settings, sinks=[sink], pair_sinks=[sink])
    assert sink.results == sink.pairs == list(range(20))
    assert summary.pairs == 20
    assert summary.dropped == {"camera": 0, "pairing": 0, "busy": 0, "disk": 0}
    assert summary.settings["workers"] == workers
    assert (sink.opened, sink.closed) == (1, 1)
    one = run(FakeSource(PAIRS), builder(), Settings(workers=1, threads=1))
    assert summary.disparity_sha256 == one.disparity_sha256


def test_the_fingerprint_tells_order_and_content_apart() -> None:
    settings = Settings(workers=2, threads=1)
    whole = run(FakeSource(PAIRS), builder(), settings).disparity_sha256
    swapped = run(FakeSource([PAIRS[1], PAIRS[0], *PAIRS[2:]]), builder(), settings).disparity_sha256
    shorter = run(FakeSource(PAIRS[:-1]), builder(), settings).disparity_sha256
    assert len({whole, swapped, shorter}) == 3


def test_live_the_newest_wins_and_the_rest_is_counted() -> None:
    lost = "left camera lost: nothing for 3.0 s"
    source = SteeredSource([pair(k, gap=lost if k == 5 else None) for k in range(10)])
    sink = Collector()
    inside, go_on = threading.Event(), threading.Event()
    warm: list[int] = []
    told: list[str] = []

    def hook(value: int) -> None:
        if value == 1 and not inside.is_set():
            inside.set()
            go_on.wait(5)
        if value == 0:
            warm.append(value)

    view = ScriptedView(lambda view: None)

    def script(view: ScriptedView) -> Action | None:
        if view.step == 0 and warm and view.states and view.states[-1].resolved is not None:
            source.give(1)  # the pipeline stands: pair 1 goes into work
            view.step = 1
        elif view.step == 1 and inside.is_set():
            source.give(8)  # 2 … 9 arrive while pair 1 is matched
            view.step = 2
        elif view.step == 2 and source.at == 10 and sink.pairs and sink.pairs[-1] == 9:
            damage = "Right camera sends damaged pictures."
            source.info = dataclasses.replace(source.info, notes=("Exposure is locked.", damage), faults=(damage,))
            view.step = 3
        elif view.step == 3 and "Right camera sends damaged pictures." in told:
            go_on.set()
            source.finish()
            view.step = 4
        return None

    view.script = script
    source.give(1)  # pair 0 is only for the warm-up
    settings = Settings(workers=1, threads=1)
    summary = run(source, builder(hook), settings, views=[view], sinks=[sink], pair_sinks=[sink], tell=told.append)
    assert sink.pairs == list(range(10)), "a pair sink sees every pair"
    assert sink.results == [1, 9], "of those that came meanwhile only the newest is matched"
    assert summary.dropped["busy"] == 7
    assert told.count(f"A gap: {lost}.") == 1, "the gap before a pair that was passed over"
    assert told.count("Right camera sends damaged pictures.") == 1
    assert set(summary.warnings) == {f"A gap: {lost}.", "Right camera sends damaged pictures."}, "for scripts"
    assert summary.pairs + summary.dropped["busy"] + 1 == len(sink.pairs)


class Recaller:
    """A stateful filter that notes the order in which it sees pairs, and resets."""

    stateful = True

    def __init__(self) -> None:
        self.seen: list[float] = []

    def apply(self, match: MatchResult, guide_gray: Any) -> MatchResult:
        self.seen.append(float(match.disparity_px[0, 0]))
        return MatchResult(match.disparity_px + np.float32(len(self.seen)))

    def reset(self) -> None:
        self.seen.append(-1.0)


def test_filters_that_remember_run_once_in_order_and_forget_at_a_gap() -> None:
    made: list[Recaller] = []

    def build(settings: Settings, frame: Any) -> Pipeline:
        made.append(Recaller())
        return Pipeline(FakeMatcher(), [made[-1]], RECTIFICATION, settings=settings)

    pairs = [pair(0), pair(16), pair(32, gap="camera"), pair(48)]
    sink = Collector()
    run(FakeSource(pairs), build, Settings(workers=3, threads=1), sinks=[sink])
    assert len(made) == 3
    # The warm-up sees the first pair and is forgotten; then every pair in order, by the first worker's filter alone.
    assert made[0].seen == [1.0, -1.0, 1.0, 2.0, -1.0, 3.0, 4.0]
    assert made[1].seen == made[2].seen == [1.0, -1.0]


@pytest.mark.parametrize("error", [ValueError("boom"), SettingsError("no", "do")])
def test_a_failure_in_a_worker_is_raised_with_what_was_done(error: Exception) -> None:
    def hook(value: int) -> None:
        if value == 7:
            raise error

    sink = Collector()
    told: list[RunSummary] = []
    with pytest.raises(type(error)) as caught:
        run(FakeSource(PAIRS), builder(hook), Settings(workers=1, threads=1), sinks=[sink], on_summary=told.append)
    assert caught.value is error
    assert any(entry.name == "hook" for entry in caught.traceback), "the cause can be traced to its line"
    assert sink.results == list(range(7))
    assert told[0].pairs == 7
    assert sink.closed == 1
    if isinstance(error, SettingsError):
        assert error.details["pairs"] == 7


def test_a_source_that_ends_early_keeps_its_pairs_then_tells() -> None:
    ending = IncompleteSource("right.mp4 ends after 20 pairs.", "Check it.")
    sink = Collector()
    with pytest.raises(IncompleteSource) as caught:
        run(FakeSource(PAIRS, ending=ending), builder(), Settings(workers=2, threads=1), sinks=[sink])
    assert sink.results == list(range(20))
    assert caught.value.details["pairs"] == 20
    assert caught.value.details["disparity_sha256"]


def test_a_source_that_fails_is_raised() -> None:
    with pytest.raises(SourceError, match="gone"):
        run(FakeSource(PAIRS[:3], ending=SourceError("gone")), builder(), Settings(workers=1, threads=1))


def test_no_pairs_at_all_is_an_empty_summary() -> None:
    summary = run(FakeSource([]), builder(), Settings(workers=1, threads=1))
    assert summary.pairs == 0
    assert summary.as_json()["findings"] == []


def test_what_cannot_be_built_is_raised_and_the_sinks_are_closed() -> None:
    def build(settings: Settings, frame: Any) -> Pipeline:
        raise SettingsError("too wide")

    sink = Collector()
    with pytest.raises(SettingsError, match="too wide"):
        run(FakeSource(PAIRS), build, Settings(), sinks=[sink])
    assert sink.closed == 1


def test_what_a_camera_does_not_show_at_first_later_pairs_may_tell() -> None:
    source = SteeredSource([pair(k) for k in range(4)])
    usual = builder()
    tried: list[int] = []

    def build(settings: Settings, frame: StereoFrame) -> Pipeline:
        tried.append(frame.seq)
        source.give()  # the next pair comes while this one is looked at
        if frame.seq < 2:
            raise CalibrationError("Only 0 points could be matched.")
        source.finish()
        return usual(settings, frame)

    source.give()
    run(source, build, Settings(workers=1, threads=1))
    assert tried == [0, 1, 2]


def test_a_camera_that_never_shows_it_is_told() -> None:
    source = SteeredSource([pair(k) for k in range(2)])

    def build(settings: Settings, frame: StereoFrame) -> Pipeline:
        source.give()
        if frame.seq == 1:
            source.finish()
        raise CalibrationError(f"Pair {frame.seq} tells nothing.")

    source.give()
    with pytest.raises(CalibrationError, match="Pair 1"):
        run(source, build, Settings(workers=1, threads=1))


def test_a_sink_that_cannot_open_closes_the_others() -> None:
    class Closed(Collector):
        def open(self, info: Any) -> None:
            raise PermissionError(13, "no", "take")

    good = Collector()
    with pytest.raises(PermissionError):
        run(FakeSource(PAIRS), builder(), Settings(), sinks=[good, Closed()])
    assert good.closed == 1


def test_frames_limits_what_is_read_from_files_and_what_is_shown_live() -> None:
    sink = Collector()
    assert run(FakeSource(PAIRS), builder(), Settings(workers=2), pair_sinks=[sink], frames=6).pairs == 6
    assert sink.pairs == list(range(6)), "a recorder gets exactly the pairs that were asked for"
    live = SteeredSource([pair(i % 200) for i in range(1000)])
    live.give(1)
    done = Collector()

    def script(view: ScriptedView) -> Action | None:
        if view.states and view.states[-1].resolved is not None and live.at == live._allowed:
            live.give(1)  # one by one: the next when the last was read
        return None

    view = ScriptedView(script)
    assert run(live, builder(), Settings(workers=1), views=[view], sinks=[done], frames=4).pairs == 4
    assert len(done.results) == 4


def test_observers_find_and_views_and_summary_tell() -> None:
    class Watch:
        def observe(self, frame: Any, result: StereoResult, stats: Any) -> list[Finding]:
            return [Finding("dark", "Too dark.", severity=0.5), Finding("blur", "Blurred.", severity=0.9),
                    Finding("skew", "fine", ok=True)]  # fmt: skip

    summary = run(FakeSource(PAIRS[:2]), builder(), Settings(), observers=[Watch()])
    assert [f.check for f in summary.findings] == ["blur", "dark"], "worst first, what is well is left out"
    assert summary.as_json()["findings"][0] == {"check": "blur", "what": "Blurred."}


def test_of_two_that_find_the_same_the_surer_one_speaks_and_figures_reach_the_views() -> None:
    class Watch:
        def __init__(self, what: str, severity: float, figures: dict[str, float]) -> None:
            self.finding = Finding("vertical", what, severity=severity)
            self.figures = figures

        def observe(self, *_: object) -> list[Finding]:
            return [self.finding]

    def script(view: ScriptedView) -> Action | None:
        return Action("quit") if any(state.vertical_px == 0.25 for state in view.states) else None

    watches = [Watch("sure", 0.9, {"vertical_px": 0.25}), Watch("less so", 0.5, {})]
    view = ScriptedView(script)
    summary = run(FakeSource(PAIRS), builder(), Settings(), observers=watches, views=[view], hold=True)
    assert [finding.what for finding in view.states[-1].findings] == ["sure"]
    assert [finding.what for finding in summary.findings] == ["sure"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drains_and_gives_the_summary(number: int) -> None:
    class Interrupting(Collector):
        def accept(self, result: StereoResult) -> None:
            super().accept(result)
            if len(self.results) == 3:
                os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    sink = Interrupting()
    endless = [pair(i % 200) for i in range(5000)]
    summary = run(FakeSource(endless), builder(), Settings(workers=2), sinks=[sink])
    assert 3 <= summary.pairs == len(sink.results) < 5000
    assert sink.closed == 1
    assert signal.getsignal(number) is before


def test_a_second_signal_leaves_at_once_with_130() -> None:
    code = """
import os, signal, sys
sys.path.insert(0, "tests/engine")
from engine_fakes import *
from livestereo.engine import run
class Twice(Collector):
    def accept(self, result):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.2)  # two at the same instant are one to the system
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)
run(FakeSource([pair(i) for i in range(50)]), builder(), Settings(workers=1), sinks=[Twice()])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert done.returncode in (130, -signal.SIGINT), done.stderr  # ours, or Python's own way to end on Ctrl-C


def test_only_a_few_results_are_alive_at_any_time() -> None:
    def count() -> int:
        gc.collect()
        return sum(isinstance(one, StereoResult) for one in gc.get_objects())

    alive: list[int] = []
    before = count()  # other tests keep some

    class Counting(Collector):
        def accept(self, result: StereoResult) -> None:
            if result.frame.seq % 50 == 49:
                alive.append(count() - before)

    many = [pair(i) for i in range(300)]
    run(FakeSource(many), builder(), Settings(workers=2, threads=1), sinks=[Counting()])
    # Four in work or done and waiting; one in hand of each worker, the main thread, the observers and the views.
    assert max(alive) <= 10
