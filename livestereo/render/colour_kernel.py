"""Colours by compiled code: depth through a table, as `colorize` does it in many passes, and luma with small chroma."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import compiled_once
from livestereo.types import F32, U8

Compiled = Callable[..., None]
PERIOD = 8  # px after which the pattern of holes repeats, in both directions


def _make(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache)
    known, half = np.uint32(1 << 24), np.uint32(16)

    def paint(bits: Any, table: Any, pattern: Any, out: Any) -> None:
        """Write `out` (H,W) uint32 from the bits of float32 (H,W) uint32 through `table` (65536,) uint32 by their upper
        half; where its uppermost byte is 0, `pattern` (at least W + PERIOD,) uint32 shows, moved by one for each row.
        """
        height, width = bits.shape
        for y in range(height):
            row, to = bits[y], out[y]
            shift = y % PERIOD
            here = pattern[shift : shift + width]
            for x in range(width):
                to[x] = table[row[x] >> half]
            for x in range(width):  # apart from the look-ups, so that it becomes vectors
                to[x] = to[x] if to[x] >= known else here[x]

    return jit(paint)


def _make_colouring(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache)
    N: Any = np.int32
    # JFIF's, in 1/65536.
    red_red, green_red, green_blue, blue_blue = N(91881), N(46802), N(22554), N(116130)
    half, bits, least, most = N(32768), N(16), N(0), N(255)

    def colour(luma: Any, blue: Any, red: Any, lines: Any, out: Any) -> None:
        """Write `out` (H,W) uint32, packed BGRA, from luma (H,W) uint8 and Cb and Cr, (⌈H/2⌉,⌈W/2⌉) uint8, each value
        of which stands in the middle of four pixels. lines: working memory, (4, W + 4) int32.
        """
        height, width = luma.shape
        columns = blue.shape[1]
        small_blue, small_red, line_blue, line_red = lines[0], lines[1], lines[2], lines[3]
        for y in range(height):
            near = y // 2
            far = min(max(near - 1 + 2 * (y % 2), 0), blue.shape[0] - 1)
            blue_near, blue_far, red_near, red_far = blue[near], blue[far], red[near], red[far]
            for x in range(columns):
                small_blue[x + 1] = N(N(3) * N(blue_near[x])) + N(blue_far[x])
                small_red[x + 1] = N(N(3) * N(red_near[x])) + N(red_far[x])
            small_blue[0], small_red[0] = small_blue[1], small_red[1]
            small_blue[columns + 1], small_red[columns + 1] = small_blue[columns], small_red[columns]
            for x in range(columns):  # 16 times the value, around 0
                here_blue, here_red = N(3 * small_blue[x + 1] - 2048), N(3 * small_red[x + 1] - 2048)
                line_blue[2 * x], line_blue[2 * x + 1] = here_blue + small_blue[x], here_blue + small_blue[x + 2]
                line_red[2 * x], line_red[2 * x + 1] = here_red + small_red[x], here_red + small_red[x + 2]
            to, bright = out[y], luma[y]
            for x in range(width):
                cb, cr, at = N(line_blue[x]), N(line_red[x]), N(N(bright[x]) << bits)
                b = N(N(at + N(N(cb * (blue_blue >> N(4))) + half)) >> bits)
                r = N(N(at + N(N(cr * (red_red >> N(4))) + half)) >> bits)
                g = N(N(at - N(N(cb * (green_blue >> N(4))) + N(cr * (green_red >> N(4)))) + half) >> bits)
                b, g, r = min(max(b, least), most), min(max(g, least), most), min(max(r, least), most)
                to[x] = np.uint32(b) | (np.uint32(g) << np.uint32(8)) | (np.uint32(r) << np.uint32(16))

    return jit(colour)


@lru_cache(maxsize=1)
def _colour() -> Compiled:
    def try_out(function: Compiled) -> None:
        _run_colouring(function, *(np.zeros(shape, np.uint8) for shape in ((2, 4), (1, 2), (1, 2))))

    return compiled_once("colouring", Path(__file__), _make_colouring, try_out)


def _run_colouring(function: Compiled, luma: U8, blue: U8, red: U8) -> U8:
    out = np.empty(luma.shape, np.uint32)
    function(luma, blue, red, np.empty((4, luma.shape[1] + 4), np.int32), out)
    return out.view(np.uint8).reshape(*luma.shape, 4)


def colour_luma(luma: U8, blue: U8, red: U8) -> U8:
    """Give (H,W,4) uint8, B, G, R and 0, of luma (H,W) uint8 with Cb and Cr at half its size, rounded up."""
    return _run_colouring(_colour(), np.ascontiguousarray(luma), *(np.ascontiguousarray(one) for one in (blue, red)))


@lru_cache(maxsize=1)
def _paint() -> Compiled:
    def try_out(function: Compiled) -> None:
        bits = np.zeros((2, 3), np.uint32)
        function(bits, np.zeros(65536, np.uint32), np.zeros(3 + PERIOD, np.uint32), bits.copy())

    return compiled_once("colour", Path(__file__), _make, try_out)


def paint_depth(depth: F32, table: NDArray[np.uint32], pattern: NDArray[np.uint32]) -> U8:
    """Give the packed BGRA colours of depth (H,W) float32, little-endian, as (H,W,4) uint8.

    table: (65536,) by the upper 16 bits of a depth, alpha 0 where there is none. pattern: (≥ W + PERIOD,), packed BGRA,
    what is shown there in the first row; it repeats after PERIOD and moves by one for each row.
    """
    out = np.empty(depth.shape, np.uint32)
    _paint()(depth.view(np.uint32), table, pattern, out)
    return out.view(np.uint8).reshape(*depth.shape, 4)
