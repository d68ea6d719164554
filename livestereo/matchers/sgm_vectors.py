"""Bytes in vectors for numba: what the matcher `sgm` computes with.

A value of type `Lanes` holds one byte for each disparity: `count` LLVM vectors of `chunk` bytes, kept in registers.
The operations below are generic LLVM vector code (no instruction of any one processor), so that the same source
becomes SSE, AVX2, AVX-512 or NEON. They work only inside numba-compiled functions; `address` arguments are plain
integers, and `chunk` and `count` must be constants where they are used.

Intrinsics stay at module level: inside a closure they would put a random id into numba's cache key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

Decorator = Callable[[Callable[..., Any]], Any]
_Type: Any = types.Type
_Model: Any = models.PrimitiveModel
_intrinsic: Any = intrinsic
_operation: Decorator = _intrinsic
_with_constants: Decorator = _intrinsic(prefer_literal=True)

BYTE = ir.IntType(8)
WORD = ir.IntType(32)
LONG = ir.IntType(64)


class Lanes(_Type):  # type: ignore[misc]
    """`count` vectors of `chunk` bytes."""

    def __init__(self, chunk: int, count: int) -> None:
        self.chunk = chunk
        self.count = count
        super().__init__(name=f"Lanes({chunk}x{count})")

    @property
    def vector(self) -> Any:
        """LLVM type of one vector."""
        return ir.VectorType(BYTE, self.chunk)

    @property
    def array(self) -> Any:
        """LLVM type of the whole value."""
        return ir.ArrayType(self.vector, self.count)


@register_model(Lanes)
class _LanesModel(_Model):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, lanes.array)


# What LLVM is told; `b` is its IR builder throughout.


def _call(b: Any, name: str, result: Any, *values: Any) -> Any:
    """Call an LLVM intrinsic, declared on its first use in the module."""
    function = b.module.globals.get(name)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(result, [value.type for value in values]), name)
    return b.call(function, values)


def _suffix(vector: Any) -> str:
    return f"v{vector.type.count}i8"


def _minimum(b: Any, x: Any, y: Any) -> Any:
    return _call(b, f"llvm.umin.{_suffix(x)}", x.type, x, y)


def _add_saturated(b: Any, x: Any, y: Any) -> Any:
    return _call(b, f"llvm.uadd.sat.{_suffix(x)}", x.type, x, y)


def _indexes(values: list[int]) -> Any:
    return ir.Constant(ir.VectorType(WORD, len(values)), values)


def _splat(b: Any, byte: Any, chunk: int) -> Any:
    vector = ir.VectorType(BYTE, chunk)
    empty = ir.Constant(vector, ir.Undefined)
    return b.shuffle_vector(b.insert_element(empty, byte, WORD(0)), empty, _indexes([0] * chunk))


def _pack(b: Any, lanes: Lanes, vectors: list[Any]) -> Any:
    value = ir.Constant(lanes.array, ir.Undefined)
    for index, vector in enumerate(vectors):
        value = b.insert_value(value, vector, index)
    return value


def _unpack(b: Any, value: Any) -> list[Any]:
    return [b.extract_value(value, index) for index in range(value.type.count)]


def _pointer(b: Any, address: Any, offset: int, target: Any) -> Any:
    return b.inttoptr(b.add(address, address.type(offset)), target.as_pointer())


def _mask_bits(b: Any, mask: Any) -> Any:
    """Turn a vector of conditions into a 64-bit integer, lane 0 lowest."""
    bits = b.bitcast(mask, ir.IntType(mask.type.count))
    return bits if mask.type.count == 64 else b.zext(bits, LONG)


def _fold(b: Any, join: Callable[[Any, Any, Any], Any], values: list[Any]) -> Any:
    """Join by pairs, so that the chain of dependent operations stays short."""
    while len(values) > 1:
        values = [join(b, *values[i : i + 2]) if i + 1 < len(values) else values[i] for i in range(0, len(values), 2)]
    return values[0]


def _masks64(b: Any, value: Any, condition: str, byte: Any, lanes: Lanes) -> list[Any]:
    """Compare every lane with `byte`: 64-bit masks, lane 0 of the value lowest in the first."""
    splat = _splat(b, byte, lanes.chunk)
    parts = [_mask_bits(b, b.icmp_unsigned(condition, vector, splat)) for vector in _unpack(b, value)]
    per = 64 // lanes.chunk
    joined = []
    for start in range(0, len(parts), per):
        group = [b.shl(part, LONG(i * lanes.chunk)) for i, part in enumerate(parts[start : start + per])]
        joined.append(_fold(b, lambda b, x, y: b.or_(x, y), group))
    return joined


def _lanewise(operation: Callable[[Any, Any, Any], Any]) -> Any:
    """Make an intrinsic of two values that works lane by lane."""

    def typed(context: Any, x: Lanes, y: Lanes) -> Any:
        def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
            return _pack(b, x, [operation(b, p, q) for p, q in zip(_unpack(b, args[0]), _unpack(b, args[1]))])

        return x(x, y), generate

    return _operation(typed)


def _shifted(up: bool) -> Any:
    """Make an intrinsic that moves every lane by one; 255 comes in at the end."""

    def typed(context: Any, x: Lanes) -> Any:
        chunk = x.chunk
        mask = _indexes(list(range(chunk - 1, 2 * chunk - 1)) if up else list(range(1, chunk + 1)))

        def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
            edge = ir.Constant(x.vector, [255] * chunk)
            vectors = _unpack(b, args[0])
            if up:
                pairs = list(zip([edge, *vectors[:-1]], vectors))
            else:
                pairs = list(zip(vectors, [*vectors[1:], edge]))
            return _pack(b, x, [b.shuffle_vector(p, q, mask) for p, q in pairs])

        return x(x), generate

    return _operation(typed)


minimum = _lanewise(_minimum)
add_saturated = _lanewise(_add_saturated)
add = _lanewise(lambda b, x, y: b.add(x, y))
subtract = _lanewise(lambda b, x, y: b.sub(x, y))
exclusive_or = _lanewise(lambda b, x, y: b.xor(x, y))
bit_or = _lanewise(lambda b, x, y: b.or_(x, y))
shift_up = _shifted(True)  # lane d gets what lane d - 1 had
shift_down = _shifted(False)  # lane d gets what lane d + 1 had


@_with_constants
def load(context: Any, address: Any, chunk: Any, count: Any) -> Any:
    """Read `chunk * count` bytes, aligned or not."""
    lanes = Lanes(chunk.literal_value, count.literal_value)

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        pointers = [_pointer(b, args[0], i * lanes.chunk, lanes.vector) for i in range(lanes.count)]
        return _pack(b, lanes, [b.load(pointer, align=1) for pointer in pointers])

    return lanes(types.uintp, chunk, count), generate


@_operation
def store(context: Any, address: Any, x: Lanes) -> Any:
    """Write all lanes, aligned or not."""

    def generate(context: Any, b: Any, _signature: Any, args: Any) -> Any:
        for i, vector in enumerate(_unpack(b, args[1])):
            b.store(vector, _pointer(b, args[0], i * x.chunk, x.vector), align=1)
        return context.get_dummy_value()

    return types.void(types.uintp, x), generate


@_operation
def byte_at(context: Any, address: Any) -> Any:
    """Read one byte."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return b.load(_pointer(b, args[0], 0, BYTE), align=1)

    return types.uint8(types.uintp), generate


