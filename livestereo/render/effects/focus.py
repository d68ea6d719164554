"""Selective focus: what a wide-open lens would have made of the scene. Pure.

Circle of confusion of a thin lens (aperture diameter D, focused at Z_f), as a diameter in this picture's pixels:

    c = D · f_px · |1/Z − 1/Z_f|  =  (D / B) · |d − d_f|,   since d = f_px · B / Z

so blur is linear in disparity. The picture is cut into layers of about equal blur. Each is blurred by its own disc,
in linear light, and laid over what is behind it, from far to near. A layer goes on, with its own colours spread,
behind everything nearer; so a sharp foreground never bleeds into a blurred background nor the other way round
(Kraus & Strengert, "Depth-of-field rendering by pyramidal image processing", Eurographics 2007, layer likewise).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from livestereo.render.effects.light import to_linear, to_srgb
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8

SHARP_PX = 0.6  # a disc of smaller radius is not seen
SHARP_SHARE = 0.18  # half of the sharp zone, of the way from the focus to the background
NOISE_PX = 0.5  # of disparity, which no matcher is free of
SMALLEST_STEP_PX = 1.0  # between the blur radii of neighbouring layers


@dataclass(frozen=True)
class Lens:
    """focus_px: shifted disparity in focus. gain: radius of the disc, px, for each px of disparity beside it.

    largest_px: limit of the radius. sharp_px: up to so much disparity beside the focus nothing is blurred.
    """

    focus_px: float
    gain: float
    largest_px: float
    sharp_px: float = 0.0


def lens_of_aperture(scene: EffectScene, focus_m: float, aperture_m: float) -> Lens:
    """Give the lens with an aperture of this diameter: radius = D / (2 B) per px of disparity."""
    gain = aperture_m / (2 * scene.rectification.baseline_m)
    return Lens(scene.scale_m_px / focus_m, gain, 0.06 * scene.size_wh[0])


def lens_of_blur(scene: EffectScene, focus_m: float, blur_px: float) -> Lens:
    """Give the lens that blurs the far background (90th percentile) by a disc of radius `blur_px`.

    No real lens, but what a portrait wants: the subject is sharp as a whole, although it is not flat, and noise of
    disparity, which so strong a blur would show where all is of nearly one depth, is not seen in it.
    """
    focus = scene.scale_m_px / focus_m
    far = scene.scale_m_px / scene.percentile_m(90)
    near = scene.scale_m_px / scene.percentile_m(10)
    reach = max(abs(focus - far), 0.5 * abs(near - focus), 1.0)
    sharp = min(max(SHARP_SHARE * reach, NOISE_PX), 0.5 * reach)
    return Lens(focus, blur_px / (reach - sharp), 1.5 * blur_px, sharp)


def aperture_of(scene: EffectScene, lens: Lens) -> float:
    """Diameter of the aperture that blurs like this lens, metres."""
    return 2 * lens.gain * scene.rectification.baseline_m


def defocus(scene: EffectScene, lens: Lens, *, highlights: float = 0.0) -> U8:
    """Blur what is out of focus; (H,W,3) uint8 BGR.

    highlights: how much cut-off lights regain before they are blurred (0 none, 1 strong): a lamp that the camera cut
    at white was brighter than white, and makes bright discs.
    """
    light = to_linear(scene.left)
    if highlights > 0:
        excess = np.clip((light.min(axis=2) - 0.85) / 0.15, 0, 1)
        light = light * (1 + np.float32(4 * highlights) * excess * excess)[:, :, None]
    beside = scene.shifted_px - np.float32(lens.focus_px)
    if lens.sharp_px > 0:
        beside = beside - np.clip(beside, -lens.sharp_px, lens.sharp_px)
    signed = np.clip(beside * np.float32(lens.gain), -lens.largest_px, lens.largest_px)
    radii = layer_radii(float(signed.min()), float(signed.max()), 3 if scene.quick else 10)
    return to_srgb(_composite(light, signed.astype(np.float32), radii, quick=scene.quick))


def layer_radii(lowest: float, highest: float, most: int) -> list[float]:
    """Signed blur radii of the layers, far (negative) to near: 0 in the middle, steps growing with the radius."""

    def side(reach: float) -> list[float]:
        radii: list[float] = []
        growth = 1.35
        while True:
            radii, radius, step = [], 0.0, SMALLEST_STEP_PX
            while radius < reach - 0.3:
                radius = min(radius + step, reach)
                radii.append(radius)
                step *= growth
            if len(radii) <= most:
                return radii
            growth *= 1.15

    return [-r for r in reversed(side(max(-lowest, 0.0)))] + [0.0] + side(max(highest, 0.0))


def _composite(light: F32, signed: F32, radii: list[float], *, quick: bool) -> F32:
    """Lay the layers over one another, far to near."""
    if not quick:
        return _stack(light, signed, radii, range(len(radii)), opaque=True)[0]
    # Live: what is blurred is made at half size; only the layer in focus needs every pixel.
    height, width = signed.shape
    size = (width // 2, height // 2)
    small_light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
    small_signed = np.asarray(cv2.resize(signed, size, interpolation=cv2.INTER_NEAREST), np.float32)
    focus = radii.index(0.0)
    result = light
    if focus > 0:
        behind, _ = _stack(small_light, small_signed, radii, range(focus), opaque=True, zoom=0.5)
        sharp = cv2.blur(_at_least(signed, radii, focus), (3, 3))
        result = mix(_grown(behind, width, height), light, np.asarray(sharp, np.float32))
    if focus < len(radii) - 1:
        front, alpha = _stack(small_light, small_signed, radii, range(focus + 1, len(radii)), opaque=False, zoom=0.5)
        front /= np.maximum(alpha, 1e-4)[:, :, None]
        result = mix(result, _grown(front, width, height), _grown(alpha, width, height))
    return result


def _grown(array: F32, width: int, height: int) -> F32:
    return np.asarray(cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def mix(below: F32, above: F32, alpha: F32) -> F32:
    """Lay (H,W,3) `above` with (H,W) `alpha` over `below`."""
    return np.asarray(cv2.blendLinear(above, below, alpha, 1 - alpha), np.float32)


def _stack(
    light: F32, signed: F32, radii: list[float], chosen: range, *, opaque: bool, zoom: float = 1.0
) -> tuple[F32, F32]:
    """Blur the `chosen` layers and lay them over one another.

    opaque: the farthest goes on behind everything. zoom: size of the given arrays against the radii.

    Returns: colour (H,W,3), premultiplied, and its alpha (H,W).
    """
    height, width = signed.shape
    result: F32 = np.zeros((height, width, 3), np.float32)
    total: F32 = np.zeros((height, width), np.float32)
    for i in chosen:
        weight = _membership(signed, radii, i)
        if not cv2.countNonZero(weight):
            continue
        radius = abs(radii[i]) * zoom
        if opaque and not total.any():
            support = np.ones((height, width), np.float32)
        else:
            # Behind what is nearer the layer goes on as far as the blur of that may uncover it.
            reach = max([radius, *(r * zoom for r in radii[i + 1 :] if r > 0)])
            support = np.minimum(weight + _nearer(signed, radii, i) * _near_to(weight, reach + 3), 1)
        colour, alpha = _spread_and_blur(light, weight, support.astype(np.float32), radius, _scale_for(radius))
        result = mix(result, colour, alpha)
        total = total + (1 - total) * alpha
    return result, total


def _membership(signed: F32, radii: list[float], i: int) -> F32:
    """Share of each pixel in layer i: 1 at its radius, falling to 0 at its neighbours', so that nothing is banded."""
    if i == len(radii) - 1:
        return _at_least(signed, radii, i)
    return np.asarray(_at_least(signed, radii, i) - _at_least(signed, radii, i + 1), np.float32)


