"""What of a result can be trusted: confidence at a bearable cost, and whether most of the depth is doubtful. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livestereo.smaller import smaller, step_for
from livestereo.types import F32, StereoResult

LIKELY = 0.5  # confidence from which a disparity is likelier right than wrong
MOST_PX = 3_000_000  # confidence of larger pictures is that of smaller ones: it takes 2 µs a pixel
LEFT_SHARE = 0.5  # of what was measured
JUDGED_PX = 160_000  # a whole picture is judged by so many pixels at most


def confidence_of(result: StereoResult) -> F32 | None:
    """Give the confidence (H,W) float32 0..1, NaN where there is no depth, that of a smaller picture above `MOST_PX`.

    None where nobody can tell.
    """
    step = step_for(result.disparity_px.size, MOST_PX)
    confidence = (result if step == 1 else smaller(result, step)).confidence
    if confidence is None or step == 1:
        return confidence
    return _grown(confidence, step, result.disparity_px.shape)


def _grown(values: F32, step: int, shape: tuple[int, ...]) -> F32:
    """Repeat each value over the pixels that it stands for, and the last ones up to the border."""
    grown = np.repeat(np.repeat(values, step, axis=0), step, axis=1)
    return np.pad(grown, [(0, whole - side) for whole, side in zip(shape, grown.shape)], mode="edge")


def likely(values: F32, confidence: F32 | None) -> F32:
    """Leave out (NaN) what is likelier wrong than right of (H,W) float32: on a blank wall it is most of what is there.

    All is left as it is where less than half would remain: then the confidence says more about the picture than about
    its pixels; and where nobody can tell.
    """
    if confidence is None:
        return values
    with np.errstate(invalid="ignore"):
        sure = confidence >= LIKELY
    known = np.isfinite(values)
    if np.count_nonzero(sure & known) < LEFT_SHARE * np.count_nonzero(known):
        return values
    return np.where(sure, values, np.float32(np.nan))


@dataclass(frozen=True)
class Judged:
    """How far the depth of a pair can be believed, of its known pixels.

    confidence: mean, 0..1. sigma_px: median of matching. unlikely_percent: are likelier wrong than right.
    """

    confidence: float
    sigma_px: float
    unlikely_percent: float


def judge(result: StereoResult) -> Judged | None:
    """Judge a whole pair by a small picture of it; None where nobody can tell or there is no depth."""
    step = step_for(result.disparity_px.size, JUDGED_PX)
    told = result if step == 1 else smaller(result, step)
    confidence, sigma = told.confidence, told.sigma_px
    if confidence is None or sigma is None:
        return None
    known = np.isfinite(told.depth_m) & np.isfinite(confidence)
    if not known.any():
        return None
    return Judged(
        confidence=float(confidence[known].mean()),
        sigma_px=float(np.median(sigma[known])) * step,
        unlikely_percent=100 * float(np.mean(confidence[known] < LIKELY)),
    )
