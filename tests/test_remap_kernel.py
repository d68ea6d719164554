"""The compiled remapping against OpenCV's, which it must equal in every pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from livestereo.remap_kernel import Remapper


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
