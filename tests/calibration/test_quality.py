"""What two pictures of any scene say of their rig, and that it is said when they say nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from synthetic.plane_views import U8, make_scene, render_pair

from calibration.lens import project_rays
from calibration.matches import find_matches
from calibration.quality import arrangement, is_swapped, row_differences, vertical_error
from calibration.rig import Array, Intrinsics, StereoRig

SIZE = (320, 240)


def turn(pitch: float, yaw: float, roll: float) -> Array:
    return np.asarray(cv2.Rodrigues(np.radians([pitch, yaw, roll]))[0])


def make_rig(R: Array | None = None) -> StereoRig:
    camera = Intrinsics(np.array([[288.0, 0, 159.5], [0, 288, 119.5], [0, 0, 1]]), np.zeros(5), "pinhole", SIZE)
    return StereoRig(camera, camera, np.eye(3) if R is None else R, np.array([-0.06, 0, 0]))


@pytest.fixture(scope="module")
def pair() -> tuple[U8, U8]:
    return render_pair(make_scene(0), make_rig())


def test_a_rectified_pair_has_no_vertical_error(pair: tuple[U8, U8]) -> None:
    error = vertical_error(*pair)
    assert error.known and error.median_px is not None and error.offset_px is not None
    assert error.median_px < 0.05  # what tracking itself is worth on clean pictures
    assert abs(error.offset_px) < 0.01
    assert error.swapped is False and error.count > 200


def test_matches_are_where_the_scene_says() -> None:
    """Against exact geometry: points on their epipolar lines, to the tracking's noise, in an unrectified pair."""
    rig = make_rig(turn(1, -2, 3))
    left, right = render_pair(make_scene(1), rig)
    found = find_matches(left, right)
    rays = np.column_stack([(found.left_px - [159.5, 119.5]) / 288, np.ones(len(found))])
    # The right point must be the picture of the left one at some depth: the nearest over all depths.
    depths = 1 / np.linspace(1 / 6, 1 / 0.5, 2000)
    at = np.stack([project_rays(rig.right, rays * z @ rig.R_right_left.T + rig.t_right_left_m) for z in depths])
    off = np.linalg.norm(at - found.right_px, axis=2).min(0)
    assert found.enough and len(found) > 200
    assert np.median(off) < 0.08 and np.percentile(off, 95) < 0.5


@pytest.mark.parametrize("pitch_px", [-2.0, 0.3])
def test_a_pitched_camera_is_measured(pitch_px: float) -> None:
    left, right = render_pair(make_scene(0), make_rig(turn(np.degrees(np.arctan(pitch_px / 288)), 0, 0)))
    error = vertical_error(left, right)
    assert error.offset_px is not None and error.median_px is not None
    # Pitch by a: points move by f tan a in the middle and up to 8 % more at the top and bottom.
    assert error.offset_px == pytest.approx(pitch_px, rel=0.08, abs=0.03)
    assert error.median_px == pytest.approx(abs(pitch_px), rel=0.08, abs=0.05)


def test_exchanged_turned_and_mirrored_pictures_are_found(pair: tuple[U8, U8]) -> None:
    left, right = pair
    assert arrangement(left, right).swapped is False
    assert arrangement(right, left).swapped is True
    assert vertical_error(right, left).swapped is True
    assert arrangement(left, np.ascontiguousarray(right[::-1, ::-1])).rotated_deg == 180
    assert arrangement(left, np.ascontiguousarray(np.rot90(right, -1))).rotated_deg == 90
    mirrored = arrangement(left, np.ascontiguousarray(right[:, ::-1]))
    assert mirrored.mirrored and mirrored.known


def test_order_is_left_open_where_points_move_both_ways() -> None:
    assert is_swapped(np.concatenate([np.full(50, 5.0), np.full(50, -5.0)])) is None
    assert is_swapped(np.full(500, 0.2)) is None
    assert is_swapped(np.full(50, -3.0)) is True


@pytest.mark.parametrize(
    ("kind", "said"), [("dark", "dark"), ("bright", "bright"), ("wall", "texture"), ("noise", "two different scenes")]
)
def test_what_cannot_be_known_is_said(kind: str, said: str, pair: tuple[U8, U8]) -> None:
    rng = np.random.default_rng(0)

    def noise() -> U8:
        return np.asarray(cv2.GaussianBlur(rng.integers(0, 255, SIZE[::-1]).astype(np.uint8), (0, 0), 1.5), np.uint8)

    pictures = {
        "dark": (np.zeros(SIZE[::-1], np.uint8), pair[1]),
        "bright": (pair[0], np.full(SIZE[::-1], 255, np.uint8)),
        "wall": (np.full(SIZE[::-1], 128, np.uint8), pair[1]),
        "noise": (noise(), noise()),
    }[kind]
    error = vertical_error(*pictures)
    assert not error.known and error.median_px is None and said in error.why


def test_two_different_scenes_are_not_measured(pair: tuple[U8, U8]) -> None:
    other = render_pair(make_scene(9), make_rig())[1]
    assert not vertical_error(pair[0], other).known


def test_a_wall_with_little_texture_can_still_be_measured() -> None:
    left, right = render_pair(make_scene(3, plain=0.93), make_rig(turn(0.2, 0, 0)), noise=0.7)
    error = vertical_error(left, right)
    assert error.known and error.offset_px is not None
    assert error.offset_px == pytest.approx(288 * np.tan(np.radians(0.2)), abs=0.15)


def test_large_photos_are_matched_in_their_own_pixels(pair: tuple[U8, U8]) -> None:
    big = [np.asarray(cv2.resize(p, None, fx=7.5, fy=7.5, interpolation=cv2.INTER_CUBIC), np.uint8) for p in pair]
    small, large = find_matches(*pair), find_matches(*big)
    assert large.enough
    places = (large.left_px + 0.5) / 7.5 - 0.5
    away = np.linalg.norm(places[:, None] - small.left_px[None], axis=2)
    nearest = away.argmin(1)[away.min(1) < 1.5]
    grown = (large.left_px - large.right_px)[away.min(1) < 1.5, 0] / 7.5
    assert len(nearest) > 100
    assert np.median(np.abs(grown - (small.left_px - small.right_px)[nearest, 0])) < 0.1
    assert np.median(np.abs(large.left_px[:, 1] - large.right_px[:, 1])) < 7.5 * 0.06


def test_wrong_matches_do_not_move_the_figures() -> None:
    rng = np.random.default_rng(0)
    left = rng.uniform(0, 400, (400, 2))
    right = left - [12.0, 0] + rng.normal(0, 0.1, (400, 2))
    right[:30] += rng.uniform(-60, 60, (30, 2))
    error = row_differences(left, right)
    assert error.rms_px == pytest.approx(0.1, rel=0.15) and error.median_px == pytest.approx(0.0674, rel=0.25)
