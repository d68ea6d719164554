"""Board views with exact truth: a rig and a board are drawn by chance, corners are projected, noise is added.

For tests and benchmarks; nothing is rendered. The same seed always gives the same views.

    scene = make_scene(seed=0)
    scene.rig, scene.views          # exact StereoRig, views as a detector would give them
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.boards import Board, parse_board
from calibration.bundle import rotation, rotation_to
from calibration.detection import Detection, grid_spacing_px
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.projection import camera_vector, project
from calibration.rig import Intrinsics, LensModel, StereoRig
from calibration.uncertainty import raster_points
from calibration.views import View

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A drawn rig, board and views. shape: true (4,) bend_x, bend_y, twist, stretch, see `board_model.BoardModel`.

    R (V,3,3), t (V,3): true board poses in the left camera's frame.
    """

    rig: StereoRig
    board: Board
    shape: Array
    views: tuple[View, ...]
    R: Array
    t: Array


@dataclass(frozen=True)
class SceneOptions:
    """What `make_scene` draws.

    noise_px: of one coordinate. depth_m, tilt_deg: ranges of the board. roll_deg: the board turns in its plane by
    up to so much; turned_share of the views is turned by a further 90°. jitter_px: σ of a shift of the whole right
    picture, per view: two cameras that do not fire together.
    """

    views: int = 20
    board: str = "chessboard:9x6:25mm"
    size_wh: tuple[int, int] = (1280, 720)
    focal_px: float = 950.0
    baseline_m: float = 0.12
    toe_in_deg: float = 1.0
    distortion: tuple[float, ...] = (-0.12, 0.08, 0.0006, -0.0005, -0.02)
    noise_px: float = 0.1
    depth_m: tuple[float, float] = (0.3, 0.8)
    tilt_deg: float = 40.0
    roll_deg: float = 15.0
    turned_share: float = 0.0
    jitter_px: float = 0.0
    model: LensModel = "pinhole"
    shape: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


def make_rig(options: SceneOptions, rng: np.random.Generator) -> StereoRig:
    """Draw a rig near the nominal one: no two cameras of a kind are alike."""
    w, h = options.size_wh
    cameras = []
    for _ in range(2):
        focal = options.focal_px * (1 + rng.normal(0, 0.005))
        cx, cy = (w - 1) / 2 + rng.normal(0, 0.01 * w), (h - 1) / 2 + rng.normal(0, 0.01 * w)
        K = np.array([[focal, 0, cx], [0, focal * (1 + rng.normal(0, 0.0005)), cy], [0, 0, 1]])
        distortion = np.array(options.distortion) * (1 + rng.normal(0, 0.05, len(options.distortion)))
        cameras.append(Intrinsics(K, distortion, options.model, options.size_wh))
    toe = np.radians(options.toe_in_deg)
    # Toed in, the right camera looks to the left: points turn the other way in its frame.
    R = rotation(np.array([rng.normal(0, 0.005), toe + rng.normal(0, 0.004), rng.normal(0, 0.005)]))
    centre = options.baseline_m * np.array([1.0, rng.normal(0, 0.01), rng.normal(0, 0.01)])
    centre *= options.baseline_m / np.linalg.norm(centre)
    return StereoRig(cameras[0], cameras[1], R, -R @ centre)


def make_scene(seed: int, options: SceneOptions | None = None) -> Scene:
    """Draw a rig and `options.views` views in which both cameras see the whole board."""
    options = options or SceneOptions()
    rng = np.random.default_rng(seed)
    rig = make_rig(options, rng)
    board = parse_board(options.board)
    model = BoardModel(board.object_points())
    shape = np.array(options.shape)
    points = model.points(shape)
    middle = model.flat.mean(axis=0)
    views: list[View] = []
    poses: list[tuple[Array, Array]] = []
    while len(views) < options.views:
        turned = rng.random() < options.turned_share
        drawn = _draw_pose(rig, middle, turned, options, rng)
        if drawn is None:
            continue
        R, t = drawn
        pixels = seen_points(rig, points @ R.T + t)
        if not all(_inside(p, options.size_wh) for p in pixels):
            continue
        shift = rng.normal(0, options.jitter_px, 2) if options.jitter_px else np.zeros(2)
        noisy = [p + rng.normal(0, options.noise_px, p.shape) for p in pixels]
        noisy[1] = noisy[1] + shift
        left, right = (_detection(p, board, options.size_wh) for p in noisy)
        views.append(View(f"view{len(views):02d}", left, right))
        poses.append((R, t))
    return Scene(rig, board, shape, tuple(views), np.array([R for R, _ in poses]), np.array([t for _, t in poses]))


