"""One camera's thread: open, grab, stamp, retrieve, hand over; open again when it is lost. The only capture thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from livestereo.errors import LiveStereoError, SourceError
from livestereo.phase import Aim
from livestereo.sources.capture import Camera, Grabbed, OpenCamera
from livestereo.timing import Clock

FIRST_BACKOFF_S = 0.1
LONGEST_BACKOFF_S = 1.0
FAILED_GRABS = 3  # in a row, before the camera counts as lost
FIRST_FRAME_S = 5.0


class Inbox(Protocol):
    """Where a reader hands over what happens; every call comes from the reader's thread."""

    def opened(self, side: int, camera: OpenCamera) -> None:
        """The camera is open."""
        ...

    def frame(self, side: int, grabbed: Grabbed, t_s: float, driver_s: float | None) -> bool:
        """A frame came. False: close the camera and open it again."""
        ...

    def lost(self, side: int, ended: bool) -> None:
        """The camera gave an error, or its stream ended."""
        ...

    def failed(self, side: int, error: BaseException) -> None:
        """The camera cannot be opened at all, or the thread died."""
        ...


class CameraReader:
    """Owns one camera and the thread that reads it.

    open_camera: opens it (again), by its stable id; raises SourceError where it cannot. The first failure
    is final; later ones are tried again with growing pauses.
    """

    def __init__(self, side: int, camera: Camera, open_camera: Callable[[], OpenCamera], inbox: Inbox, clock: Clock):
        self._side = side
        self._open_camera = open_camera
        self._inbox = inbox
        self._clock = clock
        self._stop = threading.Event()
        self._again = threading.Event()
        self._pause_s = 0.0
        self._aim: Aim | None = None
        self._opened_before = False
        self._had_frames = False
        self._thread = threading.Thread(target=self._guarded, name=f"livestereo-camera-{camera.word}", daemon=True)

    def start(self) -> None:
        """Begin; what comes of it is told to the inbox."""
        self._thread.start()

    def reopen(self, pause_s: float = 0.0, aim: Aim | None = None) -> None:
        """Close the camera and open it again, after a pause; then at the next moment that `aim` names."""
        self._pause_s, self._aim = pause_s, aim
        self._again.set()

    def ask_to_stop(self) -> None:
        """Ask for the end; `join` waits for it."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread, at most so long; True when it has ended."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:  # a thread's edge: the reader of the pairs raises it
            self._inbox.failed(self._side, error)

    def _run(self) -> None:
        backoff = FIRST_BACKOFF_S
        while not self._stop.is_set():
            self._again.clear()
            had_frames = self._had_frames
            self._had_frames = False
            try:
                camera = self._open_camera()
            except LiveStereoError:
                if not self._opened_before:
                    raise
            else:
                try:
                    if self._read(camera):
                        return
                finally:
                    camera.release()
            # A camera that opens but gives nothing is waited for like one that does not open.
            backoff = FIRST_BACKOFF_S if had_frames or self._had_frames else min(2 * backoff, LONGEST_BACKOFF_S)
            pause_s = max(backoff if not self._again.is_set() else 0.0, self._pause_s)
            if self._aim is not None:
                pause_s = self._aim.wait_s(self._clock(), pause_s)
            if self._stop.wait(pause_s):
                return
            self._pause_s, self._aim = 0.0, None

    def _read(self, camera: OpenCamera) -> bool:
        """Read until the camera is lost or shall be opened again. True: it has ended for good."""
        self._inbox.opened(self._side, camera)
        opened_s, failed = self._clock(), 0
        while not self._stop.is_set() and not self._again.is_set():
            if camera.grab():
                t_s = self._clock()
                driver_s = camera.driver_stamp_s()
                if not self._inbox.frame(self._side, camera.retrieve(), t_s, driver_s):
                    self._again.set()
                self._opened_before = self._had_frames = True
                failed = 0
                continue
            failed += 1
            if camera.ends and self._had_frames:
                self._inbox.lost(self._side, ended=True)
                return True
            if self._stop.is_set():
                break
            if not self._opened_before and self._clock() - opened_s > FIRST_FRAME_S:
                raise SourceError(
                    f"Camera {camera.camera.word} opens but gives no picture.",
                    "Two cameras on one USB port may need more than it carries: try --fourcc MJPG, a smaller --size, "
                    "or another port. Run `livestereo devices --probe`.",
                )
            # A network stream is over after its first failure; a driver may only have hiccuped.
            if camera.camera.is_url or (self._opened_before and failed >= FAILED_GRABS):
                break
            self._stop.wait(0.01)
        if not self._stop.is_set():
            self._inbox.lost(self._side, ended=False)
        return False
