"""One effect on one scene: the picture, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from livestereo.render.effects.cutout import cutout
from livestereo.render.effects.focus import Lens, aperture_of, defocus, lens_of_aperture, lens_of_blur
from livestereo.render.effects.fog import fog, layer_of, wisps_of
from livestereo.render.effects.occlude import automatic_spheres, insert
from livestereo.render.effects.scene import EffectScene
from livestereo.render.effects.settings import Chosen, EffectSettings, aperture_diameter_m, choose
from livestereo.render.effects.stereo3d import anaglyph, shifted_views, side_by_side
from livestereo.render.effects.views import matched_right, wiggle
from livestereo.types import U8

BLUR_SHARE = 0.017  # radius of the far background's blur, of the picture's width, when no aperture is asked for


@dataclass(frozen=True)
class Effect:
    """What an effect made.

    image: (H,W,3) BGR, or (H,W,4) BGRA for a cut-out. frames: an endless loop of pictures (wiggle). views: left and
    right, for formats that keep both apart (sbs). details: figures for a script. notes: what the user should know.
    """

    image: U8
    frames: tuple[U8, ...] = ()
    views: tuple[U8, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def apply_effect(
    name: str, scene: EffectScene, settings: EffectSettings | None = None, chosen: Chosen | None = None
) -> Effect:
    """Make one effect; `chosen` overrides what would be chosen from this scene (for films).

    Raises:
        SettingsError: a focus point outside the picture.
    """
    made = chosen or choose(scene, settings or EffectSettings())
    effect = _MAKERS[name](scene, made)
    return Effect(effect.image, effect.frames, effect.views, effect.details, (*made.notes, *effect.notes))


def _fog(scene: EffectScene, chosen: Chosen) -> Effect:
    settings = chosen.settings
    layer = wisps = None
    if settings.medium == "smoke":
        layer = layer_of(scene, rising=settings.rising)
        height, width = scene.depth_m.shape
        half = wisps_of(height // 2, width // 2, drift=settings.time * 0.02)
        wisps = np.asarray(cv2.resize(half, (width, height)), np.float32)
    image = fog(scene, chosen.visibility_m, medium=settings.medium, layer=layer, wisps=wisps)
    return Effect(image, details={"visibility_m": chosen.visibility_m, "medium": settings.medium})


def _lens(scene: EffectScene, chosen: Chosen, share: float) -> Lens:
    settings = chosen.settings
    if settings.aperture is not None:
        return lens_of_aperture(scene, chosen.focus_m, aperture_diameter_m(scene, settings.aperture))
    return lens_of_blur(scene, chosen.focus_m, settings.blur_px or share * scene.size_wh[0])


def _focus(scene: EffectScene, chosen: Chosen) -> Effect:
    lens = _lens(scene, chosen, BLUR_SHARE)
    image = defocus(scene, lens, highlights=0.0 if scene.quick else 0.3)
    return Effect(image, details={"focus_m": chosen.focus_m, "aperture_m": aperture_of(scene, lens)})


def _miniature(scene: EffectScene, chosen: Chosen) -> Effect:
    """Make it look small: the shallow focus of a macro lens, and the strong colours and light of a model."""
    lens = _lens(scene, chosen, 1.35 * BLUR_SHARE)
    image = defocus(scene, replace(lens, gain=1.5 * lens.gain, largest_px=1.1 * lens.largest_px))
    return Effect(vivid(image), details={"focus_m": chosen.focus_m})


def vivid(image: U8, saturation: float = 1.35, contrast: float = 0.35) -> U8:
    """Strengthen colours, and contrast by an S-curve; (H,W,3) uint8 BGR."""
    value = np.arange(256) / 255.0
    curve = value + contrast * (value - 0.5) * value * (1 - value) * 4 * 0.6
    table = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)
    lab = cv2.cvtColor(cv2.LUT(image, table), cv2.COLOR_BGR2YCrCb)
    chroma = np.clip((np.arange(256) - 128) * saturation + 128.5, 0, 255).astype(np.uint8)
    tables = np.dstack([np.arange(256, dtype=np.uint8), chroma, chroma])
    return np.asarray(cv2.cvtColor(cv2.LUT(lab, tables), cv2.COLOR_YCrCb2BGR), np.uint8)


def _anaglyph(scene: EffectScene, chosen: Chosen) -> Effect:
    left, right = shifted_views(scene.left, matched_right(scene), round(chosen.shift_px))
    return Effect(anaglyph(left, right, chosen.settings.glasses), details={"shift_px": round(chosen.shift_px)})


def _sbs(scene: EffectScene, chosen: Chosen) -> Effect:
    views = shifted_views(scene.left, matched_right(scene), round(chosen.shift_px))
    image = side_by_side(*views, chosen.settings.layout)
    return Effect(image, views=views, details={"shift_px": round(chosen.shift_px), "layout": chosen.settings.layout})


def _wiggle(scene: EffectScene, chosen: Chosen) -> Effect:
    settings = chosen.settings
    frames = wiggle(scene, between=settings.between, pivot=chosen.pivot_px, reach=settings.reach)
    return Effect(frames[len(frames) // 4], tuple(frames), details={"frames": len(frames)})


def _occlude(scene: EffectScene, chosen: Chosen) -> Effect:
    given = chosen.settings.things
    made = insert(scene, automatic_spheres(scene) if given is None else list(given))
    details = {
        "drawn": list(made.drawn),
        "culled": [name for name, _ in made.culled],
        "culled_why": dict(made.culled),
        "visible_share": made.share,
    }
    return Effect(made.image, details=details)


def _cutout(scene: EffectScene, chosen: Chosen) -> Effect:
    image = cutout(scene, chosen.settings.near_m, chosen.far_m)
    share = float((image[:, :, 3] > 127).mean())
    return Effect(
        image, details={"near_m": chosen.settings.near_m, "far_m": chosen.far_m, "kept_percent": 100 * share},
        notes=() if 0.003 < share < 0.997 else (_nothing_cut(scene, chosen, share),),
    )  # fmt: skip


def _nothing_cut(scene: EffectScene, chosen: Chosen, share: float) -> str:
    """Say what lies where, so that distances can be chosen that divide it."""
    unit = " m" if scene.rectification.metric else ""
    asked = f"between {chosen.settings.near_m:g} and {chosen.far_m:.3g}{unit}"
    found = f"nothing lies {asked}, all is transparent" if share < 0.5 else f"all lies {asked}, nothing was cut away"
    low, high = scene.percentile_m(1), scene.percentile_m(99)
    return (
        f"Cut-out: {found}. Depth here is from {low:.3g} to {high:.3g}{unit}{'' if unit else ' (relative)'}: "
        "choose within it with --near and --far."
    )


_MAKERS: Mapping[str, Callable[[EffectScene, Chosen], Effect]] = MappingProxyType(
    {
        "fog": _fog, "focus": _focus, "miniature": _miniature, "anaglyph": _anaglyph, "sbs": _sbs,
        "wiggle": _wiggle, "occlude": _occlude, "cutout": _cutout,
    }
)  # fmt: skip
