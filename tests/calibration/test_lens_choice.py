"""The lens model is chosen by views that were held out; very wide lenses are solved from nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_scenes import Scene, SceneOptions, make_scene

from calibration.board_model import BoardModel
from calibration.lens import project_rays, rays_of_pixels
from calibration.rig import Intrinsics
from calibration.solve import SolveOptions, solve
from calibration.solve_lens import choose_for_camera
from calibration.solve_start import as_model, solve_camera

PLAIN = SceneOptions(views=12)
FISHEYE = SceneOptions(
    views=16, size_wh=(848, 800), focal_px=286.0, model="fisheye", distortion=(-0.01, 0.04, -0.035, 0.005),
    depth_m=(0.12, 0.4), board="chessboard:7x6:20mm", baseline_m=0.064,
)  # fmt: skip


def chosen(scene: Scene) -> tuple[str, Intrinsics]:
    model = BoardModel(scene.board.object_points())
    fit, _ = choose_for_camera([view.left for view in scene.views if view.left is not None], model)
    return fit.model, Intrinsics(*_parts(fit.camera), fit.model, scene.rig.left.size_wh)


def _parts(camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[camera[0], 0, camera[2]], [0, camera[1], camera[3]], [0, 0, 1]]), camera[4:]


def directions_apart_deg(a: Intrinsics, b: Intrinsics) -> float:
    """Largest angle between what the two say their pixels see, over the middle half of the picture."""
    w, h = a.size_wh
    grid = np.stack(np.meshgrid(np.linspace(0.25, 0.75, 9) * w, np.linspace(0.25, 0.75, 9) * h), -1).reshape(-1, 2)
    cosine = np.sum(rays_of_pixels(a, grid) * rays_of_pixels(b, grid), axis=1)
    return float(np.degrees(np.arccos(np.clip(cosine.min(), -1, 1))))


def test_an_ordinary_lens_keeps_the_plain_model() -> None:
    assert [chosen(make_scene(seed, PLAIN))[0] for seed in range(3)] == ["pinhole"] * 3


def test_a_fisheye_is_found_and_solved() -> None:
    scene = make_scene(0, FISHEYE)
    model, camera = chosen(scene)
    assert model == "fisheye"
    # 0.1 px of noise is 0.02° at this focal length; principal point and pose share some of it.
    assert directions_apart_deg(camera, scene.rig.left) < 0.1


def test_a_fisheye_rig_gives_depth() -> None:
    scene = make_scene(1, FISHEYE)
    solution = solve(scene.views, scene.board, SolveOptions(heldout=False))
    assert solution.report.lens_model == "fisheye" and solution.report.verdict != "bad"
    assert solution.rig.baseline_m == pytest.approx(0.064, rel=0.005)
    assert solution.report.views_used == len(scene.views)


def test_a_strong_barrel_lens_is_described_well() -> None:
    strong = dataclasses.replace(
        PLAIN, size_wh=(640, 480), focal_px=320.0, distortion=(-0.3, 0.09, 0, 0, -0.01), depth_m=(0.15, 0.5), views=20
    )
    scene = make_scene(2, strong)
    model, camera = chosen(scene)
    assert model in ("pinhole", "rational")
    assert directions_apart_deg(camera, scene.rig.left) < 0.1


def test_a_forced_model_is_kept() -> None:
    scene = make_scene(3, PLAIN)
    report = solve(scene.views, scene.board, SolveOptions(lens="rational", heldout=False)).report
    assert report.lens_model == "rational" and report.lens_choice == {}
    assert report.baseline_m == pytest.approx(0.12, rel=0.002)


def test_a_start_for_another_model_draws_nearly_the_same_picture() -> None:
    scene = make_scene(4, PLAIN)
    model = BoardModel(scene.board.object_points())
    plain = solve_camera(model, [view.left for view in scene.views if view.left is not None], "pinhole")
    other = as_model(plain, "fisheye")
    rays = np.array([[0.1, 0.05, 1.0], [-0.2, 0.1, 1.0]])
    pixels = [project_rays(Intrinsics(*_parts(fit.camera), fit.model, (1280, 720)), rays) for fit in (plain, other)]
    assert np.abs(pixels[0] - pixels[1]).max() < 3.0


def test_a_fisheye_seen_in_few_views_is_no_pinhole() -> None:
    """Views that a pinhole misses by far must not hide, in the spread of the misses, that there is a better model."""
    options = SceneOptions(
        views=10, model="fisheye", size_wh=(640, 480), focal_px=300.0, depth_m=(0.15, 0.45), noise_px=0.03,
        distortion=(-0.02, 0.01, -0.006, 0.001),
    )  # fmt: skip
    assert [chosen(make_scene(seed, options))[0] for seed in (4, 6, 7)] == ["fisheye"] * 3


def test_few_views_of_an_ordinary_lens_keep_the_plain_model() -> None:
    assert [chosen(make_scene(seed, SceneOptions(views=8)))[0] for seed in range(4)] == ["pinhole"] * 4
