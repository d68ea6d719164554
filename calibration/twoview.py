"""Two views of one still scene, no calibration: the rig that explains their matches with the least assumptions.

Found by maximum a posteriori: the Sampson distance of every match to its epipolar line (Hartley and Zisserman,
Multiple View Geometry, 11.4.3), weighted robustly, together with a prior for each unknown that says what two
ordinary cameras side by side look like. Where the matches carry an unknown (roll, pitch, often the lens's
distortion) they decide it; where they hardly do (yaw, focal length) it stays ordinary. Known approach:
Fusiello and Irsara, Quasi-Euclidean epipolar rectification of uncalibrated images (2011), here with distortion.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.matches import SAME_ZOOM, Matches
from calibration.rig import Array, Intrinsics, StereoRig

SizeWH = tuple[int, int]

# Names and prior standard deviations of the unknowns. Angles in radians; baseline_y and _z as parts of its length;
# focal lengths as natural logarithms; principal points, from the middle, as parts of the longer side. The right
# camera's own values are differences: two alike cameras are usual.
PRIORS: dict[str, float] = {
    "pitch": math.radians(6),
    "yaw": math.radians(4),
    "roll": math.radians(6),
    "baseline_y": 0.15,
    "baseline_z": 0.1,
    "focal": 0.2,
    "focal_ratio": 0.02,
    "k1": 0.2,
    "k2": 0.1,
    "k1_right": 0.02,
    "cx": 0.015,
    "cy": 0.015,
    "cx_right": 0.01,
    "cy_right": 0.01,
}
# Neighbouring matches err together (one bent poster, one rolling shutter): more than this many say no more.
_INDEPENDENT = 50
_EXIF_SIGMA = 0.04
_ZOOM_SIGMA = 0.05
# An ordinary webcam or phone sees about 62° across its longer side.
ORDINARY_FOCAL = 0.83
_FLOOR_PX = 0.05
# Share of its prior that an unknown of the lenses is left where they are taken to be plain.
_PLAIN = 0.15
_OF_LENSES = ("focal", "k1", "k2", "k1_right", "cx", "cy", "cx_right", "cy_right")
# Inliers of the five-point method lie within so many parts of the focal length of their epipolar line.
_NEAR_LINE = 1 / 500


@dataclass(frozen=True)
class TwoView:
    """What `fit_two_view` found.

    rig: baseline length 1; its sizes and lenses are those of the pictures. residual_px: (N,) Sampson distance of each
    match. sigma_px: robust noise. spread: posterior standard deviation of each unknown by name, in its own unit.
    """

    rig: StereoRig
    residual_px: Array
    sigma_px: float
    values: dict[str, float]
    spread: dict[str, float]


def fit_two_view(
    matches: Matches,
    left_size_wh: SizeWH,
    right_size_wh: SizeWH,
    *,
    focal_px: tuple[float | None, float | None] = (None, None),
    direction: tuple[float, float] = (-1.0, 0.0),
    plain_lenses: bool = False,
) -> TwoView:
    """Fit a rig to matches.

    focal_px: of the left and right picture where known (from EXIF, say). direction: x and y of the baseline as
    the left camera's origin moves in the right camera's frame: (−1, 0) for a right camera to the right. plain_lenses:
    they are hardly fitted; few matches, or such as no lens explains, make wild ones.
    """
    model = _Model(matches, left_size_wh, right_size_wh, focal_px, direction)
    if plain_lenses:
        model.prior *= [_PLAIN if name in _OF_LENSES else 1.0 for name in PRIORS]
    start = np.zeros(len(PRIORS))
    values, sigma, spread = _solve(model, start)
    residual = model.residuals(values)
    return TwoView(
        model.rig(values), residual, sigma, dict(zip(PRIORS, values.tolist())), dict(zip(PRIORS, spread.tolist()))
    )


@dataclass(frozen=True)
class Motion:
    """How the second camera stands to the first. apart_deg: between their optical axes. forward: share of the way that
    leads along the first one's axis, 0…1. noise_px: robust, of the matches' Sampson distances.
    """

    apart_deg: float
    forward: float
    noise_px: float


def any_motion(
    matches: Matches, left_size_wh: SizeWH, right_size_wh: SizeWH, focal_px: tuple[float | None, float | None]
) -> Motion | None:
    """Find the motion that matches tell if it need not be an ordinary one; lenses are ordinary. None if there is none.

    Nister, An efficient solution to the five-point relative pose problem, PAMI 2004, in OpenCV's consensus search.
    """
    model = _Model(matches, left_size_wh, right_size_wh, focal_px, (-1.0, 0.0))
    cameras = model.cameras(np.zeros(len(PRIORS)))
    rays = [_straight(px, camera) for px, camera in zip(model.points, cameras)]
    flat = [np.ascontiguousarray(one[:, :2]) for one in rays]
    E, _ = cv2.findEssentialMat(flat[0], flat[1], np.eye(3), cv2.RANSAC, 0.999, _NEAR_LINE)
    if E is None or np.shape(E) != (3, 3):
        return None
    _, R, t, _ = cv2.recoverPose(E, flat[0], flat[1], np.eye(3))
    off = _sampson(np.asarray(E), rays[0], rays[1], cameras[0].focal_px, cameras[1].focal_px)
    apart = math.degrees(math.acos(float(np.clip(np.asarray(R)[2, 2], -1, 1))))
    return Motion(apart, float(abs(np.ravel(t)[2])), _noise(off, model.sigma))


def _sampson(E: Array, a: Array, b: Array, left_focal_px: float, right_focal_px: float) -> Array:
    """Sampson distances (N,), px, of rays (N,3) each."""
    lines_b, lines_a = a @ E.T, b @ E
    off = np.sum(b * lines_b, axis=1)
    slope = (lines_b[:, 0] ** 2 + lines_b[:, 1] ** 2) / right_focal_px**2
    slope += (lines_a[:, 0] ** 2 + lines_a[:, 1] ** 2) / left_focal_px**2
    return np.asarray(off / np.sqrt(slope))


class _Model:
    """Residuals of matches as a function of the unknowns."""

    def __init__(
        self,
        matches: Matches,
        left_size: SizeWH,
        right_size: SizeWH,
        focal_px: tuple[float | None, float | None],
        direction: tuple[float, float],
    ) -> None:
        self.sizes = (left_size, right_size)
        ordinary = [ORDINARY_FOCAL * max(size) for size in self.sizes]
        known = [f for f in focal_px if f]
        self.focal = [
            f or (known[0] * ordinary[i] / ordinary[1 - i] if known else ordinary[i]) for i, f in enumerate(focal_px)
        ]
        self.prior = np.array(list(PRIORS.values()))
        if known:
            self.prior[5] = _EXIF_SIGMA
        # Cameras side by side that show things in different sizes have different lenses.
        more = math.log(matches.zoom * self.focal[0] / self.focal[1])
        if abs(more) > SAME_ZOOM and len(known) < 2:
            self.prior[6] = _ZOOM_SIGMA
            share = (0.5, 0.5) if not known else (0.0, 1.0) if focal_px[0] else (1.0, 0.0)
            self.focal[0] *= math.exp(-share[0] * more)
            self.focal[1] *= math.exp(share[1] * more)
        self.points = (matches.left_px, matches.right_px)
        self.sigma = matches.sigma_px
        # By how much their deviations are widened so that all together weigh as much as the independent ones.
        self.crowd = math.sqrt(max(1.0, len(matches) / _INDEPENDENT))
        self.direction = np.array([*direction, 0.0])
        self.up = np.array([-direction[1], direction[0], 0.0])
        # Pictures turned against each other (a phone upside down): the prior for roll is around that turn.
        turned = matches.rotation_deg if abs(matches.rotation_deg) > 20 else 0.0
        self.base = np.asarray(cv2.Rodrigues(np.array([0, 0, math.radians(turned)]))[0])

    def cameras(self, p: Array) -> tuple[Intrinsics, Intrinsics]:
        """The two lenses."""
        cameras = []
        for i, size in enumerate(self.sizes):
            sign = 0.5 if i else -0.5
            f = self.focal[i] * math.exp(p[5] + sign * p[6])
            k1 = p[7] + sign * p[9]
            cx, cy = (np.array(size) - 1) / 2 + max(size) * (p[10:12] + sign * p[12:14])
            K = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]])
            cameras.append(Intrinsics(K, np.array([k1, p[8], 0, 0, 0]), "pinhole", size))
        return cameras[0], cameras[1]

    def rig(self, p: Array) -> StereoRig:
        """The whole rig, baseline length 1."""
        left, right = self.cameras(p)
        R, t = self.motion(p)
        return StereoRig(left, right, R, t)

    def motion(self, p: Array) -> tuple[Array, Array]:
        """R_right_left and the direction of t_right_left."""
        R = np.asarray(cv2.Rodrigues(p[:3].copy())[0] @ self.base, dtype=np.float64)
        in_middle = self.direction + p[3] * self.up + np.array([0, 0, p[4]])
        # Half the rotation each: so that roll and the direction of the baseline are told apart.
        half = np.asarray(cv2.Rodrigues(p[:3] / 2)[0]) @ self.base
        t = half @ in_middle
        return R, np.asarray(t / np.linalg.norm(t))

    def residuals(self, p: Array) -> Array:
        """Sampson distances (N,), px."""
        left, right = self.cameras(p)
        R, t = self.motion(p)
        a, b = (_straight(px, camera) for px, camera in zip(self.points, (left, right)))
        E = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]]) @ R
        return _sampson(E, a, b, left.focal_px, right.focal_px)


def _straight(pixels: Array, camera: Intrinsics) -> Array:
    """Undistorted points (N,3) of the plane z = 1 for a lens with k1 and k2 only."""
    bent = (pixels - camera.K[:2, 2]) / camera.K[0, 0]
    k1, k2 = camera.distortion[:2]
    wanted = np.hypot(bent[:, 0], bent[:, 1])
    r = wanted.copy()
    for _ in range(8):
        r2 = r * r
        slope = 1 + r2 * (3 * k1 + 5 * k2 * r2)
        # Where the model folds back the step would run away: keep it, the residual tells that the values are wrong.
        r = np.where(slope > 0.1, r - (r * (1 + r2 * (k1 + k2 * r2)) - wanted) / np.maximum(slope, 0.1), r)
    scale = np.where(wanted > 1e-12, r / np.maximum(wanted, 1e-12), 1.0)
    return np.column_stack([bent * scale[:, None], np.ones(len(bent))])


def _solve(model: _Model, start: Array) -> tuple[Array, float, Array]:
    """Levenberg and Marquardt with Cauchy weights; (values, noise, posterior standard deviations)."""
    p = start.copy()
    sigma = _noise(model.residuals(p), model.sigma)
    damping = 1e-3
    weights = np.ones(len(model.sigma))
    for _ in range(60):
        r = model.residuals(p)
        sigma = max(_noise(r, model.sigma), sigma * 0.5)
        scale = sigma * model.sigma / 0.1
        weights = 1 / (1 + (r / (2.4 * scale)) ** 2) / (scale * model.crowd) ** 2

        def cost(q: Array, scale: Array = scale) -> float:
            z = model.residuals(q) / (2.4 * scale)
            return float(2.4**2 / model.crowd**2 * np.log1p(z * z).sum() + ((q / model.prior) ** 2).sum())

        J = _jacobian(model.residuals, p, r, model.prior)
        normal = J.T @ (J * weights[:, None]) + np.diag(model.prior**-2.0)
        slope = J.T @ (weights * r) + p / model.prior**2
        before = cost(p)
        for _ in range(8):
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slope)
            if cost(p + step) <= before:
                damping = max(damping / 5, 1e-9)
                break
            damping *= 6
        else:
            break
        p = p + step
        if np.abs(step / model.prior).max() < 1e-4:
            break
    r = model.residuals(p)
    sigma = _noise(r, model.sigma)
    scale = sigma * model.sigma / 0.1
    weights = 1 / (1 + (r / (2.4 * scale)) ** 2) / (scale * model.crowd) ** 2
    J = _jacobian(model.residuals, p, r, model.prior)
    normal = J.T @ (J * weights[:, None]) + np.diag(model.prior**-2.0)
    return p, sigma, np.sqrt(np.diag(np.linalg.inv(normal)))


def _noise(residual: Array, sigma: Array) -> float:
    """Robust standard deviation of residuals of matches whose own σ is 0.1 px."""
    return max(1.4826 * float(np.median(np.abs(residual) * 0.1 / sigma)), _FLOOR_PX)


def _jacobian(function: Callable[[Array], Array], at: Array, value: Array, scale: Array) -> NDArray[np.float64]:
    columns = []
    for i in range(len(at)):
        moved = at.copy()
        moved[i] += 1e-5 * scale[i]
        columns.append((function(moved) - value) / (1e-5 * scale[i]))
    return np.stack(columns, axis=1)
