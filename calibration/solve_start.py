"""Starts for the joint solve: each camera alone, then how the right one stands to the left one.

One camera: several focal lengths are tried, because the closed form (Zhang 2000) is thrown off by strong lens
distortion; the best is refined with all unknowns of its model and without views or corners that do not fit.
Corner orders: a board that looks the same turned by 180° may be numbered from either end in either picture. Only
the right pairing makes all views agree on one relative pose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.board_model import BoardModel
from calibration.bundle import (
    LEFT,
    Array,
    Fit,
    Observations,
    Prior,
    State,
    adjust,
    camera_names,
    new_camera,
    residuals,
    rotation_to,
    rotation_vector,
)
from calibration.detection import Detection
from calibration.lens import rays_of_pixels
from calibration.projection import intrinsics_of
from calibration.rig import LensModel
from calibration.robust import Noise, corner_weights, robust_noise

# First guesses of the focal length, in picture widths: from wide angle to tele.
_FOCAL_GUESSES = (0.4, 0.65, 0.9, 1.3, 2.2)
_START_VIEWS = 12
# Weights and solution are found in turn until nothing moves by more than this.
_SETTLED_PX = 2e-3
_TURNS, _MOST_TURNS = 6, 24
# Cosine beyond which a corner is too far off its board's direction to start from (84°).
_LEAST_AHEAD = 0.1
# This lets the pictures decide how much longer the print is one way.
_STRETCH_SIGMA = 0.02
# So many views must be turned for one camera to tell a stretched print from pixels that are not square.
_MIN_TURNED = 2


@dataclass(frozen=True)
class CameraFit:
    """One camera alone. R (V,3,3), t (V,3): board poses; rms_px (V,): of each view; noise: of its corners."""

    camera: Array
    model: LensModel
    shape: Array
    R: Array
    t: Array
    rms_px: Array
    fit: Fit
    seen: Observations
    noise: Noise

    @property
    def rms(self) -> float:
        """RMS of all corners that count, px (of the distance, both coordinates together)."""
        w = self.seen.weight > 0
        return float(np.sqrt(np.mean(np.sum(self.fit.residuals_px[w] ** 2, axis=1)))) if w.any() else float("nan")


def gather(views: Sequence[tuple[Detection | None, Detection | None]]) -> Observations:
    """Bring detections (left, right) of views into one table, every weight 1."""
    points, ids, view, side = [], [], [], []
    for v, pair in enumerate(views):
        for s, found in enumerate(pair):
            if found is not None:
                points.append(np.asarray(found.points_px, dtype=np.float64))
                ids.append(np.asarray(found.ids, dtype=np.intp))
                view.append(np.full(len(found.ids), v, dtype=np.intp))
                side.append(np.full(len(found.ids), s, dtype=np.intp))
    if not points:
        none = np.empty(0, dtype=np.intp)
        return Observations(np.empty((0, 2)), none, none, none, np.empty(0))
    corners = np.concatenate(points)
    return Observations(corners, np.concatenate(ids), np.concatenate(view), np.concatenate(side), np.ones(len(corners)))


def lens_priors(side: str, model: LensModel, size_wh: tuple[int, int]) -> list[Prior]:
    """What any ordinary camera keeps: a principal point near the middle, distortion of the usual size.

    Weak on purpose: a good set of views overrules them entirely; they keep a poor one from running away.
    """
    w, h = size_wh
    priors = [
        Prior(f"{side}.cx", (w - 1) / 2, 0.08 * max(w, h)),
        Prior(f"{side}.cy", (h - 1) / 2, 0.08 * max(w, h)),
    ]
    sigmas: dict[LensModel, dict[str, float]] = {
        "pinhole": {"k1": 1.0, "k2": 2.0, "k3": 3.0, "p1": 0.02, "p2": 0.02},
        "rational": {"k1": 2.0, "k2": 2.0, "k3": 2.0, "k4": 2.0, "k5": 2.0, "k6": 2.0, "p1": 0.02, "p2": 0.02},
        "fisheye": {"k1": 0.5, "k2": 0.5, "k3": 0.5, "k4": 0.5},
    }
    return priors + [Prior(f"{side}.{name}", 0.0, sigma) for name, sigma in sigmas[model].items()]


def shape_priors(board: BoardModel) -> list[Prior]:
    """What any board keeps: it is flat to about a hundredth of its size, and printed to a few parts in a thousand."""
    size = float(np.max(board.extent))
    bends = [Prior(f"board.{name}", 0.0, 0.01 * size) for name in ("bend_x", "bend_y", "twist")]
    return [*bends, Prior("board.stretch", 0.0, _STRETCH_SIGMA)]


def turned_views(R: Array, least_deg: float = 40.0) -> int:
    """Count the board poses (V,3,3) that are turned in the board's plane against most; half turns do not count."""
    if len(R) < 3:
        return 0
    doubled = 2 * np.arctan2(R[:, 1, 0], R[:, 0, 0])
    apart = np.abs(np.angle(np.exp(1j * (doubled[:, None] - doubled[None])))) / 2 > np.radians(least_deg)
    return int(apart.sum(axis=1).min())


