"""What can be seen of why there is no depth at a hole, or a wrong one elsewhere: signs, each a picture. Pure.

What is hidden from the right camera is led to by none of its pixels when both pictures are matched over all
disparities (`survey`), and has something nearer on its right. That match also tells what lies beyond the range. What
has no texture, or repeats itself, shows it in the left picture alone. Much of this is smoothed over the hole, because
reasons come in patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.honesty.signs import Columns, Scene, ends_of_runs, log_cost, log_of, residual
from livestereo.honesty.survey import NOTHING, Survey
from livestereo.types import F32

OF_SURVEY = (
    "near", "far", "behind near", "behind far", "before behind", "covered", "covered by", "off", "agrees", "guess",
    "near edge", "far edge", "behind far edge", "covered close", "room", "shadow to the right", "shadow",
    "shadow falls", "shadow surplus", "shadow edge",
)  # fmt: skip
HALVES_AROUND = (
    "best cost", "right view", "self-likeness", "all near", "all far", "all behind near", "all behind far",
    "all covered", "all covered by", "all off", "all agrees",
)  # fmt: skip
WHOLES_AROUND = ("left side fits", "right side fits")
NAMES = (
    "texture", "texture around", "texture wide", "texture least", "texture fine", "detail", "best cost", "guess off",
    "right view", "self-likeness", "to the top", "to the bottom", *(f"all {name}" for name in OF_SURVEY),
    "jump", "to the right", "to the left", "surplus", "side to the top", "left side fits", "right side fits",
    "guess fits", "room left", "column", "column right", "known",
    *(f"{name} around" for name in (*HALVES_AROUND, *WHOLES_AROUND)),
)  # fmt: skip
AROUND_PX = 21
CLIPPED = 250  # gray level
STEP = np.float32(1 / 16)
MEAN_OF_COLOURS = np.full((1, 3), 1 / 3)
# What the network that sees wide surroundings looks at, at half size: the mean of a sign's four pixels, or all four.
MEANS = (
    "texture", "texture around", "texture wide", "texture fine", "detail", "jump", "to the right", "to the left",
    "surplus", "side to the top", "left side fits", "right side fits", "guess fits", "room left", "column",
    "column right", "known", "hidden",
)  # fmt: skip
FOURS = ("answer", "gray", "left side rest", "right side rest", "guess rest")
QUARTERS = ("00", "01", "10", "11")  # row and column of each of the four
WIDE_NAMES = (
    *(f"{name} {at}" for name in FOURS for at in QUARTERS), *MEANS, "best cost", "guess off", "right view",
    "self-likeness", "to the top", "to the bottom", *(f"all {name}" for name in OF_SURVEY), "left", "behind", "cover",
    "guess", "left less right", "level", "clipped", "sgm", "half", "span", "to infinity",
)  # fmt: skip


def of_holes(scene: Scene, seen: Survey) -> dict[str, F32]:
    """Give all signs by name, of half size or of full size: `NAMES`, and more for `of_surroundings`.

    `network.places` tells where in a smaller picture a pixel's value is.
    """
    width = scene.filled_px.shape[1]
    halves = _halves(scene) | _survey(scene, seen)
    sides = _sides(scene)
    out = _textures(scene) | _run(scene, sides) | _fits(scene, sides)
    columns = np.broadcast_to(np.arange(width, dtype=np.float32)[None], scene.filled_px.shape)
    out["room left"] = np.clip(columns - scene.filled_px, np.float32(-16), np.float32(16))
    out["column"] = np.minimum(columns - np.float32(scene.span.high), 32).astype(np.float32).clip(-256)
    out["column right"] = np.minimum(width - 1 - columns, 32).astype(np.float32)
    hole = (~scene.known).astype(np.float32)
    out["known"] = np.float32(1) - cv2.blur(hole, (AROUND_PX, AROUND_PX))
    height, width = scene.half_left.shape
    half_hole = cv2.resize(hole[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    around = _around(halves, HALVES_AROUND, np.asarray(half_hole, np.float32), AROUND_PX // 2 + 1)
    return out | halves | around | _around(out, WHOLES_AROUND, hole, AROUND_PX)


def of_surroundings(signs: dict[str, F32], scene: Scene, seen: Survey, *, sgm: bool, half: bool) -> list[F32]:
    """Give what the network that sees wide surroundings looks at: (h,w) float32 of half size each, as `WIDE_NAMES`.

    signs: from `of_holes`. sgm, half: how the disparity was made.
    """
    height, width = scene.half_left.shape
    low = np.float32(scene.span.low)
    picture = scene.left.astype(np.float32)
    fours = signs | {
        "answer": scene.known.astype(np.float32),
        "gray": np.clip((picture - cv2.blur(picture, (15, 15))) * np.float32(1 / 16), -4, 4),
    }  # fmt: skip
    out = signs | {name: _halved(signs[name], height, width) for name in MEANS if name != "hidden"}
    out["hidden"] = _halved(scene.hidden, height, width)
    for name in FOURS:
        for at in QUARTERS:
            out[f"{name} {at}"] = fours[name][int(at[0]) : 2 * height : 2, int(at[1]) : 2 * width : 2]
    covered = seen.covering_px > NOTHING
    out |= {
        "left": (seen.left_px - low) * STEP, "behind": (seen.behind_px - low) * STEP,
        "cover": np.where(covered, (seen.covering_px - low) * STEP, np.float32(-1)),
        "guess": (_halved(scene.filled_px, height, width) - low) * STEP,
        "left less right": np.clip(seen.off_px, -64, 64) * STEP,
        "level": _halved(picture, height, width) * np.float32(1 / 64) - 2,
        "clipped": _halved((scene.left >= CLIPPED).astype(np.float32), height, width),
    }  # fmt: skip
    span, to_infinity = scene.span.high - scene.span.low, scene.span.low <= scene.span.least
    for name, value in (("sgm", sgm), ("half", half), ("span", span / 64), ("to infinity", to_infinity)):
        out[name] = np.full((height, width), value, np.float32)
    return [out[name] for name in WIDE_NAMES]


def _halved(picture: F32, height: int, width: int) -> F32:
    even = np.ascontiguousarray(picture[: 2 * height, : 2 * width], np.float32)
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _around(signs: dict[str, F32], names: tuple[str, ...], hole: F32, side: int) -> dict[str, F32]:
    """Give the means of signs over the holes around."""
    share = np.maximum(cv2.blur(hole, (side, side)), np.float32(1 / side**2))
    return {f"{name} around": np.asarray(cv2.blur(signs[name] * hole, (side, side)) / share) for name in names}


def _textures(scene: Scene) -> dict[str, F32]:
    """How much the left picture changes along the row."""
    slope = cv2.Sobel(scene.left, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    square = slope * slope
    out = {"texture fine": log_of(cv2.blur(square, (3, 3)))}
    for name, side in (("texture", 7), ("texture around", 15), ("texture wide", 31)):
        mean = cv2.blur(slope, (side, side))
        out[name] = log_of(cv2.blur(square, (side, side)) - mean * mean)
    # A blank surface is blank up to its edge: of all windows with the pixel in them, the blankest.
    out["texture least"] = np.asarray(cv2.erode(out["texture"], np.ones((9, 9), np.uint8)), np.float32)
    return out


def _halves(scene: Scene) -> dict[str, F32]:
    """What the search over the range says, (h,w) of half size."""
    height, width = scene.half_left.shape
    best, (first, last) = scene.best, scene.span.planes
    guess = np.rint(scene.filled_px[: height * 2 : 2, : width * 2 : 2] * np.float32(0.5)).astype(np.int16)
    out = {
        "best cost": log_cost(best.cost), "guess off": np.clip(best.plane - guess, -12, 12),
        "right view": np.minimum(scene.right_view, 4), "self-likeness": scene.self_likeness,
        "to the top": np.minimum(last - best.plane, 8), "to the bottom": np.minimum(best.plane - first, 8),
    }  # fmt: skip
    return {name: np.asarray(one, np.float32) for name, one in out.items()}


def _survey(scene: Scene, seen: Survey) -> dict[str, F32]:
    """What the match over all disparities says, (h,w) of half size."""
    high, low = np.float32(scene.span.high), np.float32(scene.span.low)
    height, width = seen.left_px.shape
    covered = seen.covering_px > NOTHING
    lit = covered.astype(np.float32)
    guess = scene.filled_px[: height * 2 : 2, : width * 2 : 2]
    out = {
        "near": np.clip(seen.left_px - high, -12, 12), "far": np.clip(low - seen.left_px, -12, 12),
        "behind near": np.clip(seen.behind_px - high, -12, 12), "behind far": np.clip(low - seen.behind_px, -12, 12),
        "before behind": _signed_log(seen.left_px - seen.behind_px), "covered": lit,
        "covered by": np.where(covered, _signed_log(seen.covering_px - seen.behind_px), np.float32(0)),
        "off": _signed_log(seen.off_px), "agrees": seen.agrees.astype(np.float32),
        "guess": _signed_log(seen.left_px - guess), "near edge": np.clip(seen.left_px - high, -2, 2),
        "far edge": np.clip(low - seen.left_px, -2, 2), "behind far edge": np.clip(low - seen.behind_px, -2, 2),
        "covered close": cv2.blur(lit, (5, 5)),
        "room": np.clip(2 * np.arange(width, dtype=np.float32)[None] + 0.5 - seen.behind_px, -16, 16),
    }  # fmt: skip
    # A shadow ends on its right at what throws it, and is as wide as that is nearer.
    before, after = ends_of_runs(covered)
    rows, columns = np.arange(height)[:, None], np.arange(width, dtype=np.int32)
    front = cv2.dilate(seen.left_px, np.ones((1, 5), np.uint8))[rows, after.clip(None, width - 1)]
    falls = np.where(covered, np.float32(0), front - seen.behind_px)
    wide, to_right = 2 * (after - before - 1), 2 * (after - columns)
    out |= {
        "shadow to the right": np.log1p(to_right.clip(0, 64)), "shadow": np.log1p(wide.clip(0, 128)),
        "shadow falls": _signed_log(falls), "shadow surplus": np.where(covered, 0, (wide - falls).clip(-32, 32)),
        "shadow edge": np.where(covered, 4, (to_right - falls).clip(-4, 4)),
    }  # fmt: skip
    return {f"all {name}": np.asarray(one, np.float32) for name, one in out.items()}


def _signed_log(values: F32) -> F32:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), np.float32)


@dataclass(frozen=True)
class _Sides:
    """Where each row's run of missing pixels ends on either side (columns), and the disparity there."""

    before: Columns
    after: Columns
    left: F32
    right: F32


