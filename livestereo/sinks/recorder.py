"""Records a take while the program runs: one writer thread behind one queue, bounded in bytes.

Pairs come first: depth waits until no pair does, and is thinned when the writer falls behind, because it can be
computed again. A pair is given up whole (never one side alone) only when the queue is full, and every loss is counted
by its cause.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import CalibrationError
from livestereo.errors import LiveStereoError, TakeError
from livestereo.sinks.base import RecorderState
from livestereo.takes.manifest import Manifest
from livestereo.takes.raw import stores_encoded
from livestereo.takes.writer import TakeRequest, TakeWriter
from livestereo.timing import Clock, monotonic
from livestereo.types import F32, U8, Frame, SourceInfo, StereoFrame, StereoResult

QUEUE_BYTES = 256 << 20
# Depth gives way while the queue is fuller than this, so that pairs find room.
THIN_ABOVE = 0.25
# A writer that finishes nothing for so long is taken for stuck (a network disk that is gone, say).
STUCK_S = 30.0
MIB = 1 << 20
# A camera that has given nothing for so long when a take ends has left a gap at its end.
QUIET_S = 3.0
AT_THE_END = "no pair came until the end"
MAKE_ROOM = "Make room, or record elsewhere."
Preview = Callable[[StereoResult], U8]
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written in this folder."""
    return shutil.disk_usage(folder).free


