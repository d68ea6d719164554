"""Bundle adjustment of a stereo rig: cameras, their relative pose, the board's shape and every board pose at once.

Unknowns that all views share ("common"): both cameras (fx, fy, cx, cy, distortion), the pose of the right camera
(rotation as exp([δ]) R, translation), and the board's shape. Each view adds the board's pose in the left camera's
frame. The poses are eliminated view by view (Schur complement), so that a step costs little more than derivatives;
what is left of each view, `ViewTerm`, also gives the covariance and the solves without one (`calibration.uncertainty`).

Levenberg–Marquardt, with priors on common unknowns as extra squares (Triggs et al., "Bundle adjustment: a modern
synthesis", 2000, sections 4 and 6).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board_model import SHAPE_NAMES, BoardModel
from calibration.projection import project_with_derivatives
from calibration.rig import DISTORTION_LENGTH, LensModel

Array = NDArray[np.float64]
Ints = NDArray[np.intp]

LEFT, RIGHT = 0, 1
_DISTORTION_NAMES = {
    "pinhole": ("k1", "k2", "p1", "p2", "k3"),
    "rational": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "fisheye": ("k1", "k2", "k3", "k4"),
}


@dataclass(frozen=True)
class Observations:
    """Corners as seen. One row per corner and side, ordered by view and then side.

    points_px: (M,2). ids: (M,) index of the board point. view: (M,) 0..V-1. side: (M,) 0 left, 1 right.
    weight: (M,) 0 leaves a corner out.
    """

    points_px: Array
    ids: Ints
    view: Ints
    side: Ints
    weight: Array

    @property
    def view_count(self) -> int:
        """Number of views, V."""
        return int(self.view.max()) + 1 if len(self.view) else 0


@dataclass(frozen=True)
class State:
    """A solution, or a start for one.

    cameras: two vectors (4+n,). models: of each. R_right_left (3,3), t_right_left (3,).
    shape: (4,) bend_x, bend_y, twist (height of the board's middle over its edges, of its corners, board units),
    stretch (board's y times 1 + stretch). R (V,3,3), t (V,3): board to left camera.
    """

    cameras: tuple[Array, Array]
    models: tuple[LensModel, LensModel]
    R_right_left: Array
    t_right_left: Array
    shape: Array
    R: Array
    t: Array

    @property
    def common_names(self) -> tuple[str, ...]:
        """Names of the common unknowns, in order."""
        names: list[str] = []
        for side, model in zip(("left", "right"), self.models):
            names += [f"{side}.{name}" for name in ("fx", "fy", "cx", "cy", *_DISTORTION_NAMES[model])]
        names += [f"rotation.{axis}" for axis in "xyz"] + [f"translation.{axis}" for axis in "xyz"]
        return (*names, *(f"board.{name}" for name in SHAPE_NAMES))

    @property
    def common(self) -> Array:
        """Common unknowns as one vector; the rotation, a step from where it is, reads 0."""
        return np.concatenate([*self.cameras, np.zeros(3), self.t_right_left, self.shape])

    def stepped(self, step: Array) -> State:
        """Move the common unknowns by a step in the order of `common_names`."""
        nl, nr = len(self.cameras[0]), len(self.cameras[1])
        n = nl + nr
        return dataclasses.replace(
            self,
            cameras=(self.cameras[0] + step[:nl], self.cameras[1] + step[nl:n]),
            R_right_left=rotation(step[n : n + 3]) @ self.R_right_left,
            t_right_left=self.t_right_left + step[n + 3 : n + 6],
            shape=self.shape + step[n + 6 : n + 10],
        )

    def with_poses(self, R: Array, t: Array) -> State:
        """Give the same rig with other board poses."""
        return dataclasses.replace(self, R=R, t=t)


@dataclass(frozen=True)
class Prior:
    """What is believed of a common unknown before any picture: `value` ± `sigma`."""

    name: str
    value: float
    sigma: float


@dataclass(frozen=True)
class ViewTerm:
    """What each view says about the free common unknowns once its pose is eliminated.

    matrices (V,F,F) and vectors (V,F): the normal equations Σ matrices · step = Σ vectors.
    """

    free: Ints
    matrices: Array
    vectors: Array


@dataclass(frozen=True)
class Fit:
    """Result of `adjust`. residuals_px (M,2) seen − predicted, of every observation, also those of weight 0."""

    state: State
    residuals_px: Array
    cost: float
    terms: ViewTerm
    prior_matrix: Array
    iterations: int
    converged: bool


def rotation(vector: Array) -> Array:
    """Give the rotation matrix (3,3) of a rotation vector."""
    return np.asarray(cv2.Rodrigues(np.asarray(vector, dtype=np.float64).reshape(3, 1))[0], dtype=np.float64)


def rotation_vector(R: Array) -> Array:
    """Give the rotation vector (3,) of a rotation matrix."""
    return np.asarray(cv2.Rodrigues(np.asarray(R, dtype=np.float64))[0], dtype=np.float64).reshape(3)


def rotation_to(direction: Array) -> Array:
    """Give the smallest rotation (3,3) that takes the optical axis to a direction (3,)."""
    axis = np.array([-direction[1], direction[0], 0.0])
    length = float(np.linalg.norm(axis))
    angle = np.arctan2(length, direction[2])
    return rotation(axis / length * angle) if length > 1e-12 else np.eye(3)


def rotations_of(vectors: Array) -> Array:
    """Give the rotation matrices (V,3,3) of rotation vectors (V,3): Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=1)
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    K = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    return np.asarray(np.eye(3) + a[:, None, None] * K + b[:, None, None] * (K @ K))


def residuals(board: BoardModel, seen: Observations, state: State) -> Array:
    """Give seen − predicted, px (M,2)."""
    return _linearize(board, seen, state, derivatives=False)[0]


def pose_derivatives(board: BoardModel, seen: Observations, state: State) -> Array:
    """Give the derivatives (M,2,6) of each predicted corner by its view's pose: rotation, translation."""
    return _linearize(board, seen, state)[2]


def adjust(
    board: BoardModel,
    seen: Observations,
    start: State,
    *,
    free: Sequence[str],
    priors: Sequence[Prior] = (),
    noise_px: float = 0.2,
    iterations: int = 40,
    poses_free: bool = True,
) -> Fit:
    """Minimize Σ weight·|seen − predicted|² + noise² Σ ((value − prior)/σ)² from a start.

    free: names of the common unknowns that may move. noise_px: σ of one coordinate, which sets how much priors
    count against pictures.
    """
    names = start.common_names
    index = np.array([names.index(name) for name in free], dtype=np.intp)
    wanted = [(names.index(p.name), p) for p in priors if p.name in free]
    prior_matrix = np.zeros((len(index), len(index)))
    position = {int(at): i for i, at in enumerate(index)}
    for at, prior in wanted:
        prior_matrix[position[at], position[at]] += (noise_px / prior.sigma) ** 2

    def prior_offset(state: State) -> Array:
        offset = np.zeros(len(index))
        common = state.common
        for at, prior in wanted:
            offset[position[at]] = prior.value - common[at]
        return offset

    def total(error: Array, state: State) -> float:
        offset = prior_offset(state)
        return float(np.sum(seen.weight[:, None] * error**2) + offset @ prior_matrix @ offset)

    state, damping = start, 1e-4
    error, by_common, by_pose = _linearize(board, seen, state)
    cost = total(error, state)
    converged, count = False, 0
    while count < iterations:
        count += 1
        blocks = _blocks(seen, index, error, by_common, by_pose)
        stepped = False
        for _ in range(12):
            step, pose_steps = _step(blocks, prior_matrix, prior_offset(state), damping, poses_free)
            trial = _moved(state, index, step, pose_steps)
            trial_error = _linearize(board, seen, trial, derivatives=False)[0]
            trial_cost = total(trial_error, trial)
            if np.isfinite(trial_cost) and trial_cost <= cost:
                stepped = True
                break
            damping = max(damping * 8, 1e-9)
        if not stepped:
            converged = True
            break
        gain = cost - trial_cost
        state, cost = trial, trial_cost
        damping = max(damping * 0.1, 1e-12)
        error, by_common, by_pose = _linearize(board, seen, state)
        if gain <= 1e-9 * cost + 1e-15:
            converged = True
            break
    blocks = _blocks(seen, index, error, by_common, by_pose)
    return Fit(state, error, cost, _terms(blocks, index), prior_matrix, count, converged)


@dataclass(frozen=True)
class _Blocks:
    """Normal equations per view: common (V,F,F), cross (V,F,6), pose (V,6,6), and their right-hand sides."""

    common: Array
    cross: Array
    pose: Array
    g_common: Array
    g_pose: Array


def point_offsets(board: BoardModel, seen: Observations, state: State, noise_px: float, sigma: Array) -> Array:
    """Give how each board point (N,3) should move to fit its corners best, poses and cameras kept.

    sigma (3,): what is believed of such offsets before any picture, board units.
    """
    error, _, by_pose = _linearize(board, seen, state)
    # A shift of the board in its own frame moves the corner as the pose's translation does, turned.
    by_point = np.einsum("mki,mij->mkj", by_pose[:, :, 3:], state.R[seen.view])
    normal = np.zeros((len(board.flat), 3, 3))
    right = np.zeros((len(board.flat), 3))
    np.add.at(normal, seen.ids, np.einsum("m,mki,mkj->mij", seen.weight, by_point, by_point))
    np.add.at(right, seen.ids, np.einsum("m,mki,mk->mi", seen.weight, by_point, error))
    trust = (noise_px / sigma) ** 2
    # The prior is on the whole offset, of which the board already has a part.
    right -= board.warp * trust
    return np.asarray(board.warp + np.linalg.solve(normal + np.diag(trust), right[:, :, None])[:, :, 0])


def _linearize(
    board: BoardModel, seen: Observations, state: State, *, derivatives: bool = True
) -> tuple[Array, Array, Array]:
    """Residuals (M,2) and the derivatives of the prediction by common (M,2,G) and pose (M,2,6) unknowns."""
    world = board.points(state.shape)
    body = world[seen.ids]
    R, t = state.R[seen.view], state.t[seen.view]
    turned = np.einsum("mij,mj->mi", R, body)
    in_left = turned + t
    nl, nr = len(state.cameras[0]), len(state.cameras[1])
    total = nl + nr + 10
    count = len(seen.ids)
    predicted = np.empty((count, 2))
    by_common = np.zeros((count, 2, total)) if derivatives else np.empty(0)
    by_pose = np.empty((count, 2, 6)) if derivatives else np.empty(0)
    for side in (LEFT, RIGHT):
        rows = seen.side == side
        if not rows.any():
            continue
        arm = in_left[rows] if side == LEFT else in_left[rows] @ state.R_right_left.T
        place = arm if side == LEFT else arm + state.t_right_left
        predicted[rows], by_point, by_camera = project_with_derivatives(
            place, state.cameras[side], state.models[side], derivatives=derivatives
        )
        if not derivatives:
            continue
        block = np.zeros((int(rows.sum()), 2, total))
        if side == LEFT:
            block[:, :, :nl] = by_camera
            by_left_point = by_point
        else:
            block[:, :, nl : nl + nr] = by_camera
            block[:, :, nl + nr : nl + nr + 3] = _by_rotation(by_point, arm)
            block[:, :, nl + nr + 3 : nl + nr + 6] = by_point
            by_left_point = by_point @ state.R_right_left
        by_body = np.einsum("mkj,mjl->mkl", by_left_point, R[rows])
        block[:, :, nl + nr + 6 :] = np.einsum("mkj,mjs->mks", by_body, board.derivatives[seen.ids[rows]])
        by_common[rows] = block
        by_pose[rows, :, :3] = _by_rotation(by_left_point, turned[rows])
        by_pose[rows, :, 3:] = by_left_point
    return seen.points_px - predicted, by_common, by_pose


def _by_rotation(by_point: Array, arm: Array) -> Array:
    """Derivative by δ of exp([δ]) arm, chained: −J [arm]×, (M,2,3)."""
    x, y, z = arm[:, 0, None], arm[:, 1, None], arm[:, 2, None]
    a, b, c = by_point[:, :, 0], by_point[:, :, 1], by_point[:, :, 2]
    return np.stack([c * y - b * z, a * z - c * x, b * x - a * y], axis=2)


def _blocks(seen: Observations, index: Ints, error: Array, by_common: Array, by_pose: Array) -> _Blocks:
    f, views = len(index), seen.view_count
    rows = np.concatenate([by_common[:, :, index], by_pose], axis=2)
    root = np.sqrt(seen.weight)[:, None]
    rows = rows * root[:, :, None]
    weighted = error * root
    edges = np.searchsorted(seen.view, np.arange(views + 1))
    normal = np.empty((views, f + 6, f + 6))
    right = np.empty((views, f + 6))
    for v in range(views):
        a = rows[edges[v] : edges[v + 1]].reshape(-1, f + 6)
        normal[v] = a.T @ a
        right[v] = a.T @ weighted[edges[v] : edges[v + 1]].reshape(-1)
    return _Blocks(normal[:, :f, :f], normal[:, :f, f:], normal[:, f:, f:], right[:, :f], right[:, f:])


def _step(
    blocks: _Blocks, prior_matrix: Array, prior_offset: Array, damping: float, poses_free: bool
) -> tuple[Array, Array]:
    """Solve the damped normal equations: steps of the common unknowns (F,) and of the poses (V,6)."""
    f = blocks.common.shape[1]
    common = blocks.common.sum(axis=0) + prior_matrix
    right = blocks.g_common.sum(axis=0) + prior_matrix @ prior_offset
    if not poses_free:
        return _solve(_damped(common, damping), right), np.zeros((len(blocks.pose), 6))
    pose = blocks.pose + damping * blocks.pose * np.eye(6) + 1e-12 * np.eye(6)
    inverse_cross = np.linalg.solve(pose, np.swapaxes(blocks.cross, 1, 2))
    inverse_g = np.linalg.solve(pose, blocks.g_pose[:, :, None])[:, :, 0]
    if f == 0:
        return np.zeros(0), np.asarray(inverse_g)
    reduced = _damped(common, damping) - np.einsum("vfp,vpg->fg", blocks.cross, inverse_cross)
    step = _solve(reduced, right - np.einsum("vfp,vp->f", blocks.cross, inverse_g))
    return step, np.asarray(inverse_g - np.einsum("vpf,f->vp", inverse_cross, step))


def _damped(matrix: Array, damping: float) -> Array:
    return np.asarray(matrix + damping * np.diag(np.diag(matrix)))


def _solve(matrix: Array, right: Array) -> Array:
    """Solve a symmetric system whose unknowns have very different units."""
    if len(right) == 0:
        return right
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale[None]
    try:
        return np.asarray(scale * np.linalg.solve(scaled, scale * right))
    except np.linalg.LinAlgError:
        return np.asarray(scale * np.linalg.lstsq(scaled, scale * right, rcond=1e-12)[0])


def _moved(state: State, index: Ints, step: Array, pose_steps: Array) -> State:
    full = np.zeros(len(state.common))
    full[index] = step
    R = rotations_of(pose_steps[:, :3]) @ state.R
    return state.stepped(full).with_poses(R, state.t + pose_steps[:, 3:])


def _terms(blocks: _Blocks, index: Ints) -> ViewTerm:
    pose = blocks.pose + 1e-12 * np.eye(6)
    inverse_cross = np.linalg.solve(pose, np.swapaxes(blocks.cross, 1, 2))
    matrices = blocks.common - blocks.cross @ inverse_cross
    vectors = blocks.g_common - np.einsum("vpf,vp->vf", inverse_cross, blocks.g_pose)
    return ViewTerm(index, matrices, vectors)


def camera_names(side: str, model: LensModel) -> tuple[str, ...]:
    """Give the names of one camera's unknowns, in the order of its vector."""
    return tuple(f"{side}.{name}" for name in ("fx", "fy", "cx", "cy", *_DISTORTION_NAMES[model]))


def new_camera(focal_px: float, size_wh: tuple[int, int], model: LensModel) -> Array:
    """Give the vector of a camera with its principal point in the middle and no distortion."""
    vector = np.zeros(4 + DISTORTION_LENGTH[model])
    vector[:4] = focal_px, focal_px, (size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2
    return vector
