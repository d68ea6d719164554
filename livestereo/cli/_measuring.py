"""Measures what a person sets in the window: joins the window's points and lines with `livestereo.measure`."""

from __future__ import annotations

import math

from livestereo.cli._setup import Opened
from livestereo.errors import SettingsError
from livestereo.measure import Length, MeasureError, Ruler
from livestereo.render.compose import Ruler as DrawnRuler
from livestereo.sinks.window_scene import measured_text
from livestereo.sinks.window_state import Measurement
from livestereo.types import StereoResult


class Measuring:
    """Gives the lines to show for a measurement in a result; a hole is told with its reason."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def __call__(self, result: StereoResult, wanted: Measurement) -> DrawnRuler:
        """Measure a point or a line."""
        ruler = Ruler(result, self._opened.rig_file)
        try:
            if wanted.start == wanted.end:
                found = ruler.range(wanted.start)
                x, y, z = found.points[0].position_m if found.points else (math.nan,) * 3
                place = f"x {x:+.2f}  y {y:+.2f}  z {z:.2f}"
                lines: tuple[str, ...] = (_length(found, metric=ruler.metric), "from the left camera", place)
            else:
                found = ruler.distance(wanted.start, wanted.end)
                lines = (_length(found, metric=ruler.metric), f"σ: {found.sigma_of}")
        except MeasureError as error:
            return DrawnRuler(wanted.start, wanted.end, ("no depth", _reason(error)), "warn")
        return DrawnRuler(wanted.start, wanted.end, lines)


def _length(found: Length, *, metric: bool) -> str:
    if not metric:
        return f"{found.distance_m:.3g} ± {found.sigma_m:.2g} (relative)"
    return measured_text(found.distance_m, found.sigma_m)


def _reason(error: MeasureError) -> str:
    """The reason at the end of the message, without the pixel that the person sees anyway."""
    return error.what.rsplit(": ", 1)[-1].rstrip(".")


def parse_box(text: str) -> tuple[int, int, int, int]:
    """Read "X,Y,W,H" as a rectangle.

    Raises:
        SettingsError: not four whole numbers.
    """
    try:
        x, y, w, h = (int(word) for word in text.split(","))
    except ValueError:
        raise SettingsError(
            f"{text!r} is not a rectangle.", "Write X,Y,width,height in pixels, such as 100,300,400,150."
        ) from None
    return x, y, w, h
