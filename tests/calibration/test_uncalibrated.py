"""Two pictures and no rig: rectified where the matches carry it, left alone or refused where they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic.plane_views import U8, Plane, make_scene, render_pair, scene_points

from calibration.errors import CalibrationError
from calibration.lens import project_rays
from calibration.matches import Matches, find_matches
from calibration.quality import VerticalError, row_differences
from calibration.rectify import Rectification
from calibration.rig import Array, Intrinsics, StereoRig
from calibration.twoview import fit_two_view
from calibration.uncalibrated import fit_pair, rectify_from_matches, rectify_pair

SIZE = (320, 240)


def rig_of(
    angles: tuple[float, float, float], t: tuple[float, float, float], k1: float = 0.0, f: float = 280.0
) -> StereoRig:
    K = np.array([[f, 0, 162.0], [0, f, 117.0], [0, 0, 1]])
    K_right = np.array([[f * 1.01, 0, 158.0], [0, f * 1.01, 120.0], [0, 0, 1]])
    distortion = np.array([k1, 0.2 * abs(k1), 0, 0, 0])
    R = np.asarray(cv2.Rodrigues(np.radians(angles))[0])
    return StereoRig(
        Intrinsics(K, distortion, "pinhole", SIZE), Intrinsics(K_right, distortion, "pinhole", SIZE), R, np.array(t)
    )


def truth(scene: list[Plane], rig: StereoRig, made: Rectification) -> tuple[VerticalError, Array, Array]:
    """Row differences of exact correspondences, and each point's nearness as the result has it and as it is."""
    points = scene_points(scene, rig.left, 1500)
    left = made.rectify_points(project_rays(rig.left, points), "left")
    right = made.rectify_points(project_rays(rig.right, points @ rig.R_right_left.T + rig.t_right_left_m), "right")
    return row_differences(left, right), left[:, 0] - right[:, 0] + made.doffs_px, 1 / points[:, 2]


@pytest.mark.parametrize(
    ("angles", "t", "k1", "turns"),
    [
        ((1, 1, 2), (-0.06, 0.003, 0.004), -0.25, 0),  # by hand, a lens with barrel distortion
        ((0.5, -2, -5), (-0.06, -0.006, -0.005), 0.0, 0),
        ((-3, 3, 8), (-0.06, 0.01, 0.01), -0.1, 0),
        ((0.4, 0.5, 0.3), (0.001, -0.06, 0.001), 0.0, 3),  # the second photo from below
        ((0.4, 0.5, 1), (0.06, 0, 0), 0.0, 2),  # the second photo from the left: swapped
    ],
)
def test_rows_are_common_and_near_is_near(
    angles: tuple[float, float, float], t: tuple[float, float, float], k1: float, turns: int
) -> None:
    scene = make_scene(2)
    rig = rig_of(angles, t, k1)
    fit = fit_pair(*render_pair(scene, rig))
    made = fit.rectification
    error, nearness, true_nearness = truth(scene, rig, made)
    assert error.median_px is not None and error.p90_px is not None and fit.heldout.median_px is not None
    assert error.median_px < 0.1 and error.p90_px < 0.4
    assert fit.heldout.median_px < 0.2  # the matches' own noise is in it
    seen = np.isfinite(nearness)
    assert np.corrcoef(nearness[seen], true_nearness[seen])[0, 1] > 0.98
    assert (nearness[seen] > 0).mean() > 0.97  # in front of the cameras
    assert made.display_turns == turns and not made.metric
    low, span = made.min_disparity_px, made.disparity_span_px
    assert low is not None and span is not None
    disparity = nearness[seen] - made.doffs_px
    assert ((disparity >= low) & (disparity < low + span)).mean() > 0.98
    assert span < 70  # no wider than the scene needs


def test_little_is_warped_where_little_is_wrong() -> None:
    scene = make_scene(4)
    rig = rig_of((0.5, 0, 0.5), (-0.06, 0, 0))
    left, right = (np.asarray(cv2.cvtColor(p, cv2.COLOR_GRAY2BGR), np.uint8) for p in render_pair(scene, rig))
    made = rectify_from_matches(left, right)
    # How far the corners of the left picture move, against one that is only shifted and scaled.
    corners = np.array([[0, 0], [319, 0], [0, 239], [319, 239], [160, 120]], float)
    moved = made.rectify_points(corners, "left")
    design = np.column_stack([corners, np.ones(5)])
    rest = moved - design @ np.linalg.lstsq(design, moved, rcond=None)[0]
    assert np.abs(rest).max() < 3.2  # 1 % of the width of anything but an affine change
    scale = np.linalg.norm(moved[1] - moved[0]) / 319
    assert 0.85 < scale < 1.25


