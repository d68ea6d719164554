"""How far disparity is from the truth: the field's usual figures (Scharstein & Szeliski 2002; Menze & Geiger 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError
from livestereo.types import F32

THRESHOLDS_PX = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Score:
    """One estimate against its truth, percent and px; NaN where nothing was estimated.

    density_percent: estimates over pixels with truth. bad1, bad2, bad4: of those estimates, off by more than 1, 2,
    4 px. bad*_all: of all pixels with truth, off or without an estimate. epe_px, median_px: mean and median error of
    the estimates.
    """

    density_percent: float
    bad1: float
    bad2: float
    bad4: float
    bad1_all: float
    bad2_all: float
    bad4_all: float
    epe_px: float
    median_px: float


def score(estimate_px: F32, truth_px: F32, mask: NDArray[np.bool_] | None = None) -> Score:
    """Score disparity (H,W) float32, NaN for none, against truth of the same shape, NaN unknown.

    mask: pixels that count, all if left out.

    Raises:
        LiveStereoError: the shapes differ, or no pixel with truth counts.
    """
    if estimate_px.shape != truth_px.shape:
        (h, w), (th, tw) = estimate_px.shape, truth_px.shape
        raise LiveStereoError(f"The pictures are {w}x{h}, the ground truth is {tw}x{th}.", "They must be of one size.")
    known = np.isfinite(truth_px) if mask is None else np.isfinite(truth_px) & mask
    count = int(known.sum())
    if count == 0:
        raise LiveStereoError("No pixel with ground truth counts.", "Is the mask the right one?")
    error = np.abs(estimate_px[known].astype(np.float64) - truth_px[known])
    error = error[np.isfinite(error)]
    bad = [int((error > threshold).sum()) for threshold in THRESHOLDS_PX]
    missing = count - error.size
    of_estimates = [100.0 * one / error.size if error.size else float("nan") for one in bad]
    of_all = [100.0 * (one + missing) / count for one in bad]
    return Score(
        100.0 * error.size / count,
        of_estimates[0], of_estimates[1], of_estimates[2],
        of_all[0], of_all[1], of_all[2],
        float(error.mean()) if error.size else float("nan"),
        float(np.median(error)) if error.size else float("nan"),
    )  # fmt: skip
