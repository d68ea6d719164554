"""Settle what no scene shows: yaw and scale, from a board of known size or from one measured distance.

A yaw of the right camera moves every disparity by the same e = −f·yaw, so that a thing at depth Z seems larger or
smaller by r with 1/r = α + e Z / (f B), where α is the true baseline over the rig's. A board gives r: its size as the
rig measures it over its size. Views at two distances or more tell e and α apart; with one, α is taken to be near 1,
because a bump turns a camera more easily than it bends the bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.errors import CalibrationError
from calibration.rectify import Rectification
from calibration.rig import Array

# A bar changes its length by heat and glue, not by more.
_BASELINE_SIGMA = 0.002
# A board is flat and printed to about this; a tape reaches the glass of the lens, not its centre.
_BOARD_SIGMA = 0.001
_TAPE_SIGMA_M, _TAPE_SHARE = 0.004, 0.002
_CORNER_PX = 0.1
_LEAST_ON_PLANE = 20


@dataclass(frozen=True)
class Settled:
    """What was learnt. yaw: value and standard deviation, rad, in the sense of `Drift.turn`.

    scale_percent: depth as the rig measures it over true depth, minus 100 %, mean over the views; sigma_percent.
    """

    yaw: tuple[float, float]
    scale_percent: float
    sigma_percent: float


def settle_by_board(rectification: Rectification, views: Sequence[tuple[Array, Array, Array]]) -> Settled:
    """Measure boards: each view is left and right corners (N,2) px rectified, and their places on the board (N,3).

    Raises:
        CalibrationError: no view has enough corners in front of the cameras.
    """
    f, B = rectification.focal_px, rectification.baseline_m
    found: list[tuple[float, float, float]] = []
    for left, right, places in views:
        seen = np.isfinite(left).all(1) & np.isfinite(right).all(1)
        shift = left[seen, 0] - right[seen, 0] + rectification.doffs_px
        if len(shift) < 6 or (shift <= 0).any():
            continue
        z = f * B / shift
        plane = (left[seen] - [rectification.cx_px, rectification.cy_px]) / f
        measured = np.column_stack([plane, np.ones(len(z))]) * z[:, None]
        ratio, radius = _size_ratio(places[seen], measured)
        true_z = float(z.mean()) / ratio
        sigma = math.hypot(_CORNER_PX / f * true_z / (radius * math.sqrt(len(z))), _BOARD_SIGMA)
        found.append((ratio, true_z, sigma))
    if not found:
        raise CalibrationError(
            "No board view lies in front of both cameras as the rig has them.",
            "Are left and right exchanged, or is it the rig of other cameras?",
        )
    table = np.array(found)
    ratios, depths, sigmas = table[:, 0], table[:, 1], table[:, 2]
    design = np.column_stack([np.ones(len(depths)), depths / (f * B)])
    # e is free; α is 1 within the baseline's prior.
    weighted = design / sigmas[:, None]
    normal = weighted.T @ weighted + np.diag([_BASELINE_SIGMA**-2, 0.0])
    right_side = weighted.T @ (1 / ratios / sigmas) + np.array([_BASELINE_SIGMA**-2, 0.0])
    covariance = np.linalg.inv(normal)
    offset_px = float((covariance @ right_side)[1])
    weight = sigmas**-2
    mean = float((ratios * weight).sum() / weight.sum())
    spread = math.sqrt(1 / float(weight.sum()))
    if len(ratios) > 2:
        spread = max(spread, float(ratios.std(ddof=1)) / math.sqrt(len(ratios)))
    yaw = (-offset_px / f, math.sqrt(float(covariance[1, 1])) / f)
    return Settled(yaw, 100 * (mean - 1), 100 * spread)


def settle_by_distance(rectification: Rectification, left: Array, right: Array, distance_m: float) -> Settled:
    """Measure a flat surface that fills the middle of the view, from matches (N,2) px rectified.

    distance_m: from the left camera's lens to the surface, straight ahead.

    Raises:
        CalibrationError: too few matches, or they do not lie on one plane.
    """
    f, B = rectification.focal_px, rectification.baseline_m
    if not 0.05 < distance_m < 1000:
        raise CalibrationError(f"A distance of {distance_m:g} m cannot be used.", "Give it in metres, as 2.00.")
    if not rectification.metric:
        raise CalibrationError(
            "The rig's lengths are in board squares: a distance in metres says nothing of it.",
            "Calibrate with the size of the squares.",
        )
    seen = np.isfinite(left).all(1) & np.isfinite(right).all(1)
    w, h = rectification.size_wh
    place = (left[seen] - [(w - 1) / 2, (h - 1) / 2]) / f
    shift = left[seen, 0] - right[seen, 0]
    if len(shift) < _LEAST_ON_PLANE:
        raise CalibrationError(
            f"Only {len(shift)} points were matched on the surface.",
            "Use a flat surface with texture, such as a wall with posters, and light.",
        )
    # Inverse depth, and with it disparity, is linear in the place on a plane.
    design = np.column_stack([np.ones(len(shift)), place])
    weight = np.ones(len(shift))
    for _ in range(30):
        root = np.sqrt(weight)
        fit = np.linalg.lstsq(design * root[:, None], shift * root, rcond=None)[0]
        off = shift - design @ fit
        noise = max(1.4826 * float(np.median(np.abs(off))), 0.05)
        weight = 1 / (1 + (off / (2.4 * noise)) ** 2)
    on_plane = float(np.mean(np.abs(off) < max(4 * noise, 0.5)))
    if noise > 1.0 or on_plane < 0.6:
        raise CalibrationError(
            f"The surface is not flat: {100 * (1 - on_plane):.0f} % of the matched points lie off one plane.",
            "Let one flat surface fill the view, a wall or a door, and measure to it.",
        )
    covariance = np.linalg.inv((design * weight[:, None]).T @ design) * noise**2
    expected = f * B / distance_m - rectification.doffs_px
    tape = math.hypot(_TAPE_SIGMA_M, _TAPE_SHARE * distance_m)
    sigma = math.sqrt(
        float(covariance[0, 0]) + (f * B / distance_m**2 * tape) ** 2 + (f * B / distance_m * _BASELINE_SIGMA) ** 2
    )
    offset = float(fit[0]) - expected
    x = (w - 1) / 2 - rectification.cx_px
    lever = f * (1 + (x / f) ** 2)
    measured = f * B / max(float(fit[0]) + rectification.doffs_px, 1e-6)
    share = tape / distance_m
    return Settled((-offset / lever, sigma / lever), 100 * (measured / distance_m - 1), 100 * share)


def _size_ratio(places: Array, measured: Array) -> tuple[float, float]:
    """Size of measured points (N,3) over that of their places (N,3), and the rms radius of the places.

    The scale of the similarity between them (Umeyama 1991).
    """
    a, b = places - places.mean(0), measured - measured.mean(0)
    singular = np.linalg.svd(b.T @ a, compute_uv=False)
    u, _, vt = np.linalg.svd(b.T @ a)
    sign = 1.0 if np.linalg.det(u @ vt) > 0 else -1.0
    power = float((a * a).sum())
    return float(singular[0] + singular[1] + sign * singular[2]) / power, math.sqrt(power / len(a))
