"""From a result and what the person chose to everything that is on the screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Protocol

import numpy as np

from livestereo.depth import depth_error_m
from livestereo.render.cards import Group, draw_help
from livestereo.render.colorize import REASON_TEXT
from livestereo.render.compose import Pointer, Ruler, Scene
from livestereo.render.layout import Layout, arrange
from livestereo.render.overlay import Figures
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
from livestereo.sinks.aside import Aside, AtOnce
from livestereo.sinks.base import RecorderState, RunState
from livestereo.sinks.window_keys import SHORT, working
from livestereo.sinks.window_state import Measurement, WindowState
from livestereo.skew import skew_depth_error_m
from livestereo.timing import Clock, RateMeter, monotonic
from livestereo.types import U8, PixelFacts, Reason, SizeWH, StereoResult

ANALYSE_EVERY_S = 0.25
MEASURE_EVERY_S = 0.5  # it asks for the uncertainty of all the points
FIGURES_EVERY_S = 0.25
HELP_AGAIN = "? shows this again"
Measure = Callable[[StereoResult, Measurement], Ruler]


class Card(Protocol):
    """Draws over the pictures what a command has to show beside them."""

    def __call__(self, canvas: U8, *, layout: Layout) -> None:
        """Draw."""
        ...


class Effects(Protocol):
    """What the key for effects goes through."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in the order of the key."""
        ...

    @property
    def serial(self) -> int:
        """Grows when the same result would look different."""
        ...

    def label(self, name: str) -> str:
        """What to call one to a person."""
        ...

    def render(self, name: str, result: StereoResult) -> U8:
        """Render one, (H,W,3) uint8 BGR."""
        ...

    def focus_at(self, result: StereoResult, u: float, v: float) -> str:
        """Focus on a displayed position; give what to tell the person."""
        ...


