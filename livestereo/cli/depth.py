"""The command `depth`: pictures in, depth maps, clouds, meshes and disparity out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError
from livestereo.types import Reason, StereoResult

_files = "Files"
_sure = "How sure it is"
EMPTY_PERCENT = 1.0  # of the picture: less depth than this is told


@command
def depth(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    output: Output,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", rich_help_panel=_files, help="Depth picture, or a folder."),
    ] = None,
    style: Annotated[
        str,
        typer.Option(
            "--style",
            metavar="NAME",
            rich_help_panel=_files,
            help="gray, mm16 (16-bit millimetres), metres (float: PFM, TIFF), or a colour map: viridis, turbo, "
            "cividis, inferno, magma, plasma.",
        ),
    ] = "gray",
    near: Annotated[
        float | None, typer.Option("--near", metavar="M", rich_help_panel=_files, help="Depth shown brightest.")
    ] = None,
    far: Annotated[
        float | None, typer.Option("--far", metavar="M", rich_help_panel=_files, help="Depth shown darkest.")
    ] = None,
    cloud: Annotated[
        Path | None,
        typer.Option("--cloud", metavar="FILE.ply", rich_help_panel=_files, help="Coloured point cloud."),
    ] = None,
    disparity: Annotated[
        Path | None,
        typer.Option(
            "--disparity", metavar="FILE.pfm", rich_help_panel=_files, help="Disparity as float, PFM or TIFF."
        ),
    ] = None,
    mesh: Annotated[
        Path | None, typer.Option("--mesh", metavar="FILE.ply", rich_help_panel=_files, help="Mesh, PLY or OBJ.")
    ] = None,
    sigma: Annotated[
        Path | None,
        typer.Option(
            "--sigma", metavar="FILE.pfm", rich_help_panel=_sure, help="σ of the disparity, px, as float: PFM or TIFF."
        ),
    ] = None,
    depth_sigma: Annotated[
        Path | None,
        typer.Option(
            "--depth-sigma",
            metavar="FILE.pfm",
            rich_help_panel=_sure,
            help="σ of the depth, metres, with the rig's part where the rig file tells it.",
        ),
    ] = None,
    confidence: Annotated[
        Path | None,
        typer.Option(
            "--confidence",
            metavar="FILE.pfm",
            rich_help_panel=_sure,
            help="How likely disparity is right to 1 px, 0 to 1: PFM, TIFF, or PNG (1 to 255; 0: no depth).",
        ),
    ] = None,
    reasons: Annotated[
        Path | None,
        typer.Option(
            "--reasons",
            metavar="FILE.png",
            rich_help_panel=_sure,
            help="Why there is no depth, 8-bit codes; see above.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", rich_help_panel=_files, help="Show it in a window.")] = False,
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", rich_help_panel=_files, help="Only the first N pairs.")
    ] = None,
) -> None:
    """Turn pairs of photos into depth maps, clouds and meshes.

    Example: livestereo depth left.jpg right.jpg -o depth.png --cloud cloud.ply --show

    With a rig file (--rig) the pictures are rectified and depth is in metres. Without one, pictures that are not
    rectified are rectified from what they show, and depth is relative. For more than one pair, -o, --cloud,
    --disparity and the other files name folders, and files in them are named by the left picture.
    Cloud and mesh leave out what is likelier wrong than right, where that is the smaller part.

    Codes of --reasons: 0 depth is known, 1 unknown, 2 hidden from the right camera, 3 outside the right view, 4 no
    texture, 5 repeated texture, 6 too near, 7 too far, 8 saturated, 9 outside the region that both cameras see.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._choices import within
    from livestereo.cli._depth_files import OF_METRES, Wanted, check_wanted
    from livestereo.cli._doubts import Doubts
    from livestereo.cli._results import Troubles, each_result, expects_many
    from livestereo.cli._setup import open_pictures

    within("--frames", frames, 1)
    asked = (sigma, depth_sigma, confidence, reasons)
    if not any((out, cloud, disparity, mesh, show, *asked)):
        out = Path("depth.png" if style != "none" else "depth")
        output.say(f"No output was named: writing {out}.")
    wanted = Wanted(
        picture=out, cloud=cloud, disparity=disparity, mesh=mesh, sigma=sigma, depth_sigma=depth_sigma,
        confidence=confidence, reasons=reasons, explained=output.json or any(asked), style=style, near=near, far=far,
    )  # fmt: skip
    check_wanted(wanted)
    if (near is not None or far is not None) and not show and (out is None or style in OF_METRES):
        why = "no depth picture is written" if out is None else "lengths are written as they are"
        output.say(f"--near and --far: not used, {why}.")
    settings = settings_from(match, output)
    troubles = Troubles()
    done: list[dict[str, Any]] = []
    table = _table()
    with open_pictures(pictures, source, rig, output, settings=settings) as opened:
        writer, result, doubts = None, None, Doubts(opened)
        for result in each_result(opened, settings, output, troubles, frames=frames):
            if writer is None:
                writer = wanted.writer(many=expects_many(opened.source.info, frames))
                _tell_scale(result, style, output)
            row = writer.write(result)
            done.append(row)
            _add_row(table, row)
            if row["density_percent"] >= EMPTY_PERCENT:
                doubts.look(result)
            if show:
                _show(result, wanted, output)
    if any(asked) and done:
        _tell_sure(done, output)
    if done:
        output.show(table, *_files_told(done))
        _tell_left_out(done, output)
        _tell_shown(done, output)
    empty = _tell_empty(done, result, output)
    doubts.tell(output)
    found = {"pairs": done, "warnings": empty + doubts.warnings}
    error = troubles.error(len(done), found)
    if error is not None:
        raise error
    if not done:
        raise SettingsError("There was no pair to compute.", "Check the pictures.", found)
    output.result(found)


