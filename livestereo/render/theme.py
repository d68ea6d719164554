"""One type, one set of margins, one palette for everything that is drawn on a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from livestereo.render.text import line_height, nearest_size
from livestereo.types import SizeWH

# BGR. The signal colours are Okabe & Ito's, which people with colour-vision deficiency tell apart.
BACKGROUND = (22, 18, 16)
PANEL = (34, 29, 27)
RAISED = (52, 46, 43)
LINE = (68, 61, 57)
TEXT = (242, 240, 238)
DIM = (172, 164, 158)
ACCENT = (238, 186, 96)
GOOD = (150, 196, 70)
WARN = (60, 178, 244)
BAD = (92, 110, 240)
RECORD = (70, 70, 235)
SHADE = (12, 10, 9)


@dataclass(frozen=True)
class Metrics:
    """Sizes for one canvas, px: type (`small`, `body`, `large`), inner margin `pad`, corner radius."""

    small: int
    body: int
    large: int
    pad: int
    radius: int

    @property
    def bar_height(self) -> int:
        """Height of the status bar: a label above a value."""
        return line_height(self.small) + line_height(self.body) + 2 * (self.pad // 2) + 1

    @property
    def legend_width(self) -> int:
        """Width of the legend beside the depth picture."""
        return round(self.small * 4.6)


@lru_cache(maxsize=64)
def metrics_for(canvas_wh: SizeWH) -> Metrics:
    """Choose sizes that stay readable on a canvas from 320x240 to 3840x2160."""
    w, h = canvas_wh
    body = nearest_size(min(28, max(11, min(h / 36, w / 56))))
    return Metrics(
        small=nearest_size(max(10, body - 2)), body=body, large=nearest_size(body * 1.35),
        pad=max(6, round(body * 0.75)), radius=max(3, round(body * 0.35)),
    )  # fmt: skip
