"""From a pair to depth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.rectify import Rectification
from livestereo.cli._build import build_pipeline
from livestereo.errors import RigError, SettingsError
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.types import Frame, MatchResult, StereoFrame


def scene(width: int, height: int, disparity: float) -> StereoFrame:
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (height, width + 64), dtype=np.uint8), (0, 0), 1.2)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    left = cv2.remap(wide, x - np.float32(disparity) + 32, y, cv2.INTER_CUBIC)
    right = wide[:, 32 : 32 + width]
    bgr = [np.repeat(np.ascontiguousarray(one)[..., None], 3, axis=2) for one in (left, right)]
    return StereoFrame(Frame(bgr[0], 0.0, 0), Frame(bgr[1], 0.0, 0), 0)


def rectified(width: int, height: int, **more: Any) -> Rectification:
    return Rectification(
        size_wh=(width, height), focal_px=100.0, cx_px=width / 2, cy_px=height / 2, baseline_m=0.1,
        roi=more.pop("roi", (0, 0, width, height)), **more,
    )  # fmt: skip


def test_depth_is_focal_times_baseline_over_disparity_and_doffs() -> None:
    frame = scene(160, 120, 8.0)
    result = build_pipeline(Settings(num_disparities=16), rectified(160, 120)).process(frame)
    assert np.nanmedian(result.disparity_px) == 8.0
    assert np.nanmedian(result.depth_m) == pytest.approx(10 / 8)
    shifted = rectified(160, 120, doffs_px=2.0)
    settings = Settings(num_disparities=32, min_disparity=0)
    assert np.nanmedian(build_pipeline(settings, shifted).process(frame).depth_m) == pytest.approx(1.0)
    assert set(result.stage_s) == {"decode", "rectify", "match", "filter", "depth"}
    np.testing.assert_array_equal(np.isnan(result.depth_m), np.isnan(result.disparity_px))


@pytest.mark.parametrize(("width", "height"), [(160, 120), (161, 121)])
def test_half_size_gives_full_size_pixels_and_disparity(width: int, height: int) -> None:
    frame = scene(width, height, 12.0)
    result = build_pipeline(Settings(num_disparities=32, scale=0.5), rectified(width, height)).process(frame)
    assert result.disparity_px.shape == result.depth_m.shape == (height, width)
    inner = result.disparity_px[8:-8, 24:-8]
    assert np.isfinite(inner).mean() > 0.95
    assert np.nanmedian(np.abs(inner - 12)) <= 0.25  # half the resolution, twice the step


def test_disparity_is_a_multiple_of_a_sixteenth() -> None:
    class Odd:
        def compute(self, left_gray: Any, right_gray: Any) -> MatchResult:
            return MatchResult(np.full(left_gray.shape, 3.3333, np.float32))

    found = Pipeline(Odd(), [], rectified(160, 120)).process(scene(160, 120, 4)).disparity_px
    assert (found == 3.3125).all()


def test_outside_what_both_cameras_see_is_nothing() -> None:
    result = build_pipeline(Settings(num_disparities=16), rectified(160, 120, roi=(40, 10, 100, 90))).process(
        scene(160, 120, 8)
    )
    known = np.isfinite(result.disparity_px)
    assert known[20:90, 50:130].mean() > 0.9
    known[10:100, 40:140] = False
    assert not known.any()
    assert not np.isfinite(result.depth_m)[:10].any()


def test_a_point_at_or_behind_infinity_has_no_depth() -> None:
    frame = scene(160, 120, -4.0)
    found = build_pipeline(Settings(num_disparities=16, min_disparity=-8), rectified(160, 120)).process(frame)
    assert np.nanmedian(found.disparity_px) == -4
    assert np.isnan(found.depth_m[np.abs(found.disparity_px + 4) < 1]).all()


def test_colour_is_rectified_only_when_asked_for() -> None:
    asked: list[int] = []

    class Counting(Rectification):
        def apply(self, image: Any, side: Any) -> Any:
            asked.append(image.ndim)
            return image

    at = rectified(160, 120)
    counting = Counting(**{k: getattr(at, k) for k in at.__dataclass_fields__})
    result = build_pipeline(Settings(num_disparities=16), counting).process(scene(160, 120, 4))
    assert asked == [2, 2]
    assert result.pair.left.shape == (120, 160, 3)
    assert asked == [2, 2, 3]


def test_wrong_sizes_are_told() -> None:
    at = replace(rectified(160, 120), source_size_wh={"left": (320, 240), "right": (160, 120)})
    with pytest.raises(RigError, match="left picture is 160x120; 320x240 was expected"):
        build_pipeline(Settings(num_disparities=16), at).process(scene(160, 120, 4))
    frame = scene(160, 120, 4)
    uneven = replace(frame, right=Frame(frame.right.image[:100], 0.0, 0))
    with pytest.raises(RigError, match="Left is 160x120 and right is 160x100"):
        build_pipeline(Settings(num_disparities=16), rectified(160, 120)).process(uneven)


def test_more_disparities_than_the_picture_is_wide_are_refused() -> None:
    with pytest.raises(SettingsError, match="only 160 px wide"):
        build_pipeline(Settings(num_disparities=176), rectified(160, 120))


def test_the_pipeline_knows_the_range_it_uses() -> None:
    pipeline = build_pipeline(Settings(min_depth=0.5), rectified(160, 120))
    assert pipeline.settings is not None
    assert (pipeline.settings.min_disparity, pipeline.settings.num_disparities) == (0, 32)
