"""What `sgm` answers on scenes whose truth is known exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

pytest.importorskip("numba")

from livestereo.errors import SettingsError
from livestereo.matchers import MATCHERS
from livestereo.matchers.sgm import SgmConfig, SgmMatcher, warm_up
from livestereo.parameters import PARAMETERS
from livestereo.settings import Settings
from livestereo.types import F32, U8

WIDTH, HEIGHT = 200, 96


def texture(seed: int = 0, width: int = 400, height: int = HEIGHT + 16) -> U8:
    """Random blobs of a few px, so that sub-pixel shifts can be rendered by interpolation."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    blurred = cv2.GaussianBlur(noise, (7, 7), 1.5).astype(np.float32)
    return np.clip((blurred - 128) * 4 + 128, 0, 255).astype(np.uint8)


def scene(disparity: F32, down: F32 | float = 0.0, seed: int = 0) -> tuple[U8, U8]:
    """Render a pair from the right view's texture: left (x, y) shows right (x − disparity, y + down)."""
    base = texture(seed)
    y, x = np.indices((HEIGHT, WIDTH)).astype(np.float32)
    right = base[8 : 8 + HEIGHT, 100 : 100 + WIDTH]
    at_x, at_y = (x - disparity + 100).astype(np.float32), np.asarray(y + down + 8, np.float32)
    left = cv2.remap(base, at_x, at_y, cv2.INTER_CUBIC)
    return np.asarray(left, np.uint8), np.ascontiguousarray(right)


def flat(value: float) -> F32:
    return np.full((HEIGHT, WIDTH), value, np.float32)


def inner(disparity: F32) -> F32:
    """Leave out what the right camera does not see, and the borders."""
    return disparity[4:-4, 48:-4]


@pytest.mark.parametrize("value", [5.0, 12.25, 20.5, 33.875])
def test_a_plane_is_found_below_the_pixel(value):
    found = inner(SgmMatcher(SgmConfig(num_disparities=48)).compute(*scene(flat(value))).disparity_px)
    assert np.isfinite(found).mean() > 0.97
    assert abs(np.nanmedian(found) - value) <= 1 / 8  # the fit's own bias, largest at quarters of a pixel
    assert np.nanmean(np.abs(found - value) > 0.5) < 0.01


def test_a_slope_is_not_locked_to_whole_pixels():
    slope = np.tile(np.linspace(8, 30, WIDTH, dtype=np.float32), (HEIGHT, 1))
    found = inner(SgmMatcher(SgmConfig(num_disparities=48)).compute(*scene(slope)).disparity_px)
    known = np.isfinite(found)
    shares, truth = (np.histogram(v[known] % 1, 8, (0, 1))[0] / known.sum() for v in (found, inner(slope)))
    assert np.all(shares / truth < 1.3) and np.all(shares / truth > 0.7)


@pytest.mark.parametrize("offset", [-40, -7, 20])
def test_a_range_with_an_offset(offset):
    value = offset + 13.5
    config = SgmConfig(num_disparities=32, min_disparity=offset)
    found = SgmMatcher(config).compute(*scene(flat(value))).disparity_px
    x = np.arange(WIDTH)
    seen = (x - value > 4) & (x - value < WIDTH - 5)
    assert np.isfinite(found[:, seen]).mean() > 0.95
    assert abs(np.nanmedian(found) - value) <= 1 / 8
    seen_at = (x - found)[np.isfinite(found)]
    assert seen_at.min() > -1 and seen_at.max() < WIDTH  # no answer points outside the right picture


def test_left_columns_are_kept_as_far_as_the_right_camera_sees_them():
    found = SgmMatcher(SgmConfig(num_disparities=128)).compute(*scene(flat(10))).disparity_px
    assert np.isfinite(found[:, :10]).mean() < 0.3  # nobody saw them from the right
    assert np.isfinite(found[:, 14:128]).mean() > 0.97  # a matcher without room loses them all


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (40, 30), (63, 65), (130, 48)])
def test_any_size_even_smaller_than_the_range(size):
    width, height = size
    picture = texture()[:height, :width]
    found = SgmMatcher(SgmConfig(num_disparities=128)).compute(picture, picture).disparity_px
    assert found.shape == (height, width) and found.dtype == np.float32
    if width > 30:
        assert np.nanmedian(found) == 0


def test_exposure_does_not_matter_until_pictures_clip():
    left, right = scene(flat(12))
    brighter = np.clip(right * 1.25 + 8, 0, 255).round().astype(np.uint8)
    assert (brighter == 255).mean() > 0.05  # it does clip
    found = inner(SgmMatcher(SgmConfig(num_disparities=48)).compute(left, brighter).disparity_px)
    assert (np.abs(found - 12) < 0.5).mean() > 0.97