def seen_points(rig: StereoRig, in_left: Array) -> tuple[Array, Array]:
    """Project points (N,3) of the left camera's frame into both pictures, px (N,2) each."""
    in_right = in_left @ rig.R_right_left.T + rig.t_right_left_m
    return (
        project(in_left, camera_vector(rig.left), rig.left.model),
        project(in_right, camera_vector(rig.right), rig.right.model),
    )


def depth_error_percent(used: StereoRig, true: StereoRig, distance_m: float) -> float:
    """RMS error of the depth that `used` measures in pictures of the `true` rig, percent, at one distance.

    Over the raster of `uncertainty.raster_points`: 9x7 directions, the central 60 % of the left view, as far as the
    right camera sees it too.
    """
    R_left, R_right, _ = rotations(used)
    # At this depth in the frame that depth is told in, that of the rectified left camera of the true rig.
    seen = seen_points(true, raster_points(true, distance_m) @ rotations(true)[0])
    left, right = rays_of_pixels(used.left, seen[0]) @ R_left.T, rays_of_pixels(used.right, seen[1]) @ R_right.T
    depth = used.baseline_m / (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    return float(100 * np.sqrt(np.mean((depth / distance_m - 1) ** 2)))


def flipped(view: View, side: str = "right") -> View:
    """Give the view with the corner order of one side reversed, as a detector may give it."""
    found = getattr(view, side)
    return dataclasses.replace(
        view, **{side: dataclasses.replace(found, points_px=np.ascontiguousarray(found.points_px[::-1]))}
    )


def _draw_pose(
    rig: StereoRig, middle: Array, turned: bool, options: SceneOptions, rng: np.random.Generator
) -> tuple[Array, Array] | None:
    """Draw a pose whose centre is uniform over the middle 80 % of the left view and in that of the right one too."""
    w, h = options.size_wh
    pixel = np.array([w, h]) * (0.1 + 0.8 * rng.random(2))
    depth = rng.uniform(*options.depth_m)
    K = rig.left.K
    facing = np.eye(3)
    centre = depth * np.array([(pixel[0] - K[0, 2]) / K[0, 0], (pixel[1] - K[1, 2]) / K[1, 1], 1.0])
    if options.model == "fisheye":
        # Far off the axis the board faces the camera, not the plane of its picture.
        ray = rays_of_pixels(rig.left, pixel[None])[0]
        if not np.isfinite(ray).all():
            return None
        centre, facing = depth * ray, rotation_to(ray)
    in_right = seen_points(rig, centre[None])[1][0]
    if not all(0.1 * s <= p <= 0.9 * s for p, s in zip(in_right, (w, h))):
        return None
    tilt, about = np.radians(options.tilt_deg) * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    roll = np.radians(rng.uniform(-options.roll_deg, options.roll_deg)) + (np.pi / 2 if turned else 0.0)
    R = facing @ rotation(tilt * np.array([np.cos(about), np.sin(about), 0])) @ rotation(np.array([0, 0, roll]))
    return R, centre - R @ middle


def _inside(pixels: Array, size_wh: tuple[int, int], margin: float = 2.0) -> bool:
    return bool((pixels >= margin).all() and (pixels <= np.array(size_wh) - 1 - margin).all())


def _detection(pixels: Array, board: Board, size_wh: tuple[int, int]) -> Detection:
    points = pixels.astype(np.float32)
    return Detection(points, np.arange(len(points), dtype=np.int32), size_wh, grid_spacing_px(points, board.grid))
