"""The command `preview`: the live window, the browser page, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from livestereo.cli._errors import orderly_before_the_run
from livestereo.cli._options import MatchOptions, PhaseOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened

AIM_MESSAGE = "Same things on the same lines, both sharp, both equally bright: then calibrate."


@command
def preview(
    pictures: Pictures,
    source: SourceOptions,
    phase: PhaseOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    web: Annotated[
        str | None,
        typer.Option(
            "--web", metavar="[HOST:]PORT", rich_help_panel="Run",
            help="Show it in a browser: on this computer, or with 0.0.0.0:PORT on any, with a token.",
        ),
    ] = None,
    view3d: Annotated[
        bool, typer.Option("--view3d", rich_help_panel="Run", help="Show the live cloud in a browser.")
    ] = False,
    view3d_at: Annotated[
        str,
        typer.Option(
            "--view3d-at", metavar="[HOST:]PORT", rich_help_panel="Run",
            help="Where the 3D view is; port 0: any free one.",
        ),
    ] = "8090",
) -> None:  # fmt: skip
    """Show live depth from two cameras, files or a take.

    Example: `livestereo preview 0 2 --rig rig.json`

    Keys are listed in the window when it opens and by `?`. With `--headless --json` the run's figures are printed.
    """
    with orderly_before_the_run(output):
        from livestereo.cli._build import settings_from
        from livestereo.cli._live import LiveParts, check_addresses, run_live, wants_window
        from livestereo.cli._setup import open_pictures

        check_addresses(web, view3d_at if view3d else None)
        settings = settings_from(match, output)
        window = wants_window(run, output, quietly=web is not None or view3d)
        with open_pictures(pictures, source, rig, output, phase=phase, settings=settings) as opened:
            if window and opened.source.info.live and opened.rig_file is None and not rig.rectified:
                _aim(opened, run, output)
                return
            # One pair is over before anybody has seen it; a script asks for JSON, or for a number of pairs.
            one = opened.source.info.count == 1 and not output.json
            parts = LiveParts(web=web, view3d=view3d_at if view3d else None, hold=one)
            summary = run_live(opened, settings, match, run, output, parts, window=window)
            output.result(summary.as_json())


def _aim(opened: Opened, run: RunOptions, output: Output) -> None:
    """Show the raw views of cameras that have no rig, until the person has seen enough."""
    from livestereo.engine_stop import stopping_signals
    from livestereo.errors import NoFrameYet
    from livestereo.sinks.window_raw import RawWindow
    from livestereo.timing import monotonic

    output.say("No rig yet: showing the raw views. Calibrate with `livestereo calibrate`, then use --rig.")
    view = RawWindow()
    begin, pairs = monotonic(), 0
    try:
        with stopping_signals() as signals:
            going = True
            while going and not signals.stop:
                try:
                    frame = opened.source.read(0.05)
                except NoFrameYet:
                    going = view.poll()
                    continue
                if frame is None:
                    break
                pairs += 1
                view.show(frame, opened.source.stats(), message=AIM_MESSAGE if pairs < 150 else "")
                going = view.poll()
                over = run.duration is not None and monotonic() - begin >= run.duration
                if over or (run.frames is not None and pairs >= run.frames):
                    break
    finally:
        view.close()
    stats = opened.source.stats()
    output.result({"pairs": pairs, "capture_fps": min(stats.fps_left, stats.fps_right), "warnings": ["no rig"]})
    output.show(f"{pairs} pairs seen at {stats.fps_left:.1f} | {stats.fps_right:.1f} pictures/s.")