@pytest.mark.parametrize("down", [1.0, -1.0, 0.5])
def test_a_vertical_error_is_taken_away(down):
    pair = scene(flat(12), down)
    good = {}
    for level in (True, False):
        config = SgmConfig(num_disparities=48, level_rows=level)
        good[level] = (np.abs(inner(SgmMatcher(config).compute(*pair).disparity_px) - 12) < 0.5).mean()
    assert good[True] > 0.97
    assert good[True] >= good[False]


def test_a_tilted_vertical_error_is_taken_away():
    down = np.tile(np.linspace(-1.5, 1.5, WIDTH, dtype=np.float32), (HEIGHT, 1))
    pair = scene(flat(12), down)
    good = [
        (np.abs(inner(SgmMatcher(SgmConfig(num_disparities=48, level_rows=on)).compute(*pair).disparity_px) - 12) < 0.5)
        for on in (True, False)
    ]
    assert good[0].mean() > 0.95 > good[1].mean()


def test_matchers_in_threads_agree_with_one_alone():
    pairs = [scene(flat(6 + 3 * i), seed=i) for i in range(6)]
    config = SgmConfig(num_disparities=48)
    one = SgmMatcher(config)
    alone = [one.compute(*pair).disparity_px for pair in pairs]
    matchers = [SgmMatcher(config) for _ in range(3)]
    with ThreadPoolExecutor(3, "livestereo-test") as pool:
        together = list(pool.map(lambda i: matchers[i % 3].compute(*pairs[i]).disparity_px, [0, 1, 2]))
        together += list(pool.map(lambda i: matchers[i % 3].compute(*pairs[i]).disparity_px, [3, 4, 5]))
    for a, b in zip(alone, together):
        np.testing.assert_array_equal(a, b)


def test_results_are_new_and_pictures_are_left_alone():
    left, right = scene(flat(12))
    matcher = SgmMatcher(SgmConfig(num_disparities=48, smoothing="on"))
    for picture in (left, right):
        picture.setflags(write=False)
    first = matcher.compute(left, right).disparity_px
    kept = first.copy()
    other = scene(flat(30), seed=5)
    matcher.compute(*other)
    np.testing.assert_array_equal(first, kept)


def test_slices_of_larger_pictures_give_the_same():
    left, right = scene(flat(12))
    wide = [np.pad(picture, ((2, 2), (5, 5))) for picture in (left, right)]
    matcher = SgmMatcher(SgmConfig(num_disparities=48))
    slices = [picture[2:-2, 5:-5] for picture in wide]
    np.testing.assert_array_equal(matcher.compute(*slices).disparity_px, matcher.compute(left, right).disparity_px)


def test_the_range_of_one_size_does_not_leak_into_the_next():
    matcher = SgmMatcher(SgmConfig(num_disparities=48))
    small = texture(1)[:40, :70]
    matcher.compute(*scene(flat(12)))
    again = matcher.compute(small, small).disparity_px
    fresh = SgmMatcher(SgmConfig(num_disparities=48)).compute(small, small).disparity_px
    np.testing.assert_array_equal(again, fresh)


@pytest.mark.parametrize(
    "values",
    [{"num_disparities": 100}, {"num_disparities": 272}, {"num_disparities": 0}, {"p1": 40}, {"p2": 101},
     {"uniqueness": 61}, {"min_disparity": 5000}, {"smoothing": "perhaps"}, {"paths": 3}],
)  # fmt: skip
def test_wrong_settings_are_refused(values):
    with pytest.raises(ValidationError):
        SgmConfig(**values)


def test_pictures_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        SgmMatcher(SgmConfig(num_disparities=48)).compute(np.zeros((40, 50), np.uint8), np.zeros((40, 51), np.uint8))


def test_it_is_built_from_settings():
    settings = Settings.make({"matcher": "sgm", "sgm_p1": 5, "sgm_p2": 20, "uniqueness": 9})
    matcher = MATCHERS["sgm"](settings, -3, 48)
    assert isinstance(matcher, SgmMatcher)
    config = matcher.config
    assert (config.p1, config.p2, config.uniqueness, config.min_disparity) == (5, 20, 9, -3)
    with pytest.raises(SettingsError, match="256"):
        MATCHERS["sgm"](settings, 0, 272)


@pytest.mark.parametrize("end", ["minimum", "maximum"])
@pytest.mark.parametrize("name", ["uniqueness", "left_right", "sgm_p2", "min_disparity"])
def test_whatever_a_slider_offers_is_taken_or_refused_in_our_words(name: str, end: str) -> None:
    value = int(getattr(PARAMETERS[name], end))
    settings = Settings.make({"matcher": "sgm", "sgm_p1": 1, name: value})
    if name == "min_disparity":
        with pytest.raises(SettingsError, match="-1024 to 1024 px"):
            MATCHERS["sgm"](settings, value, 48)
    else:
        assert isinstance(MATCHERS["sgm"](settings, 0, 48), SgmMatcher)


def test_warming_up_tells_nothing_where_all_is_compiled():
    config = SgmConfig(num_disparities=48)
    warm_up(config, (64, 48))
    said: list[str] = []
    warm_up(config, (64, 48), said.append)
    assert said == []
