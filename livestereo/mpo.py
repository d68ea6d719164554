"""Stereo pictures in one file: MPO, the Multi-Picture Format (CIPA DC-007-2009) that 3D televisions and viewers read.

An MPO is two JPEG files one after the other; the first carries an index of both in an APP2 segment.
"""

from __future__ import annotations

import struct
from pathlib import Path

from livestereo.imageio import check_format, encode, write_bytes
from livestereo.types import U8

_DISPARITY = 0x020002  # MP type: multi-frame image, disparity
_REPRESENTATIVE = 0x20000000
_UNDEFINED, _LONG, _RATIONAL = 7, 4, 5


def write_mpo(path: Path, left: U8, right: U8, *, baseline_m: float | None = None, quality: int = 92) -> Path:
    """Write two (H,W,3) BGR views of one size as MPO, left first; `baseline_m` is noted in the file if it is known.

    Raises:
        OutputError: another ending, or the folder cannot be written.
    """
    check_format(path, (".mpo",), "two pictures")
    first, second = encode(".jpg", left, quality), encode(".jpg", right, quality)
    second = _with_segment(second, _header(_attributes(2, baseline_m, first_ifd=8), 8))
    # The index holds sizes and places that its own length changes: the length does not depend on the values.
    length = len(_with_segment(first, _index(0, 0, 0, baseline_m)))
    at = _segment_place(first) + 8  # of the byte-order mark, from which places are counted
    first = _with_segment(first, _index(length, len(second), length - at, baseline_m))
    return write_bytes(path, first, second)


def _segment_place(jpeg: bytes) -> int:
    """Where the APP2 segment goes: after the JFIF header."""
    if jpeg[2:4] == b"\xff\xe0":
        return 4 + int.from_bytes(jpeg[4:6], "big")
    return 2


def _with_segment(jpeg: bytes, payload: bytes) -> bytes:
    place = _segment_place(jpeg)
    segment = b"\xff\xe2" + struct.pack(">H", 2 + 4 + len(payload)) + b"MPF\x00" + payload
    return jpeg[:place] + segment + jpeg[place:]


def _header(ifds: bytes, first_ifd: int) -> bytes:
    return b"II*\x00" + struct.pack("<I", first_ifd) + ifds


def _entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def _attributes(number: int, baseline_m: float | None, *, first_ifd: int) -> bytes:
    """MP attribute IFD at offset `first_ifd`: which picture this is, and which is the base view."""
    entries = [
        _entry(0xB000, _UNDEFINED, 4, int.from_bytes(b"0100", "little")),
        _entry(0xB101, _LONG, 1, number),
        _entry(0xB204, _LONG, 1, 1),
    ]
    data = b""
    if baseline_m is not None:
        data = struct.pack("<II", round(baseline_m * 1e6), 1_000_000)
        entries.append(_entry(0xB206, _RATIONAL, 1, first_ifd + 2 + 12 * 4 + 4))
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0) + data


def _index(first_size: int, second_size: int, second_place: int, baseline_m: float | None) -> bytes:
    """MP index IFD and the first picture's attributes."""
    table_place = 8 + 2 + 3 * 12 + 4
    table = struct.pack("<IIIHH", _REPRESENTATIVE | _DISPARITY, first_size, 0, 0, 0)
    table += struct.pack("<IIIHH", _DISPARITY, second_size, second_place, 0, 0)
    attributes = table_place + len(table)
    ifd = struct.pack("<H", 3)
    ifd += _entry(0xB000, _UNDEFINED, 4, int.from_bytes(b"0100", "little"))
    ifd += _entry(0xB001, _LONG, 1, 2)
    ifd += _entry(0xB002, _UNDEFINED, len(table), table_place)
    ifd += struct.pack("<I", attributes)
    return _header(ifd + table + _attributes(1, baseline_m, first_ifd=attributes), 8)
