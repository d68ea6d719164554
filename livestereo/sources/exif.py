"""What a photo says of itself: how it is to be turned, and the focal length it was taken with.

Reads the few tags of Exif 2.3 that matter here, from the bytes of a JPEG, PNG or WebP file. Anything odd
counts as absent.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from livestereo.types import U8, SizeWH

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_FOCAL_MM, _FOCAL_35MM = 0x920A, 0xA405
_PLANE_X, _PLANE_UNIT = 0xA20E, 0xA210
_WIDTH, _HEIGHT = 0xA002, 0xA003
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}
FULL_FRAME_DIAGONAL_MM = 43.2666
# Longer sides of sensors, from the smallest phone's to medium format. Where a smaller picture was made and its size put
# right in the tags, the pixels per millimetre still are those of the one that was taken: the sensor seems tiny.
SENSOR_MM = (4.0, 60.0)
SAME_SHAPE = 0.01


@dataclass(frozen=True)
class Exif:
    """orientation: 1..8 as Exif has it (1: upright). The others are None where the file is silent.

    focal_35mm: focal length in millimetres of a 36 x 24 mm camera of the same angle of view.
    focal_mm with plane_px_per_mm: true focal length and pixels per millimetre of the sensor.
    size_wh: of the picture that was taken, as it lay on the sensor.
    """

    orientation: int = 1
    focal_35mm: float | None = None
    focal_mm: float | None = None
    plane_px_per_mm: float | None = None
    size_wh: SizeWH | None = None

    def focal_px(self, size_wh: SizeWH) -> float | None:
        """Focal length in pixels of a picture of this size, or None.

        The 35 mm equivalent is taken over the diagonal, as CIPA DCG-001 defines it.
        """
        if self.focal_35mm:
            return float(self.focal_35mm / FULL_FRAME_DIAGONAL_MM * np.hypot(*size_wh))
        if not self.focal_mm or not self.plane_px_per_mm:
            return None
        long, short = max(size_wh), min(size_wh)
        taken_long, taken_short = (max(self.size_wh), min(self.size_wh)) if self.size_wh else (long, short)
        if abs(taken_long * short / (taken_short * long) - 1) > SAME_SHAPE:  # cropped: from what, nobody knows
            return None
        if not SENSOR_MM[0] <= taken_long / self.plane_px_per_mm <= SENSOR_MM[1]:
            return None
        return self.focal_mm * self.plane_px_per_mm * long / taken_long


def read_exif(data: bytes) -> Exif:
    """Read the tags from a file's bytes; an `Exif()` of defaults where there are none."""
    block = _find_block(data)
    try:
        return _parse(block) if block else Exif()
    except (struct.error, IndexError, ZeroDivisionError, ValueError):
        return Exif()


def _find_block(data: bytes) -> bytes:
    """The TIFF block with the tags."""
    if data[:2] == b"\xff\xd8":
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
                return data[at + 10 : at + 2 + length]
            at += 2 + length
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        at = 8
        while at + 8 <= len(data):
            length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            if kind == b"eXIf":
                return data[at + 8 : at + 8 + length]
            if kind == b"IDAT":
                break
            at += 12 + length
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        at = 12
        while at + 8 <= len(data):
            length, kind = int.from_bytes(data[at + 4 : at + 8], "little"), data[at : at + 4]
            if kind == b"EXIF":
                return data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
            at += 8 + length + (length & 1)
    return b""


def _parse(block: bytes) -> Exif:
    order = {b"II": "<", b"MM": ">"}.get(block[:2], "")
    if not order:
        return Exif()
    (start,) = struct.unpack_from(order + "I", block, 4)
    main = _directory(block, order, start)
    if _EXIF_IFD in main:
        main = {**_directory(block, order, int(main[_EXIF_IFD])), _ORIENTATION: main.get(_ORIENTATION, 1)}
    orientation = int(main.get(_ORIENTATION, 1))
    unit_mm = _MM_PER_UNIT.get(int(main.get(_PLANE_UNIT, 2)), 0.0)
    plane = main.get(_PLANE_X)
    size = int(main.get(_WIDTH, 0)), int(main.get(_HEIGHT, 0))
    return Exif(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        focal_35mm=main.get(_FOCAL_35MM) or None,
        focal_mm=main.get(_FOCAL_MM) or None,
        plane_px_per_mm=plane / unit_mm if plane and unit_mm else None,
        size_wh=size if min(size) > 0 else None,
    )


def _directory(block: bytes, order: str, start: int) -> dict[int, float]:
    """First value of each numeric tag in one directory."""
    (count,) = struct.unpack_from(order + "H", block, start)
    found: dict[int, float] = {}
    for index in range(count):
        at = start + 2 + 12 * index
        tag, kind, number = struct.unpack_from(order + "HHI", block, at)
        size = _SIZES.get(kind, 0) * number
        if size == 0:
            continue
        value_at = at + 8
        if size > 4:
            (value_at,) = struct.unpack_from(order + "I", block, at + 8)
        if kind in (5, 10):
            over, under = struct.unpack_from(order + ("II" if kind == 5 else "ii"), block, value_at)
            found[tag] = over / under if under else 0.0
        elif kind in (3, 4, 9):
            found[tag] = struct.unpack_from(order + {3: "H", 4: "I", 9: "i"}[kind], block, value_at)[0]
    return found


def upright(image: U8, orientation: int) -> U8:
    """Turn a picture (H,W,...) as its Exif orientation says."""
    if orientation in (5, 6, 7, 8):
        image = np.ascontiguousarray(np.swapaxes(image, 0, 1))
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return image if flip is None else np.asarray(cv2.flip(image, flip), np.uint8)
