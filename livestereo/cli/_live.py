"""What the commands that run live share: the views, the keys that reach beyond the view, the summary for people."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table

from livestereo import display
from livestereo.cli._errors import NO_PAIR
from livestereo.cli._options import MatchOptions, RunOptions
from livestereo.cli._output import Output
from livestereo.cli._setup import Opened
from livestereo.compiled import load_kept, remember_kept
from livestereo.engine import Handler, run
from livestereo.engine_observers import Observer
from livestereo.engine_stats import RunSummary
from livestereo.errors import LiveStereoError
from livestereo.settings import Settings, preset_names, resolve_settings
from livestereo.sinks.base import PairSink, ResultSink, View
from livestereo.sources.base import Source
from livestereo.types import StereoFrame

if TYPE_CHECKING:
    from livestereo.diagnosis.afterwards import LastLook
    from livestereo.pipeline import Pipeline
    from livestereo.sinks.window import WindowView
    from livestereo.sinks.window_scene import Card


@dataclass
class LiveParts:
    """What a live command adds to the plain run.

    web: [HOST:]PORT to serve a page on. view3d: port of the 3D view. record: whether the key `r` records (a command
    that records anyway says no). title: of the window. pace: speed at which a file is played. hold: keep
    window and page open after the last picture of a file, whoever started the program. wrap: changes each pipeline
    that is built (a take plays its recorded depth). cards: what the command shows over the pictures of the window.
    make: builds pipelines instead of the usual way, where it gives one. start_view: what the window shows at first.
    no_depth: nothing is matched, so nothing is said about depth. doctor: whether faults are looked for.
    """

    pair_sinks: list[PairSink] = field(default_factory=list)
    sinks: list[ResultSink] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)
    handlers: dict[str, Handler] = field(default_factory=dict)
    can: set[str] = field(default_factory=set)
    web: str | None = None
    view3d: str | None = None
    record: bool = True
    title: str = "livestereo"
    pace: float | None = None
    hold: bool = False
    wrap: Callable[[Pipeline, Settings], Pipeline] | None = None
    cards: list[Card] = field(default_factory=list)
    make: Callable[[Settings, StereoFrame], Pipeline | None] | None = None
    start_view: str = "split"
    no_depth: bool = False
    doctor: bool = True


def wants_window(options: RunOptions, output: Output, *, quietly: bool = False) -> bool:
    """Whether a window is wanted and possible; says why not, unless `quietly` (there is another way to look)."""
    if options.headless:
        return False
    found = display.probe()
    if not found.ok and not quietly:
        output.say(f"{found.why} Running without a window; Ctrl-C ends.")
    return found.ok


def check_addresses(web: str | None, view3d: str | None) -> None:
    """Refuse a wrong address before cameras are opened and scenes are made.

    Raises:
        SettingsError: it is not of its form.
    """
    from livestereo.sinks.web_guard import parse_address

    for option, address in (("--web", web), ("--view3d-at", view3d)):
        if address is not None:
            parse_address(address, option)


def run_live(
    opened: Opened, settings: Settings, match: MatchOptions, options: RunOptions, output: Output, parts: LiveParts,
    *, window: bool,
) -> RunSummary:  # fmt: skip
    """Run with the views that are asked for; print the summary, as a table or as JSON.

    Raises:
        LiveStereoError: what the engine raises; the summary so far is in its `details`.
    """
    from livestereo.cli._build import build_pipeline

    info = opened.source.info

    def build(wanted: Settings, frame: StereoFrame) -> Pipeline:
        made = None if parts.make is None else parts.make(wanted, frame)
        if made is not None:
            return made
        load_kept()
        pipeline = build_pipeline(wanted, opened.rectification_for(frame), output.say, opened.rig_file)
        remember_kept()
        return pipeline if parts.wrap is None else parts.wrap(pipeline, wanted)

    closing: list[Callable[[], None]] = []
    if window or parts.web is not None or parts.view3d is not None:
        closing = _add_views(opened, settings, match, options, output, parts, window=window)
    pace = parts.pace
    if pace is None and parts.views and not info.live and info.fps:
        pace = 1.0  # somebody looks: at the speed of life
    last = _watch(opened, parts) if parts.doctor and not parts.no_depth else None

    def told(summary: RunSummary) -> RunSummary:
        if parts.no_depth:
            return replace(summary, fill_percent=math.nan, disparity_sha256=None, stage_ms={})
        if last is None or summary.findings:
            return summary
        return replace(summary, findings=last.findings(opened.rig_file, opened.source.stats()))

    finished: list[RunSummary] = []
    seen = window or parts.web is not None or parts.view3d is not None
    watched = seen and (parts.hold or sys.stdin.isatty())
    stays = watched and not info.live and options.frames is None and options.duration is None
    try:
        run(
            opened.source, build, settings, pair_sinks=parts.pair_sinks, sinks=parts.sinks, views=parts.views,
            observers=parts.observers, handlers=parts.handlers, resolve=_resolver(match), frames=options.frames,
            duration_s=options.duration, pace=pace, hold=stays, tell=output.say,
            on_summary=lambda summary: finished.append(told(summary)),
        )  # fmt: skip
    except LiveStereoError as error:
        for summary in finished:
            error.details = {**error.details, **summary.as_json()}
        raise
    finally:
        failed = sys.exc_info()[0] is not None
        for summary in finished:
            if summary.pairs or not failed:  # what was refused at once has no summary
                output.show(*summary_for_people(summary, live=info.live))
        for close in closing:
            close()
    return finished[0]


def _watch(opened: Opened, parts: LiveParts) -> LastLook | None:
    """Let the doctor look: beside a run that is watched, behind one that is only counted."""
    from livestereo.diagnosis.afterwards import LastLook
    from livestereo.diagnosis.drift_watch import DriftWatch
    from livestereo.diagnosis.monitor import Monitor

    if opened.source.info.live or parts.views:
        parts.observers.append(Monitor(opened.source.info, opened.rig_file))
        if opened.rig_file is not None:
            parts.observers.append(DriftWatch())
        return None
    last = LastLook()
    parts.sinks.append(last)
    return last


def _add_views(
    opened: Opened, settings: Settings, match: MatchOptions, options: RunOptions, output: Output, parts: LiveParts,
    *, window: bool,
) -> list[Callable[[], None]]:  # fmt: skip
    """Add window, page and 3D view, and what their keys reach; give what must be closed after the run."""
    from livestereo.sinks.snapshot import Snapshots

    info = opened.source.info
    snapshots = Snapshots(options.save_dir)
    can = {"tune", "wls", "temporal", "holes", "swap", *parts.can}
    if not info.live:
        can.add("step")
    if parts.record:
        switch = _record_switch(opened, settings, options.save_dir)
        never_reopen_while(opened.source, lambda: switch.recording)
        parts.pair_sinks.append(switch)
        parts.sinks.append(switch)
        parts.handlers.setdefault("record", lambda _: switch.toggle())
        can.add("record")
    lock = getattr(opened.source, "lock_exposure", None)
    if lock is not None:
        parts.handlers.setdefault("lock_exposure", lambda _: str(lock() or "Exposure is locked."))
        can.add("lock_exposure")

    def close_snapshots() -> None:
        snapshots.close()
        for why in snapshots.failed:  # the window that told it is gone, perhaps at once
            output.warn(f"Not every snapshot was saved: {why}")

    closing: list[Callable[[], None]] = [close_snapshots]
    if parts.view3d is not None:
        parts.sinks.append(_view3d(parts.view3d, options.save_dir, output))
    if parts.web is not None:
        parts.views.append(_web(settings, match, parts.web, can, snapshots, output))
    if window:
        parts.views.append(_window(opened, settings, match, parts, can, snapshots))
    return closing


def _window(
    opened: Opened, settings: Settings, match: MatchOptions, parts: LiveParts, can: set[str], snapshots: Any
) -> WindowView:  # fmt: skip
    from livestereo.cli._measuring import Measuring
    from livestereo.sinks.window import WindowView
    from livestereo.sinks.window_effects import WindowEffects
    from livestereo.sinks.window_state import WindowState

    effects = WindowEffects()
    state = WindowState(
        settings, can={*can, "effect", "measure"}, config_file=match.config, effects=effects.names,
        view=parts.start_view,
    )  # fmt: skip
    return WindowView(
        state, title=parts.title, snapshots=snapshots, effects=effects, measure=Measuring(opened),
        cards=parts.cards,
    )  # fmt: skip


def _web(
    settings: Settings, match: MatchOptions, where: str, can: set[str], snapshots: Any, output: Output
) -> View:  # fmt: skip
    """Make the page and print its link, which is a result: it goes out even with --quiet."""
    from livestereo.sinks.web import WebView
    from livestereo.sinks.web_guard import parse_address

    address = parse_address(where)
    web = WebView(address, settings, can=can, snapshots=snapshots, presets=preset_names(match.config))
    for link in web.links:
        output.notice(f"Open {link}")
    if not address.loopback:
        output.say("The token in the link lets anybody in this network see and steer this program while it runs.")
    return web


def _view3d(where: str, folder: Path, output: Output) -> ResultSink:
    from livestereo.sinks.view3d import View3d
    from livestereo.sinks.web_guard import parse_address

    address = parse_address(where)
    view = View3d(address, save_dir=folder)
    output.notice(f"Open {view.link} for the 3D view")
    if not address.loopback:
        output.warn("Anybody in this network can open the 3D view: it knows no token.")
    return view


def _record_switch(opened: Opened, settings: Settings, folder: Path) -> Any:
    from livestereo.cli._recording import take_request
    from livestereo.sinks.record_switch import RecordSwitch
    from livestereo.sinks.recorder import Recorder

    def make(path: Path) -> Recorder:
        return Recorder(take_request(opened, settings, path, preview=False))

    return RecordSwitch(folder, make)


def never_reopen_while(source: Source, recording: Callable[[], bool]) -> None:
    """Let the watch over the phase, where there is one, open no camera while something is recorded."""
    keeper = getattr(source, "keeper", None)
    if keeper is not None:
        keeper.hold = recording


def _resolver(match: MatchOptions) -> Callable[[str, Mapping[str, Any]], Settings]:
    """Presets chosen while it runs may be those of the file that was named."""
    return lambda name, kept: resolve_settings(name, kept, match.config)


def summary_for_people(summary: RunSummary, *, live: bool) -> Sequence[RenderableType]:
    """Lay the figures of a run out as a table."""
    if summary.pairs == 0:
        return (NO_PAIR,)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    for name, text in _rows(summary, live=live):
        table.add_row(name, text)
    return (table,)


def _settings_text(used: Mapping[str, Any]) -> str:
    return (
        f"{used.get('preset')}: {used.get('matcher')}"
        + (f" {used.get('mode')}" if used.get("matcher") == "sgbm" else "")
        + f", {used.get('num_disparities')} disparities"
        + (", half size" if used.get("scale") == 0.5 else "")
    )


def _rows(summary: RunSummary, *, live: bool) -> Iterable[tuple[str, str]]:
    yield "pairs", f"[bold]{summary.pairs}[/bold]"
    if math.isfinite(summary.fps):
        yield "depth" if summary.stage_ms else "rate", f"[bold]{summary.fps:.1f}[/bold] pairs/s"
    if live and math.isfinite(summary.capture_fps):
        yield "capture", f"{summary.capture_fps:.1f} pictures/s"
    latency = summary.latency_ms
    if live and math.isfinite(latency.get("p50", math.nan)):
        yield "latency", f"{latency['p50']:.0f} ms (95 %: {latency['p95']:.0f} ms)"
    skew = summary.skew_ms
    if math.isfinite(skew.get("max", math.nan)) and skew["max"] > 0:
        yield "skew", f"{skew['p50']:+.1f} ms (95 %: {skew['p95']:.1f}, at most {skew['max']:.1f} ms)"
    if math.isfinite(summary.fill_percent):
        yield "fill", f"{summary.fill_percent:.0f} %"
    lost = {cause: count for cause, count in summary.dropped.items() if count}
    yield "dropped", ", ".join(f"{count} {cause}" for cause, count in lost.items()) or "none"
    if summary.reconnects:
        yield "reconnects", str(summary.reconnects)
    if summary.stage_ms:
        yield "stages", ", ".join(f"{name} {ms:.1f}" for name, ms in summary.stage_ms.items()) + " ms"
        yield "settings", _settings_text(summary.settings)
    for finding in summary.findings:
        yield "[yellow]found[/yellow]", finding.what
    for warning in summary.warnings:
        yield "[yellow]warning[/yellow]", warning