def reserve_bytes(folder: Path) -> int:
    """Bytes to leave free: 64 MiB, or a twentieth of a small disk."""
    return int(min(64 * MIB, shutil.disk_usage(folder).total // 20))


@dataclass(frozen=True)
class _Job:
    """Something to write. size: bytes of memory that it holds. stored: bytes that it takes on the disk, at most.

    lost_as: for a pair, which must be in the take or counted: what to count it as where it cannot be written.
    later: it waits until no pair does.
    """

    size: int
    write: Callable[[TakeWriter], object]
    stored: int = 0
    lost_as: str | None = None
    later: bool = False


class Recorder:
    """Both a pair sink and a result sink.

    `accept_pair` waits for room only when the source is not live: then nothing is ever lost. A pair that comes, or
    still waits, when the take is closed is none of it. It asks for filters that remember to begin anew (it gives True)
    at the first pair and behind a lost one, so that the depth of the take depends on nothing but the take.

    ends_run: when no more can be written the run ends, by the error that `accept_pair` raises; otherwise it goes on
    and the pairs that are not written are counted.

    Raises (from `open`):
        TakeError: the take's folder cannot be made, or the disk is full already.
    """

    def __init__(
        self, request: TakeRequest, *, preview: Preview | None = None, queue_bytes: int = QUEUE_BYTES,
        free: FreeBytes = free_bytes, reserve: int | None = None,
        make_writer: Callable[[TakeRequest], TakeWriter] = TakeWriter, ends_run: bool = False, clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self.request = request
        self._ends_run = ends_run
        self.error: BaseException | None = None
        self.stopped: str | None = None
        self.quiet_s = 0.0  # how long no pair had come when the take ended, if that was a gap
        self.manifest: Manifest | None = None
        self._preview = preview if request.preview and request.content != "raw" else None
        self._limit = queue_bytes
        self._free, self._reserve = free, reserve
        self._make_writer = make_writer
        self._writer: TakeWriter | None = None
        self._pairs: deque[_Job] = deque()
        self._depth: deque[_Job] = deque()
        self._queued = self._to_store = 0
        self._room = threading.Condition()
        self._closing = False
        self._live = True
        self._captured = 0
        self._fresh = True
        self._first_s: float | None = None
        self._last_s = 0.0
        self._clock, self._accepted_s = clock, 0.0
        self._thread: threading.Thread | None = None
        self._refused = False
        self._geometry_noted = False
        self._depth_after_s = float("-inf")
        self._shapes: dict[int, tuple[int, ...]] = {}

    def open(self, info: SourceInfo) -> None:
        """Make the take and start the writer."""
        self._live = info.live
        place = next(p for p in (self.request.folder, *self.request.folder.absolute().parents) if p.exists())
        self._reserve = reserve_bytes(place) if self._reserve is None else self._reserve
        if (full := self._full(place, self._reserve)) is not None:
            raise TakeError(full, MAKE_ROOM)
        self._writer = self._make_writer(self.request)
        self._thread = threading.Thread(target=self._run, name="livestereo-recorder", daemon=True)
        self._thread.start()

    def give_up_depth(self) -> None:
        """Record raw pictures alone from now on; before any depth has come."""
        self.request, self._preview = dataclasses.replace(self.request, content="raw"), None
        if self._writer is not None:
            self._writer.request = self.request

    @property
    def stores_pictures(self) -> bool:
        """Whether lossless pictures are stored, though the cameras may send JPEG."""
        return self.request.raw == "ffv1" and self.request.content != "depth"

    def accept_pair(self, frame: StereoFrame) -> bool:
        """Queue one pair; a live pair that finds no room is counted as lost."""
        if self._thread is None or self._closing:
            return False
        if not self._live and self._first_s is not None and frame.t_s <= self._last_s:
            # The person went back in a file: what is in the take already does not come into it again, nor does depth
            # of it, which would depend on the way it was come by.
            self._fresh, self._depth_after_s = True, self._last_s
            return False
        if self.stopped is not None:
            with self._room:
                if not self._closing:
                    self._captured += 1
                    self._lose(frame, "disk")
            if self._ends_run:
                raise self.why_it_ended(self.stopped)
            return False
        gap_s = 0.0 if self._first_s is None else frame.t_s - self._last_s
        kept, size = self._to_keep(frame)

        def write(writer: TakeWriter) -> None:
            if kept.gap is not None:
                writer.note_gap(kept.gap, gap_s)
            writer.write_pair(kept)

        queued = self._put_pair(frame, _Job(size, write, size, "disk"))
        if not queued:
            self._fresh = self._fresh or queued is False
            return False
        self._first_s = frame.t_s if self._first_s is None else self._first_s
        self._last_s, self._accepted_s = frame.t_s, self._clock()
        fresh, self._fresh = self._fresh, False
        return fresh

    @staticmethod
    def why_it_ended(stopped: str) -> TakeError:
        """The error of a run that ends because no more can be recorded."""
        return TakeError(stopped, f"The take was closed and is whole. {MAKE_ROOM}")

    def accept(self, result: StereoResult) -> None:
        """Queue the disparity of one result; left out while the writer is behind."""
        if self._thread is None or self._closing or self.stopped is not None:
            return
        if self.request.content == "raw" or result.frame.t_s <= self._depth_after_s:
            return
        if not self._geometry_noted:
            self._geometry_noted = True
            at = result.pair.rectification
            self._put(_Job(0, lambda writer: writer.note_geometry(at), later=True), must=True)
        settings = result.settings.model_dump() if result.settings is not None else None
        fresh, frame, disparity = result.fresh, result.frame, result.disparity_px
        if self._live and self._queued > THIN_ABOVE * self._limit:
            self._put(_Job(0, lambda w: w.note_thinned(frame, settings, fresh=fresh), later=True), must=True)
            return
        size, draw = disparity.nbytes, None
        if self._preview is not None:  # it is drawn by the writer's thread, which keeps the whole result for it
            draw = partial(self._preview, result)
            size += result.depth_m.nbytes + 9 * (result.pair.left_gray.nbytes + result.pair.right_gray.nbytes)
        else:
            frame = _without_pictures(frame)  # only its number and its stamp are needed any more
        write = partial(_write_depth, frame, disparity, settings, fresh, draw)
        self._put(_Job(size, write, disparity.nbytes // 2, later=True))

    def state(self) -> RecorderState:
        """What to show; may be called from any thread."""
        writer = self._writer
        if writer is None:
            return RecorderState(queue_limit=self._limit, stopped=self.stopped)
        seconds = self._last_s - self._first_s if self._first_s is not None else 0.0
        minutes = None
        if seconds > 1 and writer.bytes > 0 and self._reserve is not None:
            with contextlib.suppress(OSError):
                room = max(0, self._free(self.request.folder) - self._reserve)
                minutes = room / (writer.bytes / seconds) / 60
        manifest = writer.manifest
        return RecorderState(
            recording=self._thread is not None and not self._closing and self.stopped is None,
            seconds=seconds, pairs=manifest.pairs, depth_pairs=manifest.depth_pairs, bytes=writer.bytes,
            queue_bytes=self._queued, queue_limit=self._limit, thinned=writer.thinned, minutes_left=minutes,
            lost=dict(manifest.lost), stopped=None if self._ends_run else self.stopped,
        )  # fmt: skip

    def close(self) -> None:
        """Write what is queued, finish the take and stop the thread; idempotent.

        Raises:
            TakeError: the writer failed or is stuck; what it had written is kept.
        """
        if self._thread is None:
            return
        with self._room:
            quiet_s = self._clock() - self._accepted_s
            if not self._closing and self._live and self._first_s is not None and quiet_s > QUIET_S:
                self.quiet_s = quiet_s
                self._put(_Job(0, lambda writer: writer.note_gap(AT_THE_END, quiet_s)), must=True)
            self._closing = True
            self._room.notify_all()
        waiting = self._waiting() + 1
        while self._thread.is_alive() and self._waiting() < waiting:
            waiting = self._waiting()
            self._thread.join(STUCK_S)
        stuck = self._thread.is_alive()
        self._thread = None
        why = f"the disk has taken nothing for {STUCK_S:.0f} s" if stuck else str(self.error or "").rstrip(".")
        if stuck or self.error is not None:
            raise TakeError(
                f"Recording into {self.request.folder} failed: {why}.",
                "What was written before is kept; `livestereo verify` tells how much, `--repair` makes it whole.",
            ) from self.error

    def _to_keep(self, frame: StereoFrame) -> tuple[StereoFrame, int]:
        """Give what the queue must hold of a pair, and how many bytes that is: no picture whose JPEG will be stored."""
        if self.request.content == "depth":
            return _without_pictures(frame), 128
        sides: list[Frame] = []
        size = 0
        for number, side in enumerate((frame.left, frame.right)):
            if side.encoded is not None and stores_encoded(side, self.request.raw):
                # The size of the first picture stands for all: only it is decoded for the recording.
                if number not in self._shapes:
                    self._shapes[number] = side.image.shape
                sides.append(_blank(side, self._shapes[number]))
                size += len(side.encoded)
            else:
                sides.append(Frame(side.image, side.t_s, side.seq))
                size += side.image.nbytes
        return dataclasses.replace(frame, left=sides[0], right=sides[1]), size

    def _put_pair(self, frame: StereoFrame, job: _Job) -> bool | None:
        """Count a pair and queue it; False: it is lost for want of room. None: the take is being closed without it."""
        with self._room:
            while self._is_full(job) and not (self._live or self._closing):
                self._room.wait(1.0)
            if self._closing:
                return None
            self._captured += 1
            fits = not self._is_full(job)
            if fits:
                self._put(job, must=True)
            else:
                self._lose(frame, "queue")
            return fits

    def _is_full(self, job: _Job) -> bool:
        return self._queued + job.size > self._limit and self._waiting() > 0

    def _put(self, job: _Job, *, must: bool = False) -> bool:
        with self._room:
            while not must and self._is_full(job):
                if self._live or self._closing:
                    return False
                self._room.wait(1.0)
            (self._depth if job.later else self._pairs).append(job)
            self._queued += job.size
            self._to_store += job.stored
            self._room.notify_all()
        return True

    def _lose(self, frame: StereoFrame, cause: str) -> None:
        seq = frame.seq
        self._put(_Job(0, lambda writer: writer.note_lost(cause, seq), 0, cause), must=True)

    # --- the writer's thread

    def _run(self) -> None:
        writer = self._writer
        assert writer is not None
        while (job := self._next()) is not None:
            self._do(writer, job)
            with self._room:
                self._queued -= job.size
                self._to_store -= job.stored
                self._room.notify_all()
        try:
            self.manifest = writer.close(captured=self._captured, stopped=self.stopped, measure_fps=self._live)
        except BaseException as error:  # the edge of the thread: the disk may be gone, the streams stand as they are
            self.error = self.error or error

    def _next(self) -> _Job | None:
        with self._room:
            self._room.wait_for(lambda: self._waiting() or self._closing)
            for queue in (self._pairs, self._depth):
                if queue:
                    return queue.popleft()
            return None

    def _waiting(self) -> int:
        return len(self._pairs) + len(self._depth)

    def _do(self, writer: TakeWriter, job: _Job) -> None:
        """Write one job; where that cannot be, a pair is counted, and nothing but counting is done from then on."""
        self._look_at_disk(job)
        if not self._refused:
            try:
                job.write(writer)
                return
            except (OSError, LiveStereoError, CalibrationError) as error:
                self._refuse(_why(error))
            except BaseException as error:  # the edge of the thread: kept, and raised by close()
                self.error = error
                self._refuse(f"{type(error).__name__}: {error}")
        if job.lost_as is not None:
            # A pair whose line is not in the index is not in the take, whatever the streams hold of it.
            writer.count_lost(job.lost_as)

    def _refuse(self, why: str) -> None:
        self._refused = True
        size = self._writer.bytes if self._writer is not None else 0
        self.stopped = self.stopped or (
            f"Recording into {self.request.folder} stopped after {size / MIB:.0f} MiB: {why}"
        )

    def _look_at_disk(self, job: _Job) -> None:
        """Take no more pairs when what is queued would use the reserve up; write nothing that would use half of it."""
        reserve = self._reserve or 0
        with contextlib.suppress(OSError):  # a disk that cannot be asked refuses the next write, which is told
            if self.stopped is None:
                self.stopped = self._full(self.request.folder, reserve + self._to_store)
            if self.stopped is not None and not self._refused:
                self._refused = self._full(self.request.folder, reserve // 2 + job.stored) is not None

    def _full(self, place: Path, needed: int) -> str | None:
        free = self._free(place)
        if free >= needed:
            return None
        written = self._writer.bytes if self._writer is not None else 0
        after = f" after {written / MIB:.0f} MiB were recorded" if written else ""
        waiting = f", and up to {self._to_store / MIB:.0f} MiB wait to be written" if self._to_store > MIB else ""
        return f"The disk is nearly full: {free / MIB:.0f} MiB are left at {self.request.folder}{after}{waiting}."


def _why(error: Exception) -> str:
    if isinstance(error, (LiveStereoError, CalibrationError)):
        return error.what
    assert isinstance(error, OSError)
    return f"the disk refused: {error.strerror or error}."


def _write_depth(
    frame: StereoFrame, disparity_px: F32, settings: dict[str, Any] | None, fresh: bool, draw: Callable[[], U8] | None,
    writer: TakeWriter,
) -> None:  # fmt: skip
    if writer.write_depth(frame, disparity_px, settings, fresh=fresh) and draw is not None:
        writer.write_preview(frame, draw())


def _without_pictures(frame: StereoFrame) -> StereoFrame:
    return dataclasses.replace(frame, left=_blank(frame.left, (0, 0, 3)), right=_blank(frame.right, (0, 0, 3)))


def _blank(frame: Frame, shape: tuple[int, ...]) -> Frame:
    """The frame with a picture of this shape that takes no memory."""
    return Frame(np.broadcast_to(np.zeros((), np.uint8), shape), frame.t_s, frame.seq, frame.encoded, frame.turned)
