"""Linux camera controls by ioctl: what OpenCV cannot set, and what it does not tell. See linux/videodev2.h.

Every call goes through an `ioctl` that can be replaced, so that the logic is tested without a camera.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from livestereo.types import SizeWH

Ioctl = Callable[[int, int, Any], int]

# Control ids, by the names that v4l2-ctl prints.
CONTROLS = {
    "brightness": 0x00980900,
    "white_balance_automatic": 0x0098090C,
    "gain": 0x00980913,
    "power_line_frequency": 0x00980918,
    "white_balance_temperature": 0x0098091A,
    "sharpness": 0x0098091B,
    "backlight_compensation": 0x0098091C,
    "auto_exposure": 0x009A0901,
    "exposure_time_absolute": 0x009A0902,
    "exposure_dynamic_framerate": 0x009A0903,
    "pan_absolute": 0x009A0908,
    "tilt_absolute": 0x009A0909,
    "focus_absolute": 0x009A090A,
    "focus_automatic_continuous": 0x009A090C,
    "zoom_absolute": 0x009A090D,
}
EXPOSURE_UNIT_S = 1e-4
EXPOSURE_MANUAL = 1
EXPOSURE_AUTOMATIC = (3, 0)  # aperture priority is what webcams mean by automatic
POWER_LINE_OFF, POWER_LINE_50, POWER_LINE_60, POWER_LINE_AUTO = 0, 1, 2, 3
_DISABLED, _READ_ONLY, _INACTIVE = 0x0001, 0x0004, 0x0010
_VIDEO_CAPTURE, _MMAP = 1, 1


def system_ioctl(handle: int, request: int, data: Any) -> int:
    """The kernel's ioctl; raises OSError."""
    import fcntl  # only there on Unix

    return int(fcntl.ioctl(handle, request, data))


class _RequestBuffers(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_uint32), ("type", ctypes.c_uint32), ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
    ]  # fmt: skip


class QueryControl(ctypes.Structure):
    """struct v4l2_queryctrl."""

    _fields_ = [
        ("id", ctypes.c_uint32), ("type", ctypes.c_uint32), ("name", ctypes.c_char * 32),
        ("minimum", ctypes.c_int32), ("maximum", ctypes.c_int32), ("step", ctypes.c_int32),
        ("default_value", ctypes.c_int32), ("flags", ctypes.c_uint32), ("reserved", ctypes.c_uint32 * 2),
    ]  # fmt: skip


class ControlValue(ctypes.Structure):
    """struct v4l2_control."""

    _fields_ = [("id", ctypes.c_uint32), ("value", ctypes.c_int32)]


class FormatDescription(ctypes.Structure):
    """struct v4l2_fmtdesc."""

    _fields_ = [
        ("index", ctypes.c_uint32), ("type", ctypes.c_uint32), ("flags", ctypes.c_uint32),
        ("description", ctypes.c_char * 32), ("pixelformat", ctypes.c_uint32), ("mbus_code", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    ]  # fmt: skip


class FrameSize(ctypes.Structure):
    """struct v4l2_frmsizeenum; `values` is the union: (w, h) or (min w, max w, step w, min h, max h, step h)."""

    _fields_ = [
        ("index", ctypes.c_uint32), ("pixel_format", ctypes.c_uint32), ("type", ctypes.c_uint32),
        ("values", ctypes.c_uint32 * 6), ("reserved", ctypes.c_uint32 * 2),
    ]  # fmt: skip


class FrameInterval(ctypes.Structure):
    """struct v4l2_frmivalenum; `values` is the union: (num, den) or three such fractions."""

    _fields_ = [
        ("index", ctypes.c_uint32), ("pixel_format", ctypes.c_uint32), ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32), ("type", ctypes.c_uint32), ("values", ctypes.c_uint32 * 6),
        ("reserved", ctypes.c_uint32 * 2),
    ]  # fmt: skip


