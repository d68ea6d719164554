"""The solve on drawn views with exact truth: what it reaches, what it repairs, what it leaves out, what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_scenes import Scene, SceneOptions, flipped, make_scene

from calibration.boards import parse_board
from calibration.bundle import rotation_vector
from calibration.errors import CalibrationError
from calibration.rectify import swap_rig
from calibration.rig import StereoRig
from calibration.solution import Solution
from calibration.solve import SolveOptions, solve
from calibration.views import View

# Held-out views and the choice of a lens model have tests of their own; here they would only take time.
QUICK = SolveOptions(lens="pinhole", heldout=False)


def angle_deg(rig: StereoRig, truth: StereoRig) -> float:
    return float(np.degrees(np.linalg.norm(rotation_vector(rig.R_right_left @ truth.R_right_left.T))))


def assert_near(rig: StereoRig, truth: StereoRig) -> None:
    """Three times what 32 seeds reach (benchmarks/calibration.md): chance does not break it, a flaw does."""
    assert rig.baseline_m == pytest.approx(truth.baseline_m, rel=0.0008)
    assert angle_deg(rig, truth) < 0.1
    for side in ("left", "right"):
        assert getattr(rig, side).focal_px == pytest.approx(getattr(truth, side).focal_px, rel=0.0015)


def moved(view: View, shift: tuple[float, float], side: str = "right") -> View:
    found = getattr(view, side)
    return dataclasses.replace(
        view, **{side: dataclasses.replace(found, points_px=found.points_px + np.float32(shift))}
    )


def shaken(view: View, seed: int) -> View:
    """Another picture of the same place: its corners differ by hundredths of a pixel."""
    rng = np.random.default_rng(seed)
    left, right = (
        dataclasses.replace(f, points_px=(f.points_px + rng.normal(0, 0.03, f.points_px.shape)).astype(np.float32))
        for f in (view.left, view.right)
    )
    return View(str(seed), left, right)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(1)


@pytest.fixture(scope="module")
def solution(scene: Scene) -> Solution:
    return solve(scene.views, scene.board)


def test_a_flat_board_gives_the_rig(scene: Scene, solution: Solution) -> None:
    assert_near(solution.rig, scene.rig)
    report = solution.report
    assert report.verdict == "good" and report.lens_model == "pinhole"
    assert report.views_used == len(scene.views) and report.views_rejected == ()
    assert not report.swapped and report.flip == ("none", "none")
    # Noise of 0.1 px in each coordinate; the distance is √2 times that, less what the fit takes up.
    assert report.rms_px == pytest.approx(0.1 * np.sqrt(2), rel=0.08)
    assert report.noise_px == pytest.approx(0.1, rel=0.08)
    # Row differences of two corners with that noise, a little more on views that were not used.
    assert report.vertical_rms_px == pytest.approx(0.1 * np.sqrt(2), rel=0.12)
    assert report.vertical_rms_px < report.heldout_vertical_rms_px < 0.17
    assert report.sync_ratio == pytest.approx(1.0, abs=0.08)


def test_depth_error_grows_with_distance(solution: Solution) -> None:
    told = solution.report.depth_error_percent
    assert list(told) == ["1m", "2m", "4m"] and 0 < told["1m"] < told["2m"] < told["4m"] < 0.5


def test_the_same_views_give_the_same_rig(scene: Scene) -> None:
    a, b = (solve(scene.views, scene.board, QUICK).rig for _ in range(2))
    assert np.array_equal(a.R_right_left, b.R_right_left) and np.array_equal(a.left.K, b.left.K)


@pytest.mark.parametrize("shape_mm", [(0.5, 0.5, 0), (1, 0, 0), (0, -1, 0), (0, 0, 0.5)])
def test_a_bent_board_is_found_and_does_not_harm(shape_mm: tuple[float, float, float]) -> None:
    true = np.array([*shape_mm, 0.0]) * 1e-3  # a sagitta of 1 mm each
    scene = make_scene(2, SceneOptions(shape=tuple(true.tolist())))
    solution = solve(scene.views, scene.board, QUICK)
    assert_near(solution.rig, scene.rig)
    off_mm = 1000 * np.abs(solution.report.shape.vector - true)[:3]
    assert off_mm.mean() < 0.05 and off_mm.max() < 0.1
    assert solution.report.board_bend_mm == pytest.approx(1.0, abs=0.15)


def test_a_stretched_print_is_solved_with_turned_views() -> None:
    scene = make_scene(3, SceneOptions(shape=(0, 0, 0, 0.003), turned_share=0.4))
    solution = solve(scene.views, scene.board, QUICK)
    assert solution.report.shape.stretch == pytest.approx(0.003, abs=0.0006)
    assert_near(solution.rig, scene.rig)


def test_without_turned_views_a_stretch_is_not_claimed() -> None:
    scene = make_scene(3, SceneOptions(shape=(0, 0, 0, 0.003)))
    assert solve(scene.views, scene.board, QUICK).report.shape.stretch is None


def test_exchanged_cameras_are_found(scene: Scene) -> None:
    views = [view.exchanged() for view in scene.views]
    solution = solve(views, scene.board, QUICK)
    assert solution.report.swapped and any("exchanged" in told for told in solution.report.warnings)
    assert_near(solution.rig, scene.rig)  # as if they had been given in order
    assert swap_rig(solution.rig).t_right_left_m[0] > 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_reversed_corner_order_is_mended(scene: Scene, side: str) -> None:
    views = list(scene.views)
    views[4] = flipped(views[4], side)
    solution = solve(views, scene.board, QUICK)
    assert [view.name for view in solution.report.views if view.mended] == [views[4].name]
    assert solution.report.views_used == len(views)
    assert_near(solution.rig, scene.rig)


def test_a_board_that_looks_the_same_turned_is_ordered() -> None:
    scene = make_scene(5, SceneOptions(board="chessboard:8x6:25mm"))
    views = [flipped(view) if i % 3 == 1 else view for i, view in enumerate(scene.views)]
    assert_near(solve(views, scene.board, QUICK).rig, scene.rig)


def test_views_that_do_not_belong_together_are_left_out_by_name(scene: Scene) -> None:
    views = list(scene.views)
    views[3] = moved(views[3], (4.0, 2.0))  # the board moved between the two exposures
    wild = np.random.default_rng(0).normal(0, 3.0, views[7].left.points_px.shape).astype(np.float32)
    views[7] = dataclasses.replace(
        views[7], left=dataclasses.replace(views[7].left, points_px=views[7].left.points_px + wild)
    )
    views[11] = dataclasses.replace(views[11], right=None)
    report = solve(views, scene.board, QUICK).report
    why = dict(report.views_rejected)
    assert set(why) == {views[3].name, views[7].name, views[11].name}
    assert "moved between the exposures" in why[views[3].name]
    assert "left picture: its corners do not fit the camera" in why[views[7].name]
    assert "not found in the right picture" in why[views[11].name]
    assert_near(solve(views, scene.board, QUICK).rig, scene.rig)


def test_single_wrong_corners_do_not_cost_the_view(scene: Scene) -> None:
    views = list(scene.views)
    points = views[2].right.points_px.copy()
    points[20] += 6.0
    views[2] = dataclasses.replace(views[2], right=dataclasses.replace(views[2].right, points_px=points))
    solution = solve(views, scene.board, QUICK)
    assert solution.report.views_used == len(views)
    assert solution.report.corners_dropped == 1 and not solution.report.views[2].kept_right[20]
    assert_near(solution.rig, scene.rig)


@pytest.mark.parametrize("seed", range(4))
def test_cameras_that_do_not_fire_together_are_never_called_good(seed: int) -> None:
    scene = make_scene(seed, SceneOptions(jitter_px=1.0))
    report = solve(scene.views, scene.board, QUICK).report
    assert report.sync_ratio > 1.5 and report.verdict != "good"
    assert report.fixed_intrinsics and any("do not fire together" in reason for reason in report.reasons)
    # Each camera's lens is not harmed by pairs that do not fit.
    assert report.focal_left_px == pytest.approx(scene.rig.left.focal_px, rel=0.003)


def test_sync_ratio_tells_one_moved_board_from_cameras_out_of_step(scene: Scene) -> None:
    views = [moved(scene.views[0], (3.0, 0.0)), *scene.views[1:]]
    report = solve(views, scene.board, QUICK).report
    assert report.sync_ratio < 1.25 and [name for name, _ in report.views_rejected] == [views[0].name]


def test_a_few_wrong_pairs_do_not_make_cameras_unsynchronised(scene: Scene) -> None:
    views = list(scene.views)
    for i in (2, 9, 15):
        views[i] = dataclasses.replace(views[i], right=scene.views[i + 1].right)  # the picture of the next moment
    views[5] = moved(views[5], (6.0, -4.0))
    solution = solve(views, scene.board, QUICK)
    assert {name for name, _ in solution.report.views_rejected} == {views[i].name for i in (2, 5, 9, 15)}
    assert solution.report.sync_ratio < 1.25 and not solution.report.fixed_intrinsics
    assert not any(view.mended for view in solution.report.views)
    assert_near(solution.rig, scene.rig)


def test_many_wrong_pairs_are_told_in_the_verdict(scene: Scene) -> None:
    views = [moved(view, (30.0 + i, 5.0)) if i % 3 == 0 else view for i, view in enumerate(scene.views)]
    report = solve(views, scene.board, QUICK).report
    assert report.verdict != "good" and any("left out" in reason or "together" in reason for reason in report.reasons)


def test_figures_without_a_size_are_relative(scene: Scene) -> None:
    report = solve(scene.views, parse_board("chessboard:9x6"), QUICK).report
    assert report.baseline_m == pytest.approx(0.12 / 0.025, rel=0.001)
    assert not report.metric and np.isnan(report.depth_error_percent["1m"]) and np.isnan(report.board_bend_mm)
    assert any("squares" in told for told in report.warnings)


def test_pictures_of_other_moments_are_refused(scene: Scene) -> None:
    sides = [view.right for view in scene.views]
    views = [dataclasses.replace(view, right=other) for view, other in zip(scene.views, sides[1:] + sides[:1])]
    with pytest.raises(CalibrationError, match="do not agree") as caught:
        solve(views, scene.board, QUICK)
    assert "1 picture earlier" in caught.value.what and "one number" in caught.value.fix


def test_corners_by_chance_are_refused(scene: Scene) -> None:
    rng = np.random.default_rng(0)

    def anywhere(view: View) -> View:
        points = [rng.uniform(50, 650, view.left.points_px.shape).astype(np.float32) for _ in range(2)]
        return View(view.name, *(dataclasses.replace(view.left, points_px=p) for p in points))

    with pytest.raises(CalibrationError):
        solve([anywhere(view) for view in scene.views[:8]], scene.board, QUICK)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_views_are_refused(scene: Scene, count: int) -> None:
    with pytest.raises(CalibrationError, match=f"found by both cameras in {count} of {count} pairs"):
        solve(scene.views[:count], scene.board, QUICK)


def test_one_place_many_times_is_refused(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    views = [moved(scene.views[0], tuple(rng.normal(0, 0.05, 2))) for _ in range(12)]
    with pytest.raises(CalibrationError, match="only 1 different place"):
        solve(views, scene.board, QUICK)


def test_one_camera_given_twice_is_refused(scene: Scene) -> None:
    twice = [dataclasses.replace(view, right=view.left) for view in scene.views]
    with pytest.raises(CalibrationError, match="Left and right show the same"):
        solve(twice, scene.board, QUICK)


def test_pairs_that_leave_rows_apart_are_refused_with_the_cause() -> None:
    """The board moved by some 5 px in every pair: a rig comes out, and nothing could be matched with it."""
    with pytest.raises(CalibrationError, match=r"rows .* differ by .* do not show the board at one place") as caught:
        solve(make_scene(2, SceneOptions(jitter_px=6.0)).views, parse_board("chessboard:9x6:25mm"), QUICK)
    assert caught.value.details["verdict"] == "bad" and caught.value.details["rig"] is None


def test_views_without_a_board_are_passed_over(scene: Scene, solution: Solution) -> None:
    views = (View("a", None, None), *scene.views, View("b", None, None))
    again = solve(views, scene.board)
    assert again.rig.baseline_m == solution.rig.baseline_m
    assert again.report.views_used == solution.report.views_used


def test_few_places_many_times_are_not_called_good(scene: Scene) -> None:
    report = solve([shaken(scene.views[i % 6], i) for i in range(18)], scene.board, QUICK).report
    assert report.verdict != "good" and any("only 6 different places" in reason for reason in report.reasons)


def test_pictures_of_different_sizes_are_refused(scene: Scene) -> None:
    views = list(scene.views)
    views[5] = dataclasses.replace(views[5], left=dataclasses.replace(views[5].left, size_wh=(640, 360)))
    with pytest.raises(CalibrationError, match="left camera have different sizes: 640x360, 1280x720"):
        solve(views, scene.board, QUICK)


def test_cameras_of_different_sizes_are_fine() -> None:
    scene = make_scene(6)
    half = [
        dataclasses.replace(
            view,
            right=dataclasses.replace(
                view.right, points_px=(view.right.points_px + np.float32(0.5)) / 2 - np.float32(0.5), size_wh=(640, 360)
            ),
        )
        for view in scene.views
    ]
    solution = solve(half, scene.board, QUICK)
    assert solution.rig.right.size_wh == (640, 360)
    assert solution.rig.right.focal_px == pytest.approx(scene.rig.right.focal_px / 2, rel=0.0015)
    assert solution.rig.baseline_m == pytest.approx(scene.rig.baseline_m, rel=0.0008)


def test_figures_hold_the_keys_of_the_contract(solution: Solution) -> None:
    keys = {
        "rms_px", "rms_left_px", "rms_right_px", "epipolar_px", "vertical_rms_px", "heldout_vertical_rms_px",
        "baseline_m", "focal_left_px", "focal_right_px", "rotation_deg", "toe_in_deg", "views_used", "views_rejected",
        "lens_model", "board_bend_mm", "sync_ratio", "swapped", "depth_error_percent", "verdict", "warnings",
    }  # fmt: skip
    figures = solution.report.figures()
    assert keys <= set(figures)
    assert all(np.isfinite(figures[key]) for key in keys if isinstance(figures[key], float))


def test_copies_of_pictures_prove_nothing() -> None:
    six = make_scene(4, SceneOptions(views=6))
    copied = [dataclasses.replace(view, name=f"{view.name} {i}") for i in range(3) for view in six.views]
    once, thrice = (solve(views, six.board, QUICK).report for views in (six.views, copied))
    assert thrice.views_used == once.views_used == 6 and len(thrice.views_rejected) == 12
    assert thrice.views_rejected[0][1] == f"the same pictures as {six.views[0].name} 0"
    assert thrice.depth_error_percent == pytest.approx(once.depth_error_percent, rel=1e-6)


def test_copies_alone_are_too_few_views() -> None:
    three = make_scene(4, SceneOptions(views=3))
    copied = [dataclasses.replace(view, name=f"{view.name} {i}") for i in range(4) for view in three.views]
    with pytest.raises(CalibrationError, match=r"9 pairs are copies"):
        solve(copied, three.board, QUICK)


def test_pictures_of_one_place_count_little_more_than_one() -> None:
    """Stored anew, a copy differs by hundredths of a pixel; it still brings no news."""
    six = make_scene(4, SceneOptions(views=6))
    many = [shaken(six.views[i % 6], i) for i in range(30)]
    once, more = (solve(views, six.board, QUICK).report.depth_error_percent["2m"] for views in (six.views, many))
    # Five independent pictures would halve it, and more; a change of 0.03 px against 0.1 px does not.
    assert more > 0.75 * once
