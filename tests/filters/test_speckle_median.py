"""Fixed point, speckle and median filters."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from livestereo.filters import make_filters
from livestereo.filters.fixed_chain import FixedChain
from livestereo.filters.median import MedianFilter
from livestereo.filters.speckle import SpeckleFilter
from livestereo.fixed import INVALID, from_fixed, rounded, to_fixed
from livestereo.settings import Settings
from livestereo.types import MatchResult

GUIDE = np.zeros((40, 60), np.uint8)


@given(hnp.arrays(np.int16, (5, 7), elements=st.integers(-32768, 32767)))
def test_fixed_point_goes_there_and_back_exactly(raw: np.ndarray) -> None:
    disparity = from_fixed(raw)
    assert disparity.dtype == np.float32
    np.testing.assert_array_equal(to_fixed(disparity), raw)
    np.testing.assert_array_equal(np.isnan(disparity), raw == INVALID)
    np.testing.assert_array_equal(rounded(disparity), disparity)


def test_opencvs_own_invalid_value_becomes_nan_and_zero_stays() -> None:
    raw = np.array([[64, 0, -16, 80]], np.int16)  # (min_disparity − 1) · 16 with min_disparity 5, 1 and 0
    assert np.isnan(from_fixed(raw, 64)).tolist() == [[True, False, False, False]]
    assert from_fixed(raw, 64).tolist()[0][1:] == [0.0, -1.0, 5.0]
    assert np.isnan(from_fixed(raw, -16)).tolist() == [[False, False, True, False]]


def test_rounding_is_to_a_sixteenth_and_keeps_holes() -> None:
    given_px = np.array([[1.0, 1.04, 1.02, -3.05, np.nan]], np.float32)
    np.testing.assert_array_equal(rounded(given_px), np.array([[1.0, 1.0625, 1.0, -3.0625, np.nan]], np.float32))


def test_speckles_go_and_the_rest_stays() -> None:
    disparity = np.full((40, 60), 10, np.float32)
    disparity[5:8, 5:8] = 20  # 9 px: a speckle
    disparity[20:32, 20:40] = 20  # 240 px: an object
    disparity[0, 59] = np.nan
    got = SpeckleFilter(100, 1.0).apply(MatchResult(disparity), GUIDE).disparity_px
    assert np.isnan(got[5:8, 5:8]).all()
    assert (got[20:32, 20:40] == 20).all()
    assert np.isnan(got).sum() == 10
    assert (disparity[5:8, 5:8] == 20).all(), "what was given is not changed"


def test_speckle_range_tells_a_slope_from_a_step() -> None:
    slope = np.tile(np.arange(60, dtype=np.float32) * 0.5, (40, 1))
    assert np.isfinite(SpeckleFilter(100, 1.0).apply(MatchResult(slope), GUIDE).disparity_px).all()
    assert np.isnan(SpeckleFilter(100, 0.25).apply(MatchResult(slope), GUIDE).disparity_px).all()


def test_the_median_takes_single_pixels_and_invents_nothing() -> None:
    disparity = np.full((40, 60), 10, np.float32)
    disparity[10, 10] = 30
    disparity[20, 20] = np.nan
    disparity[30:, 30:] = np.nan
    for width in (3, 5):
        got = MedianFilter(width).apply(MatchResult(disparity), GUIDE).disparity_px
        assert got[10, 10] == 10
        np.testing.assert_array_equal(np.isnan(got) & np.isfinite(disparity), False)
        assert np.isnan(got[20, 20]) and np.isnan(got[35, 45])


def test_an_edge_stays_where_it_is_under_the_median() -> None:
    disparity = np.where(np.arange(60) < 30, 10, 20).astype(np.float32)[None].repeat(40, 0)
    np.testing.assert_array_equal(MedianFilter(5).apply(MatchResult(disparity), GUIDE).disparity_px, disparity)


def test_settings_choose_the_filters_median_first() -> None:
    (chain,) = make_filters(Settings())
    assert isinstance(chain, FixedChain)
    assert [type(one) for one in chain.filters] == [MedianFilter, SpeckleFilter]
    assert make_filters(Settings(median=0, speckle_size=0)) == []


def test_a_chain_is_the_same_as_one_after_another() -> None:
    rng = np.random.default_rng(3)
    disparity = (np.rint(rng.normal(20, 2, (40, 60)) * 16) / 16).astype(np.float32)
    disparity[rng.random(disparity.shape) < 0.1] = np.nan
    given_match = MatchResult(disparity)
    apart = SpeckleFilter(30, 1.0).apply(MedianFilter(5).apply(given_match, GUIDE), GUIDE).disparity_px
    chain = FixedChain([MedianFilter(5), SpeckleFilter(30, 1.0)])
    for _ in range(2):
        np.testing.assert_array_equal(chain.apply(given_match, GUIDE).disparity_px, apart)
