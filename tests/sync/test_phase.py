"""The strategy of the phase search, and its watch, without cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic.start_delay import search_once

from livestereo.errors import NoFrameYet
from livestereo.phase import Aim, PhaseReading, fold
from livestereo.sources.demo.faults import Faults
from livestereo.sources.demo.feed import Feed
from livestereo.sources.demo.timeline import Timeline
from livestereo.sync.phase import Opening, PhaseSearch, lost_in_s, predictive
from livestereo.sync.phased import PhaseKeeper, settle

T = 1 / 30
READING = PhaseReading(0.010, 0.0002, 0.0, 1e-6, T, 3.0, 0.005, 0.0)


def share_within(count: int, most: int, *, jitter_s: float = 0.002, **how) -> float:
    rng = np.random.default_rng(4)
    trials = [search_once(rng, jitter_s=jitter_s, **how) for _ in range(count)]
    return float(np.mean([ok and openings <= most and abs(true) <= 0.004 for openings, ok, true in trials]))


@pytest.mark.parametrize("jitter_s", [0.002, 0.005])
def test_a_start_delay_that_repeats_is_learnt(jitter_s: float) -> None:
    # 1000 trials of the benchmark give 0.979 and 0.973; 60 of them scatter by 0.02.
    assert share_within(60, 4, jitter_s=jitter_s, start_s=0.003) >= 0.92


def test_a_start_delay_by_chance_is_tried_until_it_fits() -> None:
    # At best 1 − (1 − 8/33.3)^12 = 0.963; 60 trials scatter by 0.025.
    assert share_within(60, 12, start_s=None) >= 0.88


def test_the_bell_of_start_delays_is_found_across_the_seam() -> None:
    delays = [0.0330, 0.0005, 0.0002, 0.0328]
    likely = predictive(delays, T)
    assert abs(likely.sum() - 1) < 1e-6
    best = np.argmax(likely) / len(likely) * T
    assert abs(fold(best, T)) < 0.001


def test_near_the_bound_it_measures_on() -> None:
    search = PhaseSearch(0.004)
    assert search.judge(replace(READING, phase_s=0.0041)).action == "measure"
    assert search.judge(replace(READING, phase_s=0.0041, sigma_s=1e-5)).action == "reopen"
    assert search.judge(replace(READING, phase_s=-0.002)).action == "accept"
    assert search.judge(replace(READING, phase_s=-0.002, measured_s=0.5)).action == "measure"


def test_what_cannot_be_told_from_the_bound_is_taken_only_if_it_is_likely_inside() -> None:
    long = replace(READING, measured_s=100.0, sigma_s=0.0003)
    assert PhaseSearch(0.004).judge(replace(long, phase_s=0.0035)).action == "accept"
    assert PhaseSearch(0.004).judge(replace(long, phase_s=0.0039)).action == "reopen"


def test_a_camera_whose_phase_stays_is_given_up() -> None:
    search = PhaseSearch(0.004)
    steps = [search.judge(replace(READING, begin_phase_s=0.007 * k)) for k in range(4)]
    assert [step.action for step in steps] == ["reopen"] * 3 + ["give up"]
    assert "does not change its phase" in steps[-1].why


def test_the_search_has_a_limit() -> None:
    search = PhaseSearch(0.001, most_openings=4)
    rng = np.random.default_rng(1)
    steps = [search.judge(replace(READING, phase_s=rng.uniform(0.003, 0.016))) for _ in range(4)]
    assert [step.action for step in steps] == ["reopen"] * 3 + ["give up"]
    assert len(search.openings) == 4
    assert search.openings[0] == Opening(0.005, search.openings[0].phase_s)


def test_drift_foretells_when_the_bound_is_lost() -> None:
    drifting = replace(READING, phase_s=0.001, drift=5e-3 / 60, drift_sigma=1e-6)
    assert abs(lost_in_s(drifting, 0.004) - 36) < 1e-6
    assert lost_in_s(replace(drifting, drift_sigma=1e-3), 0.004) == float("inf")
    assert abs(lost_in_s(replace(drifting, drift=-5e-3 / 60), 0.004) - 60) < 1e-6


class Fake:
    """A live source with a phase that the test sets; opening it again takes the next of `phases`."""

    def __init__(self, phases: list[float]) -> None:
        self.phases = phases
        self.now = 0.0
        self.opened = 0
        self.drift = 0.0

    def read(self, timeout_s: float) -> None:
        self.now += timeout_s
        raise NoFrameYet("none")

    def reopen(self, side: str, pause_s: float = 0.0, aim: Aim | None = None) -> None:
        assert side == "right" and aim is not None
        self.opened += 1
        self.phases.pop(0)

    def phase(self, side: str) -> PhaseReading | None:
        return replace(READING, phase_s=self.phases[0] + self.drift * self.now, begin_phase_s=0.003 * self.opened)


def keeper_of(fake: Fake, told: list[str]) -> PhaseKeeper:
    return PhaseKeeper(fake, PhaseSearch(0.004), told.append, clock=lambda: fake.now)  # type: ignore[arg-type]


def test_the_keeper_opens_again_until_it_fits_and_says_so() -> None:
    fake, told = Fake([0.010, -0.012, 0.002]), []
    keeper = keeper_of(fake, told)
    settle(keeper, fake)  # type: ignore[arg-type]
    assert keeper.reached and fake.opened == 2
    assert "after 3 openings" in told[-1]


def test_no_camera_is_opened_again_while_recording() -> None:
    fake, told = Fake([0.001, 0.0]), []
    keeper = keeper_of(fake, told)
    settle(keeper, fake)  # type: ignore[arg-type]
    keeper.hold = lambda: True
    fake.phases[0] = 0.009
    for _ in range(3):
        fake.now += 6
        keeper.step()
    assert fake.opened == 0
    assert sum("while recording" in text for text in told) == 1
    keeper.hold = lambda: False
    fake.now += 6
    keeper.step()
    fake.now += 6
    keeper.step()
    assert fake.opened == 1


def test_a_source_without_a_phase_ends_the_search() -> None:
    fake, told = Fake([0.01]), []
    fake.phase = lambda side: None  # type: ignore[method-assign,assignment]
    keeper = keeper_of(fake, told)
    settle(keeper, fake)  # type: ignore[arg-type]
    assert not keeper.reached
    assert "given up" in told[-1]


def test_an_aim_is_met_after_the_pause() -> None:
    aim = Aim(anchor_s=10.0, period_s=0.5)
    assert abs(aim.wait_s(12.1, 0.3) - 0.4) < 1e-9
    assert abs(aim.wait_s(12.1, 0.0) - 0.4) < 1e-9
    assert abs(aim.wait_s(9.0, 0.2) - 0.5) < 1e-9


def test_the_demo_takes_a_new_phase_from_the_moment_of_opening() -> None:
    faults = Faults(phase_s=0.011, jitter_s=0.001, live=True, drift=5e-3 / 60)
    feed = Feed(Timeline(faults, 30.0, seed=3))
    for _ in range(150):
        feed.next()
    before = feed.phase(1, 0.0)
    assert before is not None and abs(before.phase_s - 0.0113) < 0.001
    begin = []
    for late_s in (0.30, 0.31):
        opened_s = round(feed.now_s * 30) / 30 + late_s
        feed.reopen(1, opened_s)
        assert feed.phase(1, opened_s) is None
        gaps = [feed.next().gap for _ in range(150)]
        assert sum(gap is not None and "right camera opened again" in gap for gap in gaps) == 1
        reading = feed.phase(1, opened_s)
        assert reading is not None
        begin.append(fold(reading.phase_s - reading.begin_phase_s, T))
    # The start delay repeats: 0.35 s with 3 ms of spread, so two differ by less than four spreads.
    assert abs(fold(begin[0] - begin[1], T)) < 4 * 0.003 * 2**0.5
    assert feed.reconnects == 0
