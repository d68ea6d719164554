"""A picture that shows where an estimate is wrong: left view, truth, estimate, error."""

from __future__ import annotations

import cv2
import numpy as np

from livestereo.render import theme
from livestereo.render.colorize import colormap_lut, hatch
from livestereo.render.layout import Rect
from livestereo.render.paint import fill
from livestereo.render.text import draw_text, line_height, text_width
from livestereo.types import F32, U8

# Error classes, px: upper bound, colour (BGR) from quiet to loud, told apart with any colour vision.
CLASSES: tuple[tuple[float, tuple[int, int, int], str], ...] = (
    (0.5, (94, 62, 38), "to ½ px"),
    (1.0, (150, 108, 60), "to 1"),
    (2.0, (196, 176, 120), "to 2"),
    (4.0, (90, 190, 250), "to 4"),
    (float("inf"), (60, 80, 235), "more"),
)
PANE_WIDTH = 640


def error_picture(left: U8, truth_px: F32, estimate_px: F32, title: str) -> U8:
    """Draw left view (H,W,3) BGR, truth, estimate and error with a key, as one BGR picture."""
    known = truth_px[np.isfinite(truth_px)]
    low, high = float(np.percentile(known, 1)), float(np.percentile(known, 99))
    panes = [
        ("left", left),
        ("truth", _disparity(truth_px, low, high)),
        (title, _disparity(estimate_px, low, high)),
        ("error", _error(truth_px, estimate_px)),
    ]
    height, width = truth_px.shape
    w = min(PANE_WIDTH, width) if width > 320 else 320
    h = round(height * w / width)
    size, pad = 16, 10
    bar = line_height(size) + 8
    canvas = np.empty((2 * (h + bar) + 3 * pad + bar, 2 * w + 3 * pad, 3), np.uint8)
    canvas[:] = theme.PANEL
    for index, (name, picture) in enumerate(panes):
        x, y = pad + index % 2 * (w + pad), pad + index // 2 * (h + bar + pad)
        draw_text(canvas, name, x, y, size, theme.TEXT, weight="medium")
        way = cv2.INTER_AREA if w < width and picture.dtype == np.uint8 else cv2.INTER_NEAREST
        canvas[y + bar : y + bar + h, x : x + w] = cv2.resize(picture, (w, h), interpolation=way)
    x, y = pad * 2 + w, canvas.shape[0] - bar + 2
    for _, colour, text in (*CLASSES, (0.0, theme.DIM, "none")):
        fill(canvas, Rect(x, y + 2, 16, 16), colour)
        if text == "none":
            inside = canvas[y + 3 : y + 17, x + 1 : x + 15]  # as in the picture, with a rim: it is dark on dark
            inside[:] = hatch(14, 14)[: inside.shape[0], : inside.shape[1]]
        draw_text(canvas, text, x + 22, y, size - 2, theme.TEXT)
        x += 22 + text_width(text, size - 2) + 14
    return canvas


def _disparity(disparity_px: F32, low: float, high: float) -> U8:
    known = np.isfinite(disparity_px)
    level = np.clip((np.where(known, disparity_px, low) - low) / max(high - low, 1e-3) * 255, 0, 255).astype(np.uint8)
    bgr = colormap_lut("viridis")[level]
    cv2.copyTo(hatch(*disparity_px.shape), (~known).view(np.uint8), bgr)
    return bgr


def _error(truth_px: F32, estimate_px: F32) -> U8:
    error = np.abs(estimate_px - truth_px)
    bounds = np.array([bound for bound, _, _ in CLASSES[:-1]])
    colours = np.array([colour for _, colour, _ in CLASSES], np.uint8)
    bgr = colours[np.searchsorted(bounds, np.nan_to_num(error, nan=0.0), side="left")]
    cv2.copyTo(hatch(*truth_px.shape), (~np.isfinite(estimate_px)).view(np.uint8), bgr)
    bgr[~np.isfinite(truth_px)] = theme.PANEL
    return np.asarray(bgr, np.uint8)
