"""Disparity without holes, its edges moved onto the picture's edges. Pure.

Effects need a depth for every pixel, and they need it to change where the picture changes: a step that lies two
pixels beside the object's outline is what makes an effect look cheap. Holes beside a step are filled from the farther
side, because what a camera cannot see beside a near object lies behind it; in photos a blank surface is filled from
what looks like it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.render.effects.border import behind_in_strip
from livestereo.types import F32, U8

CAREFUL_PIXELS = 1_500_000  # the weighted median runs on pictures up to this size, larger ones are reduced for it
ISLAND_SHARE = 1 / 400  # of the picture: known patches smaller than this, in the middle of holes, are mismatches
OBJECT_SHARE = 1 / 2500  # of the picture: a piece of surface from this size on is no chance if it is trusted
SURE = 0.7  # share of a piece that must be trusted
PIECE_PX = 1.0  # a larger change from pixel to pixel ends a piece
STEP_PX = 2.0  # a larger change within a few pixels is a depth edge
# How far known values reach into a hole of a picture 640 pixels wide, and the changes of gray level that stop them:
# of a surface of one colour, and of one that is uneven, which counts only where the first tells nothing.
REACH = 4000.0
STOPPED_BY = (1.0, 4.0)
FALLBACK = 1e-7


def fill_disparity(disparity_px: F32, guide_bgr: U8, *, quick: bool = False, measured_px: F32 | None = None) -> F32:
    """Fill every hole and align depth edges with the picture.

    disparity_px: (H,W) float32, NaN invalid. guide_bgr: (H,W,3) uint8, the rectified left picture.
    quick: at half size, for live use (about 10 ms at 640x480); otherwise by a weighted median, for photos.

    Returns: (H,W) float32 without NaN; all zero where nothing is known.
    """
    if not np.isfinite(disparity_px).any():
        return np.zeros(disparity_px.shape, np.float32)
    if quick:
        return _quick(disparity_px, guide_bgr)
    # Judged on every second pixel, as for live use: a thread of pixels does not join an island to the land.
    chance = _islands(disparity_px[::2, ::2], disparity_px.shape)
    chance |= _islands(np.where(chance, np.float32(np.nan), disparity_px), disparity_px.shape)
    if measured_px is not None:
        chance &= ~_objects(disparity_px, measured_px)
    disparity_px = np.where(chance, np.float32(np.nan), disparity_px)
    filled, hidden = rows_filled(disparity_px)
    filled = behind_in_strip(disparity_px, filled, guide_bgr)
    unseen = np.isnan(disparity_px)
    filled = _without_streaks(filled, unseen & ~hidden)
    filled = _along_picture(filled, unseen, _blank(disparity_px, hidden), guide_bgr)
    return _weighted_median(filled, guide_bgr)


def _islands(disparity_px: F32, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Find small patches with holes all round, as a mask of `shape` (that of the array, or twice as large).

    On a blank wall they are chance, and would spread over the whole hole.
    """
    known = np.isfinite(disparity_px)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(known.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    area = stats[:, cv2.CC_STAT_AREA]
    largest = float(area[1:].max(initial=0))
    small = area < min(ISLAND_SHARE * known.size, 0.5 * largest)
    # A strip along the rim is no better: pictures that were rectified elsewhere end in repeated pixels.
    thin = np.minimum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) < 0.015 * max(known.shape)
    small |= thin & (area < 0.1 * largest)
    small[0] = False
    if count < 2 or not small.any():
        return np.zeros(shape, bool)
    found = small[labels]
    if shape != found.shape:
        found = np.repeat(np.repeat(found, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
    return np.asarray(found)


def _objects(sure_px: F32, measured_px: F32) -> NDArray[np.bool_]:
    """Find the pixels of surfaces that are small but were measured as one piece, most of it surely.

    sure_px: what is trusted of measured_px. A leaf between holes is such a piece; chance on a blank wall is a piece
    of which little is trusted.
    """
    known = np.isfinite(measured_px)
    sloped = np.nan_to_num(measured_px, nan=-1e3)
    # Pieces: pixels that hang together without a step. A step keeps its two pixels apart, along rows and columns.
    whole = known.copy()
    whole[:, 1:] &= np.abs(sloped[:, 1:] - sloped[:, :-1]) < PIECE_PX
    whole[1:] &= np.abs(sloped[1:] - sloped[:-1]) < PIECE_PX
    count, labels, stats, _ = cv2.connectedComponentsWithStats(whole.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    area = stats[:, cv2.CC_STAT_AREA]
    sure = np.bincount(labels.ravel(), weights=np.isfinite(sure_px).ravel(), minlength=count)
    kept = (area >= OBJECT_SHARE * known.size) & (sure >= SURE * area)
    kept[0] = False
    return np.asarray(kept[labels])


def rows_filled(disparity_px: F32) -> tuple[F32, NDArray[np.bool_]]:
    """Fill each hole with the smaller (farther) of the values at its ends in the row; empty rows from above or below.

    disparity_px: (H,W) float32, NaN where unknown; something must be known. Returns: the filled disparity, (H,W)
    float32 without NaN, and a mask, (H,W) bool, of the holes that look occluded: not wider than the step between
    their ends (what a step hides is as wide as the step).

    Ma et al., "Constant time weighted median filtering for stereo matching and beyond" (ICCV 2013), fill likewise
    before their weighted median.
    """
    known = np.isfinite(disparity_px)
    width = disparity_px.shape[1]
    columns = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
    padded = np.empty((disparity_px.shape[0], width + 1), np.float32)
    padded[:, :width] = disparity_px
    padded[:, width] = np.nan  # where there is nothing on a side: index −1 or `width`
    left, right = np.take_along_axis(padded, before, axis=1), np.take_along_axis(padded, after, axis=1)
    filled = np.fmin(left, right)
    empty = np.flatnonzero(~known.any(axis=1))
    if empty.size:
        rows = np.flatnonzero(known.any(axis=1))
        filled[empty] = filled[rows[np.abs(rows[None, :] - empty[:, None]).argmin(axis=1)]]
    with np.errstate(invalid="ignore"):
        hidden = (after - before - 1) <= np.abs(right - left) * 1.3 + 4
    return np.asarray(filled, np.float32), np.asarray(hidden & ~known)


def local_extremes(values: F32, size: int) -> tuple[F32, F32]:
    """Largest and smallest value in a `size` x `size` window around each pixel; (H,W) float32 each, as `values`."""
    kernel = np.ones((size, size), np.uint8)
    return np.asarray(cv2.dilate(values, kernel), np.float32), np.asarray(cv2.erode(values, kernel), np.float32)


def _as_bytes(values: F32) -> tuple[U8, float, float]:
    """Values as uint8 with their offset and the size of a step."""
    low, high = float(values.min()), float(values.max())
    step = max((high - low) / 255, 1e-6)
    return np.rint((values - np.float32(low)) / np.float32(step)).astype(np.uint8), low, step


def _without_streaks(filled: F32, hole: NDArray[np.bool_]) -> F32:
    """Even out large filled holes, where rows were filled with different values: a median over many rows."""
    large = _large(hole)
    if not large.any():
        return filled
    values, low, step = _as_bytes(filled)
    size = min(41, max(9, filled.shape[0] // 24 | 1))
    even = cv2.medianBlur(values, size)
    even = cv2.blur(even, (5, size)).astype(np.float32) * np.float32(step) + np.float32(low)
    return np.where(large > 0, even, filled).astype(np.float32)


def _large(hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Keep the parts of a mask that are wider and higher than 9 pixels."""
    kernel = np.ones((9, 9), np.uint8)
    return np.asarray(cv2.dilate(cv2.erode(hole.view(np.uint8), kernel), kernel) & hole.view(np.uint8), np.uint8)


def _blank(disparity_px: F32, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find large holes that no step explains: surfaces without texture. disparity_px: NaN for holes, not all of it.

    The strip at the left that the right camera does not see, as wide as the largest disparity, is none: it has texture
    at which values would stop, and goes on as its rows do.
    """
    hole = np.isnan(disparity_px)
    strip = np.logical_and.accumulate(hole, axis=1)
    strip &= (strip.sum(axis=1) <= 1.2 * np.nanmax(disparity_px))[:, None]
    return _large(hole & ~hidden & ~strip) > 0


def _along_picture(filled: F32, unseen: NDArray[np.bool_], blank: NDArray[np.bool_], guide_bgr: U8) -> F32:
    """Let blank surfaces take the values of what looks like one surface with them; filled rows know nothing of that.

    unseen: (H,W) where nothing is known. blank: the part of it to change: a wall, a screen, a dark chair. Known values
    spread over the picture and stop at its edges (Min et al., "Fast global image smoothing based on weighted least
    squares", TIP 2014, as a normalised convolution); those beside a depth edge count little, for block matching puts it
    beside the object's outline.
    """
    if not blank.any():
        return filled
    high, low = local_extremes(filled, 9)
    trust = np.where(unseen, 0, np.where(high - low > STEP_PX, np.float32(0.03), np.float32(1))).astype(np.float32)
    sums: Any = np.dstack([trust * filled, trust])
    guide: Any = guide_bgr
    height, width = filled.shape
    scale = min(1.0, (CAREFUL_PIXELS / filled.size) ** 0.5)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        sums, guide = (cv2.resize(array, size, interpolation=cv2.INTER_AREA) for array in (sums, guide))
    reach = REACH * (guide.shape[1] / 640) ** 2
    fine, coarse = (_smoothed(guide, reach, sigma, sums) for sigma in STOPPED_BY)
    both: Any = fine + np.float32(FALLBACK) * coarse
    if scale < 1:
        both = cv2.resize(both, (width, height), interpolation=cv2.INTER_LINEAR)
    told = blank & (both[:, :, 1] > 1e-12)
    return np.where(told, both[:, :, 0] / np.maximum(both[:, :, 1], 1e-12), filled).astype(np.float32)


def _smoothed(guide: Any, reach: float, sigma: float, sums: Any) -> F32:
    smoother = cv2.ximgproc.createFastGlobalSmootherFilter(guide, reach, sigma)
    return np.dstack([smoother.filter(np.ascontiguousarray(sums[:, :, i])) for i in range(2)])


def _weighted_median(filled: F32, guide_bgr: U8) -> F32:
    """Let each pixel take the median of its neighbours, weighted by how alike their colours are (Ma et al. 2013)."""
    height, width = filled.shape
    scale = min(1.0, (CAREFUL_PIXELS / filled.size) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = filled if scale == 1 else cv2.resize(filled, size, interpolation=cv2.INTER_NEAREST_EXACT)
    guide: Any = guide_bgr if scale == 1 else cv2.resize(guide_bgr, size, interpolation=cv2.INTER_AREA)
    values, low, step = _as_bytes(np.asarray(small, np.float32))
    # 7 px reach over what block matching adds to an object's outline; 25 gray levels tell it from what is behind it.
    median = cv2.ximgproc.weightedMedianFilter(guide, values, 7, sigma=25.0)
    median = cv2.ximgproc.weightedMedianFilter(guide, median, 4, sigma=20.0)
    moved: Any = median.astype(np.float32) * np.float32(step) + np.float32(low)
    if scale != 1:
        moved = cv2.resize(moved, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    # Where the median agrees, the sub-pixel value stays.
    agree = np.abs(moved - filled) < max(1.0, 1.5 * step)
    return np.where(agree, filled, moved).astype(np.float32)


def _quick(disparity_px: F32, guide_bgr: U8) -> F32:
    height, width = disparity_px.shape
    if height < 32 or width < 32:
        return rows_filled(disparity_px)[0]
    half = np.ascontiguousarray(disparity_px[::2, ::2])
    half = np.where(_islands(half, half.shape), np.float32(np.nan), half)
    small, hidden = rows_filled(half)
    hole = np.isnan(half)
    small = _without_streaks(small, hole & ~hidden)
    guide: Any = cv2.resize(guide_bgr, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)
    high, low = local_extremes(small, 5)
    edge = (high - low) > STEP_PX
    # Near depth edges the value spreads from where it is sure, along the picture; then it snaps to one of the sides.
    trust = np.where(edge | hole, np.float32(0.03), np.float32(1))
    smoother = cv2.ximgproc.createFastGlobalSmootherFilter(guide, 400.0, 4.0)
    spread = smoother.filter(trust * small) / np.maximum(smoother.filter(trust), 1e-6)
    snapped = np.where(spread - low > high - spread, high, low)
    small = np.where(edge, snapped, small).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32)