def _code(direction: int, number: int, kind: Any) -> int:
    return (direction << 30) | (ctypes.sizeof(kind) << 16) | (ord("V") << 8) | number


REQBUFS = _code(3, 8, _RequestBuffers)
STREAMON = _code(1, 18, ctypes.c_int)
STREAMOFF = _code(1, 19, ctypes.c_int)
G_CTRL = _code(3, 27, ControlValue)
S_CTRL = _code(3, 28, ControlValue)
QUERYCTRL = _code(3, 36, QueryControl)
ENUM_FMT = _code(3, 2, FormatDescription)
ENUM_FRAMESIZES = _code(3, 74, FrameSize)
ENUM_FRAMEINTERVALS = _code(3, 75, FrameInterval)


@dataclass(frozen=True)
class Range:
    """What a control takes: minimum, maximum, step, default."""

    minimum: int
    maximum: int
    step: int
    default: int

    def nearest(self, value: float) -> int:
        """The value that the control can take nearest to this one."""
        step = max(self.step, 1)
        snapped = self.minimum + round((value - self.minimum) / step) * step
        return int(min(max(snapped, self.minimum), self.maximum))


class Controls:
    """The controls of one camera, through an open file handle. Unknown ones are None, never an error."""

    def __init__(self, handle: int, ioctl: Ioctl = system_ioctl) -> None:
        self._handle = handle
        self._ioctl = ioctl

    def range(self, name: str) -> Range | None:
        """What the control takes; None where the camera has no such control."""
        query = QueryControl(id=CONTROLS[name])
        try:
            self._ioctl(self._handle, QUERYCTRL, query)
        except OSError:
            return None
        if query.flags & (_DISABLED | _READ_ONLY):
            return None
        return Range(query.minimum, query.maximum, query.step, query.default_value)

    def get(self, name: str) -> int | None:
        """Read a control."""
        value = ControlValue(id=CONTROLS[name])
        try:
            self._ioctl(self._handle, G_CTRL, value)
        except OSError:
            return None
        return int(value.value)

    def set(self, name: str, value: float) -> int | None:
        """Set a control to the nearest value it takes; give what it reads back as, None where it cannot be set."""
        allowed = self.range(name)
        if allowed is None:
            return None
        try:
            self._ioctl(self._handle, S_CTRL, ControlValue(CONTROLS[name], allowed.nearest(value)))
        except OSError:
            return None
        return self.get(name)

    def read_all(self) -> dict[str, int]:
        """Every control that the camera has, by name."""
        values = ((name, self.get(name)) for name in CONTROLS if self.range(name) is not None)
        return {name: value for name, value in values if value is not None}


