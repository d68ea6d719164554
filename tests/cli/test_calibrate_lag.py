"""`calibrate` on films that are not of one time puts them together, and says so."""

from __future__ import annotations

import contextlib

import pytest
from synthetic.board_films import make_film
from synthetic.board_scenes import depth_error_percent
from synthetic.collected_films import collected_of

from calibration.errors import CalibrationError
from calibration.solve import SolveOptions, solve
from livestereo.cli._calibrate_lag import solve_films

OPTIONS = SolveOptions(lens="pinhole", heldout=False)


@pytest.fixture(autouse=True)
def _few_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livestereo.cli._calibrate_files.VIDEO_VIEWS", 24)


def tell(what: str, done: int, total: int) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("lag_s", [-0.1, 2.0])
def test_films_apart_in_time_are_put_together(lag_s: float) -> None:
    scene, film = make_film(1, lag_s=lag_s)
    collected = collected_of(scene.board, film)
    with contextlib.suppress(CalibrationError):  # so far apart that nothing fits
        assert solve(collected.views, scene.board, OPTIONS).report.verdict != "good"
    solution, used = solve_films(collected, scene.board, OPTIONS, tell)
    assert used.shift_s == pytest.approx(-lag_s, abs=0.002)
    assert solution.report.sync_ratio < 1.25
    for distance, sigma in solution.report.depth_error_percent.items():
        assert depth_error_percent(solution.rig, scene.rig, float(distance[:-1])) < 3 * sigma < 3
    assert f"--shift {-used.shift_s * -1e3:.1f}" in used.warnings[0] and "not of one time" in used.warnings[0]
    # The report shows the right picture that is nearest in time.
    name = list(used.pictures)[len(used.pictures) // 2]
    left, right = used.pictures[name]
    assert left == b"left %s" % name.encode()
    assert abs(int(right.split()[1]) - int(name) - lag_s * 15) <= 1


def test_films_of_one_time_are_left_alone() -> None:
    scene, film = make_film(1)
    collected = collected_of(scene.board, film)
    solution, used = solve_films(collected, scene.board, OPTIONS, tell)
    assert used is collected and solution.report.verdict == "good"


def test_what_cannot_be_put_together_is_told_as_it_is() -> None:
    scene, film = make_film(1, lag_s=0.02)
    collected = collected_of(scene.board, film)
    collected.looks = collected.looks[:20]  # too short to tell
    solution, used = solve_films(collected, scene.board, OPTIONS, tell)
    assert solution.report.verdict != "good" and used.shift_s is None
    assert "livestereo sync" in used.warnings[0]


def test_where_no_rig_fits_the_way_to_measure_the_lag_is_told() -> None:
    scene, film = make_film(1, lag_s=0.4)
    collected = collected_of(scene.board, film)
    collected.looks = collected.looks[:20]
    with pytest.raises(CalibrationError, match="do not agree") as error:
        solve_films(collected, scene.board, OPTIONS, tell)
    assert "livestereo sync" in error.value.fix
