"""How the cameras have turned against each other since their rig was made, from matches of any scene.

    drift = fit_drift(rectification, left_px, right_px)     # (N,2) places in the *rectified* pictures
    drift.angles_deg, drift.sigma_deg, drift.pattern, drift.words()

After rectification with the old rig every point should lie on one row in both pictures. How the row difference
depends on the place tells what moved (u, v: place in the picture over the focal length):

    pitch        1 + v²      constant
    roll         u           grows with x
    focal length v           grows with y: zoom or autofocus
    yaw          u v         grows with x y, and hardly shows

The fit is a maximum a posteriori one, with the old rig as the most probable answer, all four at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.errors import CalibrationError
from calibration.matches import LEAST
from calibration.rectify import Rectification
from calibration.rig import Array

# Prior standard deviations: a bump turns cameras by degrees at most; a zoom that moved shows at once.
PRIOR_TURN_DEG = 2.0
PRIOR_YAW_DEG = 0.5
PRIOR_FOCAL = 0.005
# Errors of the lens model are the same for neighbouring matches: more than so many say no more.
_INDEPENDENT = 200
_FLOOR_PX = 0.05
_FOCAL_STEP = 1e-3
# A part of the drift is named when it is this many σ and shows by this many pixels somewhere.
_CLEAR_SIGMA = 3.5
_CLEAR_PX = 0.15
# Yaw counts as seen when it is known to this disparity, and when it explains rows: it leaves at most this share of how
# the other parts leave them bent. Lenses that the rig describes badly beyond the board's places bend rows a little in
# every way, the same in every pair, and σ knows nothing of that. Noise does not count: it cancels in parts of the
# picture, of which there are so many across and down, with so many points or more.
YAW_RESOLVED_PX = 0.2
_PARTS, _IN_PART = 4, 5
_YAW_LEAVES = 0.4
# Wrong matches may lie beyond infinity, other points not.
_BEHIND = 0.1


@dataclass(frozen=True)
class Drift:
    """What `fit_drift` found, about the axes of the rectified pair; the right camera against the left one.

    turn: (3,) rad, pitch, yaw, roll: what the right camera sees is turned by exp([turn]) from where the rig says.
    focal: natural logarithm of the right focal length over what the rig says, both against the left. covariance: (4,4)
    of these four. noise_px: robust, of what the fit leaves. count: matches. median_px: of |row difference| before,
    left_px: after. yaw_leaves: share of the bend of rows that a yaw leaves (NaN: unknown; 0 where yaw was told from
    elsewhere). focal_px: of the rectified pair. turns: quarter turns to what a person sees. reach_px: of each part that
    is clearly there, by how
    much it moves rows where it moves them most; strongest first.
    """

    turn: Array
    focal: float
    covariance: Array
    noise_px: float
    count: int
    median_px: float
    left_px: float
    yaw_leaves: float
    focal_px: float
    turns: int
    reach_px: dict[str, float]

    @property
    def pattern(self) -> tuple[str, ...]:
        """The parts of the drift that are clearly there, strongest first: pitch, roll, yaw, focal."""
        return tuple(self.reach_px)

    @property
    def worst_px(self) -> float:
        """By how much the strongest part moves rows, where it moves them most."""
        return max(self.reach_px.values(), default=0.0)

    @property
    def angles_deg(self) -> dict[str, float]:
        """Pitch, yaw and roll, degrees."""
        return dict(zip(("pitch", "yaw", "roll"), np.degrees(self.turn).tolist()))

    @property
    def sigma_deg(self) -> dict[str, float]:
        """Their standard deviations, degrees."""
        return dict(zip(("pitch", "yaw", "roll"), np.degrees(np.sqrt(np.diag(self.covariance)[:3])).tolist()))

    @property
    def yaw_resolved(self) -> bool:
        """Yaw is known well enough to be repaired."""
        return math.sqrt(float(self.covariance[1, 1])) * self.focal_px < YAW_RESOLVED_PX

    @property
    def yaw_clear(self) -> bool:
        """Yaw is resolved, and not zero, and rows need it."""
        sure = abs(float(self.turn[1])) > _CLEAR_SIGMA * math.sqrt(float(self.covariance[1, 1]))
        return self.yaw_resolved and sure and self.yaw_leaves < _YAW_LEAVES

    @property
    def hidden_yaw(self) -> float:
        """Yaw that may still be there if the rig's is kept, rad, 1 σ."""
        return math.hypot(float(self.turn[1]) if not self.yaw_clear else 0.0, math.sqrt(float(self.covariance[1, 1])))

    @property
    def rotation_deg(self) -> float:
        """Size of the drift: pitch and roll, and yaw where it is clear; degrees."""
        yaw = float(self.turn[1]) if self.yaw_clear else 0.0
        return math.degrees(math.sqrt(float(self.turn[0]) ** 2 + yaw**2 + float(self.turn[2]) ** 2))

    def words(self, least_px: float = 0.0) -> tuple[str, ...]:
        """Say what moved, one sentence for each part of the pattern that moves rows by `least_px` somewhere.

        A yaw that is clear and moves disparities is always told: it hardly moves rows, and rules depth.
        """
        upside = -1 if self.turns == 2 else 1
        pitch, yaw, roll = (math.degrees(float(a)) for a in self.turn)
        said = {
            "pitch": f"The right camera is tilted {'down' if pitch * upside > 0 else 'up'} by {abs(pitch):.2f}° "
            "against the left one (pitch: the vertical error is the same everywhere).",
            "roll": f"The right camera is rolled {'anticlockwise' if roll > 0 else 'clockwise'} by {abs(roll):.2f}° "
            "against the left one (roll: the vertical error grows with x).",
            "yaw": f"The right camera is turned to the {'left' if yaw * upside > 0 else 'right'} by {abs(yaw):.2f}° "
            "against the left one (yaw: the vertical error grows with x·y).",
            "focal": f"The right picture is {abs(self.focal) * 100:.2f} % {'larger' if self.focal > 0 else 'smaller'} "
            "than the rig says (the vertical error grows with y): zoom or autofocus has moved, or the size is another.",
        }
        if self.turns % 2:
            said["pitch"] = f"The second camera is turned about the line between the cameras by {abs(pitch):.2f}°."
            said["yaw"] = f"The second camera is turned towards or away from the first one by {abs(yaw):.2f}° (yaw)."
        told = [name for name, reach in self.reach_px.items() if reach >= least_px]
        if self.yaw_clear and abs(float(self.turn[1])) * self.focal_px > YAW_RESOLVED_PX and "yaw" not in told:
            told.append("yaw")
        return tuple(said[name] for name in told)


