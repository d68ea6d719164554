"""What is done to a pair before `sgm` matches it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from livestereo.matchers import sgm_prepare as prepare
from livestereo.types import U8


def blobs(seed: int = 0, height: int = 240, width: int = 320) -> U8:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width))
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.clip(128 + 60 * smooth / smooth.std(), 20, 235).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
def test_noise_is_measured(sigma):
    noisy = blobs() + np.random.default_rng(1).normal(0, sigma, (240, 320))
    found = prepare.noise_level(np.clip(noisy, 0, 255).round().astype(np.uint8))
    assert found == pytest.approx(sigma, rel=0.2)  # a tenth of the blocks is chosen low: a few percent of bias


def test_a_clean_or_a_tiny_picture_has_no_noise():
    assert prepare.noise_level(blobs()) < 0.5
    assert prepare.noise_level(np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)) == 0


def test_pictures_are_smoothed_only_when_noisy_or_asked():
    clean = blobs()
    noisy = np.clip(clean + np.random.default_rng(1).normal(0, 6, clean.shape), 0, 255).astype(np.uint8)
    assert prepare.smooth(clean, clean, "auto")[0] is clean
    assert prepare.smooth(noisy, noisy, "off")[0] is noisy
    assert prepare.smooth(noisy, noisy, "auto")[0].std() < noisy.std()
    assert prepare.smooth(clean, clean, "on")[1] is not clean


def test_what_one_camera_clips_is_clipped_in_the_other():
    left = blobs()
    right = np.clip(left * 1.4 + 8, 0, 255).astype(np.uint8)
    clipped_left, same_right = prepare.clip_alike(left, right)
    assert same_right is right
    # The part at the top is that of the other picture, to within one grey level's worth of pixels.
    at_top = (clipped_left == clipped_left.max()).mean()
    assert at_top == pytest.approx((right == 255).mean(), abs=0.02)
    np.testing.assert_array_equal(
        clipped_left[clipped_left < clipped_left.max()], left[clipped_left < clipped_left.max()]
    )
    other_way, _ = prepare.clip_alike(right, left)
    assert other_way is right


def test_dark_clipping_counts_too():
    left = blobs()
    right = np.clip(left.astype(int) - 60, 0, 255).astype(np.uint8)
    clipped, _ = prepare.clip_alike(left, right)
    assert (clipped == clipped.min()).mean() == pytest.approx((right == 0).mean(), abs=0.02)


def test_equal_exposure_changes_nothing():
    left, right = blobs(0), blobs(1)
    assert prepare.clip_alike(left, right)[0] is left


def test_points_are_spread_and_keep_off_the_border():
    points = prepare.textured_points(blobs())
    assert len(points) > 150
    assert points.min() >= prepare.MARGIN
    assert np.all(points < np.array([240, 320]) - prepare.MARGIN)
    quarters = {(int(y > 120), int(x > 160)) for y, x in points}
    assert len(quarters) == 4


@pytest.mark.parametrize("picture", [np.zeros((240, 320), np.uint8), np.zeros((5, 5), np.uint8)])
def test_no_points_where_there_is_no_texture(picture):
    assert prepare.textured_points(picture).shape == (0, 2)


def test_a_tilt_is_fitted_through_outliers():
    rng = np.random.default_rng(0)
    points = np.stack([rng.integers(8, 232, 250), rng.integers(8, 312, 250)], axis=1)
    true = np.array([0.6, 0.8, -0.5])
    y, x = points.T
    offsets = true[0] + true[1] * (x - 160) / 320 + true[2] * (y - 120) / 240 + rng.normal(0, 0.15, 250)
    offsets[:60] = rng.uniform(-2, 2, 60)  # a quarter is wrong
    offsets[60:90] = np.nan
    tilt = prepare.fit_tilt(points, offsets.astype(np.float32), (320, 240))
    assert tilt is not None
    np.testing.assert_allclose(tilt, true, atol=0.15)  # σ 0.15 / √160 ≈ 0.01 in the middle, 4 times that for slopes


def test_no_tilt_from_few_points_or_from_noise():
    rng = np.random.default_rng(0)
    points = np.stack([rng.integers(8, 232, 200), rng.integers(8, 312, 200)], axis=1)
    wild = rng.uniform(-2, 2, 200).astype(np.float32)
    assert prepare.fit_tilt(points, wild, (320, 240)) is None
    few = np.full(200, np.nan, np.float32)
    few[:20] = 1
    assert prepare.fit_tilt(points, few, (320, 240)) is None


def test_levelling_moves_rows_by_the_tilt_and_leaves_small_ones():
    picture = blobs()
    assert prepare.levelled(picture, None) is picture
    assert prepare.levelled(picture, np.array([0.1, 0.1, 0.05])) is picture
    moved = prepare.levelled(picture, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(moved[:-1], picture[1:])
