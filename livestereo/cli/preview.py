"""The command `preview`: the live window, the browser page, or neither."""

from __future__ import annotations

from typing import Annotated

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output


@command
def preview(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    view: Annotated[
        str, typer.Option("--view", metavar="NAME", rich_help_panel="Run", help="What to show first: split, depth, …")
    ] = "split",
) -> None:
    """Show live depth from two cameras, files or a take.

    Example: `livestereo preview 0 2 --rig rig.json`

    Keys are listed in the window when it opens and by `?`. With `--headless --json` the run's figures are printed.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, run_live, wants_window
    from livestereo.cli._setup import open_pictures

    settings = settings_from(match)
    window = wants_window(run, output)
    with open_pictures(pictures, source, rig, output) as opened:
        summary = run_live(opened, settings, match, run, output, LiveParts(), window=window)
        output.result(summary.as_json())
