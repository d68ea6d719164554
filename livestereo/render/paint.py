"""Small shapes that overlays are made of: panels, chips, keys; drawn into a (H,W,3) BGR canvas in place, clipped."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.render import theme
from livestereo.render.layout import Rect
from livestereo.render.text import BGR, blend_mask, draw_text, line_height, nearest_size, text_width
from livestereo.types import U8


@lru_cache(maxsize=256)
def _rounded(width: int, height: int, radius: int) -> U8:
    """Coverage of a rounded rectangle, (h,w) uint8, smooth at its corners."""
    zoom = 4
    big = np.zeros((height * zoom, width * zoom), np.uint8)
    r = min(radius, width // 2, height // 2) * zoom
    w, h = width * zoom, height * zoom
    cv2.rectangle(big, (r, 0), (w - 1 - r, h - 1), 255, -1)
    cv2.rectangle(big, (0, r), (w - 1, h - 1 - r), 255, -1)
    for x, y in ((r, r), (w - 1 - r, r), (r, h - 1 - r), (w - 1 - r, h - 1 - r)):
        cv2.circle(big, (x, y), r, 255, -1)
    mask = np.asarray(cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    mask.setflags(write=False)
    return mask


def fill(canvas: U8, rect: Rect, colour: BGR) -> None:
    """Fill a rectangle."""
    canvas[max(0, rect.y) : max(0, rect.bottom), max(0, rect.x) : max(0, rect.right)] = colour


def panel(canvas: U8, rect: Rect, colour: BGR = theme.PANEL, opacity: float = 0.86, radius: int = 6) -> None:
    """Fill a rounded, see-through rectangle."""
    if rect.w <= 0 or rect.h <= 0:
        return
    if rect.w * rect.h > 40_000 and opacity < 1:
        _large_panel(canvas, rect, colour, opacity, radius)
        return
    blend_mask(canvas, _rounded(rect.w, rect.h, radius), rect.x, rect.y, colour, opacity)


def _large_panel(canvas: U8, rect: Rect, colour: BGR, opacity: float, radius: int) -> None:
    """Fill the inside by OpenCV's fast blend, and only the bands with the corners through the mask."""
    middle = Rect(rect.x, rect.y + radius, rect.w, rect.h - 2 * radius)
    height, width = canvas.shape[:2]
    x0, x1 = max(0, middle.x), min(width, middle.right)
    y0, y1 = max(0, middle.y), min(height, middle.bottom)
    if x0 < x1 and y0 < y1:
        canvas[y0:y1, x0:x1] = cv2.LUT(canvas[y0:y1, x0:x1], _shade_table(colour, round(opacity, 2)))
    if radius == 0:
        return
    mask = _rounded(rect.w, rect.h, radius)
    blend_mask(canvas, mask[:radius], rect.x, rect.y, colour, opacity)
    blend_mask(canvas, mask[rect.h - radius :], rect.x, rect.bottom - radius, colour, opacity)


@lru_cache(maxsize=64)
def _shade_table(colour: BGR, opacity: float) -> U8:
    ramp = np.arange(256, dtype=np.float32)[:, None]
    mixed = ramp * (1 - opacity) + np.array(colour, np.float32) * opacity
    return np.rint(mixed).astype(np.uint8)[None]


def dot(canvas: U8, x: float, y: float, radius: float, colour: BGR, opacity: float = 1.0) -> None:
    """Draw a filled, smooth circle."""
    size = max(2, round(2 * radius))
    blend_mask(canvas, _rounded(size, size, size), round(x - size / 2), round(y - size / 2), colour, opacity)


def chip(
    canvas: U8, text: str, x: int, y: int, size_px: int, *, colour: BGR = theme.TEXT, back: BGR = theme.SHADE,
    opacity: float = 0.66,
) -> Rect:  # fmt: skip
    """Draw a short text on a small rounded ground whose top left is (x, y); give its rectangle."""
    kept, added = _chip(text, nearest_size(size_px), colour, back, opacity)
    rect = Rect(x, y, kept.shape[1], kept.shape[0])
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, rect.right), min(height, rect.bottom)
    if x0 < x1 and y0 < y1:
        part = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
        region = canvas[y0:y1, x0:x1]
        region[:] = (region * kept[part] + added[part]) >> 8
    return rect


@lru_cache(maxsize=64)
def _chip(
    text: str, size_px: int, colour: BGR, back: BGR, opacity: float
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:  # fmt: skip
    """How much of what lies below is kept, in 1/256, and what is added, with the rounding; both (h,w,3) uint16."""
    pad_x, pad_y = round(size_px * 0.5), max(1, round(size_px * 0.14))
    rect = Rect(0, 0, text_width(text, size_px) + 2 * pad_x, line_height(size_px) + 2 * pad_y)
    on_black = np.zeros((rect.h, rect.w, 3), np.uint8)
    on_white = np.full_like(on_black, 255)
    for canvas in (on_black, on_white):
        panel(canvas, rect, back, opacity, max(3, round(size_px * 0.3)))
        draw_text(canvas, text, pad_x, pad_y, size_px, colour)
    kept = np.rint((on_white.astype(np.float32) - on_black) * (256 / 255)).astype(np.uint16)
    added = on_black.astype(np.uint16) * np.uint16(256) + np.uint16(128)
    return kept, np.minimum(added, np.uint16(65535) - kept * np.uint16(255))


def keycap(canvas: U8, label: str, x: int, y: int, size_px: int) -> int:
    """Draw a key of a keyboard with its label; give its width, px."""
    width = max(text_width(label, size_px, "medium") + round(size_px * 0.8), line_height(size_px) + 2)
    rect = Rect(x, y, width, line_height(size_px) + 2)
    panel(canvas, rect, theme.RAISED, 1.0, max(2, round(size_px * 0.3)))
    draw_text(canvas, label, x + width / 2, y + 1, size_px, theme.TEXT, weight="medium", anchor="middle")
    return width


def pen(canvas: U8) -> int:
    """Width of a line that is seen on this canvas, px: 2 up to 900 rows, then more."""
    return max(2, int(canvas.shape[0] / 360 + 0.5))


def crosshair(canvas: U8, x: int, y: int, size: int, colour: BGR = theme.TEXT) -> None:
    """Mark a point with an open cross that is seen on bright and dark alike."""
    inner = max(2, size // 3)
    thin = pen(canvas) - 1
    for width, bgr in ((thin + 2, theme.SHADE), (thin, colour)):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            start, end = (x + dx * inner, y + dy * inner), (x + dx * size, y + dy * size)
            cv2.line(canvas, start, end, bgr, width, cv2.LINE_AA)


def ruler_line(canvas: U8, start: tuple[int, int], end: tuple[int, int], colour: BGR = theme.ACCENT) -> None:
    """Draw a measured line with its two ends."""
    width = pen(canvas)
    cv2.line(canvas, start, end, theme.SHADE, width + 2, cv2.LINE_AA)
    cv2.line(canvas, start, end, colour, width, cv2.LINE_AA)
    for x, y in (start, end):
        dot(canvas, x, y, 2.5 * width, theme.SHADE)
        dot(canvas, x, y, 1.75 * width, colour)
