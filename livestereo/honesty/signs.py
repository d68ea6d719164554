"""What can be seen at a pixel of how exact its disparity is: signs of trouble, each a picture (H,W) float32.

The left picture is laid over the right one by the disparity. What is left over, how much texture holds the two in
place, by how much they still want to slide (one step of Lucas & Kanade, IJCAI 1981), how good the next best answer
of the whole range is, what the right view says, and how the neighbours lie. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.honesty.search import HIGHEST, I16, SIDE, Best, Range, beyond, find_best, halved, likeness, weigh
from livestereo.lazy import lazy
from livestereo.types import F32, U8

Mask = NDArray[np.bool_]
Columns = NDArray[np.int32]

NEAR_PX, FAR_PX = 5, 11  # sides of the windows
NAMES = (
    "texture near", "texture far", "misfit near", "misfit far", "slide near", "slide far",
    "cost here", "cost elsewhere", "best elsewhere", "right view", "hidden", "scatter",
    "known near", "known far", "step up near", "step down near", "step up far", "step down far", "self-likeness",
    "room on the left", "farther fits", "nearer fits", "beyond fits",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """What every sign is made from. disparity_px: NaN for holes; filled_px: holes filled from their far side.

    known: bool (H,W). half: both pictures for `search`. best: of the whole range. colours: both pictures (H,W,3), or
    gray as they are where there is no colour.
    """

    left: U8
    right: U8
    disparity_px: F32
    filled_px: F32
    known: Mask
    span: Range
    half_left: U8
    half_right: U8
    best: Best
    colours: tuple[U8, U8]

    @lazy
    def beyond(self) -> F32:
        """Logarithm of the best cost nearer than the range, (h,w) of half size."""
        return log_cost(beyond(self.half_left, self.half_right, self.span))

    @lazy
    def self_likeness(self) -> F32:
        """Logarithm of how well the left picture fits itself, moved along the row, (h,w) of half size."""
        return log_cost(likeness(self.half_left, self.span))

    @lazy
    def right_view(self) -> F32:
        """By how many planes the right picture's best partner of the best plane is off, (h,w) of half size."""
        return right_view(self.best, self.best.plane)

    @lazy
    def hidden(self) -> F32:
        """Logarithm of 1 + by how many px of disparity something nearer lies before each pixel in the right view."""
        return np.asarray(np.log1p(_hidden(self)), np.float32)


def look(left: U8, right: U8, disparity_px: F32, span: Range, colours: tuple[U8, U8] | None = None) -> Scene:
    """Get a pair ready, (H,W) uint8 each, with its disparity. colours: the same pair, (H,W,3) uint8 each."""
    known = disparity_px == disparity_px
    half_left, half_right = halved(left), halved(right)
    filled = fill_from_far_side(disparity_px, known, span.low)
    best = find_best(half_left, half_right, span)
    return Scene(left, right, disparity_px, filled, known, span, half_left, half_right, best, colours or (left, right))


def ends_of_runs(known: Mask) -> tuple[Columns, Columns]:
    """Give the columns of the nearest known pixels at or before and at or after each one; −1 and W where none is."""
    width = known.shape[1]
    columns = np.arange(width, dtype=np.int32)
    before = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def fill_from_far_side(disparity_px: F32, known: Mask, otherwise: float) -> F32:
    """Fill holes with the smaller of the nearest disparities left and right; rows with none take `otherwise`.

    disparity_px: (H,W) float32, anything where `known`, (H,W) bool, is False. Returns: (H,W) float32, none unknown.
    """
    width = known.shape[1]
    before, after = ends_of_runs(known)
    rows, at = np.nonzero(~known)
    b, a = before[rows, at], after[rows, at]
    far = np.float32(1e6)
    from_left = np.where(b >= 0, disparity_px[rows, np.maximum(b, 0)], far)
    from_right = np.where(a < width, disparity_px[rows, np.minimum(a, width - 1)], far)
    smaller = np.minimum(from_left, from_right)
    filled = disparity_px.copy()
    filled[rows, at] = np.where(smaller < far, smaller, np.float32(otherwise))
    return filled


