"""Robust statistics of corner residuals: how large the noise is, and which corners do not belong to it.

The median of a distance with Gaussian noise of σ in each coordinate is 1.1774 σ (Rayleigh), which a few wild
corners do not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.bundle import Array, Observations

_RAYLEIGH_MEDIAN = 1.1774
# Huber's bound, of the distance: below it corners count fully. A corner beyond WILD σ is a wrong one.
HUBER_SIGMA = 3.0
WILD_SIGMA = 7.0
# Pixels: no detector is better than this, so that nothing is wild for being off by less than a few of it.
FLOOR_PX = 0.02


@dataclass(frozen=True)
class Noise:
    """σ of one coordinate, px: of all corners, and of each view and side (V,2)."""

    sigma_px: float
    view_sigma_px: Array


def robust_noise(error: Array, seen: Observations) -> Noise:
    """Estimate the noise from residuals (M,2)."""
    distance = np.hypot(error[:, 0], error[:, 1])
    counted = seen.weight > 0
    overall = float(np.median(distance[counted])) / _RAYLEIGH_MEDIAN if counted.any() else 1.0
    overall = max(overall, FLOOR_PX)
    per_view = np.full((seen.view_count, 2), overall)
    for side in (0, 1):
        rows = seen.side == side
        for v in np.unique(seen.view[rows]):
            own = distance[rows & (seen.view == v)]
            per_view[v, side] = max(float(np.median(own)) / _RAYLEIGH_MEDIAN, FLOOR_PX)
    return Noise(overall, per_view)


def corner_weights(error: Array, seen: Observations, noise: Noise, *, wild: float = WILD_SIGMA) -> Array:
    """Weigh corners: 1 within the noise, less beyond it (Huber), 0 for the wild ones. (M,)

    A corner is held against the larger of its view's own noise and that of all views, so that a view which is off
    as a whole is left for the judgement of views and not eaten up corner by corner.
    """
    distance = np.hypot(error[:, 0], error[:, 1])
    sigma = np.maximum(noise.sigma_px, noise.view_sigma_px[seen.view, seen.side])
    ratio = distance / sigma
    weight = np.minimum(1.0, HUBER_SIGMA / np.maximum(ratio, 1e-12))
    weight[ratio > wild] = 0.0
    return weight
