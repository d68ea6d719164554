"""Stereo pictures in one file: MPO, the Multi-Picture Format (CIPA DC-007-2009) of 3D cameras, televisions and viewers.

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


def split_mpo(data: bytes) -> tuple[bytes, bytes] | None:
    """Give the JPEG files of both views of an MPO file, left first; None where it does not hold two.

    What else it may hold (a preview, a map of brightness) is passed over.
    """
    try:
        return _views(data)
    except struct.error:  # cut, or no index at all
        return None


def _views(data: bytes) -> tuple[bytes, bytes] | None:
    head = _index_place(data)
    if head is None:
        return None
    order = {b"II": "<", b"MM": ">"}.get(data[head : head + 2])
    if order is None:
        return None
    (ifd,) = struct.unpack_from(order + "I", data, head + 4)
    (entries,) = struct.unpack_from(order + "H", data, head + ifd)
    views: list[bytes] = []
    others: list[bytes] = []
    for number in range(entries):
        tag, _, length, place = struct.unpack_from(order + "HHII", data, head + ifd + 2 + 12 * number)
        if tag != 0xB002:
            continue
        for at in range(place, place + length - 15, 16):
            kind, size, start = struct.unpack_from(order + "III", data, head + at)
            # Places are counted from the index; the first picture is the file's beginning.
            begin = head + start if start else 0
            part = data[begin : begin + size]
            if part[:2] == b"\xff\xd8" and len(part) == size:
                (views if kind & 0xFFFFFF == _DISPARITY else others).append(part)
    # Some writers leave the kind of the pictures open.
    found = views if len(views) >= 2 else [*views, *others]
    return (found[0], found[1]) if len(found) >= 2 else None


def _index_place(jpeg: bytes) -> int | None:
    """Where the byte-order mark of the index is; None where there is no index."""
    at = 2
    while at + 8 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        if jpeg[at + 1] == 0xE2 and jpeg[at + 4 : at + 8] == b"MPF\0":
            return at + 8
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return None
