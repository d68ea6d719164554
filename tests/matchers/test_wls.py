"""WLS around a matcher."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from matcher_scenes import bad_percent, steps

from livestereo.matchers.sgbm import SgbmConfig, SgbmMatcher
from livestereo.matchers.wls import WlsMatcher


def make(low: int, count: int) -> WlsMatcher:
    return WlsMatcher(SgbmMatcher(SgbmConfig(count, low)), low, count, strength=500.0, edge=0.8)


@pytest.mark.parametrize(("low", "values"), [(0, (4.0, 12.5)), (6, (8.0, 18.0)), (-20, (-12.0, -3.0))])
def test_it_is_dense_in_the_same_pixels_and_as_exact(low: int, values: tuple[float, ...]) -> None:
    left, right, truth = steps(120, 200, values)
    result = make(low, 32).compute(left, right)
    seen = result.disparity_px[:, 30:-30]
    assert np.isfinite(seen).mean() > 0.99
    assert bad_percent(seen, truth[:, 30:-30]) < 3  # the row of the step itself
    assert abs(float(np.nanmedian(seen - truth[:, 30:-30]))) <= 0.07, "values are not scaled a second time"


def test_confidence_is_low_where_nothing_was_matched() -> None:
    left, right, _ = steps(120, 200, (8.0,))
    right[40:80, 80:140] = 128
    result = make(0, 32).compute(left, right)
    assert result.confidence is not None and result.confidence.shape == left.shape
    assert result.confidence.min() >= 0 and result.confidence.max() <= 1
    assert result.confidence[50:70, 100:135].mean() < 0.2 < 0.8 < result.confidence[5:30, 50:150].mean()


def test_it_does_not_depend_on_threads() -> None:
    left, right, _ = steps(120, 200, (4.0, 12.0))
    one = make(0, 32).compute(left, right).disparity_px
    cv2.setNumThreads(4)
    try:
        np.testing.assert_array_equal(make(0, 32).compute(left, right).disparity_px, one)
    finally:
        cv2.setNumThreads(1)
