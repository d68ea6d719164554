"""Finding speckles, compiled: patches of pixels whose disparity steps to one another are small.

The same answer as OpenCV's `filterSpeckles`, in about half the time. Rows are cut into runs; runs of neighbouring rows
are joined in a forest (union by size) where any two of their pixels that touch are alike.
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
from livestereo.fixed import INVALID

Compiled = Callable[..., None]


def _make(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache)

    def remove(
        disparity: Any, size: int, step: Any, starts: Any, cuts: Any, alike: Any, first: Any, end: Any, parent: Any,
        pixels: Any,
    ) -> None:  # fmt: skip
        """Set pixels of `disparity` (H,W) int16 to INVALID, in place, that are in patches of at most `size` pixels.

        step: largest difference inside a patch. Working memory: starts (H+1,) int32; cuts (W+1,), alike
        (W,) uint8; first, end, parent, pixels (H·W,) int32.
        """
        height, width = disparity.shape
        most = np.int32(step)
        runs = 0
        above = 0  # the first run of the row above
        for y in range(height):
            row = runs
            starts[y] = row
            here = disparity[y]
            # Simple loops over a row, which the compiler turns into vectors.
            for x in range(1, width):
                cuts[x] = 0 if (abs(np.int32(here[x]) - np.int32(here[x - 1])) <= most) & (here[x] != INVALID) else 1
            cuts[0] = 1
            cuts[width] = 1
            if y > 0:
                higher = disparity[y - 1]
                for x in range(width):
                    alike[x] = (
                        abs(np.int32(here[x]) - np.int32(higher[x])) <= most
                    )  # both valid, or neither: then there is no run
            x = 0
            while x < width:
                begin = x
                x += 1
                while cuts[np.uintp(x)] == 0:
                    x += 1
                if here[begin] != INVALID:
                    first[runs] = begin
                    end[runs] = x
                    parent[runs] = runs
                    pixels[runs] = x - begin
                    runs += 1
            upper, lower = above, row
            while upper < row and lower < runs:
                start = max(first[upper], first[lower])
                stop = min(end[upper], end[lower])
                if start < stop:
                    a = upper
                    while parent[a] != a:
                        parent[a] = parent[parent[a]]
                        a = parent[a]
                    b = lower
                    while parent[b] != b:
                        parent[b] = parent[parent[b]]
                        b = parent[b]
                    if a != b:
                        for k in range(start, stop):
                            if alike[np.uintp(k)] != 0:
                                if pixels[a] < pixels[b]:
                                    a, b = b, a
                                parent[b] = a
                                pixels[a] += pixels[b]
                                break
                if end[upper] < end[lower]:
                    upper += 1
                else:
                    lower += 1
            above = row
        starts[height] = runs
        for y in range(height):
            for run in range(starts[y], starts[y + 1]):
                a = run
                while parent[a] != a:
                    a = parent[a]
                if pixels[a] <= size:
                    for x in range(first[run], end[run]):
                        disparity[y, x] = INVALID

    return jit(remove)


@lru_cache(maxsize=1)
def _remove() -> Compiled:
    def try_out(function: Compiled) -> None:
        function(np.zeros((4, 5), np.int16), 1, 1, *_memory(4, 5))

    return compiled_once("speckle", Path(__file__), _make, try_out)


def _memory(height: int, width: int) -> list[NDArray[Any]]:
    rows: list[NDArray[Any]] = [
        np.empty(height + 1, np.int32),
        np.empty(width + 1, np.uint8),
        np.empty(width, np.uint8),
    ]
    return rows + [np.empty(height * width, np.int32) for _ in range(4)]


class SpeckleRemover:
    """Removes speckles with memory of its own: one for each thread."""

    def __init__(self) -> None:
        self._remove = _remove()
        self._shape = (0, 0)
        self._memory = _memory(0, 0)

    def remove(self, raw: NDArray[np.int16], size: int, step: int) -> None:
        """Set to INVALID, in place, the pixels of (H,W) int16 disparity that are in patches of at most `size` pixels.

        A patch holds valid pixels that touch by a side and differ by at most `step` from the next.
        """
        height, width = raw.shape
        if self._shape != (height, width):
            self._shape = (height, width)
            self._memory = _memory(height, width)
        self._remove(raw, size, step, *self._memory)
