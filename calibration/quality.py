"""How well two pictures fit together as a stereo pair, measured on any scene.

    error = vertical_error(left_gray, right_gray)
    if error.known: print(error.median_px)
    else: print(error.why)

All of it comes from matched points, so it says where it cannot know: a wall, darkness, two different scenes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.matches import LEAST, SAME_ZOOM, Matches, find_matches
from calibration.rig import Array

U8 = NDArray[np.uint8]

# Disparities this near to zero say nothing of the order of two pictures.
_UNSIGNED_PX = 1.0
# A picture and a mirror image never have so many matches.
SURELY_PLAIN = 200


@dataclass(frozen=True)
class VerticalError:
    """Row differences of a pair that ought to be rectified.

    median_px: median of |y_left − y_right|. rms_px: root mean square, without wrong matches. offset_px: median of
    y_left − y_right. p90_px: 90th percentile of its size. disparity_px: the 1st, 50th and 99th percentile of
    x_left − x_right. All None where `known` is False, and `why` says why. count: matches used.
    swapped: left and right are exchanged (points move the wrong way); None where it cannot be told.
    """

    median_px: float | None
    rms_px: float | None
    offset_px: float | None
    p90_px: float | None
    disparity_px: tuple[float, float, float] | None
    count: int
    known: bool
    swapped: bool | None = None
    why: str = ""


@dataclass(frozen=True)
class Arrangement:
    """How two raw pictures lie to each other, from any scene.

    known: enough could be matched; otherwise `why` says why not. mirrored: one of them is a mirror image.
    rotated_deg: quarter turns of the right picture against the left one, clockwise: 0, 90, 180 or 270.
    swapped: see `VerticalError`; None where it cannot be told.
    """

    known: bool
    mirrored: bool = False
    rotated_deg: int = 0
    swapped: bool | None = None
    why: str = ""


def vertical_error(
    left_gray: U8, right_gray: U8, *, matches: Matches | None = None, doffs_px: float = 0.0
) -> VerticalError:
    """Measure the row difference of a pair, (H,W) uint8 each.

    `matches`: if they are known already. `doffs_px`: cx_right − cx_left, so that a disparity of −doffs is infinitely
    far: it decides only `swapped`.
    """
    found = find_matches(left_gray, right_gray) if matches is None else matches
    why = why_unknown(found, left_gray, right_gray)
    if why:
        return VerticalError(None, None, None, None, None, len(found), False, None, why)
    return row_differences(found.left_px, found.right_px, doffs_px=doffs_px)


def row_differences(left_px: Array, right_px: Array, *, doffs_px: float = 0.0) -> VerticalError:
    """Give the figures of rectified matches (N,2); NaN rows are left out."""
    seen = np.isfinite(left_px).all(1) & np.isfinite(right_px).all(1)
    if not seen.any():
        return VerticalError(None, None, None, None, None, 0, False, None, "No matched point lies in both pictures.")
    dy = left_px[seen, 1] - right_px[seen, 1]
    disparity = left_px[seen, 0] - right_px[seen, 0]
    size = np.abs(dy)
    # A wrong match is off by far more than the bulk, wherever the bulk lies.
    offset = float(np.median(dy))
    right_ones = np.abs(dy - offset) <= max(5 * 1.4826 * float(np.median(np.abs(dy - offset))), 0.5)
    low, middle, high = (float(v) for v in np.percentile(disparity, (1, 50, 99)))
    return VerticalError(
        median_px=float(np.median(size)),
        rms_px=float(np.sqrt(np.mean(dy[right_ones] ** 2))),
        offset_px=offset,
        p90_px=float(np.percentile(size, 90)),
        disparity_px=(low, middle, high),
        count=int(seen.sum()),
        known=True,
        swapped=is_swapped(disparity + doffs_px),
    )


def is_swapped(disparity_px: Array) -> bool | None:
    """Tell from disparities (N,), zero at infinity, whether left and right are exchanged; None if it is not clear."""
    clear = disparity_px[np.abs(disparity_px) > _UNSIGNED_PX]
    if len(clear) < LEAST:
        return None
    wrong = float(np.mean(clear < 0))
    return True if wrong > 0.9 else False if wrong < 0.1 else None


def arrangement(left_gray: U8, right_gray: U8, *, matches: Matches | None = None) -> Arrangement:
    """Find out whether two raw pictures are mirrored, turned or exchanged, (H,W) uint8 each.

    Whether they are exchanged is told only for cameras that look about the same way.
    """
    plain = find_matches(left_gray, right_gray) if matches is None else matches
    if len(plain) <= SURELY_PLAIN or abs(plain.rotation_deg) > 45:
        # Chance, and what looks the same both ways, give a picture and its mirror image some matches, 20 to 50 as a
        # rule; a mirrored picture gives hundreds.
        flipped = find_matches(left_gray, np.ascontiguousarray(right_gray[:, ::-1]))
        if flipped.enough and len(flipped) > max(1.5 * len(plain), 4 * LEAST - 1):
            turned = round(flipped.rotation_deg / 90) % 4 * 90
            return Arrangement(True, mirrored=True, rotated_deg=turned)
    if not plain.enough:
        return Arrangement(False, why=why_unknown(plain, left_gray, right_gray))
    turned = round(plain.rotation_deg / 90) % 4 * 90
    # Where they show things in different sizes, columns have nothing in common.
    alike = turned == 0 and left_gray.shape == right_gray.shape and abs(math.log(plain.zoom)) <= SAME_ZOOM
    swapped = is_swapped(plain.left_px[:, 0] - plain.right_px[:, 0]) if alike else None
    return Arrangement(True, rotated_deg=turned, swapped=swapped)


def why_unknown(matches: Matches, left_gray: U8, right_gray: U8) -> str:
    """Say in one sentence why matches do not carry a judgement; empty where they do."""
    if matches.enough:
        cells = {(int(x * 4 / left_gray.shape[1]), int(y * 4 / left_gray.shape[0])) for x, y in matches.left_px}
        if len(cells) >= 3:
            return ""
        return f"All {len(matches)} matched points lie in one corner of the picture."
    for side, gray in (("left", left_gray), ("right", right_gray)):
        if float(np.percentile(gray, 99)) < 25:
            return f"The {side} picture is too dark to match."
        if float(np.percentile(gray, 5)) > 245:
            return f"The {side} picture is too bright to match."
        if float(cv2.Laplacian(gray, cv2.CV_32F).std()) < 2.0:
            return f"The {side} picture has too little texture to match."
    return f"Only {len(matches)} points could be matched: too little texture, or two different scenes."
