"""Views are put in order before the solve: pictures turned, mirrored, exchanged, corner orders from either end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from synthetic.board_scenes import Scene, SceneOptions, flipped, make_scene, seen_points

from calibration.arrange import Arranged, arrange, looks_the_same_turned, turned
from calibration.board_model import BoardModel
from calibration.boards import parse_board
from calibration.bundle import rotation
from calibration.detection import Detection
from calibration.errors import CalibrationError
from calibration.rectify import swap_rig
from calibration.rig import StereoRig
from calibration.solution import Flip
from calibration.solve_lens import choose_lens
from calibration.views import View

OPTIONS = SceneOptions(views=8)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make_scene(2, OPTIONS)


def arranged(views: Sequence[View], scene: Scene) -> Arranged:
    model = BoardModel(scene.board.object_points())
    alone, _ = choose_lens(views, model, "pinhole")
    return arrange(tuple(views), scene.board, model, alone)


def each(scene: Scene, change: Callable[[View], View]) -> list[View]:
    return [change(view) for view in scene.views]


def assert_pose(found: Arranged, rig: StereoRig) -> None:
    """Each camera alone, at 0.1 px and eight views, gives the pose to about a tenth of a degree and a millimetre."""
    angle = np.degrees(np.arccos(np.clip((np.trace(found.R @ rig.R_right_left.T) - 1) / 2, -1, 1)))
    assert angle < 0.5 and np.abs(found.t - rig.t_right_left_m).max() < 0.004


def test_views_in_order_are_left_alone(scene: Scene) -> None:
    found = arranged(scene.views, scene)
    assert not found.swapped and found.flip == ("none", "none") and not any(found.mended)
    assert found.agree.all() and found.counted.all() and not any(found.why)
    assert_pose(found, scene.rig)


@pytest.mark.parametrize("flip", ["180", "90", "270"])
def test_a_turned_right_picture_is_turned_back(scene: Scene, flip: Flip) -> None:
    back: dict[str, Flip] = {"180": "180", "90": "270", "270": "90"}
    found = arranged(each(scene, lambda v: dataclasses.replace(v, right=turned(v.right, flip))), scene)
    assert found.flip == ("none", back[flip]) and not found.swapped
    assert "turned" in found.notes[0] or "upside down" in found.notes[0]
    assert_pose(found, scene.rig)


def mirrored(found: Detection, scene: Scene) -> Detection:
    """Mirror a detection as a detector sees it: it numbers the rows of a mirrored board from the other end."""
    columns, rows = scene.board.grid
    moved = turned(found, "h")
    lattice = moved.points_px.reshape(rows, columns, 2)[:, ::-1].reshape(-1, 2)
    return dataclasses.replace(moved, points_px=np.ascontiguousarray(lattice))


def test_a_mirrored_right_picture_is_mirrored_back(scene: Scene) -> None:
    found = arranged(each(scene, lambda v: dataclasses.replace(v, right=mirrored(v.right, scene))), scene)
    assert found.flip == ("none", "h") and "mirrored" in found.notes[0]
    assert_pose(found, scene.rig)


def test_a_right_picture_mirrored_top_to_bottom_is_mirrored_back(scene: Scene) -> None:
    views = each(scene, lambda v: dataclasses.replace(v, right=turned(mirrored(v.right, scene), "180")))
    found = arranged(views, scene)
    assert found.flip == ("none", "v") and "top to bottom" in found.notes[0] and not found.swapped
    assert_pose(found, scene.rig)


def test_a_right_picture_mirrored_and_on_its_side_is_refused(scene: Scene) -> None:
    views = each(scene, lambda v: dataclasses.replace(v, right=turned(mirrored(v.right, scene), "90")))
    with pytest.raises(CalibrationError, match="mirrored and turned"):
        arranged(views, scene)


@pytest.mark.parametrize("flip", ["180", "h"])
def test_one_turned_left_picture_is_no_exchange(scene: Scene, flip: Flip) -> None:
    """Seen from the right camera the left one stands where it belongs only if it is the left picture that is turned."""
    views = each(
        scene, lambda v: dataclasses.replace(v, left=mirrored(v.left, scene) if flip == "h" else turned(v.left, flip))
    )
    found = arranged(views, scene)
    assert found.flip == (flip, "none") and not found.swapped and "The left picture is" in found.notes[0]
    assert_pose(found, scene.rig)


def test_exchanged_cameras_are_exchanged_back(scene: Scene) -> None:
    found = arranged(each(scene, View.exchanged), scene)
    assert found.swapped
    assert_pose(found, scene.rig)


def test_both_upside_down_stand_exchanged_as_their_pictures_see_it(scene: Scene) -> None:
    found = arranged(each(scene, lambda v: View(v.name, turned(v.left, "180"), turned(v.right, "180"))), scene)
    assert found.swapped and found.flip == ("none", "none")


def test_cameras_above_each_other_are_never_exchanged(scene: Scene) -> None:
    """The lower camera given first or second: both are legal, and neither is a swap."""
    R = rotation(np.radians([0.5, 0.3, -0.2]))
    for up in (1.0, -1.0):
        rig = StereoRig(scene.rig.left, scene.rig.right, R, -R @ np.array([0.003, 0.12 * up, 0.0]))
        points = BoardModel(scene.board.object_points()).points(np.zeros(4))
        views = []
        for view, A, t in zip(scene.views, scene.R, scene.t):
            pixels = seen_points(rig, points @ A.T + t)
            sides = [
                dataclasses.replace(found, points_px=p.astype(np.float32))
                for found, p in zip((view.left, view.right), pixels)
            ]
            views.append(View(view.name, *sides))
        found = arranged(views, scene)
        assert not found.swapped and found.flip == ("none", "none")
        assert_pose(found, rig)


def test_reversed_orders_are_mended_and_named(scene: Scene) -> None:
    views = [flipped(view, "left") if i in (1, 5) else view for i, view in enumerate(scene.views)]
    found = arranged(views, scene)
    assert [bool(text) for text in found.mended] == [i in (1, 5) for i in range(len(views))]
    assert_pose(found, scene.rig)


def test_all_orders_reversed_is_a_rule_and_no_repair(scene: Scene) -> None:
    found = arranged(each(scene, flipped), scene)
    assert not any(found.mended)
    assert_pose(found, scene.rig)


@pytest.mark.parametrize(
    ("spec", "same"),
    [("chessboard:9x6", True), ("chessboard:8x6", True), ("circles:4x11", False), ("circles:4x10", True),
     ("charuco:7x5:DICT_5X5_100", False)],
)  # fmt: skip
def test_boards_that_look_the_same_from_both_ends(spec: str, same: bool) -> None:
    board = parse_board(spec)
    assert looks_the_same_turned(board) is same
    if board.kind == "circles":
        points = board.object_points()
        half_turn = points.max(axis=0) - points[::-1]
        assert np.allclose(half_turn, points) is same


def test_turning_a_detection_is_turning_its_picture() -> None:
    view = make_scene(0, SceneOptions(views=1)).views[0]
    w, h = view.left.size_wh
    for flip, size in (("90", (h, w)), ("180", (w, h)), ("270", (h, w)), ("h", (w, h)), ("v", (w, h))):
        moved = turned(view.left, flip)
        assert moved.size_wh == size
        assert (moved.points_px >= 0).all() and (moved.points_px <= np.array(size) - 1).all()
    assert np.allclose(turned(turned(view.left, "90"), "270").points_px, view.left.points_px, atol=1e-3)
    assert swap_rig(swap_rig(make_scene(0, OPTIONS).rig)).baseline_m == pytest.approx(0.12)
