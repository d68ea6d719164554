"""The figures of a run and the legend, drawn beside the pictures: readable from 320x240 to 1920x1080."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from livestereo.render import theme
from livestereo.render.colorize import DepthRange, Scale, colormap_lut, position
from livestereo.render.layout import Rect
from livestereo.render.paint import chip, dot, fill, panel
from livestereo.render.text import draw_text, ellipsis, line_height, text_width, wrap
from livestereo.render.theme import Metrics, metrics_for
from livestereo.types import U8

Tone = Literal["plain", "good", "warn", "bad"]
TONES = {"plain": theme.TEXT, "good": theme.GOOD, "warn": theme.WARN, "bad": theme.BAD}


@dataclass(frozen=True)
class Figures:
    """What the status bar tells. None or NaN: not known, not shown.

    skew_ms: of the row where it is largest. skew_cost_m: depth error of what moves sideways at 1 m/s, `scene_m` away.
    live: cameras (capture rate, latency and skew matter) against files. dropped: counts by cause.
    note: how depth is computed, shown at the end of the bar; half_size: of half the pictures' size, which is told in
    the narrowest bar too. recording_s and what follows it: of the take that is being
    made: seconds, bytes, share of the queue that is full, minutes until the disk is, pairs lost by cause.
    """

    live: bool = True
    capture_fps_left: float | None = None
    capture_fps_right: float | None = None
    depth_fps: float | None = None
    display_fps: float | None = None
    latency_ms: float | None = None
    skew_ms: float | None = None
    skew_cost_m: float | None = None
    scene_m: float | None = None
    vertical_px: float | None = None
    fill_percent: float | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    pairs: int = 0
    count: int | None = None
    recording_s: float | None = None
    recorded_bytes: int = 0
    queue_percent: float = 0.0
    minutes_left: float | None = None
    lost: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    half_size: bool = False
    state_left: str = "ok"
    state_right: str = "ok"


@dataclass(frozen=True)
class Cell:
    """One figure of the bar. `rank`: 0 stays longest when the bar gets narrow."""

    label: str
    value: str
    rank: int
    tone: Tone = "plain"
    widest: str = ""


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _rate(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}"


def status_cells(figures: Figures) -> list[Cell]:
    """Turn figures into the cells of the bar, in reading order."""
    cells = []
    if figures.recording_s is not None:
        cells += _recording_cells(figures)
    if figures.live:
        uneven = figures.state_left != "ok" or figures.state_right != "ok"
        cells.append(
            Cell("CAPTURE L | R", f"{_rate(figures.capture_fps_left)} | {_rate(figures.capture_fps_right)} fps", 2,
                 "bad" if uneven else "plain", "00.0 | 00.0 fps")
        )  # fmt: skip
    if figures.depth_fps is not None:
        cells.append(Cell("DEPTH", f"{_rate(figures.depth_fps)} fps", 0, widest="000.0 fps"))
    if figures.half_size:
        cells.append(Cell("SIZE", "half", 0))
    if _known(figures.display_fps):
        cells.append(Cell("DISPLAY", f"{_rate(figures.display_fps)} fps", 5, widest="00.0 fps"))
    if figures.latency_ms is not None and math.isfinite(figures.latency_ms):
        cells.append(Cell("LATENCY", f"{figures.latency_ms:.0f} ms", 1, widest="0000 ms"))
    if figures.skew_ms is not None and math.isfinite(figures.skew_ms) and figures.live:
        cells.append(_skew_cell(figures.skew_ms, figures.skew_cost_m, figures.scene_m))
    if figures.vertical_px is not None and math.isfinite(figures.vertical_px):
        rows: Tone = "bad" if figures.vertical_px > 1.0 else "warn" if figures.vertical_px > 0.5 else "plain"
        cells.append(Cell("VERTICAL", f"{figures.vertical_px:.2f} px", 4, rows, "0.00 px"))
    if figures.fill_percent is not None and math.isfinite(figures.fill_percent):
        tone: Tone = "bad" if figures.fill_percent < 25 else "warn" if figures.fill_percent < 50 else "plain"
        cells.append(Cell("FILL", f"{figures.fill_percent:.0f} %", 1, tone, "100 %"))
    dropped = {cause: count for cause, count in figures.dropped.items() if count}
    if dropped or figures.live:
        text = " · ".join(f"{cause} {count}" for cause, count in dropped.items()) or "none"
        lost = any(cause in dropped for cause in ("disk", "camera"))
        cells.append(Cell("DROPPED", text, 3, "warn" if lost else "plain"))
    if not figures.live:
        whole = f" / {figures.count}" if figures.count else ""
        cells.append(Cell("PAIR", f"{figures.pairs}{whole}", 2, widest=f"00000{whole}"))
    if figures.note:
        cells.append(Cell("SETTINGS", figures.note, 6))
    return cells


def _recording_cells(figures: Figures) -> list[Cell]:
    cells = [Cell("RECORDED", size_text(figures.recorded_bytes), 1, widest="0000 MiB")]
    if figures.minutes_left is not None:
        tone: Tone = "bad" if figures.minutes_left < 1 else "warn" if figures.minutes_left < 5 else "plain"
        cells.append(Cell("DISK FOR", minutes_text(figures.minutes_left), 1, tone, "000 min"))
    busy: Tone = "bad" if figures.queue_percent >= 75 else "warn" if figures.queue_percent >= 25 else "plain"
    cells.append(Cell("QUEUE", f"{figures.queue_percent:.0f} %", 3, busy, "100 %"))
    if figures.lost:
        lost = " · ".join(f"{cause} {count}" for cause, count in figures.lost.items())
        cells.append(Cell("PAIRS LOST", lost, 0, "bad"))
    return cells


def size_text(size: int) -> str:
    """Write bytes as MiB, or GiB from one on."""
    return f"{size / 2**20:.0f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"


def minutes_text(minutes: float) -> str:
    """Write a time to come in the unit that suits it; nobody plans beyond a day."""
    if minutes < 1:
        return f"{max(0.0, minutes) * 60:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h" if minutes < 1440 else "a day"


def _skew_cell(skew_ms: float, cost_m: float | None, scene_m: float | None) -> Cell:
    tone: Tone = "bad" if abs(skew_ms) > 12 else "warn" if abs(skew_ms) > 5 else "plain"
    text = f"{skew_ms:+.1f} ms".replace("-", "−")
    if cost_m is None or scene_m is None or not math.isfinite(cost_m + scene_m):
        return Cell("SKEW", text, 4, tone, "+00.0 ms")
    cost = f"{cost_m * 1000:.0f} mm" if cost_m < 0.0995 else f"{cost_m * 100:.0f} cm"
    return Cell("SKEW", f"{text} ≈ {cost} at {scene_m:.1f} m", 4, tone, "+00.0 ms ≈ 00 mm at 0.0 m")


def draw_status(canvas: U8, rect: Rect, figures: Figures) -> None:
    """Draw the status bar into `rect`; when it is too narrow, the less important figures are left out."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    fill(canvas, rect, theme.PANEL)
    fill(canvas, Rect(rect.x, rect.y, rect.w, 1), theme.LINE)
    x_end = rect.right - m.pad
    if figures.recording_s is not None:
        x_end = _draw_recording(canvas, rect, m, figures.recording_s)
    cells = status_cells(figures)

    def width(cell: Cell) -> int:
        values = (cell.value, cell.widest) if cell.widest else (cell.value,)
        return max(text_width(cell.label, m.small), *(text_width(v, m.body, "medium") for v in values))

    room = x_end - rect.x - m.pad
    whole = sum(width(c) for c in cells)
    # Closer together before anything is cut short or left out.
    gaps = (m.pad * 2, round(m.pad * 1.5), m.pad)
    gap = next((g for g in gaps if whole + g * (len(cells) - 1) <= room), gaps[-1])
    while len(cells) > 1 and sum(width(c) + gap for c in cells) - gap > room:
        worst = max(cells, key=lambda c: c.rank)
        if worst.label in ("SETTINGS", "DROPPED"):
            left = room - sum(width(c) + gap for c in cells if c is not worst)
            short = ellipsis(worst.value, left, m.body, "medium")
            if left >= m.body * 6 and short:
                cells[cells.index(worst)] = Cell(worst.label, short, worst.rank, worst.tone)
                break
        cells.remove(worst)
    x = rect.x + m.pad
    y_label = rect.y + 1 + m.pad // 2
    y_value = y_label + line_height(m.small)
    for cell in cells:
        draw_text(canvas, cell.label, x, y_label, m.small, theme.DIM)
        draw_text(canvas, cell.value, x, y_value, m.body, TONES[cell.tone], weight="medium")
        x += width(cell) + gap
    if figures.count and not figures.live:
        share = min(1.0, figures.pairs / figures.count)
        fill(canvas, Rect(rect.x, rect.y, rect.w, 4), theme.LINE)
        fill(canvas, Rect(rect.x, rect.y, round(rect.w * share), 4), theme.ACCENT)


