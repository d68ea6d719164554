"""Which disparities are searched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibration.rectify import Rectification
from livestereo.errors import SettingsError
from livestereo.ranges import DisparityRange, find_range, nearest_depth_m, reaching
from livestereo.settings import Settings

VGA = Rectification(size_wh=(640, 480), focal_px=600.0, cx_px=320, cy_px=240, baseline_m=0.06)


@pytest.mark.parametrize(("width", "count"), [(320, 64), (640, 128), (1280, 256), (1226, 256), (384, 80), (3000, 256)])
def test_by_default_a_fifth_of_the_width(width: int, count: int) -> None:
    assert find_range(Settings(), replace(VGA, size_wh=(width, 480))) == DisparityRange(0, count)


def test_from_depths_and_the_rig() -> None:
    # f·B = 36 px·m: 0.5 m is 72 px, 3 m is 12 px.
    found = find_range(Settings(min_depth=0.5, max_depth=3), VGA)
    assert found.minimum == 12
    assert found.maximum >= 72
    assert found.count == 64
    assert nearest_depth_m(found, VGA) <= 0.5


def test_doffs_move_the_range_so_that_infinity_is_inside() -> None:
    assert find_range(Settings(), replace(VGA, doffs_px=31.086)).minimum == -32
    assert find_range(Settings(min_depth=1), replace(VGA, doffs_px=-20)).minimum == 20


def test_pixels_win_over_depths() -> None:
    found = find_range(Settings(min_depth=0.5, max_depth=3, num_disparities=96, min_disparity=4), VGA)
    assert found == DisparityRange(4, 96)


def test_without_metres_what_is_searched_lies_before_the_cameras() -> None:
    relative = replace(VGA, metric=False)
    assert reaching(relative, -40).doffs_px > 40
    assert reaching(relative, 0) is relative and reaching(relative, 7) is relative
    assert reaching(VGA, -40) is VGA
    shifted = replace(relative, doffs_px=50.0)
    assert reaching(shifted, -40) is shifted


def test_a_range_known_from_matches_is_taken() -> None:
    rectification = replace(VGA, min_disparity_px=-24, disparity_span_px=50, metric=False)
    assert find_range(Settings(), rectification) == DisparityRange(-24, 64)


def test_half_size_covers_at_least_as_much() -> None:
    for low in range(-40, 41, 7):
        for count in (16, 48, 64, 240):
            full = DisparityRange(low, count)
            half = full.at_scale(0.5)
            assert half.minimum * 2 <= full.minimum
            assert half.maximum * 2 >= full.maximum
            assert half.count % 16 == 0


@pytest.mark.parametrize(
    ("settings", "rectification", "words"),
    [
        (Settings(num_disparities=656), VGA, "num_disparities is 656 px, but the picture is only 640 px wide"),
        (Settings(min_depth=0.05), VGA, "needs 736 px of disparity"),
        (Settings(min_depth=1), replace(VGA, metric=False), "rig that knows metres"),
        (Settings(min_disparity=-700), VGA, "min_disparity is -700 px"),
    ],
)
def test_what_cannot_be_is_refused(settings: Settings, rectification: Rectification, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        find_range(settings, rectification)
    assert words in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("size_wh", [(1, 1), (15, 480), (50, 1), (640, 7)])
def test_a_picture_too_small_to_match_is_told_with_a_size_that_helps(size_wh: tuple[int, int]) -> None:
    with pytest.raises(SettingsError) as refused:
        find_range(Settings(), replace(VGA, size_wh=size_wh))
    assert "{} x {} px".format(*size_wh) in refused.value.what and "16 x 8 px" in refused.value.fix