def _tell_scale(result: StereoResult, style: str, output: Output) -> None:
    from livestereo.cli._depth_files import OF_METRES

    if result.pair.rectification.metric:
        return
    if style in OF_METRES:
        unit = "Millimetres" if style == "mm16" else "Metres"
        raise SettingsError(
            f"{unit} need a rig that knows metres, and none is known here: depth is relative.",
            "Give a rig file with --rig, or another --style, or --disparity.",
        )
    if not result.pair.rectification.notes:  # a note of the rectification has told it already
        output.say("Depth is relative: without a rig file (--rig) nothing tells metres.")


def _tell_empty(rows: list[dict[str, Any]], last: StereoResult | None, output: Output) -> list[str]:
    """Say why there is next to no depth, and give the words: an empty map alone looks like success."""
    empty = [row["name"] for row in rows if row["density_percent"] < EMPTY_PERCENT]
    if not empty or last is None:
        return []
    named = empty[0] if len(empty) == 1 else f"{len(empty)} of {len(rows)} pairs"
    if np.array_equal(last.frame.left.image, last.frame.right.image):
        text = f"There is no depth in {named}: left and right are the same picture."
    else:
        text = f"There is next to no depth in {named}. Run `livestereo doctor` on the same pictures: it says why."
    output.warn(text)
    return [text]


def _tell_left_out(rows: list[dict[str, Any]], output: Output) -> None:
    """Say how much of the depth is not in clouds and meshes."""
    told = [row["left_out_percent"] for row in rows if row.get("left_out_percent")]
    if told and max(told) >= 0.1:
        most = f"{max(told):.1f} %" if len(told) == 1 else f"up to {max(told):.1f} %"
        output.say(f"Left out of cloud and mesh: {most} of the depth, which is likelier wrong than right.")


def _tell_shown(rows: list[dict[str, Any]], output: Output) -> None:
    """Say what lengths the colours of one picture stand for; those of many are in the JSON."""
    shown = rows[0].get("shown_range_m")
    if len(rows) == 1 and shown is not None:
        unit = " m" if rows[0]["metric"] else ""
        output.say(f"The picture shows {shown[0]:.3g} to {shown[1]:.3g}{unit}.")


