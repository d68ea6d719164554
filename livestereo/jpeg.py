"""Planes of a baseline JPEG by compiled code, byte for byte what libjpeg decodes; anything unusual is left to it.

    planes = planes_of(left_jpeg, right_jpeg)

Unusual is what ordinary cameras and programs do not write, and what is damaged: None is given, and the caller decodes
as always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import compiled_once
from livestereo.jpeg_header import LOOK, SIDE, SLOTS, ZIGZAG, Component, Tables, read_tables
from livestereo.types import U8

Compiled = Callable[..., Any]

_SOURCES = tuple(
    Path(__file__).with_name(name)
    for name in ("jpeg_kernel.py", "jpeg_bits_kernel.py", "jpeg_transform_kernel.py", "jpeg_header.py")
)


@dataclass(frozen=True)
class Planes:
    """What was decoded of a pair: lumas (H,W) uint8, and the left Cb and Cr of the size in which they are stored."""

    left: U8
    right: U8
    left_chroma: tuple[U8, U8] | None


@dataclass(frozen=True)
class Layout:
    """Where the blocks of a row of units go. units_wh: of the picture. used, total: coefficients; see `jpeg_kernel`."""

    units_wh: tuple[int, int]
    blocks: NDArray[np.uint64]
    sections: NDArray[np.int64]
    used: int
    total: int

    @property
    def slack(self) -> int:
        """Bytes that a row may read where the data are damaged: at most 26 bits for each coefficient."""
        return 4 * 64 * len(self.blocks) + 64


def planes_of(left: bytes | U8, right: bytes | U8) -> Planes | None:
    """Decode two JPEGs of one shape; None where they are unusual or damaged."""
    return _planes(_decoder(), left, right)


def _planes(decode: Compiled, left: bytes | U8, right: bytes | U8) -> Planes | None:
    pictures = [np.frombuffer(data, np.uint8) for data in (left, right)]
    one, other = (read_tables(picture) for picture in pictures)
    if one is None or other is None or (one.size_wh, one.components) != (other.size_wh, other.components):
        return None
    scans = _scan(pictures[0], one), _scan(pictures[1], other)
    if scans[0] is None or scans[1] is None:
        return None
    # Of the right picture luma alone is wanted.
    layouts = _layout(one.size_wh, one.components, True), _layout(one.size_wh, one.components, False)
    arguments: list[Any] = []
    for (scan, length, marks), table, layout in zip((scans[0], scans[1]), (one, other), layouts):
        data = np.empty(length + layout.slack, np.uint8)
        arguments += [scan, length, marks, data, table.codes, table.rest, table.quant, layout.blocks, layout.used]
    number = len(one.components)
    planes = [_plane(layouts[0], min(i, number - 1)) for i in range(3)]
    planes.append(_plane(layouts[1], 0))
    wrong = decode(
        *arguments, layouts[0].units_wh[1], layouts[0].sections, _slots(), np.empty((2, layouts[0].total), np.int16),
        np.empty((2, 3), np.int32), np.empty(64 * SIDE, np.int32), np.empty(16 * SIDE, np.uint32), *planes,
    )  # fmt: skip
    if wrong:
        return None
    width, height = one.size_wh
    luma = one.components[0]
    small = -(-width // luma.across), -(-height // luma.down)
    chroma = (_cut(planes[1], small), _cut(planes[2], small)) if number == 3 else None
    return Planes(_cut(planes[0], one.size_wh), _cut(planes[3], one.size_wh), chroma)


def _cut(plane: NDArray[np.uint32], size_wh: tuple[int, int]) -> U8:
    """Give the pixels of a plane without what fills its last blocks."""
    return np.ascontiguousarray(plane.view(np.uint8)[: size_wh[1], : size_wh[0]])


def _plane(layout: Layout, section: int) -> NDArray[np.uint32]:
    _, across, down, _ = layout.sections[section]
    return np.empty((layout.units_wh[1] * 8 * int(down), 2 * int(across)), np.uint32)


@lru_cache(maxsize=1)
def _slots() -> NDArray[np.uint64]:
    """Where the coefficient goes that is the k-th to be read; the last place holds what belongs to none."""
    slots = np.full(256, 64 * SIDE, np.uint64)
    slots[1:65] = np.array(ZIGZAG) * SIDE
    return slots


def _scan(picture: U8, table: Tables) -> tuple[U8, int, NDArray[np.int64]] | None:
    """Give the bytes from the pixels' first on, how many are theirs, and where these are 255; None where damaged."""
    scan = picture[table.start :]
    scan.flags.writeable = False  # compiled code is made for one kind of array
    marks = np.flatnonzero(scan[:-1] == 255)
    markers = np.flatnonzero(scan[marks + 1])
    if len(markers) == 0 or scan[marks[markers[0]] + 1] != 0xD9:  # no end, or something else before it
        return None
    last = int(markers[0])
    return scan, int(marks[last]), marks[:last]


@lru_cache(maxsize=16)
def _layout(size_wh: tuple[int, int], components: tuple[Component, ...], chroma: bool) -> Layout:
    """Arrange the blocks of luma, and of the other planes too or to a place that nobody reads."""
    luma = components[0]
    units = -(-size_wh[0] // (8 * luma.across)), -(-size_wh[1] // (8 * luma.down))
    wanted = range(len(components) if chroma else 1)
    first, sections, places = 0, [], {}
    for number in wanted:
        across, down = components[number].across * units[0], components[number].down
        sections.append((first, across, down, number))
        places[number] = first
        first += -(-across * down // SIDE) * SIDE * SLOTS
    blocks = []
    for unit in range(units[0]):
        for number, component in enumerate(components):
            for y in range(component.down):
                for x in range(component.across):
                    block = y * component.across * units[0] + unit * component.across + x
                    place = places[number] + block // SIDE * SIDE * SLOTS + block % SIDE if number in places else first
                    blocks.append((component.first_codes << LOOK, component.other_codes << LOOK, place, number))
    total = first + SIDE * SLOTS
    return Layout(units, np.array(blocks, np.uint64), np.array(sections, np.int64), first, total)


@lru_cache(maxsize=1)
def _decoder() -> Compiled:
    from livestereo.jpeg_kernel import make_decoder

    def try_out(function: Compiled) -> None:
        assert _planes(function, _sample(), _sample()) is not None

    return compiled_once("jpeg", _SOURCES, make_decoder, try_out)


def _sample() -> bytes:
    return bytes(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1])
