"""Finding speckles, compiled: patches of pixels whose disparity steps to one another are small.

The same answer as OpenCV's `filterSpeckles`, in about a quarter of the time. Rows are cut into runs; runs of
neighbouring rows are joined in a forest where any two of their pixels that touch are alike.
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

    zero, one = np.uint32(0), np.uint32(1)

    def remove(
        disparity: Any, size: int, step: Any, starts: Any, cuts: Any, alike: Any, bounds: Any, first: Any, end: Any,
        parent: Any, pixels: Any,
    ) -> None:  # fmt: skip
        """Set pixels of `disparity` (H,W) int16 to INVALID, in place, that are in patches of at most `size` pixels.

        step: largest difference inside a patch. Working memory: starts (H+1,), bounds (W+1,) uint32; cuts, alike
        (W,) uint8; first, end, parent, pixels (H·W+1,) uint32.
        """
        height, width = disparity.shape
        most = np.uint16(step)
        runs = zero
        above = zero  # the first run of the row above
        for y in range(height):
            row = runs
            starts[y] = row
            here = disparity[y]
            # Simple loops over a row, which the compiler turns into vectors; invalid pixels are alike.
            cuts[0] = 1
            for x in range(1, width):
                a, b = here[x], here[x - 1]
                cuts[x] = (np.uint16(max(a, b) - min(a, b)) > most) | ((a == INVALID) != (b == INVALID))
            if y > 0:
                higher = disparity[y - 1]
                for x in range(width):  # two pixels in runs, which are valid; or neither is
                    a, b = here[x], higher[x]
                    alike[x] = np.uint16(max(a, b) - min(a, b)) <= most
            # Where runs begin: a branch for each pixel would be foretold wrongly at every run.
            count = zero
            for x in range(np.uint32(width)):
                bounds[count] = x
                count += np.uint32(cuts[x])
            bounds[count] = width
            for i in range(count):
                begin = bounds[i]
                first[runs] = begin
                end[runs] = bounds[i + one]
                parent[runs] = runs
                pixels[runs] = bounds[i + one] - begin
                runs += np.uint32(here[begin] != INVALID)
            upper, lower = above, row
            while upper < row and lower < runs:
                start = max(first[upper], first[lower])
                stop = min(end[upper], end[lower])
                if start < stop:
                    first_root = parent[upper]
                    while parent[first_root] != first_root:
                        first_root = parent[first_root]
                    other_root = parent[lower]
                    while parent[other_root] != other_root:
                        other_root = parent[other_root]
                    if first_root != other_root:
                        while start < stop and alike[start] == 0:
                            start += one
                        if start < stop:
                            root, joined = min(first_root, other_root), max(first_root, other_root)
                            parent[joined] = root
                            pixels[root] += pixels[joined]
                lower_goes_on = np.uint32(end[upper] < end[lower])
                upper += lower_goes_on
                lower += one - lower_goes_on
            for run in range(row, runs):  # the next row then finds the root at once
                root = parent[run]
                while parent[root] != root:
                    root = parent[root]
                parent[run] = root
            above = row
        starts[height] = runs
        for run in range(runs):  # a root comes before all that it holds, so that one step up finds it
            parent[run] = parent[parent[run]]
        for y in range(height):
            here = disparity[y]
            for run in range(starts[y], starts[y + 1]):
                if pixels[parent[run]] <= size:
                    for x in range(first[run], end[run]):
                        here[x] = INVALID

    return jit(remove)


@lru_cache(maxsize=1)
def _remove() -> Compiled:
    def try_out(function: Compiled) -> None:
        function(np.zeros((4, 5), np.int16), 1, 1, *_memory(4, 5))

    return compiled_once("speckle", Path(__file__), _make, try_out)


def _memory(height: int, width: int) -> list[NDArray[Any]]:
    rows: list[NDArray[Any]] = [
        np.empty(height + 1, np.uint32),
        np.empty(width, np.uint8),
        np.empty(width, np.uint8),
        np.empty(width + 1, np.uint32),
    ]
    return rows + [np.empty(height * width + 1, np.uint32) for _ in range(4)]


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
