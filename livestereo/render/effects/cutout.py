"""What lies within a range of distances, cut out of its background. Pure."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.render.effects.focus import spread
from livestereo.render.effects.light import to_linear, to_srgb
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8


def split_depth(scene: EffectScene) -> float:
    """Find the depth that best divides the scene into near and far, metres.

    Otsu's threshold ("A threshold selection method from gray-level histograms", 1979) on disparity, where near things
    differ most, moved into the emptiest place near it, so that it does not cut through an object.
    """
    shifted = scene.shifted_px[::4, ::4][scene.known[::4, ::4]]
    if shifted.size < 100:
        shifted = scene.shifted_px.ravel()
    low, high = (float(v) for v in np.percentile(shifted, (1, 99)))
    if high - low < 0.5:
        return scene.scale_m_px / max(low * 0.9, 1e-3)
    counts, edges = np.histogram(shifted, 128, (low, high))
    share = counts / counts.sum()
    centre = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(share)
    mean_below = np.cumsum(share * centre)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean_below[-1] * below - mean_below) ** 2 / (below * (1 - below))
    best = int(np.nanargmax(between[:-1]))
    smooth = np.convolve(share, np.ones(5) / 5, "same")
    near = range(max(2, best - 16), min(126, best + 17))
    best = min(near, key=lambda i: smooth[i] + 0.0004 * abs(i - best))
    return float(scene.scale_m_px / edges[best + 1])


def alpha_of(scene: EffectScene, near_m: float, far_m: float) -> F32:
    """Alpha (H,W) float32 0..1: 1 within the range; its rim follows the picture's edges softly.

    The rim is matted by the guided filter (He, Sun & Tang, "Guided image filtering", ECCV 2010, section 5.3).
    """
    depth = scene.depth_m
    guide: Any = scene.left
    if scene.quick:  # at half size, and led by brightness alone
        depth = depth[::2, ::2]
        guide = cv2.cvtColor(cv2.resize(guide, depth.shape[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    inside = _without_crumbs(((depth >= near_m) & (depth <= far_m)).astype(np.uint8))
    radius = max(3, round(depth.shape[1] / 110))
    mask = inside.astype(np.float32)
    matte: Any = cv2.ximgproc.guidedFilter(guide, mask, radius, (0.03 * 255) ** 2)
    # Only near the rim; and steeper, or the inside would be left half transparent.
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    rim = cv2.dilate(inside, kernel) - cv2.erode(inside, kernel)
    matte = np.clip((matte - 0.2) / 0.6, 0, 1)
    matte = cv2.GaussianBlur(np.where(rim > 0, matte, mask).astype(np.float32), (3, 3), 0)
    if scene.quick:
        matte = cv2.resize(matte, scene.size_wh, interpolation=cv2.INTER_LINEAR)
    return np.asarray(matte, np.float32)


def _without_crumbs(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop islands and fill holes smaller than 0.3 % of the picture."""
    smallest = max(16, inside.size // 330)
    for value in (1, 0):
        count, label, stats, _ = cv2.connectedComponentsWithStats((inside == value).astype(np.uint8), connectivity=4)
        small = stats[:, cv2.CC_STAT_AREA] < smallest
        small[0] = False
        if count > 1 and small.any():
            inside = np.where(small[label], np.uint8(1 - value), inside)
    return np.asarray(inside, np.uint8)


def cutout(scene: EffectScene, near_m: float, far_m: float) -> U8:
    """Cut out what lies between two depths, (H,W,4) uint8 BGRA; straight (not premultiplied) alpha.

    Where alpha is partial, the colour is that of the object alone: the background that shone through is taken out by
    spreading the colours of the inside.
    """
    alpha = alpha_of(scene, near_m, far_m)
    if scene.quick:
        return np.dstack([scene.left, np.rint(alpha * 255).astype(np.uint8)])
    light = to_linear(scene.left)
    sure = (alpha > 0.97).astype(np.float32)
    sure = np.asarray(cv2.erode(sure, np.ones((3, 3), np.uint8)), np.float32)
    own = spread(np.asarray(cv2.merge([*(plane * sure for plane in cv2.split(light)), sure]), np.float32))
    mixed = alpha[:, :, None]
    colour = to_srgb(np.asarray(light * mixed + own * (1 - mixed), np.float32))
    return np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)])


def over(bgra: U8, background: U8) -> U8:
    """Lay a cut-out over a background (H,W,3), in linear light."""
    alpha = bgra[:, :, 3].astype(np.float32) / np.float32(255)
    above, below = to_linear(np.ascontiguousarray(bgra[:, :, :3])), to_linear(background)
    return to_srgb(np.asarray(cv2.blendLinear(above, below, alpha, 1 - alpha), np.float32))


def checkerboard(width: int, height: int, cell: int = 12) -> U8:
    """Give the pattern that stands for transparency on screen, (H,W,3) BGR."""
    y, x = np.mgrid[:height, :width]
    light = ((x // cell + y // cell) % 2).astype(np.uint8)
    return np.repeat((58 + 20 * light)[:, :, None], 3, axis=2).astype(np.uint8)
