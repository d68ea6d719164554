from __future__ import annotations

import numpy as np
import pytest
from synthetic.free_running import make_stream

from livestereo.clock import CameraClock, first_grid


def estimates(stamps, fps=None):
    clock = CameraClock(fps)
    return clock, np.array([clock.tick(float(s)).t_s for s in stamps])


def test_jitter_of_five_milliseconds_shrinks_below_a_third() -> None:
    stream = make_stream(np.random.default_rng(1), 30.0, 3000, 2.0)
    clock, t_s = estimates(stream.stamp_s, 30.0)
    error = t_s - stream.exposed_s - 0.02  # the mean latency cannot be seen, and is equal on both sides
    assert abs(clock.jitter_s - 0.005) < 0.0005
    # 5 ms / sqrt(1000) = 0.16 ms, twice that for an unknown period
    assert np.median(np.abs(error[1000:])) < 0.0004


@pytest.mark.parametrize("fps", [15.0, 24.0, 25.0, 30.0, 60.0])
def test_rate_is_found_without_being_told(fps: float) -> None:
    jitter_s = min(0.005, 0.1 / fps)
    stream = make_stream(np.random.default_rng(2), fps, 400, 0.0, jitter_s=jitter_s)
    clock, _ = estimates(stream.stamp_s)
    assert abs(clock.period_s * fps - 1) < 2e-4


def test_crystal_drift_is_followed() -> None:
    stream = make_stream(np.random.default_rng(3), 30.0, 6000, 0.0, ppm=83.0)  # 5 ms per minute
    clock, t_s = estimates(stream.stamp_s, 30.0)
    assert abs((clock.period_s * 30 - 1) * 1e6 - 83) < 10
    assert np.abs(t_s - stream.exposed_s - 0.02)[3000:].mean() < 0.0006


@pytest.mark.parametrize("seed", [4769, 7968, 10303])
def test_a_wrong_first_guess_is_given_up(seed: int) -> None:
    # With these seeds the first twenty stamps look like those of a faster camera that loses frames.
    period_s = 1 / 30
    stamps = np.arange(600) * period_s + np.random.default_rng(seed).normal(0, 0.005, 600)
    assert abs(first_grid(stamps[:20].tolist(), period_s)[0] / period_s - 1) > 0.04
    clock, _ = estimates(stamps, 30.0)
    # A fit to 500 stamps or more with 5 ms of jitter knows the period to 5 ms·√12/500^1.5 = 1.5 µs.
    assert abs(clock.period_s - period_s) < 6e-6
    assert clock.restarts >= 1


def test_a_camera_that_is_opened_again_keeps_its_crystal() -> None:
    rng = np.random.default_rng(5)
    period_s = (1 + 90e-6) / 30
    before, _ = estimates(np.arange(3000) * period_s + rng.normal(0, 0.002, 3000), 30.0)
    stamps = 200 + np.arange(90) * period_s + rng.normal(0, 0.002, 90)
    anew, again = CameraClock(30.0), CameraClock(30.0, before)
    for stamp in stamps:
        anew.tick(float(stamp))
        again.tick(float(stamp))
    assert abs(again.period_s / period_s - 1) < 10e-6 < abs(anew.period_s / period_s - 1)
    assert again.sigma_s < anew.sigma_s


def test_lost_frames_leave_gaps_in_the_numbers() -> None:
    stamps = [k / 30 for k in range(200) if k not in (100, 101, 150)]
    clock = CameraClock(30.0)
    numbers = [clock.tick(s).index for s in stamps]
    assert numbers[-1] - numbers[0] == 199
    assert numbers[100] - numbers[99] == 3


def test_one_late_frame_does_not_move_the_clock() -> None:
    stamps = [k / 30 for k in range(200)]
    stamps[120] += 0.020
    _, t_s = estimates(stamps, 30.0)
    assert abs(t_s[120] - 120 / 30) < 0.001
    assert abs(t_s[150] - 150 / 30) < 0.001


def test_a_new_phase_is_noticed() -> None:
    stamps = [k / 30 for k in range(200)] + [200 / 30 + 0.011 + k / 30 for k in range(60)]
    clock, t_s = estimates(stamps, 30.0)
    assert clock.restarts >= 1
    assert abs(t_s[-1] - stamps[-1]) < 0.001


def test_a_change_of_rate_is_noticed() -> None:
    stamps = [k / 30 for k in range(200)] + [200 / 30 + k / 20 for k in range(80)]
    _, t_s = estimates(stamps, 30.0)
    assert abs(t_s[-1] - stamps[-1]) < 0.002


def test_first_grid_survives_losses_and_jitter() -> None:
    rng = np.random.default_rng(7)
    for _ in range(20):
        stream = make_stream(rng, 30.0, 24, 0.0, jitter_s=0.005, drop=0.1)
        period, numbers = first_grid(list(stream.stamp_s[:18]))
        # 5 ms over 18 frames of 33 ms settles the period to about 1 %
        assert abs(period * 30 - 1) < 0.03
        assert numbers == sorted(numbers)
