"""Views from between the two cameras, and the wiggle that swings through them. Pure."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.render.effects.fill import rows_filled
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8

# Gray levels between the two pictures: from 12 on they may show different things, from 36 on they do.
_DOUBT = np.clip((np.arange(256, dtype=np.float32) - 12) / 24, 0, 1)
SAME_PX = 1.5  # disparities that differ by less are the same surface seen from elsewhere


def warped_disparity(disparity_px: F32, t: float) -> F32:
    """Disparity as seen from `t` (0 left camera, 1 right camera), filled from the far side where nothing was seen.

    disparity_px: (H,W) float32, NaN where unknown. Returns: (H,W) float32 px without NaN; 0 where nothing is known.
    """
    return _all_filled(_moved(disparity_px, -t))


def _moved(disparity_px: F32, share: float) -> F32:
    """Disparity of a view whose pixel at x lies at x + share·d in another one; NaN where it shows nothing there.

    Where several meet, the nearest is seen.
    """
    height, width = disparity_px.shape
    target = np.arange(width, dtype=np.float32)[None, :] + np.float32(share) * disparity_px
    seen = np.full((height, width), -np.inf, np.float32)
    flat = seen.ravel()
    rows = (np.arange(height, dtype=np.int64) * width)[:, None]
    base = np.floor(target)
    for offset in (0, 1):  # to the pixels on both sides, so that a stretched surface has no cracks
        column = (base + offset).astype(np.int64)
        inside = (column >= 0) & (column < width)
        np.maximum.at(flat, (rows + column)[inside], disparity_px[inside])
    seen[np.isneginf(seen)] = np.nan
    return seen


def _all_filled(disparity_px: F32) -> F32:
    return rows_filled(disparity_px)[0] if np.isfinite(disparity_px).any() else np.zeros_like(disparity_px)


def _at_right(scene: EffectScene) -> F32:
    """Disparity of the right picture, (H,W) without NaN.

    Beside what the left picture shows nothing was measured: there the values at its border spread along the picture,
    or what the border cuts off would be smeared over it.
    """
    seen = _moved(scene.disparity_px, -1.0)
    filled = _all_filled(seen)
    known = np.isfinite(seen)
    width = seen.shape[1]
    columns = np.arange(width)[None, :]
    anything = known.any(axis=1)
    first = np.where(anything, known.argmax(axis=1), 0)[:, None]
    last = np.where(anything, width - 1 - known[:, ::-1].argmax(axis=1), width)[:, None]
    beside = (columns > last) | (columns < first)
    if not beside.any():
        return filled
    smoother = cv2.ximgproc.createFastGlobalSmootherFilter(scene.right, 4000.0, 3.0)
    trust = np.where(beside, np.float32(0), np.float32(1))
    spread = smoother.filter(trust * filled) / np.maximum(smoother.filter(trust), 1e-6)
    return np.where(beside, spread, filled).astype(np.float32)


def _warped_quickly(disparity_px: F32, t: float) -> F32:
    """Do the same at half size."""
    height, width = disparity_px.shape
    small = warped_disparity(np.ascontiguousarray(disparity_px[::2, ::2]) * np.float32(0.5), t)
    grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(grown * np.float32(2), np.float32)


def matched_right(scene: EffectScene) -> U8:
    """Give the right view the left one's exposure and colour, so that nothing flickers when views alternate."""
    left, right = scene.left[::4, ::4].astype(np.float32), scene.right[::4, ::4].astype(np.float32)
    usable = (left.max(axis=2) < 250) & (left.min(axis=2) > 5) & (right.max(axis=2) < 250) & (right.min(axis=2) > 5)
    if usable.sum() < 100:
        return scene.right
    gain = np.median(left[usable], axis=0) / np.maximum(np.median(right[usable], axis=0), 1)
    gain = np.clip(gain, 0.6, 1.7)
    table = np.clip(np.arange(256)[:, None] * gain[None, :] + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(scene.right, table[:, None, :]), np.uint8)


