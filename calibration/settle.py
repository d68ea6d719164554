"""Settle what no scene shows: yaw and scale, from a board of known size or from one measured distance.

A yaw of the right camera moves disparities by e = −f·yaw·(1 + u²), nearly the same everywhere, and a baseline that is
another by α makes them all α times as large. A board of known size tells depth without either, so that views of it
at two distances or more tell yaw and α apart; with one, α is taken to be near 1, because a bump turns a camera more
easily than it bends the bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.errors import CalibrationError
from calibration.rectify import Rectification
from calibration.rig import Array

# A bar changes its length by heat and glue, not by more.
_BASELINE_SIGMA = 0.002
# A board is flat and printed to about this; a tape reaches the glass of the lens, not its centre.
_BOARD_SIGMA = 0.001
_TAPE_SIGMA_M, _TAPE_SHARE = 0.004, 0.002
_CORNER_PX = 0.1
_LEAST_ON_PLANE = 20


@dataclass(frozen=True)
class Settled:
    """What was learnt. yaw: value and standard deviation, rad, in the sense of `Drift.turn`.

    scale_percent: depth as the rig measures it over true depth, minus 100 %, mean over the views; sigma_percent.
    """

    yaw: tuple[float, float]
    scale_percent: float
    sigma_percent: float


@dataclass
class _Board:
    """One view: seen (N,4) px left x, y, right x, y rectified; places (N,3) on the board; pose, rotation and shift."""

    seen: Array
    places: Array
    pose: Array


def settle_by_board(rectification: Rectification, views: Sequence[tuple[Array, Array, Array]]) -> Settled:
    """Measure boards: each view is left and right corners (N,2) px rectified, and their places on the board (N,3).

    Solves for the pose of each board, yaw and baseline together, poses eliminated view by view (Schur complement).

    Raises:
        CalibrationError: no view has enough corners in front of the cameras.
    """
    f, B = rectification.focal_px, rectification.baseline_m
    boards = [board for view in views if (board := _start(rectification, *view)) is not None]
    if not boards:
        raise CalibrationError(
            "No board view lies in front of both cameras as the rig has them.",
            "Are left and right exchanged, or is it the rig of other cameras?",
        )
    # Yaw, rad, and the logarithm of true baseline over the rig's; the board's own size is as uncertain as this too.
    common = np.zeros(2)
    prior = np.array([0.0, math.hypot(_BASELINE_SIGMA, _BOARD_SIGMA) ** -2])
    normal = np.diag(prior)
    for _ in range(12):
        normal, slope = np.diag(prior), -prior * common
        steps: list[tuple[_Board, Array, Array, Array]] = []
        for board in boards:
            off, by_pose, by_common = _linearised(rectification, board, common)
            weight = np.repeat(1 / (1 + (np.linalg.norm(off.reshape(-1, 2), axis=1) / (6 * _CORNER_PX)) ** 2), 2)
            weight /= _CORNER_PX**2
            A, C = by_pose * weight[:, None], by_common * weight[:, None]
            solved = np.linalg.solve(by_pose.T @ A, np.column_stack([by_pose.T @ C, A.T @ off]))
            normal += by_common.T @ C - (by_common.T @ A) @ solved[:, :2]
            slope += C.T @ off - (by_common.T @ A) @ solved[:, 2]
            steps.append((board, solved[:, 2], solved[:, :2], off))
        move = np.linalg.solve(normal, slope)
        common = common + move
        for board, alone, shared, _ in steps:
            board.pose = board.pose + alone - shared @ move
        if np.abs(move).max() < 1e-10:
            break
    ratios = np.array([_depth_ratio(rectification, board, f * B) for board in boards])
    sigma = math.sqrt(float(np.linalg.inv(normal)[0, 0]))
    spread = math.hypot(_BOARD_SIGMA, float(ratios.std()) / math.sqrt(len(ratios)))
    return Settled((float(common[0]), sigma), 100 * (float(ratios.mean()) - 1), 100 * spread)


def _start(rectification: Rectification, left: Array, right: Array, places: Array) -> _Board | None:
    seen = np.isfinite(left).all(1) & np.isfinite(right).all(1)
    if seen.sum() < 6 or (left[seen, 0] - right[seen, 0] + rectification.doffs_px <= 0).any():
        return None
    K = rectification.projection("left")[:, :3]
    ok, turn, shift = cv2.solvePnP(places[seen], left[seen], K, np.zeros(4))
    if not ok or float(shift[2, 0]) <= 0:
        return None
    return _Board(np.hstack([left[seen], right[seen]]), places[seen], np.concatenate([turn.ravel(), shift.ravel()]))


def _expected(rectification: Rectification, board: _Board, pose: Array, common: Array) -> Array:
    """Where the corners of a board would be seen, (N,4) px."""
    at_left = board.places @ np.asarray(cv2.Rodrigues(pose[:3].copy())[0]).T + pose[3:]
    at_right = at_left - [rectification.baseline_m * math.exp(common[1]), 0, 0]
    at_right = at_right @ np.asarray(cv2.Rodrigues(np.array([0.0, common[0], 0.0]))[0]).T
    left, right = (p[:, :2] / p[:, 2:] * rectification.focal_px for p in (at_left, at_right))
    return np.hstack([left + rectification.projection("left")[:2, 2], right + rectification.projection("right")[:2, 2]])


def _linearised(rectification: Rectification, board: _Board, common: Array) -> tuple[Array, Array, Array]:
    """Residuals (4N,) and their derivatives by the pose (4N,6) and by yaw and baseline (4N,2)."""
    value = _expected(rectification, board, board.pose, common)
    step = 1e-6
    by_pose = [_expected(rectification, board, board.pose + d, common) - value for d in np.eye(6) * step]
    by_common = [_expected(rectification, board, board.pose, common + d) - value for d in np.eye(2) * step]
    columns = [np.stack([c.ravel() for c in part], axis=1) / step for part in (by_pose, by_common)]
    return (board.seen - value).ravel(), columns[0], columns[1]


def _depth_ratio(rectification: Rectification, board: _Board, focal_baseline: float) -> float:
    """Depth as the rig measures it over true depth, median of a board's corners."""
    true = (board.places @ np.asarray(cv2.Rodrigues(board.pose[:3].copy())[0]).T + board.pose[3:])[:, 2]
    measured = focal_baseline / (board.seen[:, 0] - board.seen[:, 2] + rectification.doffs_px)
    return float(np.median(measured / true))


