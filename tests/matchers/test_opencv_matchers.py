"""StereoSGBM and StereoBM: exact where the truth is exact, no column lost, NaN where there is no answer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matcher_scenes import bad_percent, steps, texture

from livestereo.errors import SettingsError
from livestereo.matchers import MATCHERS
from livestereo.matchers.bm import BmConfig, BmMatcher
from livestereo.matchers.exposure import evened, evened_colours
from livestereo.matchers.sgbm import SgbmConfig, SgbmMatcher
from livestereo.settings import Settings

MODES = ("sgbm", "3way", "hh", "hh4")


def make(name: str, low: int, count: int) -> SgbmMatcher | BmMatcher:
    if name == "bm":
        return BmMatcher(BmConfig(count, low))
    return SgbmMatcher(SgbmConfig(count, low, mode=name))


@pytest.mark.parametrize("name", [*MODES, "bm"])
def test_bands_are_found_to_a_fraction_of_a_pixel(name: str) -> None:
    left, right, truth = steps(120, 200, (3.0, 10.5, 24.25))
    found = make(name, 0, 32).compute(left, right).disparity_px
    assert found.dtype == np.float32 and found.shape == truth.shape
    inner = np.ones(truth.shape, bool)
    inner[:, :27] = False  # near the left edge the right picture does not see the point
    for edge in (40, 80):
        inner[edge - 9 : edge + 9] = False  # a band's edge: blocks see two disparities
    got = np.where(inner, found, np.nan)
    assert np.isfinite(got[inner]).mean() > 0.95
    assert bad_percent(got, truth) < 0.5
    assert np.nanmedian(np.abs(got - truth)) <= 0.13  # two steps of 1/16 px


@pytest.mark.parametrize("low", [-40, -16, -3, 0, 1, 2, 5, 20])
@pytest.mark.parametrize("name", ["3way", "bm"])
def test_no_answer_is_nan_for_every_smallest_disparity(name: str, low: int) -> None:
    # The value that OpenCV writes for "no answer", (low − 1) · 16, is positive for low > 1.
    left, right, truth = steps(96, 160, (low + 2.0, low + 11.0))
    found = make(name, low, 16).compute(left, right).disparity_px
    known = np.isfinite(found)
    assert found[known].min() >= low
    assert found[known].max() <= low + 16
    assert known.mean() > 0.7
    assert bad_percent(found, truth) < 8  # the block at the band's edge sees both
    blank = make(name, low, 16).compute(np.full_like(left, 90), texture(96, 160, 5)).disparity_px
    assert np.isnan(blank).mean() > 0.3, "a blank picture against noise has holes, and they are NaN"


@pytest.mark.parametrize("name", MODES)
def test_padding_gives_answers_from_the_first_column_that_the_right_view_sees(name: str) -> None:
    left, right, truth = steps(80, 160, (5.0,))
    found = make(name, 0, 64).compute(left, right).disparity_px
    assert np.isfinite(found[:, 8:64]).mean() > 0.9, "without padding none of these 56 columns has an answer"
    assert bad_percent(found[:, 8:64], truth[:, 8:64]) < 1


def test_nothing_points_outside_the_right_picture() -> None:
    left, right, _ = steps(80, 120, (30.0, -20.0))
    for low, count in ((0, 48), (-32, 48)):
        found = SgbmMatcher(SgbmConfig(count, low)).compute(left, right).disparity_px
        seen_at = np.arange(120)[None] - found
        known = np.isfinite(found)
        assert seen_at[known].min() >= 0
        assert seen_at[known].max() <= 119


def test_negative_disparities_reach_the_right_edge() -> None:
    left, right, truth = steps(80, 160, (-12.0,))
    found = SgbmMatcher(SgbmConfig(32, -24)).compute(left, right).disparity_px
    assert np.isfinite(found[:, 100:147]).mean() > 0.9
    assert bad_percent(found, truth) < 1


@pytest.mark.parametrize("name", [*MODES, "bm"])
def test_the_answer_does_not_depend_on_threads_or_what_came_before(name: str) -> None:
    left, right, _ = steps(96, 128, (2.0, 9.0))
    first = make(name, 0, 16).compute(left, right).disparity_px
    matcher = make(name, 0, 16)
    matcher.compute(texture(96, 128, 7), texture(96, 128, 8))
    cv2.setNumThreads(4)
    try:
        again = matcher.compute(left, right).disparity_px
    finally:
        cv2.setNumThreads(1)
    np.testing.assert_array_equal(first, again)


def test_penalties_follow_the_block() -> None:
    assert SgbmConfig(16, block_size=5).penalties == (200, 800)
    assert SgbmConfig(16, mode="hh4").penalties == (36, 216)
    assert SgbmConfig(16, block_size=3, p1=10).penalties == (10, 288)


def test_no_left_right_check_gives_more_answers() -> None:
    left, right, _ = steps(96, 128, (2.0, 14.0))
    right = cv2.GaussianBlur(right, (0, 0), 2)
    checked = SgbmMatcher(SgbmConfig(16, uniqueness=0)).compute(left, right).disparity_px
    free = SgbmMatcher(SgbmConfig(16, uniqueness=0, left_right_px=0)).compute(left, right).disparity_px
    assert np.isfinite(free).sum() > np.isfinite(checked).sum()


@pytest.mark.parametrize(
    ("make_config", "words"),
    [
        (lambda: SgbmConfig(60), "multiple of 16"),
        (lambda: SgbmConfig(0), "at least 16"),
        (lambda: SgbmConfig(2048), "16 bits"),
        (lambda: SgbmConfig(16, min_disparity=-2100), "16 bits"),
        (lambda: SgbmConfig(16, block_size=4), "block_size"),
        (lambda: SgbmConfig(16, p1=300, p2=200), "p1"),
        (lambda: SgbmConfig(16, mode="fast"), "mode"),
        (lambda: BmConfig(16, block_size=3), "block_size"),
        (lambda: BmConfig(16, pre_filter_cap=64), "pre_filter_cap"),
    ],
)
def test_a_config_that_would_be_mended_in_silence_is_refused(make_config: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make_config()  # type: ignore[operator]


def test_bm_with_a_block_wider_than_the_picture_is_refused() -> None:
    small = texture(12, 40)
    with pytest.raises(SettingsError, match="wider than the picture"):
        BmMatcher(BmConfig(16, block_size=15)).compute(small, small)


def test_settings_reach_the_matchers() -> None:
    settings = Settings(mode="hh", block_size=7, uniqueness=3, p2=2000)
    matcher = MATCHERS["sgbm"](settings, -4, 48)
    assert isinstance(matcher, SgbmMatcher)
    config = matcher.config
    assert (config.mode, config.block_size, config.uniqueness, config.penalties) == ("hh", 7, 3, (196, 2000))
    assert (config.min_disparity, config.num_disparities) == (-4, 48)
    block = MATCHERS["bm"](Settings(matcher="bm"), 0, 32)
    assert isinstance(block, BmMatcher) and block.config.block_size == 15


@pytest.mark.parametrize(("gain", "offset"), [(1.25, 8), (0.8, 0), (1.0, 25), (0.6, 40)])
@pytest.mark.parametrize("name", ["3way", "bm"])
def test_a_different_exposure_of_the_two_cameras_costs_little(name: str, gain: float, offset: float) -> None:
    left, right, truth = steps(120, 200, (3.0, 10.5))
    left, right = (np.clip(one * 0.6 + 40, 0, 255).astype(np.uint8) for one in (left, right))  # nothing is clipped
    other = np.clip(np.rint(right * gain + offset), 0, 255).astype(np.uint8)
    same, uneven = (make(name, 0, 32).compute(left, one).disparity_px for one in (right, other))
    assert np.isfinite(uneven).mean() > np.isfinite(same).mean() - 0.03
    assert bad_percent(uneven, truth) < bad_percent(same, truth) + 1


def test_equal_exposure_is_left_alone() -> None:
    left, right, _ = steps(120, 200, (3.0, 10.5))
    for one, given in zip(evened(left, right), (left, right)):
        assert one is given
    blank = np.full_like(left, 7)
    assert evened(blank, right)[0] is blank


def test_smoothing_helps_noisy_pictures_and_leaves_clean_ones_alone() -> None:
    left, right, truth = steps(120, 200, (3.0, 10.5))
    faint = [cv2.GaussianBlur(one, (0, 0), 1.5).astype(np.float32) * 0.3 + 90 for one in (left, right)]
    rng = np.random.default_rng(0)
    noisy = [np.clip(one + rng.normal(0, 6, one.shape), 0, 255).astype(np.uint8) for one in faint]
    clean = [one.astype(np.uint8) for one in faint]
    auto, off = (SgbmMatcher(SgbmConfig(32, smoothing=how)) for how in ("auto", "off"))
    error = [np.nanmean(np.abs(m.compute(*noisy).disparity_px - truth)) for m in (off, auto)]
    assert error[1] < 0.85 * error[0]
    np.testing.assert_array_equal(auto.compute(*clean).disparity_px, off.compute(*clean).disparity_px)


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_needs_more_memory_than_there_is_says_so(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system would end the program without a word. Only the modes that keep all costs need much."""
    monkeypatch.setattr("livestereo.matchers.sgbm.available_bytes", lambda: 4 * 120 * 200 * 32 - 1)
    monkeypatch.setattr("livestereo.matchers.sgbm._WORTH_ASKING", 0)
    left, right, _ = steps(120, 200, (3.0, 10.5, 24.25))
    if mode in ("hh", "hh4"):
        with pytest.raises(SettingsError, match="GiB are free"):
            make(mode, 0, 32).compute(left, right)
        monkeypatch.setattr("livestereo.matchers.sgbm.available_bytes", lambda: None)
    assert np.isfinite(make(mode, 0, 32).compute(left, right).disparity_px).any()


def test_each_colour_is_evened_for_itself():
    rng = np.random.default_rng(2)
    left = cv2.GaussianBlur(rng.integers(0, 256, (120, 160, 3)).astype(np.uint8), (0, 0), 2)
    right = np.clip(np.rint(left * np.array([0.8, 1.0, 1.2]) + np.array([9.0, 0.0, -9.0])), 0, 255).astype(np.uint8)
    one, other = evened_colours(left, right)
    assert np.abs(one.astype(float) - other).mean() < 1.5 < np.abs(left.astype(float) - right).mean()
    assert one.shape == left.shape and one.dtype == np.uint8
