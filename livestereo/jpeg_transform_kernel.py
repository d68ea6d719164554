"""The inverse transform of a baseline JPEG, for compiled code: libjpeg's "islow" (jidctint.c), many blocks at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from livestereo.jpeg_header import SIDE, SLOTS

Decorator = Callable[[Callable[..., Any]], Any]
_inline: Decorator = numba.njit(inline="always")
_called: Decorator = numba.njit(nogil=True, boundscheck=False, error_model="numpy")
N: Any = np.int32

# The two passes of the transform take so many bits off.
FIRST_BITS, SECOND_BITS = 11, 18
LARGEST = N(1 << 12)  # coefficients of pictures of 8 bits stay far below


@_inline
def _turned(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, shift: int) -> Any:
    """Transform eight numbers back, with factors of 13 bits."""
    z = N(N(c + g) * N(4433))
    even_c, even_d = N(z - N(g * N(15137))), N(z + N(c * N(6270)))
    even_a, even_b = N(N(a + e) << N(13)), N(N(a - e) << N(13))
    p, s, q, r = N(even_a + even_d), N(even_a - even_d), N(even_b + even_c), N(even_b - even_c)
    y, w = N(h + d), N(f + b)
    z = N(N(y + w) * N(9633))
    y, w = N(z - N(y * N(16069))), N(z - N(w * N(3196)))
    u, v = N(N(h + b) * N(-7373)), N(N(f + d) * N(-20995))
    odd_h, odd_f = N(N(h * N(2446)) + N(u + y)), N(N(f * N(16819)) + N(v + w))
    odd_d, odd_b = N(N(d * N(25172)) + N(v + y)), N(N(b * N(12299)) + N(u + w))
    half = N(1 << (shift - 1))
    p, q, r, s = N(p + half), N(q + half), N(r + half), N(s + half)
    shifts = N(shift)
    return (
        N(N(p + odd_b) >> shifts), N(N(q + odd_d) >> shifts), N(N(r + odd_f) >> shifts), N(N(s + odd_h) >> shifts),
        N(N(s - odd_h) >> shifts), N(N(r - odd_f) >> shifts), N(N(q - odd_d) >> shifts), N(N(p - odd_b) >> shifts),
    )  # fmt: skip


@_inline
def _four(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Pack four pixels, given around 0, the first lowest."""
    a, b, c, d = (
        np.uint32(min(max(N(a + N(128)), N(0)), N(255))), np.uint32(min(max(N(b + N(128)), N(0)), N(255))),
        np.uint32(min(max(N(c + N(128)), N(0)), N(255))), np.uint32(min(max(N(d + N(128)), N(0)), N(255))),
    )  # fmt: skip
    return np.uint32(a | (b << np.uint32(8)) | (c << np.uint32(16)) | (d << np.uint32(24)))


@_inline
def _size(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
    """Give a number with the highest bit of the largest of eight."""
    top = N(31)
    a, b, c, d = N(a ^ N(a >> top)), N(b ^ N(b >> top)), N(c ^ N(c >> top)), N(d ^ N(d >> top))
    e, f, g, h = N(e ^ N(e >> top)), N(f ^ N(f >> top)), N(g ^ N(g >> top)), N(h ^ N(h >> top))
    return N(N(a | b) | N(c | d)) | N(N(e | f) | N(g | h))


@_called
def _transform_columns(coefficients: Any, quant: Any, space: Any) -> Any:
    """Do the first pass; whether numbers are so large that libjpeg, which has 16 bits, may come to something else."""
    given, made = N(0), N(0)
    for c in range(8):
        q0, q1, q2, q3 = quant[c], quant[8 + c], quant[16 + c], quant[24 + c]
        q4, q5, q6, q7 = quant[32 + c], quant[40 + c], quant[48 + c], quant[56 + c]
        for i in range(SIDE):
            n = c * SIDE + i
            a, b = N(coefficients[n] * q0), N(coefficients[n + 8 * SIDE] * q1)
            c_, d = N(coefficients[n + 16 * SIDE] * q2), N(coefficients[n + 24 * SIDE] * q3)
            e, f = N(coefficients[n + 32 * SIDE] * q4), N(coefficients[n + 40 * SIDE] * q5)
            g, h = N(coefficients[n + 48 * SIDE] * q6), N(coefficients[n + 56 * SIDE] * q7)
            r = _turned(a, b, c_, d, e, f, g, h, FIRST_BITS)
            space[n], space[n + 8 * SIDE] = r[0], r[1]
            space[n + 16 * SIDE], space[n + 24 * SIDE] = r[2], r[3]
            space[n + 32 * SIDE], space[n + 40 * SIDE] = r[4], r[5]
            space[n + 48 * SIDE], space[n + 56 * SIDE] = r[6], r[7]
            given = N(given | _size(a, b, c_, d, e, f, g, h))
            made = N(made | _size(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]))
    return (given >= LARGEST) | (made >= N(1 << 15))


@_called
def _transform_rows(space: Any, words: Any) -> None:
    for y in range(8):
        for i in range(SIDE):
            n = 8 * SIDE * y + i
            r = _turned(
                space[n], space[n + SIDE], space[n + 2 * SIDE], space[n + 3 * SIDE],
                space[n + 4 * SIDE], space[n + 5 * SIDE], space[n + 6 * SIDE], space[n + 7 * SIDE], SECOND_BITS,
            )  # fmt: skip
            words[2 * SIDE * y + 2 * i] = _four(r[0], r[1], r[2], r[3])
            words[2 * SIDE * y + 2 * i + 1] = _four(r[4], r[5], r[6], r[7])


@_called
def finish_row(coefficients: Any, section: Any, quant: Any, row: int, space: Any, words: Any, plane: Any) -> Any:
    """Write the pixels of the row of units `row` into `plane` (H, 2 · blocks) uint32.

    Gives whether `_transform_columns` doubts them. section: (4,) int64: first coefficient, blocks across, blocks down,
    component.
    """
    first, across, down = section[0], section[1], section[2]
    number = across * down
    wrong = False
    for start in range(0, number, SIDE):
        at = first + start * SLOTS
        wrong |= _transform_columns(coefficients[at : at + SLOTS * SIDE], quant[section[3]], space)
        _transform_rows(space, words)
        end = min(start + SIDE, number)
        block = start
        while block < end:  # some may belong to the next row of blocks
            line = block // across
            x, many = block - line * across, min(end, (line + 1) * across) - block
            for y in range(8):
                n, to = 2 * SIDE * y + 2 * (block - start), 8 * (row * down + line) + y
                for i in range(2 * many):
                    plane[to, 2 * x + i] = words[n + i]
            block += many
    return wrong