def settle_by_distance(rectification: Rectification, left: Array, right: Array, distance_m: float) -> Settled:
    """Measure a flat surface that fills the middle of the view, from matches (N,2) px rectified.

    distance_m: from the left camera's lens to the surface, straight ahead.

    Raises:
        CalibrationError: too few matches, or they do not lie on one plane.
    """
    f, B = rectification.focal_px, rectification.baseline_m
    if not 0.05 < distance_m < 1000:
        raise CalibrationError(f"A distance of {distance_m:g} m cannot be used.", "Give it in metres, as 2.00.")
    if not rectification.metric:
        raise CalibrationError(
            "The rig's lengths are in board squares: a distance in metres says nothing of it.",
            "Calibrate with the size of the squares.",
        )
    seen = np.isfinite(left).all(1) & np.isfinite(right).all(1)
    w, h = rectification.size_wh
    place = (left[seen] - [(w - 1) / 2, (h - 1) / 2]) / f
    shift = left[seen, 0] - right[seen, 0]
    if len(shift) < _LEAST_ON_PLANE:
        raise CalibrationError(
            f"Only {len(shift)} points were matched on the surface.",
            "Use a flat surface with texture, such as a wall with posters, and light.",
        )
    # Inverse depth, and with it disparity, is linear in the place on a plane, and known in the middle; what is left
    # there is yaw, which moves a point by f yaw (1 + u²) in the right picture.
    expected = f * B / distance_m - rectification.doffs_px
    u_right = (right[seen, 0] - rectification.projection("right")[0, 2]) / f
    design = np.column_stack([place, -f * (1 + u_right**2)])
    weight = np.ones(len(shift))
    for _ in range(30):
        root = np.sqrt(weight)
        fit = np.linalg.lstsq(design * root[:, None], (shift - expected) * root, rcond=None)[0]
        off = shift - expected - design @ fit
        noise = max(1.4826 * float(np.median(np.abs(off))), 0.05)
        weight = 1 / (1 + (off / (2.4 * noise)) ** 2)
    on_plane = float(np.mean(np.abs(off) < max(4 * noise, 0.5)))
    if noise > 1.0 or on_plane < 0.6:
        raise CalibrationError(
            f"The surface is not flat: {100 * (1 - on_plane):.0f} % of the matched points lie off one plane.",
            "Let one flat surface fill the view, a wall or a door, and measure to it.",
        )
    covariance = np.linalg.inv((design * weight[:, None]).T @ design) * noise**2
    tape = math.hypot(_TAPE_SIGMA_M, _TAPE_SHARE * distance_m)
    sigma = math.sqrt(
        float(covariance[2, 2]) + (B / distance_m**2 * tape) ** 2 + (B / distance_m * _BASELINE_SIGMA) ** 2
    )
    yaw = float(fit[2])
    measured = f * B / max(f * B / distance_m - f * yaw, 1e-6)
    return Settled((yaw, sigma), 100 * (measured / distance_m - 1), 100 * tape / distance_m)
