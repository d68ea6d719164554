"""The tuning panel of the window: every parameter that can be changed while it runs, drawn by ourselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from livestereo.display import Key, Mouse
from livestereo.parameters import Parameter, for_matcher
from livestereo.render import theme
from livestereo.render.layout import Rect
from livestereo.render.paint import dot, fill, panel
from livestereo.render.text import draw_text, ellipsis, line_height, text_width
from livestereo.settings import Settings
from livestereo.sinks import tuning
from livestereo.types import U8, SizeWH

BUTTONS: tuple[tuple[str, str], ...] = (("reset", "Reset"), ("save", "Save as preset"))


@dataclass(frozen=True)
class Outcome:
    """What the panel asks for: to set a parameter, to reset, or to save a preset under a name."""

    kind: Literal["set", "reset", "save"]
    value: Any = None
    name: str = ""


@dataclass(frozen=True)
class _Geometry:
    box: Rect
    rows: tuple[tuple[int, Rect], ...]  # (number of the parameter, its rectangle)
    buttons: tuple[tuple[str, Rect], ...]
    type_px: int
    visible: int


class TuningPanel:
    """State of the panel: which row is chosen, how far it is scrolled, what is being dragged or typed."""

    def __init__(self) -> None:
        self.is_open = False
        self._chosen = 0
        self._scroll = 0
        self._visible = 1
        self._dragged: int | None = None
        self._typed: str | None = None

    @property
    def typing(self) -> bool:
        """Whether keys are letters of a preset's name now."""
        return self.is_open and self._typed is not None

    def toggle(self) -> None:
        """Open or close it."""
        self.is_open = not self.is_open
        self._typed = None
        self._dragged = None

    def key(self, key: Key, settings: Settings) -> Outcome | bool | None:
        """Take a key: an outcome, True where it was used up with none, False where it is not for the panel."""
        if not self.is_open:
            return False
        if self._typed is not None:
            return self._type(key.name)
        rows = for_matcher(settings.matcher)
        self._chosen = min(self._chosen, len(rows) - 1)
        if key.name in ("up", "down"):
            self._chosen = (self._chosen + (1 if key.name == "down" else -1)) % len(rows)
            self._scroll = min(max(self._scroll, self._chosen - self._visible + 1), self._chosen)
            return True
        if key.name in ("left", "right"):
            row = rows[self._chosen]
            direction = 1 if key.name == "right" else -1
            return _change(settings, row, tuning.stepped(row, settings.value_of(row.name), direction))
        if key.name == "esc":
            self.toggle()
            return True
        return False

    def _type(self, name: str) -> Outcome | bool:
        typed = self._typed or ""
        if name == "esc":
            self._typed = None
        elif name == "enter" and typed:
            self._typed = None
            return Outcome("save", typed)
        elif name == "backspace":
            self._typed = typed[:-1]
        elif len(name) == 1 and (name.isalnum() or name in "-_") and len(typed) < 24:
            self._typed = typed + name
        return True

    def mouse(self, event: Mouse, canvas_wh: SizeWH, settings: Settings) -> Outcome | bool | None:
        """Take a mouse event: as `key`."""
        if not self.is_open:
            return False
        rows = for_matcher(settings.matcher)
        geometry = self._geometry(canvas_wh, len(rows))
        if event.kind == "release" and self._dragged is not None:
            self._dragged = None
            return True
        if event.kind == "move" and self._dragged is not None:
            rect = dict(geometry.rows).get(self._dragged)
            return self._slide(event.x, rect, rows[self._dragged], settings) if rect else True
        if not geometry.box.contains(event.x, event.y):
            return False
        if event.kind in ("wheel_up", "wheel_down"):
            most = max(0, len(rows) - geometry.visible)
            self._scroll = min(most, max(0, self._scroll + (-2 if event.kind == "wheel_up" else 2)))
            return True
        if event.kind != "press":
            return True
        for name, rect in geometry.buttons:
            if rect.contains(event.x, event.y):
                if name == "reset":
                    return Outcome("reset")
                self._typed = ""
                return True
        for number, rect in geometry.rows:
            if rect.contains(event.x, event.y):
                self._chosen = number
                row = rows[number]
                if tuning.choices_of(row):
                    return _change(settings, row, tuning.stepped(row, settings.value_of(row.name), 1))
                self._dragged = number
                return self._slide(event.x, rect, row, settings)
        return True

    def _slide(self, x: int, rect: Rect, row: Parameter, settings: Settings) -> Outcome | bool | None:
        position = (x - rect.x) / max(1, rect.w - 1)
        return _change(settings, row, tuning.from_position(row, position))

    def _geometry(self, canvas_wh: SizeWH, count: int) -> _Geometry:
        width, height = canvas_wh
        m = theme.metrics_for(canvas_wh)
        size = m.small
        box_w = min(width - 2 * m.pad, max(round(size * 19), 170))
        bar = m.bar_height if height >= 200 else 0
        box = Rect(m.pad, m.pad, box_w, max(40, height - bar - 2 * m.pad))
        head, foot = line_height(m.body) + m.pad, line_height(size) + 2 * m.pad
        row_h = line_height(size) + max(9, size)
        visible = max(1, (box.h - head - foot) // row_h)
        self._chosen = min(self._chosen, count - 1)
        self._scroll = min(self._scroll, max(0, count - visible))
        self._visible = visible
        rows = tuple(
            (number, Rect(box.x + m.pad, box.y + head + (number - self._scroll) * row_h, box.w - 2 * m.pad, row_h))
            for number in range(self._scroll, min(count, self._scroll + visible))
        )
        buttons, x = [], box.x + m.pad
        for name, text in BUTTONS:
            w = text_width(text, size) + 2 * (m.pad - 2)
            buttons.append((name, Rect(x, box.bottom - foot + m.pad // 2, w, line_height(size) + m.pad)))
            x += w + m.pad // 2
        return _Geometry(box, rows, tuple(buttons), size, visible)

    def draw(self, canvas: U8, settings: Settings) -> None:
        """Draw it over a canvas."""
        canvas_wh = (canvas.shape[1], canvas.shape[0])
        m = theme.metrics_for(canvas_wh)
        rows = for_matcher(settings.matcher)
        geometry = self._geometry(canvas_wh, len(rows))
        box, size = geometry.box, geometry.type_px
        panel(canvas, box, theme.SHADE, 0.9, m.radius + 2)
        draw_text(canvas, "Tuning", box.x + m.pad, box.y + m.pad // 2, m.body, theme.TEXT, weight="medium")
        preset = ellipsis(f"preset {settings.preset}", box.w // 2, size)
        draw_text(canvas, preset, box.right - m.pad, box.y + m.pad // 2 + 1, size, theme.DIM, anchor="right")
        for number, rect in geometry.rows:
            self._draw_row(canvas, rows[number], rect, settings, size, chosen=number == self._chosen)
        if len(rows) > geometry.visible:
            _draw_scroll(canvas, box, geometry, self._scroll, len(rows))
        if self._typed is not None:
            self._draw_name(canvas, geometry, size)
            return
        for (name, text), (_, rect) in zip(BUTTONS, geometry.buttons):
            panel(canvas, rect, theme.RAISED, 1.0, m.radius)
            colour = theme.TEXT if name == "save" else theme.DIM
            draw_text(canvas, text, rect.x + rect.w / 2, rect.y + (rect.h - line_height(size)) / 2, size, colour,
                      anchor="middle")  # fmt: skip

    def _draw_row(self, canvas: U8, row: Parameter, rect: Rect, settings: Settings, size: int, *, chosen: bool) -> None:
        value = settings.value_of(row.name)
        if chosen:
            panel(canvas, Rect(rect.x - 5, rect.y - 2, rect.w + 10, rect.h), theme.RAISED, 0.75, 4)
        text = tuning.value_text(row, value)
        taken = draw_text(canvas, text, rect.right, rect.y, size, theme.ACCENT if value is not None else theme.DIM,
                          weight="medium", anchor="right")  # fmt: skip
        label = ellipsis(row.label, rect.w - taken - size, size)
        draw_text(canvas, label, rect.x, rect.y, size, theme.TEXT if chosen else theme.DIM)
        y = rect.y + line_height(size) + max(3, size // 4)
        choices = tuning.choices_of(row)
        if choices:
            piece = rect.w / len(choices)
            for i, choice in enumerate(choices):
                colour = theme.ACCENT if choice == value else theme.LINE
                fill(canvas, Rect(round(rect.x + i * piece), y - 1, max(2, round(piece) - 3), 3), colour)
            return
        x = rect.x + round(tuning.to_position(row, value) * (rect.w - 1))
        fill(canvas, Rect(rect.x, y, rect.w, 2), theme.LINE)
        fill(canvas, Rect(rect.x, y, x - rect.x, 2), theme.ACCENT if value is not None else theme.LINE)
        dot(canvas, x, y + 1, max(4, size * 0.38), theme.TEXT if chosen else theme.DIM)

    def _draw_name(self, canvas: U8, geometry: _Geometry, size: int) -> None:
        first = geometry.buttons[0][1]
        field = Rect(first.x, first.y, geometry.box.right - first.x - (first.x - geometry.box.x), first.h)
        panel(canvas, field, theme.RAISED, 1.0, 4)
        y = field.y + (field.h - line_height(size)) / 2
        if self._typed:
            draw_text(canvas, f"{self._typed}|", field.x + size * 0.6, y, size, theme.TEXT)
        else:
            draw_text(canvas, ellipsis("Type a name, then Enter", field.w - size, size), field.x + size * 0.6, y, size,
                      theme.DIM)  # fmt: skip


def _draw_scroll(canvas: U8, box: Rect, geometry: _Geometry, scroll: int, count: int) -> None:
    top, bottom = geometry.rows[0][1].y, geometry.rows[-1][1].bottom
    height = bottom - top
    bar = Rect(box.right - 5, top + round(height * scroll / count), 2, max(8, round(height * geometry.visible / count)))
    fill(canvas, bar, theme.DIM)


def _change(settings: Settings, row: Parameter, value: Any) -> Outcome | bool:
    return True if value == settings.value_of(row.name) else Outcome("set", value, row.name)
