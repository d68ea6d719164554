"""Effects for the window: quick, of the picture's own size, and steady from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np

from livestereo.render.effects.apply import apply_effect
from livestereo.render.effects.cutout import checkerboard, over
from livestereo.render.effects.occlude import circling_spheres
from livestereo.render.effects.scene import EffectScene, scene_of
from livestereo.render.effects.settings import Chosen, EffectSettings, choose
from livestereo.render.effects.stereo3d import anaglyph, shifted_views, side_by_side
from livestereo.render.effects.views import still_at, view_between
from livestereo.types import U8, StereoResult

SETTLE_S = 0.4  # in this time a choice comes nearer by 63 % to what the newest pair alone would choose
SWING_S = 1.6
CIRCLE_S = 9.0


class LiveEffect:
    """One effect on results in order; keeps nothing but the choices it made last, so that nothing flickers."""

    def __init__(self, name: str, settings: EffectSettings | None = None, label: str = "") -> None:
        self.name = name
        self.label = label or name
        self._settings = settings or EffectSettings()
        self._before: Chosen | None = None
        self._before_seq = -1
        self._before_s = 0.0
        self._wanted: EffectSettings | None = None

    def __call__(self, result: StereoResult, settings: EffectSettings | None = None) -> U8:
        """Give the picture with the effect, upright, (H,W,3) uint8 BGR of the left picture's size.

        `settings` replaces this effect's own; None keeps them.
        """
        scene = scene_of(result, quick=True)
        wanted = replace(settings or self._settings, time=result.pair.t_s)
        if settings is not None:
            wanted = replace(wanted, medium=self._settings.medium)
        asked = replace(wanted, time=0.0)
        if asked != self._wanted and result.frame.seq == self._before_seq:
            self.reset()  # paused: there are no further pairs over which the focus could move
        self._wanted = asked
        chosen = self.steady(choose(scene, wanted), result.frame.seq, result.pair.t_s)
        return scene.rectification.to_display(self._picture(scene, chosen, result.pair.t_s))

    def steady(self, chosen: Chosen, seq: int, t_s: float) -> Chosen:
        """Smooth choices over time; a jump back starts afresh, and a pair that comes again keeps what it had."""
        if self._before is not None and seq >= self._before_seq:
            chosen = chosen.smoothed(self._before, 1 - math.exp(-max(0.0, t_s - self._before_s) / SETTLE_S))
        self._before, self._before_seq, self._before_s = chosen, seq, t_s
        return chosen

    def reset(self) -> None:
        """Forget the choices made so far."""
        self._before = None

    def _picture(self, scene: EffectScene, chosen: Chosen, t_s: float) -> U8:
        width, height = scene.size_wh
        if self.name == "anaglyph":
            return _padded(anaglyph(*shifted_views(scene.left, scene.right, round(chosen.shift_px))), width, chosen)
        if self.name == "sbs":
            views = shifted_views(scene.left, scene.right, round(chosen.shift_px))
            half = side_by_side(*views, "half")
            return np.asarray(cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if self.name == "wiggle":
            t = 0.5 - 0.5 * float(np.cos(2 * np.pi * t_s / SWING_S))
            return still_at(view_between(scene, t, scene.right), t, chosen.pivot_px)
        if self.name == "cutout":
            return over(apply_effect("cutout", scene, chosen=chosen).image, checkerboard(width, height))
        if self.name == "occlude" and chosen.settings.things is None:
            things = tuple(circling_spheres(scene, t_s / CIRCLE_S))
            chosen = replace(chosen, settings=replace(chosen.settings, things=things))
        return apply_effect(self.name, scene, chosen=chosen).image


def _padded(image: U8, width: int, chosen: Chosen) -> U8:
    """Widen to the left picture's size, each pixel where the left picture has it."""
    missing = width - image.shape[1]
    left, right = (missing, 0) if chosen.shift_px > 0 else (0, missing)
    return np.asarray(cv2.copyMakeBorder(image, 0, 0, left, right, cv2.BORDER_CONSTANT), np.uint8)


# Each makes an effect of its own: what it remembers belongs to one window.
EFFECTS: Mapping[str, Callable[[], LiveEffect]] = MappingProxyType(
    {
        "fog": partial(LiveEffect, "fog"),
        "smoke": partial(LiveEffect, "fog", EffectSettings(medium="smoke"), "smoke"),
        "water": partial(LiveEffect, "fog", EffectSettings(medium="water"), "under water"),
        "focus": partial(LiveEffect, "focus"),
        "miniature": partial(LiveEffect, "miniature"),
        "occlude": partial(LiveEffect, "occlude", None, "spheres"),
        "cutout": partial(LiveEffect, "cutout", None, "background removed"),
        "wiggle": partial(LiveEffect, "wiggle"),
        "anaglyph": partial(LiveEffect, "anaglyph"),
        "sbs": partial(LiveEffect, "sbs", None, "side by side"),
    }
)
