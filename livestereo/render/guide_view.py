"""The picture of guided calibration: both views with the board, what is covered, where to hold it next. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.detection import Detection
from calibration.guide import Goal, Step
from calibration.next_pose import Pose
from calibration.views import Coverage
from livestereo.render import theme
from livestereo.render.layout import Rect
from livestereo.render.paint import dot, fill, keycap, panel
from livestereo.render.text import draw_text, ellipsis, line_height, text_width
from livestereo.types import U8, SizeWH

KEYS = (("Space", "take now"), ("u", "undo"), ("Enter", "solve"), ("q", "quit"))
FLASH = 0.55


@dataclass(frozen=True)
class GuidePicture:
    """What is to be drawn. flash: 1 just after a view was taken, fading to 0. busy: a solution is being computed."""

    left: U8
    right: U8
    found_left: Detection | None
    found_right: Detection | None
    step: Step
    goal: Goal | None
    unit: str = "m"
    flash: float = 0.0
    busy: bool = False
    message: str = ""


def canvas_size(left_wh: SizeWH, right_wh: SizeWH, screen_wh: SizeWH) -> SizeWH:
    """Give a canvas that shows both views as large as the screen allows."""
    w, h = left_wh[0] + right_wh[0] + 24, max(left_wh[1], right_wh[1]) + 150
    scale = min(1.0, screen_wh[0] * 0.94 / w, screen_wh[1] * 0.84 / h)
    return max(640, round(w * scale)), max(360, round(h * scale))


def draw_guide(shown: GuidePicture, canvas_wh: SizeWH) -> U8:
    """Draw all, (H,W,3) uint8 BGR of `canvas_wh`."""
    w, h = canvas_wh
    m = theme.metrics_for(canvas_wh)
    canvas = np.empty((h, w, 3), np.uint8)
    canvas[:] = theme.BACKGROUND
    top = line_height(m.body) + line_height(m.small) + m.pad * 2
    bottom = line_height(m.large) + line_height(m.body) + line_height(m.small) + m.pad * 3
    area = Rect(m.pad, top, w - 2 * m.pad, h - top - bottom)
    gap = m.pad
    half = (area.w - gap) // 2
    step = shown.step
    for side, image, found, x in (
        ("left", shown.left, shown.found_left, area.x), ("right", shown.right, shown.found_right, area.x + half + gap),
    ):  # fmt: skip
        rect = _fit(Rect(x, area.y, half, area.h), (image.shape[1], image.shape[0]))
        view = canvas[rect.y : rect.bottom, rect.x : rect.right]
        view[:] = cv2.resize(image, (rect.w, rect.h), interpolation=cv2.INTER_AREA)
        covered = step.left if side == "left" else step.right
        _shade(view, covered)
        if step.pose is not None and not step.done:
            _outline(view, step.pose, side, rect.w / image.shape[1])
        if found is not None:
            _corners(view, found, rect.w / image.shape[1], step.accept)
        if shown.flash > 0:
            white = np.full_like(view, 255)
            view[:] = cv2.addWeighted(view, 1 - FLASH * shown.flash, white, FLASH * shown.flash, 0)
        _chip(
            canvas,
            f"{side.capitalize()}  {100 * covered.area:.0f} % covered",
            rect.x + m.pad // 2,
            rect.y + m.pad // 2,
            m,
        )
    _header(canvas, shown, Rect(m.pad, m.pad, w - 2 * m.pad, top - m.pad), m)
    _footer(canvas, shown, Rect(m.pad, h - bottom + m.pad, w - 2 * m.pad, bottom - m.pad), m)
    return canvas


def _fit(area: Rect, size_wh: SizeWH) -> Rect:
    scale = min(area.w / size_wh[0], area.h / size_wh[1])
    w, h = max(1, round(size_wh[0] * scale)), max(1, round(size_wh[1] * scale))
    return Rect(area.x + (area.w - w) // 2, area.y + (area.h - h) // 2, w, h)


def _shade(view: U8, covered: Coverage) -> None:
    """Tint the parts of the picture where corners were seen."""
    h, w = view.shape[:2]
    seen = (covered.raster > 0).astype(np.uint8) * 255
    mask = cv2.resize(seen, (w, h), interpolation=cv2.INTER_NEAREST)
    tint = np.empty_like(view)
    tint[:] = theme.GOOD
    cv2.copyTo(cv2.addWeighted(view, 0.86, tint, 0.14, 0), mask, view)


def _corners(view: U8, found: Detection, scale: float, good: bool) -> None:
    points = (found.points_px.astype(np.float64) + 0.5) * scale - 0.5
    colour = theme.GOOD if good else theme.WARN
    path = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(view, [path], False, colour, 1, cv2.LINE_AA, 4)
    for x, y in points:
        dot(view, float(x), float(y), 2.6, colour)
    # The first corner: where the order begins tells whether both cameras see it the same way round.
    cv2.circle(view, (round(points[0, 0]), round(points[0, 1])), 6, theme.TEXT, 1, cv2.LINE_AA)


def _outline(view: U8, pose: Pose, side: str, scale: float) -> None:
    corners: NDArray[np.float64] = (pose.outline_left_px if side == "left" else pose.outline_right_px) * scale
    length = 10.0
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        count = max(1, int(np.linalg.norm(b - a) / (2 * length)))
        for i in range(count):
            start, end = a + (b - a) * (i / count), a + (b - a) * ((i + 0.55) / count)
            for colour, thick in ((theme.SHADE, 4), (theme.ACCENT, 2)):
                cv2.line(view, _at(start), _at(end), colour, thick, cv2.LINE_AA, 4)
    middle = (corners[0] + corners[1]) / 2
    inside = corners.mean(axis=0)
    tip = middle + (middle - inside) * 0.18
    cv2.arrowedLine(view, _at(middle), _at(tip), theme.ACCENT, 2, cv2.LINE_AA, 4, 0.5)


def _at(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.clip(point, -9999, 9999).tolist()
    return round(x * 16), round(y * 16)


def _chip(canvas: U8, text: str, x: int, y: int, m: theme.Metrics) -> None:
    panel(canvas, Rect(x, y, text_width(text, m.small) + m.pad, line_height(m.small) + 6), theme.SHADE, 0.74, m.radius)
    draw_text(canvas, text, x + m.pad // 2, y + 3, m.small, theme.TEXT)


def _header(canvas: U8, shown: GuidePicture, area: Rect, m: theme.Metrics) -> None:
    step = shown.step
    views = f"{step.views} view{'' if step.views == 1 else 's'}"
    draw_text(canvas, views, area.x, area.y, m.body, theme.TEXT, weight="medium")
    right = area.right
    if shown.goal is None:
        return
    goal = f"goal {shown.goal.percent:g} % at {shown.goal.distance:g} {shown.unit}"
    known = math.isfinite(step.percent)
    now = f"depth error now {step.percent:.2f} %" if known else "depth error: after the first views"
    text = f"{now}   ·   {goal}" + ("   ·   computing" if shown.busy else "")
    draw_text(canvas, text, right - text_width(text, m.body), area.y, m.body, theme.TEXT)
    y = area.y + line_height(m.body) + m.pad // 2
    fill(canvas, Rect(area.x, y, area.w, 6), theme.LINE)
    if known and step.percent > 0:
        # The error falls with the square root of the work, so its logarithm from 8 x the goal makes an even bar.
        share = 1 - math.log(max(step.percent / shown.goal.percent, 1.0)) / math.log(8.0)
        share = min(1.0, max(0.03, share))
        fill(canvas, Rect(area.x, y, round(area.w * share), 6), theme.GOOD if share >= 1 else theme.ACCENT)


def _footer(canvas: U8, shown: GuidePicture, area: Rect, m: theme.Metrics) -> None:
    step = shown.step
    colour = theme.GOOD if step.accept or step.done else theme.TEXT
    draw_text(canvas, ellipsis(step.next, area.w, m.large, "medium"), area.x, area.y, m.large, colour, weight="medium")
    y = area.y + line_height(m.large) + m.pad // 3
    draw_text(canvas, ellipsis(shown.message or step.why, area.w, m.body), area.x, y, m.body, theme.DIM)
    x, y = area.x, area.bottom - line_height(m.small) - m.pad // 2
    for key, words in KEYS:
        x += keycap(canvas, key, x, y, m.small) + m.pad // 3
        draw_text(canvas, words, x, y, m.small, theme.DIM)
        x += text_width(words, m.small) + m.pad
