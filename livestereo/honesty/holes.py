"""What can be seen at a hole of why there is no depth: signs, each a picture (H,W) float32. Pure.

What is hidden from the right camera has something nearer on its right, in whose shadow it would fall if it lay as far
away as what is on the other side. What has no texture, or repeats itself, shows it in the left picture alone. What is
too near fits best beyond the range. Much of this is smoothed over the hole, because reasons come in patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.honesty.search import I16, SIDE, WIDE, contrast, likeness, search_wide, weigh
from livestereo.honesty.signs import Columns, Scene, ends_of_runs, grown, log_cost, log_of, residual
from livestereo.types import F32

NAMES = (
    "texture", "texture around", "best cost", "second cost", "guess cost", "guess off", "right view", "near fits",
    "far fits", "hidden", "jump", "to the right", "to the left", "surplus", "room left", "column", "column right",
    "self-likeness", "known", "to the top", "to the bottom", "side to the top", "best cost around",
    "second cost around", "right view around", "near fits around", "far fits around", "hidden around",
    "self-likeness around", "texture wide", "wide best", "wide second", "wide near", "wide far", "wide off",
    "wide guess", "wide self-likeness", "contrast", "wide contrast", "left side fits", "right side fits", "guess fits",
    "left side fits around", "right side fits around", "detail",
)  # fmt: skip
AROUND_PX = 21
AROUND = (
    "best cost", "second cost", "right view", "near fits", "far fits", "hidden", "self-likeness", "left side fits",
    "right side fits",
)  # fmt: skip


def of_holes(scene: Scene) -> dict[str, F32]:
    """Give all signs of why there is no depth, by name (`NAMES`); they mean something in holes alone."""
    width = scene.filled_px.shape[1]
    out: dict[str, F32] = {}
    slope = cv2.Sobel(scene.left, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
    square = slope * slope
    for name, side in (("texture", 7), ("texture around", 15), ("texture wide", 31)):
        mean = cv2.blur(slope, (side, side))
        out[name] = log_of(cv2.blur(square, (side, side)) - mean * mean)
    half = scene.half_left.shape
    best, first_last = scene.best, scene.span.planes
    guess = np.rint(scene.filled_px[: half[0] * 2 : 2, : half[1] * 2 : 2] * np.float32(0.5)).astype(np.int16)
    _, second = weigh(scene.half_left, scene.half_right, best.plane, scene.span)
    at_guess, _ = weigh(scene.half_left, scene.half_right, guess, scene.span)
    near, far = scene.beyond
    lowest = log_cost(best.cost)
    halves = {
        "best cost": lowest, "second cost": log_cost(second) - lowest, "guess cost": log_cost(at_guess) - lowest,
        "guess off": np.clip(best.plane - guess, -12, 12).astype(np.float32),
        "right view": np.minimum(scene.right_view, 4),
        "near fits": near - lowest, "far fits": far - lowest,
        "self-likeness": scene.self_likeness,
        "to the top": np.minimum(first_last[1] - best.plane, 8).astype(np.float32),
        "to the bottom": np.minimum(best.plane - first_last[0], 8).astype(np.float32),
    }  # fmt: skip
    halves |= _wide(scene, guess)
    out |= {name: grown(one, scene) for name, one in halves.items()}
    out["hidden"] = scene.hidden
    sides = _sides(scene)
    out |= _run(scene, sides)
    columns = np.broadcast_to(np.arange(width, dtype=np.float32)[None], scene.filled_px.shape)
    out["room left"] = np.clip(columns - scene.filled_px, np.float32(-16), np.float32(16))
    out["column"] = np.minimum(columns - np.float32(scene.span.high), 32).astype(np.float32).clip(-256)
    out["column right"] = np.minimum(width - 1 - columns, 32).astype(np.float32)
    out |= _fits(scene, sides)
    hole = (~scene.known).astype(np.float32)
    share = cv2.blur(hole, (AROUND_PX, AROUND_PX))
    out["known"] = np.float32(1) - share
    for name in AROUND:
        around = cv2.blur(out[name] * hole, (AROUND_PX, AROUND_PX))
        out[f"{name} around"] = np.asarray(around / np.maximum(share, np.float32(1 / AROUND_PX**2)), np.float32)
    return out


def _wide(scene: Scene, guess: I16) -> dict[str, F32]:
    """What wide windows say; costs in units of the contrast, so that what fits well is told from what is blank."""
    wide = search_wide(scene.half_left, scene.half_right, scene.span)
    much = log_cost(contrast(scene.half_left, WIDE), WIDE)
    best = log_cost(wide.best, WIDE)
    off = np.minimum(np.abs(wide.plane - guess), 12).astype(np.float32)
    return {
        "wide best": best - much, "wide second": log_cost(wide.second, WIDE) - best,
        "wide near": log_cost(wide.near, WIDE) - best, "wide far": log_cost(wide.far, WIDE) - best,
        "wide off": np.minimum(np.abs(wide.plane - scene.best.plane), 12).astype(np.float32), "wide guess": off,
        "wide self-likeness": log_cost(likeness(scene.half_left, scene.span, WIDE), WIDE) - much,
        "contrast": log_cost(contrast(scene.half_left, SIDE)), "wide contrast": much,
    }  # fmt: skip


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
    picture = scene.left.astype(np.float32)
    mean = cv2.blur(picture, (5, 5))
    detail = np.log(np.maximum(cv2.blur(picture * picture, (5, 5)) - mean * mean, np.float32(0)) + np.float32(4))
    out = {"detail": np.asarray(detail, np.float32)}
    ways = {"left side fits": sides.left, "right side fits": sides.right, "guess fits": scene.filled_px}
    for name, disparity in ways.items():
        rest = residual(scene, disparity)
        mean = cv2.blur(rest, (5, 5))
        square = np.maximum(cv2.blur(rest * rest, (5, 5)) - mean * mean, np.float32(0))
        out[name] = np.asarray(np.log(square + np.float32(4)) - detail, np.float32)
    return out


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
    clipped = cv2.inRange(scene.left, (250,), (255,))
    return np.asarray(cv2.blur(clipped, (7, 7)) > 150)
