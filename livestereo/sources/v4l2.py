"""Linux camera controls by ioctl: what OpenCV cannot set, and what it does not tell. See linux/videodev2.h.

Every call goes through an `ioctl` that can be replaced, so that the logic is tested without a camera.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from typing import Any

Ioctl = Callable[[int, int, Any], int]


def system_ioctl(handle: int, request: int, data: Any) -> int:
    """The kernel's ioctl; raises OSError."""
    import fcntl  # only there on Unix

    return int(fcntl.ioctl(handle, request, data))


def _code(direction: int, number: int, kind: type[ctypes.Structure] | type[ctypes.c_int]) -> int:
    return (direction << 30) | (ctypes.sizeof(kind) << 16) | (ord("V") << 8) | number


class _RequestBuffers(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_uint32), ("type", ctypes.c_uint32), ("memory", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
    ]  # fmt: skip


REQBUFS = _code(3, 8, _RequestBuffers)
STREAMON = _code(1, 18, ctypes.c_int)
STREAMOFF = _code(1, 19, ctypes.c_int)
_VIDEO_CAPTURE, _MMAP = 1, 1


def try_stream(handle: int, ioctl: Ioctl = system_ioctl) -> int:
    """Start and stop streaming on an open device; give the error number, or 0 if it works.

    EBUSY: another program streams. ENOSPC: the USB port has no bandwidth left.
    """
    request = _RequestBuffers(2, _VIDEO_CAPTURE, _MMAP, 0, 0)
    kind = ctypes.c_int(_VIDEO_CAPTURE)
    try:
        ioctl(handle, REQBUFS, request)
        ioctl(handle, STREAMON, kind)
        ioctl(handle, STREAMOFF, kind)
        ioctl(handle, REQBUFS, _RequestBuffers(0, _VIDEO_CAPTURE, _MMAP, 0, 0))
    except OSError as error:
        return error.errno or errno.EIO
    return 0
