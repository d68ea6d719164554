"""Fixed-point disparity: int16, 16 steps per pixel, one value for "invalid". The one place that knows it.

OpenCV's matchers and filters speak int16; everything else speaks float32 px with NaN. Their invalid value is
(min_disparity − 1) × 16, which is positive where min_disparity > 1: a test for `> 0` is not a mask.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.lazy import lazy
from livestereo.types import F32, U8, MatchResult

STEPS = 16
INVALID = -32768  # ours; below every disparity that can occur
_STEPS = np.full((1, 1), float(STEPS))  # a number to OpenCV


@lru_cache(maxsize=8)
def _nan_image(shape: tuple[int, ...]) -> F32:
    # A picture of NaN to copy from is four times faster than boolean indexing.
    image = np.full(shape, np.nan, np.float32)
    image.setflags(write=False)
    return image


@lru_cache(maxsize=8)
def _invalid_image(shape: tuple[int, ...]) -> NDArray[np.int16]:
    image = np.full(shape, INVALID, np.int16)
    image.setflags(write=False)
    return image


def from_fixed(raw: NDArray[np.int16], invalid: int = INVALID) -> F32:
    """Turn (H,W) int16 in 1/16 px into float32 px; `invalid` becomes NaN."""
    disparity = np.multiply(raw, np.float32(1 / STEPS), dtype=np.float32)
    where_invalid(disparity, equal_to(raw, invalid))
    return disparity


def with_our_invalid(raw: NDArray[np.int16], invalid: int) -> NDArray[np.int16]:
    """Copy an answer of OpenCV's, (H,W) int16 in 1/16 px, with its `invalid` replaced by `INVALID`."""
    ours = np.ascontiguousarray(raw)
    if ours is raw:
        ours = raw.copy()
    cv2.copyTo(_invalid_image(raw.shape), equal_to(ours, invalid), ours)
    return ours


def to_fixed(disparity_px: F32) -> NDArray[np.int16]:
    """Turn float32 px, finite or NaN, into int16 in 1/16 px, rounded to the nearest step; NaN becomes `INVALID`."""
    raw = np.asarray(cv2.multiply(disparity_px, _STEPS, dtype=cv2.CV_16S), np.int16)
    # What a processor makes of NaN differs: it is written here.
    unknown = (disparity_px != disparity_px).view(np.uint8)
    cv2.copyTo(_invalid_image(raw.shape), unknown, raw)
    return raw


def rounded(disparity_px: F32) -> F32:
    """Round to 1/16 px, NaN stays: what is recorded is then what is shown."""
    scaled = disparity_px * np.float32(STEPS)
    np.rint(scaled, out=scaled)
    scaled *= np.float32(1 / STEPS)
    return scaled


class FixedResult(MatchResult):
    """A result in whole sixteenths, kept as such: stages that speak fixed point pass it on without converting.

    raw: (H,W) int16 in 1/16 px, `INVALID` for none; None in what `dataclasses.replace` makes of it, which is then an
    ordinary result. known: how many pixels are not `INVALID`, where that was counted already.
    """

    def __init__(
        self,
        disparity_px: F32 | None = None,
        confidence: F32 | None = None,
        reason: U8 | None = None,
        sigma_px: F32 | None = None,
        *,
        raw: NDArray[np.int16] | None = None,
        known: int | None = None,
    ) -> None:
        self.__dict__.update(confidence=confidence, reason=reason, sigma_px=sigma_px, raw=raw, known=known)
        if disparity_px is not None:
            self.__dict__["disparity_px"] = disparity_px

    @lazy
    def disparity_px(self) -> F32:  # a field of MatchResult, made on demand here
        """(H,W) float32 px, NaN invalid."""
        raw: NDArray[np.int16] = self.__dict__["raw"]
        return from_fixed(raw)


def raw_of(match: MatchResult) -> NDArray[np.int16] | None:
    """Give a result's fixed-point disparity, not to be changed; None if it is an ordinary one."""
    raw: NDArray[np.int16] | None = match.__dict__.get("raw")
    return raw


def fill_percent(match: MatchResult) -> float:
    """Share of pixels with an answer, percent."""
    raw = raw_of(match)
    if raw is None:
        disparity = match.disparity_px
        return 100.0 * float(np.count_nonzero(disparity == disparity)) / max(1, disparity.size)
    known: int | None = match.__dict__.get("known")
    if known is None:
        known = int(np.count_nonzero(raw != INVALID))
    return 100.0 * known / max(1, raw.size)


def equal_to(raw: NDArray[np.int16], value: int) -> U8:
    """Mask (H,W) uint8: 255 where `raw` is `value`, else 0."""
    return np.asarray(cv2.inRange(raw, (value,), (value,)), np.uint8)


def where_invalid(disparity_px: F32, mask: U8) -> None:
    """Set `disparity_px` to NaN, in place, where `mask` (H,W) uint8 is not 0."""
    cv2.copyTo(_nan_image(disparity_px.shape), mask, disparity_px)