def _tell_sure(rows: list[dict[str, Any]], output: Output) -> None:
    """Sum up σ and reasons over the pairs, for people."""
    from livestereo.render.colorize import REASON_TEXT

    told = [row for row in rows if "reasons_percent" in row]
    if not told:
        return
    known = [row for row in told if row["sigma_median_px"] is not None]
    if known:
        middle = float(np.median([row["sigma_median_px"] for row in known]))
        of_depth = float(np.median([row["sigma_depth_median_percent"] for row in known]))
        output.say(
            f"σ: {middle:.2f} px of disparity, {of_depth:.1f} % of depth in the middle ({known[0]['sigma_of']})."
        )
    names = list(told[0]["reasons_percent"])
    shares = {name: float(np.mean([row["reasons_percent"][name] for row in told])) for name in names}
    largest = sorted((name for name in names if shares[name] >= 0.1), key=lambda name: -shares[name])
    listed = ", ".join(f"{REASON_TEXT[Reason[name.upper()]]} {shares[name]:.1f} %" for name in largest)
    output.say(f"No depth: {listed or 'nowhere'}.")


def _table() -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("pair", "size", "depth known", "1 %", "median", "99 %"):
        left = heading in ("pair", "size")
        table.add_column(heading, justify="left" if left else "right", overflow="fold", no_wrap=heading != "pair")
    return table


def _files_told(rows: list[dict[str, Any]]) -> list[str]:
    """Name the files of one pair, or the folders of many, below the table: in it they would be cut off."""
    files = [Path(file) for row in rows for file in row["files"]]
    if len(rows) == 1:
        return ["Files: " + ", ".join(str(file) for file in files)] if files else []
    count: dict[Path, int] = {}
    for file in files:
        count[file.parent] = count.get(file.parent, 0) + 1
    return [f"{number} files in {folder}" for folder, number in count.items()]


def _add_row(table: Table, row: dict[str, Any]) -> None:
    def length(value: float | None) -> str:
        if value is None or not np.isfinite(value):
            return "–"
        return f"{value:.3g} m" if row["metric"] else f"{value:.3g}"

    table.add_row(
        row["name"], f"{row['width']}x{row['height']}", f"{row['density_percent']:.1f} %",
        length(row["p1_m"]), length(row["median_m"]), length(row["p99_m"]),
    )  # fmt: skip


def _show(result: StereoResult, wanted: Any, output: Output) -> None:
    """Show left beside depth with the legend, until a key is pressed."""
    from livestereo import display
    from livestereo.cli._depth_files import OF_METRES, shown_range
    from livestereo.render.compose import Composer, Scene
    from livestereo.render.layout import arrange, natural_canvas
    from livestereo.render.views import PANE_TEXT, Look, displayed_size, picture
    from livestereo.settings import Settings

    found = display.probe()
    if not found.ok:
        output.warn(f"{found.why} Nothing is shown.")
        return
    size = displayed_size(result)
    panes = ("left", "depth")
    canvas = natural_canvas(size, len(panes), screen_wh=found.screen_wh)
    colormap = wanted.style if wanted.style not in OF_METRES else Settings().colormap
    depth_range = shown_range(result.depth_m, wanted.near, wanted.far)
    if depth_range is None:
        output.warn("No depth was found, so there is none to show.")
        return
    look = Look(depth_range, colormap, "inverse" if colormap == "gray" else "log")
    scene = Scene(
        layout=arrange(canvas, size, panes, bar=False),
        pictures=tuple(picture(pane, result, look) for pane in panes),
        labels=tuple(PANE_TEXT[pane] for pane in panes),
        look=look,
        metric=result.pair.rectification.metric,
    )
    name = result.frame.name or f"pair {result.frame.seq}"
    display.show_until_key(f"livestereo: {name} (any key closes)", Composer().compose(scene))
