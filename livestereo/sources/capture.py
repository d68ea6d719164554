"""One opened camera: asked in the right order for what is wanted, read back, its own bytes kept where it sends JPEG."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.sources import quiet
from livestereo.sources.pictures import is_whole, to_bgr8
from livestereo.types import U8, SizeWH

quiet.hush()

OPEN_TIMEOUT_MS = 4000
READ_TIMEOUT_MS = 1000
SANE_FPS = (1.0, 1000.0)  # what a driver may say of its rate
DEFAULT_FOURCC = "MJPG"  # two uncompressed streams do not fit one USB 2 root port


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool:
        """Whether there is a stream."""
        ...

    def get(self, prop: int) -> float:
        """Give a property, `cv2.CAP_PROP_*`; 0 where it is not known."""
        ...

    def set(self, prop: int, value: float) -> bool:
        """Ask for a value of a property; False where that was refused."""
        ...

    def grab(self) -> bool:
        """Wait for the next frame; False: none came."""
        ...

    def retrieve(self) -> tuple[bool, Any]:
        """Give the frame that was grabbed, decoded or as bytes, and whether there is one."""
        ...

    def release(self) -> None:
        """Close the stream; idempotent."""
        ...


OpenCapture = Callable[["int | str", int, Sequence[int]], Capture]


def open_with_opencv(target: int | str, backend: int, params: Sequence[int]) -> Capture:
    """Open with OpenCV; the one place that makes a live `cv2.VideoCapture`."""
    return cv2.VideoCapture(target, backend, list(params))


@dataclass(frozen=True)
class Camera:
    """Which camera. word: what the user wrote. target: what OpenCV opens. id: stable name, or the URL.

    is_url: a network camera. name: what the camera calls itself.
    """

    word: str
    target: int | str
    backend: int
    id: str
    is_url: bool = False
    name: str = ""


@dataclass(frozen=True)
class Wanted:
    """What to ask a camera for; None leaves it to the camera."""

    size: SizeWH | None = None
    fps: float | None = None
    fourcc: str | None = None


@dataclass(frozen=True)
class Grabbed:
    """One frame as it came. encoded: a whole JPEG, or None; image: (H,W,3) BGR, or None where `encoded` holds it.

    size_wh: None where the bytes are no whole picture.
    """

    encoded: bytes | None
    image: U8 | None
    size_wh: SizeWH | None


class OpenCamera:
    """An opened camera. Only the thread that opened it may use it.

    notes: what differs from what was asked for. fps: rate it says it has, or None. pixel_format: its four letters, ''
    where it does not say.
    """

    def __init__(self, camera: Camera, wanted: Wanted, open_capture: OpenCapture = open_with_opencv) -> None:
        params = []
        if camera.is_url:
            params = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        self._capture = open_capture(camera.target, camera.backend, params)
        self.camera = camera
        self.notes: tuple[str, ...] = ()
        self.fps: float | None = None
        self.ends = False
        self._gives_bytes = False
        self.pixel_format = ""
        if self._capture.isOpened():
            self._configure(wanted)

    @property
    def is_open(self) -> bool:
        """The camera could be opened."""
        return self._capture.isOpened()

    def _configure(self, wanted: Wanted) -> None:
        capture = self._capture
        if self.camera.is_url:
            count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self.ends = bool(np.isfinite(count) and count > 0)
            if _fourcc_text(capture.get(cv2.CAP_PROP_FOURCC)) in ("MJPG", "JPEG", "jpeg"):
                # Undecoded packets: kept for recording, and decoded only where somebody looks.
                self._gives_bytes = capture.set(cv2.CAP_PROP_FORMAT, -1)
            return
        # The order matters: the format decides which sizes there are, the size which rates.
        fourcc = wanted.fourcc or DEFAULT_FOURCC
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc))
        if wanted.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.size[1])
        if wanted.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, wanted.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.pixel_format = _fourcc_text(capture.get(cv2.CAP_PROP_FOURCC))
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if SANE_FPS[0] <= rate <= SANE_FPS[1] else None
        self.notes = self._differences(wanted)
        if self.pixel_format == "MJPG" and sys.platform.startswith("linux"):
            self._gives_bytes = capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _differences(self, wanted: Wanted) -> tuple[str, ...]:
        """What the camera really does, where it is not what was asked for."""
        word, notes = self.camera.word, []
        width, height = self._capture.get(cv2.CAP_PROP_FRAME_WIDTH), self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if wanted.size is not None and (width, height) != wanted.size:
            asked = f"{wanted.size[0]}x{wanted.size[1]}"
            notes.append(f"Camera {word} gives {width:.0f}x{height:.0f}, not the {asked} asked for.")
        if wanted.fps is not None and self.fps is not None and abs(self.fps / wanted.fps - 1) > 0.02:
            notes.append(f"Camera {word} gives {self.fps:g} pictures per second, not the {wanted.fps:g} asked for.")
        if wanted.fourcc is not None and self.pixel_format and self.pixel_format != wanted.fourcc:
            notes.append(f"Camera {word} gives {self.pixel_format}, not the {wanted.fourcc.strip()} asked for.")
        elif wanted.fourcc is None and self.pixel_format and self.pixel_format != DEFAULT_FOURCC:
            notes.append(f"Camera {word} gives {self.pixel_format}; two such streams may not fit one USB port.")
        return tuple(notes)

    def grab(self) -> bool:
        """Take the next frame; waits for it, at most about a second. False: none came."""
        return self._capture.grab()

    def driver_stamp_s(self) -> float | None:
        """When the driver says the frame just grabbed was taken, on the monotonic clock; None where it does not say."""
        if self.camera.is_url or not sys.platform.startswith("linux"):
            return None
        return _positive(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)

    def retrieve(self) -> Grabbed:
        """Give the frame just grabbed."""
        ok, data = self._capture.retrieve()
        if not ok or data is None:
            return Grabbed(None, None, None)
        if self._gives_bytes and _is_bytes(data):
            encoded = data.tobytes()
            return Grabbed(encoded, None, jpeg_size(encoded) if is_whole(encoded) else None)
        image = _uncompressed(data, self.pixel_format)
        return Grabbed(None, image, None if image is None else (image.shape[1], image.shape[0]))

    def release(self) -> None:
        """Give the camera back; idempotent."""
        self._capture.release()


def _is_bytes(data: NDArray[Any]) -> bool:
    return data.dtype == np.uint8 and (data.ndim == 1 or 1 in data.shape[:2]) and data.size > 4


def _uncompressed(data: NDArray[Any], pixel_format: str) -> U8 | None:
    """BGR from whatever a camera gives that is no JPEG."""
    if data.ndim == 3 and data.shape[2] == 2 and pixel_format in ("YUYV", "YUY2"):
        return np.asarray(cv2.cvtColor(data, cv2.COLOR_YUV2BGR_YUYV), np.uint8)
    return to_bgr8(data) if data.ndim in (2, 3) and data.size else None


def decode_jpeg(encoded: bytes, size_wh: SizeWH) -> U8:
    """Decode a whole JPEG to (H,W,3) BGR; mid-gray of the given size where its inside is broken."""
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        return np.full((size_wh[1], size_wh[0], 3), 128, np.uint8)
    return np.asarray(image, np.uint8)


def jpeg_size(data: bytes) -> SizeWH | None:
    """(width, height) from a JPEG's frame header (ITU-T T.81, B.2.2), or None."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            return (width, height) if width and height else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def _fourcc_text(value: float) -> str:
    code = int(value) & 0xFFFFFFFF if math.isfinite(value) else 0
    text = code.to_bytes(4, "little").decode("latin-1")
    return text if text.isprintable() and code else ""
