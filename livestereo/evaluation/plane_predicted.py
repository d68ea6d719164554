"""The error of depth on a plane that the rig and the pictures let expect, to hold what was measured against.

Two parts. Matching: σ of each pixel's disparity. The rig: its covariance, through the derivatives of measured points
(`calibration.point_error`); what shifts or tilts the plane as a whole shows in its distance, what bends it in the
RMS around it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.point_error import point_derivatives
from calibration.rigfile import RigFile
from livestereo.planes import design
from livestereo.types import StereoResult

Array = NDArray[np.float64]
NAN = float("nan")
ASSUMED_SIGMA_PX = 0.25  # of a good matcher on an ordinary scene, where nothing better is known
RASTER = (13, 9)


@dataclass(frozen=True)
class Predicted:
    """Standard deviations that are to be expected; NaN where unknown.

    match_px, match_mm: of matching, RMS over the plane's pixels. bend_mm: RMS of the plane's bending by the rig's
    uncertainty. rms_mm: both together. z_percent: of the plane's distance, by the rig and by matching errors that all
    pixels share. rig_z_percent: the rig's part of it. assumed: σ of matching is a common value, not measured.
    """

    match_px: float
    match_mm: float
    bend_mm: float
    rms_mm: float
    z_percent: float
    rig_z_percent: float
    assumed: bool

    def as_json(self) -> dict[str, Any]:
        """Give the object that scripts read."""
        return asdict(self)


def predict(
    result: StereoResult, rig_file: RigFile | None, columns: slice, rows: slice, plane: Array,
    inside: NDArray[np.bool_], step: int,
) -> Predicted:  # fmt: skip
    """Predict for a plane c0 + c1·x + c2·y of shifted disparity, seen in a region of a result.

    inside: (h,w) bool, the pixels of the region (every `step`-th) that belong to the plane.
    """
    at = result.pair.rectification
    sigma = result.analysis.sigma_px
    x = (np.arange(inside.shape[1]) * step + columns.start - at.cx_px) / at.focal_px
    y = (np.arange(inside.shape[0]) * step + rows.start - at.cy_px) / at.focal_px
    d = plane[0] + plane[1] * x[None, :] + plane[2] * y[:, None]
    steepness = at.focal_px * at.baseline_m / np.maximum(d, 1e-6) ** 2  # |∂z/∂d| = f·B/d²
    part = None if sigma is None else np.asarray(sigma[rows, columns][::step, ::step], np.float64)
    assumed = part is None or not (inside & np.isfinite(part)).any()
    spread = np.full(inside.shape, ASSUMED_SIGMA_PX) if part is None or assumed else part
    known = inside & np.isfinite(spread)
    match_px = math.sqrt(float(np.mean(spread[known] ** 2)))
    match_m = math.sqrt(float(np.mean((spread[known] * steepness[known]) ** 2)))
    bend_m, rig_z = _by_rig(result, rig_file, x, y, plane)
    to_mm = 1000.0 if at.metric else NAN
    return Predicted(
        match_px=match_px, match_mm=to_mm * match_m, bend_mm=to_mm * bend_m,
        rms_mm=to_mm * math.hypot(match_m, 0.0 if math.isnan(bend_m) else bend_m),
        z_percent=100 * math.hypot(match_px / max(float(plane[0]), 1e-6), 0.0 if math.isnan(rig_z) else rig_z),
        rig_z_percent=100 * rig_z, assumed=assumed,
    )  # fmt: skip


def _by_rig(result: StereoResult, rig_file: RigFile | None, x: Array, y: Array, plane: Array) -> tuple[float, float]:
    """Give what the rig's uncertainty does: RMS bending of the plane, metres, and σ of its distance, relative."""
    at = result.pair.rectification
    if rig_file is None or rig_file.covariance is None or not at.metric:
        return NAN, NAN
    across, down = (a.ravel() for a in np.meshgrid(*(np.linspace(v[0], v[-1], n) for v, n in zip((x, y), RASTER))))
    A = design(across, down)
    d = A @ plane
    scale = at.focal_px * at.baseline_m
    z = scale / d
    points = np.stack([across * z, down * z, z], axis=1)
    R = at.R_rect_left
    moved = point_derivatives(rig_file.rig, rig_file.covariance.parameters, points @ R)
    by_z = np.einsum("i,nij->nj", R[2], moved)
    by_d = -by_z * (d / z)[:, None]
    fitted = np.linalg.lstsq(A, by_d, rcond=None)[0]
    rest = (by_d - A @ fitted) * (z / d)[:, None]
    covariance = np.asarray(rig_file.covariance.array)
    bend = float(np.mean(np.einsum("ni,ij,nj->n", rest, covariance, rest)))
    shift = -fitted[0] / plane[0]
    return math.sqrt(max(bend, 0.0)), math.sqrt(max(float(shift @ covariance @ shift), 0.0))
