"""The strip at the left that the right camera does not see, beside something near: what of it lies behind. Pure.

A row's first answer says how near the thing is that the strip ends at, not whether the thing reaches into the strip.
The rows above and below say how far the background is; which of the two a pixel is, its colour decides.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8

STEP_PX = 2.0  # by which the thing must be nearer than what lies above and below it
FEWEST_ROWS = 8
WIDEST = 1.5  # times the disparity: a wider hole is no strip
BINS = 8  # of each colour in a histogram
LEAST_GAIN = 0.4  # mean logarithm of how much likelier the background must be


def behind_in_strip(disparity_px: F32, filled_px: F32, guide_bgr: U8) -> F32:
    """Give the filled disparity (H,W) with the background's in the strip, where its colour is the background's.

    disparity_px: (H,W) float32, NaN for holes; filled_px: the same with rows filled; guide_bgr: (H,W,3) uint8.
    """
    known = np.isfinite(disparity_px)
    some = known.any(axis=1)
    if not some.any():
        return filled_px
    first = np.where(some, known.argmax(axis=1), 0)
    at_end = filled_px[np.arange(len(first)), first]
    near = _calm(at_end)
    # Without what is higher than its surroundings on fewer rows than half the picture; slopes stay.
    tall = np.ones((len(first) // 2 | 1, 1), np.uint8)
    far = np.asarray(cv2.morphologyEx(near[:, None], cv2.MORPH_OPEN, tall), np.float32)[:, 0]
    nearer = some & (first > 2) & (near - far > STEP_PX) & (first <= WIDEST * near + 4)
    if not nearer.any():
        return filled_px
    filled = filled_px.copy()
    ends = np.flatnonzero(np.diff(np.concatenate([[0], nearer.view(np.uint8), [0]]).astype(np.int8)))
    for top, bottom in zip(ends[::2], ends[1::2]):
        if bottom - top >= FEWEST_ROWS:
            _split(filled, disparity_px, guide_bgr, first, near, far, slice(int(top), int(bottom)))
    return filled


def _split(
    filled: F32, disparity_px: F32, guide_bgr: U8, first: NDArray[np.intp], near: F32, far: F32, rows: slice
) -> None:
    """Put the background into the strip of these rows, in place, as far to the right as its colours reach."""
    width = int(first[rows].max())
    height = rows.stop - rows.start
    around = slice(max(0, rows.start - height), min(len(first), rows.stop + height))
    reach = slice(0, 4 * width)
    middle = float(np.median((near[rows] + far[rows]) / 2))
    with np.errstate(invalid="ignore"):
        thing = disparity_px[rows, reach] > middle
        background = filled[around, reach] < middle
    if thing.sum() < 50 or background.sum() < 50:
        return
    like_thing = _likelihood(guide_bgr[rows, reach][thing])
    like_background = _likelihood(guide_bgr[around, reach][background])
    bins = (guide_bgr[rows, :width] // (256 // BINS)).astype(np.intp)
    at = (bins[..., 0], bins[..., 1], bins[..., 2])
    favour = np.clip(np.log(like_background[at] / like_thing[at]), -3, 3).astype(np.float32)
    favour = np.asarray(cv2.blur(favour, (3, 9)), np.float32)
    favour[np.arange(width)[None] >= first[rows, None]] = 0
    gain = np.cumsum(favour, axis=1)
    best = gain.argmax(axis=1)
    sure = gain[np.arange(height), best] > LEAST_GAIN * (best + 1)
    change = _calm(np.where(sure, best + 1, 0).astype(np.float32))
    behind = np.arange(width)[None] < change[:, None]
    part = filled[rows, :width]
    part[behind] = np.broadcast_to(far[rows, None], behind.shape)[behind]


def _calm(column: F32) -> F32:
    """Median over five rows of (H,) float32."""
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(column[:, None]), 5), np.float32)[:, 0]


def _likelihood(colours: U8) -> NDArray[np.float64]:
    """Histogram of colours (N,3), smoothed, none of it zero."""
    counts = np.zeros((BINS,) * 3)
    np.add.at(counts, tuple((colours // (256 // BINS)).astype(np.intp).T), 1.0)
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        low, mid, high = (np.take(padded, range(i, i + BINS), axis=axis) for i in range(3))
        counts = 0.25 * low + 0.5 * mid + 0.25 * high
    return np.asarray(counts / counts.sum() + 1e-4)
