"""Render the letters that the window draws into livestereo/render/glyphs.npz.

    python tools/make_glyphs.py Roboto-Regular.ttf Roboto-Medium.ttf DejaVuSans.ttf

Arguments: the font of weight "regular", the one of weight "medium", and one for the signs that they
lack (arrows). Needs Pillow. Pictures of letters at fixed sizes are shipped instead of a font, because
OpenCV's wheel cannot render one and its own stroke letters are hard to read at small sizes. The shipped
file was made from Roboto (Copyright Google, Apache License 2.0) and DejaVu Sans (public domain changes
to Bitstream Vera, permissive licence).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZES = (10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32)
CHARACTERS = "".join(chr(c) for c in (*range(32, 127), *range(0xA1, 0x100))) + "–—‘’“”•…−≤≥≈≠∞√∆ΔΣσπ←→↑↓↔⏎⌫✓✕⚠●■▲▼◀▶"
OUT = Path(__file__).parent.parent / "livestereo" / "render" / "glyphs.npz"


def has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Tell whether a font has a character: it does not look like a character that no font has."""
    missing = np.asarray(font.getmask("\U0010fffe"))
    mask = np.asarray(font.getmask(character))
    return character == " " or mask.shape != missing.shape or not np.array_equal(mask, missing)


def render(paths: list[str], size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Give (strip (H,N) uint8, start column of each glyph, advance of each glyph px, baseline row)."""
    fonts = [ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC) for path in paths]
    ascent, descent = fonts[0].getmetrics()
    pad = 1  # a glyph may reach a little outside of its advance
    pieces, starts, advances, x = [], [], [], 0
    for character in CHARACTERS:
        font = next((f for f in fonts if has(f, character)), fonts[-1])
        advance = max(1, round(font.getlength(character)))
        cell = Image.new("L", (advance + 2 * pad, ascent + descent), 0)
        ImageDraw.Draw(cell).text((pad, ascent), character, fill=255, font=font, anchor="ls")
        piece = np.asarray(cell)
        pieces.append(piece)
        starts.append(x)
        advances.append(advance)
        x += piece.shape[1]
    return np.concatenate(pieces, axis=1), np.array(starts, np.int32), np.array(advances, np.int16), ascent


def main() -> None:
    """Write the file."""
    regular, medium, fallback = sys.argv[1:4]
    arrays: dict[str, np.ndarray] = {"characters": np.array([ord(c) for c in CHARACTERS], np.int32)}
    for weight, path in (("regular", regular), ("medium", medium)):
        for size in SIZES:
            strip, starts, advances, ascent = render([path, fallback], size)
            arrays[f"{weight}_{size}_strip"] = strip
            arrays[f"{weight}_{size}_start"] = starts
            arrays[f"{weight}_{size}_advance"] = advances
            arrays[f"{weight}_{size}_ascent"] = np.array(ascent)
    np.savez_compressed(OUT, **arrays)
    print(f"{OUT}: {OUT.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