def _hidden(scene: Scene) -> F32:
    """By how many px of disparity something nearer lies before each pixel in the right view; at least 0."""
    height, width = scene.filled_px.shape
    rows, columns = np.nonzero(scene.known)
    d = scene.disparity_px[rows, columns]
    there = np.rint(columns - d).astype(np.int64)
    inside = (there >= 0) & (there < width)
    front = np.full(height * width, -np.inf, np.float32)
    np.maximum.at(front, rows[inside] * width + there[inside], d[inside])
    front = cv2.morphologyEx(front.reshape(height, width), cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    place = np.rint(np.arange(width, dtype=np.float32)[None] - scene.filled_px).astype(np.int32)
    place += (np.arange(height, dtype=np.int32) * width)[:, None]
    place = place.clip(0, height * width - 1)
    return np.asarray(np.maximum(np.ravel(front).take(place) - scene.filled_px, np.float32(0)), np.float32)


def residual(left: U8, right: U8, disparity_px: F32) -> F32:
    """Left picture less the right one moved by a disparity.

    left, right: (H,W) or (H,W,3) uint8. disparity_px: (H,W) float32 without NaN. Returns: float32 in gray levels, of
    the pictures' shape.
    """
    height, width = disparity_px.shape
    x = np.arange(width, dtype=np.float32)[None] - disparity_px
    y = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], x.shape)
    moved = cv2.remap(right, x, np.ascontiguousarray(y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(left, moved, dtype=cv2.CV_32F), np.float32)


def overlay(scene: Scene) -> dict[str, F32]:
    """Lay the right picture over the left one: texture, misfit and slide in both windows; (H,W) float32 each."""
    rest = residual(scene.left, scene.right, scene.filled_px)
    slope = cv2.Sobel(scene.left, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    products = (slope, rest, slope * slope, slope * rest, rest * rest)
    out = {}
    for name, side in (("near", NEAR_PX), ("far", FAR_PX)):
        g, e, gg, ge, ee = (np.asarray(cv2.blur(p, (side, side)), np.float32) for p in products)
        texture = gg - g * g
        both = ge - g * e
        slide = both / (texture + np.float32(0.5))
        out[f"texture {name}"] = log_of(texture)
        out[f"misfit {name}"] = log_of(ee - e * e - slide * both)
        out[f"slide {name}"] = np.minimum(np.abs(slide), np.float32(1.5))
    # Near a step the pixel may belong to the other side: does it fit there better?
    kernel = np.ones((FAR_PX, FAR_PX), np.uint8)
    own = _square(rest)
    out["farther fits"] = own - _square(
        residual(scene.left, scene.right, np.asarray(cv2.erode(scene.filled_px, kernel), np.float32))
    )
    out["nearer fits"] = own - _square(
        residual(scene.left, scene.right, np.asarray(cv2.dilate(scene.filled_px, kernel), np.float32))
    )
    return out


def _square(rest: F32) -> F32:
    """Logarithm of the mean square of 3x3 px."""
    return np.asarray(np.log(cv2.blur(rest * rest, (3, 3)) + np.float32(4)), np.float32)


def neighbours(scene: Scene) -> dict[str, F32]:
    """How the disparities around lie: scatter, share known, steps to nearer and farther ones; (H,W) float32 each."""
    d, known = scene.filled_px, scene.known.astype(np.float32)
    out = {"known near": cv2.blur(known, (5, 5)), "known far": cv2.blur(known, (17, 17))}
    # Sums of what is known alone; a hole's guess is no neighbour. Less the picture's middle, for float32's sake.
    level = np.float32(np.median(d))
    own = (d - level) * known
    share = np.maximum(out["known near"], np.float32(1 / 25))
    mean = cv2.blur(own, (5, 5)) / share
    variance = cv2.blur(own * (d - level), (5, 5)) / share - mean * mean
    out["scatter"] = np.log(np.maximum(variance, np.float32(0)) + np.float32(0.003))
    for name, side in (("near", 7), ("far", 19)):
        kernel = np.ones((side, side), np.uint8)
        out[f"step up {name}"] = np.log1p(cv2.dilate(d, kernel) - d)
        out[f"step down {name}"] = np.log1p(d - cv2.erode(d, kernel))
    return {name: np.asarray(one, np.float32) for name, one in out.items()}


def of_answers(scene: Scene) -> dict[str, F32]:
    """Give all signs of how exact the disparity is, by name (`NAMES`); (H,W) float32 each, holes too."""
    out = overlay(scene) | neighbours(scene)
    half = scene.half_left.shape
    answer = np.rint(scene.filled_px[: half[0] * 2 : 2, : half[1] * 2 : 2] * np.float32(0.5)).astype(np.int16)
    here, other = weigh(scene.half_left, scene.half_right, answer, scene.span)
    out["cost here"] = grown(log_cost(here), scene)
    out["cost elsewhere"] = grown(log_cost(other), scene)
    out["beyond fits"] = out["cost here"] - grown(scene.beyond, scene)
    off = np.minimum(np.abs(scene.best.plane - answer), 8).astype(np.float32)
    out["best elsewhere"] = grown(off, scene)
    out["right view"] = grown(np.minimum(right_view(scene.best, answer), 8), scene)
    out["hidden"] = scene.hidden
    out["self-likeness"] = grown(scene.self_likeness, scene)
    columns = np.arange(scene.filled_px.shape[1], dtype=np.float32)[None]
    out["room on the left"] = np.clip(columns - scene.filled_px, 0, 16) / np.float32(16)
    return out


def right_view(best: Best, plane: I16) -> F32:
    """By how many planes the right picture's best answer is off where a plane leads to, (h,w) float32."""
    height, width = plane.shape
    place = np.arange(width, dtype=np.int32)[None] - plane
    theirs = best.right_plane[np.arange(height)[:, None], place.clip(0, width - 1)]
    return np.asarray(np.abs(theirs - plane), np.float32)


def grown(half: F32, scene: Scene) -> F32:
    """Bring a picture of half size, (H//2,W//2) float32, to full size, (H,W) float32; each value twice both ways."""
    height, width = scene.filled_px.shape
    big = cv2.resize(half, (2 * half.shape[1], 2 * half.shape[0]), interpolation=cv2.INTER_NEAREST)
    if big.shape != (height, width):
        big = cv2.copyMakeBorder(big, 0, height - big.shape[0], 0, width - big.shape[1], cv2.BORDER_REPLICATE)
    return np.asarray(big, np.float32)


def log_of(values: Any) -> F32:
    """Logarithm of a mean square in gray levels, (H,W) float32; what rounding made negative counts as 0."""
    return np.asarray(np.log(np.maximum(values, np.float32(0)) + np.float32(0.3)), np.float32)


def log_cost(cost: NDArray[np.uint16]) -> F32:
    """Logarithm of a cost of `search`, per pixel."""
    per_pixel = np.minimum(cost, HIGHEST).astype(np.float32) * np.float32(1 / SIDE**2)
    return np.asarray(np.log(per_pixel + np.float32(0.2)), np.float32)
