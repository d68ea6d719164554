"""How far to trust a solve: covariance of the rig, and the depth error that follows from it.

Corners of one view err together (a board that moved, blur, a print that is not what it should be), so that the
textbook covariance σ²(JᵀJ)⁻¹ is too small on real pictures. The jackknife over views asks how the answer changes
when a view is left out (Efron and Stein 1981; in this linear form MacKinnon and White's HC3, by clusters), which sees
that. With few views it is noisy itself; it is therefore drawn towards the textbook one times its mean inflation.
Pictures of one and the same place err together too, a copy of a picture wholly: they are left out together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.bundle import Fit, State, camera_names, rotation, rotation_vector
from calibration.epipolar import try_rectification
from calibration.errors import CalibrationError
from calibration.framing import rotations
from calibration.lens import project_rays, rays_of_pixels
from calibration.projection import camera_vector, project_with_derivatives
from calibration.rig import StereoRig
from calibration.solution import RigCovariance

Array = NDArray[np.float64]

# Weight of the jackknife's own shape against its mean size, at n views: n / (n + this).
_SHRINK_VIEWS = 20.0
# By how much a view's pull is raised for what it decides alone, and the bound of that.
_LEVERAGE_POWER = 0.75
_LEAST_LEFT = 0.05
# Depth errors are told for the middle of the view, on a raster of 9 x 7 directions.
CENTRAL_SHARE = 0.6
RASTER = (9, 7)
# Of the raster, so large a share must be seen by both cameras for the rest to be left out.
_LEAST_SEEN = 0.095


def covariance_of(
    fit: Fit, state: State, sigma_px: float, views: NDArray[np.bool_], places: NDArray[np.intp] | None = None
) -> RigCovariance:
    """Give the covariance of the free common unknowns of a fit.

    sigma_px: noise of one coordinate. views: bool (V,), those that count. places: (V,) numbers, equal where views show
    the board at one place; None where each is of its own.
    """
    terms = fit.terms
    names = tuple(np.array(state.common_names)[terms.free].tolist())
    used = np.flatnonzero(views)
    matrices, vectors = terms.matrices[used], terms.vectors[used]
    if places is not None:
        matrices, vectors = (_summed(part, places[used]) for part in (matrices, vectors))
    normal = matrices.sum(axis=0) + fit.prior_matrix
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    normal = normal * np.outer(scale, scale)
    matrices = matrices * np.outer(scale, scale)
    vectors = vectors * scale
    values, axes = np.linalg.eigh(normal)
    values = np.maximum(values, values.max() * 1e-14)
    # Columns of `root` whiten: root rootᵀ = normal⁻¹.
    root = axes / np.sqrt(values)
    n = len(matrices)
    white = np.array([_influence(root.T @ m @ root, root.T @ v) for m, v in zip(matrices, vectors)]) / sigma_px
    white = white - white.mean(axis=0)
    spread = (n - 1) / n * white.T @ white
    inflation = max(float(np.trace(spread)) / len(names), 0.8)
    share = n / (n + _SHRINK_VIEWS)
    mixed = share * spread + (1 - share) * inflation * np.eye(len(names))
    matrix = sigma_px**2 * root @ mixed @ root.T * np.outer(scale, scale)
    return RigCovariance(names, (matrix + matrix.T) / 2, float(np.sqrt(inflation)))


def widened(covariance: RigCovariance, rig: StereoRig, other: StereoRig) -> RigCovariance:
    """Add what one more cause of error does: it would have made the rig another one, for an error of one σ of it."""
    step = dict.fromkeys(covariance.names, 0.0)
    turn = rotation_vector(other.R_right_left @ rig.R_right_left.T)
    for axis, angle, move in zip("xyz", turn, other.t_right_left_m - rig.t_right_left_m):
        step[f"rotation.{axis}"], step[f"translation.{axis}"] = float(angle), float(move)
    for side in ("left", "right"):
        own, moved = getattr(rig, side), getattr(other, side)
        if own.model == moved.model:
            step |= dict(zip(camera_names(side, own.model), (camera_vector(moved) - camera_vector(own)).tolist()))
    vector = np.array([step[name] for name in covariance.names])
    return dataclasses.replace(covariance, matrix=covariance.matrix + np.outer(vector, vector))


def _summed(parts: Array, places: NDArray[np.intp]) -> Array:
    """Add up (V,…) what belongs to one place."""
    kinds, which = np.unique(places, return_inverse=True)
    total = np.zeros((len(kinds), *parts.shape[1:]))
    np.add.at(total, which, parts)
    return total


def _influence(leverage: Array, pull: Array) -> Array:
    """How far a view pulls the solution, whitened: (1 − L)^−p z.

    p = 1/2 leaves the sum unbiased where corners err independently (HC2; Bell and McCaffrey 2002), p = 1 is leaving
    the view out (HC3), which says too much of directions that one view alone decides. Between the two, σ is that of
    the errors on synthetic views, and still covers halves of real sets.
    """
    values, axes = np.linalg.eigh((leverage + leverage.T) / 2)
    left = np.maximum(1 - values, _LEAST_LEFT)
    return np.asarray(axes @ ((axes.T @ pull) * left**-_LEVERAGE_POWER))


@dataclass(frozen=True)
class DepthError:
    """Predicted error of depth at one distance. percent: 1 σ, RMS over the middle of the view. disparity_px: the
    same as an error of disparity in the rectified pair. common_percent: the part that all directions share."""

    distance_m: float
    percent: float
    disparity_px: float
    common_percent: float


def predict_depth_error(
    rig: StereoRig, covariance: RigCovariance, distances_m: Sequence[float], raster: tuple[int, int] = RASTER
) -> list[DepthError]:
    """Predict the error of depth (1 σ) that the rig's uncertainty causes at these distances.

    Depth is that of the rectified left camera, on a raster over the central 60 % of its view. Matching noise is not
    part of it. raster: directions across and down; a finer one gives a curve without steps, where with the distance
    more and more of the view is seen by both cameras.

    Raises:
        CalibrationError: the rig cannot be rectified.
    """
    answers = []
    focal = _rectified_focal(rig)
    for distance in distances_m:
        by_unknown = depth_derivatives(rig, covariance.names, distance, raster)
        variance = np.einsum("gi,ij,gj->g", by_unknown, covariance.matrix, by_unknown)
        mean = by_unknown.mean(axis=0)
        share = float(np.sqrt(max(float(np.mean(variance)), 0.0)))
        disparity = focal * rig.baseline_m / distance
        common = float(np.sqrt(max(float(mean @ covariance.matrix @ mean), 0.0)))
        answers.append(DepthError(distance, 100 * share, share * disparity, 100 * common))
    return answers


def depth_derivatives(rig: StereoRig, names: Sequence[str], distance: float, raster: tuple[int, int] = RASTER) -> Array:
    """Give d(depth)/depth by each named unknown, (G, n), for the raster of directions at a distance."""
    R_left, _, _ = rotations(rig)
    points = raster_points(rig, distance, raster)
    in_left = points @ R_left
    in_right = in_left @ rig.R_right_left.T + rig.t_right_left_m
    columns: dict[str, Array] = {}
    plane = [in_left[:, :2] / in_left[:, 2:], in_right[:, :2] / in_right[:, 2:]]
    step = 1e-6

    def depth(left: Array, right: Array, turn: Array, shift: Array) -> Array:
        moved = _moved_rig(rig, turn, shift)
        A_left, A_right, _ = rotations(moved)
        x = [_rectified_x(p, A) for p, A in ((left, A_left), (right, A_right))]
        return np.asarray(moved.baseline_m / (x[0] - x[1]))

    zero = np.zeros(3)
    middle = depth(plane[0], plane[1], zero, zero)
    for i, axis in enumerate("xyz"):
        d = np.zeros(3)
        d[i] = step
        columns[f"rotation.{axis}"] = (depth(plane[0], plane[1], d, zero) - depth(plane[0], plane[1], -d, zero)) / (
            2 * step
        )
        d = d * rig.baseline_m
        columns[f"translation.{axis}"] = (depth(plane[0], plane[1], zero, d) - depth(plane[0], plane[1], zero, -d)) / (
            2 * d[i]
        )
    for side, camera, place in (("left", rig.left, in_left), ("right", rig.right, in_right)):
        by_plane = []
        for k in range(2):
            d2 = np.zeros(2)
            d2[k] = step
            ahead = [plane[0] + d2, plane[1]] if side == "left" else [plane[0], plane[1] + d2]
            behind = [plane[0] - d2, plane[1]] if side == "left" else [plane[0], plane[1] - d2]
            by_plane.append(
                (depth(ahead[0], ahead[1], zero, zero) - depth(behind[0], behind[1], zero, zero)) / (2 * step)
            )
        # A pixel stays where it is; its direction moves by −(∂π/∂direction)⁻¹ ∂π/∂camera.
        unit = np.column_stack([place[:, :2] / place[:, 2:], np.ones(len(place))])
        _, by_point, by_camera = project_with_derivatives(unit, camera_vector(camera), camera.model)
        moved = -np.linalg.solve(by_point[:, :, :2], by_camera)
        by_camera_depth = by_plane[0][:, None] * moved[:, 0] + by_plane[1][:, None] * moved[:, 1]
        for k, name in enumerate(camera_names(side, camera.model)):
            columns[name] = by_camera_depth[:, k]
    none = np.zeros(len(points))
    return np.stack([columns.get(name, none) / middle for name in names], axis=1)


def raster_points(rig: StereoRig, distance: float, raster: tuple[int, int] = RASTER) -> Array:
    """Give points (n,3) of the rectified left frame at a depth: a 9x7 raster over the central 60 % of the left view, as
    far as the right camera sees it too; all of it where it sees hardly anything."""
    points, seen = _raster_seen(rig, distance, raster)
    return np.asarray(points[seen] if seen.mean() >= _LEAST_SEEN else points)


def seen_share(rig: StereoRig, distance: float, raster: tuple[int, int] = RASTER) -> float:
    """Give the share of the central 60 % of the left view, at a depth, that the right camera sees too, 0..1."""
    return float(_raster_seen(rig, distance, raster)[1].mean())


def _raster_seen(rig: StereoRig, distance: float, raster: tuple[int, int]) -> tuple[Array, NDArray[np.bool_]]:
    if rig.left.size_wh is None:
        raise CalibrationError("The rig does not know its picture size.", "Calibrate again, or write size_wh into it.")
    w, h = rig.left.size_wh
    R_left, _, _ = rotations(rig)
    u = (w - 1) * (0.5 + CENTRAL_SHARE * (np.linspace(0, 1, raster[0]) - 0.5))
    v = (h - 1) * (0.5 + CENTRAL_SHARE * (np.linspace(0, 1, raster[1]) - 0.5))
    pixels = np.stack([a.ravel() for a in np.meshgrid(u, v)], axis=1)
    rays = np.asarray(rays_of_pixels(rig.left, pixels)) @ R_left.T
    rays = rays[np.isfinite(rays).all(axis=1) & (rays[:, 2] > 0.05)]
    points = rays / rays[:, 2:] * distance
    pixels = project_rays(rig.right, (points @ R_left) @ rig.R_right_left.T + rig.t_right_left_m)
    with np.errstate(invalid="ignore"):
        seen = (pixels >= 0).all(axis=1) & (pixels <= np.array(rig.right.size_wh or (np.inf, np.inf)) - 1).all(axis=1)
    return np.asarray(points), np.asarray(seen)


def _rectified_x(plane: Array, R: Array) -> Array:
    turned = np.column_stack([plane, np.ones(len(plane))]) @ R.T
    return np.asarray(turned[:, 0] / turned[:, 2])


def _moved_rig(rig: StereoRig, turn: Array, shift: Array) -> StereoRig:
    return StereoRig(rig.left, rig.right, rotation(turn) @ rig.R_right_left, rig.t_right_left_m + shift)


def _rectified_focal(rig: StereoRig) -> float:
    rectification, _ = try_rectification(rig)
    return rectification.focal_px if rectification else rig.left.focal_px
