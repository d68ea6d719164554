"""The command `measure`: a point, a distance, a height, each with its standard deviation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError

if TYPE_CHECKING:
    from livestereo.measure import Ruler

_panel = "Measure"
# Matching leaves no flat surface rougher than this, RMS of disparity.
ROUGH_PX = 0.5
DOUBTFUL = 0.5


@command
def measure(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point", metavar="U,V", rich_help_panel=_panel,
            help="A pixel of the shown left picture; give two for a distance.",
        ),
    ] = None,
    plane: Annotated[
        bool,
        typer.Option(
            "--plane", rich_help_panel=_panel,
            help="Height of the one point over the plane that most of the picture lies on.",
        ),
    ] = False,
    plane_in: Annotated[
        str | None,
        typer.Option(
            "--plane-in", metavar="X,Y,W,H", rich_help_panel=_panel,
            help="Height of the one point over the plane in this rectangle.",
        ),
    ] = None,
    pair: Annotated[
        int, typer.Option("--pair", metavar="N", rich_help_panel=_panel, help="Which pair, counted from 0.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", rich_help_panel=_panel, help="A picture of what was measured."),
    ] = None,
) -> None:  # fmt: skip
    """Measure a point, the distance between two, or a height, with its uncertainty.

    Example: `livestereo measure left.png right.png --rig rig.json --point 320,240 --point 400,240`

    With one point its distance from the left camera is given; with none the window opens, where a click measures a
    point and a drag a distance. Pixels are those of the rectified left picture, as `preview` and `depth` show it.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._choices import within
    from livestereo.cli._doubts import Doubts
    from livestereo.cli._effect_files import parse_point
    from livestereo.cli._measuring import parse_box
    from livestereo.cli._ruler import measure_in_window, picture_of, result_of_pair
    from livestereo.cli._setup import open_pictures
    from livestereo.imageio import PICTURE_FORMATS, check_format, make_place, write_picture
    from livestereo.measure import Ruler

    within("--pair", pair, 0)
    points = [parse_point(text) for text in point or []]
    if len(points) > 2:
        raise SettingsError(f"{len(points)} points are too many.", "Give one --point, or two for a distance.")
    over = plane or plane_in is not None
    box = None if plane_in is None else parse_box(plane_in)
    if over and len(points) != 1:
        raise SettingsError("A height needs exactly one point.", "Give --point once with --plane or --plane-in.")
    if not points and output.json:
        raise SettingsError("With --json there is no window to click in.", "Give --point U,V, once or twice.")
    if save is not None:
        check_format(save, PICTURE_FORMATS, "a picture")
        make_place(save)
    settings = settings_from(match, output)
    with open_pictures(pictures, source, rig, output, settings=settings) as opened:
        if not points:
            measure_in_window(opened, settings, match, run, output)
            return
        result = result_of_pair(opened, settings, pair)
        doubts = Doubts(opened)
        doubts.look(result)
        doubts.tell(output)
        ruler = Ruler(result, opened.rig_file)
        if not ruler.metric:
            output.say("Lengths are relative: without a rig file (--rig) nothing tells metres.")
        found = _measured(ruler, points, box, over=over)
        if save is not None:
            write_picture(save, picture_of(result, points, _short(found)))
    output.show(*_told(found))
    output.result(found | {"warnings": doubts.warnings})


def _measured(
    ruler: Ruler, points: list[tuple[float, float]], box: tuple[int, int, int, int] | None, *, over: bool
) -> dict[str, Any]:
    fitted = ruler.plane(box) if over else None
    if fitted is not None:
        length, kind = ruler.height(points[0], fitted), "height"
    elif len(points) == 2:
        length, kind = ruler.distance(points[0], points[1]), "distance"
    else:
        length, kind = ruler.range(points[0]), "point"
    return {
        "kind": kind,
        "distance_m": length.distance_m,
        "sigma_m": length.sigma_m,
        "sigma_of": length.sigma_of,
        "sigma_match_m": length.sigma_match_m,
        "sigma_rig_m": length.sigma_rig_m,
        "points_m": [p.position_m for p in length.points],
        "depths_m": [p.depth_m for p in length.points],
        "depth_sigmas_m": [ruler.depth_sigma_m(p) for p in length.points],
        "disparities_px": [p.refined.disparity_px for p in length.points],
        "disparity_sigmas_px": [p.refined.sigma_px for p in length.points],
        "confidences": [ruler.confidence(p) for p in length.points],
        "plane": None if fitted is None else {
            "normal": fitted.normal, "distance_m": abs(fitted.offset_m), "residual_m": fitted.residual_m,
            "residual_px": fitted.residual_px, "points": fitted.count, "share_percent": 100 * fitted.share,
        },
        "metric": ruler.metric,
    }  # fmt: skip


def _short(found: dict[str, Any]) -> list[str]:
    length = _with_sigma(found["distance_m"], found["sigma_m"], metric=found["metric"])
    return [length + ("" if found["metric"] else " (relative)"), f"1 σ, {found['sigma_of']}"]


def _with_sigma(value: float, sigma: float, *, metric: bool) -> str:
    """Write a length with the digits that its standard deviation leaves, as the window does."""
    from livestereo.sinks.window_scene import measured_text

    if metric:
        return measured_text(value, sigma)
    digits = min(4, max(0, 1 - math.floor(math.log10(sigma)))) if math.isfinite(sigma) and sigma > 0 else 3
    return f"{value:.{digits}f} ± {sigma:.{digits}f}"


def _told(found: dict[str, Any]) -> list[str]:
    """Say it to a person."""
    unit = " m" if found["metric"] else ""
    what = {"point": "Distance from the left camera", "distance": "Distance", "height": "Height over the plane"}
    lines = [
        f"{what[found['kind']]}: {_with_sigma(found['distance_m'], found['sigma_m'], metric=found['metric'])} "
        f"(1 σ, {found['sigma_of']}{'' if found['metric'] else '; relative'})"
    ]
    values = zip(found["points_m"], found["depths_m"], found["depth_sigmas_m"], found["confidences"])
    for (x, y, _), depth, sigma, sure in values:
        at_depth = _with_sigma(depth, sigma, metric=found["metric"])
        lines.append(f"  at x {x:+.3f}, y {y:+.3f}{unit}: depth {at_depth}")
        if sure is not None and sure < DOUBTFUL:
            lines.append(f"  doubtful: the matcher is right there with a probability of {100 * sure:.0f} % only")
    if found["plane"]:
        around = f", {found['plane']['residual_m'] * 1000:.1f} mm RMS around it" if found["metric"] else ""
        lines.append(f"  plane of {found['plane']['points']} points{around}")
        if found["plane"]["residual_px"] > ROUGH_PX:
            lines.append("  doubtful: that is no single flat surface; name one with --plane-in X,Y,W,H")
    return lines