def _sides(scene: Scene) -> _Sides:
    """Find the sides; disparity is smoothed over rows."""
    width = scene.known.shape[1]
    before, after = ends_of_runs(scene.known)
    rows = np.arange(len(before))[:, None]
    low = np.float32(scene.span.low)
    left = np.where(before >= 0, scene.filled_px[rows, before.clip(0)], low)
    right = np.where(after < width, scene.filled_px[rows, after.clip(None, width - 1)], low)
    left, right = (np.asarray(cv2.medianBlur(side.astype(np.float32), 5), np.float32) for side in (left, right))
    return _Sides(before, after, left, right)


def _fits(scene: Scene, sides: _Sides) -> dict[str, F32]:
    """How well small windows fit if the hole belongs to what lies on its left or its right, against the contrast."""
    detail = np.log(_spread(scene.colours[0].astype(np.float32)) + np.float32(4))
    out = {"detail": np.asarray(detail, np.float32)}
    ways = {"left side": sides.left, "right side": sides.right, "guess": scene.filled_px}
    for name, disparity in ways.items():
        rest = residual(*scene.colours, disparity)
        size = np.abs(rest)
        if size.ndim == 3:
            size = np.asarray(cv2.transform(size, MEAN_OF_COLOURS), np.float32)
        out[f"{name} rest"] = np.minimum(size * np.float32(1 / 8), np.float32(4))
        out[f"{name} fits"] = np.asarray(np.log(_spread(rest) + np.float32(4)) - detail, np.float32)
    return out


