"""Which board pose would help most: of many poses that both cameras can see, the one whose view would lower the
predicted depth error most.

A view adds information about the rig: with J the derivatives of its corners by the rig's unknowns and P those by the
board's own pose, A = JᵀJ − JᵀP (PᵀP)⁻¹ PᵀJ, all over σ² (the pose is eliminated by the Schur complement). The
covariance after it is (Σ⁻¹ + A)⁻¹, and from that follows the depth error, as in `uncertainty`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.bundle import camera_names, rotation
from calibration.detection import Detection
from calibration.projection import camera_vector, project, project_with_derivatives
from calibration.rig import Intrinsics, StereoRig
from calibration.solution import RigCovariance
from calibration.uncertainty import depth_derivatives
from calibration.views import View

Array = NDArray[np.float64]

# A corner nearer to the border than this share of the width may be cut off by an unsteady hand.
MARGIN = 0.03
TILTS_DEG = ((0.0, 0.0), (28.0, 0.0), (-28.0, 0.0), (0.0, 28.0), (0.0, -28.0), (22.0, 22.0), (-22.0, -22.0))
PLACES = tuple(product((0.25, 0.5, 0.75), (0.28, 0.5, 0.72)))
# Which edge is farther off, by the sign of a tilt about y and about x.
_EDGES = ("right", "left"), ("lower", "upper")
# Share of the picture's width that the board takes; of its height, TALL times as much.
SIZES = (0.38, 0.6)
TALL = 1.3


@dataclass(frozen=True)
class Pose:
    """A board pose in the left camera's frame and the outline of its print in both pictures.

    R_left_board (3,3), t_left_board (3,) in the board's unit. outline_left_px, outline_right_px: (4,2). turned: the
    board is turned by 90°; tilted: it is not seen straight on. percent: predicted depth error after a view of it, 1 σ;
    NaN where it is not known.
    """

    R_left_board: Array
    t_left_board: Array
    outline_left_px: Array
    outline_right_px: Array
    turned: bool
    tilted: bool
    words: str
    percent: float = float("nan")


def candidate_poses(board: Board, rig: StereoRig) -> list[Pose]:
    """Give poses that both cameras see whole: places, sizes, tilts, and the board turned by 90°."""
    poses = []
    for (u, v), size, tilt, turned in product(PLACES, SIZES, TILTS_DEG, (False, True)):
        pose = _pose(board, rig, (u, v), size, tilt, turned)
        if pose is not None:
            poses.append(pose)
    return poses


def _pose(
    board: Board, rig: StereoRig, place: tuple[float, float], size: float, tilt: tuple[float, float], turned: bool
) -> Pose | None:
    if rig.left.size_wh is None:
        return None
    w, h = rig.left.size_wh
    flat = board.object_points()
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    extent = flat.max(axis=0) - flat.min(axis=0)
    across, along = extent[1::-1] if turned else extent[:2]
    # A board turned upright is limited by the height of a wide picture.
    distance = max(across * rig.left.K[0, 0] / (size * w), along * rig.left.K[1, 1] / (TALL * size * h))
    K = rig.left.K
    ray = np.array([(place[0] * w - K[0, 2]) / K[0, 0], (place[1] * h - K[1, 2]) / K[1, 1], 1.0])
    R = rotation(np.radians([tilt[1], tilt[0], 0.0])) @ rotation(np.array([0.0, 0.0, np.pi / 2 if turned else 0.0]))
    t = ray * distance - R @ middle
    seen = [_project(rig, side, flat, R, t) for side in ("left", "right")]
    cameras = rig.left, rig.right
    if not all(_inside(points, camera, MARGIN) for points, camera in zip(seen, cameras)):
        return None
    # A person sees the print, which goes on for a square beyond the outer points.
    square = extent[:2] / (np.array(board.grid) - 1)
    low, high = flat.min(axis=0)[:2] - square, flat.max(axis=0)[:2] + square
    corners = np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])
    outlines = [_project(rig, side, corners, R, t) for side in ("left", "right")]
    if not all(_inside(points, camera, 0.0) for points, camera in zip(outlines, cameras)):
        return None
    return Pose(R, t, outlines[0], outlines[1], turned, any(tilt), _words(place, size, tilt, turned))


def _project(rig: StereoRig, side: str, points: Array, R: Array, t: Array) -> Array:
    in_left = points @ R.T + t
    if side == "left":
        return project(in_left, camera_vector(rig.left), rig.left.model)
    in_right = in_left @ rig.R_right_left.T + rig.t_right_left_m
    return project(in_right, camera_vector(rig.right), rig.right.model)


def _inside(points: Array, camera: Intrinsics, margin: float) -> bool:
    if camera.size_wh is None:
        return False
    w, h = camera.size_wh
    rim = margin * w
    x, y = points[:, 0], points[:, 1]
    return bool(((x > rim) & (x < w - rim) & (y > rim) & (y < h - rim)).all())


def _words(place: tuple[float, float], size: float, tilt: tuple[float, float], turned: bool) -> str:
    """Say where to show the board, in the picture as it is shown (not mirrored)."""
    row = {0.28: "upper", 0.5: "", 0.72: "lower"}[place[1]]
    column = {0.25: "left", 0.5: "", 0.75: "right"}[place[0]]
    where = "in the middle"
    if row and column:
        where = f"at the {row} {column}"
    elif row:
        where = "at the top" if row == "upper" else "at the bottom"
    elif column:
        where = f"at the {column}"
    parts = [f"show the board {where}, {'near' if size > 0.5 else 'farther off'}"]
    if turned:
        parts.append("turned by 90°")
    away = [_EDGES[0][tilt[0] > 0]] if tilt[0] else []
    away += [_EDGES[1][tilt[1] < 0]] if tilt[1] else []
    if away:
        parts.append(f"{' and '.join(away)} edge{'s' if len(away) > 1 else ''} away")
    return ", ".join(parts)


def choose_pose(
    board: Board, rig: StereoRig, covariance: RigCovariance, distance: float, sigma_px: float, poses: Sequence[Pose]
) -> Pose | None:
    """Give the pose whose view lowers the predicted depth error at `distance` most; None where there is none.

    sigma_px: noise of a corner, with what makes views err as a whole (`RigCovariance.inflation`) in it.
    """
    free = [i for i, name in enumerate(covariance.names) if covariance.matrix[i, i] > 0]
    if not free or not poses:
        return None
    names = tuple(covariance.names[i] for i in free)
    matrix = covariance.matrix[np.ix_(free, free)]
    by_unknown = depth_derivatives(rig, names, distance)
    # Unknowns differ by many orders of size: in units of their own σ the sums are well conditioned.
    scale = np.sqrt(np.diag(matrix))
    information = np.linalg.pinv(matrix / np.outer(scale, scale), rcond=1e-10, hermitian=True)
    by_unknown = by_unknown * scale
    flat = board.object_points()
    best: Pose | None = None
    for pose in poses:
        added = view_information(rig, names, flat, pose) * np.outer(scale, scale) / sigma_px**2
        after = np.linalg.pinv(information + added, rcond=1e-10, hermitian=True)
        percent = 100 * float(np.sqrt(np.mean(np.einsum("gi,ij,gj->g", by_unknown, after, by_unknown))))
        if best is None or percent < best.percent:
            best = replace(pose, percent=percent)
    return best


def view_of(board: Board, rig: StereoRig, pose: Pose) -> View:
    """Give the view that both cameras would have of the board at this pose."""
    sides = []
    for side, camera in (("left", rig.left), ("right", rig.right)):
        points = _project(rig, side, board.object_points(), pose.R_left_board, pose.t_left_board)
        size_wh = camera.size_wh or (1, 1)
        sides.append(Detection(points.astype(np.float32), np.arange(len(points), dtype=np.int32), size_wh))
    return View("", sides[0], sides[1])


def view_information(rig: StereoRig, names: Sequence[str], flat: Array, pose: Pose) -> Array:
    """Give the information (n,n) about the named unknowns of a view at this pose, for corners with σ = 1 px."""
    in_left = flat @ pose.R_left_board.T + pose.t_left_board
    turned = in_left @ rig.R_right_left.T
    in_right = turned + rig.t_right_left_m
    count = len(flat)
    column = {name: i for i, name in enumerate(names)}
    by_rig = np.zeros((4 * count, len(names)))
    by_pose = np.zeros((4 * count, 6))
    arm = in_left - pose.t_left_board
    for side, camera, points, rows in (
        ("left", rig.left, in_left, slice(0, 2 * count)), ("right", rig.right, in_right, slice(2 * count, 4 * count)),
    ):  # fmt: skip
        _, by_point, by_camera = project_with_derivatives(points, camera_vector(camera), camera.model)
        for k, name in enumerate(camera_names(side, camera.model)):
            if name in column:
                by_rig[rows, column[name]] = by_camera[:, :, k].reshape(-1)
        to_camera = rig.R_right_left if side == "right" else np.eye(3)
        chained = by_point @ to_camera
        by_pose[rows, 3:] = chained.reshape(-1, 3)
        by_pose[rows, :3] = _by_turn(chained, arm).reshape(-1, 3)
        if side == "right":
            for k, axis in enumerate("xyz"):
                if f"translation.{axis}" in column:
                    by_rig[rows, column[f"translation.{axis}"]] = by_point[:, :, k].reshape(-1)
                if f"rotation.{axis}" in column:
                    by_rig[rows, column[f"rotation.{axis}"]] = _by_turn(by_point, turned)[:, :, k].reshape(-1)
    cross = by_rig.T @ by_pose
    own = by_pose.T @ by_pose
    return np.asarray(by_rig.T @ by_rig - cross @ np.linalg.solve(own, cross.T))


def _by_turn(by_point: Array, arm: Array) -> Array:
    """Derivative by a small rotation ω of `arm` (N,3): d(arm) = ω × arm and p · (ω × a) = ω · (a × p), (N,2,3)."""
    return np.asarray(np.cross(arm[:, None, :], by_point))
