"""Two films of a board carried from place to place, as corners with exact truth: nothing is rendered."""

from __future__ import annotations

import numpy as np
from synthetic.board_scenes import Scene, SceneOptions, make_scene

from calibration.bundle import rotation, rotation_vector
from calibration.detection import Detection, grid_spacing_px
from calibration.projection import camera_vector, project
from livestereo.sync.lag import Film, FilmSide

# Less bent a lens than usual, and boards that lie alike: the way between two places stays in both pictures.
CARRIED = SceneOptions(views=9, size_wh=(640, 480), focal_px=600.0, baseline_m=0.08, distortion=(-0.1, 0.05, 0, 0, 0))
NOISE_PX = 0.05
PER_PLACE_S = 2.0


def pose_at(scene: Scene, t_s: float, *, rests: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Where the board is: it rests for a moment at each place of the scene, or only slows down there."""
    last = len(scene.R) - 1
    at = float(np.clip(t_s / PER_PLACE_S, 0, last - 1e-9))
    i, u = int(at), at % 1
    u = u * u * (3 - 2 * u) if rests else u - 0.6 * np.sin(2 * np.pi * u) / (2 * np.pi)
    turn = rotation(u * rotation_vector(scene.R[i + 1] @ scene.R[i].T))
    return turn @ scene.R[i], (1 - u) * scene.t[i] + u * scene.t[i + 1]


def make_film(
    seed: int = 0,
    *,
    lag_s: float = 0.0,
    fps: tuple[float, float] = (15.0, 15.0),
    readout_s: float = 0.0,
    rests: bool = True,
) -> tuple[Scene, Film]:
    """Film the board. lag_s: how much later the right film shows everything by its own stamps. readout_s: from the
    first row to the last. rests: the board rests at each place."""
    scene = make_scene(seed, CARRIED)
    rng = np.random.default_rng(seed)
    end_s = (len(scene.R) - 1) * PER_PLACE_S
    points = scene.board.object_points()
    rig = scene.rig
    sides = []
    for camera, R, t, rate, late_s in (
        (rig.left, np.eye(3), np.zeros(3), fps[0], 0.0),
        (rig.right, rig.R_right_left, rig.t_right_left_m, fps[1], lag_s),
    ):
        times = np.arange(int(end_s * rate)) / rate
        found = []
        for moment in times - late_s:
            first, middle, last = (
                project((points @ A.T + b) @ R.T + t, camera_vector(camera), camera.model)
                for A, b in (pose_at(scene, float(moment + k * readout_s / 2), rests=rests) for k in range(3))
            )
            seen = first
            for _ in range(3 if readout_s else 0):
                # A corner is read with its row, on a parabola of the way that it moves within a readout.
                u = 2 * seen[:, 1:] / CARRIED.size_wh[1]
                seen = first + u * (middle - first) + u * (u - 1) / 2 * (last - 2 * middle + first)
            seen = (seen + rng.normal(0, NOISE_PX, seen.shape)).astype(np.float32)
            ids = np.arange(len(seen), dtype=np.int32)
            found.append(Detection(seen, ids, CARRIED.size_wh, grid_spacing_px(seen, scene.board.grid)))
        sides.append(FilmSide(times, tuple(found)))
    return scene, Film(sides[0], sides[1])