def _at_least(signed: F32, radii: list[float], i: int) -> F32:
    """Share of each pixel in layer i and the nearer ones: a ramp from the radius of layer i − 1 to that of i."""
    if i == 0:
        return np.ones(signed.shape, np.float32)
    span = radii[i] - radii[i - 1]
    ramp = (signed - np.float32(radii[i - 1])) * np.float32(1 / span)
    return np.asarray(np.clip(ramp, 0, 1, out=ramp), np.float32)


def _nearer(signed: F32, radii: list[float], i: int) -> F32:
    """Share of each pixel in the layers nearer than i."""
    return _at_least(signed, radii, i + 1) if i < len(radii) - 1 else np.zeros(signed.shape, np.float32)


def _near_to(weight: F32, reach: float) -> F32:
    """Mask, 1 within `reach` px of where the layer has pixels."""
    size = 2 * int(np.ceil(reach)) + 1
    return np.asarray(cv2.dilate((weight > 0.02).astype(np.float32), np.ones((size, size), np.uint8)), np.float32)


def _scale_for(radius: float) -> float:
    """A strong blur needs few pixels: half size from a radius of 5 px, a quarter from 10 px."""
    return 1.0 if radius < 5 else 0.5 if radius < 10 else 0.25


@lru_cache(maxsize=64)
def disc(radius: float) -> F32:
    """Disc with a soft rim that sums to 1, (k,k) float32: the picture of a point out of focus."""
    half = int(np.ceil(radius + 0.5))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _spread_and_blur(light: F32, weight: F32, support: F32, radius: float, scale: float) -> tuple[F32, F32]:
    """Colour (H,W,3) of a layer, its own colours spread over its support, and alpha (H,W), both blurred."""
    height, width = weight.shape
    weighted: Any = cv2.merge([*(plane * weight for plane in cv2.split(light)), weight])
    alpha: Any = support
    if scale != 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        weighted = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    colour: Any = spread(weighted)
    if radius >= SHARP_PX:
        # Blurred together, so that the edge of the picture is the only border.
        both = cv2.merge([*(plane * alpha for plane in cv2.split(colour)), alpha])
        both = cv2.filter2D(both, -1, disc(radius * scale), borderType=cv2.BORDER_REPLICATE)
        *planes, alpha = cv2.split(both)
        share = 1 / np.maximum(alpha, 1e-4)
        colour = cv2.merge([plane * share for plane in planes])
    else:
        alpha = cv2.GaussianBlur(alpha, (3, 3), 0)  # an outline of whole pixels would look cut out
    if scale != 1:
        colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)
        alpha = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colour, np.float32), np.asarray(alpha, np.float32)


def spread(weighted: F32) -> F32:
    """Spread colours into where their weight is 0, smoothly: pull-push (Gortler et al., "The Lumigraph", 1996).

    weighted: (H,W,4) float32: colour times weight, and the weight, 0..1. Returns: (H,W,3) float32.
    """
    levels: list[Any] = [weighted]
    while min(levels[-1].shape[:2]) > 4:
        *planes, weight = cv2.split(cv2.pyrDown(levels[-1]))
        # Weights saturate from level to level, so that a hole takes the colours that are nearest to it.
        grown = 1 - (1 - np.minimum(weight, 1)) ** 4
        factor = grown / np.maximum(weight, 1e-6)
        levels.append(cv2.merge([*(plane * factor for plane in planes), grown]))
    filled: Any = levels[-1][:, :, :3] / np.maximum(levels[-1][:, :, 3:], 1e-6)
    for level in reversed(levels[:-1]):
        *planes, weight = cv2.split(level)
        below = cv2.split(cv2.resize(filled, (level.shape[1], level.shape[0]), interpolation=cv2.INTER_LINEAR))
        rest = 1 - weight
        filled = cv2.merge([plane + under * rest for plane, under in zip(planes, below)])
    return np.asarray(filled, np.float32)
