"""Pictures of a board through any rig, with exact truth: for tests and benchmarks.

    scene = make_scene(seed=0)                       # board_scenes
    left, right = render_board_pair(scene.rig, scene.board, scene.R[0], scene.t[0], scene.shape)

Rays are cast from every pixel onto the board's surface, bent as `board_model` says; outside it is a plain room with
soft shades. Lens blur, noise of the sensor, and movement during the exposure are added.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.drawing import CIRCLE_RADIUS, Rect, pattern_shapes, pattern_size
from calibration.lens import rays_of_pixels
from calibration.projection import intrinsics_of
from calibration.rig import Array, Intrinsics, LensModel, StereoRig

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

_SAMPLES = 2  # per pixel and axis
_RIM = 0.75  # white paper around the pattern, squares; a whole number of texels
_DARK, _LIGHT = 35.0, 205.0


@dataclass(frozen=True)
class Look:
    """How pictures are taken. blur_px: σ of the lens. noise: gray levels. light: of the whole picture, 1 is normal.
    inverted, legacy: the board's pattern is white on black; has the ChArUco layout of OpenCV before 4.6."""

    blur_px: float = 0.6
    noise: float = 1.5
    light: float = 1.0
    inverted: bool = False
    legacy: bool = False


def render_board_pair(
    rig: StereoRig,
    board: Board,
    R: Array,
    t: Array,
    shape: Array | None = None,
    look: Look | None = None,
    *,
    seed: int = 0,
) -> tuple[U8, U8]:
    """Render both views, (H,W) uint8, of a board at R (3,3), t (3,), board to left camera. shape: see `BoardModel`."""
    left = render_board(rig.left, board, [(R, t)], shape, look, seed=seed)
    pose = rig.R_right_left @ R, rig.R_right_left @ t + rig.t_right_left_m
    return left, render_board(rig.right, board, [pose], shape, look, seed=seed + 1)


def render_board(
    camera: Intrinsics,
    board: Board,
    poses: Sequence[tuple[Array, Array]],
    shape: Array | None = None,
    look: Look | None = None,
    *,
    seed: int = 0,
) -> U8:
    """Render one view, (H,W) uint8. poses: where the board is during the exposure, board to camera; one or several."""
    assert camera.size_wh is not None
    look = look or Look()
    shape = np.zeros(4) if shape is None else shape
    w, h = camera.size_wh
    rays = _rays(camera.K.tobytes(), camera.distortion.tobytes(), camera.model, camera.size_wh)
    room = _room(camera.size_wh)
    sharp = np.mean([_cast(rays, board, R, t, shape, look, room) for R, t in poses], axis=0)
    picture = cv2.resize(sharp.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    if look.blur_px > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur_px)
    noise = np.random.default_rng([seed, 11]).standard_normal(picture.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(picture * look.light + look.noise * noise), 0, 255), np.uint8)


def _cast(rays: F32, board: Board, R: Array, t: Array, shape: Array, look: Look, room: F32) -> F32:
    texture, texels = _texture(dataclasses.replace(board, square_m=None, scale_xy=(1.0, 1.0)), look)
    answer = room.copy()
    # Where the board is, first on few rays; then on all in that part of the picture.
    step = 8
    rough = _places(rays[::step, ::step], board, R, t, shape, texture, texels)[2]
    if not rough.any():
        return answer
    rows, columns = (np.flatnonzero(rough.any(axis=axis)) for axis in (1, 0))
    part = (
        slice(max(0, (rows[0] - 1) * step), (rows[-1] + 1) * step + 1),
        slice(max(0, (columns[0] - 1) * step), (columns[-1] + 1) * step + 1),
    )
    x, y, hit = _places(rays[part], board, R, t, shape, texture, texels)
    seen = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    answer[part] = np.where(hit, seen, answer[part])
    return answer