@contextlib.contextmanager
def open_controls(path: str, ioctl: Ioctl = system_ioctl) -> Iterator[Controls | None]:
    """Open the controls of a camera beside whoever reads it; None where that is not possible."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except (OSError, AttributeError):
        yield None
        return
    try:
        yield Controls(handle, ioctl)
    finally:
        os.close(handle)


def try_stream(handle: int, ioctl: Ioctl = system_ioctl) -> int:
    """Start and stop streaming on an open device; give the error number, or 0 if it works.

    EBUSY: another program streams. ENOSPC: the USB port has no bandwidth left.
    """
    kind = ctypes.c_int(_VIDEO_CAPTURE)
    try:
        ioctl(handle, REQBUFS, _RequestBuffers(2, _VIDEO_CAPTURE, _MMAP, 0, 0))
        ioctl(handle, STREAMON, kind)
        ioctl(handle, STREAMOFF, kind)
        ioctl(handle, REQBUFS, _RequestBuffers(0, _VIDEO_CAPTURE, _MMAP, 0, 0))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@dataclass(frozen=True)
class Mode:
    """A mode that a camera offers. fps: the fastest it says, or None."""

    fourcc: str
    size_wh: SizeWH
    fps: float | None = None


def list_modes(handle: int, ioctl: Ioctl = system_ioctl) -> list[Mode]:
    """List the modes that the driver offers, largest first within each format."""
    modes = []
    for format_ in _enumerate(ioctl, handle, ENUM_FMT, lambda i: FormatDescription(index=i, type=_VIDEO_CAPTURE)):
        code = format_.pixelformat
        for size in _enumerate(ioctl, handle, ENUM_FRAMESIZES, partial(_size_query, code)):
            # Stepwise sizes: the largest stands for all.
            width, height = (size.values[0], size.values[1]) if size.type == 1 else (size.values[1], size.values[4])
            rates = [
                (item.values[1] / item.values[0])
                for item in _enumerate(
                    ioctl, handle, ENUM_FRAMEINTERVALS,
                    partial(_interval_query, code, width, height),
                )
                if item.values[0]
            ]  # fmt: skip
            modes.append(Mode(code.to_bytes(4, "little").decode("latin-1"), (width, height), max(rates, default=None)))
            if size.type != 1:
                break
    return sorted(modes, key=lambda m: (m.fourcc, -m.size_wh[0] * m.size_wh[1]))


def _size_query(code: int, index: int) -> FrameSize:
    return FrameSize(index=index, pixel_format=code)


def _interval_query(code: int, width: int, height: int, index: int) -> FrameInterval:
    return FrameInterval(index=index, pixel_format=code, width=width, height=height)


def _enumerate(ioctl: Ioctl, handle: int, request: int, make: Callable[[int], Any]) -> Iterator[Any]:
    for index in range(256):
        item = make(index)
        try:
            ioctl(handle, request, item)
        except OSError:
            return
        yield item


def power_line_wanted(now: int, allowed: Range, hours_from_utc: float) -> int:
    """The setting against flicker: as it is if somebody chose it, else automatic, else by where in the world we are.

    60 Hz in the Americas, 50 Hz elsewhere; Japan has both.
    """
    if now not in (POWER_LINE_OFF,):
        return now
    if allowed.maximum >= POWER_LINE_AUTO:
        return POWER_LINE_AUTO
    return POWER_LINE_60 if -10.5 <= hours_from_utc <= -3.5 else POWER_LINE_50


def hold_still(controls: Controls, hours_from_utc: float, focus: float | None = None) -> list[str]:
    """Set what must not change under a calibrated rig; give what could not be set, as sentences without a subject.

    Dynamic frame rate off (it halves the rate in a dim room, often on one side only), power line frequency,
    zoom and pan back to where they were made, focus as calibrated.
    """
    notes = []
    if controls.range("exposure_dynamic_framerate") is not None and controls.set("exposure_dynamic_framerate", 0) != 0:
        notes.append("keeps its dynamic frame rate on: it may slow down in dim light")
    line, allowed = controls.get("power_line_frequency"), controls.range("power_line_frequency")
    if line is not None and allowed is not None:
        wanted = power_line_wanted(line, allowed, hours_from_utc)
        if wanted != line and controls.set("power_line_frequency", wanted) != wanted:
            notes.append("does not take a power line frequency: lamps may flicker")
    for name in ("zoom_absolute", "pan_absolute", "tilt_absolute"):
        place = controls.range(name)
        if place is not None and controls.get(name) != place.default and controls.set(name, place.default) is None:
            notes.append(f"cannot reset {name.split('_')[0]}: the rig may not fit")
    notes += lock_focus(controls, focus)
    return notes


def lock_focus(controls: Controls, focus: float | None) -> list[str]:
    """Hold the focus at the value the rig was calibrated with; None leaves the focus as it is."""
    if focus is None:
        return []
    if controls.range("focus_absolute") is None:
        return ["has no focus to set, but the rig was calibrated with one: is it the same camera?"]
    controls.set("focus_automatic_continuous", 0)
    got = controls.set("focus_absolute", focus)
    if got is None:
        return ["does not let its focus be set: the rig may not fit"]
    return [f"focuses at {got}, the rig was calibrated at {focus:g}"] if abs(got - focus) > 0.5 else []
