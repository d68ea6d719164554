"""Bilinear remapping of gray pictures, compiled: what `cv2.remap` does with maps of CV_16SC2, in less time.

The same pixels, bit for bit. The four neighbours of each source pixel are packed into one word first, so that a pixel
takes one load from an unforeseeable place instead of four, and the rest goes through vectors. Only the rows that an
output row needs are kept, and the maps in one number for each pixel: there is more to read than to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import compiled_once
from livestereo.same import Same
from livestereo.types import U8

Compiled = Callable[..., None]
# Words before the first pixel of a row, and rows before the first; the very first word stays 0: it is "outside".
EDGE = 2
MORE = 3  # words of a row, and rows, beyond the picture's own
FRACTION = 10  # bits of a map's number for the place between pixels; the rest tells the word


@dataclass(frozen=True)
class Plan:
    """Maps made ready. numbers: (H,W) uint32, the word and the place between pixels, FRACTION bits. lowest: (H,) int32,
    the last source row that an output row needs as its upper one. rows: of words that are kept, a power of 2.
    """

    numbers: NDArray[np.uint32]
    lowest: NDArray[np.int32]
    rows: int


@lru_cache(maxsize=8)
def _plan(whole: Same, fraction: Same, source_shape: tuple[int, int]) -> Plan | None:
    """Make maps ready for sources of (h,w); None where these are too large for it."""
    height, width = source_shape
    left, top = whole.array[..., 0].astype(np.int64), whole.array[..., 1].astype(np.int64)
    inside = (left >= -1) & (left < width) & (top >= -1) & (top < height)
    lowest = np.maximum.accumulate(np.where(inside, top, -2).max(axis=1))
    highest = np.where(inside, top, height).min(axis=1)
    needed = max(1, int((lowest - highest).max()) + 1)
    rows = 1 << (needed - 1).bit_length()
    stride = width + MORE
    if rows * stride > 1 << (32 - FRACTION):
        return None
    word = np.where(inside, (top + EDGE) % rows * stride + left + EDGE, 0)
    numbers = (word << FRACTION | fraction.array.astype(np.int64)).astype(np.uint32)
    return Plan(numbers, lowest.astype(np.int32), rows)


def _make(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache)
    byte, half, step = np.uint32(255), np.uint32(512), np.uint32(5)
    # Narrow numbers throughout, or the loops do not become vectors.
    second, third, fourth, place = np.uint32(8), np.uint32(16), np.uint32(24), np.uint32(FRACTION)

    def remap(source: Any, numbers: Any, lowest: Any, kept: int, words: Any, found: Any, out: Any) -> None:
        """Write `out` (H,W) uint8 from `source` (h,w) uint8; what lies outside of it is black.

        numbers, lowest: see `Plan`. kept: its rows. Working memory: words (kept · (w+3),) uint32, 0 at first; found
        (W,) uint32.
        """
        rows, columns = source.shape
        stride = columns + MORE
        height, width = out.shape
        ready = -1  # the next row to be packed: just before it is needed, while it is near in memory
        for y in range(height):
            to, here = out[y], numbers[y]
            while ready <= lowest[y]:
                line = (ready + EDGE) & (kept - 1)
                row = words[line * stride : (line + 1) * stride]
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
                found[x] = words[here[x] >> place]
            for x in range(width):
                word, part = found[x], here[x]
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
        plan = Plan(np.zeros((2, 2), np.uint32), np.zeros(2, np.int32), 4)
        _run(function, source, plan, _memory(plan, source.shape))

    return compiled_once("remap", Path(__file__), _make, try_out)


def _memory(plan: Plan, source_shape: tuple[int, ...]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    return np.zeros(plan.rows * (source_shape[1] + MORE), np.uint32), np.empty(plan.numbers.shape[1], np.uint32)


def _run(
    function: Compiled, source: U8, plan: Plan, memory: tuple[NDArray[np.uint32], NDArray[np.uint32]]
) -> U8:  # fmt: skip
    out = np.empty(plan.numbers.shape, np.uint8)
    function(source, plan.numbers, plan.lowest, plan.rows, *memory, out)
    return out


class Remapper:
    """Remaps gray pictures with memory of its own: one for each thread."""

    def __init__(self) -> None:
        self._remap = _remap()
        self._memory: dict[tuple[int, ...], tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}

    def apply(self, source: U8, whole: NDArray[np.int16], fraction: NDArray[np.uint16]) -> U8:
        """Give `cv2.remap(source, whole, fraction, cv2.INTER_LINEAR)` of a gray picture, black outside, (H,W) uint8.

        whole: (H,W,2) int16, fraction: (H,W) uint16, as `cv2.convertMaps` makes them; not to be changed afterwards.
        """
        height, width = source.shape
        plan = _plan(Same(whole), Same(fraction), (height, width))
        if plan is None:
            return np.asarray(cv2.remap(source, whole, fraction, cv2.INTER_LINEAR), np.uint8)
        needed = (plan.rows, width, plan.numbers.shape[1])
        memory = self._memory.get(needed)
        if memory is None:
            if len(self._memory) == 2:  # two cameras may differ; another size than these is a change
                self._memory.clear()
            memory = self._memory[needed] = _memory(plan, source.shape)
        return _run(self._remap, np.ascontiguousarray(source), plan, memory)
