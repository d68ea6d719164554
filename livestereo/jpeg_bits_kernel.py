"""Reading the codes of a baseline JPEG, for compiled code: one after another, from a table that tells most at once.

A table's entry tells for the next bits how long the code and its number are, how many coefficients it passes over and
what the number is. Codes: ITU-T T.81, F.2.2. `jpeg_header` makes the tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from livestereo.jpeg_header import END, LOOK, RARE, WRONG

Decorator = Callable[[Callable[..., Any]], Any]
_types: Any = types
_numba_intrinsic: Any = intrinsic
_intrinsic: Decorator = _numba_intrinsic
_inline: Decorator = numba.njit(inline="always")
_called: Decorator = numba.njit(nogil=True, boundscheck=False, error_model="numpy")
U: Any = np.uint64
N: Any = np.int32


def _reader(bits: int, kind: Any, swapped: bool) -> Any:
    """Make an intrinsic that reads a number at an address, most significant byte first if `swapped`."""

    def typed(context: Any, address: Any) -> Any:
        def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
            number = ir.IntType(bits)
            value = b.load(b.inttoptr(args[0], number.as_pointer()), align=1)
            return b.bswap(value) if swapped else value

        return kind(_types.uintp), generate

    return _intrinsic(typed)


def _writer(bits: int) -> Any:
    """Make an intrinsic that writes the lower bits of an int32 at an address."""

    def typed(context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, b: Any, _signature: Any, args: Any) -> Any:
            number = ir.IntType(bits)
            value = args[1] if bits == 32 else b.trunc(args[1], number)
            b.store(value, b.inttoptr(args[0], number.as_pointer()), align=bits // 8)
            return context.get_dummy_value()

        return _types.void(_types.uintp, _types.int32), generate

    return _intrinsic(typed)


@_intrinsic
def _copy8(context: Any, to: Any, source: Any) -> Any:
    """Copy eight bytes."""

    def generate(context: Any, b: Any, _signature: Any, args: Any) -> Any:
        pointers = [b.inttoptr(address, ir.IntType(64).as_pointer()) for address in args]
        b.store(b.load(pointers[1], align=1), pointers[0], align=1)
        return context.get_dummy_value()

    return _types.void(_types.uintp, _types.uintp), generate


# Arrays would be counted as used at every step; addresses cost nothing.
_read_bits = _reader(64, _types.uint64, True)
_u64_at = _reader(64, _types.uint64, False)
_u32_at = _reader(32, _types.uint32, False)
_i32_at = _reader(32, _types.int32, False)
_put32 = _writer(32)
_put16 = _writer(16)


@_inline
def _refilled(bits: Any, count: Any, at: Any) -> Any:
    """Have at least 56 bits, uppermost first: bits, how many, and where the next byte is."""
    return bits | (_read_bits(at) >> count), count | U(56), at + ((U(63) - count) >> U(3))


@_called
def unstuffed(scan: Any, length: int, marks: Any, out: Any) -> Any:
    """Copy `length` bytes of `scan` without the one after each 255, whose places are `marks`; give how many are left.

    out: uint8, at least as long.
    """
    source, to = U(scan.ctypes.data), U(out.ctypes.data)
    begin, done = 0, 0
    for i in range(marks.shape[0] + 1):
        end = marks[i] + 1 if i < marks.shape[0] else length
        many = end - begin
        # Eight at a time: what is copied too much is written over by what follows. At the end no more than there is.
        whole = many if end + 8 <= scan.shape[0] else many // 8 * 8
        for n in range(0, whole, 8):
            _copy8(to + U(done + n), source + U(begin + n))
        for n in range(whole, many):
            out[done + n] = scan[begin + n]
        done += many
        begin = end + 1
    return U(done)


@_called
def _rare(bits: Any, entry: Any, table: Any, rest: Any) -> Any:
    """Give total bits, skip and number where the first table does not tell: a long code, or a long number."""
    if entry == np.uint32(RARE):
        at = rest + (table >> U(LOOK)) * U(16)
        first = _u64_at(at)
        code = bits >> U(48)
        entry = np.uint32(0)
        if code >= first:
            entry = _u32_at(_u64_at(at + U(8)) + ((code - first) << U(2)))
    if entry == np.uint32(0):
        return U(1), U(WRONG), N(0)
    total, size = U(entry & np.uint32(31)), U(entry >> np.uint32(16))
    number = bits << (total - size)
    value = N((number >> U(1)) >> (U(63) - size))
    if number >> U(63) == U(0):  # the first bit tells the sign
        value = N(value - N(N(1) << N(size)) + N(1))
    return total, U((entry >> np.uint32(5)) & np.uint32(255)), value


@_inline
def _symbol(bits: Any, count: Any, table: Any, codes: Any, rest: Any) -> Any:
    """Read a code and its number: what is left of the bits, how many, coefficients to pass over, the number."""
    entry = _u32_at(codes + ((table + (bits >> U(64 - LOOK))) << U(2)))
    if entry & np.uint32(RARE):
        total, skip, value = _rare(bits, entry, table, rest)
    else:
        total, skip, value = U(entry & np.uint32(31)), U((entry >> np.uint32(5)) & np.uint32(255)), N(N(entry) >> N(16))
    return bits << total, count - total, skip, value


@_inline
def begin(bits: Any, count: Any, at: Any, block: Any, blocks: Any, before: Any, codes: Any, rest: Any, to: Any) -> Any:
    """Begin a block: its first coefficient is told as the difference to that of the block before."""
    here = blocks + (block << U(5))
    place, component = _u64_at(here + U(16)), _u64_at(here + U(24))
    bits, count, at = _refilled(bits, count, at)
    bits, count, skip, value = _symbol(bits, count, _u64_at(here), codes, rest)
    value = N(_i32_at(before + (component << U(2))) + value)
    _put32(before + (component << U(2)), value)
    _put16(to + (place << U(1)), value)
    return bits, count, at, U(1) + skip, place, _u64_at(here + U(8))


@_inline
def following(
    bits: Any, count: Any, at: Any, k: Any, place: Any, table: Any, codes: Any, rest: Any, slots: Any, to: Any
) -> Any:  # fmt: skip
    """Read one coefficient of a block that has `k` of them."""
    bits, count, at = _refilled(bits, count, at)
    bits, count, skip, value = _symbol(bits, count, table, codes, rest)
    k = k + skip
    _put16(to + ((_u64_at(slots + (k << U(3))) + place) << U(1)), value)
    return bits, count, at, k


@_inline
def ended_wrong(k: Any) -> Any:
    """Whether a block ended otherwise than after its last coefficient or by the code for "no more"."""
    return ((k > U(64)) & (k <= U(END))) | (k >= U(END + 64))


@_inline
def left_over(read: Any, count: Any, length: Any) -> Any:
    """Whether more or fewer bytes than there are were used, of `read` ones, the last `count` bits of which were not."""
    return (read * U(8) - count + U(7)) >> U(3) != length


@_called
def walk(
    bits: Any, count: Any, at: Any, k: Any, place: Any, table: Any, block: Any, number: Any, blocks: Any, before: Any,
    codes: Any, rest: Any, slots: Any, to: Any,
) -> Any:  # fmt: skip
    """Read the rest of a row of blocks, `block` of `number` being begun."""
    wrong = False
    while True:
        while k < U(64):
            bits, count, at, k = following(bits, count, at, k, place, table, codes, rest, slots, to)
        wrong |= ended_wrong(k)
        block += U(1)
        if block == number:
            return bits, count, at, wrong
        bits, count, at, k, place, table = begin(bits, count, at, block, blocks, before, codes, rest, to)
