"""Which disparities a pair of photos really has, seen in a small copy of it. Pure.

For photos nobody knows the range beforehand: a hand-held pair may lie far beyond a fixed share of the width, and a
range that is too wide costs time and invites mistakes. A copy of about 320 px is matched over every disparity that
is plausible, which takes a few hundredths of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from calibration.rectify import Rectification
from livestereo.fixed import INVALID, from_fixed, to_fixed
from livestereo.ranges import STEP, DisparityRange
from livestereo.types import F32, U8

COPY_WIDTH = 320
LOWEST_SHARE, HIGHEST_SHARE = -0.12, 0.42  # of the width: what is searched in the copy
TEXTURE = 12.0  # mean |Sobel| over 7x7: a slope of 1.5 gray levels per px, above the noise of a webcam
SOME, NEARLY_ALL = 0.05, 0.9  # of the pixels
FEWEST_SHARE = 0.01  # of the copy's pixels must find a partner, or nothing is said


@dataclass(frozen=True)
class Span:
    """range: holds the disparities of a pair, px, with room at both ends. farthest_px: the smallest of those that occur
    in any number. behind: share of pixels that parallel cameras would have to see beyond infinity.
    """

    range: DisparityRange
    farthest_px: float
    behind: float


def measure_span(left_gray: U8, right_gray: U8) -> Span | None:
    """Find out which disparities a rectified pair has, (H,W) uint8; in px of the given pictures.

    Returns: None where too little of the copy finds a partner.
    """
    height, width = left_gray.shape
    scale = min(1.0, COPY_WIDTH / width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = [np.asarray(cv2.resize(g, size, interpolation=cv2.INTER_AREA), np.uint8) for g in (left_gray, right_gray)]
    disparity = _match(small[0], small[1])
    known = disparity[np.isfinite(disparity)]
    if known.size < FEWEST_SHARE * disparity.size:
        return None
    ratio = width / size[0]
    low, high = (float(v) * ratio for v in np.quantile(known, (0.002, 0.999)))
    # Room for what the copy does not show: small near things, and a far background without texture.
    span = high - low
    parallel = low > -ratio  # nothing seen beyond the infinity of parallel cameras: then nothing is
    low -= 2 * ratio + 0.10 * span
    high += 2 * ratio + 0.15 * span
    if (low < 0 and parallel) or 0 < low < 0.35 * high:
        low = 0.0  # infinity is near enough to be included
    count = min(math.ceil((high - low + 1) / STEP) * STEP, width // STEP * STEP)
    behind = float(np.mean(known * ratio < -max(ratio, 1.0)))
    return Span(DisparityRange(math.floor(low), max(STEP, count)), float(np.quantile(known, 0.02)) * ratio, behind)


def with_span(rectification: Rectification, left_gray: U8, right_gray: U8) -> Rectification:
    """Give the rectification with the span that this rectified pair has; unchanged where it cannot be seen.

    Nothing lies beyond infinity: with a rig, the smallest disparity is never below −doffs. Without one, pictures that
    were shifted for a screen have things on both sides of 0: then infinity lies beyond what is seen.
    """
    found = measure_span(left_gray, right_gray)
    if found is None:
        return rectification
    low, high = found.range.minimum, found.range.maximum
    if rectification.metric:
        low = max(low, math.floor(-rectification.doffs_px))
    elif SOME <= found.behind < NEARLY_ALL:  # if it were all, left and right could be exchanged as well
        farther = 0.05 * (high - low) - found.farthest_px
        rectification = replace(rectification, doffs_px=max(rectification.doffs_px, farther))
    count = max(STEP, math.ceil((high - low + 1) / STEP) * STEP)
    return replace(rectification, min_disparity_px=low, disparity_span_px=count)


def _match(left: U8, right: U8) -> F32:
    """Disparity of the copy, only where it can be trusted: found both ways, with texture, inside both pictures."""
    width = left.shape[1]
    low = math.floor(LOWEST_SHARE * width)
    count = math.ceil((HIGHEST_SHARE - LOWEST_SHARE) * width / STEP) * STEP
    forward = _one_way(left, right, low, count)
    # The other way round: mirrored, right becomes left and the signs stay.
    backward = _one_way(cv2.flip(right, 1), cv2.flip(left, 1), low, count)[:, ::-1]
    columns = np.arange(width, dtype=np.float32)[None, :]
    partner = columns - forward
    inside = np.isfinite(partner) & (partner >= 0) & (partner <= width - 1)
    index = np.where(inside, np.rint(partner), 0).astype(np.intp)
    with np.errstate(invalid="ignore"):
        agrees = np.abs(np.take_along_axis(backward, index, axis=1) - forward) <= 1
    slope = np.abs(np.asarray(cv2.Sobel(left, cv2.CV_32F, 1, 0, ksize=3)))
    textured = cv2.boxFilter(slope, -1, (7, 7)) > TEXTURE
    raw = to_fixed(np.where(inside & agrees & textured, forward, np.float32(np.nan)))
    # Blobs below 0.15 % of the picture are chance.
    cv2.filterSpeckles(raw, INVALID, max(20, raw.size * 3 // 2000), 20)
    return from_fixed(raw)


def _one_way(left: cv2.typing.MatLike, right: cv2.typing.MatLike, low: int, count: int) -> F32:
    width = left.shape[1]
    matcher = cv2.StereoSGBM.create(
        minDisparity=low, numDisparities=count, blockSize=5, P1=8 * 25, P2=32 * 25, disp12MaxDiff=1,
        uniquenessRatio=10, preFilterCap=31, speckleWindowSize=0, mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    before, after = low + count, -low  # room at both ends, as for every matcher
    padded = [cv2.copyMakeBorder(g, 0, 0, before, after, cv2.BORDER_REPLICATE) for g in (left, right)]
    raw = np.asarray(matcher.compute(*padded), np.int16)[:, before : before + width]
    return from_fixed(raw, (low - 1) * STEP)
