"""The guide takes what helps and says why it does not take the rest; no camera, no clock, no window."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from synthetic.board_scenes import SceneOptions, make_scene

from calibration.advice import Advice, Goal, advise, list_needs, towards
from calibration.boards import parse_board
from calibration.bundle import rotation
from calibration.errors import CalibrationError
from calibration.guide import Guide, Sighting, Step
from calibration.next_pose import candidate_poses, choose_pose, view_information, view_of
from calibration.session import Session
from calibration.solve import SolveOptions, solve
from calibration.views import View, coverage

QUICK = SolveOptions(lens="pinhole", bend=False, stretch=False, heldout=False)


@pytest.fixture(scope="module")
def scene():
    return make_scene(3, SceneOptions(views=16))


@pytest.fixture(scope="module")
def solution(scene):
    return solve(scene.views[:6], scene.board, QUICK)


def needs_of(views, board, min_views: int = 12):
    left, right = (coverage([getattr(v, side) for v in views], board) for side in ("left", "right"))
    return list_needs(views, board, left, right, min_views=min_views)


def moved(view: View, by_px: float) -> View:
    shift = np.float32([by_px, 0])
    sides = [dataclasses.replace(s, points_px=s.points_px + shift) for s in (view.left, view.right)]
    return View(view.name, *sides)


def hold(guide: Guide, view: View, start_s: float, seconds: float = 0.6, sharp: float = 1.0) -> list[Step]:
    """Show a view for a while at 20 pictures per second; takes it when the guide says so."""
    steps = []
    for i in range(round(seconds * 20)):
        step = guide.observe(Sighting(view.left, view.right, start_s + i / 20, sharp, sharp))
        if step.accept:
            guide.take(view, start_s + i / 20)
        steps.append(step)
    return steps


def test_a_still_new_sharp_board_is_taken_once(scene) -> None:
    guide = Guide(scene.board)
    steps = hold(guide, scene.views[0], 0.0, 2.0)
    assert sum(step.accept for step in steps) == 1 and len(guide.views) == 1
    assert "Hold still" in steps[0].why  # nothing is known of its movement yet
    assert "like one that was taken" in steps[-1].why


def test_a_moving_board_is_not_taken(scene) -> None:
    guide = Guide(scene.board)
    for i in range(40):
        view = moved(scene.views[0], 3.0 * i)  # 60 px per second at 20 pictures per second
        step = guide.observe(Sighting(view.left, view.right, i / 20, 1.0, 1.0))
        assert not step.accept
    assert "moves" in step.why


def test_a_blurred_board_is_not_taken(scene) -> None:
    guide = Guide(scene.board)
    hold(guide, scene.views[0], 0.0, 1.0, sharp=1.0)
    steps = hold(guide, scene.views[1], 2.0, 1.0, sharp=0.3)
    assert not any(step.accept for step in steps) and "blurred" in steps[-1].why


@pytest.mark.parametrize(
    ("left", "right", "word"), [(True, False, "right"), (False, True, "left"), (False, False, "not seen")]
)
def test_it_says_which_camera_does_not_see_the_board(scene, left: bool, right: bool, word: str) -> None:
    view = scene.views[0]
    step = Guide(scene.board).observe(Sighting(view.left if left else None, view.right if right else None, 0.0))
    assert not step.accept and word in step.why


def test_undo_gives_the_last_view_back(scene) -> None:
    guide = Guide(scene.board)
    hold(guide, scene.views[0], 0.0)
    assert guide.undo() is scene.views[0] and guide.views == ()
    assert guide.undo() is None
    assert any(step.accept for step in hold(guide, scene.views[0], 5.0))


def test_information_of_a_view_is_that_of_its_derivatives(scene, solution) -> None:
    # the slow twin: derivatives by differences of the projected corners, the pose eliminated by least squares
    from calibration.next_pose import _project

    rig, names = solution.rig, ("left.fx", "right.cy", "rotation.y", "translation.x")
    pose = candidate_poses(scene.board, rig)[0]
    flat = scene.board.object_points()

    def seen(rig, R, t):
        return np.concatenate([_project(rig, side, flat, R, t).reshape(-1) for side in ("left", "right")])

    from calibration.bundle import rotation
    from calibration.rig import StereoRig

    def changed(name: str, by: float) -> StereoRig:
        side, _, what = name.partition(".")
        if side in ("left", "right"):
            camera = getattr(rig, side)
            K = camera.K.copy()
            K[{"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}[what]] += by
            return dataclasses.replace(rig, **{side: dataclasses.replace(camera, K=K)})
        step = np.zeros(3)
        step["xyz".index(what)] = by
        if side == "rotation":
            return dataclasses.replace(rig, R_right_left=rotation(step) @ rig.R_right_left)
        return dataclasses.replace(rig, t_right_left_m=rig.t_right_left_m + step)

    R, t, h = pose.R_left_board, pose.t_left_board, 1e-6
    by_rig = np.stack([(seen(changed(n, h), R, t) - seen(changed(n, -h), R, t)) / (2 * h) for n in names], axis=1)
    steps = []
    for k in range(6):
        d = np.zeros(6)
        d[k] = h
        steps.append((seen(rig, rotation(d[:3]) @ R, t + d[3:]) - seen(rig, rotation(-d[:3]) @ R, t - d[3:])) / (2 * h))
    by_pose = np.stack(steps, axis=1)
    rest = by_rig - by_pose @ np.linalg.lstsq(by_pose, by_rig, rcond=None)[0]
    want = rest.T @ rest
    got = view_information(rig, names, flat, pose)
    # differences of 1e-6 leave about 1e-6 of the largest entry
    assert np.abs(got - want).max() < 1e-4 * np.abs(want).max()


def test_the_pose_it_asks_for_lowers_the_error_most(scene, solution) -> None:
    covariance = solution.report.covariance
    poses = candidate_poses(scene.board, solution.rig)
    best = choose_pose(scene.board, solution.rig, covariance, 2.0, 0.1, poses)
    assert best is not None
    each = [choose_pose(scene.board, solution.rig, covariance, 2.0, 0.1, [pose]).percent for pose in poses]
    assert best.percent == min(each) and best.percent < max(each)
    # the outline is where both cameras would see the board
    seen = view_of(scene.board, solution.rig, best)
    for outline, found in ((best.outline_left_px, seen.left), (best.outline_right_px, seen.right)):
        # the print's rim lies a square outside the outer points, all round
        hull = cv2.convexHull(outline.astype(np.float32))
        inside = [cv2.pointPolygonTest(hull, (float(x), float(y)), True) for x, y in found.points_px]
        steps = np.linalg.norm(np.diff(found.points_px[:9], axis=0), axis=1)
        assert 0.6 * steps.min() < min(inside) < 1.4 * steps.max()


def test_it_ends_when_the_goal_is_met_and_not_before() -> None:
    scene = make_scene(8, SceneOptions(views=16, turned_share=0.3))
    guide = Guide(scene.board, Goal(50.0, 2.0), min_views=8)
    for i, view in enumerate(scene.views):
        if guide.done:
            break
        hold(guide, view, 3.0 * i)
        if guide.wants_solution:
            guide.learn(guide.advise(solve(guide.views, scene.board, QUICK), guide.views))
    assert guide.done and 8 <= len(guide.views) <= 16
    assert guide.percent < 50.0 and all(need.met for need in guide.needs)
    # a view taken back is one too few
    guide.undo()
    assert not guide.done and guide.wants_solution


def test_it_asks_for_what_is_lacking(scene, solution) -> None:
    # none of these views is turned by 90°
    needs = needs_of(scene.views[:6], scene.board)
    assert {need.name for need in needs if not need.met} >= {"views", "turned"}
    advice = advise(solution, scene.views[:6], scene.board, Goal(1.0, 2.0), needs)
    assert advice.pose is not None and advice.pose.turned and "turned by 90°" in advice.pose.words
    # with all met, nothing keeps it from the pose that helps most
    met = tuple(dataclasses.replace(need, have=need.want) for need in needs)
    free = advise(solution, scene.views[:6], scene.board, Goal(1.0, 2.0), met)
    assert free.pose is not None and free.pose.percent <= advice.pose.percent
    assert free.percent == advice.percent > free.pose.percent


def test_with_no_pose_left_it_says_what_is_lacking(scene, solution) -> None:
    guide = Guide(scene.board, Goal(0.001, 2.0))
    for view in scene.views[:6]:
        guide.take(view)
    guide.learn(Advice(guide.views, solution, 1.0, None, None))
    step = guide.observe(Sighting(None, None, 0.0))
    assert step.next.startswith("Still wanted: more views") and "turned by 90°" in step.next
    assert step.pose is None and step.hint == ""


def test_a_board_of_as_many_rows_as_columns_need_not_be_turned() -> None:
    board = parse_board("chessboard:7x7:25mm")
    assert "turned" not in {
        need.name for need in list_needs((), board, coverage([], board), coverage([], board), min_views=8)
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((0, 0, 0.0, 1.0, 0, 0), "hold still"),
        ((-0.15, 0, 0.0, 1.0, 0, 0), "Move it to the right."),
        ((0.15, 0, 0.0, 1.0, 0, 0), "Move it to the left."),
        ((0, 0.2, 0.0, 1.0, 0, 0), "Move it up."),
        ((0, 0, 0.0, 1.5, 0, 0), "Come nearer."),
        ((0, 0, 0.0, 0.7, 0, 0), "Go farther off."),
        ((0, 0, 90.0, 1.0, 0, 0), "Turn the board by 90°"),
        ((0, 0, 40.0, 1.0, 0, 0), "Turn it level."),
        ((0, 0, 0.0, 1.0, -30, 0), "Turn its left edge away."),
        ((0, 0, 0.0, 1.0, 30, 0), "Turn its right edge away."),
        ((0, 0, 0.0, 1.0, 0, 30), "Lean its lower edge away."),
        ((0, 0, 0.0, 1.0, 0, -30), "Lean its upper edge away."),
    ],
)
def test_the_hint_leads_to_the_pose(change: tuple[float, ...], words: str, scene, solution) -> None:
    # The board stands elsewhere than asked: shifted by a share of its distance, turned in its plane, at `far` times
    # the distance, yawed and pitched.
    straight = [p for p in candidate_poses(scene.board, solution.rig) if not p.turned and not p.tilted]
    pose = min(straight, key=lambda p: np.linalg.norm(p.t_left_board[:2]))
    advice = Advice((), solution, 1.0, pose, view_of(scene.board, solution.rig, pose))
    x, y, turn, far, yaw, pitch = change
    middle = scene.board.object_points().mean(axis=0)
    R = rotation(np.radians([-pitch, yaw, 0.0])) @ rotation(np.radians([0, 0, turn])) @ pose.R_left_board
    centre = (pose.R_left_board @ middle + pose.t_left_board) * far
    centre = centre + np.array([x, y, 0]) * centre[2]
    held = view_of(
        scene.board, solution.rig, dataclasses.replace(pose, R_left_board=R, t_left_board=centre - R @ middle)
    )
    assert words in towards(advice, scene.board, held.left, held.right)
    assert towards(advice, scene.board, None, held.right) != "" and towards(advice, scene.board, None, None) == ""
    # a chessboard of 9x6 that was found from its other end stands at the same place
    other = dataclasses.replace(held.left, points_px=held.left.points_px[::-1].copy())
    assert words in towards(advice, scene.board, other, None)


def test_a_session_keeps_pairs_and_is_resumed(tmp_path) -> None:
    board = parse_board("chessboard:9x6:25mm")
    rng = np.random.default_rng(0)
    pairs = [
        (rng.integers(0, 255, (12, 16, 3), np.uint8), rng.integers(0, 255, (12, 16, 3), np.uint8)) for _ in range(3)
    ]
    session = Session(tmp_path / "s", board)
    names = [session.add(*pair) for pair in pairs]
    session.undo(names[1])
    (tmp_path / "s" / "right_0009.png").write_bytes(b"half a pair: its left picture never came")
    again = Session(tmp_path / "s", board)
    assert again.resumed and again.names() == [names[0], names[2]]
    for name, pair in ((names[0], pairs[0]), (names[2], pairs[2])):
        for got, want in zip(again.load(name), pair):
            np.testing.assert_array_equal(got, want)
    assert again.add(*pairs[0]) not in names  # an undone name is never used again
    with pytest.raises(CalibrationError, match="made with the board"):
        Session(tmp_path / "s", parse_board("chessboard:7x6:25mm"))
