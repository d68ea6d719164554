"""`livestereo measure`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from livestereo.cli._options import MatchOptions, Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import NoFrameYet, SettingsError, SourceError

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened
    from livestereo.types import StereoFrame

PATIENCE_S = 10.0


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
        typer.Option("--point", metavar="U,V", help="A pixel of the shown left picture; give two for a distance."),
    ] = None,
    plane: Annotated[
        bool, typer.Option("--plane", help="Height of the one point over the plane that most of the picture lies on.")
    ] = False,
) -> None:
    """Measure a point, or the distance between two, with its uncertainty.

    Example: `livestereo measure left.png right.png --rig rig.json --point 320,240 --point 400,240`

    With one point its distance from the left camera is given; with none the window opens, where a click measures a
    point and a drag a distance.
    """
    from livestereo.cli._build import build_pipeline, settings_from
    from livestereo.cli._live import LiveParts, run_live, wants_window
    from livestereo.cli._setup import open_pictures
    from livestereo.measure import Ruler

    pixels = [_pixel(text) for text in point or []]
    if len(pixels) > 2:
        raise SettingsError(f"{len(pixels)} points are too many.", "Give one --point, or two for a distance.")
    if plane and len(pixels) != 1:
        raise SettingsError("A height needs one point.", "Give one --point with --plane.")
    settings = settings_from(match)
    with open_pictures(pictures, source, rig, output) as opened:
        if not pixels:
            if not wants_window(run, output):
                raise SettingsError("No point is named, and there is no window to click in.", "Give --point U,V.")
            run_live(opened, settings, match, run, output, LiveParts(title="livestereo: measure"), window=True)
            return
        frame = _frame(opened)
        pipeline = build_pipeline(settings, opened.rectification_for(frame))
        ruler = Ruler(pipeline.process(frame), opened.rig_file)
        if plane:
            found, what = ruler.height(pixels[0], ruler.plane()), "height over the plane"
        elif len(pixels) == 1:
            found, what = ruler.range(pixels[0]), "distance from the left camera"
        else:
            found, what = ruler.distance(pixels[0], pixels[1]), "distance"
    output.result(
        {
            "distance_m": found.distance_m, "sigma_m": found.sigma_m, "sigma_of": found.sigma_of,
            "points_m": [measured.position_m for measured in found.points], "metric": ruler.metric,
        }
    )  # fmt: skip
    unit = " m" if ruler.metric else " (relative: no rig of known size)"
    output.show(f"{what}: {found.distance_m:.4f} ± {found.sigma_m:.4f}{unit} (1 σ, {found.sigma_of})")


def _pixel(text: str) -> tuple[float, float]:
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"{text!r} is not a pixel.", "Write it as U,V, such as --point 320,240.") from None
    return u, v


def _frame(opened: Opened) -> StereoFrame:
    """Give the first pair."""
    from livestereo.timing import monotonic

    end = monotonic() + PATIENCE_S
    while monotonic() < end:
        try:
            frame = opened.source.read(0.5)
        except NoFrameYet:
            continue
        if frame is None:
            break
        return frame
    raise SourceError("No pair came to measure in.", "See `livestereo devices`, or check the files.")
