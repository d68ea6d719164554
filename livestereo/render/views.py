"""What can be looked at: each view is a result turned into one or two BGR pictures of the same size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from livestereo.render import theme
from livestereo.render.colorize import (
    DEFAULT_COLORMAP,
    REASON_BGR,
    REASON_TEXT,
    DepthRange,
    Scale,
    colorize_depth,
    colorize_reason,
    colorize_unit,
    hatch,
)
from livestereo.render.shown import left_as_shown
from livestereo.types import F32, U8, Reason, SizeWH, StereoResult

CONFIDENCE_MAP = "cividis"
# By the number of its key.
VIEWS: tuple[str, ...] = ("split", "left", "right", "rectified", "depth", "confidence", "anaglyph", "reason")
VIEW_TEXT = {
    "split": "Left and depth", "left": "Left", "right": "Right", "rectified": "Rectified pair", "depth": "Depth",
    "confidence": "Confidence", "anaglyph": "Anaglyph", "reason": "Why there is no depth",
}  # fmt: skip
_PANES = {"split": ("left", "depth"), "rectified": ("left lines", "right lines")}
PANE_TEXT = {
    "left": "Left", "right": "Right", "left lines": "Left, rectified", "right lines": "Right, rectified",
    "depth": "Depth", "confidence": "Confidence", "anaglyph": "Anaglyph (red left)", "reason": "Why no depth",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How depth is coloured: range in metres, colour map, scale."""

    depth_range: DepthRange
    colormap: str = DEFAULT_COLORMAP
    scale: Scale = "log"


def panes_of(view: str) -> tuple[str, ...]:
    """Give the panes that a view consists of."""
    return _PANES.get(view, (view,))


def explained_in(view: str) -> tuple[str, ...]:
    """Name what of a result's explanation a view shows of every pixel: `confidence`, `reason`."""
    return tuple(pane for pane in panes_of(view) if pane in ("confidence", "reason"))


def shows_depth_colours(view: str) -> bool:
    """Whether the legend in metres belongs to a view."""
    return view in ("split", "depth")


def displayed_size(result: StereoResult) -> SizeWH:
    """Size of the pictures of a result as displayed, after turning them upright."""
    h, w = result.depth_m.shape
    return (h, w) if result.pair.rectification.display_turns % 2 else (w, h)


def to_rectified(u: float, v: float, result: StereoResult) -> tuple[float, float]:
    """Rectified pixel (u, v) of a displayed picture position: undoes the turn for display."""
    h, w = result.depth_m.shape
    turns = result.pair.rectification.display_turns % 4
    return [(u, v), (w - 1 - v, u), (w - 1 - u, h - 1 - v), (v, h - 1 - u)][turns]


def to_displayed(u: float, v: float, result: StereoResult) -> tuple[float, float]:
    """Displayed position of a rectified pixel (u, v)."""
    h, w = result.depth_m.shape
    turns = result.pair.rectification.display_turns % 4
    return [(u, v), (v, w - 1 - u), (w - 1 - u, h - 1 - v), (h - 1 - v, u)][turns]


def rectified_box(box: tuple[int, int, int, int] | None, result: StereoResult) -> tuple[slice, slice]:
    """Columns and rows of the rectified arrays that a displayed rectangle (x, y, w, h) covers; None is everything.

    Raises:
        ValueError: the rectangle does not lie in the picture.
    """
    width, height = displayed_size(result)
    x, y, w, h = box or (0, 0, width, height)
    if w < 2 or h < 2 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(f"The rectangle {x},{y},{w},{h} does not lie in the picture, which is {width}x{height}.")
    ends = [to_rectified(float(a), float(b), result) for a, b in ((x, y), (x + w - 1, y + h - 1))]
    (c0, c1), (r0, r1) = (sorted(round(end[i]) for end in ends) for i in (0, 1))
    return slice(c0, c1 + 1), slice(r0, r1 + 1)


