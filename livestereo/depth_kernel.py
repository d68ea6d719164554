"""Depth of a fixed-point disparity, and that disparity at full size, each in one compiled pass.

The same numbers as `pipeline` finds in many passes without it, in an eighth of the time.
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
from livestereo.fixed import INVALID, STEPS
from livestereo.types import F32

Compiled = Callable[..., None]
Box = tuple[int, int, int, int]

LARGEST = 32767  # of int16


def _make_place(cache: bool) -> Callable[..., Any]:
    jit: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(nogil=True, cache=cache)

    def place(raw: Any, times: int, box: Any, row: Any, out: Any) -> Any:
        """Write `out` (H,W) int16 from `raw` (h,w) int16, each of whose pixels is `times` wide and high, and worth as
        much more; the last ones fill what is left. Give how many have a disparity; −1 where one cannot be written.

        box: left, top, right, bottom of what is kept, the rest is INVALID. row: (W,) int16, working memory.
        """
        rows, columns = raw.shape
        width = out.shape[1]
        left, top, right, bottom = box
        out[:top] = INVALID
        out[bottom:] = INVALID
        known, known_here = 0, 0
        for y in range(top, bottom):
            to = out[y]
            if y == top or y % times == 0:
                here = raw[min(y // times, rows - 1)]
                if times == 2:
                    highest: Any = np.int16(INVALID)
                    lowest: Any = np.int16(0)
                    for x in range(columns):
                        value = here[x]
                        highest = max(highest, value)
                        lowest = min(lowest, value if value != INVALID else np.int16(0))
                        twice = np.int16(2 * value) if value != INVALID else value
                        row[2 * x] = twice
                        row[2 * x + 1] = twice
                    if highest > LARGEST // 2 or lowest < -(LARGEST // 2):
                        return -1
                    for x in range(2 * columns, width):
                        row[x] = row[2 * columns - 1]
                else:
                    row[:] = here
                row[:left] = INVALID
                row[right:] = INVALID
                counted: Any = np.int32(0)
                for x in range(width):
                    counted += np.int32(1) if row[x] != INVALID else np.int32(0)
                known_here = counted
            to[:] = row
            known += known_here
        return known

    return jit(place)


def _make_depth(cache: bool) -> Compiled:
    jit: Callable[[Callable[..., Any]], Compiled] = numba.njit(nogil=True, cache=cache, error_model="numpy")
    nan, infinite = np.float32(np.nan), np.float32(np.inf)

    def fill(raw: Any, step: Any, focal_baseline: Any, doffs: Any, depth: Any) -> None:
        """Write `depth` (H,W) float32 from `raw` (H,W) int16. step: px of a step of `raw`."""
        rows, columns = raw.shape
        for y in range(rows):
            here, to = raw[y], depth[y]
            for x in range(columns):
                shifted = np.float32(here[x]) * step + doffs
                far = focal_baseline / shifted
                known = here[x] != INVALID
                to[x] = far if known & (shifted > np.float32(0)) & (far < infinite) else nan

    return jit(fill)


def _make_count(cache: bool) -> Callable[..., Any]:
    jit: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(nogil=True, cache=cache)

    def count(raw: Any) -> Any:
        """Count what is not INVALID in (H,W) int16."""
        rows, columns = raw.shape
        found = 0
        for y in range(rows):
            here = raw[y]
            found_here: Any = np.int32(0)
            for x in range(columns):
                found_here += np.int32(1) if here[x] != INVALID else np.int32(0)
            found += found_here
        return found

    return jit(count)


@lru_cache(maxsize=1)
def _fill() -> Compiled:
    def try_out(function: Compiled) -> None:
        one = np.float32(1)
        function(np.zeros((2, 3), np.int16), one, one, one, np.empty((2, 3), np.float32))

    return compiled_once("depth", Path(__file__), _make_depth, try_out)


@lru_cache(maxsize=1)
def _count() -> Callable[..., Any]:
    def try_out(function: Callable[..., Any]) -> None:
        function(np.zeros((2, 3), np.int16))

    return compiled_once("depth-count", Path(__file__), _make_count, try_out)


def known_of(raw: NDArray[np.int16]) -> int:
    """Count how many of int16 in 1/16 px, (H,W), `INVALID` for none, have a disparity."""
    return int(_count()(np.ascontiguousarray(raw)))


def depth_of(raw: NDArray[np.int16], focal_baseline: float, doffs_px: float) -> F32:
    """Give depth (H,W) float32, NaN invalid, from int16 in 1/16 px, `INVALID` for none."""
    depth = np.empty(raw.shape, np.float32)
    _fill()(np.ascontiguousarray(raw), np.float32(1 / STEPS), np.float32(focal_baseline), np.float32(doffs_px), depth)
    return depth


@lru_cache(maxsize=1)
def _place() -> Callable[..., Any]:
    def try_out(function: Callable[..., Any]) -> None:
        raw, out = np.zeros((2, 3), np.int16), np.empty((4, 6), np.int16)
        function(raw, 2, np.array((0, 0, 6, 4), np.int64), np.empty(6, np.int16), out)

    return compiled_once("depth-place", Path(__file__), _make_place, try_out)


def placed(raw: NDArray[np.int16], shape: tuple[int, int], box: Box) -> tuple[NDArray[np.int16], int] | None:
    """Give fixed-point disparity at full size, (H,W) = `shape` int16 in 1/16 px, and how many pixels have one.

    raw: of `shape`, or of half of it, rounded down, in 1/16 px of its own: its pixels and their values are then
    doubled. box: left, top, right, bottom of what both cameras see, the rest is `INVALID`. None where a disparity is
    too large to be doubled.
    """
    out = np.empty(shape, np.int16)
    times = 1 if raw.shape == shape else 2
    known = int(_place()(np.ascontiguousarray(raw), times, np.array(box, np.int64), np.empty(shape[1], np.int16), out))
    return None if known < 0 else (out, known)
