"""Median of 5x5 disparities that invents nothing, compiled: what OpenCV does in three passes, in half the time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import compiled_once, vector_bytes
from livestereo.filters import median_vectors
from livestereo.filters.median_vectors import SIDE, medians, sort_columns

Compiled = Callable[..., None]

REACH = SIDE // 2


def _make(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(
        nogil=True, boundscheck=False, cache=cache, error_model="numpy"
    )
    count = vector_bytes() // 2

    def median(source: Any, rows: Any, ranks: Any, found: Any, out: Any) -> None:
        """Write `out` (H,W) int16: medians of `source` (H,W) int16, INVALID where that is; its border is repeated.

        Working memory: rows, ranks (5, ≥ W + 4, in whole vectors and 4 more), found (as many,) int16.
        """
        height, width = source.shape
        stride = rows.strides[0]
        ready = -REACH  # the next row to be put among the five
        for y in range(height):
            while ready <= y + REACH:
                given, to = source[min(max(ready, 0), height - 1)], rows[(ready + REACH) % SIDE]
                inside = to[REACH:]  # a loop from 0 becomes vectors
                for x in range(width):
                    inside[x] = given[x]
                for x in range(REACH):
                    to[x], inside[width + x] = given[0], given[width - 1]
                ready += 1
            at, sorted_at = rows.ctypes.data, ranks.ctypes.data
            for x in range(0, width + 2 * REACH, count):
                sort_columns(at + 2 * x, stride, sorted_at + 2 * x, count)
            own, made = rows[(y + REACH) % SIDE].ctypes.data + 2 * REACH, found.ctypes.data
            for x in range(0, width, count):
                medians(sorted_at + 2 * x, stride, own + 2 * x, made + 2 * x, count)
            to = out[y]
            for x in range(width):
                to[x] = found[x]

    return jit(median)


@lru_cache(maxsize=1)
def _median() -> Compiled:
    def try_out(function: Compiled) -> None:
        source = np.zeros((2, 3), np.int16)
        function(source, *_memory(3), np.empty_like(source))

    return compiled_once("median", [Path(__file__), Path(median_vectors.__file__)], _make, try_out)


def _memory(width: int) -> list[NDArray[np.int16]]:
    count = vector_bytes() // 2
    whole = -(-(width + 2 * REACH) // count) * count + 2 * REACH
    return [np.zeros((SIDE, whole), np.int16), np.zeros((SIDE, whole), np.int16), np.zeros(whole, np.int16)]


class Median:
    """Takes medians of 5x5 pixels with memory of its own: one for each thread."""

    def __init__(self) -> None:
        self._median = _median()
        self._width = 0
        self._memory = _memory(0)

    def of(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give `cv2.medianBlur(raw, 5)` of (H,W) int16, INVALID where `raw` is."""
        if self._width != raw.shape[1]:
            self._width = raw.shape[1]
            self._memory = _memory(self._width)
        out = np.empty(raw.shape, np.int16)
        self._median(np.ascontiguousarray(raw), *self._memory, out)
        return out