def picture(pane: str, result: StereoResult, look: Look, fit_wh: SizeWH | None = None) -> U8:
    """Render one pane of a result, upright, (H,W,3) uint8 BGR; may be the result's own array, so copy before drawing.

    Where the matcher gives no confidence or reason, the pane is hatched. `fit_wh`: the displayed size that will be
    needed; depth is then coloured at that size if it is smaller, which is cheaper and mixes no depths.
    """
    pair = result.pair
    if pane == "left":
        shown = left_as_shown(pair)
    elif pane == "right":
        shown = pair.right
    elif pane == "left lines":
        shown = with_lines(pair.left)
    elif pane == "right lines":
        shown = with_lines(pair.right)
    elif pane == "confidence":
        shown = colorize_unit(result.confidence, CONFIDENCE_MAP) if result.confidence is not None else _nothing(result)
    elif pane == "reason":
        shown = colorize_reason(result.reason, pair.left_gray) if result.reason is not None else _nothing(result)
    elif pane == "anaglyph":
        shown = anaglyph(pair.left, pair.right)
    else:
        near, far = look.depth_range.near_m, look.depth_range.far_m
        shown = colorize_depth(_thinned(result, fit_wh), near, far, look.colormap, scale=look.scale)
    return pair.rectification.to_display(shown)


def _thinned(result: StereoResult, fit_wh: SizeWH | None) -> F32:
    h, w = result.depth_m.shape
    if fit_wh is None:
        return result.depth_m
    to_w, to_h = fit_wh if result.pair.rectification.display_turns % 2 == 0 else fit_wh[::-1]
    if to_w >= w or to_h >= h:
        return result.depth_m
    return np.asarray(cv2.resize(result.depth_m, (to_w, to_h), interpolation=cv2.INTER_NEAREST), np.float32)


def _nothing(result: StereoResult) -> U8:
    return hatch(*result.depth_m.shape)


def with_lines(bgr: U8, spacing_px: int | None = None) -> U8:
    """Draw level lines, every 1/16 of the height by default: corresponding points must lie on the same line."""
    out = bgr.copy()
    h = out.shape[0]
    step = spacing_px or max(8, h // 16)
    colours = (theme.ACCENT, theme.WARN, theme.GOOD)
    for i, row in enumerate(range(step // 2, h, step)):
        line = out[row].astype(np.uint16)
        out[row] = (line + 3 * np.array(colours[i % 3], np.uint16)) // 4
    return out


# Least-squares anaglyph for red-cyan glasses, linear light: Dubois, "A projection method to generate anaglyph
# stereo images", ICASSP 2001; the published rows for red, green, blue from (R, G, B) of each eye.
_DUBOIS_LEFT = np.array([[0.437, 0.449, 0.164], [-0.062, -0.062, -0.024], [-0.048, -0.050, -0.017]], np.float32)
_DUBOIS_RIGHT = np.array([[-0.011, -0.032, -0.007], [0.377, 0.761, 0.009], [-0.026, -0.093, 1.234]], np.float32)


def anaglyph(left: U8, right: U8) -> U8:
    """Combine two (H,W,3) BGR pictures for red-cyan glasses, red before the left eye."""
    # Signed, because the other eye's share is negative; only the sum is clipped.
    from_left = cv2.transform(left.astype(np.int16), _DUBOIS_LEFT[::-1, ::-1])
    from_right = cv2.transform(right.astype(np.int16), _DUBOIS_RIGHT[::-1, ::-1])
    return np.asarray(cv2.add(from_left, from_right, dtype=cv2.CV_8U), np.uint8)


def reason_entries(reason: U8 | None) -> list[tuple[tuple[int, int, int], str]]:
    """Give the key of the reasons that occur, with their share, the largest first."""
    if reason is None:
        return [(REASON_BGR[Reason.UNKNOWN], "This matcher gives no reasons")]
    counts = np.bincount(reason[::2, ::2].ravel(), minlength=256)
    total = max(1, int(counts.sum()))
    found = [(int(counts[int(r)]), r) for r in Reason if r is not Reason.NONE and counts[int(r)] * 200 > total]
    found.sort(key=lambda item: -item[0])
    if not found:
        return [(REASON_BGR[Reason.NONE], "no holes")]
    return [(REASON_BGR[r], f"{REASON_TEXT[r]}  {100 * n / total:.0f} %") for n, r in found]


def confidence_entries(confidence: F32 | None) -> list[tuple[tuple[int, int, int], str]]:
    """Give the key of the confidence's colours, surest first."""
    if confidence is None:
        return [(REASON_BGR[Reason.UNKNOWN], "This matcher gives no confidence")]
    levels = np.array([[1.0, 0.75, 0.5, 0.25, 0.0]], np.float32)
    colours = colorize_unit(levels, CONFIDENCE_MAP)[0]
    texts = [f"{100 * level:.0f} %" for level in levels[0]]
    texts[0] = "right to 1 px: 100 %"
    return [((int(b), int(g), int(r)), text) for (b, g, r), text in zip(colours, texts)]
