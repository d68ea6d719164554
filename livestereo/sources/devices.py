"""Which cameras are attached, what they are called for good, and why one does not open.

The stable id of a camera is `usb:<vendor>-<product>[-<serial>]@<port>`, such as `usb:046d-0825-9A3F@1-2`. A camera
that has a serial number of its own is found again at another port; one without is known by its port.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from livestereo.errors import CameraRefused, SourceError
from livestereo.sources.answers import answer
from livestereo.sources.capture import Camera
from livestereo.sources.grammar import Word

SYSFS = Path("/sys/class/video4linux")
LIST_THEM = "Run `livestereo devices` to see the cameras."
Enumerate = Callable[[int], Iterable[Any]]


@dataclass(frozen=True)
class Device:
    """An attached camera. id: stable, with `usb:`. index: what `0` means today. path: of the device, or ''."""

    id: str
    index: int
    path: str
    name: str
    backend: int
    serial: str = ""

    @property
    def backend_name(self) -> str:
        """The backend as OpenCV calls it."""
        return cv2.videoio_registry.getBackendName(self.backend) if self.backend else "any"


def platform_backend() -> int:
    """OpenCV's backend for cameras on this system."""
    if sys.platform.startswith("linux"):
        return int(cv2.CAP_V4L2)
    return int({"win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}.get(sys.platform, cv2.CAP_ANY))


def _enumerate(backend: int) -> Iterable[Any]:
    from cv2_enumerate_cameras import enumerate_cameras

    return enumerate_cameras(backend)


def list_devices(enumerate_cameras: Enumerate = _enumerate, sysfs: Path = SYSFS) -> list[Device]:
    """List the attached cameras in the order of their indexes; none attached is an empty list."""
    backend = platform_backend()
    found = []
    for info in enumerate_cameras(backend):
        serial, port = _usb_names(sysfs / Path(info.path or "").name) if info.path else ("", "")
        if not port:
            # Other systems name the place of a device in a long path: a short sum of it is enough to tell them apart.
            port = f"{zlib.crc32(str(info.path).encode()):08x}" if info.path else str(info.index)
        model = f"{info.vid:04x}-{info.pid:04x}" if info.vid is not None and info.pid is not None else "camera"
        found.append(
            Device(
                id=f"usb:{model}{'-' + serial if serial else ''}@{port}",
                index=int(info.index),
                path=str(info.path or ""),
                name=str(info.name),
                backend=backend,
                serial=serial,
            )
        )
    return sorted(found, key=lambda device: device.index)


def _usb_names(node: Path) -> tuple[str, str]:
    """(serial, port) of a video4linux node; the port is the place of a device that is not on USB."""
    try:
        place = (node / "device").resolve(strict=True)
    except OSError:
        return "", ""
    usb = place.parent if ":" in place.name else place
    serial = ""
    with contextlib.suppress(OSError):
        serial = re.sub(r"[^A-Za-z0-9._]+", "", (usb / "serial").read_text().strip())
    return serial, usb.name


def find_camera(word: Word, devices: list[Device] | None = None) -> Camera:
    """Find the camera that a word means: index, path, stable id or URL.

    Raises:
        SourceError: there is none of that id or path.
    """
    text = word.text
    if word.kind == "url":
        shown = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", text)  # a password is never shown or stored
        return Camera(shown, text, int(cv2.CAP_FFMPEG), shown, is_url=True, name=shown)
    devices = list_devices() if devices is None else devices
    if text.startswith("usb:"):
        device = _by_id(text, devices)
        return Camera(text, device.path or device.index, device.backend, device.id, name=device.name)
    if text.isdigit():
        index = int(text)
        known = next((d for d in devices if d.index == index), None)
        unlisted = os.path.exists(f"/dev/video{index}") or (not devices and not sys.platform.startswith("linux"))
        if known is None and unlisted:
            return Camera(text, index, platform_backend(), f"index:{index}")
        if known is None:
            raise SourceError(f"There is no camera {index}.", _what_is_there(devices))
        return Camera(text, known.path or index, known.backend, known.id, name=known.name)
    real = os.path.realpath(text)
    known = next((d for d in devices if d.path and os.path.realpath(d.path) == real), None)
    if known is None:
        # Not among the cameras, but it exists: let the driver say what it is.
        return Camera(text, text, platform_backend(), f"path:{real}")
    return Camera(text, known.path, known.backend, known.id, name=known.name)


def _by_id(text: str, devices: list[Device]) -> Device:
    for device in devices:
        if device.id == text:
            return device
    wanted = text.partition("@")[0]
    moved = [d for d in devices if d.serial and d.id.partition("@")[0] == wanted]
    if len(moved) == 1:
        return moved[0]
    raise SourceError(f"The camera {text} is not attached.", _what_is_there(devices))


def _what_is_there(devices: list[Device]) -> str:
    if not devices:
        return "No camera is attached at all; `livestereo demo` needs none."
    names = ", ".join(f"{d.index} ({d.name})" for d in devices[:6])
    return f"There {'is' if len(devices) == 1 else 'are'} {names}. {LIST_THEM}"


def other_cameras(made_with: tuple[str, str] | None, ids: tuple[str, str]) -> list[str]:
    """Tell when the rig was made with other cameras (left, right) than those that were opened."""
    if made_with is None or not all(made_with):
        return []
    if ids == (made_with[1], made_with[0]):
        return ["The rig was made with these two cameras the other way round: exchange LEFT and RIGHT."]
    return [
        f"The {side} camera is {now}, but the rig was made with {then}: its depth will be wrong."
        for side, now, then in zip(("left", "right"), ids, made_with)
        if now != then
    ]


def why_not_open(camera: Camera, try_open: Callable[[str], int] | None = None) -> SourceError:
    """Find out why a camera did not open. `try_open` gives the system's error number for a path, 0 for none."""
    word = camera.word
    if camera.is_url:
        said = answer(str(camera.target))
        if said is None:
            return SourceError(f"Nothing answers at {word}.", "Check the address, and that the camera is switched on.")
        return SourceError(
            f"{word} answers{said and f' ({said})'}, but sends no video that can be read.",
            "Check the path behind the name; a camera's manual, or its page in a browser, tells that of its stream.",
        )
    path = camera.target if isinstance(camera.target, str) else f"/dev/video{camera.target}"
    if sys.platform.startswith("linux") or try_open is not None:
        code = (try_open or _try_open)(path)
        if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return SourceError(f"There is no camera {word}.", LIST_THEM)
        if code in (errno.EACCES, errno.EPERM):
            return CameraRefused(
                f"You may not use the camera {word} ({path}).",
                "Add yourself to the group that may: sudo usermod -aG video $USER, then log out and in again.",
                "permission",
            )
        if code == errno.EBUSY:
            return CameraRefused(
                f"The camera {word} is in use by another program.",
                f"Close the browser, video call or viewer that has it; `fuser {path}` names it.",
            )
        if code == errno.ENOSPC:
            return CameraRefused(
                f"The camera {word} does not start beside the other one: the USB port cannot carry both.",
                "Use --fourcc MJPG, a smaller --size or --fps, or plug one into another port of the computer itself.",
                "bandwidth",
            )
        if code in (errno.EINVAL, errno.ENOTTY):
            return SourceError(f"{word} is not a camera that gives pictures.", LIST_THEM)
    return SourceError(
        f"The camera {word} cannot be opened.",
        f"Is another program using it, or has the system not allowed cameras for this terminal? {LIST_THEM}",
    )


def why_no_picture(silent: list[str], damaged: list[str], waited_s: float) -> SourceError:
    """Say what is wrong with cameras that were opened and gave no picture; `damaged`: those that sent broken ones."""
    if damaged:
        return SourceError(
            f"Only damaged pictures came from {' and '.join(damaged)} within {waited_s:.0f} s.",
            "Check its cable or network and its picture format, or ask for a smaller --size.",
        )
    return SourceError(
        f"No picture came from {' and '.join(silent)} within {waited_s:.0f} s.",
        "Check that it is plugged in and switched on.",
    )


def _try_open(path: str) -> int:
    """The system's error number when a camera is opened and started; 0 if it works now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        from livestereo.sources import v4l2

        return v4l2.try_stream(handle)
    finally:
        os.close(handle)
