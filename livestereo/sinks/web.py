"""The browser preview: a view of the run for anybody with a browser, on this computer or, with a token, another."""

from __future__ import annotations

import dataclasses
import math
import queue
import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

import cv2
import numpy as np

from livestereo.errors import LiveStereoError, SettingsError
from livestereo.imageio import encode
from livestereo.parameters import MATCHER_NAMES, PARAMETERS, Parameter, for_matcher
from livestereo.render.colorize import COLORMAPS, DepthRange, colormap_lut, position
from livestereo.render.compose import Composer, Scene
from livestereo.render.layout import arrange, natural_canvas
from livestereo.render.overlay import Figures, metres, status_cells, ticks
from livestereo.render.views import (
    PANE_TEXT,
    Look,
    confidence_entries,
    displayed_size,
    panes_of,
    picture,
    reason_entries,
    shows_depth_colours,
    to_rectified,
)
from livestereo.render.views import VIEWS as WHOLE_VIEWS
from livestereo.settings import Settings
from livestereo.sinks import tuning
from livestereo.sinks.base import RunState
from livestereo.sinks.snapshot import Snapshots
from livestereo.sinks.web_guard import WebAddress
from livestereo.sinks.web_server import WebServer
from livestereo.sinks.web_streams import FrameSlots
from livestereo.sinks.window_scene import SceneMaker, readout
from livestereo.sinks.window_state import WindowState
from livestereo.timing import Clock, monotonic
from livestereo.types import U8, Action, SourceInfo, StereoResult

VIEWS = ("left", "right", "depth", "confidence", "reason", "anaglyph", "left lines", "right lines")
LARGEST = 1280  # px, of a picture's width: more is only bandwidth
JPEG_QUALITY = 82
MOST_WAITING = 64
SLIDER_STEPS = 100
# What a page may ask of the run; anything else is refused before it gets there.
RUN_ACTIONS = ("pause", "step", "swap", "record", "lock_exposure", "preset", "matcher", "reset", "save")
LOOK_ACTIONS = ("colormap", "range", "range_auto")


