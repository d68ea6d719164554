"""How far to trust a rig: predicted depth error against real ones, and what makes it grow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_scenes import SceneOptions, make_scene, seen_points

from calibration.bundle import rotation
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.rig import StereoRig
from calibration.solution import RigCovariance
from calibration.solve import SolveOptions, solve
from calibration.uncertainty import depth_derivatives, predict_depth_error, raster_points
from calibration.views import View

QUICK = SolveOptions(lens="pinhole", bend=False, stretch=False, heldout=False)
OPTIONS = SceneOptions(views=10)


def depth_off(rig: StereoRig, truth: StereoRig, distance: float) -> np.ndarray:
    """Share by which a rig places points of the truth's raster too far, per point."""
    points = raster_points(truth, distance)
    pixels = seen_points(truth, points @ rotations(truth)[0])
    x = []
    for camera, px, R in zip((rig.left, rig.right), pixels, rotations(rig)[:2]):
        rays = rays_of_pixels(camera, px) @ R.T
        x.append(rays[:, 0] / rays[:, 2])
    return np.asarray(rig.baseline_m / (x[0] - x[1]) / distance - 1)


def test_predicted_errors_are_the_size_of_real_ones() -> None:
    ratios = []
    for seed in range(12):
        scene = make_scene(seed, OPTIONS)
        solution = solve(scene.views, scene.board, QUICK)
        real = 100 * np.sqrt(np.mean(depth_off(solution.rig, scene.rig, 2.0) ** 2))
        ratios.append(real / solution.report.depth_error_percent["2m"])
    # The square of an error over its σ has mean 1 and, for one direction, variance 2; so many of them are within 0.4.
    # benchmarks/calibration.md has it for hundreds.
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.4
    assert np.mean(np.array(ratios) < 2) >= 0.8


def test_derivatives_are_those_of_differences() -> None:
    rig = make_scene(0, OPTIONS).rig
    names = ("left.fx", "right.cx", "left.k1", "rotation.y", "rotation.z", "translation.x", "translation.z")
    by_name = depth_derivatives(rig, names, 2.0)
    step = {"left.fx": 0.01, "right.cx": 0.01, "left.k1": 1e-5}
    for i, name in enumerate(names):
        h = step.get(name, 1e-6)
        slope = (depth_off(_moved(rig, name, h), rig, 2.0) - depth_off(_moved(rig, name, -h), rig, 2.0)) / (2 * h)
        # The raster's points are not exactly the same directions in both, to about a percent.
        assert np.abs(by_name[:, i] - slope).max() < 0.03 * np.abs(slope).max()


def _moved(rig: StereoRig, name: str, by: float) -> StereoRig:
    part, what = name.split(".")
    if part == "rotation":
        return dataclasses.replace(rig, R_right_left=rotation(by * np.eye(3)["xyz".index(what)]) @ rig.R_right_left)
    if part == "translation":
        return dataclasses.replace(rig, t_right_left_m=rig.t_right_left_m + by * np.eye(3)["xyz".index(what)])
    camera = getattr(rig, part)
    K, distortion = camera.K.copy(), camera.distortion.copy()
    if what == "k1":
        distortion[0] += by
    else:
        K[{"fx": (0, 0), "cx": (0, 2)}[what]] += by
    return dataclasses.replace(rig, **{part: dataclasses.replace(camera, K=K, distortion=distortion)})


def test_a_known_covariance_gives_its_error() -> None:
    rig = make_scene(0, OPTIONS).rig
    # The baseline alone uncertain by 1 %: depth is, at every distance.
    covariance = RigCovariance(("translation.x",), np.array([[(0.01 * rig.baseline_m) ** 2]]))
    for error in predict_depth_error(rig, covariance, (1.0, 4.0)):
        assert error.percent == pytest.approx(1.0, rel=0.02)
        assert error.common_percent == pytest.approx(error.percent, rel=0.01)
    # Yaw alone: a shift of disparity, so that the error grows with distance.
    yaw = RigCovariance(("rotation.y",), np.array([[np.radians(0.1) ** 2]]))
    near, far = predict_depth_error(rig, yaw, (1.0, 4.0))
    assert far.percent == pytest.approx(4 * near.percent, rel=0.05)
    assert near.disparity_px == pytest.approx(far.disparity_px, rel=0.05)


def test_views_that_err_as_a_whole_raise_the_uncertainty() -> None:
    """A shift of each picture is no noise of corners: the textbook covariance would not see it."""
    scene = make_scene(4, SceneOptions(views=16))
    rng = np.random.default_rng(0)
    shaken: list[View] = []
    for view in scene.views:
        # A slight stretch of the board as seen: it moved during the exposure.
        scale = 1 + rng.normal(0, 0.0004, 2).astype(np.float32)
        sides = [
            dataclasses.replace(
                found, points_px=(found.points_px - found.points_px.mean(0)) * scale + found.points_px.mean(0)
            )
            for found in (view.left, view.right)
            if found is not None
        ]
        shaken.append(View(view.name, *sides))
    calm, wild = (solve(views, scene.board, QUICK).report for views in (scene.views, shaken))
    assert wild.covariance.inflation > 1.15 * calm.covariance.inflation
    assert wild.depth_error_percent["2m"] > 1.15 * calm.depth_error_percent["2m"]


def test_more_views_make_it_smaller() -> None:
    scene = make_scene(5, SceneOptions(views=32))
    few, many = (solve(scene.views[:n], scene.board, QUICK).report.depth_error_percent["2m"] for n in (8, 32))
    # √(8/32) is a half; poses differ.
    assert 0.2 < many / few < 0.8


def test_the_covariance_has_a_sigma_for_every_number_of_the_rig() -> None:
    scene = make_scene(0, OPTIONS)
    covariance = solve(scene.views, scene.board, QUICK).report.covariance
    assert np.allclose(covariance.matrix, covariance.matrix.T) and np.linalg.eigvalsh(covariance.matrix).min() > 0
    for name in ("left.fx", "right.fy", "left.cx", "right.k1", "rotation.y", "translation.x"):
        assert covariance.sigma(name) > 0
    assert covariance.sigma("board.stretch") == 0.0  # it was held fixed
    # 0.1 px of noise on 10 views: focal length to some tenths of a percent, at most.
    assert covariance.sigma("left.fx") < 0.005 * 950
