"""What the uncertainty of the rig does to disparity: its standard deviation at every pixel. Pure.

A change of the rig moves the disparity that a depth belongs to by an amount that is affine in 1/depth, that is, in
disparity itself: its variance is a quadratic in disparity, whose three coefficients vary slowly over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.point_error import point_derivatives
from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.types import F32

GRID_WH = (17, 13)


@dataclass(frozen=True)
class RigPart:
    """coefficients: (3,H,W) float32; variance of disparity, px², at disparity d + doffs is c0 + c1·d + c2·d²."""

    coefficients: F32
    doffs_px: float

    def sigma_px(self, disparity_px: F32, rows: slice = slice(None)) -> F32:
        """Standard deviation, (H,W) float32 px, NaN where disparity is; `rows` of the picture."""
        c0, c1, c2 = self.coefficients[:, rows]
        d = disparity_px + np.float32(self.doffs_px)
        return np.asarray(np.sqrt(np.maximum(c0 + d * (c1 + d * c2), np.float32(0))), np.float32)


def rig_part(rig_file: RigFile | None, rectification: Rectification) -> RigPart | None:
    """Compute the part of the rig; None where the rig file holds no covariance or lengths are unknown."""
    covariance = None if rig_file is None else rig_file.covariance
    if rig_file is None or covariance is None or not rectification.metric:
        return None
    at = rectification
    width, height = at.size_wh
    u, v = np.meshgrid(np.linspace(0, width - 1, GRID_WH[0]), np.linspace(0, height - 1, GRID_WH[1]))
    rays = np.stack([(u - at.cx_px) / at.focal_px, (v - at.cy_px) / at.focal_px, np.ones_like(u)], -1).reshape(-1, 3)
    scale = at.focal_px * at.baseline_m
    shifted = np.array([0.02, 0.08, 0.2]) * width
    variances = []
    for d in shifted:
        z = scale / d
        moved = point_derivatives(rig_file.rig, covariance.parameters, (rays * z) @ at.R_rect_left)
        by_depth = at.R_rect_left[2] @ moved  # (N, n)
        of_depth = np.einsum("ni,ij,nj->n", by_depth, covariance.array, by_depth)
        variances.append(of_depth * (d / z) ** 2)  # dd/dz = −d/z
    fitted = np.linalg.solve(np.vander(shifted, 3, increasing=True), np.stack(variances))
    planes = [
        cv2.remap(
            row.reshape(u.shape).astype(np.float32),
            *np.meshgrid(
                np.linspace(0, GRID_WH[0] - 1, width, dtype=np.float32),
                np.linspace(0, GRID_WH[1] - 1, height, dtype=np.float32),
            ),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for row in fitted
    ]
    return RigPart(np.stack(planes).astype(np.float32), float(at.doffs_px))