@_with_constants
def splat(context: Any, byte: Any, chunk: Any, count: Any) -> Any:
    """Put the same byte into every lane."""
    lanes = Lanes(chunk.literal_value, count.literal_value)

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return _pack(b, lanes, [_splat(b, args[0], lanes.chunk)] * lanes.count)

    return lanes(types.uint8, chunk, count), generate


@_operation
def count_bits(context: Any, x: Lanes) -> Any:
    """Count the set bits of every lane."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        return _pack(b, x, [_call(b, f"llvm.ctpop.{_suffix(v)}", v.type, v) for v in _unpack(b, args[0])])

    return x(x), generate


@_operation
def reverse(context: Any, x: Lanes) -> Any:
    """Put the last lane first."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        order = _indexes(list(range(x.chunk - 1, -1, -1)))
        return _pack(b, x, [b.shuffle_vector(v, v, order) for v in reversed(_unpack(b, args[0]))])

    return x(x), generate


@_operation
def bit_where_not_below(context: Any, x: Lanes, y: Lanes, bit: Any) -> Any:
    """Give `bit` where x >= y, else 0."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        bits = _splat(b, args[2], x.chunk)
        none = ir.Constant(x.vector, [0] * x.chunk)
        pairs = zip(_unpack(b, args[0]), _unpack(b, args[1]))
        return _pack(b, x, [b.select(b.icmp_unsigned(">=", p, q), bits, none) for p, q in pairs])

    return x(x, y, types.uint8), generate


@_operation
def lowest(context: Any, x: Lanes) -> Any:
    """Give the smallest byte."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        vector = _fold(b, _minimum, _unpack(b, args[0]))
        return _call(b, f"llvm.vector.reduce.umin.{_suffix(vector)}", BYTE, vector)

    return types.uint8(x), generate


@_operation
def first_equal(context: Any, x: Lanes, byte: Any) -> Any:
    """Give the number of the first lane that equals `byte`; one does."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        masks = _masks64(b, args[0], "==", args[1], x)
        result = None
        for i, mask in reversed(list(enumerate(masks))):
            here = b.add(b.cttz(mask, ir.IntType(1)(0)), LONG(64 * i))
            result = here if result is None else b.select(b.icmp_unsigned("!=", mask, LONG(0)), here, result)
        return result

    return types.int64(x, types.uint8), generate


@_operation
def count_below(context: Any, x: Lanes, byte: Any) -> Any:
    """Count the lanes that are smaller than `byte`."""

    def generate(_context: Any, b: Any, _signature: Any, args: Any) -> Any:
        masks = _masks64(b, args[0], "<", args[1], x)
        return _fold(b, lambda b, p, q: b.add(p, q), [b.ctpop(mask) for mask in masks])

    return types.int64(x, types.uint8), generate