def _draw_recording(canvas: U8, rect: Rect, m: Metrics, seconds: float) -> int:
    text = f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
    width = text_width(text, m.body, "medium")
    x = rect.right - m.pad - width
    y = rect.y + (rect.h - line_height(m.body)) // 2
    draw_text(canvas, text, x, y, m.body, theme.TEXT, weight="medium")
    dot(canvas, x - m.body * 0.7, rect.y + rect.h / 2, m.body * 0.38, theme.RECORD)
    return x - round(m.body * 2)


def metres(value: float) -> str:
    """Write a length with as many digits as a person can use, without the unit."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2f}".rstrip("0").rstrip(".") if value >= 0.095 else f"{value:.3f}".rstrip("0")


def ticks(near_m: float, far_m: float, scale: Scale, most: int) -> list[float]:
    """Choose round depths between near and far, not more than `most`, spread over the scale."""
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 4, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(near_m)) - 1, math.ceil(math.log10(far_m)) + 1)
        values = [round(s * 10.0**d, 6) for d in decades for s in steps]
        inside = [v for v in values if near_m * 0.999 <= v <= far_m * 1.001]
        if scale == "linear" and len(inside) >= 2:
            step = 10.0 ** math.floor(math.log10((far_m - near_m) / max(1, most - 1)))
            step = next(step * k for k in (1, 2, 5, 10) if (far_m - near_m) / (step * k) <= most - 1)
            first = math.ceil(near_m / step - 1e-9)
            return [round(step * i, 6) for i in range(first, math.floor(far_m / step + 1e-9) + 1)]
        if len(inside) <= most:
            return inside or [near_m, far_m]
    return [near_m, far_m]


def draw_legend(
    canvas: U8, rect: Rect, depth_range: DepthRange, colormap: str, *, scale: Scale = "log", metric: bool = True,
    automatic: bool = False,
) -> None:  # fmt: skip
    """Draw the colour bar with depths in metres into `rect`: far at the top, near at the bottom."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    near, far = depth_range.near_m, depth_range.far_m
    unit = "m" if metric else "rel."
    line = line_height(m.small)
    top, bottom = rect.y + m.pad + line + 2, rect.bottom - m.pad
    if automatic:
        bottom -= line
        draw_text(canvas, "auto", rect.x + m.pad, rect.bottom - m.pad // 2 - line, m.small, theme.ACCENT)
    bar_w = max(6, round(m.small * 0.9))
    x = rect.x + m.pad
    height = bottom - top
    if height < 3 * line:
        return
    draw_text(canvas, unit, x, rect.y + m.pad // 2, m.small, theme.DIM)
    ramp = colormap_lut(colormap)[:, None]
    canvas[top:bottom, x : x + bar_w] = cv2.resize(ramp, (bar_w, height), interpolation=cv2.INTER_LINEAR)
    last = -1e9
    most = max(2, min(9, height // round(line * 1.7)))
    for depth in sorted(ticks(near, far, scale, most), reverse=True):
        share = 1.0 - float(position(np.array([depth]), near, far, scale)[0])
        y = bottom - 1 - share * (height - 1)
        if abs(y - last) < line * 1.05:
            continue
        last = y
        row = round(y)
        canvas[row : row + 1, x + bar_w : x + bar_w + 4] = theme.DIM
        text_y = min(max(y - line / 2, top - line * 0.3), bottom - line * 0.75)
        draw_text(canvas, metres(depth), x + bar_w + 7, text_y, m.small, theme.TEXT)


def draw_entries(canvas: U8, rect: Rect, entries: Sequence[tuple[tuple[int, int, int], str]]) -> Rect:
    """Draw a key of colours and their meaning at the lower left of `rect`, on a see-through ground; give its place."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    line = line_height(m.small) + 2
    width = max(text_width(text, m.small) for _, text in entries) + m.small * 2 + m.pad
    box = Rect(rect.x + m.pad, rect.bottom - m.pad - line * len(entries) - m.pad, width, line * len(entries) + m.pad)
    panel(canvas, box, theme.SHADE, 0.72, m.radius)
    for i, (colour, text) in enumerate(entries):
        y = box.y + m.pad // 2 + i * line
        side = round(m.small * 0.8)
        panel(canvas, Rect(box.x + m.pad // 2, y + (line - side) // 2, side, side), colour, 1.0, 2)
        draw_text(canvas, text, box.x + m.pad // 2 + m.small * 1.4, y + 1, m.small, theme.TEXT)
    return box


def draw_readout(
    canvas: U8, lines: Sequence[str], x: int, y: int, inside: Rect, *, tone: Tone = "plain", avoid: Sequence[Rect] = ()
) -> Rect:
    """Draw a value beside the point (x, y), where it fits inside `inside`: the first line large, others small.

    It keeps off the rectangles `avoid` where there is room; gives its own.
    """
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    sizes = [m.large if i == 0 else m.small for i in range(len(lines))]
    weights: list[Literal["regular", "medium"]] = ["medium" if i == 0 else "regular" for i in range(len(lines))]
    width = max(text_width(t, s, w) for t, s, w in zip(lines, sizes, weights)) + 2 * m.pad
    height = sum(line_height(s) for s in sizes) + m.pad
    offset = m.body
    columns, rows = (x + offset, x - offset - width), (y + offset, y - offset - height)
    if columns[0] + width > inside.right:
        columns = columns[::-1]
    if rows[0] + height > inside.bottom:
        rows = rows[::-1]
    # Where the four corners of the point are taken: right above or below, left or right of what is there.
    more_rows = [top for other in avoid for top in (other.bottom + 2, other.y - height - 2)]
    more_columns = [left for other in avoid for left in (other.right + 2, other.x - width - 2)]
    tops = [(top, columns) for top in rows] + [(top, (*columns, *more_columns)) for top in (*rows, *more_rows)]
    places = [
        Rect(
            min(max(left, inside.x), max(inside.x, inside.right - width)),
            min(max(top, inside.y), max(inside.y, inside.bottom - height)), width, height,
        )
        for top, lefts in tops for left in lefts
    ]  # fmt: skip
    box = min(places, key=lambda place: sum(place.overlap(other) for other in avoid))
    panel(canvas, box, theme.SHADE, 0.8, m.radius)
    line_y = box.y + m.pad // 2
    for i, (text, size, weight) in enumerate(zip(lines, sizes, weights)):
        draw_text(canvas, text, box.x + m.pad, line_y, size, TONES[tone] if i == 0 else theme.DIM, weight=weight)
        line_y += line_height(size)
    return box


def draw_message(
    canvas: U8, text: str, inside: Rect, opacity: float = 1.0, *, tone: Tone = "plain", above: int | None = None
) -> int:
    """Draw a message at the bottom of `inside`, or `above` that row, in its middle; give the row for the next one."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    lines = wrap(text, inside.w - 6 * m.pad, m.body)
    width = max((text_width(line, m.body) for line in lines), default=0) + 2 * m.pad
    height = line_height(m.body) * len(lines) + m.pad
    mark = 4 if tone != "plain" else 0
    top = (inside.bottom - m.pad * 2 if above is None else above) - height
    box = Rect(inside.x + (inside.w - width) // 2, top, width, height)
    panel(canvas, box, theme.SHADE, 0.82 * opacity, m.radius)
    if mark:
        panel(canvas, Rect(box.x, box.y, mark, box.h), TONES[tone], opacity, 2)
    for i, line in enumerate(lines):
        y = box.y + m.pad // 2 + i * line_height(m.body)
        draw_text(canvas, line, box.x + box.w / 2, y, m.body, theme.TEXT, anchor="middle", opacity=opacity)
    return top - m.pad // 2


def draw_banner(canvas: U8, text: str, inside: Rect, *, tone: Tone = "warn") -> Rect:
    """Draw a standing notice at the top of `inside`: something is wrong and the person should know. Give its place."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    lines = wrap(text, inside.w - 6 * m.pad, m.body)[:3]
    width = max((text_width(line, m.body) for line in lines), default=0) + 3 * m.pad
    box = Rect(inside.x + (inside.w - width) // 2, inside.y + m.pad, width, line_height(m.body) * len(lines) + m.pad)
    panel(canvas, box, theme.SHADE, 0.85, m.radius)
    panel(canvas, Rect(box.x, box.y, 4, box.h), TONES[tone], 1.0, 2)
    for i, line in enumerate(lines):
        draw_text(canvas, line, box.x + box.w / 2, box.y + m.pad // 2 + i * line_height(m.body), m.body, theme.TEXT,
                  anchor="middle")  # fmt: skip
    return box


def pane_label(canvas: U8, rect: Rect, text: str, *, below: Rect | None = None) -> None:
    """Name a pane in its upper left corner; under what stands there, `below`, where the two would meet."""
    m = metrics_for((canvas.shape[1], canvas.shape[0]))
    if rect.w <= m.small * 8:
        return
    short = ellipsis(text, rect.w - 3 * m.pad, m.small)
    x, y = rect.x + m.pad // 2, rect.y + m.pad // 2
    taken = Rect(x, y, text_width(short, m.small) + m.small, line_height(m.small) + m.pad)
    if below is not None and taken.overlap(below):
        y = below.bottom + m.pad // 2
    chip(canvas, short, x, y, m.small)
