"""The compiled matcher against its readable twin, bit for bit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from livestereo.matchers.sgm import SgmConfig, SgmMatcher
from livestereo.matchers.sgm_reference import reference_match
from livestereo.types import U8


def pictures(seed: int, width: int, height: int, shift: int, rough: bool) -> tuple[U8, U8]:
    """Give a pair moved by `shift` px and half the time by a row, rough or smooth, with some noise in the right one."""
    rng = np.random.default_rng(seed)
    wide = rng.integers(0, 256, (height + 1, width + 64)).astype(np.uint8)
    if not rough:
        wide = np.asarray(cv2.GaussianBlur(wide, (5, 5), 1.5), np.uint8)
    left = wide[1:, 32 : 32 + width]
    down = seed % 2
    right = wide[down : down + height, 32 + shift : 32 + shift + width].astype(np.int16)
    right = right + rng.integers(-3, 4, right.shape, np.int16)
    return np.ascontiguousarray(left), np.clip(right, 0, 255).astype(np.uint8)


def assert_equal_to_twin(left: U8, right: U8, config: SgmConfig) -> None:
    found = SgmMatcher(config).compute(left, right).disparity_px
    np.testing.assert_array_equal(found, reference_match(left, right, config))


# Few numbers of disparities, since each number of vectors is compiled by itself; 16 and 80 leave lanes spare.
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 140),
    height=st.integers(1, 50),
    shift=st.integers(-20, 30),
    rough=st.booleans(),
    num_disparities=st.sampled_from((16, 32, 80)),
    min_disparity=st.integers(-40, 40),
    penalties=st.tuples(st.integers(1, 100), st.integers(1, 100)).map(sorted),
    uniqueness=st.integers(0, 50),
    left_right=st.integers(0, 3),
    row_tolerance=st.booleans(),
    smoothing=st.sampled_from(("auto", "on", "off")),
)
def test_any_pictures_and_settings(
    seed, width, height, shift, rough, num_disparities, min_disparity, penalties, uniqueness, left_right, row_tolerance,
    smoothing,
):  # fmt: skip
    config = SgmConfig(
        num_disparities=num_disparities,
        min_disparity=min_disparity,
        p1=penalties[0],
        p2=penalties[1],
        uniqueness=uniqueness,
        left_right=left_right,
        row_tolerance=row_tolerance,
        smoothing=smoothing,
    )
    assert_equal_to_twin(*pictures(seed, width, height, shift, rough), config)


def test_256_disparities_use_every_byte():
    left, right = pictures(3, 300, 20, 20, True)
    assert_equal_to_twin(left, right, SgmConfig(num_disparities=256, min_disparity=-100))


def test_the_strictest_and_the_loosest_checks():
    left, right = pictures(5, 150, 24, 7, True)
    assert_equal_to_twin(left, right, SgmConfig(num_disparities=32, uniqueness=60, left_right=64))


def test_a_flat_picture():
    flat = np.full((40, 90), 100, np.uint8)
    assert_equal_to_twin(flat, flat, SgmConfig(num_disparities=32))


@pytest.mark.realdata
@pytest.mark.parametrize("row_tolerance", [False, True])
def test_real_pictures(real_data, row_tolerance):
    folder: Path = real_data("tsukuba_gt")
    left, right = (cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE) for name in ("tsukuba_l.png", "tsukuba_r.png"))
    config = SgmConfig(num_disparities=16, row_tolerance=row_tolerance)
    assert_equal_to_twin(np.asarray(left, np.uint8)[100:200], np.asarray(right, np.uint8)[100:200], config)
