"""The small scenes: a calibration board that is moved about before the room, and a plane at a known distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from calibration.boards import Board
from calibration.rectify import make_rectification
from calibration.rig import Intrinsics, StereoRig
from livestereo.sources.demo import paint
from livestereo.sources.demo.scene import Mover, Scene
from livestereo.sources.demo.shapes import F64, Look, Quad, turn_xyz
from livestereo.types import F32, U8

STILL_S, MOVE_S = 0.9, 0.7
MARGIN_PX = 6.0
PULLS = tuple(float(v) for v in np.linspace(0, 1, 16))


@dataclass(frozen=True)
class Pose:
    """Where the board is: R_left_board, t_left_board, of its first point, in the left camera's frame."""

    R: F64
    t: F64


def board_scene(room: Scene, rig: StereoRig, board: Board, seed: int) -> Scene:
    """Let a board tour good poses before the room: everywhere in the picture, near and far, tilted, turned by 90°."""
    poses = tour(rig, board, seed)
    picture, corner, size = draw_board(board)
    even = np.full((2, 2, 3), 0.92, np.float32)
    card = Quad(
        np.array([corner[0], corner[1], 0.0]), np.array([size[0], 0, 0]), np.array([0, size[1], 0]),
        Look(picture, light=even), "board",
    )  # fmt: skip
    R_world_left = room.R_left_world.T
    period = len(poses) * (STILL_S + MOVE_S)

    def motion(t: F64) -> tuple[F64, F64]:
        R, p = zip(*(_between(poses, float(moment)) for moment in t))
        return R_world_left @ np.stack(R), np.stack(p) @ R_world_left.T

    free = tuple(shape for shape in room.shapes if shape.name != "near leaf")  # nothing hangs before the board
    tour_of_board = (Mover("board", (card,), motion),)
    return replace(room, name="board", shapes=free, movers=tour_of_board, period_s=period, duration_s=period)


def board_pose(scene: Scene, t_s: float) -> Pose:
    """Give the board's true pose in the left camera's frame."""
    mover = next(m for m in scene.movers if m.name == "board")
    R, p = mover.motion(np.array([t_s]))
    return Pose(scene.R_left_world @ R[0], scene.R_left_world @ p[0])


def tour(rig: StereoRig, board: Board, seed: int) -> list[Pose]:
    """Choose the poses: each is moved inwards until both cameras see the whole board."""
    rng = np.random.default_rng((seed, 606))
    points = board.object_points() * (1.0 if board.metric else 0.025)
    # The markers of a ChArUco board stand around its corners, and must be whole too.
    border = (1.1 if board.kind == "charuco" else 0.6) * (board.unit_m if board.metric else 0.025)
    wishes: list[tuple[float, float, float, tuple[float, float, float]]] = []  # x, y in -1..1, size, angles
    # The order is that of a person who follows the guide: straight, tilted each way, turned by 90°, then everywhere.
    for tilt in ((0, 0), (0, 38), (0, -38), (-38, 0), (38, 0)):
        wishes.append((0, 0, 0.52, (tilt[0], tilt[1], float(rng.uniform(-6, 6)))))
    for x, y in ((-0.8, 0.0), (0.8, 0.0)):
        wishes.append((x, y, 0.45, (float(rng.uniform(-22, 22)), float(rng.uniform(-22, 22)), 90.0)))
    for y in (-0.85, 0.0, 0.85):
        for x in (-0.9, 0.0, 0.9):
            wishes.append(
                (x, y, 0.42, (float(rng.uniform(-18, 18)), float(rng.uniform(-18, 18)), float(rng.uniform(-8, 8))))
            )
    for x, y, slant in ((0.5, 0.4, (-28, 26)), (-0.5, -0.4, (28, -26)), (0.5, -0.4, (26, 28)),
                        (-0.5, 0.4, (-26, -28))):  # fmt: skip
        wishes.append((x, y, 0.52, (slant[0], slant[1], float(rng.uniform(-6, 6)))))
    for x, y in ((0.0, 0.0), (0.35, -0.3)):
        wishes.append((x, y, 0.45, (float(rng.uniform(-22, 22)), float(rng.uniform(-22, 22)), 90.0)))
    for x, y, size in (
        (0.0, 0.0, 0.66),
        (0.4, 0.3, 0.62),
        (-0.4, -0.3, 0.62),
        (-0.6, 0.6, 0.28),
        (0.6, -0.6, 0.28),
        (0.0, 0.1, 0.22),
    ):
        wishes.append(
            (x, y, size, (float(rng.uniform(-25, 25)), float(rng.uniform(-25, 25)), float(rng.uniform(-12, 12))))
        )
    return [_fit(rig, points, border, wish) for wish in wishes]


