"""A whole canvas from its parts: pictures, labels, legend, status bar, pointer, messages, cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from livestereo.render import overlay, paint, theme
from livestereo.render.colorize import DepthRange
from livestereo.render.layout import Layout, Pane, Rect
from livestereo.render.overlay import Figures, Tone
from livestereo.render.views import Look
from livestereo.types import U8


@dataclass(frozen=True)
class Message:
    """A message that fades: opacity 0..1."""

    text: str
    opacity: float = 1.0
    tone: Tone = "plain"


@dataclass(frozen=True)
class Pointer:
    """Where the person points, in displayed picture pixels, and what is known there."""

    u: float
    v: float
    lines: tuple[str, ...] = ()
    pane: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Ruler:
    """A measured line (or point, when both ends are the same), in displayed picture pixels."""

    start: tuple[float, float]
    end: tuple[float, float]
    lines: tuple[str, ...] = ()
    tone: Tone = "plain"


@dataclass(frozen=True)
class Scene:
    """Everything that is on the canvas at one moment.

    pictures: one (h,w,3) uint8 BGR for each pane of `layout`, of any size. look: None leaves the legend out.
    cards: functions that draw over everything else (help, tuning), given the canvas.
    """

    layout: Layout
    pictures: tuple[U8, ...]
    labels: tuple[str, ...] = ()
    figures: Figures = field(default_factory=Figures)
    look: Look | None = None
    metric: bool = True
    automatic_range: bool = False
    entries: tuple[tuple[tuple[int, int, int], str], ...] = ()
    pointer: Pointer | None = None
    rulers: tuple[Ruler, ...] = ()
    messages: tuple[Message, ...] = ()
    banner: str = ""
    paused: bool = False
    cards: tuple[Callable[[U8], None], ...] = ()


class Composer:
    """Draws scenes, and remembers what changes seldom: the frame around the pictures, the bar, the legend."""

    def __init__(self) -> None:
        self._frame: U8 | None = None
        self._frame_of: object = None

    def compose(self, scene: Scene) -> U8:
        """Draw one canvas, (H,W,3) uint8 BGR; a new array each time."""
        canvas = _copy_around(self._surroundings(scene), scene.layout.panes)
        for pane, picture in zip(scene.layout.panes, scene.pictures):
            place(canvas, picture, pane.rect)
        stage = _stage(scene.layout)
        banner = overlay.draw_banner(canvas, scene.banner, stage) if scene.banner else None
        for pane, label in zip(scene.layout.panes, scene.labels):
            overlay.pane_label(canvas, pane.rect, label, below=banner)
        # What is drawn into the pictures first, then words, which keep off one another: no line crosses a word.
        for ruler in scene.rulers:
            _draw_ruler(canvas, scene.layout.panes, ruler)
        taken: list[Rect] = []
        if scene.layout.panes:
            last = scene.layout.panes[-1].rect
            if scene.entries:
                taken.append(overlay.draw_entries(canvas, last, scene.entries))
            if scene.paused:
                taken.append(_paused(canvas, last))
            for ruler in scene.rulers:
                _label_ruler(canvas, scene.layout.panes[0], ruler, stage, taken)
        if scene.pointer:
            self._pointer(canvas, scene.layout.panes, scene.pointer, stage, taken)
        above = None
        for message in reversed(scene.messages[-3:]):
            above = overlay.draw_message(
                canvas, message.text, stage, message.opacity, tone=message.tone, above=above
            )  # fmt: skip
        for draw in scene.cards:
            draw(canvas)
        return canvas

    def _surroundings(self, scene: Scene) -> U8:
        """Background, legend and bar; drawn again only when they changed."""
        key = (scene.layout, scene.figures, scene.look, scene.metric, scene.automatic_range)
        if self._frame is None or self._frame_of != key:
            w, h = scene.layout.canvas_wh
            if self._frame is None or self._frame.shape[:2] != (h, w):
                self._frame = np.empty((h, w, 3), np.uint8)
            self._frame[:1] = theme.BACKGROUND
            self._frame[1:] = self._frame[:1]  # whole rows are copied many times as fast as pixels
            if scene.look is not None and scene.layout.legend is not None:
                overlay.draw_legend(
                    self._frame, scene.layout.legend, scene.look.depth_range, scene.look.colormap,
                    scale=scene.look.scale, metric=scene.metric, automatic=scene.automatic_range,
                )  # fmt: skip
            if scene.layout.bar is not None:
                overlay.draw_status(self._frame, scene.layout.bar, scene.figures)
            self._frame_of = key
        return self._frame

    def _pointer(
        self, canvas: U8, panes: tuple[Pane, ...], pointer: Pointer, stage: Rect, taken: list[Rect]
    ) -> None:  # fmt: skip
        size = max(6, theme.metrics_for((canvas.shape[1], canvas.shape[0])).body // 2 + 3)
        for pane in panes:
            x, y = pane.to_canvas(pointer.u, pointer.v)
            paint.crosshair(canvas, x, y, size)
            if pane.view == pointer.pane and pointer.lines:
                overlay.draw_readout(canvas, pointer.lines, x, y, stage, tone=pointer.tone, avoid=taken)


def _draw_ruler(canvas: U8, panes: tuple[Pane, ...], ruler: Ruler) -> None:
    for pane in panes:
        start, end = pane.to_canvas(*ruler.start), pane.to_canvas(*ruler.end)
        if ruler.start == ruler.end:
            paint.dot(canvas, *start, 3 * paint.pen(canvas), theme.SHADE)
            paint.dot(canvas, *start, 2 * paint.pen(canvas), theme.ACCENT)
        else:
            paint.ruler_line(canvas, start, end)


def _label_ruler(canvas: U8, pane: Pane, ruler: Ruler, stage: Rect, taken: list[Rect]) -> None:
    """Write what a ruler measures beside its middle, off what is `taken`, and take that place."""
    if ruler.lines:
        start, end = pane.to_canvas(*ruler.start), pane.to_canvas(*ruler.end)
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
        taken.append(overlay.draw_readout(canvas, ruler.lines, *middle, stage, tone=ruler.tone, avoid=taken))


def _copy_around(frame: U8, panes: tuple[Pane, ...]) -> U8:
    """Copy the frame, but not where panes that stand in one row will lie over it."""
    rects = sorted((pane.rect for pane in panes), key=lambda rect: rect.x)
    if len({(rect.y, rect.h) for rect in rects}) != 1:
        return frame.copy()
    canvas = np.empty_like(frame)
    rows, begin = slice(rects[0].y, rects[0].bottom), 0
    canvas[: rows.start], canvas[rows.stop :] = frame[: rows.start], frame[rows.stop :]
    for rect in rects:
        canvas[rows, begin : rect.x] = frame[rows, begin : rect.x]
        begin = rect.right
    canvas[rows, begin:] = frame[rows, begin:]
    return canvas


def place(canvas: U8, picture: U8, rect: Rect) -> None:
    """Scale a picture into a rectangle of the canvas."""
    target = canvas[rect.y : rect.bottom, rect.x : rect.right]
    if picture.shape[:2] == target.shape[:2]:
        target[:] = picture
        return
    times = int(min(picture.shape[1] / max(1, rect.w), picture.shape[0] / max(1, rect.h)))
    if times >= 2:  # whole steps are averaged, which is quick, and leave the rest to interpolation
        whole = (max(1, picture.shape[1] // times), max(1, picture.shape[0] // times))
        picture = np.asarray(cv2.resize(picture, whole, interpolation=cv2.INTER_AREA), np.uint8)
    target[:] = cv2.resize(picture, (rect.w, rect.h), interpolation=cv2.INTER_LINEAR)


def _stage(layout: Layout) -> Rect:
    """The part of the canvas above the bar."""
    w, h = layout.canvas_wh
    return Rect(0, 0, w, layout.bar.y if layout.bar else h)


def _paused(canvas: U8, pane: Rect) -> Rect:
    """Draw the sign of pause into the lower right corner of a picture: people pause to look. Give its place."""
    m = theme.metrics_for((canvas.shape[1], canvas.shape[0]))
    size = round(m.large * 2.2)
    box = Rect(max(pane.x, pane.right - size - m.pad), max(pane.y, pane.bottom - size - m.pad), size, size)
    paint.panel(canvas, box, theme.SHADE, 0.6, size // 2)
    w, h = size // 9, size // 3
    for x in (box.x + size // 2 - w - w // 2, box.x + size // 2 + w // 2):
        paint.panel(canvas, Rect(x, box.y + size // 2 - h // 2, w, h), theme.TEXT, 0.95, 2)
    return box


def default_range(focal_px: float, baseline_m: float, nearest_m: float) -> DepthRange:
    """Choose a fixed colour range for a rig: from the nearest depth searched to where depth gets rough.

    Z = f·B/d, so δZ/Z = Z·δd/(f·B) is a tenth for δd = 0.5 px at Z = 0.2·f·B.
    """
    reach = focal_px * baseline_m
    near = nearest_m if 0 < nearest_m < reach else reach / 128
    near, far = _round_nice(near), _round_nice(0.2 * reach)
    return DepthRange(near, far if far > 2 * near else _round_nice(4 * near))


def _round_nice(value: float) -> float:
    exponent = np.floor(np.log10(value))
    steps = np.array([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]) * 10.0**exponent
    return float(round(steps[int(np.argmin(np.abs(np.log(steps / value))))], 9))