class SceneMaker:
    """Builds scenes; keeps the few figures that are averaged over time.

    live: cameras against files. measure: lines to show for a measurement. effects: renders effects.
    cards: what a command shows beside the pictures. pool: looks up what is known of a pixel.
    """

    def __init__(
        self, *, live: bool, count: int | None = None, measure: Measure | None = None, effects: Effects | None = None,
        cards: Sequence[Card] = (), pool: Executor | None = None, clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self._cards = tuple(cards)
        self._live = live
        self._count = count
        self._measure = measure
        self._effects = effects
        self._clock = clock
        self._depth_rate = RateMeter(clock=clock)
        self._shown_rate = RateMeter(clock=clock)
        self._figures = Figures(live=live, count=count)
        self._figures_s = -math.inf
        self._facts: Aside[PixelFacts] = Aside(pool or AtOnce(), ANALYSE_EVERY_S, clock)
        self.waits = False  # for what is under the mouse: it is told in a later scene
        self._measured: Aside[tuple[Ruler, ...]] = Aside(pool or AtOnce(), MEASURE_EVERY_S, clock)
        self._rulers_told: dict[Measurement, Ruler] = {}
        # With the result itself, so that its id stays its own.
        self._rendered: tuple[object, StereoResult, tuple[U8, ...]] | None = None

    def arrived(self) -> None:
        """Count one finished result."""
        self._depth_rate.tick()

    def layout(self, canvas_wh: SizeWH, result: StereoResult, state: WindowState) -> Layout:
        """Arrange the panes of the chosen view."""
        view = "effect" if state.effect else state.view
        return arrange(canvas_wh, displayed_size(result), panes_of(view), legend=shows_depth_colours(view))

    def scene(self, layout: Layout, result: StereoResult, state: WindowState, run: RunState) -> Scene:
        """Give what is on the screen now."""
        self._shown_rate.tick()
        look = state.look(result)
        pictures = self._pictures(layout, result, state, look)
        named = self._effects.label(state.effect) if self._effects and state.effect else ""
        labels = tuple(PANE_TEXT.get(pane.view, named) for pane in layout.panes)
        cards: list[Callable[[U8], None]] = [partial(card, layout=layout) for card in self._cards]
        if state.panel.is_open:
            cards.append(lambda canvas: state.panel.draw(canvas, state.settings))
        if state.help_shown:
            groups = help_groups(state)
            cards.append(lambda canvas: draw_help(canvas, "livestereo", groups, footer=HELP_AGAIN, short=SHORT))
        return Scene(
            layout=layout,
            pictures=pictures,
            labels=labels,
            figures=self.figures(result, run),
            look=look if shows_depth_colours(state.view) and not state.effect else None,
            metric=result.pair.rectification.metric,
            automatic_range=state.automatic,
            entries=_entries(layout, result),
            pointer=self._pointer(layout, result, state),
            rulers=self._rulers(result, state),
            messages=state.messages(),
            banner=_banner(run, live=self._live),
            paused=run.paused,
            cards=tuple(cards),
        )

    def figures(self, result: StereoResult, run: RunState) -> Figures:
        """Give the figures of the status bar.

        They change a few times a second, not with every picture: a number that flickers cannot be read.
        """
        now = self._clock()
        known = self._figures
        if now - self._figures_s >= FIGURES_EVERY_S or known.recording_s != _whole(run.recording_s):
            self._figures_s = now
            settings = run.settings
            half = settings is not None and settings.scale < 1
            mode = "" if settings is None or settings.matcher != "sgbm" else f" {settings.mode}"
            fill = 100.0 * float(np.count_nonzero(np.isfinite(result.depth_m[::2, ::2])))
            latency = (result.finished_s - result.frame.t_s) * 1000 if self._live and result.finished_s else None
            recorder = run.recorder or RecorderState()
            self._figures = Figures(
                live=self._live,
                capture_fps_left=run.stats.fps_left,
                capture_fps_right=run.stats.fps_right,
                depth_fps=run.depth_fps if run.depth_fps is not None else self._depth_rate.rate(),
                display_fps=self._shown_rate.rate() or None,
                latency_ms=latency,
                **_skew(result, run),
                vertical_px=run.vertical_px,
                fill_percent=fill / max(1, result.depth_m[::2, ::2].size),
                dropped=dict(run.dropped),
                pairs=result.frame.seq + 1 if not self._live else run.pairs,
                count=self._count,
                recording_s=_whole(run.recording_s),
                recorded_bytes=recorder.bytes,
                queue_percent=100.0 * recorder.queue_bytes / max(1, recorder.queue_limit),
                minutes_left=recorder.minutes_left,
                lost=dict(recorder.lost),
                note=""
                if settings is None
                else f"{settings.preset} · {settings.matcher}{mode}" + ("" if half else " · full size"),
                half_size=half,
                state_left=run.stats.state_left,
                state_right=run.stats.state_right,
            )
        return self._figures

    def _pictures(self, layout: Layout, result: StereoResult, state: WindowState, look: Look) -> tuple[U8, ...]:
        """Render the panes; kept while only the mouse or a message moves, because effects cost time."""
        effects = self._effects
        key = (id(result), layout.panes, look, state.effect, effects.serial if effects else 0)
        if self._rendered is None or self._rendered[0] != key:
            made = tuple(
                effects.render(state.effect, result) if pane.view == "effect" and effects and state.effect
                else picture(pane.view, result, look, (pane.rect.w, pane.rect.h))
                for pane in layout.panes
            )  # fmt: skip
            self._rendered = (key, result, made)
        return self._rendered[2]

    # The pointer

    def _pointer(self, layout: Layout, result: StereoResult, state: WindowState) -> Pointer | None:
        self.waits = False
        if state.mouse is None or state.help_shown or state.drag is not None:
            return None
        pane = layout.pane_at(*state.mouse)
        at = pane.to_picture(*state.mouse) if pane else None
        if pane is None or at is None or pane.view in ("right", "right lines"):
            return None
        if any(abs(m.end[0] - at[0]) + abs(m.end[1] - at[1]) < 6 for m in state.measurements):
            return None  # what was just measured there says it better
        u, v = to_rectified(at[0], at[1], result)
        h, w = result.depth_m.shape
        x, y = min(w - 1, max(0, round(u))), min(h - 1, max(0, round(v)))
        facts = self._facts.get((x, y), partial(result.facts, x, y))
        self.waits = facts is None
        lines, tone = readout(result, facts, x, y)
        return Pointer(at[0], at[1], tuple(lines), pane.view, "plain" if tone else "warn")

    def _rulers(self, result: StereoResult, state: WindowState) -> tuple[Ruler, ...]:
        """Give what is measured; a line is there at once, what it measures when it was worked out beside the window."""
        measure, shown = self._measure, (*state.measurements, *([state.drag] if state.drag else []))
        if measure is None or not shown:
            return ()
        made = self._measured.get(shown, lambda: tuple(measure(result, one) for one in shown))
        if made is not None:
            self._rulers_told = dict(zip(shown, made))
            return made
        self.waits = True
        return tuple(self._rulers_told.get(one, Ruler(one.start, one.end)) for one in shown)


def _entries(layout: Layout, result: StereoResult) -> tuple[tuple[tuple[int, int, int], str], ...]:
    """Give the key of the view, where its colours need one."""
    views = {pane.view for pane in layout.panes}
    if "reason" in views:
        return tuple(reason_entries(result.reason))
    return tuple(confidence_entries(result.confidence)) if "confidence" in views else ()


def readout(result: StereoResult, facts: PixelFacts | None, x: int, y: int) -> tuple[list[str], bool]:
    """Say what is known at a rectified pixel: lines to show, and whether depth is known there; facts may come later."""
    depth = float(result.depth_m[y, x])
    at = result.pair.rectification
    if math.isfinite(depth):
        first = length_text(depth) if at.metric else f"{depth:.3g} (relative)"
        lines = [first, f"disparity {float(result.disparity_px[y, x]):.2f} px", f"x {x}   y {y}"]
        if facts is not None and facts.sigma_px is not None:
            sigma_px = math.hypot(facts.sigma_px, facts.sigma_rig_px or 0.0)
            sigma = depth_error_m(depth, sigma_px, at.focal_px, at.baseline_m)
            if sigma > depth / 2:  # the first-order law says nothing of a depth this unsure
                lines[0] += ", unsure"
            else:
                lines[0] = measured_text(depth, sigma) if at.metric else f"{depth:.3g} ± {sigma:.2g} (relative)"
            lines[1] = f"disparity {float(result.disparity_px[y, x]):.2f} ± {facts.sigma_px:.2f} px"
            if facts.confidence is not None:
                lines.insert(1, f"sure to {100 * facts.confidence:.0f} %")
            if facts.sigma_rig_px is None:
                lines.insert(1, "σ of matching alone")
        return lines, True
    if facts is None:
        return ["no depth", "…", f"x {x}   y {y}"], False
    why = facts.reason or Reason.UNKNOWN
    text = REASON_TEXT[why] if why not in (Reason.UNKNOWN, Reason.NONE) else "no answer here"
    return ["no depth", text, f"x {x}   y {y}"], False


def length_text(value_m: float) -> str:
    """Write a length with a unit that suits it."""
    if value_m >= 100:
        return f"{value_m:.0f} m"
    if value_m >= 10:
        return f"{value_m:.1f} m"
    if value_m >= 1:
        return f"{value_m:.2f} m"
    if value_m >= 0.1:
        return f"{value_m * 100:.1f} cm"
    return f"{value_m * 1000:.0f} mm" if value_m >= 0.01 else f"{value_m * 1000:.1f} mm"


def measured_text(value_m: float, sigma_m: float) -> str:
    """Write a length and its standard deviation in one unit, with the digits that the deviation leaves."""
    size = abs(value_m)
    unit, scale = ("m", 1.0) if size >= 1 else ("cm", 100.0) if size >= 0.1 else ("mm", 1000.0)
    sigma = sigma_m * scale
    if not (math.isfinite(sigma) and sigma > 0):
        return f"{length_text(value_m)} ± ?"
    digits = min(3, max(0, 1 - math.floor(math.log10(sigma))))
    return f"{value_m * scale:.{digits}f} ± {sigma:.{digits}f} {unit}"


def help_groups(state: WindowState) -> list[Group]:
    """Give the keys that work in this run, by group."""
    groups: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for line in working(state.can):
        groups.setdefault(line.group, []).append((line.caps, line.text))
    return list(groups.items())


def _banner(run: RunState, *, live: bool) -> str:
    states = {"left": run.stats.state_left, "right": run.stats.state_right}
    lost = [side for side, how in states.items() if how != "ok"] if live else []  # a film that ends is no fault
    if lost:
        seconds = run.stats.missing_s
        is_so, since = ("has been", f" for {seconds:.0f} s") if seconds >= 1 else ("is", "")
        told = [
            f"The {side} stream has ended." if states[side] == "ended"
            else f"The {side} camera {is_so} {states[side]}{since}." for side in lost
        ]  # fmt: skip
        if seconds >= 1:
            told.append("The last pair is shown until it is back.")
        return " ".join(told)
    if run.stopped is not None:
        return run.stopped
    bad = [finding for finding in run.findings if not finding.ok]
    if not bad:
        return ""
    worst = max(bad, key=lambda finding: finding.severity)
    return f"{worst.what} {worst.fix}".strip()


def _skew(result: StereoResult, run: RunState) -> dict[str, float | None]:
    """Skew of the row where it is largest, and what it costs at the middle distance of the scene."""
    skew_s = run.stats.row_skew_s or result.frame.skew_s
    told: dict[str, float | None] = {"skew_ms": skew_s * 1000}
    rectification = result.pair.rectification
    depths = result.depth_m[::8, ::8]
    depths = depths[np.isfinite(depths)]
    if rectification.metric and len(depths):
        scene_m = float(np.median(depths))
        cost_m = skew_depth_error_m(skew_s, scene_m, rectification.baseline_m)
        told |= {"skew_cost_m": cost_m, "scene_m": scene_m}
    return told


def _whole(seconds: float | None) -> float | None:
    return None if seconds is None else float(int(seconds))
