from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from calibration.rectify import Rectification
from livestereo.span import measure_span, with_span


def pair(disparities: tuple[int, ...], width: int = 480, height: int = 320, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Level bands of texture, each with its own disparity."""
    rng = np.random.default_rng(seed)
    wide = cv2.GaussianBlur(rng.normal(0, 1, (height, width + 400)).astype(np.float32), (0, 0), 2.0)
    wide = np.clip(128 + 45 * wide / wide.std(), 0, 255).astype(np.uint8)
    left = wide[:, 200 : 200 + width].copy()
    right = np.empty_like(left)
    bands = np.array_split(np.arange(height), len(disparities))
    for rows, d in zip(bands, disparities):
        right[rows] = wide[rows, 200 + d : 200 + d + width]
    return left, right


@pytest.mark.parametrize("disparities", [(0, 10, 30), (4, 60, 120), (40, 50, 60), (-30, -5, 20), (100, 110, 120)])
def test_the_range_holds_every_disparity_and_is_not_much_wider(disparities: tuple[int, ...]) -> None:
    found = measure_span(*pair(disparities))
    assert found is not None
    assert found.range.minimum <= min(disparities) and found.range.maximum >= max(disparities)
    span = max(disparities) - min(min(disparities), 0 if min(disparities) < 0.35 * max(disparities) else 99999)
    assert found.range.count <= 1.5 * span + 48  # margins at both ends, and a multiple of 16


def test_a_rectified_pair_with_nothing_beyond_infinity_starts_at_zero() -> None:
    found = measure_span(*pair((0, 10, 30)))
    assert found is not None and found.range.minimum == 0 and found.behind == 0


def test_unrelated_or_blank_pictures_say_nothing() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.integers(0, 255, (240, 320)).astype(np.uint8) for _ in range(2))
    assert measure_span(one, other) is None
    blank = np.full((240, 320), 128, np.uint8)
    assert measure_span(blank, blank) is None
    assert measure_span(blank[:20, :20], blank[:20, :20]) is None


def test_with_a_rig_nothing_lies_beyond_infinity() -> None:
    rig = Rectification(size_wh=(480, 320), focal_px=400, cx_px=240, cy_px=160, baseline_m=0.1, metric=True)
    left, right = pair((-30, -5, 20))
    assert with_span(rig, left, right).min_disparity_px == 0
    free = dataclasses.replace(rig, metric=False)
    low = with_span(free, left, right).min_disparity_px
    assert low is not None and low <= -30
    blank = np.full((320, 480), 128, np.uint8)
    assert with_span(rig, blank, blank) is rig


def test_without_a_rig_what_lies_on_both_sides_of_zero_is_all_before_the_cameras() -> None:
    free = Rectification(size_wh=(480, 320), focal_px=400, cx_px=240, cy_px=160, baseline_m=1, metric=False)
    assert with_span(free, *pair((-30, -5, 20))).doffs_px == pytest.approx(34, abs=3)
    # Exchanged, or shifted far: nobody knows.
    assert with_span(free, *pair((-30, -20, -10))).doffs_px == 0
    assert with_span(free, *pair((0, 10, 30))).doffs_px == 0