def _spread(picture: F32) -> F32:
    """Give the variance over 5x5 pixels, (H,W); of colours its mean."""
    mean = cv2.blur(picture, (5, 5))
    variance = np.maximum(cv2.blur(picture * picture, (5, 5)) - mean * mean, np.float32(0))
    return np.asarray(variance if variance.ndim == 2 else cv2.transform(variance, MEAN_OF_COLOURS), np.float32)


def _run(scene: Scene, sides: _Sides) -> dict[str, F32]:
    """Where in its row's run of missing pixels a hole's pixel lies, and what ends the run on either side."""
    width = scene.known.shape[1]
    columns = np.arange(width, dtype=np.int32)
    before, after, left, right = sides.before, sides.after, sides.left, sides.right
    jump = np.where((before >= 0) & (after < width), right - left, 0).astype(np.float32)
    long = np.float32(64)
    to_right = np.minimum(after - columns, long).astype(np.float32)
    top = np.float32(scene.span.high) - np.maximum(left, right)
    # Something nearer by `jump` px hides as many pixels on its left.
    surplus = np.clip(to_right - np.maximum(jump, 0), -32, 32).astype(np.float32)
    return {
        "jump": np.sign(jump) * np.log1p(np.abs(jump)), "to the right": np.log1p(to_right), "surplus": surplus,
        "to the left": np.log1p(np.minimum(columns - before, long)).astype(np.float32),
        "side to the top": np.clip(top, -8, 24).astype(np.float32),
    }  # fmt: skip


def saturated(scene: Scene) -> NDArray[np.bool_]:
    """Where most of the pixels around are clipped, bool (H,W)."""
    clipped = cv2.inRange(scene.left, (CLIPPED,), (255,))
    return np.asarray(cv2.blur(clipped, (7, 7)) > 150)
