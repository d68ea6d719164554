"""A camera driver behind a replaced `ioctl`: controls with ranges, modes, and errors to order."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from livestereo.sources import v4l2


@dataclass
class FakeDriver:
    """controls: name -> [minimum, maximum, step, default, value]. stuck: names that ignore what is set.

    on_set: called with (name, value) after a control was set. stream_error: what STREAMON answers.
    """

    controls: dict[str, list[int]]
    stuck: set[str] = field(default_factory=set)
    modes: dict[str, dict[tuple[int, int], list[tuple[int, int]]]] = field(default_factory=dict)
    stream_error: int = 0
    on_set: Callable[[str, int], None] | None = None
    log: list[tuple[str, int]] = field(default_factory=list)

    def ioctl(self, handle: int, request: int, data: Any) -> int:
        names = {number: name for name, number in v4l2.CONTROLS.items()}
        if request in (v4l2.QUERYCTRL, v4l2.G_CTRL, v4l2.S_CTRL):
            name = names[data.id]
            if name not in self.controls:
                raise OSError(errno.EINVAL, "no such control")
            minimum, maximum, step, default, value = self.controls[name]
            if request == v4l2.QUERYCTRL:
                data.minimum, data.maximum, data.step, data.default_value = minimum, maximum, step, default
            elif request == v4l2.G_CTRL:
                data.value = value
            else:
                assert minimum <= data.value <= maximum, "a driver would refuse this"
                if name not in self.stuck:
                    self.controls[name][4] = data.value
                self.log.append((name, data.value))
                if self.on_set:
                    self.on_set(name, data.value)
        elif request == v4l2.ENUM_FMT:
            formats = list(self.modes)
            self._need(data.index < len(formats))
            data.pixelformat = int.from_bytes(formats[data.index].encode(), "little")
        elif request == v4l2.ENUM_FRAMESIZES:
            sizes = list(self.modes[data.pixel_format.to_bytes(4, "little").decode()])
            self._need(data.index < len(sizes))
            data.type = 1
            data.values[0], data.values[1] = sizes[data.index]
        elif request == v4l2.ENUM_FRAMEINTERVALS:
            intervals = self.modes[data.pixel_format.to_bytes(4, "little").decode()][data.width, data.height]
            self._need(data.index < len(intervals))
            data.values[0], data.values[1] = intervals[data.index]
        elif request == v4l2.STREAMON and self.stream_error:
            raise OSError(self.stream_error, "no")
        return 0

    @staticmethod
    def _need(there: bool) -> None:
        if not there:
            raise OSError(errno.EINVAL, "end of the list")

    def value(self, name: str) -> int:
        return self.controls[name][4]

    @contextlib.contextmanager
    def open(self, path: str = "") -> Iterator[v4l2.Controls]:
        yield v4l2.Controls(3, self.ioctl)


def webcam(**changes: int) -> FakeDriver:
    """An ordinary webcam as it comes: everything automatic."""
    controls = {
        "white_balance_automatic": [0, 1, 1, 1, 1],
        "gain": [0, 255, 1, 0, 20],
        "power_line_frequency": [0, 2, 1, 0, 0],
        "white_balance_temperature": [2000, 7500, 10, 4000, 4000],
        "auto_exposure": [0, 3, 1, 3, 3],
        "exposure_time_absolute": [3, 2047, 1, 250, 250],
        "exposure_dynamic_framerate": [0, 1, 1, 0, 1],
        "pan_absolute": [-36000, 36000, 3600, 0, 0],
        "focus_absolute": [0, 250, 5, 0, 60],
        "focus_automatic_continuous": [0, 1, 1, 1, 1],
        "zoom_absolute": [100, 500, 1, 100, 130],
    }
    for name, value in changes.items():
        controls[name][4] = value
    return FakeDriver(controls)
