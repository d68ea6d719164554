"""The command `demo`: the whole program with no camera."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output

HEADLESS_PAIRS = 300


@command
def demo(
    source: SourceOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    scene: Annotated[
        str,
        typer.Argument(
            metavar="SCENE", help="room, clean, board, plane; with options: 'room,seed=1,phase=8ms'.",
            show_default=False,
        ),
    ] = "room",
    out: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", rich_help_panel="Run", help="Where it writes with no display."),
    ] = Path("demo-out"),
    web: Annotated[
        str | None,
        typer.Option("--web", metavar="[HOST:]PORT", rich_help_panel="Run", help="Show it in a browser."),
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
    """Show live depth of a rendered scene: no camera needed.

    Example: `livestereo demo`

    With no display it runs 300 pairs and writes `demo-out/`: a video, a depth picture, a coloured cloud and the
    figures.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._live import LiveParts, check_addresses, run_live, wants_window
    from livestereo.cli._setup import open_pictures
    from livestereo.imageio import make_folder

    check_addresses(web, view3d_at if view3d else None)
    settings = settings_from(match, output)
    window = wants_window(run, output, quietly=web is not None or view3d)
    watched = window or web is not None or view3d
    if not watched:
        make_folder(out)
    word = scene if scene == "demo" or scene.startswith("demo:") else f"demo:{scene}"
    with open_pictures([word], source, RigOptions(), output, settings=settings) as opened:
        if watched:
            parts = LiveParts(web=web, view3d=view3d_at if view3d else None, title="livestereo demo")
            summary = run_live(opened, settings, match, run, output, parts, window=window)
            output.result(summary.as_json())
        else:
            _without_display(opened, settings, match, run, output, out)


def _without_display(
    opened: Any, settings: Any, match: MatchOptions, run: RunOptions, output: Output, out: Path
) -> None:
    """Run a while and leave files that show what the window would have shown."""
    import dataclasses
    import json

    from livestereo.cli._live import LiveParts, run_live
    from livestereo.cli._output import plain
    from livestereo.imageio import write_bytes, write_picture
    from livestereo.render.colorize import colorize_depth
    from livestereo.sinks.cloud import save_cloud
    from livestereo.sinks.film import Film

    pairs = run.frames if run.frames is not None or run.duration is not None else HEADLESS_PAIRS
    film = Film(out / "preview.mp4", settings)
    with output.progress("depth of the demo scene", pairs) as advance:
        parts = LiveParts(sinks=[film, _Ticker(advance)])
        limited = dataclasses.replace(run, frames=pairs)
        summary = run_live(opened, settings, match, limited, output, parts, window=False)
    figures = summary.as_json()
    files = {"video": out / "preview.mp4", "statistics": out / "statistics.json"}
    if film.last is not None and film.look is not None:
        near, far = film.look.depth_range.near_m, film.look.depth_range.far_m
        files["depth"] = write_picture(out / "depth.png", colorize_depth(film.last.depth_m, near, far))
        files["left"] = write_picture(out / "left.png", film.last.pair.left)
        files["cloud"] = save_cloud(out / "cloud.ply", film.last)
        figures["truth"] = _against_truth(opened.source.info.truth, film.last)
    write_bytes(files["statistics"], (json.dumps(plain(figures), indent=2) + "\n").encode())
    output.result({**figures, "files": files})
    output.show("", *(f"[dim]{name:>10}[/dim]  {path}" for name, path in sorted(files.items())))


class _Ticker:
    """Counts results on a progress bar."""

    def __init__(self, advance: Any) -> None:
        self._advance = advance

    def open(self, info: object) -> None:
        """Nothing to prepare."""

    def accept(self, result: object) -> None:
        """Count one."""
        self._advance()

    def close(self) -> None:
        """Nothing to release."""


def _against_truth(scene: Any, result: Any) -> dict[str, float] | None:
    """Compare the last depth with the scene's truth: median error, percent of depth; share of pixels answered."""
    import numpy as np

    if scene is None:
        return None
    truth = scene.truth(result.frame.seq).depth_m
    if truth.shape != result.depth_m.shape:
        return None
    with np.errstate(invalid="ignore"):
        error = np.abs(result.depth_m - truth) / truth
    known = np.isfinite(error)
    if not known.any():
        return None
    return {
        "median_error_percent": 100.0 * float(np.median(error[known])),
        "within_5_percent": 100.0 * float((error[known] < 0.05).mean()),
        "fill_percent": 100.0 * float(known.mean()),
    }
