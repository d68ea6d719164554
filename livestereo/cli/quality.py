"""The command `quality`: how good depth of a flat surface is, against what this rig lets expect."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import LiveStereoError, SettingsError
from livestereo.imageio import make_place

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened
    from livestereo.evaluation.plane_quality import Quality, QualityMeter
    from livestereo.settings import Settings

_panel = "Quality"
PAIRS = 30  # of a scene that stands still: enough for its noise to a few percent


@command
def quality(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    distance: Annotated[
        float | None,
        typer.Option(
            "--distance", metavar="M", rich_help_panel=_panel,
            help="True distance of the surface, metres, straight ahead of the left lens.",
        ),
    ] = None,
    roi: Annotated[
        str | None,
        typer.Option(
            "--roi", metavar="X,Y,W,H", rich_help_panel=_panel,
            help="Region to judge, pixels of the shown left picture; the middle half each way if left out.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", rich_help_panel=_panel, help="A page about it, HTML.")
    ] = None,
) -> None:  # fmt: skip
    """Measure fill rate, plane fit, noise and accuracy on a flat surface, against the predicted error of this rig.

    Example: `livestereo quality 0 2 --rig rig.json --distance 1.50 --report quality.html`

    Aim at a well-textured wall or board that fills the middle of the picture, and keep it and the cameras still. With
    a display the window shows the figures as it runs (cameras; the demo, videos and takes with --duration or --frames
    too) and q ends it; otherwise 30 pairs are judged, or as many as --frames says.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._measuring import parse_box
    from livestereo.cli._setup import open_pictures
    from livestereo.evaluation import quality_words
    from livestereo.evaluation.plane_quality import QualityMeter

    if distance is not None and not 0.05 < distance < 1000:
        raise SettingsError(f"--distance must be in metres, as 1.50, is {distance:g}.", "Measure from the left lens.")
    box = None if roi is None else parse_box(roi)
    if report is not None:
        make_place(report)  # what would otherwise fail when all is measured
    settings = settings_from(match, output)
    with open_pictures(pictures, source, rig, output, settings=settings) as opened:
        if opened.source.info.live and opened.rig_file is None and not rig.rectified:
            raise SettingsError("Cameras need a rig for this.", "Give --rig; make one with `livestereo calibrate`.")
        meter = QualityMeter(box, run.frames or PAIRS)
        window = _watch(opened, settings, match, run, output, meter, distance)
        if not window:
            _collect(opened, settings, run, output, meter)
        found = meter.quality(distance_m=distance, rig_file=opened.rig_file, maps=report is not None)
        _tell(found, output)
        if report is not None:
            _write(report, found, meter, opened, output)
    words = {"verdict": quality_words.verdict(found), "findings": quality_words.sentences(found)}
    output.result({**found.as_json(), **words})


def _watch(
    opened: Opened, settings: Settings, match: MatchOptions, run: RunOptions, output: Output, meter: QualityMeter,
    distance: float | None,
) -> bool:  # fmt: skip
    """Run with the window, where one is wanted and possible."""
    from livestereo.cli._live import LiveParts, run_live, wants_window
    from livestereo.cli._quality_panel import QualityPanel
    from livestereo.cli._results import is_still

    info = opened.source.info
    asked = info.live or run.frames is not None or run.duration is not None
    if output.json or is_still(info) or not asked or not wants_window(run, output):
        return False
    panel = QualityPanel(meter, opened, distance)
    parts = LiveParts(
        title="livestereo: quality", record=False, sinks=[meter], observers=[panel], cards=[panel.draw]
    )  # fmt: skip
    run_live(opened, settings, match, run, output, parts, window=True)
    return True


def _collect(opened: Opened, settings: Settings, run: RunOptions, output: Output, meter: QualityMeter) -> None:
    """Judge so many pairs with no window.

    Raises:
        LiveStereoError: no pair gave depth.
    """
    from livestereo.cli._results import Troubles, each_result
    from livestereo.timing import monotonic

    troubles = Troubles()
    seen = 0
    begin = monotonic()
    results = each_result(opened, settings, output, troubles, frames=run.frames or PAIRS, text="quality")
    try:
        for result in results:
            meter.accept(result)
            seen += 1
            if run.duration is not None and monotonic() - begin >= run.duration:
                break
    finally:
        results.close()
    error = troubles.error(seen, {})
    if error is not None and not seen:
        raise error
    if error is not None:
        output.warn(f"{error.what} {error.fix}".strip())


def _tell(found: Quality, output: Output) -> None:
    """Say it to a person."""
    from rich.table import Table
    from rich.text import Text

    from livestereo.evaluation import quality_words

    colours = {"good": "green", "fair": "yellow", "bad": "red", "plain": ""}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "measured", "expected"):
        table.add_column(heading)
    for row in quality_words.rows(found):
        table.add_row(row.name, Text(row.value, style=colours[row.state]), row.expected)
    output.show(table, Text(""), Text(f"Verdict: {quality_words.verdict(found)}", style="bold"))
    output.show(*(Text(f"  {sentence}") for sentence in quality_words.sentences(found)))


def _write(path: Path, found: Quality, meter: QualityMeter, opened: Opened, output: Output) -> None:
    from livestereo import __version__
    from livestereo.evaluation.quality_report import write_quality_report

    newest = meter.newest
    if newest is None:
        raise LiveStereoError("No pair was seen.", "Check the pictures.")
    if not math.isfinite(found.distance_m):
        found = dataclasses.replace(found, distance_m=1.0)
    write_quality_report(
        path, found, newest, rig_file=opened.rig_file, source=opened.source.info.name,
        made_by=f"livestereo {__version__}",
    )  # fmt: skip
    output.say(f"Report: {path}")