class WebView:
    """Serves the page; `link` is what to print. Colours and range are the page's own, for all who look.

    can: what the run is able to do. The constructor listens already, so that a port in use is told at once.

    Raises:
        LiveStereoError: the port is in use.
    """

    def __init__(
        self, address: WebAddress, settings: Settings, *, can: Collection[str] = (), snapshots: Snapshots | None = None,
        presets: Collection[str] = (), token: str | None = None, clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._look = WindowState(settings)
        self._can = frozenset(can)
        self._presets = tuple(presets)
        self._snapshots = snapshots
        self._clock = clock
        self._maker = SceneMaker(live=True, clock=clock)
        self._info: SourceInfo | None = None
        self._run = RunState(settings=settings)
        self._actions: queue.Queue[Action] = queue.Queue(MOST_WAITING)
        self._figures = Figures()
        self._messages: deque[tuple[int, str]] = deque(maxlen=20)
        self._said = 0
        self._lock = threading.Lock()
        self._over = False
        self.slots = FrameSlots(self._jpeg, clock=clock)
        self._server = WebServer(address, self, token=token)

    @property
    def links(self) -> list[str]:
        """Where the page is, with the token where one is needed."""
        return self._server.guard.links()

    # --- the view

    def open(self, info: SourceInfo) -> None:
        """Begin to serve."""
        self._info = info
        self._maker = SceneMaker(live=info.live, count=info.count, clock=self._clock)
        self.slots.start()
        self._server.start()

    def accept(self, result: StereoResult) -> None:
        """Keep the newest result; nothing is drawn here."""
        self._maker.arrived()
        self.slots.offer(result)

    def tell(self, state: RunState) -> None:
        """Take how the run goes."""
        for text in state.messages:
            self._say(text)
        self._run = state
        newest = self.slots.newest
        if newest is not None:
            self._figures = self._maker.figures(newest, state)

    def poll(self) -> Action | None:
        """Give the next thing that a page asked for."""
        for text in self._snapshots.news() if self._snapshots is not None else ():
            self._say(text)
        if self.slots.failure is not None:
            raise self.slots.failure
        try:
            action = self._actions.get_nowait()
        except queue.Empty:
            return None
        if action.name == "save" and self._snapshots is not None and self.slots.newest is not None:
            newest = self.slots.newest
            self._say(self._snapshots.save(newest, self._colours(newest)))
            return self.poll()
        return action

    def close(self) -> None:
        """Stop serving; idempotent."""
        self._over = True
        self.slots.close()
        self._server.close()

    def _say(self, text: str) -> None:
        with self._lock:
            self._said += 1
            self._messages.append((self._said, text))

    def _colours(self, result: StereoResult) -> Look:
        with self._lock:
            return self._look.look(result)

    # --- what the page asks for, in the threads of its connections

    @property
    def over(self) -> bool:
        """Whether the run has ended."""
        return self._over

    def views(self) -> tuple[str, ...]:
        """Names of the pictures."""
        return VIEWS

    def wait_picture(self, view: str, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Wait for a JPEG newer than serial `after`."""
        return self.slots.wait(view, after, timeout_s)

    def act(self, action: Action) -> None:
        """Queue what a person asks for; colours change at once.

        Raises:
            LiveStereoError: unknown, not possible in this run, or a value that breaks its rule.
        """
        kind, _, name = action.name.partition(":")
        if action.name in LOOK_ACTIONS:
            self._change_look(action)
            return
        if kind == "set" and "tune" in self._can and name in PARAMETERS and PARAMETERS[name].live:
            self._queue(Action(action.name, _checked(PARAMETERS[name], action.value)))
            return
        if action.name not in RUN_ACTIONS or (action.name in ("record", "swap", "lock_exposure", "step")
                                              and action.name not in self._can):  # fmt: skip
            raise LiveStereoError(f"{action.name[:40]} is not possible here.")
        value = action.value
        fits = {
            "pause": value is None or isinstance(value, bool),
            "step": value is None or (isinstance(value, int) and abs(value) == 1 and not isinstance(value, bool)),
            "preset": value in self._presets,
            "matcher": value is None or value in MATCHER_NAMES,
        }.get(action.name, value is None)
        if not fits:
            raise LiveStereoError(f"{action.name} cannot take this value.")
        self._queue(Action(action.name, value))

    def _queue(self, action: Action) -> None:
        try:
            self._actions.put_nowait(action)
        except queue.Full:
            raise LiveStereoError("Too many commands at once; try again in a moment.") from None

    def _change_look(self, action: Action) -> None:
        with self._lock:
            if action.name == "colormap":
                if not isinstance(action.value, str) or action.value not in COLORMAPS:
                    raise SettingsError("Unknown colour map.")
                self._look.colormap = action.value
            elif action.name == "range_auto":
                self._look.automatic = bool(action.value)
                if not self._look.automatic:
                    self._look.depth_range = None
            else:
                self._look.depth_range = _range_of(action.value)
                self._look.automatic = False
        self.slots.look_changed()

    def probe(self, u: float, v: float) -> dict[str, Any]:
        """Say what is known at a place of the displayed picture."""
        result = self.slots.newest
        if result is None:
            return {"lines": [], "known": False}
        w, h = displayed_size(result)
        x, y = to_rectified(u * w - 0.5, v * h - 0.5, result)
        rows, columns = result.depth_m.shape
        at = min(columns - 1, max(0, round(x))), min(rows - 1, max(0, round(y)))
        lines, known = readout(result, result.facts(*at), *at)
        return {"lines": lines, "known": known}

    def screenshot(self, view: str = "split") -> bytes:
        """Give what the window would show of a view, as a PNG.

        Raises:
            SettingsError: there is no such view.
            LiveStereoError: there is no picture yet.
            OutputError: it cannot be encoded.
        """
        result = self.slots.newest
        if view not in WHOLE_VIEWS:
            raise SettingsError(f"There is no view {view[:40]!r}.")
        if result is None:
            raise LiveStereoError("There is no picture yet.")
        look, panes, legend = self._colours(result), panes_of(view), shows_depth_colours(view)
        canvas_wh = natural_canvas(displayed_size(result), len(panes), legend=legend)
        layout = arrange(canvas_wh, displayed_size(result), panes, legend=legend)
        pictures = tuple(picture(p.view, result, look, (p.rect.w, p.rect.h)) for p in layout.panes)
        scene = Scene(
            layout, pictures, tuple(PANE_TEXT[p.view] for p in layout.panes), self._figures,
            look if legend else None, metric=result.pair.rectification.metric, automatic_range=self._look.automatic,
            entries=tuple(_entries(view, result)),
        )  # fmt: skip
        return encode(".png", Composer().compose(scene))

    def parameters(self) -> list[dict[str, Any]]:
        """Describe the sliders of the matcher that runs; they change only with the matcher."""
        return [_described(one) for one in for_matcher((self._run.settings or self._settings).matcher)]

    def state(self, since: int, view: str | None = None) -> dict[str, Any]:
        """Give everything the page shows besides pictures; `view`: what it shows, None where it does not say."""
        run, result = self._run, self.slots.newest
        settings = run.settings or self._settings
        with self._lock:
            messages = [{"id": number, "text": text} for number, text in self._messages if number > since]
        state: dict[str, Any] = {
            "name": self._info.name if self._info else "",
            "live": self._info.live if self._info else True,
            "paused": run.paused,
            "recording_s": run.recording_s,
            "messages": messages,
            "can": sorted(self._can),
            "preset": settings.preset,
            "presets": list(self._presets),
            "matcher": settings.matcher,
            "values": {one.name: _value(one, settings, run.resolved) for one in for_matcher(settings.matcher)},
            "colormaps": list(COLORMAPS),
            "findings": [
                *([run.stopped] if run.stopped is not None else []),
                *[f"{f.what} {f.fix}".strip() for f in run.findings if not f.ok][:3],
            ],
            "figures": [],
        }
        if result is not None:
            look = self._colours(result)
            w, h = displayed_size(result)
            cells = status_cells(self._figures)
            state |= {
                "size": [w, h],
                "metric": result.pair.rectification.metric,
                "figures": [{"label": c.label, "value": c.value, "tone": c.tone} for c in cells],
                "look": _described_look(look, self._look.automatic),
                "reasons": [
                    {"color": f"rgb({r},{g},{b})", "text": text}
                    for (b, g, r), text in _entries(self._watched() if view is None else view, result)
                ],
            }  # fmt: skip
        return state

    def _watched(self) -> str:
        """Name a view that needs a key of its colours and that somebody watches; '' where nobody does."""
        return next((view for view in ("reason", "confidence") if self.slots.watched(view)), "")

    def _jpeg(self, view: str, result: StereoResult) -> bytes:
        """Render one view; runs in the encoder's thread."""
        w, h = displayed_size(result)
        scale = min(1.0, LARGEST / w)
        size = (round(w * scale), round(h * scale))
        shown: U8 = picture(view, result, self._colours(result), size)
        if (shown.shape[1], shown.shape[0]) != size:
            shown = np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.uint8)
        return encode(".jpg", shown, JPEG_QUALITY)


def _entries(view: str, result: StereoResult) -> list[tuple[tuple[int, int, int], str]]:
    """Give the key of a view, where its colours need one."""
    if view == "reason":
        return reason_entries(result.reason)
    return confidence_entries(result.confidence) if view == "confidence" else []


def _checked(parameter: Parameter, value: Any) -> Any:
    if parameter.kind == "int" and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number
    try:
        return parameter.check(value)
    except ValueError as error:
        raise SettingsError(f"{parameter.label} {error}.") from None


def _range_of(value: Any) -> DepthRange:
    if not isinstance(value, Mapping):
        raise SettingsError("A range has a near and a far end.")
    try:
        near, far = float(value["near"]), float(value["far"])
    except (KeyError, TypeError, ValueError, OverflowError):  # whole numbers in JSON may be of any length
        raise SettingsError("A range has a near and a far end.") from None
    if not (math.isfinite(near) and math.isfinite(far)):
        raise SettingsError("A range has a near and a far end.")
    return DepthRange(near, far)


def _value(parameter: Parameter, settings: Settings, resolved: Any) -> dict[str, Any]:
    value = settings.value_of(parameter.name)
    used = getattr(resolved, parameter.name, None) if value is None else None
    text = tuning.value_text(parameter, value)
    return {
        "value": value, "text": text if used is None else f"{text} ({used:g})",
        "position": tuning.to_position(parameter, value),
    }  # fmt: skip


def _described(parameter: Parameter) -> dict[str, Any]:
    number = parameter.kind in ("int", "float")
    return {
        "name": parameter.name, "label": parameter.label, "help": parameter.help, "kind": parameter.kind,
        "choices": [{"value": one, "text": tuning.value_text(parameter, one)} for one in tuning.choices_of(parameter)],
        "steps": [
            {"value": value, "text": tuning.value_text(parameter, value)}
            for value in (tuning.from_position(parameter, i / SLIDER_STEPS) for i in range(SLIDER_STEPS + 1))
        ] if number else [],
    }  # fmt: skip


def _described_look(look: Look, automatic: bool) -> dict[str, Any]:
    near, far = look.depth_range.near_m, look.depth_range.far_m
    lut = colormap_lut(look.colormap)
    marks = ticks(near, far, look.scale, 7)
    return {
        **dataclasses.asdict(look.depth_range), "colormap": look.colormap, "auto": automatic,
        "stops": [f"#{r:02x}{g:02x}{b:02x}" for b, g, r in lut[::15].tolist()],
        "ticks": [
            {"at": float(position(np.array([mark]), near, far, look.scale)[0]), "text": metres(mark)} for mark in marks
        ],
    }  # fmt: skip
