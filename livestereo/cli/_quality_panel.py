"""The live panel of `quality`: figures of the newest pairs over the window, computed beside the run."""

from __future__ import annotations

from collections.abc import Iterable

import cv2

from livestereo.cli._setup import Opened
from livestereo.errors import LiveStereoError
from livestereo.evaluation import quality_words
from livestereo.evaluation.plane_quality import Quality, QualityMeter
from livestereo.render import theme
from livestereo.render.cards import draw_figures
from livestereo.render.layout import Layout, Rect
from livestereo.render.overlay import Tone
from livestereo.types import U8, CaptureStats, Finding, StereoFrame, StereoResult

TONE_OF: dict[quality_words.State, Tone] = {"good": "good", "fair": "warn", "bad": "bad", "plain": "plain"}
SHORT = {
    "Fill rate": "fill", "Around the plane": "off the plane", "The same, sub-pixel": "sub-pixel",
    "Temporal noise": "noise", "Z-accuracy": "z-accuracy",
}  # fmt: skip


class QualityPanel:
    """An observer that computes about once a second, and the card that shows what it found."""

    def __init__(self, meter: QualityMeter, opened: Opened, distance_m: float | None) -> None:
        self._meter = meter
        self._opened = opened
        self._distance_m = distance_m
        self._found: Quality | None = None
        self._trouble = ""

    def observe(self, frame: StereoFrame, result: StereoResult, stats: CaptureStats) -> Iterable[Finding]:
        """Compute anew; finds no faults."""
        try:
            found = self._meter.quality(distance_m=self._distance_m, rig_file=self._opened.rig_file)
        except LiveStereoError as error:
            self._found, self._trouble = None, f"{error.what}\n{error.fix}"
        else:
            self._found, self._trouble = found, ""
        return ()

    def draw(self, canvas: U8, *, layout: Layout) -> None:
        """Draw the region and the figures; a `Card` of the window."""
        region = self._meter.roi
        for pane in layout.panes if region is not None else ():
            if pane.view in ("effect", "right", "right lines") or region is None:
                continue
            x, y, w, h = region
            start, end = pane.to_canvas(x, y), pane.to_canvas(x + w, y + h)
            cv2.rectangle(canvas, start, end, theme.SHADE, 3, cv2.LINE_AA)
            cv2.rectangle(canvas, start, end, theme.ACCENT, 1, cv2.LINE_AA)
        height, width = canvas.shape[:2]
        bottom = layout.bar.y if layout.bar is not None else height
        first = layout.panes[0].rect if layout.panes else Rect(0, 0, width, height)
        place = Rect(first.x, 0, first.w, bottom)
        found = self._found
        if found is None:
            draw_figures(canvas, place, "No figures" if self._trouble else "Looking…", [], self._trouble.splitlines())
            return
        rows = [(SHORT[r.name], r.value, r.expected, TONE_OF[r.state]) for r in quality_words.rows(found)]
        unit = "m" if found.metric else "units"
        title = f"Plane at {found.distance_m:.3f} {unit}, tilted {found.tilt_deg:.0f}° · {quality_words.verdict(found)}"
        draw_figures(canvas, place, title, rows)
