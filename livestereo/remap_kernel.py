"""Bilinear remapping of gray pictures, compiled: what `cv2.remap` does with maps of CV_16SC2, in less time.

The same pixels, bit for bit. The four neighbours of each source pixel are packed into one word first, so that a pixel
takes one load from an unforeseeable place instead of four, and the rest goes through vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import compiled_once
from livestereo.types import U8

Compiled = Callable[..., None]
# Words before the first pixel of a row, and rows before the first; the very first word stays 0: it is "outside".
EDGE = 2
MORE = 3  # words of a row, and rows, beyond the picture's own


def _make(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache)
    byte, half, step = np.uint32(255), np.uint32(512), np.uint32(5)
    # Narrow numbers throughout, or the loops do not become vectors.
    edge, before, upper_half = np.int32(EDGE), np.int32(-1), np.int32(16)
    second, third, fourth = np.uint32(8), np.uint32(16), np.uint32(24)

    def remap(source: Any, whole: Any, fraction: Any, words: Any, at: Any, found: Any, out: Any) -> None:
        """Write `out` (H,W) uint8 from `source` (h,w) uint8; what lies outside of it is black.

        whole: (H,W) int32, x of the upper left neighbour in the lower half and y in the upper one. fraction: (H,W)
        uint16, 5 bits of y and 5 of x, in 1/32. Working memory: words ((h+3)·(w+3),) uint32, whose edge is written
        here too; at, found (W,) uint32.
        """
        rows, columns = source.shape
        stride = columns + MORE
        height, width = out.shape
        words_a_row, past_right, past_bottom = np.int32(stride), np.int32(columns), np.int32(rows)
        ready = -1  # the next row to be packed: just before it is needed, while it is near in memory
        for y in range(height):
            to, place, parts = out[y], whole[y], fraction[y]
            lowest = np.int32(-2)
            for x in range(width):
                both = place[x]
                left, top = np.int32(both << upper_half) >> upper_half, both >> upper_half
                inside = (left >= before) & (left < past_right) & (top >= before) & (top < past_bottom)
                word = np.int32(np.int32(np.int32(top + edge) * words_a_row) + np.int32(left + edge))
                at[x] = np.uint32(word) if inside else np.uint32(0)
                lowest = max(lowest, top if inside else np.int32(-2))
            while ready <= lowest:
                row = words[(ready + EDGE) * stride : (ready + EDGE + 1) * stride]
                upper, lower = source[max(ready, 0)], source[min(ready + 1, rows - 1)]
                above = byte if ready >= 0 else np.uint32(0)
                below = byte if ready + 1 < rows else np.uint32(0)
                for x in range(columns - 1):
                    row[x + EDGE] = (
                        (np.uint32(upper[x]) & above)
                        | ((np.uint32(upper[x + 1]) & above) << second)
                        | ((np.uint32(lower[x]) & below) << third)
                        | ((np.uint32(lower[x + 1]) & below) << fourth)
                    )
                row[EDGE - 1] = ((np.uint32(upper[0]) & above) << second) | ((np.uint32(lower[0]) & below) << fourth)
                last = columns - 1
                row[last + EDGE] = (np.uint32(upper[last]) & above) | ((np.uint32(lower[last]) & below) << third)
                ready += 1
            for x in range(width):
                found[x] = words[at[x]]
            for x in range(width):
                word, part = found[x], np.uint32(parts[x])
                right, down = part & np.uint32(31), (part >> step) & np.uint32(31)
                a, c = word & byte, (word >> third) & byte
                # Differences may wrap below 0; what they are added to brings them back.
                upper_row = (a << step) + right * (((word >> second) & byte) - a)
                lower_row = (c << step) + right * ((word >> fourth) - c)
                to[x] = np.uint8(((upper_row << step) + down * (lower_row - upper_row) + half) >> np.uint32(10))

    return jit(remap)


@lru_cache(maxsize=1)
def _remap() -> Compiled:
    def try_out(function: Compiled) -> None:
        source = np.zeros((3, 4), np.uint8)
        _run(function, source, np.zeros((2, 2), np.int32), np.zeros((2, 2), np.uint16), *_memory(source, 2))

    return compiled_once("remap", Path(__file__), _make, try_out)


def _memory(source: U8, width: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    height, columns = source.shape
    return np.zeros((height + MORE) * (columns + MORE), np.uint32), np.empty((2, width), np.uint32)


def _run(
    function: Compiled, source: U8, whole: NDArray[np.int32], fraction: NDArray[np.uint16],
    words: NDArray[np.uint32], rows: NDArray[np.uint32],
) -> U8:  # fmt: skip
    out = np.empty(fraction.shape, np.uint8)
    function(source, whole, fraction, words, rows[0], rows[1], out)
    return out


class Remapper:
    """Remaps gray pictures with memory of its own: one for each thread."""

    def __init__(self) -> None:
        self._remap = _remap()
        self._memory: dict[tuple[int, ...], tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}

    def apply(self, source: U8, whole: NDArray[np.int16], fraction: NDArray[np.uint16]) -> U8:
        """Give `cv2.remap(source, whole, fraction, cv2.INTER_LINEAR)` of a gray picture, black outside, (H,W) uint8.

        whole: (H,W,2) int16, fraction: (H,W) uint16, as `cv2.convertMaps` makes them.
        """
        needed = (*source.shape, fraction.shape[1])
        memory = self._memory.get(needed)
        if memory is None:
            if len(self._memory) == 2:  # two cameras may differ; another size than these is a change
                self._memory.clear()
            memory = self._memory[needed] = _memory(source, fraction.shape[1])
        both = np.ascontiguousarray(whole).view(np.int32)[:, :, 0]  # on every processor that numba serves
        return _run(self._remap, np.ascontiguousarray(source), both, fraction, *memory)
