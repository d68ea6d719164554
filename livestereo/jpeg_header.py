"""The header of a baseline JPEG: what planes there are, and the tables that compiled code decodes them with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from livestereo.types import U8

MOST = 1 << 13  # px of a side
# What compiled code and tables agree on.
LOOK = 10  # bits that are looked up at once
RARE = 1 << 15  # of a table's entry: it does not tell all
END = 129  # coefficients that the code for "no more" passes over
WRONG = 64  # coefficients that a code which does not exist passes over
SIDE = 32  # blocks that are transformed side by side
SLOTS = 65  # coefficients of a block, and one for what belongs to none
# Order in which coefficients are told, as row · 8 + column (T.81, figure A.6).
ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
)  # fmt: skip


@dataclass(frozen=True)
class Component:
    """One plane: blocks across and down of a unit, its table of quantisation and its two of codes, by their number."""

    across: int
    down: int
    quant: int
    first_codes: int = 0
    other_codes: int = 0


@dataclass(frozen=True)
class Tables:
    """What a header says. start: where the pixels' bytes begin.

    codes: (n << LOOK,) uint32, entries of n tables of codes, see `_codes`. rest: (n,2) uint64, for each its first
    longer code and the address of the entries from that on, which lie in long_codes. quant: (3,64) int32 of the
    components, row · 8 + column.
    """

    start: int
    size_wh: tuple[int, int]
    components: tuple[Component, ...]
    codes: NDArray[np.uint32]
    rest: NDArray[np.uint64]
    long_codes: NDArray[np.uint32]
    quant: NDArray[np.int32]


def read_tables(picture: U8) -> Tables | None:
    """Give what the header says; None where it is unusual."""
    start = _scan_start(picture)
    return None if start is None else _tables_of(picture[:start].tobytes())


def _scan_start(picture: U8) -> int | None:
    at, length = 2, len(picture)
    if length < 2 or picture[0] != 255 or picture[1] != 0xD8:
        return None
    while at + 4 <= length and picture[at] == 255:
        end = at + 2 + int(picture[at + 2]) * 256 + int(picture[at + 3])
        if picture[at + 1] == 0xDA:
            return end if end < length else None
        at = end
    return None


@lru_cache(maxsize=32)
def _tables_of(head: bytes) -> Tables | None:
    """Read a header that ends where the pixels begin; None where it is unusual."""
    quants: dict[int, bytes] = {}
    codes: dict[int, bytes] = {}
    frame = b""
    at = 2
    try:
        while True:
            kind, end = head[at + 1], at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
            segment = head[at + 4 : end]
            if kind == 0xDB:
                if len(segment) % 65:
                    return None
                for i in range(0, len(segment), 65):
                    quants[segment[i]] = segment[i + 1 : i + 65]  # a number above 3 means 16 bits: not found then
            elif kind == 0xC4:
                while segment:
                    length = 17 + sum(segment[1:17])
                    if length > min(len(segment), 17 + 256) or segment[0] & ~0x13:
                        return None
                    codes[segment[0]], segment = segment[1:length], segment[length:]
            elif kind == 0xC0 and not frame:
                frame = segment
            elif kind == 0xDA:
                return _checked(len(head), frame, segment, quants, codes)
            elif kind == 0xDD and segment == bytes(2):
                pass  # no restarts
            elif not (0xE0 <= kind <= 0xEF or kind == 0xFE) or segment[:5] == b"Adobe":  # which may mean other colours
                return None
            at = end
    except (IndexError, KeyError, ValueError):
        return None


def _checked(
    start: int, frame: bytes, scan: bytes, quants: dict[int, bytes], codes: dict[int, bytes]
) -> Tables | None:  # fmt: skip
    """Make the tables of what is ordinary: 8 bits, all planes in one scan, gray or luma and two planes of colour."""
    count = frame[5]
    if frame[0] != 8 or count not in (1, 3) or len(frame) != 6 + 3 * count:
        return None
    size_wh = int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
    numbers = [frame[6 + 3 * i] for i in range(count)]
    samplings = [(frame[7 + 3 * i] >> 4, frame[7 + 3 * i] & 15) for i in range(count)]
    ordinary = (
        0 < size_wh[0] <= MOST
        and 0 < size_wh[1] <= MOST
        and scan[0] == count
        and numbers == [scan[1 + 2 * i] for i in range(count)]
        and scan[1 + 2 * count :] == bytes((0, 63, 0))
        and samplings[0] in (((1, 1), (2, 1), (1, 2), (2, 2)) if count == 3 else ((1, 1),))
        and all(sampling == (1, 1) for sampling in samplings[1:])
        and (count == 1 or numbers == [1, 2, 3])
    )
    if not ordinary:
        return None
    ids: list[int] = []
    components = []
    quant = np.zeros((3, 64), np.int32)
    for i, (across, down) in enumerate(samplings):
        quant[i, list(ZIGZAG)] = np.frombuffer(quants[frame[8 + 3 * i]], np.uint8)
        used = scan[2 + 2 * i] >> 4, 16 + (scan[2 + 2 * i] & 15)
        ids += [one for one in used if one not in ids]
        components.append(Component(across, down, i, ids.index(used[0]), ids.index(used[1])))
    made = [_codes(codes[one], one >= 16) for one in ids]
    long_codes = np.concatenate([long for _, _, long in made])
    rest = np.zeros((len(ids), 2), np.uint64)
    at = long_codes.ctypes.data
    for i, (_, first, long) in enumerate(made):
        rest[i] = first, at
        at += long.nbytes
    short = np.concatenate([one for one, _, _ in made])
    return Tables(start, size_wh, tuple(components), short, rest, long_codes, quant)


def _codes(told: bytes, others: bool) -> tuple[NDArray[np.uint32], int, NDArray[np.uint32]]:
    """Give the entries by the next `LOOK` bits, (1 << LOOK,), the first longer code in 16 bits, and those from it on.

    told: how many codes of each length, and what they mean. others: they are of coefficients that are not the first.
    An entry: bits in all, number's bits included; << 5: coefficients to pass over; << 16: the number itself, or its
    bits, in a `RARE` one; 0 for what does not exist.

    Raises:
        ValueError: these are no codes.
    """
    counts, meanings = told[:16], told[16:]
    short = np.full(1 << LOOK, RARE, np.uint32)
    long = np.zeros(1 << 16, np.uint32)
    first_long = 1 << 16
    code, at = 0, 0
    for length in range(1, 17):
        for meaning in meanings[at : at + counts[length - 1]]:
            skip, size = _skip_and_size(meaning, others)
            entry = (length + size) | skip << 5 | size << 16
            if length > LOOK:
                first = code << (16 - length)
                first_long = min(first_long, first)
                long[first : (code + 1) << (16 - length)] = entry
            else:
                spare = LOOK - length
                here = np.arange(code << spare, (code + 1) << spare)
                if size > spare:
                    short[here] = entry | RARE
                else:
                    number = (here >> (spare - size)) & ((1 << size) - 1)
                    value = np.where(number >> max(0, size - 1), number, number - (1 << size) + 1) if size else number
                    short[here] = (length + size) | skip << 5 | (value & 0xFFFF) << 16
            code += 1
        at += counts[length - 1]
        if code >= 1 << length:  # one of all ones is none either
            raise ValueError("more codes than fit")
        code <<= 1
    return short, first_long, long[first_long:]


def _skip_and_size(meaning: int, others: bool) -> tuple[int, int]:
    """Coefficients that are passed over, the one that is told included, and the bits of the number.

    Raises:
        ValueError: no such meaning exists.
    """
    if meaning > 15 and not others:
        raise ValueError("no size of a first coefficient")
    run, size = (meaning >> 4, meaning & 15) if others else (0, meaning)
    if size > (10 if others else 11):
        return WRONG, 0
    if not others:
        return 0, size
    if size == 0 and run not in (0, 15):
        return WRONG, 0
    return (END if meaning == 0 else run + 1), size
