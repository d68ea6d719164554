"""Lens models against OpenCV's, and every derivative of the solve against differences."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.board_model import BoardModel
from calibration.boards import parse_board
from calibration.bundle import Observations, State, _linearize, residuals, rotation
from calibration.projection import project, project_with_derivatives
from calibration.rig import LensModel

CAMERAS: dict[LensModel, list[float]] = {
    "pinhole": [420, 425, 318, 241, -0.2, 0.06, 1e-3, -2e-3, -0.01],
    "rational": [420, 425, 318, 241, -0.2, 0.06, 1e-3, -2e-3, -0.01, 0.1, -0.03, 0.004],
    "fisheye": [300, 302, 318, 241, 0.05, -0.01, 0.004, -0.001],
}
RNG = np.random.default_rng(0)
AHEAD = np.column_stack([RNG.uniform(-1, 1, (40, 2)), RNG.uniform(1, 3, 40)])


@pytest.mark.parametrize("model", ["pinhole", "rational"])
def test_perspective_lenses_are_opencvs(model: LensModel) -> None:
    camera = np.array(CAMERAS[model])
    K = np.array([[camera[0], 0, camera[2]], [0, camera[1], camera[3]], [0, 0, 1]])
    theirs = cv2.projectPoints(AHEAD, np.zeros(3), np.zeros(3), K, camera[4:])[0].reshape(-1, 2)
    assert np.abs(project(AHEAD, camera, model) - theirs).max() < 1e-9


def test_the_fisheye_lens_is_opencvs() -> None:
    camera = np.array(CAMERAS["fisheye"])
    K = np.array([[camera[0], 0, camera[2]], [0, camera[1], camera[3]], [0, 0, 1]])
    theirs = cv2.fisheye.projectPoints(AHEAD[:, None], np.zeros(3), np.zeros(3), K, camera[4:])[0].reshape(-1, 2)
    assert np.abs(project(AHEAD, camera, "fisheye") - theirs).max() < 1e-9


def test_a_fisheye_sees_beside_and_behind_itself() -> None:
    camera = np.array([300, 300, 0, 0, 0, 0, 0, 0.0])
    for degrees in (60.0, 90.0, 100.0):
        point = np.array([[np.sin(np.radians(degrees)), 0, np.cos(np.radians(degrees))]])
        assert project(point, camera, "fisheye")[0] == pytest.approx([300 * np.radians(degrees), 0], abs=1e-9)


@pytest.mark.parametrize("model", list(CAMERAS))
def test_derivatives_are_those_of_differences(model: LensModel) -> None:
    camera = np.array(CAMERAS[model])
    points = AHEAD if model != "fisheye" else np.vstack([AHEAD, AHEAD * [1, 1, -0.1]])
    _, by_point, by_camera = project_with_derivatives(points, camera, model)
    step = 1e-6
    for i in range(3):
        d = step * np.eye(3)[i]
        slope = (project(points + d, camera, model) - project(points - d, camera, model)) / (2 * step)
        assert np.abs(by_point[:, :, i] - slope).max() < 1e-4
    for i in range(len(camera)):
        d = step * np.eye(len(camera))[i]
        slope = (project(points, camera + d, model) - project(points, camera - d, model)) / (2 * step)
        assert np.abs(by_camera[:, :, i] - slope).max() < 1e-4


@pytest.mark.parametrize("model", list(CAMERAS))
def test_derivatives_of_the_whole_rig_are_those_of_differences(model: LensModel) -> None:
    board = BoardModel(parse_board("chessboard:5x4:30mm").object_points())
    n = len(board.flat)
    camera = np.array(CAMERAS[model])
    state = State(
        (camera, camera * 1.01), (model, model), rotation(np.array([0.02, -0.1, 0.03])), np.array([-0.1, 0.01, 0.005]),
        np.array([1e-3, -2e-3, 1e-3, 2e-3]), np.array([rotation(np.array([0.2, 0.3, 0.1]))]),
        np.array([[-0.05, -0.04, 0.5]]),
    )  # fmt: skip
    ids = np.tile(np.arange(n), 2)
    seen = Observations(np.zeros((2 * n, 2)), ids, np.zeros(2 * n, np.intp), np.repeat([0, 1], n), np.ones(2 * n))
    _, by_common, by_pose = _linearize(board, seen, state)
    step = 1e-7
    for i in range(len(state.common)):
        d = step * np.eye(len(state.common))[i]
        slope = -(residuals(board, seen, state.stepped(d)) - residuals(board, seen, state.stepped(-d))) / (2 * step)
        assert np.abs(by_common[:, :, i] - slope).max() < 2e-3 * max(1, np.abs(slope).max()), state.common_names[i]
    for i in range(6):
        d = step * np.eye(6)[i]
        ends = [
            residuals(board, seen, state.with_poses(rotation(s * d[:3]) @ state.R, state.t + s * d[3:]))
            for s in (1, -1)
        ]
        slope = -(ends[0] - ends[1]) / (2 * step)
        assert np.abs(by_pose[:, :, i] - slope).max() < 2e-3 * max(1, np.abs(slope).max())