def test_a_rectified_pair_is_left_alone() -> None:
    camera = Intrinsics(np.array([[280.0, 0, 159.5], [0, 280, 119.5], [0, 0, 1]]), np.zeros(5), "pinhole", SIZE)
    rig = StereoRig(camera, camera, np.eye(3), np.array([-0.06, 0, 0]))
    made = rectify_pair(*render_pair(make_scene(5), rig))
    assert not made.maps and made.size_wh == SIZE and not made.metric
    assert "counts as rectified" in made.notes[0]


def shifted_pair(shift_px: float) -> tuple[StereoRig, list[Plane]]:
    """Rectified, with points of no disparity where parallel cameras would see `shift_px`."""
    K = np.array([[280.0, 0, 159.5], [0, 280, 119.5], [0, 0, 1]])
    K_right = K + np.array([[0, 0, shift_px], [0, 0, 0], [0, 0, 0]])
    left, right = (Intrinsics(one, np.zeros(5), "pinhole", SIZE) for one in (K, K_right))
    return StereoRig(left, right, np.eye(3), np.array([-0.06, 0, 0])), make_scene(5)


def test_a_pair_shifted_for_a_screen_has_depth_on_both_sides_of_it() -> None:
    # 280 px · 0.06 m: 4 px at the wall, 21 px at the nearest.
    rig, scene = shifted_pair(9.0)
    made = rectify_pair(*render_pair(scene, rig))
    assert not made.maps and any("negative disparity" in note for note in made.notes)
    _, nearness, true_nearness = truth(scene, rig, made)
    seen = np.isfinite(nearness)
    assert made.min_disparity_px is not None and made.disparity_span_px is not None
    disparity = nearness[seen] - made.doffs_px
    assert made.min_disparity_px < disparity.min()
    assert disparity.max() < made.min_disparity_px + made.disparity_span_px
    assert nearness[seen].min() > 0
    assert np.corrcoef(nearness[seen], true_nearness[seen])[0, 1] > 0.99


def test_a_pair_that_may_be_exchanged_is_told() -> None:
    rig, scene = shifted_pair(40.0)
    made = rectify_pair(*render_pair(scene, rig))
    assert made.min_disparity_px is None and made.doffs_px == 0
    (told,) = (note for note in made.notes if "--swap" in note)
    assert "--min-disparity -" in told


@pytest.mark.parametrize(
    ("yaw", "t", "told"),
    [(55.0, (-1.0, 0.0, 0.1), r"look about 5\d° apart"), (1.0, (-0.1, 0.05, -0.7), "from before or behind the first")],
)
def test_motions_that_leave_no_common_view_are_named(yaw: float, t: tuple[float, float, float], told: str) -> None:
    rig = rig_of((2, yaw, 1), t, f=265)
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-1.5, 1.5, (600, 2)), rng.uniform(1.5, 4.0, 600)])
    seen = project_rays(rig.left, points), project_rays(rig.right, points @ rig.R_right_left.T + rig.t_right_left_m)
    inside = np.all([(side > 0).all(1) & (side < np.array(SIZE) - 1).all(1) for side in seen], axis=0)
    left, right = (side[inside] + rng.normal(0, 0.1, side[inside].shape) for side in seen)
    blank: U8 = np.full(SIZE[::-1], 120, np.uint8)
    with pytest.raises(CalibrationError, match=told):
        fit_pair(blank, blank, matches=Matches(left, right, np.full(len(left), 0.1), len(left)))


def test_a_pair_that_is_off_by_half_a_pixel_here_and_two_there_is_mended() -> None:
    # Median below 1 px, but the rim is off: roll of 0.4° and a pitch.
    scene = make_scene(6)
    rig = rig_of((0.05, 0, 0.4), (-0.06, 0, 0), f=280)
    made = rectify_pair(*render_pair(scene, rig))
    error = truth(scene, rig, made)[0]
    assert made.maps and error.p90_px is not None and error.p90_px < 0.3


def test_a_known_focal_length_is_used() -> None:
    scene = make_scene(7, count=3)
    rig = rig_of((1, 1, 1), (-0.06, 0, 0), f=480)
    left, right = render_pair(scene, rig)
    told = fit_pair(left, right, focal_px=(480.0, None)).view.rig.left.focal_px
    assert told == pytest.approx(480, rel=0.08)


