"""Where things are on the canvas, and which pixel of the picture a canvas pixel is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from livestereo.render.theme import metrics_for
from livestereo.types import SizeWH


@dataclass(frozen=True)
class Rect:
    """A rectangle of the canvas, px."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        """First column right of it."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.y + self.h

    def contains(self, x: float, y: float) -> bool:
        """Whether a canvas point lies inside."""
        return self.x <= x < self.right and self.y <= y < self.bottom

    def overlap(self, other: Rect) -> int:
        """Area that it shares with another, px²."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0, w) * max(0, h)

    def inset(self, by: int) -> Rect:
        """Smaller by `by` on every side, never negative."""
        return Rect(self.x + by, self.y + by, max(0, self.w - 2 * by), max(0, self.h - 2 * by))


@dataclass(frozen=True)
class Pane:
    """One picture on the canvas: its `rect`, and the size of the picture that is scaled into it."""

    view: str
    rect: Rect
    picture_wh: SizeWH

    def to_picture(self, x: float, y: float) -> tuple[float, float] | None:
        """Picture position (u, v), pixel centres at whole numbers, of a canvas point; None outside."""
        if not self.rect.contains(x, y):
            return None
        u = (x + 0.5 - self.rect.x) * self.picture_wh[0] / self.rect.w - 0.5
        v = (y + 0.5 - self.rect.y) * self.picture_wh[1] / self.rect.h - 0.5
        return u, v

    def to_canvas(self, u: float, v: float) -> tuple[int, int]:
        """Canvas point of a picture position."""
        x = self.rect.x + (u + 0.5) * self.rect.w / self.picture_wh[0] - 0.5
        y = self.rect.y + (v + 0.5) * self.rect.h / self.picture_wh[1] - 0.5
        return round(x), round(y)


@dataclass(frozen=True)
class Layout:
    """A canvas divided into picture panes, a legend beside them and a status bar below."""

    canvas_wh: SizeWH
    panes: tuple[Pane, ...]
    legend: Rect | None
    bar: Rect | None

    def pane_at(self, x: float, y: float) -> Pane | None:
        """The pane under a canvas point."""
        return next((pane for pane in self.panes if pane.rect.contains(x, y)), None)


def _fit(area: Rect, picture_wh: SizeWH) -> Rect:
    """The largest rectangle of the picture's shape, centred; pixel for pixel where that is nearly as large."""
    pw, ph = picture_wh
    scale = min(area.w / pw, area.h / ph)
    if 1 <= scale < 1.04:
        scale = 1.0
    w, h = max(1, round(pw * scale)), max(1, round(ph * scale))
    return Rect(area.x + (area.w - w) // 2, area.y + (area.h - h) // 2, w, h)


@lru_cache(maxsize=16)
def arrange(
    canvas_wh: SizeWH, picture_wh: SizeWH, views: tuple[str, ...], *, legend: bool = True, bar: bool = True
) -> Layout:
    """Arrange one picture for each view, all of one size, as large as they can be: in a row or one above the other."""
    width, height = canvas_wh
    m = metrics_for(canvas_wh)
    # A very small canvas belongs to the picture.
    bar_h = m.bar_height if bar and height >= 200 else 0
    legend_w = m.legend_width if legend and width >= 260 else 0
    area = Rect(0, 0, max(1, width - legend_w), max(1, height - bar_h))
    gap = 2
    count = len(views)

    def scale(columns: int) -> float:
        rows = -(-count // columns)
        return min(
            (area.w - gap * (columns - 1)) / columns / picture_wh[0], (area.h - gap * (rows - 1)) / rows / picture_wh[1]
        )

    columns = max(range(1, count + 1), key=lambda c: (scale(c), c))
    rows = -(-count // columns)
    cell_w = (area.w - gap * (columns - 1)) // columns
    cell_h = (area.h - gap * (rows - 1)) // rows
    fitted = _fit(Rect(0, 0, cell_w, cell_h), picture_wh)
    # The block of pictures is centred as a whole, so that they stand next to each other.
    x0 = (area.w - (fitted.w * columns + gap * (columns - 1))) // 2
    y0 = (area.h - (fitted.h * rows + gap * (rows - 1))) // 2
    panes = []
    for i, view in enumerate(views):
        x, y = x0 + (i % columns) * (fitted.w + gap), y0 + (i // columns) * (fitted.h + gap)
        panes.append(Pane(view, Rect(x, y, fitted.w, fitted.h), picture_wh))
    right = max((pane.rect.right for pane in panes), default=area.w)
    legend_rect = Rect(min(right, width - legend_w), y0, legend_w, height - bar_h - 2 * y0) if legend_w else None
    return Layout(canvas_wh, tuple(panes), legend_rect, Rect(0, height - bar_h, width, bar_h) if bar_h else None)


def natural_canvas(picture_wh: SizeWH, count: int, *, screen_wh: SizeWH = (1920, 1080), legend: bool = True) -> SizeWH:
    """Choose a window size: pictures pixel for pixel, small ones doubled, at most 92 % of the screen."""
    pw, ph = picture_wh
    zoom = 1
    while pw * zoom < 480 and ph * zoom < 360:
        zoom += 1
    columns = count if pw * count <= ph * 4 else 1
    rows = -(-count // columns)
    inner_w, inner_h = pw * zoom * columns + 2 * (columns - 1), ph * zoom * rows + 2 * (rows - 1)
    canvas = (inner_w, inner_h)
    for _ in range(3):  # the sizes of bar and legend depend a little on the size of the whole
        m = metrics_for(canvas)
        canvas = (inner_w + (m.legend_width if legend else 0), inner_h + m.bar_height)
    scale = min(1.0, screen_wh[0] * 0.92 / canvas[0], screen_wh[1] * 0.88 / canvas[1])
    return max(320, round(canvas[0] * scale)), max(240, round(canvas[1] * scale))
