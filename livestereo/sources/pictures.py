"""Picture files to 8-bit BGR: the one place where channels, bit depths and orientation are settled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.errors import SourceError
from livestereo.mpo import split_mpo
from livestereo.sources import quiet
from livestereo.sources.exif import Exif, read_exif, upright
from livestereo.types import U8

quiet.hush()

_FORMATS = "Pictures are read from PNG, JPEG, TIFF, WebP, BMP, PGM/PPM, PFM and others."


@dataclass(frozen=True)
class Picture:
    """image: (H,W,3) uint8 BGR, upright. full_scale: the sample value that became 255."""

    image: U8
    full_scale: float
    exif: Exif


def read_picture(path: Path, full_scale: float | None = None) -> Picture:
    """Read one file. `full_scale`: see `to_bgr8`; give that of the first picture to the rest of its set.

    Raises:
        SourceError: not there, not readable, not a picture, or cut.
    """
    return _picture(_read(path), path, full_scale)


def read_views(path: Path) -> tuple[Picture, Picture]:
    """Read a file that holds two pictures, left and right (MPO).

    Raises:
        SourceError: as `read_picture`, or it does not hold two.
    """
    views = split_mpo(_read(path))
    if views is None:
        raise SourceError(
            f"{path} does not hold two views that can be read.", "If it is whole: name a picture for each side."
        )
    return _picture(views[0], path), _picture(views[1], path)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SourceError(f"There is no {path}.", "Check the path.") from None
    except PermissionError:
        raise SourceError(f"{path} may not be read.", "Check the permissions of the file.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", "Check the disk and the path.") from None
    if not data:
        raise SourceError(f"{path} is empty.", "Copy it again.")
    return data


def _picture(data: bytes, path: Path, full_scale: float | None = None) -> Picture:
    if not is_whole(data):
        raise SourceError(f"{path} is cut: the end of the picture is missing.", "Copy it again.")
    exif = read_exif(data)
    return Picture(*_decode(data, path, full_scale, exif), exif)


def _decode(data: bytes, path: Path, full_scale: float | None, exif: Exif) -> tuple[U8, float]:
    buffer = np.frombuffer(data, np.uint8)
    # IMREAD_UNCHANGED keeps depth and channels, and leaves the orientation to us.
    image = _imdecode(buffer, path)
    if image is None:
        if data[4:8] == b"ftyp":
            raise SourceError(f"{path} is in a format that cannot be read (HEIC?).", "Save it as JPEG or PNG.")
        raise SourceError(f"{path} is not a picture, or is damaged.", _FORMATS)
    if full_scale is None:
        full_scale = find_full_scale(image)
    return upright(to_bgr8(image, full_scale), exif.orientation), full_scale


def _imdecode(buffer: NDArray[np.uint8], path: Path) -> NDArray[Any] | None:
    try:
        return cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        raise SourceError(f"{path} cannot be decoded: too large, or damaged.", _FORMATS) from None


def find_full_scale(image: NDArray[Any]) -> float:
    """Find the sample value that shall become 255.

    8 bits: 255. 16 bits: 65535, or 1023, 4095 or 16383 where no sample is larger, as cameras of 10, 12
    and 14 bits store them. Float: 1, 255 or 65535, whichever holds the largest sample.
    """
    if image.dtype in (np.uint8, np.int8):
        return 255.0
    largest = float(np.nanmax(np.where(np.isfinite(image), image, 0))) if image.size else 0.0
    scales = (1.0, 255.0, 65535.0) if image.dtype.kind == "f" else (1023.0, 4095.0, 16383.0, 65535.0)
    return next((scale for scale in scales if largest <= scale * (1 + 1e-6)), largest)


def to_bgr8(image: NDArray[Any], full_scale: float | None = None) -> U8:
    """Turn any picture OpenCV reads, (H,W) or (H,W,1..4) of any type, into (H,W,3) uint8 BGR.

    Gray is repeated, alpha is left out, samples go linearly from 0..`full_scale` (found in the picture if
    left out) to 0..255, rounded; what is not a finite number becomes 0.
    """
    if image.dtype != np.uint8:
        scale = full_scale or find_full_scale(image)
        wide = np.nan_to_num(image.astype(np.float32), nan=0.0, posinf=scale, neginf=0.0)
        image = np.clip(np.rint(wide * np.float32(255.0 / scale)), 0, 255).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] in (1, 2):
        image = image[:, :, 0]
    if image.ndim == 2:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    if image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), np.uint8)
    return np.ascontiguousarray(image[:, :, :3])


def is_whole(data: bytes) -> bool:
    """Does a JPEG or PNG have its end? True for anything else.

    A decoder fills what is missing of a cut JPEG with gray and says nothing, so we look ourselves.
    """
    if data[:2] == b"\xff\xd8":
        scan = data.rfind(b"\xff\xda")
        return scan > 0 and data.find(b"\xff\xd9", scan) > 0
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" in data[-4096:]
    return True
