"""The compiled parts of the filters against OpenCV's, which they must equal in every pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("numba")

from livestereo.filters import median
from livestereo.filters.median import MedianFilter
from livestereo.filters.median_kernel import Median
from livestereo.filters.speckle_kernel import SpeckleRemover
from livestereo.fixed import INVALID


def assert_like_opencv(raw: NDArray[np.int16], size: int, step: int) -> None:
    expected, found = raw.copy(), raw.copy()
    cv2.filterSpeckles(expected, INVALID, size, step)
    SpeckleRemover().remove(found, size, step)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 200),  # in numbers of 64 pixels
    jump=st.sampled_from((1, 4, 8, 16, 48)),
    holes=st.sampled_from((0.0, 0.1, 0.5, 1.0)),
    size=st.integers(0, 100),
    step=st.sampled_from((1, 8, 16, 32)),
)
def test_it_is_what_opencv_does(seed, height, width, jump, holes, size, step):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.integers(-1, 2, (height, width)), axis=1) + np.cumsum(rng.integers(-1, 2, (height, 1)), axis=0)
    raw = (walk * jump).astype(np.int16)
    raw[rng.random((height, width)) < holes] = INVALID
    assert_like_opencv(raw, size, step)


def test_values_at_the_ends_of_the_range_are_not_invalid():
    raw = np.array([[INVALID + 1, INVALID, 32767, 32767], [INVALID + 1, 0, -5, INVALID + 16]], np.int16)
    for size in (0, 1, 2, 3):
        assert_like_opencv(raw, size, 16)


def test_memory_follows_the_size_of_the_picture():
    remover = SpeckleRemover()
    for shape in ((30, 40), (10, 90), (60, 7), (30, 40)):
        raw = np.random.default_rng(0).integers(0, 3, shape).astype(np.int16)
        expected = raw.copy()
        cv2.filterSpeckles(expected, INVALID, 5, 0)
        remover.remove(raw, 5, 0)
        np.testing.assert_array_equal(raw, expected)


def test_a_spiral_is_one_patch():
    # Arms that meet only in the middle: labels of many rows have to be joined late.
    raw = np.zeros((31, 31), np.int16)
    for ring in range(1, 15, 2):
        raw[ring : 31 - ring, ring : 31 - ring] = 160
        raw[ring + 1 : 30 - ring, ring + 1 : 30 - ring] = 0
        raw[ring, ring] = 0
    for size in (40, 200, 900):
        assert_like_opencv(raw, size, 16)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 12),
    width=st.integers(1, 140),  # in vectors of 16 or 32 pixels
    most=st.sampled_from((3, 40, 32768)),
    holes=st.sampled_from((0.0, 0.2, 1.0)),
)
def test_the_median_is_what_opencv_does_and_invents_nothing(seed, height, width, most, holes):
    rng = np.random.default_rng(seed)
    raw = rng.integers(-most + 1, most, (height, width)).astype(np.int16)
    raw[rng.random(raw.shape) < holes] = INVALID
    expected = cv2.medianBlur(raw, 5)
    expected[raw == INVALID] = INVALID
    np.testing.assert_array_equal(Median().of(raw), expected)


@pytest.mark.parametrize("width", [3, 5])
@pytest.mark.parametrize("holes", [0.0, 0.2, 1.0])
def test_the_median_is_the_same_with_compiled_code_and_without(width, holes, monkeypatch):
    rng = np.random.default_rng(3)
    raw = rng.integers(INVALID + 1, 32768, (41, 57)).astype(np.int16)
    raw[rng.random(raw.shape) < holes] = INVALID
    given = raw.copy()
    found = []
    for compiled in (True, False):
        monkeypatch.setattr(median, "numba_loaded", lambda compiled=compiled: compiled)
        found.append(MedianFilter(width).apply_fixed(raw))
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(found[0][given == INVALID], INVALID)
    np.testing.assert_array_equal(raw, given)