def _fit(
    rig: StereoRig, points: F64, border: float, wish: tuple[float, float, float, tuple[float, float, float]]
) -> Pose:
    """Place the board as wished, drawn to the middle of the common view until it is whole in both pictures."""
    x, y, size, angles = wish
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    span = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))
    assert rig.left.size_wh is not None
    w, h = rig.left.size_wh
    distance = rig.left.focal_px * span / (size * float(np.hypot(w, h)))
    R = turn_xyz(*angles)
    outline = np.concatenate([points, _frame(points, border)])
    pulls = sorted(((a, b) for a in PULLS for b in PULLS), key=lambda pull: pull[0] + pull[1])
    for pull_x, pull_y in pulls:
        z = distance * (1 + 0.5 * max(pull_x, pull_y) ** 3)
        middle = np.array([rig.baseline_m / 2, 0.0, z])
        reach = np.array([w, h]) / 2 / rig.left.focal_px * z
        t = middle + np.array([x * reach[0] * (1 - pull_x), y * reach[1] * (1 - pull_y), 0]) - R @ centre
        if _whole(rig, outline @ R.T + t):
            return Pose(R, t)
    return Pose(R, np.array([rig.baseline_m / 2, 0.0, 2 * distance]) - R @ centre)


def _frame(points: F64, border: float) -> F64:
    low, high = points.min(axis=0) - border, points.max(axis=0) + border
    return np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])


def _whole(rig: StereoRig, points: F64) -> bool:
    """Tell whether both cameras see all of these points (N,3) of the left camera's frame."""
    sides: Sequence[tuple[Intrinsics, F64]] = (
        (rig.left, points), (rig.right, points @ rig.R_right_left.T + rig.t_right_left_m)
    )  # fmt: skip
    for camera, seen in sides:
        assert camera.size_wh is not None
        if (seen[:, 2] < 0.05).any():
            return False
        uv, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), camera.K, camera.distortion)
        uv = uv.reshape(-1, 2)
        limit = np.array(camera.size_wh) - 1 - MARGIN_PX
        if (uv < MARGIN_PX).any() or (uv > limit).any():
            return False
    return True


def _between(poses: Sequence[Pose], t_s: float) -> tuple[F64, F64]:
    """Give the pose at a time: still for a while, then a smooth way to the next one."""
    number, rest = divmod(t_s % (len(poses) * (STILL_S + MOVE_S)), STILL_S + MOVE_S)
    # A tiny negative time leaves the whole round as its remainder.
    here, after = poses[int(number) % len(poses)], poses[(int(number) + 1) % len(poses)]
    if rest <= STILL_S:
        return here.R, here.t
    part = (rest - STILL_S) / MOVE_S
    part = part * part * (3 - 2 * part)
    turn, _ = cv2.Rodrigues(here.R.T @ after.R)
    step, _ = cv2.Rodrigues(turn * part)
    return here.R @ step, here.t * (1 - part) + after.t * part


