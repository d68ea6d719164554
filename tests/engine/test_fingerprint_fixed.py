"""The fingerprint of a run is that of the disparity, whether it is kept in fixed point too or not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.rectify import Rectification
from livestereo.engine_stats import RunMeter
from livestereo.fixed import FixedResult, raw_of
from livestereo.pipeline import Pipeline
from livestereo.types import U8, CaptureStats, Frame, MatchResult, StereoFrame, StereoResult


class _Given:
    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        raw = np.random.default_rng(0).integers(-50, 2000, left_gray.shape).astype(np.int16)
        raw[::3, ::2] = -32768
        return FixedResult(raw=raw)


def _fingerprint(result: StereoResult) -> str | None:
    meter = RunMeter(fingerprint=True)
    meter.count(result, 0.0, 1.0)
    summary = meter.summary(
        live=False, stats=CaptureStats(), nominal_fps=None, dropped={}, findings=(), warnings=(), settings={}
    )
    return summary.disparity_sha256


def test_a_result_in_fixed_point_counts_like_any_other() -> None:
    picture = np.zeros((30, 40, 3), np.uint8)
    frame = StereoFrame(Frame(picture, 0.0, 0), Frame(picture, 0.0, 0), 0)
    at = Rectification(size_wh=(40, 30), focal_px=50.0, cx_px=20, cy_px=15, baseline_m=0.1)
    result = Pipeline(_Given(), (), at).process(frame)
    assert raw_of(result.match) is not None
    plain = replace(result, match=MatchResult(result.disparity_px))
    assert raw_of(plain.match) is None
    assert _fingerprint(result) == _fingerprint(plain)
