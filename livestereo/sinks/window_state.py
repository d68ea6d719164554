"""What a person has chosen to see, and what their keys and mouse ask for. No display, no drawing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from livestereo.display import Closed, Event, Key, Mouse
from livestereo.errors import LiveStereoError
from livestereo.parameters import MATCHER_NAMES
from livestereo.ranges import find_range, nearest_depth_m
from livestereo.render.colorize import COLORMAPS, DepthRange, automatic_range
from livestereo.render.compose import Message, default_range
from livestereo.render.layout import Layout
from livestereo.render.overlay import Tone
from livestereo.render.views import VIEW_TEXT, VIEWS, Look
from livestereo.settings import DEFAULT_FILE, Settings, as_preset, preset_names, sgm_installed
from livestereo.settings_file import read_settings_file, save_preset
from livestereo.sinks.window_keys import line_for, working
from livestereo.sinks.window_panel import Outcome, TuningPanel
from livestereo.timing import Clock, monotonic
from livestereo.types import Action, StereoResult

MESSAGE_S, FADE_S = 3.0, 0.6
HELP_AT_START_S = 6.0
CLICK_PX = 4  # a press that moves less is a click, not a drag


@dataclass(frozen=True)
class Measurement:
    """A point (start == end) or a line that the person set, in displayed picture pixels."""

    start: tuple[float, float]
    end: tuple[float, float]


@dataclass
class _Timed:
    message: Message
    until_s: float
    topic: str = ""


class WindowState:
    """Everything that keys and mouse change on the screen; what the run must do is given as actions.

    can: what this run is able to do (see `window_keys`). Colours and range are the view's own; all other settings
    change only through `settings` actions.
    """

    def __init__(
        self, settings: Settings, *, can: Collection[str] = (), config_file: Path | None = None,
        clock: Clock = monotonic, view: str = "split", effects: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.settings = settings
        self.can = frozenset(can)
        self.view = view
        self.effects = tuple(effects)
        self.effect: str | None = None
        self.panel = TuningPanel()
        self.measurements: list[Measurement] = []
        self.mouse: tuple[int, int] | None = None
        self.depth_range: DepthRange | None = None
        self.automatic = settings.range_auto
        self._metric = True
        self.colormap = settings.colormap
        self._config_file = config_file
        self._clock = clock
        self._messages: list[_Timed] = []
        self._help_until = clock() + HELP_AT_START_S
        self._pressed: tuple[tuple[float, float], tuple[int, int]] | None = None
        self.drag: Measurement | None = None
        self.count: int | None = None  # pairs of the source, where that is known
        self._seeking = False

    # What is shown

    @property
    def help_shown(self) -> bool:
        """Whether the list of keys is on the screen: at the start for a while, later when asked."""
        return self._clock() < self._help_until

    def hide_help(self) -> None:
        """Take the list of keys away."""
        self._help_until = 0.0

    def say(self, text: str, tone: Tone = "plain", seconds: float = MESSAGE_S, topic: str = "") -> None:
        """Show a message that fades; the same text is not shown twice at a time, and one on a topic replaces others."""
        kept = [one for one in self._messages if one.message.text != text and not (topic and one.topic == topic)]
        self._messages = [*kept, _Timed(Message(text, 1.0, tone), self._clock() + seconds, topic)]

    def messages(self) -> tuple[Message, ...]:
        """Give the messages of this moment with their opacity."""
        now = self._clock()
        self._messages = [one for one in self._messages if one.until_s > now]
        return tuple(
            replace(one.message, opacity=min(1.0, round((one.until_s - now) / FADE_S, 2))) for one in self._messages
        )

    def look(self, result: StereoResult) -> Look:
        """Give the colours for a result; the range is fixed at the first one unless it is automatic."""
        self._metric = result.pair.rectification.metric
        if self.automatic:
            found = automatic_range(result.depth_m)
            if found is not None:
                self.depth_range = _eased(self.depth_range, found)
        if self.depth_range is None:
            self.depth_range = self.range_from_settings(result)
        return Look(self.depth_range, self.colormap)

    def range_from_settings(self, result: StereoResult) -> DepthRange:
        """Give the fixed range: as set, else the depths of interest, else what this rig can tell apart."""
        rectification = result.pair.rectification
        usual = default_range(
            rectification.focal_px, rectification.baseline_m,
            nearest_depth_m(find_range(self.settings, rectification), rectification),
        )  # fmt: skip
        near = self.settings.range_near or self.settings.min_depth or usual.near_m
        far = self.settings.range_far or self.settings.max_depth or max(usual.far_m, near * 2)
        return DepthRange(near, far) if near < far else DepthRange(near, near * 10)

    # What is asked

    def take(self, event: Event, layout: Layout | None) -> list[Action]:
        """Take one event of the window; give what the run must do."""
        if isinstance(event, Closed):
            return [Action("quit")]
        if isinstance(event, Mouse):
            return self._take_mouse(event, layout)
        return self._take_key(event)

    def _take_mouse(self, event: Mouse, layout: Layout | None) -> list[Action]:
        self.mouse = (event.x, event.y)
        if event.kind == "press":
            self.hide_help()
        if layout is None:
            return []
        if (sought := self._seek(event, layout)) is not None:
            return sought
        if "tune" in self.can:
            outcome = self.panel.mouse(event, layout.canvas_wh, self.settings)
            if outcome is not False:
                self.mouse = None  # what lies under the panel is not looked at
                return self._of_panel(outcome)
        if "measure" in self.can or self.effect == "focus":
            return self._measure(event, layout)
        return []

    def _seek(self, event: Mouse, layout: Layout) -> list[Action] | None:
        """Go to where the bar is pressed or dragged to; None where the event is about something else."""
        bar = layout.bar
        if "seek" not in self.can or not self.count or bar is None:
            return None
        if event.kind == "press":
            self._seeking = bar.contains(event.x, event.y)
        if not self._seeking:
            return None
        if event.kind == "release":
            self._seeking = False
            return []
        share = min(max((event.x - bar.x) / max(1, bar.w - 1), 0.0), 1.0)
        return [Action("seek", round(share * (self.count - 1)))]

    def _measure(self, event: Mouse, layout: Layout) -> list[Action]:
        pane = layout.pane_at(event.x, event.y)
        at = pane.to_picture(event.x, event.y) if pane else None
        if event.kind == "press" and at:
            self._pressed = (at, (event.x, event.y))
        elif event.kind == "move" and self._pressed and at and "measure" in self.can:
            start, (x, y) = self._pressed
            if abs(event.x - x) + abs(event.y - y) > CLICK_PX:
                self.drag = Measurement(start, at)
        elif event.kind == "release" and self._pressed:
            done = self.drag or Measurement(self._pressed[0], self._pressed[0])
            self._pressed, self.drag = None, None
            if self.effect == "focus" and done.start == done.end:
                return [Action("focus", done.start)]
            if "measure" in self.can:
                self.measurements = [*self.measurements[-3:], done]
        return []

    def _take_key(self, key: Key) -> list[Action]:
        if "tune" in self.can:
            outcome = self.panel.key(key, self.settings)
            if outcome is not False:
                return self._of_panel(outcome)
        line = line_for(key.name)
        if line is None:
            return []
        if line.command == "help":
            self._help_until = 0.0 if self.help_shown else float("inf")
            return []
        if self.help_shown and key.name == "esc":
            self.hide_help()
            return []
        self.hide_help()
        if line not in working(self.can):
            self.say(f"Key {line.cap_of(key.name)}: {line.text} – not possible here.", "warn")
            return []
        return self._command(line.command, key.name)

    def _command(self, command: str, key: str) -> list[Action]:
        simple = {"quit": "quit", "pause": "pause", "save": "save", "record": "record", "swap": "swap",
                  "lock_exposure": "lock_exposure"}  # fmt: skip
        if command in simple:
            return [Action(simple[command])]
        local: dict[str, Callable[[str], None]] = {
            "view": self._choose_view, "colormap": self._next_colormap, "far": self._move_far, "near": self._move_near,
            "auto_range": self._toggle_automatic, "clear": self._clear, "tuning": lambda _: self.panel.toggle(),
            "effect": self._next_effect,
        }  # fmt: skip
        if command in local:
            local[command](key)
            return []
        if command == "step":
            return [Action("step", -1 if key == "," else 1)]
        if command == "matcher":
            return self._next_matcher()
        if command == "preset":
            return self._next_preset()
        if command in ("wls", "temporal", "holes"):
            new = not self.settings.value_of(command)
            names = {"wls": "WLS filter", "temporal": "Smoothing over time", "holes": "Hole filling"}
            return self._change(command, new, f"{names[command]} {'on' if new else 'off'}")
        return []

    def _choose_view(self, key: str) -> None:
        self.view = VIEWS[int(key)]
        self.effect = None
        self.say(VIEW_TEXT[self.view], seconds=1.5, topic="view")

    def _next_colormap(self, _: str) -> None:
        names = COLORMAPS
        self.colormap = names[(names.index(self.colormap) + 1) % len(names)] if self.colormap in names else names[0]
        self.say(f"Colours: {self.colormap}", seconds=1.5, topic="colours")

    def _next_effect(self, _: str) -> None:
        cycle = (None, *self.effects)
        self.effect = cycle[(cycle.index(self.effect) + 1) % len(cycle)]
        self.say(f"Effect: {self.effect or 'none'}", seconds=1.5, topic="view")

    def _toggle_automatic(self, _: str) -> None:
        self.automatic = not self.automatic
        self.depth_range = None  # found anew with the next picture
        self.say("Range follows the scene" if self.automatic else "Range fixed", seconds=1.5, topic="range")

    def _move_far(self, key: str) -> None:
        self._move_range(1.0, 1.25 if key == "]" else 0.8)

    def _move_near(self, key: str) -> None:
        self._move_range(1.25 if key == "}" else 0.8, 1.0)

    def _move_range(self, near_factor: float, far_factor: float) -> None:
        if self.depth_range is None:
            return
        self.automatic = False
        near, far = _two_digits(self.depth_range.near_m * near_factor), _two_digits(self.depth_range.far_m * far_factor)
        if 0.01 <= near < far * 0.9 and far < 10000:
            self.depth_range = DepthRange(near, far)
        shown = self.depth_range
        unit = " m" if self._metric else " (relative)"
        self.say(f"Colours from {shown.near_m:g} to {shown.far_m:g}{unit}", seconds=1.5, topic="range")

    def _clear(self, _: str) -> None:
        self.measurements = []

    # Settings

    def adopt(self, settings: Settings) -> None:
        """Take the settings that are really in force."""
        self.settings = settings

    def _change(self, name: str, value: object, text: str) -> list[Action]:
        """Show a change at once and ask the run for it; what is broken is told and nothing is asked."""
        try:
            self.settings = self.settings.changed(**{name: value})
        except LiveStereoError as error:
            self.say(error.what, "warn")
            return []
        if text:
            self.say(text, topic=name)
        return [Action(f"set:{name}", value)]

    def _next_matcher(self) -> list[Action]:
        names = [name for name in MATCHER_NAMES if name != "sgm" or sgm_installed()]
        current = self.settings.matcher
        name = names[(names.index(current) + 1) % len(names)] if current in names else names[0]
        return self._change("matcher", name, f"Matcher: {name}")

    def _next_preset(self) -> list[Action]:
        try:
            names = preset_names(self._config_file)
        except LiveStereoError as error:
            self.say(error.what, "warn")
            return []
        current = self.settings.preset
        name = names[(names.index(current) + 1) % len(names)] if current in names else names[0]
        self.say(f"Preset: {name}", topic="preset")
        return [Action("preset", name)]

    def _of_panel(self, outcome: Outcome | bool | None) -> list[Action]:
        if not isinstance(outcome, Outcome):
            return []
        if outcome.kind == "set":
            return self._change(outcome.name, outcome.value, "")
        if outcome.kind == "reset":
            self.say("Settings as at the start")
            return [Action("reset")]
        if outcome.kind == "save":
            self._save_preset(outcome.value)
        return []

    def _save_preset(self, name: str) -> None:
        path = self._config_file or DEFAULT_FILE
        shown: dict[str, object] = {"colormap": self.colormap, "range_auto": self.automatic}
        if self.depth_range is not None and not self.automatic:
            shown |= {"range_near": self.depth_range.near_m, "range_far": self.depth_range.far_m}
        try:
            tuned = self.settings.changed(**shown)
            save_preset(path, name, as_preset(tuned))
            top = read_settings_file(path).settings
        except (LiveStereoError, OSError) as error:
            self.say(str(error), "warn")
            return
        self.say(f"Saved: use it with --preset {name} (in {path})", "good", seconds=5.0)
        if lost := [one for one, value in top.items() if one != "preset" and getattr(tuned, one, value) != value]:
            self.say(f"But {path} sets {', '.join(lost)} at its top level: that wins over presets", "warn", seconds=8.0)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _eased(now: DepthRange | None, wanted: DepthRange) -> DepthRange:
    """Follow slowly and in small steps, so that colours do not flicker and the legend can be read."""
    if now is None:
        return DepthRange(_two_digits(wanted.near_m), max(_two_digits(wanted.far_m), _two_digits(wanted.near_m) * 1.1))
    near = now.near_m * (wanted.near_m / now.near_m) ** 0.15
    far = now.far_m * (wanted.far_m / now.far_m) ** 0.15
    unchanged = abs(wanted.near_m / now.near_m - 1) < 0.06 and abs(wanted.far_m / now.far_m - 1) < 0.06
    return now if unchanged or near >= far else DepthRange(near, far)
