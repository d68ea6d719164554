"""Cameras that a test drives: each grab waits until the test gives a frame, so nothing depends on time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class FakeCamera:
    """One camera behind any number of `FakeCapture`s, as a plug is behind any number of openings.

    give(image): the next grab gets it. fail(n): the next n grabs fail. opens: False while it is unplugged.
    props: what is set is read back, unless `refuses` names it.
    """

    def __init__(self, size: tuple[int, int] = (64, 48), fps: float = 30.0, refuses: dict[int, float] | None = None):
        self.size = size
        self.opens = True
        self.opened = 0
        self.released = 0
        self.refuses = refuses or {}
        self.props: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: size[0], cv2.CAP_PROP_FRAME_HEIGHT: size[1], cv2.CAP_PROP_FPS: fps,
        }  # fmt: skip
        self.set_order: list[int] = []
        self._events: queue.Queue[Any] = queue.Queue()
        self.taken = threading.Semaphore(0)
        self.unplugged = False
        self._given = 0

    def give(self, image: np.ndarray | None = None) -> None:
        """Let the next grab succeed."""
        self._given += 1
        if image is None:
            image = np.full((self.size[1], self.size[0], 3), self._given % 256, np.uint8)
        self._events.put(image)

    def fail(self, times: int = 1) -> None:
        """Let the next grabs fail."""
        for _ in range(times):
            self._events.put(None)

    def die(self, error: BaseException) -> None:
        """Let the next grab raise."""
        self._events.put(error)

    def next(self) -> Any:
        """What the next grab meets; False when nothing has been given yet."""
        try:
            return self._events.get(timeout=0.01 if self.unplugged else 0.05)
        except queue.Empty:
            return False


class FakeCapture:
    """What a test's `open_capture` gives: stands in for `cv2.VideoCapture`."""

    def __init__(self, camera: FakeCamera) -> None:
        self._camera = camera
        self._open = camera.opens
        self._image: np.ndarray | None = None
        camera.opened += camera.opens

    def isOpened(self) -> bool:
        return self._open

    def get(self, prop: int) -> float:
        return self._camera.props.get(prop, 0.0)

    def set(self, prop: int, value: float) -> bool:
        self._camera.set_order.append(prop)
        if prop in (cv2.CAP_PROP_CONVERT_RGB, cv2.CAP_PROP_FORMAT):
            return False
        self._camera.props[prop] = self._camera.refuses.get(prop, value)
        return prop not in self._camera.refuses

    def grab(self) -> bool:
        for _ in range(12):  # like a driver, it gives up after a while: 0.6 s
            event = self._camera.next()
            if event is False:
                if self._camera.unplugged:
                    return False
                continue
            if isinstance(event, BaseException):
                raise event
            self._image = event
            return event is not None
        return False

    def retrieve(self) -> tuple[bool, Any]:
        self._camera.taken.release()
        return self._image is not None, self._image

    def release(self) -> None:
        self._open = False
        self._camera.released += 1


def opener(cameras: dict[Any, FakeCamera]) -> Any:
    """An `open_capture` for these cameras, by target."""

    def open_capture(target: int | str, backend: int, params: Sequence[int]) -> FakeCapture:
        return FakeCapture(cameras[target])

    return open_capture
