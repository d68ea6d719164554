"""The compiled speckle removal against OpenCV's, which it must equal in every pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from livestereo.filters.speckle_kernel import SpeckleRemover
from livestereo.fixed import INVALID, from_fixed, to_fixed
from livestereo.types import F32


def opencv(disparity: F32, size: int, step_px: float) -> F32:
    raw = to_fixed(disparity)
    cv2.filterSpeckles(raw, INVALID, size, round(step_px * 16))
    return from_fixed(raw)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    jump=st.sampled_from((1 / 16, 0.25, 0.5, 1.0, 3.0)),
    holes=st.sampled_from((0.0, 0.1, 0.5, 1.0)),
    size=st.integers(0, 100),
    step_px=st.sampled_from((1 / 16, 0.5, 1.0, 2.0)),
)
def test_it_is_what_opencv_does(seed, height, width, jump, holes, size, step_px):
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.integers(-1, 2, (height, width)), axis=1) + np.cumsum(rng.integers(-1, 2, (height, 1)), axis=0)
    disparity = (walk * jump).astype(np.float32)
    disparity[rng.random((height, width)) < holes] = np.nan
    disparity += rng.choice([0, 0.02], (height, width)).astype(np.float32)  # both round to 1/16 px first
    before = disparity.copy()
    found = SpeckleRemover().without_speckles(disparity, size, step_px)
    np.testing.assert_array_equal(found, opencv(disparity, size, step_px))
    np.testing.assert_array_equal(disparity, before)


def test_memory_follows_the_size_of_the_picture():
    remover = SpeckleRemover()
    for shape in ((30, 40), (10, 90), (60, 7), (30, 40)):
        noise = np.random.default_rng(0).integers(0, 3, shape).astype(np.float32)
        np.testing.assert_array_equal(remover.without_speckles(noise, 5, 1.0), opencv(noise, 5, 1.0))


def test_a_spiral_is_one_patch():
    # Arms that meet only in the middle: labels of many rows have to be joined late.
    disparity = np.zeros((31, 31), np.float32)
    for ring in range(1, 15, 2):
        disparity[ring : 31 - ring, ring : 31 - ring] = 10
        disparity[ring + 1 : 30 - ring, ring + 1 : 30 - ring] = 0
        disparity[ring, ring] = 0
    for size in (40, 200, 900):
        np.testing.assert_array_equal(
            SpeckleRemover().without_speckles(disparity, size, 1.0), opencv(disparity, size, 1.0)
        )