def solve_camera(
    board: BoardModel,
    detections: Sequence[Detection],
    model: LensModel,
    *,
    bend: bool = True,
    start: CameraFit | None = None,
) -> CameraFit:
    """Solve one camera from its views: intrinsics, board poses, the board's bend; robust against wild corners."""
    size_wh = detections[0].size_wh
    seen = gather([(found, None) for found in detections])
    if start is None:
        state = _start_camera(board, detections, seen, model, size_wh)
    else:
        start = as_model(start, model)
        state = _mono_state(start.camera, model, start.R, start.t, start.shape)
    free = [*camera_names("left", model)]
    shape: list[str] = []
    priors = lens_priors("left", model, size_wh) + shape_priors(board)
    noise = robust_noise(residuals(board, seen, state), seen)
    error = residuals(board, seen, state)
    for turn in range(_MOST_TURNS):
        names = free if turn == 0 else free + shape
        fit = adjust(board, seen, state, free=names, priors=priors, noise_px=noise.sigma_px, iterations=15)
        state = best_poses(board, seen, fit.state) if turn == 0 and start is None else fit.state
        moved = float(np.abs(fit.residuals_px - error).max())
        error = fit.residuals_px
        if turn == 0 and bend:
            shape = ["board.bend_x", "board.bend_y", "board.twist"]
            # Without it a print that is longer one way would make the few turned views look wrong.
            shape += ["board.stretch"] if turned_views(state.R) >= _MIN_TURNED else []
        if turn > 1 and moved < _SETTLED_PX:
            break
        # A lens of many terms may still creep along a valley; weights that go to and fro do no good.
        if turn >= _TURNS - 1 and fit.converged:
            break
        noise = robust_noise(error, seen)
        seen = dataclasses.replace(seen, weight=corner_weights(error, seen, noise))
    rms = view_rms(fit.residuals_px, seen)
    return CameraFit(fit.state.cameras[0], model, fit.state.shape, fit.state.R, fit.state.t, rms, fit, seen, noise)


