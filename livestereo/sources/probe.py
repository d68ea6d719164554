"""Which modes of a camera really work, alone and beside another one: asked, opened, read and timed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from livestereo.errors import LiveStereoError
from livestereo.sources import v4l2
from livestereo.sources.capture import Camera, OpenCamera, OpenCapture, Wanted, open_with_opencv
from livestereo.sources.devices import Device, why_not_open
from livestereo.timing import Clock, monotonic
from livestereo.types import SizeWH

COMMON_SIZES = ((320, 240), (640, 480), (800, 600), (1280, 720), (1920, 1080))
COMMON_FORMATS = ("MJPG", "YUYV")
WARM_FRAMES = 3
MEASURE_S = 0.7
GIVE_UP_S = 2.5
WORKS_SHARE = 0.8


@dataclass(frozen=True)
class Measured:
    """One mode as measured. said_fps: what the camera says; fps: what came, 0 if nothing; cause: why nothing came."""

    fourcc: str
    size_wh: SizeWH
    said_fps: float | None
    fps: float
    cause: str = ""


@dataclass(frozen=True)
class Together:
    """Two cameras at once in the same mode. fps: of both, 0 where nothing came; cause: why one does not start."""

    fourcc: str
    size_wh: SizeWH
    fps: tuple[float, float]
    cause: str = ""


def camera_of(device: Device) -> Camera:
    """What opens this device."""
    return Camera(f"{device.index}", device.path or device.index, device.backend, device.id, name=device.name)


def offered_modes(device: Device) -> list[v4l2.Mode]:
    """The modes that the driver lists; empty where it cannot be asked."""
    if not (device.path and sys.platform.startswith("linux")):
        return []
    try:
        handle = os.open(device.path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        return v4l2.list_modes(handle)
    finally:
        os.close(handle)


def worth_trying(modes: Sequence[v4l2.Mode]) -> list[tuple[str, SizeWH]]:
    """Formats and sizes to try: the common ones that the camera offers, or all common ones where it does not say."""
    everything = [(fourcc, size) for fourcc in COMMON_FORMATS for size in COMMON_SIZES]
    if not modes:
        return everything
    offered = {(mode.fourcc, mode.size_wh) for mode in modes}
    return [mode for mode in everything if mode in offered] or sorted(offered)[:10]


def probe_alone(
    device: Device, open_capture: OpenCapture = open_with_opencv, clock: Clock = monotonic
) -> Iterator[Measured]:
    """Try the modes of one camera, one by one."""
    for fourcc, size in worth_trying(offered_modes(device)):
        try:
            opened = _open(device, fourcc, size, open_capture)
        except LiveStereoError as error:
            yield Measured(fourcc, size, None, 0.0, error.what)
            return  # what does not open now does not open in the next mode either
        try:
            ((fps, real_size),) = _measure([opened], clock)
            if real_size is not None and real_size != size:
                continue  # the camera fell back to a mode that is tried by its own name
            yield Measured(fourcc, size, opened.fps, fps, "" if fps else "It opens but gives no picture.")
        finally:
            opened.release()


def probe_together(
    left: Device, right: Device, modes: Sequence[tuple[str, SizeWH]],
    open_capture: OpenCapture = open_with_opencv, clock: Clock = monotonic,
) -> Iterator[Together]:  # fmt: skip
    """Try two cameras at once, in each of the modes that work for either alone."""
    for fourcc, size in modes:
        opened: list[OpenCamera] = []
        cause = ""
        try:
            try:
                for device in (left, right):
                    opened.append(_open(device, fourcc, size, open_capture))
                (fps_left, _), (fps_right, _) = _measure(opened, clock)
            except LiveStereoError as error:
                yield Together(fourcc, size, (0.0, 0.0), error.what)
                continue
            if not fps_left or not fps_right:
                cause = "The second camera opens but gives no picture: the USB port cannot carry both in this mode."
            yield Together(fourcc, size, (fps_left, fps_right), cause)
        finally:
            for camera in opened:
                camera.release()


def _open(device: Device, fourcc: str, size: SizeWH, open_capture: OpenCapture) -> OpenCamera:
    camera = camera_of(device)
    opened = OpenCamera(camera, Wanted(size=size, fourcc=fourcc), open_capture)
    if not opened.is_open:
        opened.release()
        raise why_not_open(camera)
    return opened


def _measure(cameras: Sequence[OpenCamera], clock: Clock) -> list[tuple[float, SizeWH | None]]:
    """Read all in turn for a while: (frames per second, size of the pictures) of each."""
    stamps: list[list[float]] = [[] for _ in cameras]
    sizes: list[SizeWH | None] = [None for _ in cameras]
    begin = clock()
    while clock() - begin < GIVE_UP_S:
        alive = False
        for index, camera in enumerate(cameras):
            if not camera.grab():
                continue
            alive = True
            stamps[index].append(clock())
            sizes[index] = camera.retrieve().size_wh or sizes[index]
        long_enough = [s and s[-1] - s[min(WARM_FRAMES, len(s) - 1)] > MEASURE_S for s in stamps]
        if all(long_enough) or (not alive and clock() - begin > 1.0):
            break
    rates = []
    for times in stamps:
        used = times[WARM_FRAMES:]
        rates.append((len(used) - 1) / (used[-1] - used[0]) if len(used) > 2 and used[-1] > used[0] else 0.0)
    return list(zip(rates, sizes))


def both_work(together: Together) -> bool:
    """Both cameras kept up in this mode, as far as rates tell."""
    slow, fast = sorted(together.fps)
    return slow > 0 and slow >= WORKS_SHARE * fast
