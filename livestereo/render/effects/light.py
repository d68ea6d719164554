"""Light is added in linear light: pictures are not. Conversion both ways by table (IEC 61966-2-1, sRGB). Pure."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from livestereo.types import F32, U8

_STEPS = 4096


@lru_cache(maxsize=1)
def _to_linear_table() -> F32:
    value = np.arange(256) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@lru_cache(maxsize=1)
def _to_srgb_table() -> U8:
    # Indexed by the square root of the light, or the dark tones would have too few steps.
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(value * 255).clip(0, 255), np.uint8)


def to_linear(image: U8) -> F32:
    """Linear light 0..1, float32, of an sRGB picture, uint8."""
    return np.asarray(cv2.LUT(image, _to_linear_table()), np.float32)


def to_srgb(light: F32) -> U8:
    """Turn linear light into an sRGB picture, uint8; light above 1 is cut."""
    root = np.maximum(light, np.float32(0))
    np.sqrt(root, out=root)
    root *= np.float32(_STEPS - 1)
    np.minimum(root, np.float32(_STEPS - 1), out=root)
    return np.asarray(_to_srgb_table().take(root.astype(np.uint16)), np.uint8)


def colour_to_linear(bgr: tuple[float, float, float]) -> F32:
    """Linear light (3,) of an sRGB colour given as B, G, R in 0..255."""
    value = np.asarray(bgr, np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
