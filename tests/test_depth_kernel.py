"""Disparity and depth in one compiled pass: exactly what the pipeline does without it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from calibration.rectify import Rectification
from livestereo.filters.base import Filter
from livestereo.fixed import INVALID, FixedResult, fill_percent
from livestereo.matchers.base import Matcher
from livestereo.pipeline import Pipeline
from livestereo.types import Frame, MatchResult, StereoFrame


class _Given:
    """A matcher that answers what it was made with."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def compute(self, left: Any, right: Any) -> MatchResult:
        return FixedResult(raw=self._raw)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("doffs_px", [0.0, 3.3, -7.0])
@pytest.mark.parametrize("largest", [16383, 32767])
@pytest.mark.parametrize("roi", [(0, 0, 0, 0), (3, 2, 50, 30), (3, 5, 70, 44)])
def test_it_is_what_the_pipeline_does_in_many_passes(
    scale: float, doffs_px: float, roi: Any, largest: int
) -> None:  # fmt: skip
    width, height = 73, 49
    shape = (height, width) if scale == 1 else (height // 2, width // 2)
    rng = np.random.default_rng(5)
    raw = rng.integers(-400, 2000, shape).astype(np.int16)
    raw[rng.random(shape) < 0.2] = INVALID
    raw[0, :4] = 0, 16, 32767 if scale == 1 else 16383, -16383
    raw[11, 9:14] = 0, 16, largest, -32767 if scale == 1 else -16383, INVALID
    picture = np.zeros((height, width, 3), np.uint8)
    frame = StereoFrame(Frame(picture, 0.0, 0), Frame(picture, 0.0, 0), 0)
    at = Rectification(
        size_wh=(width, height), focal_px=71.3, cx_px=36, cy_px=24, baseline_m=0.113, doffs_px=doffs_px, roi=roi
    )
    matcher: Matcher = _Given(raw)
    filters: list[Filter] = []
    pipeline = Pipeline(matcher, filters, at, scale=scale)
    if pipeline._compiled is None:
        pytest.skip("numba may not compile here")
    found = pipeline.process(frame)
    pipeline._compiled = None
    expected = pipeline.process(frame)
    too_large = scale != 1 and largest > 16383  # for sixteenths in 16 bits, once it is doubled
    assert ("depth_m" in found.__dict__) == too_large  # else it is made when somebody looks
    again = dataclasses.replace(found, fresh=True)
    assert again.fresh
    np.testing.assert_array_equal(again.depth_m, expected.depth_m)
    np.testing.assert_array_equal(found.depth_m, expected.depth_m)
    assert found.depth_m is found.depth_m
    np.testing.assert_array_equal(found.disparity_px, expected.disparity_px)
    assert np.isfinite(found.depth_m).any()
    assert fill_percent(found.match) == pytest.approx(100 * np.isfinite(found.disparity_px).mean())
    assert fill_percent(expected.match) == fill_percent(found.match)
