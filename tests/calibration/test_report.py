"""The report stands alone and says what was measured."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from synthetic.board_scenes import SceneOptions, make_scene
from synthetic.drawn_boards import camera_of

from calibration.report import FINE_RASTER, Goal, figures, write_report
from calibration.report_plots import half_view
from calibration.solve import SolveOptions, solve
from calibration.uncertainty import predict_depth_error
from calibration.verdict import GOOD_RMS_PX, GOOD_VERTICAL_PX, GOOD_VIEWS, SYNC_DOUBT


@pytest.fixture(scope="module")
def solution():
    scene = make_scene(5, SceneOptions(views=9))
    return solve(scene.views, scene.board, SolveOptions(lens="pinhole", heldout=False))


def pictures(name: str):
    rng = np.random.default_rng(len(name))
    return tuple(rng.integers(0, 255, (720, 1280, 3)).astype(np.uint8) for _ in range(2))


def test_the_page_asks_nothing_of_the_outside(solution, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, solution.rig, solution.report, pictures=pictures, goal=Goal(1.0, 2.0), rig_path="rig.json")
    page = path.read_text()
    for outside in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert outside.startswith("data:"), outside
    assert "<script" not in page and "@import" not in page and "url(" not in page
    assert page.count("data:image/jpeg") >= 2 * solution.report.views_used


def test_the_page_shows_the_figures_and_every_view(solution, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, solution.rig, solution.report)
    page = path.read_text()
    assert solution.report.verdict in page and f"{solution.report.rms_px:.3f} px" in page
    for view in solution.report.views:
        assert f"<span>{view.name}</span>" in page
    assert f"{solution.report.baseline_m * 1000:.1f} mm" in page
    assert "±" in page, "parameters have their σ"


def test_the_goal_is_judged(solution, tmp_path: Path) -> None:
    for percent, words in ((50.0, "met by the calibration"), (0.001, "not met")):
        path = tmp_path / f"{percent}.html"
        write_report(path, solution.rig, solution.report, goal=Goal(percent, 2.0))
        assert words in path.read_text()


def test_the_table_agrees_with_the_verdict(solution) -> None:
    """Figures that the verdict calls good are not painted amber."""
    report = dataclasses.replace(
        solution.report, heldout_vertical_rms_px=GOOD_VERTICAL_PX, vertical_rms_px=0.3, rms_px=GOOD_RMS_PX,
        epipolar_px=0.3, sync_ratio=SYNC_DOUBT, views_used=GOOD_VIEWS,
    )  # fmt: skip
    assert {figure.state for figure in figures(report)} <= {"good", "plain"}
    worse = dataclasses.replace(report, rms_px=1.0, views_used=GOOD_VIEWS - 1)
    assert {figure.name for figure in figures(worse) if figure.state == "fair"} == {"Reprojection error", "Views"}


def test_unknown_figures_are_called_unknown(solution) -> None:
    # the solve above left out the held-out error
    heldout = figures(solution.report)[0]
    assert heldout.value == "unknown" and heldout.state == "plain"


def test_the_curve_of_the_depth_error_has_no_steps() -> None:
    """Near the rig, with every step of distance more of the view is seen by both cameras."""
    scene = make_scene(5, SceneOptions(views=9, baseline_m=0.3, toe_in_deg=0.0, depth_m=(0.7, 1.2)))
    solution = solve(scene.views, scene.board, SolveOptions(lens="pinhole", heldout=False))
    distances = np.geomspace(0.3, 4.0, 40).tolist()
    told = predict_depth_error(solution.rig, solution.report.covariance, distances, FINE_RASTER)
    steps = np.diff(np.log([error.percent for error in told]))
    assert np.abs(np.diff(steps)).max() < 0.05, "on a 9x7 raster the slope jumps by 0.11"


def test_a_wide_lens_is_drawn_as_wide_as_it_is() -> None:
    camera = camera_of((752, 480), 285.0, (0.0, 0.0, 0.0, 0.0), "fisheye")
    assert np.degrees(2 * half_view(camera, 0)) == pytest.approx(np.degrees(751 / 285), abs=0.1)
