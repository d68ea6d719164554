"""`livestereo replay`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._errors import orderly_before_the_run
from livestereo.cli._options import MatchOptions, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError, TakeError
from livestereo.takes.reader import require_pairs
from livestereo.wording import counted

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened
    from livestereo.takes.reader import TakeReader


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

    Without options about depth the recorded depth is played. Space pauses, `,` and `.` step, a click on the bar below
    the pictures goes there. With -o the take is computed again with the options given; with --bitexact its depth is
    proved with those of the take, on any number of --threads.
    """
    from livestereo.cli._live import wants_window
    from livestereo.cli._playback import any_given
    from livestereo.cli._setup import open_pictures
    from livestereo.takes.manifest import load_manifest

    if not 0.05 <= speed <= 50:
        raise SettingsError(f"A speed of {speed:g} is not possible.", "Give 0.05 to 50.")
    if out is not None and out.resolve() == take.resolve():
        raise TakeError("A take cannot be computed into itself.", "Name another folder with -o.")
    if bitexact and out is not None:
        raise SettingsError("--bitexact writes no take.", "Leave out -o, or --bitexact.")
    if bitexact and (any_given(match, but=("threads", "workers")) or rig.rig is not None or rig.rectified):
        raise SettingsError(
            "--bitexact computes with the settings and the rig of the take.", "Leave out options about depth and rig."
        )
    load_manifest(take)  # what is no take is told before anything else
    window = out is None and not bitexact and wants_window(run, output)
    orderly = nullcontext() if bitexact else orderly_before_the_run(output)  # half a proof is none
    partial = out is None and not bitexact
    with orderly, open_pictures([str(take)], SourceOptions(), rig, output, partial=partial) as opened:
        source: Any = opened.source
        require_pairs(source.reader)
        if bitexact:
            _prove(opened, take, match, output)
        elif out is not None:
            _compute(opened, take, out, match, run, output, overwrite=overwrite)
        else:
            _play(opened, match, run, output, window=window, speed=speed, loop=loop)


def _play(
    opened: Opened, match: MatchOptions, run: RunOptions, output: Output, *, window: bool, speed: float, loop: bool
) -> None:
    """Play: the recorded depth where nothing else is asked for."""
    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, run_live
    from livestereo.cli._playback import RecordedPipeline, any_given, asks_again, settings_of

    source: Any = opened.source
    reader: TakeReader = source.reader
    recorded = settings_of(reader.manifest.settings)
    other = any_given(match) or asks_again(match, opened.rig_options)
    again = reader.has_raw and (other or not reader.has_depth)
    settings = settings_from(match, output) if again or recorded is None else recorded
    if settings.keep_up:
        settings = settings.changed(keep_up=False)
    parts = LiveParts(record=False, title=f"livestereo: {source.info.name}", pace=speed if window else None,
                      hold=source.info.count == 1 and not output.json)  # fmt: skip
    parts.can.add("seek")
    parts.start_view = _view_of(reader)
    parts.doctor = reader.has_raw  # a picture that is not there is black, which is no fault of a camera
    source.loop = loop and window
    if not again:
        start = settings
        parts.wrap = lambda pipeline, wanted: (
            pipeline if wanted.computes_otherwise(start) else RecordedPipeline(pipeline, source, opened)
        )
    summary = run_live(opened, settings, match, run, output, parts, window=window)
    if reader.unreadable_depth:
        how = "computed again" if reader.has_raw else "left out"
        many = counted(len(reader.unreadable_depth), "pair")
        output.warn(
            f"The recorded depth of {many} is missing or damaged; it was {how}. `livestereo verify` tells more."
        )
    output.result(summary.as_json())


def _view_of(reader: TakeReader) -> str:
    """Choose what to look at first: all there is, or of a take that lacks streams what it has."""
    if reader.has_raw or (reader.has_left and reader.has_depth):
        return "split"
    return "depth" if reader.has_depth else "left" if reader.has_left else "right"