def fit_drift(
    rectification: Rectification,
    left_px: Array,
    right_px: Array,
    *,
    sigma_px: Array | None = None,
    yaw: tuple[float, float] | None = None,
    prior_deg: tuple[float, float, float] = (PRIOR_TURN_DEG, PRIOR_YAW_DEG, PRIOR_TURN_DEG),
) -> Drift:
    """Fit the drift to matches (N,2) of rectified pictures, px; NaN rows are left out.

    sigma_px: (N,) of the matches, 0.1 if not given. yaw: what is known of it from elsewhere (a measured distance, a
    board): value and standard deviation, rad, in the sense of `Drift.turn`. prior_deg: of pitch, yaw, roll.

    Raises:
        CalibrationError: fewer matches than can say anything.
    """
    seen = np.isfinite(left_px).all(1) & np.isfinite(right_px).all(1)
    if seen.sum() < LEAST:
        raise CalibrationError(
            f"Only {int(seen.sum())} points lie in both rectified pictures: too few to judge the rig.",
            "Show the cameras a scene with more texture, or use --board.",
        )
    left, right = left_px[seen], right_px[seen]
    own = np.full(len(left), 0.1) if sigma_px is None else sigma_px[seen]
    model = _Model(rectification, left, right)
    prior = np.array([*np.radians(prior_deg), PRIOR_FOCAL])
    centre, spread = np.zeros(4), prior.copy()
    if yaw is not None:
        weight = 1 / spread[1] ** 2 + 1 / yaw[1] ** 2
        centre[1] = yaw[0] / yaw[1] ** 2 / weight
        spread[1] = weight**-0.5
    values, normal, noise = _solve(model, own, centre, spread)
    without = _solve(model, own, np.zeros(4), prior * [1, 1e-6, 1, 1])[0]
    with_yaw, with_none = (_bent(rectification, left, model.residuals(v)) for v in (values, without))
    leaves = 0.0 if yaw is not None else with_yaw / max(with_none, 1e-9)
    covariance: Array = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    before = left[:, 1] - right[:, 1]
    return Drift(
        turn=values[:3],
        focal=float(values[3]),
        covariance=covariance,
        noise_px=noise,
        count=len(left),
        median_px=float(np.median(np.abs(before))),
        left_px=float(np.median(np.abs(model.residuals(values)))),
        yaw_leaves=leaves,
        focal_px=rectification.focal_px,
        turns=rectification.display_turns,
        reach_px=_pattern(values, covariance, rectification, leaves < _YAW_LEAVES),
    )


def turned_back(rectification: Rectification, drift: Drift, left_px: Array, right_px: Array) -> Array:
    """Give the disparity (N,) of rectified matches (N,2), px, zero at infinity, with the drift taken out."""
    model = _Model(rectification, left_px, right_px)
    rays = model.turned(np.array([*drift.turn, drift.focal]))
    column = (left_px[:, 0] - rectification.projection("left")[0, 2]) / model.focal_px
    return np.asarray(model.focal_px * (column - rays[:, 0] / rays[:, 2]))


def is_exchanged(rectification: Rectification, drift: Drift, left_px: Array, right_px: Array) -> bool:
    """Tell, of matches (N,2) that seem to lie beyond infinity, whether the pictures are exchanged: True if unsure.

    Rows tell how the cameras are turned, whichever way points move along them. With that taken out, points lie in
    front of the cameras, unless the pictures are exchanged.
    """
    if not drift.yaw_clear:
        return True
    disparity = turned_back(rectification, drift, left_px, right_px)
    return float(np.mean(disparity < -1)) > _BEHIND


