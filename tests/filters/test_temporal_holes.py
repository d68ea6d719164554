"""The filters that remember and the ones that fill."""

from __future__ import annotations

import numpy as np
import pytest

from livestereo.filters import make_filters
from livestereo.filters.holes import HoleFilter
from livestereo.filters.temporal import TemporalFilter
from livestereo.settings import Settings
from livestereo.types import F32, U8, MatchResult

H, W = 48, 64


def still_picture(seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(60, 200, (H, W)).astype(np.uint8)


def shown(filter_: TemporalFilter, disparity: F32, guide: U8) -> F32:
    return filter_.apply(MatchResult(disparity), guide).disparity_px


def test_noise_of_a_still_scene_falls_as_the_formula_says() -> None:
    rng = np.random.default_rng(1)
    guide = still_picture()
    smooth, out = TemporalFilter(0.8, 4, 1), []
    for _ in range(60):
        noisy = (20 + rng.normal(0, 0.1, (H, W))).astype(np.float32)
        out.append(shown(smooth, noisy, guide))
    # A recursive mean with share a of the past leaves (1 − a) / (1 + a) of the variance.
    ratio = np.std(np.stack(out[30:])) / 0.1
    assert ratio == pytest.approx((0.2 / 1.8) ** 0.5, rel=0.1)


def test_what_moves_is_shown_at_once_and_not_mixed_with_the_past() -> None:
    smooth = TemporalFilter(0.9, 4, 2)
    guide = still_picture()
    for _ in range(5):
        shown(smooth, np.full((H, W), 10.0, np.float32), guide)
    moved = guide.copy()
    moved[10:30, 10:30] = still_picture(9)[10:30, 10:30]
    disparity = np.full((H, W), 10.0, np.float32)
    disparity[10:30, 10:30] = 10.5  # near enough to be mixed, were it still
    got = shown(smooth, disparity, moved)
    assert (got[14:26, 14:26] == 10.5).all()
    assert (got[40:, 40:] == 10).all()


def test_a_jump_on_a_still_pixel_is_another_surface() -> None:
    smooth = TemporalFilter(0.9, 4, 2)
    guide = still_picture()
    for _ in range(4):
        shown(smooth, np.full((H, W), 10.0, np.float32), guide)
    jumped = np.full((H, W), 30.0, np.float32)
    assert np.isnan(shown(smooth, jumped, guide)).all(), "one pair alone is not believed"
    np.testing.assert_array_equal(shown(smooth, jumped, guide), jumped)


def test_a_known_pixel_is_held_for_a_while_and_a_flickering_one_is_not() -> None:
    smooth = TemporalFilter(0.5, 3, 1)
    guide = still_picture()
    steady = np.full((H, W), 10.0, np.float32)
    flicker = steady.copy()
    flicker[:, :20] = np.nan
    for i in range(6):
        shown(smooth, steady if i % 2 else flicker, guide)
    lost = np.full((H, W), np.nan, np.float32)
    held = [shown(smooth, lost, guide) for _ in range(4)]
    assert all((one[:, 20:] == 10).all() for one in held[:3])
    assert np.isnan(held[3]).all(), "held for three pairs, then let go"
    assert np.isnan(held[0][:, :20]).all()


def test_slow_and_global_changes_of_light_are_no_motion() -> None:
    rng = np.random.default_rng(2)
    smooth, out = TemporalFilter(0.8, 4, 1), []
    for i in range(30):
        guide = np.clip(still_picture().astype(np.int16) + 2 * i, 0, 255).astype(np.uint8)
        out.append(shown(smooth, (20 + rng.normal(0, 0.1, (H, W))).astype(np.float32), guide))
    assert np.std(np.stack(out[15:])) < 0.06


def test_reset_forgets() -> None:
    smooth = TemporalFilter(0.9, 4, 2)
    guide = still_picture()
    shown(smooth, np.full((H, W), 10.0, np.float32), guide)
    smooth.reset()
    fresh = np.full((H, W), 10.5, np.float32)
    np.testing.assert_array_equal(shown(smooth, fresh, guide), fresh)
    other_size = np.full((H // 2, W // 2), 3.0, np.float32)
    np.testing.assert_array_equal(shown(smooth, other_size, guide[: H // 2, : W // 2]), other_size)


def filled(disparity: F32, size: int = 64) -> F32:
    return HoleFilter(size).apply(MatchResult(disparity), np.zeros(disparity.shape, np.uint8)).disparity_px


def test_an_occlusion_takes_the_far_side() -> None:
    disparity = np.full((H, W), 5.0, np.float32)
    disparity[:, 30:] = 20  # something near on the right hides what lies left of it
    disparity[:, 15:30] = np.nan
    np.testing.assert_array_equal(filled(disparity), np.where(np.arange(W) < 30, 5, 20)[None].repeat(H, 0))


def test_a_gap_on_one_surface_is_bridged() -> None:
    slope = (10 + 0.1 * np.arange(W, dtype=np.float32))[None].repeat(H, 0)
    holed = slope.copy()
    holed[20:26, 30:40] = np.nan
    got = filled(holed)
    assert np.abs(got - slope).max() < 0.3  # the median over 5 px moves a slope of 0.1 by at most 0.2, plus rounding
    np.testing.assert_array_equal(got[np.isfinite(holed)], slope[np.isfinite(holed)])


def test_wide_holes_and_the_border_stay_open() -> None:
    disparity = np.full((H, W), 5.0, np.float32)
    disparity[:, :8] = np.nan
    disparity[:, -4:] = np.nan
    disparity[:, 20:50] = np.nan
    got = filled(disparity, size=20)
    assert np.isnan(got[:, :8]).all() and np.isnan(got[:, -4:]).all() and np.isnan(got[:, 20:50]).all()
    assert np.isfinite(filled(disparity, size=30)[:, 20:50]).all()
    assert np.isnan(filled(np.full((H, W), np.nan, np.float32))).all()


def test_settings_switch_them_on_holes_last() -> None:
    made = make_filters(Settings(temporal=True, holes=True))
    assert [type(one).__name__ for one in made[-2:]] == ["TemporalFilter", "HoleFilter"]
    assert [one.stateful for one in made[-2:]] == [True, False]
