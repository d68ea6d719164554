"""A yaw that the rows show: judged by depth, told, and not taken for exchanged pictures."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from synthetic.plane_views import make_scene, render_pair

from calibration.drift import fit_drift, is_exchanged
from calibration.lens import project_rays, rays_of_pixels
from calibration.recheck import Recheck, yaw_verdict
from calibration.rectify import Rectification, make_rectification
from calibration.rig import Array, Intrinsics, StereoRig
from calibration.rigfile import RigFile


def make_rig(width: int) -> StereoRig:
    w, h, f = width, width * 3 // 4, 0.94 * width
    K = np.array([[f, 0, w / 2], [0, f, h / 2], [0, 0, 1]])
    camera = Intrinsics(K, np.array([-0.2, 0.05, 0, 0, 0]), "pinhole", (w, h))
    R = np.asarray(cv2.Rodrigues(np.radians([0.2, 0.8, -0.3]))[0], dtype=np.float64)
    return StereoRig(camera, camera, R, -R @ np.array([0.06, 0, 0]))


def yawed(rig: StereoRig, degrees: float) -> StereoRig:
    bump = np.asarray(cv2.Rodrigues(np.radians([0, degrees, 0]))[0], dtype=np.float64)
    return dataclasses.replace(rig, R_right_left=bump @ rig.R_right_left, t_right_left_m=bump @ rig.t_right_left_m)


def seen(made: Rectification, true: StereoRig, near_m: float = 0.7, noise: float = 0.07) -> tuple[Array, Array]:
    """Rectified places, by the old rig, of points up to 6 m away as the true rig sees them."""
    rng = np.random.default_rng(0)
    pixels = rng.uniform([0, 0], [639, 479], (1200, 2))
    rays = rays_of_pixels(true.left, pixels)
    points = rays / rays[:, 2:] / rng.uniform(1 / 6, 1 / near_m, len(rays))[:, None]
    other = project_rays(true.right, points @ true.R_right_left.T + true.t_right_left_m)
    left, right = (px + rng.normal(0, noise, px.shape) for px in (pixels, other))
    return made.rectify_points(left, "left"), made.rectify_points(right, "right")


@pytest.fixture(scope="module")
def old() -> Rectification:
    return make_rectification(make_rig(640), maps=False)


# At 6 cm and 2 m a yaw of 0.3° is 17 % of depth, and rows hardly move: 0.4 px in the corners.
@pytest.mark.parametrize(("degrees", "verdict"), [(0.0, "good"), (0.3, "bad"), (-0.3, "bad")])
def test_a_clear_yaw_is_judged_by_depth(degrees: float, verdict: str, old: Rectification) -> None:
    assert old.rig is not None
    drift = fit_drift(old, *seen(old, yawed(old.rig, degrees), noise=0.03))
    assert yaw_verdict(old, drift) == verdict
    # Told however little it moves rows.
    assert [("yaw" in text) for text in drift.words(5.0)] == ([True] if degrees else [])


def test_a_yaw_that_lenses_could_look_like_leaves_a_rig_usable(old: Rectification) -> None:
    assert old.rig is not None
    drift = fit_drift(old, *seen(old, yawed(old.rig, 0.3), noise=0.03))
    unsure = dataclasses.replace(drift, yaw_leaves=0.3)
    assert unsure.yaw_clear and yaw_verdict(old, unsure) == "good"
    assert yaw_verdict(old, unsure, doubtful=True) == "usable" and yaw_verdict(old, drift, doubtful=True) == "bad"


def test_depth_that_matching_does_worse_is_no_fault(old: Rectification) -> None:
    """A long baseline: the same turn is a small part of what is seen."""
    assert old.rig is not None
    long = make_rectification(dataclasses.replace(old.rig, t_right_left_m=old.rig.t_right_left_m * 20), maps=False)
    assert long.rig is not None
    drift = fit_drift(long, *seen(long, yawed(long.rig, 0.3), near_m=3.0, noise=0.03))
    assert drift.yaw_clear and yaw_verdict(long, drift) == "good"


def test_rows_that_a_lens_bends_are_no_yaw(old: Rectification) -> None:
    """What the lens model leaves in the corners holds a little of every pattern; σ is small, for it is no noise."""
    assert old.rig is not None
    left, right = seen(old, old.rig)
    u, v = ((left - [320, 240]) / [320, 240]).T
    right[:, 1] += 0.5 * u**2 * v**2 * np.sign(u) + 0.25 * u * v
    drift = fit_drift(old, left, right)
    sigma = np.sqrt(drift.covariance[1, 1])
    assert abs(drift.turn[1]) > 3.5 * sigma and drift.yaw_resolved
    assert not drift.yaw_clear and "yaw" not in drift.pattern


@pytest.mark.parametrize("degrees", [0.0, 0.5])
def test_a_turn_outward_is_no_exchange(degrees: float, old: Rectification) -> None:
    assert old.rig is not None
    outward = seen(old, yawed(old.rig, 2.0), near_m=3.0)
    assert np.mean(outward[0][:, 0] < outward[1][:, 0]) > 0.9  # nearly all beyond infinity
    assert not is_exchanged(old, fit_drift(old, *outward), *outward)
    # Really exchanged, turned besides or not: no turn brings the points before the cameras.
    right, left = seen(old, yawed(old.rig, degrees))
    assert is_exchanged(old, fit_drift(old, left, right), left, right)


def test_pictures_of_a_camera_turned_outward_are_told_and_repaired() -> None:
    small = make_rig(320)
    pictures = render_pair(make_scene(0), yawed(small, 4.0))
    check = Recheck(RigFile(rig=small))
    assert check.add(*pictures)
    report = check.report()
    assert report.vertical.swapped is not True and report.verdict == "bad"
    assert any("yaw" in text for text in report.warnings) and not any("--swap" in text for text in report.warnings)
    again = Recheck(check.repaired(report, made_by={}))
    assert again.add(*pictures)
    assert again.report().verdict == "good"
