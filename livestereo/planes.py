"""A plane in disparity: d = c0 + c1·x + c2·y, where x, y are pixels from the principal point over the focal length.

A plane n·P = h seen by a camera with P = z·(x, y, 1) gives 1/z = (n·(x, y, 1))/h, and d + doffs = f·B/z: affine in
the pixel, and with noise of one size near and far. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOLERANCE_PX = 0.75  # in the search for the plane that most points lie on
DRAWN = 6000  # points looked at in that search; the fit itself takes all


@dataclass(frozen=True)
class FittedPlane:
    """values (3,): c0, c1, c2 px. inside: (N,) bool, the points that belong to it. rest_px: (N,) d − plane."""

    values: Array
    inside: Mask
    rest_px: Array

    @property
    def share(self) -> float:
        """Share of the points that belong to it."""
        return float(self.inside.mean())


def design(x: NDArray[Any], y: NDArray[Any]) -> Array:
    """Rows (1, x, y), (N,3)."""
    return np.stack([np.ones(len(x)), x, y], axis=1).astype(np.float64)


def find_plane(A: Array, d_px: Array, *, gate: float = 3.0, least_px: float = 0.05, seed: int = 0) -> FittedPlane:
    """Find the plane that most points lie on, then fit it to all of them by least squares.

    Search by RANSAC (Fischler and Bolles 1981) with `TOLERANCE_PX`. gate: points within so many robust standard
    deviations (at least `least_px`) belong to it.
    """
    rng = np.random.default_rng(seed)
    some = np.arange(len(d_px)) if len(d_px) <= DRAWN else rng.choice(len(d_px), DRAWN, replace=False)
    few, values = A[some], d_px[some]
    best: NDArray[Any] = np.zeros(3)
    most = -1
    for _ in range(400):
        three = rng.choice(len(values), 3, replace=False)
        if abs(np.linalg.det(few[three])) < 1e-6:
            continue
        tried = np.linalg.solve(few[three], values[three])
        count = int((np.abs(few @ tried - values) < TOLERANCE_PX).sum())
        if count > most:
            best, most = tried, count
    return fit_plane(A, d_px, np.abs(A @ best - d_px) < TOLERANCE_PX, gate=gate, least_px=least_px)


def fit_plane(A: Array, d_px: Array, start: Mask, *, gate: float = 3.0, least_px: float = 0.05) -> FittedPlane:
    """Fit by least squares from the points `start`, and let what lies on it decide again; see `find_plane`."""
    inside, rest = start, d_px
    values: NDArray[Any] = np.zeros(3)
    for _ in range(3):
        if inside.sum() < 3:
            break
        # Normal equations: three unknowns near 1, so that nothing is lost, and a tenth of the time of an SVD.
        used = A[inside]
        values = np.linalg.lstsq(used.T @ used, used.T @ d_px[inside], rcond=None)[0]
        rest = d_px - A @ values
        spread = max(1.4826 * float(np.median(np.abs(rest[inside]))), least_px)
        inside = np.abs(rest) < gate * spread
    return FittedPlane(values, inside, rest)