def view_between(scene: EffectScene, t: float, right: U8 | None = None) -> U8:
    """Make the view from `t`: 0 is the left picture, 1 the right one, between them it is put together from both.

    Each pixel takes the left and the right picture by how near they are and where its surface is seen in them; what
    neither saw is taken from what lies behind. right: the right picture with matched colours, if at hand.
    """
    right = matched_right(scene) if right is None else right
    if t <= 0:
        return scene.left
    if t >= 1:
        return right
    height, width = scene.disparity_px.shape
    if scene.quick:
        at_right, disparity = (_warped_quickly(scene.disparity_px, at) for at in (1.0, t))
    else:
        at_right = _at_right(scene)
        from_left, from_right = _moved(scene.disparity_px, -t), _moved(at_right, 1 - t)
        disparity = _all_filled(np.where(np.isnan(from_left), from_right, from_left))
    x = np.broadcast_to(np.arange(width, dtype=np.float32)[None, :], disparity.shape)
    y = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], disparity.shape)
    left_x, right_x = x + np.float32(t) * disparity, x - np.float32(1 - t) * disparity
    sees_left = _same_surface(scene.disparity_px, left_x, y, disparity) * np.float32(1 - t)
    sees_right = _same_surface(at_right, right_x, y, disparity) * np.float32(t)
    # Where neither sees it, the left picture stands in, for its disparity is the measured one; beside it, the right.
    nobody = sees_left + sees_right < 0.02
    beside = (left_x > width - 1) | (left_x < 0)
    sees_left = np.maximum(sees_left, (nobody & ~beside).astype(np.float32))
    sees_right = np.maximum(sees_right, (nobody & beside).astype(np.float32))
    colours = [
        cv2.remap(image, at, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for image, at in ((scene.left, left_x), (right, right_x))
    ]
    # Where both see it and disagree, depth is wrong, and a blend of both would be a ghost: the nearer view alone.
    doubt = _differing(*colours)
    if t <= 0.5:
        sees_right = np.where(sees_left > 0, sees_right * (1 - doubt), sees_right)
    else:
        sees_left = np.where(sees_right > 0, sees_left * (1 - doubt), sees_left)
    weights = [np.asarray(cv2.blur(w, (3, 3)), np.float32) for w in (sees_left, sees_right)]
    return np.asarray(cv2.blendLinear(colours[0], colours[1], weights[0], weights[1]), np.uint8)


def _differing(one: Any, other: Any) -> F32:
    """How surely two pictures show different things, (H,W) 0..1: their largest difference in a channel, smoothed."""
    apart = cv2.blur(cv2.absdiff(one, other), (3, 3)).max(axis=2)
    return np.asarray(cv2.LUT(apart, _DOUBT), np.float32)


def _same_surface(disparity_px: F32, x: Any, y: Any, expected: F32) -> F32:
    """1 where a view shows at (x, y) the surface that is expected there, else 0; 0 outside of it."""
    width = disparity_px.shape[1]
    there = cv2.remap(disparity_px, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    inside: NDArray[np.bool_] = (x >= 0) & (x <= width - 1)
    return np.asarray((np.abs(there - expected) < SAME_PX) & inside, np.float32)


def pivot_px(scene: EffectScene) -> float:
    """Disparity that stands still in a wiggle: that of the middle of the picture, where the subject mostly is."""
    height, width = scene.disparity_px.shape
    middle = scene.disparity_px[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    return float(np.median(middle))


def still_at(view: U8, t: float, pivot: float) -> U8:
    """Move a view from `t` sideways so that points of disparity `pivot` (px) stay where the left view has them.

    view, and what is returned: (H,W,3) uint8 BGR; the border that comes in repeats the picture's.
    """
    if t == 0 or pivot == 0:
        return view
    move = np.array([[1, 0, t * pivot], [0, 1, 0]], np.float32)
    size = (view.shape[1], view.shape[0])
    return np.asarray(
        cv2.warpAffine(view, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def wiggle(scene: EffectScene, *, between: int = 5, pivot: float | None = None, reach: float = 1.0) -> list[U8]:
    """Swing from the left camera to the right one and back, (H,W',3) BGR frames of one endless loop.

    between: views made up on the way, each way. pivot: disparity that stands still. reach: share of the baseline.
    The borders that only some views have are cut off.
    """
    fixed = pivot_px(scene) if pivot is None else pivot
    right = matched_right(scene)
    steps = between + 1
    # Even steps in the cosine: it slows down at the ends, as a swing does.
    places = [reach * 0.5 * (1 - math.cos(math.pi * i / steps)) for i in range(steps + 1)]
    views = [still_at(view_between(scene, t, right), t, fixed) for t in places]
    cut = min(math.ceil(abs(fixed) * reach), scene.size_wh[0] // 4)
    if cut:
        views = [view[:, cut:] if fixed > 0 else view[:, :-cut] for view in views]
    return [np.ascontiguousarray(view) for view in (*views, *views[-2:0:-1])]


@lru_cache(maxsize=8)
def swing(count: int) -> tuple[float, ...]:
    """Places of one whole swing 0 → 1 → 0 in `count` steps."""
    return tuple(0.5 * (1 - math.cos(2 * math.pi * i / count)) for i in range(count))
