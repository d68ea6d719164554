"""Pictures for browsers: made only while somebody waits for them, the newest one for each view.

A client that is slow, stalled or gone waits for nothing, so it costs nothing: a thread of its own sends, and the
encoder looks only at who is *waiting*.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from livestereo.timing import Clock, monotonic
from livestereo.types import StereoResult

Render = Callable[[str, StereoResult], bytes]
JOIN_S = 2.0


@dataclass
class _Slot:
    """The newest picture of one view: `serial` grows with every picture."""

    jpeg: bytes = b""
    serial: int = 0
    made_of: tuple[int, int] | None = None
    waiting: int = 0


@dataclass
class FrameSlots:
    """One encoder thread, one slot for each view. render: called in the encoder's thread only.

    max_fps: pictures per second and view; more costs the matcher time and shows nothing more.
    """

    render: Render
    max_fps: float = 15.0
    clock: Clock = monotonic
    encoded: int = 0
    failure: BaseException | None = None
    _slots: dict[str, _Slot] = field(default_factory=dict)
    _newest: StereoResult | None = None
    _count: int = 0
    _look: int = 0
    _closed: bool = False
    _thread: threading.Thread | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> None:
        """Start the encoder."""
        self._thread = threading.Thread(target=self._run, name="livestereo-web-encoder", daemon=True)
        self._thread.start()

    def offer(self, result: StereoResult) -> None:
        """Take the newest result."""
        with self._changed:
            self._newest = result
            self._count += 1
            if any(slot.waiting for slot in self._slots.values()):
                self._changed.notify_all()

    def look_changed(self) -> None:
        """The same result looks different now (colours, range): pictures must be made again."""
        with self._changed:
            self._look += 1
            self._changed.notify_all()

    def wait(self, view: str, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Wait for a picture of a view newer than serial `after`; None after `timeout_s` or when closed."""
        with self._changed:
            slot = self._slots.setdefault(view, _Slot())
            if slot.made_of != self._now():
                after = max(after, slot.serial)  # made for somebody else, some time ago
            slot.waiting += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._closed or slot.serial > after, timeout_s)
            finally:
                slot.waiting -= 1
            return None if self._closed or slot.serial <= after else (slot.serial, slot.jpeg)

    def watched(self, view: str) -> bool:
        """Whether somebody waits for pictures of a view at this moment."""
        slot = self._slots.get(view)
        return slot is not None and slot.waiting > 0

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    @property
    def newest(self) -> StereoResult | None:
        """The newest result."""
        return self._newest

    def close(self) -> None:
        """Stop the encoder and wake all who wait; idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            self._thread = None

    def _now(self) -> tuple[int, int]:
        return self._count, self._look

    def _wanted(self) -> list[str]:
        """Views that somebody waits for and that are not up to date."""
        if self._newest is None:
            return []
        return [name for name, slot in self._slots.items() if slot.waiting and slot.made_of != self._now()]

    def _run(self) -> None:
        next_s = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._wanted()))
                # Whoever asks again at once still gets at most `max_fps`.
                while not self._closed and (left := next_s - self.clock()) > 0:
                    self._changed.wait(left)
                if self._closed:
                    return
                names, result, now = self._wanted(), self._newest, self._now()
            next_s = self.clock() + 1 / self.max_fps
            assert result is not None
            for name in names:
                try:
                    jpeg = self.render(name, result)
                except Exception as error:  # a thread's edge: kept for the view, which raises it
                    self.failure = error
                    self.close_from_within()
                    return
                with self._changed:
                    slot = self._slots[name]
                    slot.jpeg, slot.made_of = jpeg, now
                    slot.serial += 1
                    self.encoded += 1
                    self._changed.notify_all()

    def close_from_within(self) -> None:
        """Wake all who wait, without joining the thread that calls."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
