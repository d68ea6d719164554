"""Corners of rendered boards against exact truth: every kind of board, turned, in part, blurred, dark, inverted."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from synthetic.drawn_boards import Look, camera_of, render_board

from calibration import corners
from calibration.board_model import BoardModel
from calibration.boards import parse_board
from calibration.bundle import rotation
from calibration.detection import BoardDetector, Detection, sharpness
from calibration.projection import camera_vector, project
from calibration.rig import Intrinsics

CAMERA = camera_of((640, 480), 600.0, (-0.1, 0.05, 0, 0, 0))
CHESS, CHARUCO, CIRCLES = "chessboard:9x6:25mm", "charuco:7x5:35mm:26mm:DICT_5X5_100", "circles:4x11:18mm"


def pose(spec: str, turn_deg: tuple[float, float, float], place: tuple[float, float, float]) -> tuple:
    middle = parse_board(spec).object_points().mean(axis=0)
    R = rotation(np.radians([turn_deg[0], turn_deg[1], 0])) @ rotation(np.radians([0, 0, turn_deg[2]]))
    return R, np.array(place) - R @ middle


def picture(spec: str, at: tuple, look: Look | None = None, camera: Intrinsics = CAMERA) -> np.ndarray:
    return render_board(camera, parse_board(spec), [at], None, look)


def errors(spec: str, at: tuple, found: Detection, camera: Intrinsics = CAMERA) -> np.ndarray:
    """Distance of each point to where it really is, px."""
    points = BoardModel(parse_board(spec).object_points()).points(np.zeros(4)) @ at[0].T + at[1]
    truth = project(points, camera_vector(camera), camera.model)
    return np.linalg.norm(found.points_px - truth[found.ids], axis=1)


@pytest.mark.parametrize("spec", [CHESS, CHARUCO, CIRCLES])
@pytest.mark.parametrize("turn", [(0, 0, 0), (25, -20, 10), (-20, 15, -12)])
def test_points_are_found_to_a_twentieth_of_a_pixel(spec: str, turn: tuple[float, float, float]) -> None:
    at = pose(spec, turn, (0.01, -0.01, 0.5))
    found = BoardDetector(parse_board(spec)).detect(picture(spec, at))
    assert found is not None and found.points_px.dtype == np.float32 and found.ids.dtype == np.int32
    assert len(found) == parse_board(spec).point_count and found.size_wh == (640, 480)
    # A circle's centre is not the centre of its picture where it is tilted: that alone is some hundredths.
    assert np.sqrt(np.mean(errors(spec, at, found) ** 2)) < (0.05 if spec != CIRCLES else 0.08)


def test_the_first_corner_is_the_same_however_the_board_is_turned() -> None:
    for roll in (0, 90, 180, 270):
        at = pose(CHESS, (5, 5, roll), (0, 0, 0.55))
        found = BoardDetector(parse_board(CHESS)).detect(picture(CHESS, at))
        # 9 + 6 is odd: the colours tell which end is which.
        assert found is not None and errors(CHESS, at, found).max() < 0.3


@pytest.mark.parametrize("rows", [10, 11])
def test_circles_are_numbered_along_the_board(rows: int) -> None:
    spec = f"circles:4x{rows}:18mm"
    seen = 0
    for roll in (0, 60, 120, 180, 240, 300):
        at = pose(spec, (10, 5, roll), (0, 0, 0.55))
        found = BoardDetector(parse_board(spec)).detect(picture(spec, at))
        if found is None:
            continue
        seen += 1
        backwards = dataclasses.replace(found, points_px=found.points_px[::-1])
        either = min(errors(spec, at, found).max(), errors(spec, at, backwards).max())
        # With an odd number of rows the board itself tells its ends apart.
        assert (errors(spec, at, found).max() if rows % 2 else either) < 0.3
    # OpenCV loses a circle grid now and then; what it gives must be in order.
    assert seen >= 4


def test_a_charuco_board_is_found_in_part_with_right_ids() -> None:
    at = pose(CHARUCO, (5, 10, 5), (0.16, 0.05, 0.4))
    found = BoardDetector(parse_board(CHARUCO)).detect(picture(CHARUCO, at))
    assert found is not None and 6 <= len(found) < parse_board(CHARUCO).point_count
    assert errors(CHARUCO, at, found).max() < 0.3 and (np.diff(found.ids) > 0).all()


@pytest.mark.parametrize(
    ("look", "words"),
    [(Look(), ()), (Look(inverted=True), ("inverted",)), (Look(legacy=True), ("older pattern",)),
     (Look(legacy=True, inverted=True), ("older pattern", "inverted"))],
)  # fmt: skip
def test_kinds_of_charuco_are_found_and_told(look: Look, words: tuple[str, ...]) -> None:
    spec = "charuco:7x6:30mm:22mm:DICT_5X5_100"  # an even number of rows: only there the older pattern differs
    at = pose(spec, (10, -10, 5), (0, 0, 0.5))
    detector = BoardDetector(parse_board(spec))
    found = detector.detect(picture(spec, at, look))
    assert found is not None and errors(spec, at, found).max() < 0.3
    told = " ".join(detector.notes())
    assert all(word in told for word in words) and (told == "") == (not words)


@pytest.mark.parametrize("spec", [CHESS, CHARUCO, CIRCLES])
def test_nothing_is_found_where_no_board_is(spec: str) -> None:
    detector = BoardDetector(parse_board(spec))
    noise = np.random.default_rng(0).integers(0, 255, (240, 320)).astype(np.uint8)
    assert detector.detect(noise) is None and detector.detect(np.full((240, 320), 90, np.uint8)) is None


def test_a_chessboard_that_is_cut_off_is_not_found() -> None:
    at = pose(CHESS, (0, 0, 0), (0.2, 0, 0.4))
    assert BoardDetector(parse_board(CHESS)).detect(picture(CHESS, at)) is None


def test_another_grid_than_the_boards_is_not_found() -> None:
    shown = picture(CHESS, pose(CHESS, (5, 5, 0), (0, 0, 0.5)))
    assert BoardDetector(parse_board("chessboard:10x7:25mm")).detect(shown) is None


@pytest.mark.parametrize("grid", ["5x4", "6x4"])
def test_a_lattice_laid_across_the_squares_is_not_found(grid: str) -> None:
    """OpenCV fits a small grid over a larger board by skipping squares and cutting them in half."""
    detector = BoardDetector(parse_board(f"chessboard:{grid}:25mm"))
    for turn in ((20, -15, 5), (-25, 10, -8), (0, 30, 4), (-10, -25, 12), (15, 20, -3)):
        shown = picture(CHESS, pose(CHESS, turn, (0.01, 0, 0.55)))
        found = detector.detect(shown)
        if found is not None:
            # A part of the true board, wherever it lies on it: every point is one of its corners.
            corners = BoardDetector(parse_board(CHESS)).detect(shown)
            apart = np.linalg.norm(found.points_px[:, None] - corners.points_px[None], axis=2).min(axis=1)
            assert apart.max() < 0.5


def test_the_squares_of_a_charuco_board_are_no_chessboard() -> None:
    """Its markers would pull the corners by a quarter of a pixel."""
    shown = picture(CHARUCO, pose(CHARUCO, (10, -10, 5), (0, 0, 0.5)))
    assert BoardDetector(parse_board("chessboard:6x4:35mm")).detect(shown) is None


@pytest.mark.parametrize("marker_mm", [21, 31])
def test_markers_of_another_size_than_named_are_read_as_they_are(marker_mm: int) -> None:
    at = pose(CHARUCO, (10, -10, 5), (0, 0, 0.5))
    detector = BoardDetector(parse_board(f"charuco:7x5:35mm:{marker_mm}mm:DICT_5X5_100"))
    found = detector.detect(picture(CHARUCO, at))
    right = BoardDetector(parse_board(CHARUCO))
    expected = right.detect(picture(CHARUCO, at))
    assert found is not None and expected is not None and np.array_equal(found.ids, expected.ids)
    assert np.linalg.norm(found.points_px - expected.points_px, axis=1).max() < 0.05
    assert "another size" in detector.notes()[0] and right.notes() == ()


def test_a_wide_lens_does_not_change_the_size_of_markers() -> None:
    for focal_px, turn, place in (
        (220.0, (0, -25, 5), (0.06, 0.0, 0.11)), (260.0, (10, 0, 0), (0.05, 0.03, 0.12)),
    ):  # fmt: skip
        wide = camera_of((640, 480), focal_px, (0, 0, 0, 0), "fisheye")
        detector = BoardDetector(parse_board(CHARUCO))
        assert detector.detect(picture(CHARUCO, pose(CHARUCO, turn, place), camera=wide)) is not None
        assert detector.notes() == ()


def test_one_picture_does_not_decide_the_size_of_markers_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([0.5, None, *[26 / 35] * 9])
    monkeypatch.setattr("calibration.detection.measured_ratio", lambda *_: next(seen))
    detector = BoardDetector(parse_board(CHARUCO))
    shown = picture(CHARUCO, pose(CHARUCO, (10, -10, 5), (0, 0, 0.5)))
    for _ in range(7):
        found = detector.detect(shown, quick=True)
    right = BoardDetector(parse_board(CHARUCO)).detect(shown)
    assert found is not None and right is not None and np.array_equal(found.points_px, right.points_px)
    assert detector.notes() == ()


@pytest.mark.parametrize("look", [Look(light=0.25, noise=3.0), Look(blur_px=1.6), Look(noise=8.0)])
def test_poor_pictures_still_give_corners(look: Look) -> None:
    at = pose(CHESS, (15, -15, 5), (0, 0, 0.5))
    found = BoardDetector(parse_board(CHESS)).detect(picture(CHESS, at, look))
    assert found is not None and np.sqrt(np.mean(errors(CHESS, at, found) ** 2)) < 0.25


def test_small_pictures_and_large_ones() -> None:
    at = pose(CHESS, (15, -15, 5), (0, 0, 0.5))
    for size, focal in (((320, 240), 300.0), ((1920, 1440), 1800.0)):
        camera = camera_of(size, focal, (-0.1, 0.05, 0, 0, 0))
        found = BoardDetector(parse_board(CHESS)).detect(picture(CHESS, at, None, camera))
        assert found is not None and np.sqrt(np.mean(errors(CHESS, at, found, camera) ** 2)) < 0.08


def test_quick_finds_the_same_corners() -> None:
    shown = picture(CHESS, pose(CHESS, (15, -15, 5), (0, 0, 0.5)))
    detector = BoardDetector(parse_board(CHESS))
    quick, slow = detector.detect(shown, quick=True), detector.detect(shown)
    assert quick is not None and slow is not None
    assert np.array_equal(quick.points_px, slow.points_px)


def test_sharpness_falls_with_blur() -> None:
    shown = picture(CHESS, pose(CHESS, (0, 0, 0), (0, 0, 0.5)))
    found = BoardDetector(parse_board(CHESS)).detect(shown)
    assert found is not None
    values = [sharpness(shown, found)] + [
        sharpness(np.asarray(cv2.GaussianBlur(shown, (0, 0), s), np.uint8), found) for s in (1.5, 3.0)
    ]
    assert values[0] > 1.3 * values[1] > 1.3 * 1.3 * values[2]


LARGE = camera_of((2000, 1500), 1875.0, (-0.1, 0.05, 0, 0, 0))


@pytest.mark.parametrize("spec", [CHESS, CHARUCO])
def test_soft_noisy_corners_of_large_pictures_are_found_in_a_smaller_copy(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = pose(spec, (20, -15, 8), (0.0, 0.0, 0.4))
    soft = picture(spec, at, Look(blur_px=4.0, noise=6.0), LARGE)
    sharp = picture(spec, at, Look(blur_px=0.6, noise=1.0), LARGE)
    found = {}
    for copies in (corners.COPIES, ()):
        monkeypatch.setattr(corners, "COPIES", copies)
        for name, image in (("soft", soft), ("sharp", sharp)):
            detection = BoardDetector(parse_board(spec)).detect(image)
            assert detection is not None
            found[name, bool(copies)] = float(np.sqrt(np.mean(errors(spec, at, detection, LARGE) ** 2)))
    assert found["soft", True] < 0.6 * found["soft", False]
    assert found["sharp", True] < max(1.15 * found["sharp", False], 0.03)


def test_how_uneven_corners_lie_is_their_noise() -> None:
    rng = np.random.default_rng(0)
    board = parse_board("chessboard:11x8:20mm")
    at = pose("chessboard:11x8:20mm", (25, -20, 5), (0.0, 0.0, 0.6))
    points = BoardModel(board.object_points()).points(np.zeros(4)) @ at[0].T + at[1]
    exact = project(points, camera_vector(CAMERA), CAMERA.model)
    ids = np.arange(len(exact), dtype=np.int32)
    assert (corners.uneven_px(exact.astype(np.float32), ids, board.grid) or 1) < 0.01
    noisy = (exact + rng.normal(0, 0.3, exact.shape)).astype(np.float32)
    assert corners.uneven_px(noisy, ids, board.grid) == pytest.approx(0.3, rel=0.2)
    few = ids[::5]
    assert corners.uneven_px(noisy[few], few, board.grid) is None
