"""The command `bench`: throughput and latency against the plain loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, OptionalPictures, RigOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError
from livestereo.imageio import make_place

if TYPE_CHECKING:
    from livestereo.evaluation.bench import Bench, BenchResult, Clip
    from livestereo.settings import Settings

_bench = "Bench"
PRESETS = "balanced,fast,turbo"
# Width, height, disparities of a sweep.
SWEEP = ((320, 240, 64), (480, 360, 96), (640, 480, 64), (640, 480, 128), (960, 540, 192), (1280, 720, 128),
         (1280, 720, 256))  # fmt: skip


@command
def bench(
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    output: Output,
    pictures: OptionalPictures = None,
    presets: Annotated[
        str, typer.Option("--presets", metavar="A,B,…", rich_help_panel=_bench, help="Presets to measure.")
    ] = PRESETS,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", rich_help_panel=_bench, help="For each measurement.")
    ] = 2.0,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", rich_help_panel=_bench, help="Turns over all methods.")
    ] = 3,
    pairs: Annotated[
        int, typer.Option("--pairs", metavar="N", rich_help_panel=_bench, help="Pairs of the source to use.")
    ] = 24,
    sweep: Annotated[
        bool, typer.Option("--sweep", rich_help_panel=_bench, help="Also cost against size and disparities.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", rich_help_panel=_bench, help="A page with plots.")
    ] = None,
) -> None:
    """Measure how fast depth is here, against a plain StereoSGBM loop, on the demo or on files.

    Example: `livestereo bench --presets balanced,fast --sweep --report bench.html`

    All methods take turns on the same pairs, held in memory as JPEG, and everything is done but opening a window.
    Latency is that of the first preset, live at 30 pairs a second.
    """
    from livestereo.cli._choices import within
    from livestereo.evaluation import bench as measure
    from livestereo.ranges import find_range

    within("--seconds", seconds, 0.2, 3600)
    within("--rounds", rounds, 1)
    within("--pairs", pairs, 1)
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"The report {report} must end in .html.")
    if report is not None:
        make_place(report)  # what would otherwise fail after minutes of work
    chosen = _presets(presets, match, output)
    clip = _clip(pictures or ["demo"], source, rig, output, pairs)
    first = next(iter(chosen.values()))
    count = find_range(first, clip.rectification).count
    width, height = clip.rectification.size_wh
    output.say(f"{clip.name}: {len(clip.pairs)} pairs of {width}x{height}, {count} disparities.")
    runner = _runner(clip)
    steps = rounds * (2 + len(chosen)) + 1 + (len(SWEEP) if sweep else 0)
    with output.progress("measuring", steps) as advance:
        result = measure.run_bench(
            runner, chosen, count, seconds=seconds, rounds=rounds, live=next(iter(chosen)),
            step=lambda text: advance(1),
        )  # fmt: skip
        if sweep:
            result.sweep.extend(measure.sweep(runner, chosen, SWEEP, step=lambda text: advance(1)))
    output.show(*_tables(result, next(iter(chosen))))
    if report is not None:
        from livestereo.evaluation.bench_report import write_bench_report

        write_bench_report(report, result, f"{clip.name}, {width}x{height}, {count} disparities")
        output.say(f"Report: {report}")
    output.result(result)


def _clip(pictures: list[str], source: SourceOptions, rig: RigOptions, output: Output, count: int) -> Clip:
    """Read the pairs that everything runs over."""
    from livestereo.cli._results import Troubles, each_frame
    from livestereo.cli._setup import open_pictures
    from livestereo.evaluation.bench import Clip

    with open_pictures(pictures, source, rig, output) as opened:
        frames = list(each_frame(opened, count, Troubles()))
        if not frames:
            raise SettingsError("There is no pair to measure on.", "Name files, cameras, a take or the demo.")
        return Clip.of(frames, opened.rectification_for(frames[0]), opened.source.info.name)


def _presets(words: str, match: MatchOptions, output: Output) -> dict[str, Settings]:
    import dataclasses

    from livestereo.cli._build import settings_from

    names = [word.strip() for word in words.split(",") if word.strip()]
    if match.preset is not None:
        names = [match.preset]
    if not names:
        raise SettingsError("--presets names nothing.", f"Write --presets {PRESETS}, for example.")
    return {name: settings_from(dataclasses.replace(match, preset=name), output) for name in dict.fromkeys(names)}


def _runner(clip: Clip) -> Bench:
    import cv2
    import numpy as np

    from livestereo.cli._build import build_pipeline
    from livestereo.evaluation.bench import Bench
    from livestereo.frames import LazyFrame
    from livestereo.sinks.base import View
    from livestereo.sinks.window import WindowView
    from livestereo.sinks.window_state import WindowState
    from livestereo.types import U8, Frame

    def make_frame(data: bytes, t_s: float, seq: int) -> Frame:
        def decode() -> U8:
            return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)

        return LazyFrame(decode, t_s, seq, data)

    def make_view(settings: Settings) -> View:
        state = WindowState(settings)
        state.hide_help()
        return WindowView(state, open_screen=lambda title, size_wh: _NoScreen(size_wh))

    return Bench(clip, build_pipeline, make_frame, make_view)


class _NoScreen:
    """A screen that takes pictures and shows them to nobody."""

    def __init__(self, size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        self.is_open = True

    def show(self, bgr: Any) -> None:
        """Take a picture."""

    def resize(self, size_wh: tuple[int, int]) -> None:
        """Take another size."""
        self.size_wh = size_wh

    def poll(self, wait_s: float = 0.0) -> list[Any]:
        """Nobody does anything."""
        return []

    def close(self) -> None:
        """Close."""
        self.is_open = False


def _tables(result: BenchResult, live: str) -> list[Any]:
    from rich.table import Table

    def rate(value: float) -> str:
        return f"{value:.1f}" if value == value else "–"

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("method", "pairs/s", "× plain", "× plain 3way", "matcher alone"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    plain, three = result.naive_fps, result.naive_3way_fps
    table.add_row("plain loop, StereoSGBM", rate(plain), "1.0", rate(plain / three), "")
    table.add_row("plain loop, 3way", rate(three), rate(three / plain), "1.0", "")
    for name, fps in result.pipeline_fps.items():
        alone = rate(result.matcher_fps[name])
        table.add_row(name, f"[bold]{fps:.1f}[/bold]", rate(fps / plain), rate(fps / three), alone)
    lines: list[Any] = [table, ""]
    latency = result.latency_ms
    lines.append(
        f"{live}, live at 30 pairs/s: {result.live_fps:.1f} pairs/s, latency {latency.get('p50', 0):.0f} ms "
        f"(95 %: {latency.get('p95', 0):.0f} ms); "
        + ", ".join(f"{name} {ms:.1f}" for name, ms in result.stage_ms.items())
        + f" ms; peak memory {result.peak_mib:.0f} MiB"
    )
    if result.sweep:
        cost = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("preset", "size", "disparities", "ms", "ns per pixel and disparity"):
            cost.add_column(heading, justify="left" if heading in ("preset", "size") else "right")
        for row in result.sweep:
            cost.add_row(
                row["preset"], f"{row['width']}x{row['height']}", str(row["num_disparities"]), f"{row['ms']:.1f}",
                f"{row['ns_per_pixel_disparity']:.3f}",
            )  # fmt: skip
        lines += ["", cost]
    return lines
