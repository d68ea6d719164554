"""`livestereo record`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from livestereo.cli._errors import orderly_before_the_run
from livestereo.cli._options import MatchOptions, PhaseOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import LiveStereoError, SettingsError
from livestereo.wording import counted

if TYPE_CHECKING:
    from calibration.errors import CalibrationError
    from livestereo.cli._setup import Opened
    from livestereo.sinks.recorder import Recorder
    from livestereo.types import CaptureStats

PREVIEW_WIDTH = 480


@command
def record(
    pictures: Pictures,
    source: SourceOptions,
    phase: PhaseOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    take: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="TAKE", help="The folder to record into.")
    ] = None,
    raw: Annotated[
        str,
        typer.Option("--raw", metavar="auto|ffv1|h264", help="auto: the camera's own JPEG bytes, else lossless FFV1."),
    ] = "auto",
    only: Annotated[
        str | None, typer.Option("--only", metavar="raw|depth", help="Leave out depth, or the raw pictures.")
    ] = None,
    no_preview: Annotated[bool, typer.Option("--no-preview", help="Do not make preview.mp4.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a take that is there.")] = False,
) -> None:
    """Record a take: raw pairs, exact stamps, the rig, settings and depth.

    Example: `livestereo record 0 2 --rig rig.json -o takes/kitchen`

    Raw pairs come first: when this computer cannot keep up, depth is left out of the take (it can be computed later
    with `replay`), and every loss is counted by its cause. q or Ctrl-C ends it; it stops by itself before the disk is
    full.
    """
    with orderly_before_the_run(output):
        from livestereo.cli._build import settings_from
        from livestereo.cli._choices import one_of
        from livestereo.cli._live import LiveParts, never_reopen_while, run_live, wants_window
        from livestereo.cli._raw_only import raw_where_unmatched, without_depth
        from livestereo.cli._recording import refuse_own_source, take_request
        from livestereo.cli._setup import open_pictures
        from livestereo.render.film import FilmMaker
        from livestereo.sinks.recorder import Recorder
        from livestereo.takes.raw import RawFormat
        from livestereo.takes.writer import Content

        if take is None:
            raise SettingsError("No take is named.", "Add -o NAME: the folder to record into.")
        way = one_of(raw, get_args(RawFormat), "way to record")
        parts_of_takes: tuple[Content, ...] = ("raw", "depth")
        content: Content = "all" if only is None else one_of(only, parts_of_takes, "part of a take")
        refuse_own_source(take, pictures)
        if way == "h264" and content != "depth":
            output.say("h264 is lossy: depth computed again from this take will differ a little.")
        settings = settings_from(match, output)
        window = wants_window(run, output)
        with open_pictures(pictures, source, rig, output, phase=phase, settings=settings) as opened:
            request = take_request(
                opened, settings, take, raw=way, content=content, preview=not no_preview, overwrite=overwrite
            )
            never_reopen_while(opened.source, lambda: True)
            recorder = Recorder(request, preview=FilmMaker(width=PREVIEW_WIDTH), ends_run=True)
            parts = LiveParts(
                pair_sinks=[recorder], sinks=[recorder], record=False, title=f"livestereo: recording {take.name}",
                handlers={"record": lambda _: "This take is being recorded; q ends it."},
            )  # fmt: skip
            if content == "raw" and not (window and (opened.rig_file is not None or rig.rectified)):
                without_depth(parts)
            elif content == "all" and opened.rig_file is None:
                raw_where_unmatched(parts, opened, lambda error: _raw_alone(error, recorder, output))
            try:
                summary = run_live(opened, settings, match, run, output, parts, window=window)
                if recorder.stopped is not None:  # by the last pairs, so that none noticed
                    ended = recorder.why_it_ended(recorder.stopped)
                    ended.details = summary.as_json()
                    raise ended
            except LiveStereoError as error:
                error.details = {**_with_end(error.details, recorder, opened), "take": take, **recorded(recorder)}
                raise
            finally:
                _tell(recorder, take, output)
                for warning in end_gap(recorder, opened.source.stats()):
                    output.warn(warning)
            output.result({**_with_end(summary.as_json(), recorder, opened), "take": take, **recorded(recorder)})


def end_gap(recorder: Recorder, stats: CaptureStats) -> list[str]:
    """Say that a take ends with a stretch in which nothing came, and which camera is the cause; [] where it does not.

    stats: of the source at that time.
    """
    if not recorder.quiet_s:
        return []
    states = {"left": stats.state_left, "right": stats.state_right}
    causes = ", ".join(f"{side} camera {state}" for side, state in states.items() if state != "ok")
    return [f"No pair came in the last {recorder.quiet_s:.1f} s of the take" + (f": {causes}." if causes else ".")]


def _with_end(values: dict[str, Any], recorder: Recorder, opened: Opened) -> dict[str, Any]:
    """Add the gap at the end of the take, if there is one, to the warnings of a summary."""
    return {**values, "warnings": [*values.get("warnings", []), *end_gap(recorder, opened.source.stats())]}


def _raw_alone(error: CalibrationError, recorder: Recorder, output: Output) -> None:
    recorder.give_up_depth()
    output.warn(
        f"There is no rig file, and no depth without one here: {error.what} Raw pictures alone are recorded. Once "
        "these cameras are calibrated, `livestereo replay TAKE --rig FILE -o OTHER` computes depth."
    )


def recorded(recorder: Recorder) -> dict[str, object]:
    """Figures of a finished recording for JSON."""
    manifest = recorder.manifest
    if manifest is None:
        return {}
    return {
        "captured": manifest.captured, "written": manifest.pairs, "depth_written": manifest.depth_pairs,
        "lost": manifest.lost, "thinned": manifest.thinned, "gaps": manifest.gaps,
    }  # fmt: skip


def _tell(recorder: Recorder, take: Path, output: Output) -> None:
    manifest = recorder.manifest
    if manifest is None:
        return
    size = sum(path.stat().st_size for path in take.iterdir() if path.is_file())
    for_depth = recorder.request.content != "raw"
    causes = ", ".join(f"{number} {cause}" for cause, number in manifest.lost.items())
    lost, thinned = counted(sum(manifest.lost.values()), "pair"), counted(manifest.thinned, "pair")
    output.say(
        f"{take}: {counted(manifest.pairs, 'pair')}, "
        + (f"{manifest.depth_pairs} with depth, " if for_depth else "")
        + f"{size / 2**20:.0f} MiB"
        + (f"; {lost} lost ({causes})" if manifest.lost else "")
        + (f"; {thinned} without depth: `livestereo replay -o` computes it" if manifest.thinned else "")
    )
