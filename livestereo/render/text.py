"""Anti-aliased text on pictures, from pre-rendered letters (glyphs.npz, made by tools/make_glyphs.py).

OpenCV's own letters are strokes without hinting and unreadable below about 16 px; these are
pictures of a real typeface at fixed sizes. Whole strings are cached, since most of them do not change.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from livestereo.types import U8

Weight = Literal["regular", "medium"]
BGR = tuple[int, int, int]
SIZES = (10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32)
_SMALL_PX = 15
_PAD = 1  # empty columns on each side of a glyph's cell


class _Face:
    """The letters of one weight and size."""

    def __init__(self, data: Any, weight: Weight, size_px: int) -> None:
        key = f"{weight}_{size_px}"
        self.strip: U8 = data[f"{key}_strip"]
        self.ascent = int(data[f"{key}_ascent"])
        starts, advances = data[f"{key}_start"], data[f"{key}_advance"]
        self.cells = {
            chr(code): (int(start), int(advance))
            for code, start, advance in zip(data["characters"], starts, advances)
        }  # fmt: skip
        if size_px < _SMALL_PX:
            # Small letters are hinted wider than drawn, the space is not: words would run into one another.
            start, advance = self.cells[" "]
            self.cells[" "] = (start, max(advance, round(0.3 * size_px)))
        self.height = int(self.strip.shape[0])


@lru_cache(maxsize=1)
def _data() -> dict[str, NDArray[Any]]:
    with np.load(Path(__file__).parent / "glyphs.npz") as file:
        return {name: file[name] for name in file.files}


@lru_cache(maxsize=len(SIZES) * 2)
def _face(weight: Weight, size_px: int) -> _Face:
    return _Face(_data(), weight, size_px)


def nearest_size(size_px: float) -> int:
    """Give the largest size that exists and is not above `size_px` (or the smallest one)."""
    fitting = [size for size in SIZES if size <= size_px + 0.5]
    return fitting[-1] if fitting else SIZES[0]


def line_height(size_px: int, weight: Weight = "regular") -> int:
    """Height of a line's box, px."""
    return _face(weight, size_px).height


@lru_cache(maxsize=4096)
def text_width(text: str, size_px: int, weight: Weight = "regular") -> int:
    """Width that a string takes, px."""
    cells = _face(weight, size_px).cells
    return sum(cells.get(character, cells["?"])[1] for character in text)


@lru_cache(maxsize=2048)
def text_mask(text: str, size_px: int, weight: Weight = "regular") -> U8:
    """Coverage of a string, (line height, width + 2) uint8; the text starts at column 1."""
    face = _face(weight, size_px)
    mask = np.zeros((face.height, text_width(text, size_px, weight) + 2 * _PAD), np.uint8)
    x = 0
    for character in text:
        start, advance = face.cells.get(character) or face.cells["?"]
        if character == " ":
            x += advance
            continue
        cell = face.strip[:, start : start + advance + 2 * _PAD]
        target = mask[:, x : x + cell.shape[1]]
        np.maximum(target, cell[:, : target.shape[1]], out=target)
        x += advance
    mask.setflags(write=False)
    return mask


def blend_mask(canvas: U8, mask: U8, x: int, y: int, colour: BGR, opacity: float = 1.0) -> None:
    """Paint `colour` through a coverage mask, (h,w) uint8, onto a (H,W,3) canvas in place; clipped at its edges."""
    height, width = canvas.shape[:2]
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(width, x + mask.shape[1]), min(height, y + mask.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = mask[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.int32)[..., None]
    if opacity < 1:
        part = (part * opacity).astype(np.int32)
    region = canvas[y0:y1, x0:x1]
    below = region.astype(np.int32)
    region[:] = below + ((np.array(colour, np.int32) - below) * part + 127) // 255


def draw_text(
    canvas: U8,
    text: str,
    x: float,
    y: float,
    size_px: int,
    colour: BGR,
    *,
    weight: Weight = "regular",
    anchor: Literal["left", "middle", "right"] = "left",
    opacity: float = 1.0,
) -> int:
    """Draw one line with its box's top at `y` and its left, middle or right at `x`; give its width, px.

    Any canvas (H,W,3) uint8 BGR; what does not fit is clipped. Unknown characters appear as "?".
    """
    size_px = nearest_size(size_px)
    width = text_width(text, size_px, weight)
    if anchor == "middle":
        x -= width / 2
    elif anchor == "right":
        x -= width
    blend_mask(canvas, text_mask(text, size_px, weight), round(x) - _PAD, round(y), colour, opacity)
    return width


def ellipsis(text: str, width_px: float, size_px: int, weight: Weight = "regular") -> str:
    """Shorten a string until it fits into `width_px`."""
    if text_width(text, size_px, weight) <= width_px:
        return text
    while text and text_width(text + "…", size_px, weight) > width_px:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""


def wrap(text: str, width_px: float, size_px: int, weight: Weight = "regular") -> list[str]:
    """Break a text into lines that fit into `width_px`."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size_px, weight) > width_px:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines
