"""The picture of guided calibration: both views with the board, what is covered, where to hold it next. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.advice import Goal, Need
from calibration.detection import Detection
from calibration.guide import Step
from calibration.next_pose import Pose
from calibration.views import Coverage, apply_homography, fit_homography
from livestereo.render import theme
from livestereo.render.layout import Rect
from livestereo.render.overlay import draw_message
from livestereo.render.paint import chip, dot, fill, keycap
from livestereo.render.text import draw_text, ellipsis, line_height, text_width, wrap
from livestereo.types import U8, SizeWH

KEYS = (("Space", "take now"), ("u", "undo the last view"), ("Enter", "finish and solve"))
SHORT_KEYS = (("Space", "take"), ("u", "undo"), ("Enter", "solve"))
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
    # Small pictures are enlarged, where the screen allows it: words need room too.
    least = min(960, screen_wh[0]), min(540, screen_wh[1])
    return max(least[0], round(w * scale)), max(least[1], round(h * scale))


def draw_guide(shown: GuidePicture, canvas_wh: SizeWH) -> U8:
    """Draw all, (H,W,3) uint8 BGR of `canvas_wh`."""
    w, h = canvas_wh
    m = theme.metrics_for(canvas_wh)
    canvas = np.empty((h, w, 3), np.uint8)
    canvas[:] = theme.BACKGROUND
    top = line_height(m.body) + m.pad * 3 + 6
    bottom = max(line_height(m.large), 2 * line_height(m.body)) + line_height(m.body) + line_height(m.small) + m.pad * 4
    area = Rect(m.pad, top, w - 2 * m.pad, h - top - bottom)
    gap = m.pad
    half = (area.w - gap) // 2
    step = shown.step
    for side, image, found, x in (
        ("left", shown.left, shown.found_left, area.x), ("right", shown.right, shown.found_right, area.x + half + gap),
    ):  # fmt: skip
        rect = _fit(Rect(x, area.y, half, area.h), (image.shape[1], image.shape[0]))
        view = canvas[rect.y : rect.bottom, rect.x : rect.right]
        smooth = cv2.INTER_AREA if rect.w < image.shape[1] else cv2.INTER_LINEAR
        view[:] = cv2.resize(image, (rect.w, rect.h), interpolation=smooth)
        covered = step.left if side == "left" else step.right
        _shade(view, covered)
        if step.pose is not None and not step.done:
            _outline(view, step.pose, side, rect.w / image.shape[1], m)
        if found is not None:
            _corners(view, found, rect.w / image.shape[1], step.accept)
        if shown.flash > 0:
            white = np.full_like(view, 255)
            view[:] = cv2.addWeighted(view, 1 - FLASH * shown.flash, white, FLASH * shown.flash, 0)
        told = f"{side.capitalize()}  {100 * covered.area:.0f} % covered"
        chip(canvas, told, rect.x + m.pad // 2, rect.y + m.pad // 2, m.small, opacity=0.74)
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
    cv2.copyTo(cv2.addWeighted(view, 0.9, tint, 0.1, 0), mask, view)


def _corners(view: U8, found: Detection, scale: float, good: bool) -> None:
    points = (found.points_px.astype(np.float64) + 0.5) * scale - 0.5
    colour = theme.GOOD if good else theme.WARN
    path = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(view, [path], False, colour, 1, cv2.LINE_AA, 4)
    for x, y in points:
        dot(view, float(x), float(y), 2.6, colour)
    # The first corner: where the order begins tells whether both cameras see it the same way round.
    cv2.circle(view, (round(points[0, 0]), round(points[0, 1])), 6, theme.TEXT, 1, cv2.LINE_AA)


def _outline(view: U8, pose: Pose, side: str, scale: float, m: theme.Metrics) -> None:
    """Draw where the board should be: dashed rim, faint lattice so that its tilt can be seen, ring at corner one."""
    corners: NDArray[np.float64] = (pose.outline_left_px if side == "left" else pose.outline_right_px) * scale
    lattice = view.copy()
    cv2.fillPoly(lattice, [np.rint(corners * 16).astype(np.int32)], theme.ACCENT, cv2.LINE_AA, 4)
    cv2.addWeighted(view, 0.86, lattice, 0.14, 0, dst=view)
    to_view = fit_homography(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), corners)
    for share in (1 / 4, 2 / 4, 3 / 4):
        placed = apply_homography(to_view, np.array([[share, 0], [share, 1], [0, share], [1, share]]))
        for a, b in ((placed[0], placed[1]), (placed[2], placed[3])):
            cv2.line(view, _at(a), _at(b), theme.ACCENT, 1, cv2.LINE_AA, 4)
    length = 10.0
    for a, b in zip(corners, np.roll(corners, -1, axis=0)):
        count = max(1, int(np.linalg.norm(b - a) / (2 * length)))
        for i in range(count):
            start, end = a + (b - a) * (i / count), a + (b - a) * ((i + 0.55) / count)
            for colour, thick in ((theme.SHADE, 5), (theme.ACCENT, 3)):
                cv2.line(view, _at(start), _at(end), colour, thick, cv2.LINE_AA, 4)
    for colour, thick in ((theme.SHADE, 5), (theme.ACCENT, 3)):
        cv2.circle(view, _at(corners[0]), 9 * 16, colour, thick, cv2.LINE_AA, 4)
    centre = corners.mean(axis=0)
    chip(view, "here", round(centre[0] - text_width("here", m.small) / 2), round(centre[1]), m.small, opacity=0.74)


def _at(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.clip(point, -9999, 9999).tolist()
    return round(x * 16), round(y * 16)


def _header(canvas: U8, shown: GuidePicture, area: Rect, m: theme.Metrics) -> None:
    step = shown.step
    views = f"{step.views} view{'' if step.views == 1 else 's'}" + ("   ·   computing" if shown.busy else "")
    draw_text(canvas, views, area.x, area.y, m.body, theme.TEXT, weight="medium")
    if shown.goal is None:
        return
    goal = f"goal {shown.goal.percent:g} % at {shown.goal.distance:g} {shown.unit}"
    known = math.isfinite(step.percent)
    met = known and step.percent <= shown.goal.percent
    now = f"depth error {step.percent:.2f} %" if known else "depth error not known yet"
    text = f"{now}   ·   {goal}"
    if text_width(text, m.body) > area.w - text_width(views, m.body, "medium") - m.pad:
        text = now
    draw_text(canvas, text, area.right - text_width(text, m.body), area.y, m.body, theme.GOOD if met else theme.TEXT)
    y = area.y + line_height(m.body) + m.pad // 2
    fill(canvas, Rect(area.x, y, area.w, 6), theme.LINE)
    if known and step.percent > 0:
        # The error falls with the square root of the work, so its logarithm from 8 x the goal makes an even bar.
        share = 1 - math.log(max(step.percent / shown.goal.percent, 1.0)) / math.log(8.0)
        share = min(1.0, max(0.03, share))
        fill(canvas, Rect(area.x, y, round(area.w * share), 6), theme.GOOD if met else theme.ACCENT)


def _footer(canvas: U8, shown: GuidePicture, area: Rect, m: theme.Metrics) -> None:
    step = shown.step
    width = area.w - _needs(canvas, step.needs, area, m) - 2 * m.pad
    colour = theme.GOOD if step.done else theme.TEXT
    size, lines = m.large, [step.next]
    if text_width(step.next, m.large, "medium") > width:  # what to do next is read whole, if in smaller letters
        size, lines = m.body, wrap(step.next, width, m.body, "medium")
    y = area.y
    for i, line in enumerate(lines[:2]):
        rest = line if i == 0 else " ".join(lines[1:])
        draw_text(canvas, ellipsis(rest, width, size, "medium"), area.x, y, size, colour, weight="medium")
        y += line_height(size)
    y += m.pad // 2
    radius = m.body * 0.28
    dot(canvas, area.x + radius, y + line_height(m.body) / 2, radius, theme.GOOD if step.accept else theme.WARN)
    x = area.x + round(2 * radius) + m.pad // 2
    why = ellipsis(step.why, width - (x - area.x), m.body)
    draw_text(canvas, why, x, y, m.body, theme.TEXT)
    x += text_width(why, m.body) + m.pad
    draw_text(canvas, ellipsis(step.hint, area.x + width - x, m.body), x, y, m.body, theme.ACCENT)
    x, y = area.x, area.bottom - line_height(m.small) - m.pad // 2
    fits = sum(text_width(f"{key}{words}", m.small) + 2.5 * m.pad for key, words in KEYS) <= width
    for key, words in KEYS if fits else SHORT_KEYS:
        x += keycap(canvas, key, x, y, m.small) + m.pad // 3
        draw_text(canvas, words, x, y, m.small, theme.DIM)
        x += text_width(words, m.small) + m.pad
    if text_width(shown.message, m.small) <= area.x + width - x:
        draw_text(canvas, shown.message, x, y, m.small, theme.WARN)
    else:  # it is read whole, if over the pictures
        draw_message(canvas, shown.message, Rect(0, 0, canvas.shape[1], area.y), tone="warn")


def _needs(canvas: U8, needs: tuple[Need, ...], area: Rect, m: theme.Metrics) -> int:
    """Draw what the views must cover, a bar for each, at the right; give the width taken, 0 where there is no room."""
    if not needs:
        return 0
    names = [_NAMES[need.name] for need in needs]
    label = max(text_width(name, m.small) for name in names)
    value = max(text_width(_value(need), m.small) for need in needs)
    bar = round(m.small * 5)
    width = label + bar + value + 2 * m.pad
    if width > 0.4 * area.w:
        return 0  # in a small window what to do next comes first
    step_y = min(line_height(m.small) + 1, area.h / len(needs))
    for i, (name, need) in enumerate(zip(names, needs)):
        x, y = area.right - width, area.y + round(i * step_y)
        colour = theme.GOOD if need.met else theme.WARN
        draw_text(canvas, name, x, y, m.small, theme.DIM)
        line = Rect(x + label + m.pad, y + line_height(m.small) // 2 - 2, bar, 5)
        fill(canvas, line, theme.LINE)
        start = 1.0 if need.name == "size" else 0.0
        share = min(1.0, max(0.0, (need.have - start) / (need.want - start)))
        fill(canvas, Rect(line.x, line.y, round(bar * share), line.h), colour)
        draw_text(canvas, _value(need), line.right + m.pad, y, m.small, colour if need.met else theme.TEXT)
    return width


_NAMES = {"views": "views", "position": "covered", "size": "near to far", "tilt": "tilted", "turned": "turned 90°"}


def _value(need: Need) -> str:
    if need.name == "position":
        return f"{100 * need.have:.0f} / {100 * need.want:.0f} %"
    if need.name == "size":
        return f"{need.have:.2f} / {need.want:.2f} x"
    return f"{need.have:g} / {need.want:g}"