def view_rms(error: Array, seen: Observations, side: int | None = None) -> Array:
    """RMS distance of all corners of each view (V,), also of those that count little; NaN for a view without any."""
    rows = np.ones(len(seen.ids), dtype=bool) if side is None else seen.side == side
    squares = np.sum(error[rows] ** 2, axis=1)
    count = np.bincount(seen.view[rows], minlength=seen.view_count)
    total = np.bincount(seen.view[rows], weights=squares, minlength=seen.view_count)
    return np.sqrt(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def best_poses(board: BoardModel, seen: Observations, state: State) -> State:
    """Give each view the better of the two poses that a flat board allows (Collins and Bartoli 2014)."""
    other = poses(board, seen, state, second=True)
    a = adjust(board, seen, state, free=(), iterations=8)
    b = adjust(board, seen, other, free=(), iterations=8)
    cost = [
        np.bincount(seen.view, weights=seen.weight * np.sum(fit.residuals_px**2, axis=1), minlength=seen.view_count)
        for fit in (a, b)
    ]
    take = cost[1] < cost[0]
    return state.with_poses(
        np.where(take[:, None, None], b.state.R, a.state.R), np.where(take[:, None], b.state.t, a.state.t)
    )


def poses(board: BoardModel, seen: Observations, state: State, *, second: bool = False) -> State:
    """Find each view's board pose from its left corners and a camera. second: the other pose that fits a flat board."""
    intrinsics = intrinsics_of(state.cameras[LEFT], state.models[LEFT], None)
    rays = np.array(rays_of_pixels(intrinsics, seen.points_px))
    R = np.tile(np.eye(3), (seen.view_count, 1, 1))
    t = np.tile(np.array([0, 0, 1.0]), (seen.view_count, 1)) * board.extent.max() * 3
    for v in range(seen.view_count):
        rows = (seen.view == v) & np.isfinite(rays).all(axis=1)
        if rows.sum() < 4:
            continue
        # Seen along its own direction, a board at the rim of a very wide lens lies before the camera, not beside it.
        ahead = rotation_to(rays[rows].mean(axis=0)).T
        turned = rays[rows] @ ahead.T
        near = turned[:, 2] > _LEAST_AHEAD
        if near.sum() < 4:
            continue
        flat = np.ascontiguousarray(board.flat[seen.ids[rows][near]])
        pixels = np.ascontiguousarray(turned[near, :2] / turned[near, 2:])
        count, rs, ts, _ = cv2.solvePnPGeneric(flat, pixels, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_IPPE)
        if not count:
            continue
        pick = min(1 if second else 0, count - 1)
        R[v] = ahead.T @ np.asarray(cv2.Rodrigues(np.asarray(rs[pick], dtype=np.float64))[0])
        t[v] = ahead.T @ np.asarray(ts[pick], dtype=np.float64).reshape(3)
    return state.with_poses(R, t)


def _mono_state(
    camera: Array, model: LensModel, R: Array | None = None, t: Array | None = None, shape: Array | None = None
) -> State:
    shape = np.zeros(4) if shape is None else shape
    R = np.empty((0, 3, 3)) if R is None else R
    t = np.empty((0, 3)) if t is None else t
    return State((camera, camera), (model, model), np.eye(3), np.array([-1.0, 0, 0]), shape, R, t)


def _start_camera(
    board: BoardModel,
    detections: Sequence[Detection],
    seen: Observations,
    model: LensModel,
    size_wh: tuple[int, int],
) -> State:
    """Try focal lengths on some of the views, refine the two that fit best, and keep the better."""
    some = gather([(detections[i], None) for i in _spread(len(detections), _START_VIEWS)])
    width = max(size_wh)
    first = ("left.fx", "left.fy", "left.k1") if model != "fisheye" else ("left.fx", "left.fy")
    priors = lens_priors("left", model, size_wh)
    tried: list[tuple[float, State]] = []
    for guess in _FOCAL_GUESSES:
        state = poses(board, some, _mono_state(new_camera(guess * width, size_wh, model), model))
        state = adjust(board, some, state, free=first, priors=priors, noise_px=0.5, iterations=8).state
        tried.append((_typical_px(board, some, state), state))
    finals: list[tuple[float, Array]] = []
    for _, state in sorted((one for one in tried if np.isfinite(one[0])), key=lambda one: one[0])[:2]:
        kept = some
        names: tuple[str, ...] = first
        for names in (first, camera_names("left", model)):
            state = best_poses(board, kept, state)
            state = adjust(board, kept, state, free=names, priors=priors, noise_px=0.5, iterations=12).state
            error = residuals(board, some, state)
            kept = dataclasses.replace(some, weight=corner_weights(error, some, robust_noise(error, some)))
        camera = state.cameras[LEFT]
        if 0.1 < camera[0] / width < 20 and 0.5 < camera[0] / camera[1] < 2:
            finals.append((_typical_px(board, some, state), camera))
    camera = min(finals, key=lambda one: one[0])[1] if finals else new_camera(0.9 * width, size_wh, model)
    return best_poses(board, seen, poses(board, seen, _mono_state(camera, model)))


def _typical_px(board: BoardModel, seen: Observations, state: State) -> float:
    """Median distance between seen and predicted corners."""
    return float(np.median(np.hypot(*residuals(board, seen, state).T)))


def as_model(fit: CameraFit, model: LensModel) -> CameraFit:
    """Give the start for another lens model that draws about the same picture."""
    old = fit.camera
    camera = new_camera(1.0, (1, 1), model)
    camera[:4] = old[:4]
    if fit.model == model:
        return fit
    if model == "fisheye":
        # tan θ = θ + θ³/3 + …: what a plain pinhole is in the fisheye's terms.
        camera[4] = 1 / 3 + old[4]
    elif fit.model == "fisheye":
        camera[4] = old[4] - 1 / 3
    else:
        camera[4:9] = old[4:9]
    return dataclasses.replace(fit, camera=camera, model=model)


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})