def _bent(rectification: Rectification, left_px: Array, off_px: Array) -> float:
    """What row differences have in common with their neighbours: RMS over parts of the picture of their medians, px;
    NaN where points lie in too few parts.
    """
    part = np.clip(left_px / np.array(rectification.size_wh) * _PARTS, 0, _PARTS - 1).astype(int) @ [1, _PARTS]
    medians = [np.median(off_px[part == i]) for i in np.unique(part) if np.count_nonzero(part == i) >= _IN_PART]
    return float(np.sqrt(np.mean(np.square(medians)))) if len(medians) > _PARTS else math.nan


class _Model:
    """Row differences of matches, px, after taking a drift back."""

    def __init__(self, rectification: Rectification, left_px: Array, right_px: Array) -> None:
        P_left, P_right = (rectification.projection(side)[:2, 2] for side in ("left", "right"))
        self.focal_px = rectification.focal_px
        self.row = (left_px[:, 1] - P_left[1]) / self.focal_px
        plane = (right_px - P_right) / self.focal_px
        self.rays = np.column_stack([plane, np.ones(len(plane))])
        self.by_focal = _by_focal(rectification, right_px) - self.rays

    def residuals(self, values: Array) -> Array:
        """Right minus left row (N,), px."""
        turned = self.turned(values)
        return np.asarray(self.focal_px * (turned[:, 1] / turned[:, 2] - self.row))

    def turned(self, values: Array) -> Array:
        """Directions (N,3) of the right points, turned back."""
        back = np.asarray(cv2.Rodrigues(-values[:3])[0])
        return np.asarray((self.rays + values[3] / _FOCAL_STEP * self.by_focal) @ back.T)


def _by_focal(rectification: Rectification, right_px: Array) -> Array:
    """Directions (N,3), z = 1, that right points would have if the right focal length were larger by a small step.

    A longer lens shows the same point farther out: in the raw picture, before the lens model.
    """
    P = rectification.projection("right")
    moved = right_px
    if rectification.rig is not None:
        centre = rectification.rig.right.K[:2, 2]
        raw = rectification.unrectify_points(right_px, "right")
        moved = rectification.rectify_points(centre + (raw - centre) / (1 + _FOCAL_STEP), "right")
    if rectification.rig is None or not np.isfinite(moved).all():
        moved = P[:2, 2] + (right_px - P[:2, 2]) / (1 + _FOCAL_STEP)
    return np.column_stack([(moved - P[:2, 2]) / P[0, 0], np.ones(len(moved))])


def _solve(model: _Model, own: Array, centre: Array, spread: Array) -> tuple[Array, Array, float]:
    """Gauss and Newton with Cauchy weights; (values, normal matrix, noise)."""
    values = centre.copy()
    # The median is where a pitch alone would bring the rows: robust, and near.
    values[0] = -float(np.median(model.residuals(values))) / model.focal_px
    if abs(float(np.median(model.residuals(values)))) > abs(float(np.median(model.residuals(centre)))):
        values[0] = -values[0]
    crowd = max(1.0, len(own) / _INDEPENDENT)
    normal = np.diag(spread**-2.0)
    noise = _FLOOR_PX
    for _ in range(25):
        r = model.residuals(values)
        noise = max(1.4826 * float(np.median(np.abs(r) * 0.1 / own)), _FLOOR_PX)
        scale = noise * own / 0.1
        weight = 1 / (1 + (r / (2.4 * scale)) ** 2) / scale**2 / crowd
        step = 1e-6
        J = np.stack([(model.residuals(values + d) - r) / step for d in np.eye(4) * step], axis=1)
        normal = J.T @ (J * weight[:, None]) + np.diag(spread**-2.0)
        move = np.linalg.solve(normal, -(J.T @ (weight * r) + (values - centre) / spread**2))
        values = values + move
        if np.abs(move).max() < 1e-9:
            break
    return values, normal, noise


def _pattern(values: Array, covariance: Array, rectification: Rectification, yaw_needed: bool) -> dict[str, float]:
    """Parts that are clear and by how much each moves rows at most, px; strongest first."""
    w, h = rectification.size_wh
    f = rectification.focal_px
    reach = {"pitch": f, "yaw": w * h / 4 / f, "roll": w / 2, "focal": h / 2}
    sigma = np.sqrt(np.diag(covariance))
    clear = {
        name: abs(float(values[i])) * reach[name]
        for i, name in enumerate(("pitch", "yaw", "roll", "focal"))
        if abs(values[i]) > _CLEAR_SIGMA * sigma[i]
        and abs(float(values[i])) * reach[name] > _CLEAR_PX
        and (name != "yaw" or yaw_needed)
    }
    return dict(sorted(clear.items(), key=lambda item: -item[1]))