def _places(
    rays: F32, board: Board, R: Array, t: Array, shape: Array, texture: F32, texels: int
) -> tuple[F32, F32, NDArray[np.bool_]]:
    """Texel x, y that rays (H,W,3) of the camera meet, and whether they meet the board at all, (H,W) each."""
    unit = board.unit_m
    origin = (-R.T @ t / unit).astype(np.float32)
    ray = rays @ R.astype(np.float32)
    model = BoardModel(board.object_points() / unit)
    middle, half = (model.flat.max(0) + model.flat.min(0)).astype(np.float32) / 2, model.extent.astype(np.float32) / 2
    bend = (shape[:3] / unit).astype(np.float32)
    with np.errstate(all="ignore"):
        along = -origin[2] / ray[..., 2]
        for _ in range(4 if bend.any() else 0):
            u = (origin[0] + along * ray[..., 0] - middle[0]) / half[0]
            v = (origin[1] + along * ray[..., 1] - middle[1]) / half[1]
            height = bend[0] * (1 - u * u) + bend[1] * (1 - v * v) + bend[2] * u * v
            along = (height - origin[2]) / ray[..., 2]
        x = (origin[0] + along * ray[..., 0]) / np.float32(board.scale_xy[0])
        y = (origin[1] + along * ray[..., 1]) / np.float32(board.scale_xy[1] * (1 + shape[3]))
    corner = 1.0 if board.kind != "circles" else CIRCLE_RADIUS
    with np.errstate(over="ignore"):  # rays that all but miss the plane meet it very far away
        px, py = (np.float32(texels) * (place + np.float32(corner + _RIM)) - np.float32(0.5) for place in (x, y))
    th, tw = texture.shape
    hit = (along > 1e-6) & (px > -0.5) & (px < tw - 0.5) & (py > -0.5) & (py < th - 0.5)
    return px, py, hit


@lru_cache(maxsize=4)
def _rays(K: bytes, distortion: bytes, model: LensModel, size_wh: tuple[int, int]) -> F32:
    """Directions (H·S, W·S, 3) of all samples of a picture; they change slowly, so that every fourth is enough."""
    camera = Intrinsics(np.frombuffer(K), np.frombuffer(distortion), model, size_wh)
    w, h = size_wh
    coarse_x, coarse_y = np.arange(-8, w + 12, 4.0), np.arange(-8, h + 12, 4.0)
    grid = np.stack(np.meshgrid(coarse_x, coarse_y), axis=-1)
    rays = np.nan_to_num(rays_of_pixels(camera, grid.reshape(-1, 2)), nan=0.0).reshape(*grid.shape[:2], 3)
    offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    xs = ((np.arange(w)[:, None] + offsets).ravel() + 8) / 4
    ys = ((np.arange(h)[:, None] + offsets).ravel() + 8) / 4
    u, v = (a.astype(np.float32) for a in np.meshgrid(xs, ys))
    fine = cv2.remap(rays.astype(np.float32), u, v, cv2.INTER_LINEAR)
    fine.setflags(write=False)
    return np.asarray(fine, np.float32)


@lru_cache(maxsize=4)
def _room(size_wh: tuple[int, int]) -> F32:
    rng = np.random.default_rng(5)
    small = rng.uniform(70, 150, (9, 12)).astype(np.float32)
    w, h = size_wh[0] * _SAMPLES, size_wh[1] * _SAMPLES
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)


@lru_cache(maxsize=8)
def _texture(board: Board, look: Look, texels: int = 48) -> tuple[F32, int]:
    """The print with its white rim, and texels per square."""
    width, height = pattern_size(board)
    paper: F32 = np.full((round((height + 2 * _RIM) * texels), round((width + 2 * _RIM) * texels)), 1.0, np.float32)
    if board.kind == "charuco":
        # Whole squares and bits do not fall on whole texels: draw large and average.
        drawn = board.aruco_board(legacy=look.legacy).generateImage(
            (round(width * texels) * 2, round(height * texels) * 2), marginSize=0
        )
        small = cv2.resize(drawn, (round(width * texels), round(height * texels)), interpolation=cv2.INTER_AREA)
        edge = round(_RIM * texels)
        paper[edge : edge + small.shape[0], edge : edge + small.shape[1]] = small / 255.0
    else:
        big = cv2.resize(paper, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
        for shape in pattern_shapes(board):
            if isinstance(shape, Rect):
                x0, y0, x1, y1 = (
                    round((v + _RIM) * texels * 4) for v in (shape.x, shape.y, shape.x + shape.w, shape.y + shape.h)
                )
                big[y0:y1, x0:x1] = 1.0 if shape.white else 0.0
            else:
                centre = ((shape.x + _RIM) * texels * 4 - 0.5, (shape.y + _RIM) * texels * 4 - 0.5)
                fixed = tuple(round(c * 256) for c in centre)
                cv2.circle(big, fixed, round(shape.r * texels * 4 * 256), 0.0, -1, cv2.LINE_8, 8)
        paper = np.asarray(cv2.resize(big, paper.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    if look.inverted:
        paper = 1 - paper
    levels = _DARK + (_LIGHT - _DARK) * paper
    levels.setflags(write=False)
    return np.asarray(levels, np.float32), texels


def camera_of(
    size_wh: tuple[int, int], focal_px: float, distortion: Sequence[float], model: LensModel = "pinhole"
) -> Intrinsics:
    """Make a camera with its principal point in the middle."""
    vector = np.array([focal_px, focal_px, (size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2, *distortion])
    return intrinsics_of(vector, model, size_wh)
