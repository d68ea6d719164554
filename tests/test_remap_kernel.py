"""The compiled remapping against OpenCV's, which it must equal in every pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from livestereo.remap_kernel import Remapper, _plan
from livestereo.same import Same


def _maps(rng: np.random.Generator, size_wh: tuple[int, int], shape: tuple[int, int], beyond: float) -> Any:
    x, y = (rng.uniform(-beyond, size + beyond, shape).astype(np.float32) for size in size_wh)
    return cv2.convertMaps(x, y, cv2.CV_16SC2)


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    source=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    beyond=st.sampled_from((0.0, 2.0, 300.0)),
)
def test_it_is_what_opencv_does(seed: int, source: tuple[int, int], shape: tuple[int, int], beyond: float) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, source, np.uint8)
    maps = _maps(rng, source[::-1], shape, beyond)
    np.testing.assert_array_equal(Remapper().apply(picture, *maps), cv2.remap(picture, *maps, cv2.INTER_LINEAR))


def test_memory_follows_the_size_and_nothing_of_the_last_picture_is_left() -> None:
    rng = np.random.default_rng(1)
    remapper = Remapper()
    for source, shape in (((30, 40), (20, 25)), ((12, 90), (20, 25)), ((30, 40), (8, 60)), ((30, 40), (8, 60))):
        picture = rng.integers(0, 256, source, np.uint8)
        maps = _maps(rng, source[::-1], shape, 3)
        np.testing.assert_array_equal(remapper.apply(picture, *maps), cv2.remap(picture, *maps, cv2.INTER_LINEAR))


def test_a_picture_that_is_part_of_another_and_maps_that_are_views() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (40, 60), np.uint8)[5:35, 7:50]
    whole, fraction = _maps(rng, (43, 30), (20, 30), 2)
    whole, fraction = whole[:, 4:20], fraction[:, 4:20]
    expected = cv2.remap(picture, whole, fraction, cv2.INTER_LINEAR)
    np.testing.assert_array_equal(Remapper().apply(picture, whole, fraction), expected)


@pytest.mark.parametrize("turn_deg", [0.5, -3.0, 30.0, 90.0])
def test_only_the_rows_that_are_needed_are_kept(turn_deg: float) -> None:
    width, height = 210, 160
    turned = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1.05)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    at = (np.stack([x, y, np.ones_like(x)], -1) @ turned.T).astype(np.float32)
    maps: Any = cv2.convertMaps(at[..., 0], at[..., 1], cv2.CV_16SC2)
    plan = _plan(Same(maps[0]), Same(maps[1]), (height, width))
    assert plan is not None and (plan.rows < height // 2) == (abs(turn_deg) < 10)
    remapper = Remapper()
    for seed in range(3):
        picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
        np.testing.assert_array_equal(remapper.apply(picture, *maps), cv2.remap(picture, *maps, cv2.INTER_LINEAR))


def test_a_picture_too_large_for_it_is_left_to_opencv() -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (2100, 1100), np.uint8)
    maps = _maps(rng, (1100, 2100), (6, 40), 2)
    assert _plan(Same(maps[0]), Same(maps[1]), picture.shape) is None
    np.testing.assert_array_equal(Remapper().apply(picture, *maps), cv2.remap(picture, *maps, cv2.INTER_LINEAR))
