"""Records a take while the program runs: one writer thread behind one queue, bounded in bytes.

Pairs come first. Depth is thinned when the writer falls behind, because it can be computed again; a pair is given up
whole (never one side alone) only when the queue is full, and every loss is counted by its cause.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from livestereo.errors import LiveStereoError, TakeError
from livestereo.takes.manifest import Manifest
from livestereo.takes.writer import TakeRequest, TakeWriter
from livestereo.types import U8, SourceInfo, StereoFrame, StereoResult

QUEUE_BYTES = 256 << 20
# Depth gives way while the queue is fuller than this, so that pairs find room.
THIN_ABOVE = 0.25
JOIN_S = 30.0
CHECK_DISK_EVERY = 15
Preview = Callable[[StereoResult], U8]
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written in this folder."""
    return shutil.disk_usage(folder).free


def reserve_bytes(folder: Path) -> int:
    """Bytes to leave free: 64 MiB, or a twentieth of a small disk."""
    return int(min(64 << 20, shutil.disk_usage(folder).total // 20))


@dataclass(frozen=True)
class RecorderState:
    """What the HUD shows while a take is made."""

    recording: bool
    seconds: float
    pairs: int
    depth_pairs: int
    bytes: int
    queue_bytes: int
    queue_limit: int
    thinned: int
    minutes_left: float | None
    lost: dict[str, int] = field(default_factory=dict)
    stopped: str | None = None


@dataclass(frozen=True)
class _Job:
    """Something to write; `counts`: a pair, which must be in the take or counted as lost."""

    size: int
    write: Callable[[TakeWriter], object]
    counts: bool


class Recorder:
    """Both a pair sink and a result sink.

    `accept_pair` waits for room only when the source is not live: then nothing is ever lost.

    ends_run: when the disk is full the run ends, by the error that `accept_pair` raises; otherwise it goes on and the
    pairs that are not written are counted.

    Raises (from `open`):
        TakeError: the take's folder cannot be made, or the disk is full already.
    """

    def __init__(
        self, request: TakeRequest, *, preview: Preview | None = None, queue_bytes: int = QUEUE_BYTES,
        free: FreeBytes = free_bytes, reserve: int | None = None,
        make_writer: Callable[[TakeRequest], TakeWriter] = TakeWriter, ends_run: bool = False,
    ) -> None:  # fmt: skip
        self.request = request
        self._ends_run = ends_run
        self.error: BaseException | None = None
        self.stopped: str | None = None
        self.manifest: Manifest | None = None
        self._preview = preview if request.preview and request.content != "raw" else None
        self._limit = queue_bytes
        self._free, self._reserve = free, reserve
        self._make_writer = make_writer
        self._writer: TakeWriter | None = None
        self._queue: deque[_Job] = deque()
        self._queued = 0
        self._room = threading.Condition()
        self._closing = False
        self._live = True
        self._captured = 0
        self._first_s: float | None = None
        self._last_s = 0.0
        self._thread: threading.Thread | None = None
        self._since_check = 0
        self._refused = False

    def open(self, info: SourceInfo) -> None:
        """Make the take and start the writer."""
        self._live = info.live
        self._writer = self._make_writer(self.request)
        self._reserve = reserve_bytes(self.request.folder) if self._reserve is None else self._reserve
        self._check_disk()
        self._thread = threading.Thread(target=self._run, name="livestereo-recorder", daemon=True)
        self._thread.start()

    def accept_pair(self, frame: StereoFrame) -> None:
        """Queue one pair; a live pair that finds no room is counted as lost."""
        if self._thread is None or self._closing:
            return
        self._captured += 1
        if self.stopped is not None:
            self._put(0, lambda w: w.note_lost("disk", frame.seq), must=True)
            if self._ends_run:
                raise TakeError(self.stopped, "The take was closed and is whole. Make room, or record elsewhere.")
            return
        gap_s = 0.0 if self._first_s is None else frame.t_s - self._last_s
        self._first_s = frame.t_s if self._first_s is None else self._first_s
        self._last_s = frame.t_s

        def write(writer: TakeWriter) -> None:
            if frame.gap is not None:
                writer.note_gap(frame.gap, gap_s)
            writer.write_pair(frame)

        size = sum(
            len(f.encoded) if f.encoded is not None else f.image.nbytes for f in (frame.left, frame.right)
        ) if self.request.content != "depth" else 64  # fmt: skip
        if not self._put(size, write, counts=True):
            self._put(0, lambda w: w.note_lost("queue", frame.seq), must=True)

    def accept(self, result: StereoResult) -> None:
        """Queue the disparity of one result; left out while the writer is behind."""
        if self._thread is None or self._closing or self.stopped is not None or self.request.content == "raw":
            return
        if self._live and self._queued > THIN_ABOVE * self._limit:
            self._put(0, lambda w: w.note_thinned(result.frame), must=True)
            return
        preview = self._preview

        def write(writer: TakeWriter) -> None:
            settings = result.settings.model_dump() if result.settings is not None else None
            writer.write_depth(result.frame, result.disparity_px, settings)
            if preview is not None:
                writer.write_preview(result.frame, preview(result))

        self._put(result.disparity_px.nbytes, write)

    def state(self) -> RecorderState:
        """What to show; may be called from any thread."""
        writer = self._writer
        manifest = writer.manifest if writer is not None else Manifest()
        size = writer.bytes if writer is not None else 0
        seconds = self._last_s - self._first_s if self._first_s is not None else 0.0
        minutes = None
        if seconds > 1 and size > 0 and self._reserve is not None:
            with contextlib.suppress(OSError):
                minutes = max(0, self._free(self.request.folder) - self._reserve) / (size / seconds) / 60
        return RecorderState(
            recording=self._thread is not None and not self._closing and self.stopped is None,
            seconds=seconds, pairs=manifest.pairs, depth_pairs=manifest.depth_pairs, bytes=size,
            queue_bytes=self._queued, queue_limit=self._limit, thinned=manifest.thinned, minutes_left=minutes,
            lost=dict(manifest.lost), stopped=self.stopped,
        )  # fmt: skip

    def close(self) -> None:
        """Write what is queued, finish the take and stop the thread; idempotent.

        Raises:
            LiveStereoError: the writer failed; what it had written is kept.
        """
        with self._room:
            self._closing = True
            self._room.notify_all()
        if self._thread is not None:
            self._thread.join(JOIN_S)
            self._thread = None
            if self.error is not None and not isinstance(self.error, LiveStereoError):
                raise TakeError(
                    f"Recording into {self.request.folder} failed: {self.error}.",
                    "What was written before is kept; check it with `livestereo verify`.",
                ) from self.error

    def _put(
        self, size: int, write: Callable[[TakeWriter], object], *, must: bool = False, counts: bool = False
    ) -> bool:
        with self._room:
            while not must and self._queued + size > self._limit and self._queue:
                if self._live:
                    return False
                if self._closing or self.error is not None:
                    return False
                self._room.wait(1.0)
            self._queue.append(_Job(size, write, counts))
            self._queued += size
            self._room.notify_all()
        return True

    def _run(self) -> None:
        writer = self._writer
        assert writer is not None
        try:
            while True:
                with self._room:
                    while not self._queue and not self._closing:
                        self._room.wait()
                    if not self._queue:
                        break
                    job = self._queue.popleft()
                self._do(writer, job)
                with self._room:
                    self._queued -= job.size
                    self._room.notify_all()
        except BaseException as error:  # the edge of the thread: kept, and raised by close()
            self.error = error
        finally:
            try:
                self.manifest = writer.close(captured=self._captured, stopped=self.stopped)
            except BaseException as error:  # the disk may be gone: the streams stand as they are
                self.error = self.error or error

    def _do(self, writer: TakeWriter, job: _Job) -> None:
        self._since_check += 1
        if self._since_check >= CHECK_DISK_EVERY and self.stopped is None:
            self._since_check = 0
            try:
                self._check_disk()
            except TakeError as error:
                self.stopped = error.what
        try:
            if not (job.counts and self._refused):
                job.write(writer)
                return
        except (TakeError, OSError) as error:
            reason = error.what if isinstance(error, TakeError) else f"the disk refused: {error.strerror or error}"
            self.stopped = self.stopped or f"Recording into {self.request.folder} stopped: {reason}"
            self._refused = True
        if job.counts:
            # A pair whose line is not in the index is not in the take, whatever the streams hold of it.
            writer.manifest.lost["disk"] = writer.manifest.lost.get("disk", 0) + 1

    def _check_disk(self) -> None:
        free = self._free(self.request.folder)
        # What is queued must still fit, and so must the ends of the streams.
        if free < (self._reserve or 0) + self._queued:
            raise TakeError(
                f"The disk is nearly full: {free / 2**20:.0f} MiB are left at {self.request.folder}.",
                "Make room, or record elsewhere.",
            )
