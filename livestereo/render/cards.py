"""Cards that lie over the picture, the list of keys, or stand in its place while there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from livestereo.render import theme
from livestereo.render.layout import Rect
from livestereo.render.overlay import TONES, Tone
from livestereo.render.paint import fill, keycap, panel
from livestereo.render.text import draw_text, ellipsis, line_height, nearest_size, text_width, wrap
from livestereo.types import U8, SizeWH

# (group, [(keys, what they do)])
Group = tuple[str, Sequence[tuple[tuple[str, ...], str]]]


def _cap_width(label: str, size: int) -> int:
    return max(text_width(label, size, "medium") + round(size * 0.8), line_height(size) + 2)


def _caps_width(caps: tuple[str, ...], size: int) -> int:
    return sum(_cap_width(c, size) if c != "…" else text_width(c, size) for c in caps) + 3 * (len(caps) - 1)


def draw_help(
    canvas: U8, title: str, groups: Sequence[Group], *, footer: str = "", short: Mapping[str, str] | None = None
) -> None:
    """Draw the list of keys in the middle of the canvas, in as many columns and as large as fits.

    short: other words for texts that are too long for the smallest windows.
    """
    height, width = canvas.shape[:2]
    body = theme.metrics_for((width, height)).body
    # Shrink the type until the list fits, in two columns, in three, or in one.
    for size in range(body, 9, -1):
        for columns in (2, 3, 1):
            if _draw_help(canvas, title, groups, footer, nearest_size(size), columns, dry=True):
                _draw_help(canvas, title, groups, footer, nearest_size(size), columns, dry=False)
                return
    _draw_compact(canvas, groups, short or {})


def draw_figures(
    canvas: U8, place: Rect, title: str, rows: Sequence[tuple[str, str, str, Tone]], lines: Sequence[str] = ()
) -> None:
    """Draw a small table (name, value, what is expected, tone) with lines of text below, at the lower left of `place`.

    Where there is no room, what is expected is left out first, then the lines.
    """
    height, width = canvas.shape[:2]
    m = theme.metrics_for((width, height))
    gap, row = 2 * m.pad, line_height(m.body) + 2
    names = max((text_width(name, m.small) for name, *_ in rows), default=0)
    values = max((text_width(value, m.body, "medium") for _, value, *_ in rows), default=0)
    expected = max((text_width(text, m.small) for *_, text, _ in rows), default=0)
    wide = names + values + expected + 2 * gap + 2 * m.pad <= place.w
    gap = gap if wide else m.pad
    inner = names + gap + values + (gap + expected if wide else 0)
    inner = min(max(inner, text_width(title, m.small, "medium"), 26 * m.small if lines else 0), place.w - 4 * m.pad)
    told = [part for line in lines for part in wrap(line, inner, m.small)]
    head = line_height(m.small) + m.pad // 2
    room = int((0.94 * place.h - head - row * len(rows) - 2 * m.pad) // line_height(m.small))
    told = told[: max(0, room)]
    below = line_height(m.small) * len(told) + (m.pad // 2 if told else 0)
    box_w, box_h = inner + 2 * m.pad, head + row * len(rows) + below + round(1.5 * m.pad)
    box = Rect(place.x + m.pad, max(place.y, place.bottom - m.pad - box_h), box_w, box_h)
    panel(canvas, box, theme.SHADE, 0.82, m.radius)
    x, y = box.x + m.pad, box.y + m.pad // 2
    draw_text(canvas, ellipsis(title, inner, m.small), x, y, m.small, theme.ACCENT, weight="medium")
    y += head
    for name, value, text, tone in rows:
        draw_text(canvas, name, x, y + (m.body - m.small) // 2, m.small, theme.DIM)
        draw_text(canvas, value, x + names + gap, y, m.body, TONES[tone], weight="medium")
        if wide:
            draw_text(canvas, text, x + names + values + 2 * gap, y + (m.body - m.small) // 2, m.small, theme.DIM)
        y += row
    y += m.pad // 2 if told else 0
    for line in told:
        draw_text(canvas, line, x, y, m.small, theme.TEXT)
        y += line_height(m.small)


def draw_waiting(canvas_wh: SizeWH, text: str, detail: str = "") -> U8:
    """Draw the canvas of a window that has no picture yet."""
    width, height = canvas_wh
    canvas = np.full((height, width, 3), theme.BACKGROUND, np.uint8)
    m = theme.metrics_for(canvas_wh)
    left = (width - text_width(text.rstrip(".") + "...", m.large)) / 2  # stays put while the dots come and go
    draw_text(canvas, text, left, height / 2 - line_height(m.large), m.large, theme.TEXT)
    if detail:
        shown = ellipsis(detail, width * 0.9, m.small)
        draw_text(canvas, shown, width / 2, height / 2 + m.pad // 2, m.small, theme.DIM, anchor="middle")
    return canvas


def _draw_compact(canvas: U8, groups: Sequence[Group], short: Mapping[str, str]) -> None:
    """Draw the list on a canvas that is too small for it: no headings, short texts."""
    height, width = canvas.shape[:2]
    size = 10
    lines = [line for _, some in groups for line in some]
    row = min(line_height(size) + 5, max(line_height(size), (height - 12) * 2 // (len(lines) + 1)))
    rows = max(1, (height - 12) // row)
    columns = -(-len(lines) // rows)
    column_w = (width - 12) // columns
    panel(canvas, Rect(0, 0, width, height), theme.SHADE, 0.92, 0)
    caps_w = max(_caps_width(caps, size) for caps, _ in lines)
    for i, (caps, text) in enumerate(lines):
        x, y = 8 + (i // rows) * column_w, 6 + (i % rows) * row
        label = " ".join(caps)
        draw_text(canvas, label, x, y, size, theme.ACCENT, weight="medium")
        taken = max(min(caps_w, column_w // 3), text_width(label, size, "medium") + 4)
        room = column_w - taken - 6
        said = text if text_width(text, size) <= room else short.get(text, text)
        draw_text(canvas, ellipsis(said, room, size), x + taken, y, size, theme.TEXT)


def _draw_help(
    canvas: U8, title: str, groups: Sequence[Group], footer: str, size: int, columns: int, *, dry: bool
) -> bool:
    height, width = canvas.shape[:2]
    pad = max(6, round(size * 0.9))
    row = line_height(size) + max(4, size // 3)
    caps_w = max(_caps_width(caps, size) for _, lines in groups for caps, _ in lines) + pad
    text_w = max(text_width(text, size) for _, lines in groups for _, text in lines)
    lengths = [len(lines) + 1.6 for _, lines in groups]
    # Groups stay whole; columns are filled one after the other up to an even share.
    split: list[list[int]] = [[]]
    share, used = sum(lengths) / columns, 0.0
    for i, length in enumerate(lengths):
        if used and used + length / 2 > share and len(split) < columns:
            split.append([])
            used = 0.0
        split[-1].append(i)
        used += length
    tallest = max(sum(lengths[i] for i in column) for column in split)
    column_w = caps_w + text_w
    inner_w = column_w * len(split) + 2 * pad * (len(split) - 1)
    head = round(line_height(nearest_size(size * 1.35)) + pad)
    box_w, box_h = inner_w + 4 * pad, round(tallest * row - 0.4 * row + head + 2.4 * pad + (row if footer else 0))
    fits = bool(box_w <= width * 0.97 and box_h <= height * 0.97)
    if dry:
        return fits
    box = Rect((width - box_w) // 2, max(0, (height - box_h) // 2), box_w, box_h)
    panel(canvas, box, theme.SHADE, 0.93, round(size * 0.7))
    x0, y = box.x + 2 * pad, box.y + round(1.2 * pad)
    draw_text(canvas, title, x0, y, nearest_size(size * 1.35), theme.TEXT, weight="medium")
    if footer:
        text = ellipsis(footer, inner_w, size)
        draw_text(canvas, text, x0, box.bottom - row - pad // 2, size, theme.DIM)
    for k, column in enumerate(split):
        x, top = x0 + k * (column_w + 2 * pad), y + head
        for i in column:
            name, lines = groups[i]
            draw_text(canvas, name.upper(), x, top, size, theme.ACCENT, weight="medium")
            fill(canvas, Rect(x, top + line_height(size), column_w, 1), theme.LINE)
            top += round(row * 1.2)
            for caps, text in lines:
                cap_x = x
                for cap in caps:
                    if cap == "…":
                        cap_x += draw_text(canvas, cap, cap_x, top + 1, size, theme.DIM) + 3
                    else:
                        cap_x += keycap(canvas, cap, cap_x, top, size) + 3
                draw_text(canvas, text, x + caps_w, top + 1, size, theme.TEXT)
                top += row
            top += round(row * 0.4)
    return fits
