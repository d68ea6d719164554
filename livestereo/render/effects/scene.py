"""What an effect works on: the rectified pair and a depth for every pixel of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from livestereo.render.effects.fill import fill_disparity
from livestereo.trust import confidence_of, likely
from livestereo.types import F32, U8, StereoResult

NEAREST_TO_INFINITY_PX = 0.25  # disparity below this counts as this: depth stays finite


@dataclass(frozen=True)
class EffectScene:
    """A pair with dense depth.

    left, right: (H,W,3) uint8 BGR, rectified. disparity_px: (H,W) float32, filled, no NaN.
    known: (H,W) bool, where disparity was measured and, for photos, likely right. rectification: focal length,
    baseline, which way is up.
    quick: made for live use, where speed counts more than the last pixel of an outline.
    """

    left: U8
    right: U8
    disparity_px: F32
    known: NDArray[np.bool_]
    rectification: Rectification
    quick: bool = False

    @cached_property
    def shifted_px(self) -> F32:
        """Disparity + doffs, (H,W) float32 px > 0: proportional to 1/depth.

        Not farther than all but 1 % of what was measured: mismatches collect at the far end, where a hundredth of
        a pixel means metres, and would stand out in every effect.
        """
        shifted = self.disparity_px + np.float32(self.rectification.doffs_px)
        sample = shifted[::4, ::4][self.known[::4, ::4]]
        lowest = max(float(np.percentile(sample, 1)), NEAREST_TO_INFINITY_PX) if sample.size else NEAREST_TO_INFINITY_PX
        return np.asarray(np.maximum(shifted, np.float32(lowest)), np.float32)

    @property
    def scale_m_px(self) -> float:
        """Focal length times baseline: depth = scale / shifted disparity."""
        return self.rectification.focal_px * self.rectification.baseline_m

    @cached_property
    def depth_m(self) -> F32:
        """(H,W) float32 metres, finite everywhere."""
        return np.float32(self.scale_m_px) / self.shifted_px

    def percentile_m(self, percent: float) -> float:
        """Depth that `percent` of the measured pixels are nearer than; of all pixels where none was measured."""
        shifted = self.shifted_px[::4, ::4]
        known = self.known[::4, ::4]
        values = shifted[known] if known.any() else shifted.ravel()
        return float(self.scale_m_px / np.percentile(values, 100 - percent))

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.left.shape[1], self.left.shape[0]


def scene_of(result: StereoResult, *, quick: bool = False) -> EffectScene:
    """Make the scene of a finished pair; holes are filled (see `fill_disparity`), and so is what is likelier wrong."""
    measured = result.disparity_px
    disparity = measured if quick else likely(measured, confidence_of(result))
    return EffectScene(
        left=result.pair.left,
        right=result.pair.right,
        disparity_px=fill_disparity(
            disparity, result.pair.left, quick=quick, measured_px=None if disparity is measured else measured
        ),
        known=np.isfinite(disparity),
        rectification=result.pair.rectification,
        quick=quick,
    )
