"""What depth is good for: effects as pure functions of a pair and its depth.

    effect = apply_effect("fog", scene_of(result), EffectSettings(visibility_m=12))
    effect = EFFECTS["focus"]()                     # live: quick, steady from frame to frame
    picture = effect(result)

`EFFECTS` maps a name to what makes a live effect; `EFFECT_NAMES` are those of the command line.
"""

from __future__ import annotations

from livestereo.render.effects.apply import Effect, apply_effect
from livestereo.render.effects.live import EFFECTS, LiveEffect
from livestereo.render.effects.scene import EffectScene, scene_of
from livestereo.render.effects.settings import EFFECT_NAMES, Chosen, EffectName, EffectSettings, choose

__all__ = [
    "EFFECTS", "EFFECT_NAMES", "Chosen", "Effect", "EffectName", "EffectScene", "EffectSettings", "LiveEffect",
    "apply_effect", "choose", "scene_of",
]  # fmt: skip