@pytest.mark.parametrize("zoom", [0.7, 1.35])
def test_two_cameras_that_see_more_and_less_are_rectified(zoom: float) -> None:
    scene = make_scene(2)
    rig = rig_of((1, 1, 2), (-0.06, 0.003, 0.0))
    K = rig.right.K * np.array([[zoom, 1, 1], [1, zoom, 1], [1, 1, 1]])
    rig = replace(rig, right=replace(rig.right, K=K))
    pair = render_pair(scene, rig)
    assert find_matches(*pair).zoom == pytest.approx(zoom, rel=0.05)
    error, nearness, true_nearness = truth(scene, rig, fit_pair(*pair).rectification)
    assert error.median_px is not None and error.median_px < 0.3
    seen = np.isfinite(nearness) & np.isfinite(true_nearness)
    assert np.corrcoef(nearness[seen], true_nearness[seen])[0, 1] > 0.9


def test_a_camera_that_sees_the_middle_alone_is_enough() -> None:
    scene = make_scene(2)
    rig = rig_of((0.5, 0.5, 1), (-0.06, 0.002, 0.0))
    left, right = render_pair(scene, rig)
    made = rectify_pair(left, np.ascontiguousarray(right[50:190, 70:260]))
    assert made.maps and made.roi[2] * made.roi[3] > 0.5 * 140 * 190


def test_a_mirrored_picture_is_refused_with_its_mend() -> None:
    left, right = render_pair(make_scene(2), rig_of((0, 0, 0), (-0.06, 0, 0)))
    with pytest.raises(CalibrationError, match=r"mirror image.*--flip h,none"):
        rectify_pair(left, np.ascontiguousarray(right[:, ::-1]))


def test_two_different_scenes_are_refused() -> None:
    rig = rig_of((0, 0, 0), (-0.06, 0, 0))
    left, other = render_pair(make_scene(0), rig)[0], render_pair(make_scene(8), rig)[1]
    for rectify in (rectify_from_matches, rectify_pair):
        with pytest.raises(CalibrationError, match=r"matched.*calibrate"):
            rectify(left, other)


def test_blank_pictures_are_refused_with_the_reason() -> None:
    blank: U8 = np.full((240, 320), 120, np.uint8)
    with pytest.raises(CalibrationError, match="texture"):
        rectify_pair(blank, blank)


def test_a_scene_that_moved_is_refused_or_still_right() -> None:
    """Half of the posters moved between the photos: no one motion explains all."""
    rig = rig_of((1, 1, 1), (-0.06, 0, 0))
    scene = make_scene(2)
    moved = [
        Plane(p.corner + np.array([0.0, 0.03 * p.corner[2], 0]), p.u, p.v, p.texture) if i % 2 else p
        for i, p in enumerate(scene)
    ]
    left, right = render_pair(scene, rig)[0], render_pair(moved, rig)[1]
    try:
        fit = fit_pair(left, right)
    except CalibrationError as error:
        assert "matched points" in error.what
    else:
        assert fit.heldout.median_px is not None and fit.heldout.median_px < 1


@pytest.mark.realdata
def test_the_unrectified_scenes_of_a_real_rig(real_data: Callable[[str], Path]) -> None:
    scenes = sorted((real_data("stereopi_tutorial") / "scenes").glob("*.png"))
    assert scenes
    for path in scenes:
        picture = np.asarray(cv2.imread(str(path)), np.uint8)
        half = picture.shape[1] // 2
        fit = fit_pair(np.ascontiguousarray(picture[:, :half]), np.ascontiguousarray(picture[:, half:]))
        assert fit.heldout.median_px is not None and fit.heldout.median_px <= 0.2, path.name


def test_plain_lenses_stay_plain_whatever_the_matches_say() -> None:
    rig, scene = shifted_pair(0.0)
    points = scene_points(scene, rig.left, 400)
    left = project_rays(rig.left, points)
    right = project_rays(rig.right, points + rig.t_right_left_m)
    right[:, 1] += 1.5 * np.sin(right[:, 0] / 40)  # no lens does that
    matches = Matches(left, right, np.full(len(left), 0.1), len(left))
    wild, plain = (fit_two_view(matches, SIZE, SIZE, plain_lenses=is_plain).values for is_plain in (False, True))
    assert abs(plain["focal"]) < 0.1 and abs(plain["k1"]) < 0.1
    assert abs(plain["k1"]) < 0.5 * abs(wild["k1"])


@pytest.mark.realdata
def test_pictures_that_would_make_wild_lenses_are_rectified_with_plain_ones(
    real_data: Callable[[str], Path],
) -> None:
    folder = real_data("oakd_stereodemo")
    left, right = (
        np.ascontiguousarray(np.rot90(np.asarray(cv2.imread(str(folder / f"kid_bedroom_{side}.png")), np.uint8)))
        for side in ("left", "right")
    )
    made = rectify_pair(left, right)
    assert made.maps and made.roi[2] * made.roi[3] > 0.35 * made.size_wh[0] * made.size_wh[1]
