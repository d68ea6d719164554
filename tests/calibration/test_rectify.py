"""Rectification: exact geometry for every lens and mounting, and maps that keep to it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from calibration.errors import CalibrationError
from calibration.lens import project_rays, rays_of_pixels
from calibration.rectify import SIDES, largest_rectangle, make_rectification, scale_rig, swap_rig, with_sizes
from calibration.rig import Array, Intrinsics, LensModel, StereoRig

PINHOLE = (-0.3, 0.1, 0.001, -0.001, 0.01)
RATIONAL = (2.0, 0.5, 1e-4, -2e-4, 0.01, 2.3, 0.9, 0.05)
FISHEYE = (-0.02, 0.005, -0.003, 0.0005)


def turn(pitch: float, yaw: float, roll: float) -> Array:
    return np.asarray(cv2.Rodrigues(np.radians([pitch, yaw, roll]))[0])


def camera(
    f: float, size: tuple[int, int], distortion: tuple[float, ...] = (0.0,) * 5, model: LensModel = "pinhole"
) -> Intrinsics:
    w, h = size
    K = np.array([[f, 0, w / 2 + 6.5], [0, f * 1.002, h / 2 - 4.5], [0, 0, 1]])
    return Intrinsics(K, np.array(distortion), model, size)


LEFT = camera(600, (640, 480), PINHOLE)
RIGHT = camera(606, (640, 480), (-0.28, 0.09, 0, 0, 0))
SMALL = turn(0.3, 1, 0.2)
BESIDE = np.array([-0.06, 0.0005, 0.001])
UPSIDE_DOWN = turn(0, 0, 180)

RIGS = {
    "pinhole": StereoRig(LEFT, RIGHT, SMALL, BESIDE),
    "rational": StereoRig(camera(500, (640, 480), RATIONAL, "rational"), RIGHT, SMALL, BESIDE),
    "fisheye": StereoRig(*[camera(250, (752, 480), FISHEYE, "fisheye")] * 2, SMALL, BESIDE),
    "fisheye beside pinhole": StereoRig(
        camera(300, (752, 480), FISHEYE, "fisheye"), camera(600, (1280, 720)), SMALL, BESIDE
    ),
    "two sizes": StereoRig(camera(950, (1280, 720)), LEFT, SMALL, BESIDE),
    "right below": StereoRig(LEFT, RIGHT, SMALL, np.array([0.001, -0.06, 0.001])),
    "right above": StereoRig(LEFT, RIGHT, SMALL, np.array([0.001, 0.06, 0.001])),
    "right upside down": StereoRig(LEFT, RIGHT, UPSIDE_DOWN @ SMALL, UPSIDE_DOWN @ BESIDE),
    "swapped": StereoRig(LEFT, RIGHT, SMALL, -BESIDE),
    "toe-in 20": StereoRig(LEFT, RIGHT, turn(0, 20, 0), turn(0, 10, 0) @ np.array([-0.3, 0, 0])),
    "plain but rolled": StereoRig(
        camera(600, (640, 480)), camera(600, (640, 480)), turn(0, 0, 2), np.array([-0.06, 0, 0])
    ),
}


@pytest.mark.parametrize("name", RIGS)
def test_points_land_on_one_row_and_their_disparity_gives_their_depth(name: str) -> None:
    rig = RIGS[name]
    rectification = make_rectification(rig, maps=False)
    rng = np.random.default_rng(0)
    w, h = rectification.size_wh
    pixels = np.column_stack([rng.uniform(0, w, 500), rng.uniform(0, h, 500)])
    z = rng.uniform(0.5, 8, 500)
    P_left, P_right = rectification.projection("left"), rectification.projection("right")
    rectified = np.column_stack([(pixels - P_left[:2, 2]) / P_left[0, 0], np.ones(500)]) * z[:, None]
    in_left = rectified @ rectification.R_rect_left
    in_right = in_left @ rig.R_right_left.T + rig.t_right_left_m
    left = rectification.rectify_points(project_rays(rig.left, in_left), "left")
    right = rectification.rectify_points(project_rays(rig.right, in_right), "right")
    both = np.isfinite(left).all(1) & np.isfinite(right).all(1)
    assert both.mean() > 0.8  # the rest is out of the right lens's reach
    left, right, z, rectified = left[both], right[both], z[both], rectified[both]
    assert np.abs(left[:, 1] - right[:, 1]).max() < 1e-8
    depth = rectification.focal_px * rectification.baseline_m / (left[:, 0] - right[:, 0] + rectification.doffs_px)
    assert np.abs(depth / z - 1).max() < 1e-8
    projected = np.column_stack([rectified, np.ones(len(z))]) @ P_right.T
    assert np.abs(projected[:, :2] / projected[:, 2:] - right).max() < 1e-7


@pytest.mark.parametrize("name", RIGS)
def test_maps_are_exact_to_their_step_without_bias_and_see_the_whole_picture(name: str) -> None:
    rectification = make_rectification(RIGS[name])
    x, y, w, h = rectification.roi
    width, height = rectification.size_wh
    assert w * h >= 0.97 * width * height  # alpha 0: at most a rounded rim is missing
    rng = np.random.default_rng(1)
    pixels = np.column_stack([rng.integers(x, x + w, 3000), rng.integers(y, y + h, 3000)])
    for side in SIDES:
        whole, fraction = rectification.maps[side]
        assert whole.dtype == np.int16 and fraction.dtype == np.uint16
        code = fraction[pixels[:, 1], pixels[:, 0]].astype(int)
        there = whole[pixels[:, 1], pixels[:, 0]] + np.column_stack([code % 32, code // 32]) / 32
        error = there - rectification.unrectify_points(pixels.astype(float), side)
        assert np.abs(error).max() < 1 / 64 + 5e-4  # half a step, and float32
        assert np.abs(error.mean(0)).max() < 1.5e-3  # a step's σ is 0.009; of 3000 pixels' mean, 0.0002
        raw_w, raw_h = rectification.source_size_wh[side]
        assert (there >= -0.02).all() and (there <= [raw_w - 0.98, raw_h - 0.98]).all()


@pytest.mark.parametrize(("name", "turns"), [("right below", 3), ("right above", 1), ("swapped", 2), ("pinhole", 0)])
def test_display_is_upright(name: str, turns: int) -> None:
    """A picture that is bright at its top and left stays so when rectified and turned back."""
    rig = RIGS[name]
    rectification = make_rectification(rig)
    v, u = np.mgrid[0:480, 0:640]
    for ramp, axis in ((255 - u / 639 * 255, 1), (255 - v / 479 * 255, 0)):
        shown = rectification.to_display(rectification.apply(ramp.astype(np.uint8), "left"))
        profile = shown.mean(axis=1 - axis)
        assert profile[5] > profile[-5] + 150
    assert rectification.display_turns == turns


def test_a_rectified_rig_is_left_alone() -> None:
    left = Intrinsics(
        np.array([[994.978, 0, 311.193], [0, 994.978, 254.877], [0, 0, 1]]), np.zeros(5), "pinhole", (741, 500)
    )
    right = Intrinsics(left.K + np.array([[0, 0, 31.086], [0, 0, 0], [0, 0, 0]]), np.zeros(5), "pinhole", (741, 500))
    rectification = make_rectification(StereoRig(left, right, np.eye(3), np.array([-0.193001, 0, 0])))
    assert not rectification.maps
    assert (rectification.focal_px, rectification.cx_px, rectification.cy_px) == (994.978, 311.193, 254.877)
    assert rectification.doffs_px == right.K[0, 2] - left.K[0, 2]
    assert (rectification.baseline_m, rectification.roi) == (0.193001, (0, 0, 741, 500))
    picture = np.arange(741 * 500, dtype=np.uint64).astype(np.uint8).reshape(500, 741)
    assert rectification.apply(picture, "left") is picture
    points = np.array([[1.0, 2.0]])
    assert np.array_equal(rectification.rectify_points(points, "right"), points)


@pytest.mark.parametrize(
    ("R", "t", "said"),
    [
        (turn(0, 84, 0), [-1.0, 0, 0.3], "84°"),
        (turn(0, 180, 0), [-1.0, 0, 0], "180°"),
        (turn(0, 0, 0), [-0.1, 0, 0.3], "in front of the other"),
        (turn(0, 0, 0), [0, 0, 0.3], "in front of the other"),
    ],
)
def test_what_cannot_be_rectified_is_refused_with_the_reason(R: Array, t: list[float], said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        make_rectification(StereoRig(LEFT, RIGHT, R, np.array(t)))


def test_views_without_a_common_field_are_refused() -> None:
    narrow = camera(3000, (640, 480))  # 12° wide, looking 30° apart up and down
    with pytest.raises(CalibrationError, match="in common"):
        make_rectification(StereoRig(narrow, narrow, turn(30, 0, 0), np.array([-0.1, 0, 0])))


def test_an_unknown_size_is_asked_for() -> None:
    bare = Intrinsics(LEFT.K, LEFT.distortion)
    rig = StereoRig(bare, bare, np.eye(3), np.array([-0.1, 0, 0]))
    with pytest.raises(CalibrationError, match="size"):
        make_rectification(rig)
    assert make_rectification(rig, sizes_wh=((640, 480), (640, 480))).size_wh == (640, 480)
    assert with_sizes(rig, (640, 480), (320, 240)).right.size_wh == (320, 240)


def test_wide_lenses_keep_most_of_a_useful_field() -> None:
    rectification = make_rectification(RIGS["fisheye"], maps=False)
    w, h = rectification.size_wh
    across = 2 * math.degrees(math.atan(w / 2 / rectification.focal_px))
    assert across > 120  # the lens sees 172°; a plane picture is useless beyond about 130°
    assert abs(rectification.cx_px - w / 2) < 0.1 * w and abs(rectification.cy_px - h / 2) < 0.1 * h
    assert rectification.focal_px > 0.5 * 250  # the middle keeps more than half its resolution


def test_content_beyond_the_fold_of_a_lens_model_is_not_shown_twice() -> None:
    # 1 − 0.35 r² folds at r = 0.98; the corners of this picture lie beyond.
    folding = camera(300, (640, 480), (-0.35, 0.02, 0, 0, 0))
    rectification = make_rectification(StereoRig(folding, folding, turn(0, 1, 0), np.array([-0.06, 0, 0])))
    pixels = np.array([[x, y] for x in (0.0, 639.0) for y in (0.0, 479.0)])
    assert np.isfinite(rectification.unrectify_points(pixels, "left")).all()
    assert np.isnan(rays_of_pixels(folding, np.array([[5000.0, 0.0]]))).all()


@pytest.mark.parametrize("model", ["pinhole", "rational", "fisheye"])
def test_lens_models_agree_with_opencv_and_invert(model: LensModel) -> None:
    values = {"pinhole": PINHOLE, "rational": RATIONAL, "fisheye": FISHEYE}[model]
    lens = camera(400, (640, 480), values, model)
    rng = np.random.default_rng(2)
    rays = np.column_stack([rng.uniform(-0.8, 0.8, (300, 2)), np.ones(300)])
    zero = np.zeros(3)
    if model == "fisheye":
        wanted = cv2.fisheye.projectPoints(rays[:, None], zero, zero, lens.K, lens.distortion)[0]
    else:
        wanted = cv2.projectPoints(rays, zero, zero, lens.K, lens.distortion)[0]
    pixels = project_rays(lens, rays)
    assert np.abs(pixels - wanted.reshape(-1, 2)).max() < 1e-9
    back = rays_of_pixels(lens, pixels)
    assert np.abs(back / back[:, 2:] - rays).max() < 1e-9


def test_scaling_keeps_pixel_centres() -> None:
    rig = RIGS["pinhole"]
    half = scale_rig(rig, (320, 240))
    # A ray through the corner of the picture (-0.5, -0.5) goes through the corner at every size.
    corner = np.array([[-0.5, -0.5]])
    assert np.allclose(rays_of_pixels(half.left, corner), rays_of_pixels(rig.left, corner), atol=1e-12)
    assert half.left.K[0, 2] == pytest.approx((rig.left.K[0, 2] + 0.5) / 2 - 0.5)
    assert np.allclose(scale_rig(half, (640, 480)).right.K, rig.right.K, atol=1e-12)
    with pytest.raises(CalibrationError, match="another shape"):
        scale_rig(rig, (640, 360))


def test_swapping_twice_is_nothing() -> None:
    rig = RIGS["pinhole"]
    again = swap_rig(swap_rig(rig))
    assert np.allclose(again.t_right_left_m, rig.t_right_left_m, atol=1e-15)
    assert swap_rig(rig).left is rig.right


def test_largest_rectangle_against_trying_all() -> None:
    rng = np.random.default_rng(3)
    for density in (0.6, 0.8, 0.95, 1.0, 0.0):
        mask = rng.random((9, 11)) < density
        x, y, w, h = largest_rectangle(mask)
        assert mask[y : y + h, x : x + w].all()
        best = max(
            (x1 - x0) * (y1 - y0)
            for y0 in range(9) for y1 in range(y0, 10) for x0 in range(11) for x1 in range(x0, 12)
            if mask[y0:y1, x0:x1].all()
        )  # fmt: skip
        assert w * h == best
