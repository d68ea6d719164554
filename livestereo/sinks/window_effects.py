"""Effects in the window: the next one by a key, and a click that brings a depth into focus."""

from __future__ import annotations

from livestereo.errors import LiveStereoError
from livestereo.render.effects import EFFECTS, EffectSettings, scene_of
from livestereo.render.effects.settings import depth_at
from livestereo.render.views import to_rectified
from livestereo.sinks.window_scene import length_text
from livestereo.types import U8, StereoResult


class WindowEffects:
    """Renders effects by name; remembers what was brought into focus."""

    def __init__(self) -> None:
        self._effects = {name: make() for name, make in EFFECTS.items()}
        self._focus: EffectSettings | None = None
        self.serial = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in the order of the key."""
        return tuple(self._effects)

    def label(self, name: str) -> str:
        """What to call an effect to a person."""
        return self._effects[name].label.capitalize()

    def render(self, name: str, result: StereoResult) -> U8:
        """Render one, upright, (H,W,3) uint8 BGR."""
        return self._effects[name](result, self._focus if name == "focus" else None)

    def focus_at(self, result: StereoResult, u: float, v: float) -> str:
        """Focus on what lies at a displayed position; give what to tell the person."""
        x, y = to_rectified(u, v, result)
        try:
            depth, note = depth_at(scene_of(result, quick=True), x, y)
            self._focus = EffectSettings(focus_m=depth)
            self.serial += 1
        except LiveStereoError as error:
            return error.what
        unit = length_text(depth) if result.pair.rectification.metric else f"{depth:.3g}"
        return f"Focus at {unit}. {note}".strip()