def draw_board(board: Board) -> tuple[U8, tuple[float, float], tuple[float, float]]:
    """Draw a board: picture, place of its corner and its size in the board's frame, metres (25 mm squares if unknown).

    The picture's texels fall on the board's lines exactly.
    """
    unit = board.unit_m if board.metric else 0.025
    picture: Any
    fine = 48
    if board.kind == "circles":
        spread = 2 * board.columns, board.rows
        edge = 2
        picture = np.full(((spread[1] + 2 * edge) * fine, (spread[0] + 2 * edge) * fine, 3), 244, np.uint8)
        for point in board.object_points() / board.unit_m:
            # The middle of texel i lies at i + 0.5; `shift` gives sixteenths.
            spot = [round(((v + edge) * fine - 0.5) * 16) for v in point[:2] / np.array(board.scale_xy)]
            cv2.circle(picture, (spot[0], spot[1]), round(0.36 * fine * 16), (16, 16, 16), -1, cv2.LINE_AA, 4)
        origin = (-edge, -edge)
    elif board.kind == "charuco":
        made = board.aruco_board()
        drawn = made.generateImage((board.columns * fine, board.rows * fine), marginSize=0)
        picture = cv2.cvtColor(np.clip(drawn, 16, 244), cv2.COLOR_GRAY2BGR)
        picture = cv2.copyMakeBorder(picture, fine, fine, fine, fine, cv2.BORDER_CONSTANT, value=(244, 244, 244))
        origin = (-2, -2)
    else:
        y, x = np.mgrid[0 : board.rows + 1, 0 : board.columns + 1]
        squares = np.where((x + y) % 2 == 0, 16, 244).astype(np.uint8)
        picture = cv2.cvtColor(np.kron(squares, np.ones((fine, fine), np.uint8)), cv2.COLOR_GRAY2BGR)
        picture = cv2.copyMakeBorder(picture, fine, fine, fine, fine, cv2.BORDER_CONSTANT, value=(244, 244, 244))
        origin = (-2, -2)
    scale = unit * board.scale_xy[0], unit * board.scale_xy[1]
    corner = origin[0] * scale[0], origin[1] * scale[1]
    return picture, corner, (picture.shape[1] / fine * scale[0], picture.shape[0] / fine * scale[1])


def plane_scene(rig: StereoRig, distance_m: float, tilt_deg: float, seed: int) -> Scene:
    """Make a richly textured plane; `distance_m` along the axis of the rectified left camera.

    tilt_deg: turned about the vertical, so that the left side is farther away.
    """
    rng = np.random.default_rng((seed, 707))
    assert rig.left.size_wh is not None
    w, h = rig.left.size_wh
    reach = 1.35 * float(np.hypot(w, h)) / rig.left.focal_px * distance_m + rig.baseline_m
    reach /= max(0.2, np.cos(np.radians(tilt_deg)) - 0.6 * abs(np.sin(np.radians(tilt_deg))))
    texels = int(min(2 * reach * rig.left.focal_px / distance_m * 1.2, 4000))
    R = turn_xyz(0, tilt_deg, 0)
    side = R[:, 0] * 2 * reach
    corner = np.array([0, -reach, distance_m]) - side / 2
    look = Look(_rich(texels, rng), light=_uneven())
    quad = Quad(corner, side, np.array([0, 2 * reach, 0.0]), look, "plane")
    rectified = make_rectification(rig, maps=False)
    return Scene("plane", (quad,), (), rectified.R_rect_left.T)


def _uneven() -> F32:
    x = np.linspace(1.05, 0.85, 8, dtype=np.float32)
    return np.broadcast_to(x[None, :, None], (8, 8, 3)).copy()


def _rich(texels: int, rng: np.random.Generator) -> U8:
    """A texture with detail at every size: blots, discs and grain."""
    picture = (
        paint.flat(texels, texels, (128, 132, 138))
        + paint.clouds(texels, texels, rng, texels / 12, 7, 0.72)[..., None] * 26
    )
    for _ in range(1400):
        x, y = (int(v) for v in rng.uniform(0, texels, 2))
        tone = tuple(float(c) for c in rng.uniform(40, 225, 3))
        cv2.circle(picture, (x, y), int(rng.uniform(0.003, 0.012) * texels), tone, -1, cv2.LINE_AA)
    return paint.done(picture + paint.clouds(texels, texels, rng, 5, 3, 0.9)[..., None] * 13)
