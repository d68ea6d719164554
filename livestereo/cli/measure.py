"""The command `measure`: a point, a distance, a height, each with its standard deviation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError

if TYPE_CHECKING:
    from livestereo.measure import Length, Ruler

_panel = "Measure"


@command
def measure(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    output: Output,
    point: Annotated[
        list[str] | None,
        typer.Option(
            "--point", metavar="U,V", rich_help_panel=_panel,
            help="A pixel of the rectified left picture; twice for the distance between two.",
        ),
    ] = None,
    over_plane: Annotated[
        str | None,
        typer.Option(
            "--over-plane", metavar="X,Y,W,H|all", rich_help_panel=_panel,
            help="Height of the point over the plane in this rectangle.",
        ),
    ] = None,
    pair: Annotated[
        int, typer.Option("--pair", metavar="N", min=0, rich_help_panel=_panel, help="Which pair, counted from 0.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", rich_help_panel=_panel, help="Write the picture with what was measured."),
    ] = None,
) -> None:
    """Measure a point, the distance between two, or a height, with its uncertainty.

    Example: livestereo measure left.png right.png --rig rig.json --point 320,240 --point 400,240

    Pixels are those of the rectified left picture, as `preview` and `depth` show it. With no point, the window opens:
    click a point, or drag from one to another. Without a rig file lengths are relative.
    """
    from livestereo.cli._build import settings_from
    from livestereo.cli._effect_files import parse_point
    from livestereo.cli._setup import open_pictures

    points = [parse_point(text) for text in point or []]
    if len(points) > 2:
        raise SettingsError(f"{len(points)} points were given.", "Give one for a point, two for a distance.")
    box = _parse_box(over_plane)
    if over_plane is not None and len(points) != 1:
        raise SettingsError("A height over a plane needs exactly one point.", "Give --point once.")
    settings = settings_from(match)
    with open_pictures(pictures, source, rig, output) as opened:
        if not points:
            from livestereo.cli._ruler import measure_in_window

            measure_in_window(opened, settings, match, output)
            return
        from livestereo.cli._ruler import result_of_pair
        from livestereo.measure import Ruler

        result = result_of_pair(opened, settings, pair)
        ruler = Ruler(result, opened.rig_file)
        if not ruler.metric:
            output.say("Lengths are relative: without a rig file (--rig) nothing tells metres.")
        elif opened.rig_file is not None and opened.rig_file.covariance is None:
            output.say("The rig file has no covariance: the uncertainty is that of matching alone.")
        found = _measured(ruler, points, box, over=over_plane is not None)
        if save is not None:
            from livestereo.cli._ruler import picture_of
            from livestereo.imageio import write_picture

            write_picture(save, picture_of(result, ruler, points))
    output.show(*_told(found))
    output.result(found)


def _parse_box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None or text == "all":
        return None
    words = text.split(",")
    try:
        x, y, w, h = (int(word) for word in words)
    except ValueError:
        raise SettingsError(
            f"{text!r} is not a rectangle.", "Write x,y,width,height in pixels, such as 100,300,400,150, or `all`."
        ) from None
    return x, y, w, h


def _measured(
    ruler: Ruler, points: list[tuple[float, float]], box: tuple[int, int, int, int] | None, *, over: bool
) -> dict[str, Any]:
    plane: dict[str, Any] = {}
    if over:
        fitted = ruler.plane(box)
        length = ruler.height(points[0], fitted)
        kind = "height"
        plane = {
            "normal": fitted.normal, "distance_m": abs(fitted.offset_m), "residual_m": fitted.residual_m,
            "points": fitted.count, "share_percent": 100 * fitted.share,
        }  # fmt: skip
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
        "depth_sigmas_m": [_depth_sigma(p) for p in length.points],
        "disparities_px": [p.refined.disparity_px for p in length.points],
        "disparity_sigmas_px": [p.refined.sigma_px for p in length.points],
        "plane": plane or None,
        "metric": ruler.metric,
    }


def _depth_sigma(point: Any) -> float:
    return float(point.match[2, 2]) ** 0.5


def _told(found: dict[str, Any]) -> list[str]:
    """Say it to a person."""
    unit = " m" if found["metric"] else ""
    what = {"point": "Distance from the left camera", "distance": "Distance", "height": "Height over the plane"}
    covers = "" if found["sigma_rig_m"] is not None else " (1 σ of matching alone)"
    lines = [f"{what[found['kind']]}: {found['distance_m']:.4g}{unit} ± {found['sigma_m']:.2g}{unit}{covers}"]
    for place, depth, sigma in zip(found["points_m"], found["depths_m"], found["depth_sigmas_m"]):
        x, y, z = place
        lines.append(f"  at x {x:+.3f}, y {y:+.3f}, z {z:.3f}{unit}   depth {depth:.4g} ± {sigma:.2g}{unit}")
    if found["plane"]:
        p = found["plane"]
        lines.append(f"  plane from {p['points']} points, {p['residual_m'] * 1000:.1f} mm RMS around it"
                     if found["metric"] else f"  plane from {p['points']} points")  # fmt: skip
    return lines


def length_text(length: Length, *, metric: bool) -> str:
    """Write a length with its standard deviation, in the unit a person would use."""
    if not metric:
        return f"{length.distance_m:.3g} ± {length.sigma_m:.2g} (relative)"
    if length.distance_m < 1:
        return f"{length.distance_m * 100:.1f} ± {length.sigma_m * 100:.1f} cm"
    return f"{length.distance_m:.3f} ± {length.sigma_m:.3f} m"
