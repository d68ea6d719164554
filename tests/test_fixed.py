"""Conversion between float px and fixed-point sixteenths, against numpy's own rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from livestereo.filters.fixed_chain import FixedChain
from livestereo.filters.speckle import SpeckleFilter
from livestereo.fixed import INVALID, FixedResult, from_fixed, raw_of, rounded, to_fixed
from livestereo.types import F32, MatchResult


def by_numpy(disparity_px: F32) -> np.ndarray:
    whole = np.rint(np.nan_to_num(disparity_px.astype(np.float64), nan=0.0) * 16)  # ties to even
    return np.where(np.isnan(disparity_px), INVALID, np.clip(whole, -32768, 32767)).astype(np.int16)


def values(shape: tuple[int, int]) -> F32:
    rng = np.random.default_rng(0)
    ties = rng.integers(-65000, 65000, shape) / 32  # every other one lies half way between two steps
    disparity = np.where(rng.random(shape) < 0.5, ties, rng.uniform(-2047, 2047, shape)).astype(np.float32)
    disparity[rng.random(shape) < 0.2] = np.nan
    return np.clip(disparity, -2047, 2047)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (1, 1003), (97, 131)])
def test_to_fixed_rounds_as_numpy_does(shape: tuple[int, int]) -> None:
    disparity = values(shape)
    for view in (disparity, np.asfortranarray(disparity), disparity[:, ::-1], disparity[::2, ::2], disparity.T):
        np.testing.assert_array_equal(to_fixed(view), by_numpy(view))


def test_every_step_returns() -> None:
    raw = np.arange(-32767, 32768, dtype=np.int16).reshape(1, -1)
    np.testing.assert_array_equal(to_fixed(from_fixed(raw)), raw)
    just_above_half = np.nextafter((raw[:, :-1] + 0.5).astype(np.float32) / 16, np.float32(np.inf), dtype=np.float32)
    np.testing.assert_array_equal(to_fixed(just_above_half), by_numpy(just_above_half))


def test_what_has_no_step() -> None:
    disparity = np.array([[np.nan, 3000, -3000]], np.float32)
    np.testing.assert_array_equal(to_fixed(disparity), [[INVALID, 32767, INVALID]])
    assert np.isnan(from_fixed(np.full((2, 3), INVALID, np.int16))).all()


def test_rounded_is_what_is_recorded() -> None:
    disparity = values((50, 60))
    np.testing.assert_array_equal(rounded(disparity), from_fixed(to_fixed(disparity)))


def test_a_fixed_result_is_read_like_any_other_and_replaced_like_any_other() -> None:
    raw = to_fixed(values((20, 30)))
    given = raw.copy()
    match = FixedResult(raw=raw, confidence=np.ones((20, 30), np.float32))
    np.testing.assert_array_equal(match.disparity_px, from_fixed(raw))
    changed = dataclasses.replace(match, disparity_px=np.zeros((20, 30), np.float32))
    assert raw_of(changed) is None and raw_of(match) is raw
    assert not changed.disparity_px.any() and changed.confidence is match.confidence
    # A chain that works in place leaves what it was given alone.
    chain = FixedChain([SpeckleFilter(50, 1.0)])
    plain = chain.apply(MatchResult(from_fixed(raw)), np.zeros((20, 30), np.uint8))
    np.testing.assert_array_equal(chain.apply(match, np.zeros((20, 30), np.uint8)).disparity_px, plain.disparity_px)
    np.testing.assert_array_equal(raw, given)