def _compute(
    opened: Opened, take: Path, out: Path, match: MatchOptions, run: RunOptions, output: Output, *, overwrite: bool
) -> None:
    """Compute depth again into another take; the raw pairs are copied as they are."""
    import dataclasses

    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, run_live
    from livestereo.cli._playback import any_given, settings_of
    from livestereo.cli._recording import Counted, take_request
    from livestereo.cli.record import PREVIEW_WIDTH, recorded
    from livestereo.render.film import FilmMaker
    from livestereo.sinks.recorder import Recorder

    source: Any = opened.source
    then = settings_of(source.reader.manifest.settings)
    settings = settings_from(match, output) if any_given(match) or then is None else then
    request = take_request(opened, settings, out, overwrite=overwrite)
    request = dataclasses.replace(request, source=f"{take} computed again")
    left = source.reader.manifest.left
    if left is not None and not left.lossless:
        output.say("The raw pictures of this take are lossy (h264): they are kept as they decode, with no more loss.")
    recorder = Recorder(request, preview=FilmMaker(width=PREVIEW_WIDTH), ends_run=True)
    with output.progress("compute again", len(source.reader.pairs)) as advance:
        parts = LiveParts(pair_sinks=[recorder], sinks=[recorder, Counted(advance)], record=False)
        summary = run_live(opened, settings, match, run, output, parts, window=False)
    if recorder.stopped is not None:  # by the last pairs, so that none noticed
        raise recorder.why_it_ended(recorder.stopped)
    output.say(f"{out}: {counted(summary.pairs, 'pair')} computed again.")
    output.result({**summary.as_json(), "take": out, **recorded(recorder)})


def _prove(opened: Opened, take: Path, match: MatchOptions, output: Output) -> None:
    import dataclasses

    import cv2

    from calibration.errors import CalibrationError
    from livestereo.cli._build import build_pipeline
    from livestereo.cli._playback import settings_of
    from livestereo.engine_stats import RunSummary
    from livestereo.pipeline import Pipeline
    from livestereo.takes.bitexact import prove
    from livestereo.takes.manifest import save_manifest
    from livestereo.takes.writer import versions
    from livestereo.types import StereoFrame

    source: Any = opened.source
    reader = source.reader
    if not reader.has_depth:
        raise TakeError(f"{take} has no recorded depth to prove.", "`livestereo replay -o` computes it.")
    lossy = [entry.file for entry in (reader.manifest.left, reader.manifest.right) if entry and not entry.lossless]
    if lossy:
        raise TakeError(
            f"The raw pictures of {take} are lossy (h264): the recorded depth came from the pictures before that, so "
            "it cannot be proved from these.", "Record with --raw auto or ffv1 where that matters.",
        )  # fmt: skip

    def build(values: dict[str, Any], frame: StereoFrame) -> Pipeline:
        settings = settings_of(values)
        if settings is None:
            raise TakeError(
                "The settings of the take cannot be read by this version.", "Use the version it was made with."
            )
        return build_pipeline(settings, opened.rectification_for(frame), output.say, opened.rig_file)

    cv2.setNumThreads(match.threads if match.threads is not None else cv2.getNumberOfCPUs())
    with output.progress("compute again", len(reader.computed())) as advance:
        report = prove(reader, source.frame, build, versions(), advance)
    if not report.other_versions:
        reader.manifest.depth_bitexact = report.exact
        try:
            save_manifest(take, reader.manifest)
        except CalibrationError:  # a read-only disk, say: what was found is told all the same
            output.warn(f"{take} cannot be written, so it does not remember what was proved.")
    unmeasured = dict.fromkeys(one.name for one in dataclasses.fields(RunSummary))  # scripts read them of any replay
    value = {
        **unmeasured, "findings": [], "warnings": [], "settings": reader.manifest.settings,
        "pairs": report.compared, "equal": report.equal, "depth_bitexact": report.exact,
        "unreadable": report.unreadable, "other_versions": report.other_versions,
        "different": [
            {"pair": pair, "pixels": pixels, "largest_px": largest} for pair, pixels, largest in report.different
        ],
    }  # fmt: skip
    changed = ", ".join(f"{name} {then} → {now}" for name, (then, now) in report.other_versions.items())
    output.show(f"{take}: {report.equal} of {report.compared} depth pictures come out bit for bit.")
    if report.unreadable:
        many = counted(report.unreadable, "pair")
        output.warn(
            f"Not proved: {many} that cannot be read, or whose depth needs one. `livestereo verify` tells more."
        )
    if changed and report.equal < report.compared:
        output.say(f"Other versions than when it was recorded ({changed}): differences are theirs, not damage.")
    if not report.exact and not changed:
        unequal = report.compared - report.equal
        what = f"{unequal} of {report.compared} depth pictures differ from the recorded ones."
        if not unequal:
            what = f"{counted(report.unreadable, 'pair')} with depth cannot be read, so it is not proved."
        raise TakeError(what, "`livestereo verify` tells whether the take is damaged.", value)
    output.result(value)
