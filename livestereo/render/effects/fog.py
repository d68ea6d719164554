"""Fog, smoke and water, as light goes through them. Pure.

What reaches the camera from a point at depth Z is its own light, weakened on the way, and the light that the medium
scatters into the line of sight (Koschmieder 1924; Nayar & Narasimhan, "Vision in bad weather", ICCV 1999):

    L = I · e^(−βZ) + A · (1 − e^(−βZ)),   in linear light

Visibility V is the distance at which a black object keeps 2 % of its contrast: β = 3.912 / V.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from livestereo.render.effects.light import to_linear, to_srgb
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8

Medium = Literal["fog", "smoke", "water"]
KOSCHMIEDER = 3.912  # −ln 0.02

# Weakening of blue, green, red relative to the best-seen colour. Water: near the ratios of Jerlov's coastal type 1
# at 450, 525 and 600 nm (Solonenko & Mobley, "Inherent optical properties of Jerlov water types", 2015).
RELATIVE_BETA: dict[str, tuple[float, float, float]] = {
    "fog": (1.0, 1.0, 1.0),
    "smoke": (1.0, 1.0, 1.0),
    "water": (1.15, 1.0, 3.2),
}
# Colour of the light that the medium scatters, linear B, G, R, before it is fitted to the brightness of the scene.
TINT: dict[str, tuple[float, float, float]] = {
    "fog": (1.03, 1.0, 0.98),
    "smoke": (0.98, 0.99, 1.0),
    "water": (0.85, 0.62, 0.10),
}
BRIGHTNESS: dict[str, float] = {"fog": 1.0, "smoke": 0.72, "water": 0.55}


@dataclass(frozen=True)
class Layer:
    """A medium that thins with height: density e^(−h / scale_m) at height h above `base_y_m` (y points down).

    up: unit vector of "up" in the rectified frame, (x, y). rising: thins downwards instead, as hot smoke does.
    """

    base_m: float
    scale_m: float
    up: tuple[float, float] = (0.0, -1.0)
    rising: bool = False


def airlight_of(image_bgr: U8, medium: Medium) -> F32:
    """Choose the scattered light, (3,) linear BGR, so that it belongs to the scene: as bright as its bright parts.

    The 90th percentile of the scene's light is what a white thing in it shows; fog is lit by the same lamps.
    """
    light = to_linear(np.ascontiguousarray(image_bgr[::8, ::8])).reshape(-1, 3)
    bright = float(np.percentile(light.mean(axis=1), 90))
    level = float(np.clip(bright, 0.18, 0.75)) * BRIGHTNESS[medium]
    return (np.asarray(TINT[medium]) * level).astype(np.float32)


def transmission(depth_m: F32, beta_per_m: float, layer: Layer | None, scene: EffectScene, wisps: F32 | None) -> F32:
    """Optical depth τ (H,W) of the way from the camera to each pixel; light that passes is e^(−τ)."""
    tau = depth_m * np.float32(beta_per_m)
    if layer is not None:
        tau *= _mean_density(depth_m, layer, scene)
    if wisps is not None:
        tau *= wisps
    return tau


def _mean_density(depth_m: F32, layer: Layer, scene: EffectScene) -> F32:
    """Mean of e^(−h/H) along the way from the camera (height h_c) to the pixel (h_p), which has a closed form."""
    r = scene.rectification
    height, width = depth_m.shape
    x = (np.arange(width, dtype=np.float32) - np.float32(r.cx_px)) / np.float32(r.focal_px)
    y = (np.arange(height, dtype=np.float32) - np.float32(r.cy_px)) / np.float32(r.focal_px)
    slope = x[None, :] * np.float32(layer.up[0]) + y[:, None] * np.float32(layer.up[1])
    sign = -1.0 if layer.rising else 1.0
    camera = np.float32(sign * layer.base_m / layer.scale_m)  # height of the camera over the base, in scales
    climb = depth_m * slope * np.float32(sign / layer.scale_m)
    climb = np.where(np.abs(climb) < 1e-3, np.float32(1e-3), climb)
    # ∫₀¹ e^(−(camera + s·climb)) ds; limited, because far below the base the formula has no bound.
    mean = np.exp(-np.clip(camera, -4, 12)) * (1 - np.exp(-np.clip(climb, -8, 30))) / climb
    return np.asarray(np.minimum(mean, np.float32(6)), np.float32)


def wisps_of(height: int, width: int, seed: int = 0, drift: float = 0.0) -> F32:
    """Uneven density, (H,W) float32 around 1: noise of four sizes, moved sideways by `drift` picture widths."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(4):
        cells = 4 * 2**octave
        grid = rng.normal(0, 1, (cells, cells)).astype(np.float32)
        grid = np.hstack([grid, grid[:, :1]])  # ends as it begins, so that it can drift round
        wide = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += np.roll(wide, round(drift * width), axis=1) * np.float32(0.5**octave)
    return np.asarray(np.exp(np.float32(0.33) * total), np.float32)


def fog(
    scene: EffectScene,
    visibility_m: float,
    *,
    medium: Medium = "fog",
    airlight: F32 | None = None,
    layer: Layer | None = None,
    wisps: F32 | None = None,
) -> U8:
    """Put the scene into fog, smoke or water; (H,W,3) uint8 BGR.

    visibility_m: distance at which 2 % of contrast is left (in water: for the colour that carries farthest).
    airlight: (3,) linear BGR of the scattered light; fitted to the scene if left out.
    layer: thins with height. wisps: (H,W) float32 around 1, uneven density.
    """
    light = to_linear(scene.left)
    ambient = airlight_of(scene.left, medium) if airlight is None else airlight
    tau = transmission(scene.depth_m, KOSCHMIEDER / visibility_m, layer, scene, wisps)
    relative = RELATIVE_BETA[medium]
    if relative == (1.0, 1.0, 1.0):
        through = np.exp(-tau)[:, :, None]
    else:
        through = np.stack([np.exp(-tau * np.float32(share)) for share in relative], axis=2)
    return to_srgb((light - ambient) * through + ambient)


def layer_of(scene: EffectScene, *, rising: bool = False) -> Layer:
    """Fit a layer to the scene: it lies on what is lowest (or hangs under what is highest) and thins over a fifth."""
    turns = scene.rectification.display_turns % 4
    up = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)][turns]
    r = scene.rectification
    depth = scene.depth_m[::8, ::8]
    height, width = scene.depth_m.shape
    x = ((np.arange(0, width, 8) - r.cx_px) / r.focal_px)[None, :]
    y = ((np.arange(0, height, 8) - r.cy_px) / r.focal_px)[:, None]
    far = float(np.percentile(depth, 90))
    climb = np.where(depth <= far, depth * (x * up[0] + y * up[1]), np.nan)
    low, high = (float(v) for v in np.nanpercentile(climb, (2, 98)))
    span = max(high - low, 1e-3)
    return Layer(base_m=-high if rising else -low, scale_m=0.22 * span, up=up, rising=rising)
