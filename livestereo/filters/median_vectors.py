"""Medians of 5x5 disparities of 16 bits, many pixels at a time, for numba.

Each column of five is sorted, then each rank across five columns as far as needed. In such a table, with its rows and
columns in order, 6 values are too small to be the median and 6 too large; of the other 13, along three diagonals, it is
the middle one of: the largest of the first, the median of the second, the smallest of the third. (By the 0-1 principle
that need be checked only for the 252 ways in which zeros and ones can lie in order.)

Generic LLVM vector code (no instruction of any one processor). `address` arguments are plain integers, strides are in
bytes, `count` is how many pixels a vector holds and must be a constant where it is used. Intrinsics stay at module
level: inside a closure they would put a random id into numba's cache key.
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
_with_constants: Decorator = _intrinsic(prefer_literal=True)

SIDE = 5  # pixels
SHORT = ir.IntType(16)


class _Order:
    """Puts vectors in order, lane by lane; b: LLVM's builder."""

    def __init__(self, b: Any, count: int) -> None:
        self.b = b
        self.vector = ir.VectorType(SHORT, count)

    def load(self, address: Any, offset: Any) -> Any:
        pointer = self.b.inttoptr(self.b.add(address, offset), self.vector.as_pointer())
        return self.b.load(pointer, align=2)

    def store(self, value: Any, address: Any) -> None:
        self.b.store(value, self.b.inttoptr(address, self.vector.as_pointer()), align=2)

    def _call(self, name: str, x: Any, y: Any) -> Any:
        full = f"llvm.{name}.v{self.vector.count}i16"
        function = self.b.module.globals.get(full)
        if function is None:
            function = ir.Function(self.b.module, ir.FunctionType(self.vector, [self.vector] * 2), full)
        return self.b.call(function, [x, y])

    def least(self, x: Any, y: Any) -> Any:
        return self._call("smin", x, y)

    def most(self, x: Any, y: Any) -> Any:
        return self._call("smax", x, y)

    def pair(self, x: Any, y: Any) -> tuple[Any, Any]:
        return self.least(x, y), self.most(x, y)

    def middle(self, x: Any, y: Any, z: Any) -> Any:
        low, high = self.pair(x, y)
        return self.most(low, self.least(high, z))

    def middle_of_five(self, v: Any, w: Any, x: Any, y: Any, z: Any) -> Any:
        low, high = self.pair(v, w)
        other_low, other_high = self.pair(x, y)
        return self.middle(z, self.most(low, other_low), self.least(high, other_high))

    def sort(self, values: list[Any]) -> list[Any]:
        """Sort five by nine exchanges."""
        values = list(values)
        for i, j in ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2)):
            values[i], values[j] = self.pair(values[i], values[j])
        return values

    def _merged(self, values: list[Any]) -> tuple[Any, Any, Any, Any, Any]:
        """Sort all of five but the middle one, which comes last."""
        low, high = self.pair(values[0], values[1])
        other_low, other_high = self.pair(values[3], values[4])
        second, third = self.pair(self.least(high, other_high), self.most(low, other_low))
        return self.least(low, other_low), second, third, self.most(high, other_high), values[2]

    def two_largest(self, values: list[Any]) -> tuple[Any, Any]:
        _, _, third, fourth, one = self._merged(values)
        return self.most(third, self.least(fourth, one)), self.most(fourth, one)

    def two_smallest(self, values: list[Any]) -> tuple[Any, Any]:
        first, second, _, _, one = self._merged(values)
        return self.least(first, one), self.least(second, self.most(first, one))

    def three_largest(self, values: list[Any]) -> tuple[Any, Any, Any]:
        _, second, third, fourth, one = self._merged(values)
        one, fourth = self.pair(one, fourth)
        one, third = self.pair(one, third)
        return self.most(second, one), third, fourth

    def three_smallest(self, values: list[Any]) -> tuple[Any, Any, Any]:
        first, second, third, _, one = self._merged(values)
        first, one = self.pair(first, one)
        second, one = self.pair(second, one)
        return first, second, self.least(third, one)

    def three_in_the_middle(self, values: list[Any]) -> tuple[Any, Any, Any]:
        first, second, third, fourth, one = self._merged(values)
        within = self.most(first, self.least(fourth, one))
        return self.least(second, within), self.most(second, self.least(third, within)), self.most(third, within)


@_with_constants
def sort_columns(context: Any, rows: Any, stride: Any, to: Any, count: Any) -> Any:
    """Write each column of five rows in order, at `to`; both with rows that are `stride` apart."""

    def generate(target: Any, b: Any, _signature: Any, args: Any) -> Any:
        order = _Order(b, count.literal_value)
        steps = [b.mul(args[1], args[1].type(i)) for i in range(SIDE)]
        for step, value in zip(steps, order.sort([order.load(args[0], step) for step in steps])):
            order.store(value, b.add(args[2], step))
        return target.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.uintp, count), generate


@_with_constants
def medians(context: Any, columns: Any, stride: Any, own: Any, to: Any, count: Any) -> Any:
    """Write, at `to`, the medians of five neighbouring columns in order, from `columns` on; INVALID where `own` is."""

    def generate(target: Any, b: Any, _signature: Any, args: Any) -> Any:
        order = _Order(b, count.literal_value)
        steps = [b.mul(args[1], args[1].type(i)) for i in range(SIDE)]
        ranks = [[order.load(args[0], b.add(step, step.type(2 * j))) for j in range(SIDE)] for step in steps]
        p3, p4 = order.two_largest(ranks[0])
        q2, q3, q4 = order.three_largest(ranks[1])
        r1, r2, r3 = order.three_in_the_middle(ranks[2])
        s0, s1, s2 = order.three_smallest(ranks[3])
        t0, t1 = order.two_smallest(ranks[4])
        largest = order.most(order.most(p3, q2), order.most(r1, s0))
        smallest = order.least(order.least(q4, r3), order.least(s2, t1))
        found = order.middle(largest, order.middle_of_five(p4, q3, r2, s1, t0), smallest)
        here = order.load(args[2], args[2].type(0))
        invalid = ir.Constant(order.vector, [INVALID] * order.vector.count)
        order.store(b.select(b.icmp_signed("==", here, invalid), here, found), args[3])
        return target.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.uintp, types.uintp, count), generate
