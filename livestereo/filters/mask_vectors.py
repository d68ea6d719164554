"""Conditions on a row of 16-bit disparities as bits, 64 pixels in a number, for numba: pixel 0 is the lowest bit.

Generic LLVM vector code (no instruction of any one processor), for use inside numba-compiled functions; `address`
arguments are plain integers. Intrinsics stay at module level: inside a closure they would put a random id into
numba's cache key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from livestereo.fixed import INVALID

Decorator = Callable[[Callable[..., Any]], Any]
_intrinsic: Any = intrinsic
_operation: Decorator = _intrinsic

PIXELS = 64  # in one number
SHORT = ir.IntType(16)
LONG = ir.IntType(64)
ROW = ir.VectorType(SHORT, PIXELS)


def _splat(b: Any, value: Any) -> Any:
    empty = ir.Constant(ROW, ir.Undefined)
    first = ir.Constant(ir.VectorType(ir.IntType(32), PIXELS), [0] * PIXELS)
    return b.shuffle_vector(b.insert_element(empty, value, ir.IntType(32)(0)), empty, first)


def _load(b: Any, address: Any) -> Any:
    return b.load(b.inttoptr(address, ROW.as_pointer()), align=2)


def _is_valid(b: Any, row: Any) -> Any:
    return b.icmp_signed("!=", row, ir.Constant(ROW, [INVALID] * PIXELS))


@_operation
def valid(context: Any, address: Any) -> Any:
    """Tell which of 64 int16 are not INVALID, uint64."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return b.bitcast(_is_valid(b, _load(b, args[0])), LONG)

    return types.uint64(types.uintp), generate


@_operation
def alike(context: Any, address: Any, other: Any, step: Any) -> Any:
    """Tell which of 64 int16 differ by at most `step` from their partners at `other`, neither being INVALID, uint64."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        one, two = _load(b, args[0]), _load(b, args[1])
        greater = b.icmp_signed(">", one, two)
        apart = b.sub(b.select(greater, one, two), b.select(greater, two, one))
        close = b.icmp_unsigned("<=", apart, _splat(b, args[2]))
        return b.bitcast(b.and_(b.and_(close, _is_valid(b, one)), _is_valid(b, two)), LONG)

    return types.uint64(types.uintp, types.uintp, types.uint16), generate


@_operation
def lowest_bit(context: Any, bits: Any) -> Any:
    """Give the number of the lowest bit that is set; one is."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return b.cttz(args[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@_operation
def count_ones(context: Any, bits: Any) -> Any:
    """Give how many bits are set."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return b.ctpop(args[0])

    return types.uint64(types.uint64), generate