@dataclass(frozen=True)
class RelativePose:
    """How the right camera stands to the left one, and which views agree. reversed_order (V,): the right picture's
    corners run from the other end. agree (V,): the view fits this pose. mirrored: only mirrored pictures agree."""

    R: Array
    t: Array
    reversed_order: Array
    agree: Array


def relative_pose(
    middle: Array, R_left: Array, t_left: Array, R_right: Array, t_right: Array, *, both_orders: bool
) -> RelativePose:
    """Find the relative pose on which most views agree.

    middle (3,): centre of the board. R_left … (V,…): board poses in each camera alone. both_orders: also consider
    the right board turned by 180° about its middle.
    """
    turn = np.diag([-1.0, -1.0, 1.0])
    orders = [np.eye(3), turn] if both_orders else [np.eye(3)]
    views = len(R_left)
    # The board's centre in both cameras, and the relative rotation under each corner order.
    centre_left = np.einsum("vij,j->vi", R_left, middle) + t_left
    centre_right = np.einsum("vij,j->vi", R_right, middle) + t_right
    R = np.stack([np.einsum("vij,jk,vlk->vil", R_right, order, R_left) for order in orders], axis=1)
    t = centre_right[:, None] - np.einsum("voij,vj->voi", R, centre_left)
    distance = float(np.median(np.linalg.norm(centre_left, axis=1)))
    best: tuple[float, int, int] | None = None
    for v in range(views):
        for o in range(len(orders)):
            off = disagreement(R, t, R[v, o], t[v, o], distance).min(axis=1)
            # The soft count of those that agree; of equal ones the smaller rotation is the likelier rig.
            score = float(np.sum(np.exp(-0.5 * (off / 0.03) ** 2))) - 0.02 * views * _angle(R[v, o]) / np.pi
            if best is None or score > best[0]:
                best = score, v, o
    assert best is not None
    Rb, tb = R[best[1], best[2]], t[best[1], best[2]]
    for _ in range(3):
        off = disagreement(R, t, Rb, tb, distance)
        order = off.argmin(axis=1)
        near = off.min(axis=1)
        agree = near < max(0.03, 3 * float(np.median(near)))
        chosen_R, chosen_t = R[np.arange(views), order][agree], t[np.arange(views), order][agree]
        Rb, tb = mean_rotation(chosen_R), np.median(chosen_t, axis=0)
    return RelativePose(Rb, tb, order == 1, near < 0.15)


def disagreement(R: Array, t: Array, Ra: Array, ta: Array, distance: float) -> Array:
    """How far relative poses (V,O,…) are from one, radians: rotation, and shift as seen from the board's distance."""
    turned = np.einsum("voij,kj->voik", R, Ra)
    cosine = (np.trace(turned, axis1=2, axis2=3) - 1) / 2
    angle = np.arccos(np.clip(cosine, -1, 1))
    return np.asarray(np.hypot(angle, np.linalg.norm(t - ta, axis=2) / distance))


def mean_rotation(R: Array) -> Array:
    """Give the rotation (3,3) nearest to the median of rotations (n,3,3)."""
    u, _, vt = np.linalg.svd(np.median(R, axis=0))
    return np.asarray(u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt)


def _angle(R: Array) -> float:
    return float(np.linalg.norm(rotation_vector(R)))
