"""Pictures of other moments, and cameras that were moved on the way, are found and said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_scenes import Scene, SceneOptions, make_scene, seen_points

from calibration.board_model import BoardModel
from calibration.bundle import rotation
from calibration.errors import CalibrationError
from calibration.solve import SolveOptions, solve
from calibration.views import View

QUICK = SolveOptions(lens="pinhole", heldout=False)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(3, SceneOptions(views=12))


@pytest.mark.parametrize(("shift", "words"), [(1, "1 picture later"), (-2, "2 pictures earlier")])
def test_a_side_that_is_numbered_otherwise_is_told(scene: Scene, shift: int, words: str) -> None:
    views = [
        dataclasses.replace(view, right=scene.views[i - shift].right)
        for i, view in enumerate(scene.views)
        if 0 <= i - shift < len(scene.views)
    ]
    with pytest.raises(CalibrationError, match=words):
        solve(views, scene.board, QUICK)


def test_pairs_that_do_not_belong_together_at_all_get_no_such_hint(scene: Scene) -> None:
    order = [7, 0, 9, 2, 11, 4, 1, 6, 3, 8, 5, 10]
    views = [dataclasses.replace(view, right=scene.views[k].right) for view, k in zip(scene.views, order)]
    with pytest.raises(CalibrationError, match="do not agree") as error:
        solve(views, scene.board, QUICK)
    assert "later" not in error.value.what and "earlier" not in error.value.what


def test_two_pictures_that_were_exchanged_are_named(scene: Scene) -> None:
    views = list(scene.views)
    views[3], views[5] = (dataclasses.replace(views[a], right=views[b].right) for a, b in ((3, 5), (5, 3)))
    report = solve(views, scene.board, QUICK).report
    a, b = views[3].name, views[5].name
    assert {name for name, _ in report.views_rejected} == {a, b}
    told = next(text for text in report.warnings if "mixed up" in text)
    assert f"left of {a} with right of {b}" in told and f"left of {b} with right of {a}" in told


def _bumped(scene: Scene, after: int, turn_deg: tuple[float, float, float]) -> list[View]:
    """The right camera is turned after so many pairs."""
    turn = rotation(np.radians(turn_deg))
    moved = dataclasses.replace(
        scene.rig, R_right_left=turn @ scene.rig.R_right_left, t_right_left_m=turn @ scene.rig.t_right_left_m
    )
    points = BoardModel(scene.board.object_points()).points(np.zeros(4))
    views = list(scene.views)
    rng = np.random.default_rng(0)
    for i in range(after, len(views)):
        pixels = seen_points(moved, points @ scene.R[i].T + scene.t[i])[1]
        seen = (pixels + rng.normal(0, 0.1, pixels.shape)).astype(np.float32)
        views[i] = dataclasses.replace(views[i], right=dataclasses.replace(views[i].right, points_px=seen))
    return views


def test_a_camera_that_was_moved_on_the_way_is_told_with_the_place(scene: Scene) -> None:
    with pytest.raises(CalibrationError) as error:
        solve(_bumped(scene, 6, (0.8, 1.0, 0.4)), scene.board, QUICK)
    assert f"Up to {scene.views[5].name} the pairs agree" in error.value.what and "moved" in error.value.what


def test_sets_in_order_tell_nothing_of_it(scene: Scene) -> None:
    for seed in (3, 4, 5, 6):
        own = make_scene(seed, SceneOptions(views=12, jitter_px=1.0 if seed > 4 else 0.0))
        told = " ".join(solve(own.views, own.board, QUICK).report.warnings)
        assert "mixed up" not in told and "moved or zoomed" not in told
