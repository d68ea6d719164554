"""Both views for both eyes: anaglyph for coloured glasses, side by side for free viewing. Pure.

`shift_px` moves the plane of zero parallax: points of that disparity appear on the screen, nearer ones before it.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from livestereo.render.effects.light import to_linear, to_srgb
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8

Glasses = Literal["dubois", "colour", "half-colour", "gray"]
SideBySide = Literal["parallel", "cross", "half"]
GLASSES: tuple[Glasses, ...] = ("dubois", "colour", "half-colour", "gray")
LAYOUTS: tuple[SideBySide, ...] = ("parallel", "cross", "half")

# Rows R, G, B of what each eye's R, G, B give, for red-cyan glasses, in linear light: Dubois, "A projection method
# to generate anaglyph stereo images", ICASSP 2001 (values as published by the author).
_DUBOIS = (
    np.array([[0.437, 0.449, 0.164], [-0.062, -0.062, -0.024], [-0.048, -0.050, -0.017]], np.float32),
    np.array([[-0.011, -0.032, -0.007], [0.377, 0.761, 0.009], [-0.026, -0.093, 1.234]], np.float32),
)
_LUMA = (0.299, 0.587, 0.114)
_NOTHING = (0.0, 0.0, 0.0)
_MATRICES: dict[Glasses, tuple[F32, F32]] = {
    "dubois": _DUBOIS,
    "colour": (
        np.array([(1, 0, 0), _NOTHING, _NOTHING], np.float32),
        np.array([_NOTHING, (0, 1, 0), (0, 0, 1)], np.float32),
    ),
    "half-colour": (
        np.array([_LUMA, _NOTHING, _NOTHING], np.float32),
        np.array([_NOTHING, (0, 1, 0), (0, 0, 1)], np.float32),
    ),
    "gray": (
        np.array([_LUMA, _NOTHING, _NOTHING], np.float32),
        np.array([_NOTHING, _LUMA, _LUMA], np.float32),
    ),
}


def comfortable_shift(scene: EffectScene) -> int:
    """Choose the plane of zero parallax, px of disparity: a fifth of the scene before the screen, the rest behind."""
    known = scene.disparity_px[::4, ::4][scene.known[::4, ::4]]
    return round(float(np.percentile(known if known.size else scene.disparity_px, 80)))


def shifted_views(left: U8, right: U8, shift_px: int) -> tuple[U8, U8]:
    """Move the right view by `shift_px` to the right and cut both to what they share, (H, W − |shift|, 3)."""
    width = left.shape[1]
    shift = int(np.clip(shift_px, -(width - 2), width - 2))
    if shift >= 0:
        return left[:, shift:], right[:, : width - shift]
    return left[:, :shift], right[:, -shift:]


def anaglyph(left: U8, right: U8, glasses: Glasses = "dubois") -> U8:
    """Combine two (H,W,3) BGR views for red-cyan glasses, red before the left eye.

    dubois: least ghosting and true colours; colour: strongest colours; half-colour: easier on the eyes; gray.
    """
    for_left, for_right = _MATRICES[glasses]
    if glasses == "dubois":
        light = cv2.transform(to_linear(left), for_left[::-1, ::-1])
        return to_srgb(np.asarray(cv2.add(light, cv2.transform(to_linear(right), for_right[::-1, ::-1])), np.float32))
    first, second = cv2.transform(left, for_left[::-1, ::-1]), cv2.transform(right, for_right[::-1, ::-1])
    return np.asarray(cv2.add(first, second), np.uint8)


def side_by_side(left: U8, right: U8, layout: SideBySide = "parallel") -> U8:
    """Put the views beside each other: `parallel`, `cross` (right view on the left), `half` (each half as wide)."""
    if layout == "cross":
        left, right = right, left
    if layout == "half":
        width = left.shape[1] // 2
        left, right = (
            np.asarray(cv2.resize(i, (width, i.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
            for i in (left, right)
        )
    return np.hstack([left, right])
