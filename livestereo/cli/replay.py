"""`livestereo replay`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError, TakeError

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened
    from livestereo.takes.manifest import StreamEntry


@command
def replay(
    take: Annotated[Path, typer.Argument(metavar="TAKE", help="The folder of a take.", show_default=False)],
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="TAKE", help="Compute depth again into another take.")
    ] = None,
    bitexact: Annotated[
        bool, typer.Option("--bitexact", help="Prove that the recorded settings give the recorded depth, bit for bit.")
    ] = False,
    speed: Annotated[float, typer.Option("--speed", metavar="X", help="Play so many times as fast.")] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the take that -o names.")] = False,
) -> None:
    """Play a take in the window, or compute its depth again.

    Example: `livestereo replay takes/kitchen`

    Without options about depth the recorded depth is played. Space pauses, `,` and `.` step.
    With -o the take is computed again with the options given; with --bitexact its depth is proved.
    """
    from livestereo.cli._live import wants_window
    from livestereo.cli._setup import open_pictures

    if not 0.05 <= speed <= 50:
        raise SettingsError(f"A speed of {speed:g} is not possible.", "Give 0.05 to 50.")
    if out is not None and out.resolve() == take.resolve():
        raise TakeError("A take cannot be computed into itself.", "Name another folder with -o.")
    window = out is None and not bitexact and wants_window(run, output)
    if window and not _has_raw(take):
        from livestereo.cli._player import play_depth_only

        play_depth_only(take, speed, loop, output)
        return
    with open_pictures([str(take)], SourceOptions(), rig, output) as opened:
        if bitexact:
            _prove(opened, take, output)
        elif out is not None:
            _compute(opened, take, out, match, run, output, overwrite=overwrite)
        else:
            _play(opened, match, run, output, window=window, speed=speed, loop=loop)


def _has_raw(take: Path) -> bool:
    from livestereo.takes.reader import TakeReader

    with TakeReader(take) as reader:
        return reader.has_raw


def _play(
    opened: Opened, match: MatchOptions, run: RunOptions, output: Output, *, window: bool, speed: float, loop: bool
) -> None:
    """Play: the recorded depth where nothing else is asked for."""
    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, run_live
    from livestereo.cli._playback import RecordedPipeline, any_given, settings_of

    source: Any = opened.source
    recorded = settings_of(source.reader.manifest.settings)
    again = any_given(match) or opened.rig_options.rig is not None or not source.reader.has_depth
    settings = settings_from(match) if again or recorded is None else recorded
    if settings.keep_up:
        settings = settings.changed(keep_up=False)
    parts = LiveParts(record=False, title=f"livestereo: {source.info.name}", pace=speed if window else None)
    source.loop = loop and window
    if not again:
        start = settings
        parts.wrap = lambda pipeline, wanted: (
            pipeline if wanted.computes_otherwise(start) else RecordedPipeline(pipeline, source, opened)
        )
    summary = run_live(opened, settings, match, run, output, parts, window=window)
    output.result(summary.as_json())


def _compute(
    opened: Opened, take: Path, out: Path, match: MatchOptions, run: RunOptions, output: Output, *, overwrite: bool
) -> None:
    """Compute depth again into another take; the raw pairs are copied as they are."""
    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, run_live
    from livestereo.cli._playback import any_given, settings_of
    from livestereo.cli._recording import take_request
    from livestereo.cli.record import PREVIEW_WIDTH, recorded
    from livestereo.render.film import FilmMaker
    from livestereo.sinks.recorder import Recorder

    source: Any = opened.source
    then = settings_of(source.reader.manifest.settings)
    settings = settings_from(match) if any_given(match) or then is None else then
    request = take_request(opened, settings, out, overwrite=overwrite)
    manifest = source.reader.manifest
    flips = (_flip(manifest.left), _flip(manifest.right))
    request = dataclasses.replace(request, flips=flips, source=f"{take} computed again")
    recorder = Recorder(request, preview=FilmMaker(width=PREVIEW_WIDTH), ends_run=True)
    parts = LiveParts(pair_sinks=[recorder], sinks=[recorder], record=False)
    summary = run_live(opened, settings, match, run, output, parts, window=False)
    output.say(f"{out}: {summary.pairs} pairs computed again.")
    output.result({**summary.as_json(), "take": out, **recorded(recorder)})


def _flip(stream: StreamEntry | None) -> str:
    return "none" if stream is None else stream.flip


def _prove(opened: Opened, take: Path, output: Output) -> None:
    from livestereo.cli._build import build_pipeline
    from livestereo.cli._playback import settings_of
    from livestereo.pipeline import Pipeline
    from livestereo.takes.bitexact import prove
    from livestereo.takes.manifest import save_manifest
    from livestereo.takes.writer import versions
    from livestereo.types import StereoFrame

    source: Any = opened.source
    reader = source.reader
    if not reader.has_depth:
        raise TakeError(f"{take} has no recorded depth to prove.", "`livestereo replay -o` computes it.")

    def build(values: dict[str, Any], frame: StereoFrame) -> Pipeline:
        settings = settings_of(values)
        if settings is None:
            raise TakeError(
                "The settings of the take cannot be read by this version.", "Use the version it was made with."
            )
        return build_pipeline(settings, opened.rectification_for(frame), output.say)

    with output.progress("compute again", len(reader.computed_pairs())) as advance:
        report = prove(reader, source.frame, build, versions(), advance)
    if not report.other_versions:
        reader.manifest.depth_bitexact = report.exact
        save_manifest(take, reader.manifest)
    value = {
        "pairs": report.compared, "equal": report.equal, "depth_bitexact": report.exact,
        "unreadable": report.unreadable, "other_versions": report.other_versions,
        "different": [
            {"pair": pair, "pixels": pixels, "largest_px": largest} for pair, pixels, largest in report.different
        ],
    }  # fmt: skip
    changed = ", ".join(f"{name} {then} → {now}" for name, (then, now) in report.other_versions.items())
    output.show(f"{take}: {report.equal} of {report.compared} depth pictures come out bit for bit.")
    if changed:
        output.say(f"Other versions than when it was recorded ({changed}): differences are theirs, not damage.")
    if not report.exact and not changed:
        raise TakeError(
            f"{report.compared - report.equal} of {report.compared} depth pictures differ from the recorded ones.",
            "`livestereo verify` tells whether the take is damaged.", value,
        )  # fmt: skip
    output.result(value)
