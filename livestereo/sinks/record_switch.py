"""Recording that a person starts and stops while the run goes on: hands pairs and results to a recorder, or to none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from livestereo.errors import LiveStereoError
from livestereo.sinks.base import RecorderState
from livestereo.sinks.recorder import Recorder
from livestereo.types import SourceInfo, StereoFrame, StereoResult
from livestereo.wording import counted

MakeRecorder = Callable[[Path], Recorder]
_IDLE = RecorderState()


class RecordSwitch:
    """A pair sink and a result sink. `toggle` starts a take in a new folder of `folder`, or ends it.

    Only results of pairs that the take has are handed on: those still in work when it begins belong to none of it.
    A take that stops by itself, because the disk is nearly full, is closed by `settle` while there is room for its end.
    """

    def __init__(self, folder: Path, make_recorder: MakeRecorder) -> None:
        self._folder = folder
        self._make = make_recorder
        self._info: SourceInfo | None = None
        self._recorder: Recorder | None = None
        self._path = folder
        self._first_seq: int | None = None
        self._lost: dict[str, int] = {}
        self._stopped: str | None = None
        self._failure: LiveStereoError | None = None
        self._lock = Lock()

    @property
    def recording(self) -> bool:
        """Whether a take is being made; one that has stopped by itself is not."""
        recorder = self._recorder
        return recorder is not None and recorder.stopped is None

    def open(self, info: SourceInfo) -> None:
        """Remember the source; nothing is recorded yet."""
        self._info = info

    def toggle(self) -> str:
        """Start or stop; give what to tell the person.

        Raises:
            LiveStereoError: the take cannot be made.
        """
        if self.recording:
            return self._stop()
        self._stop()  # the take that stopped by itself is closed before another begins
        return self._start()

    def _start(self) -> str:
        if self._info is None:
            raise LiveStereoError("There is nothing to record yet.", "Wait for the first picture.")
        path = self._free_path()
        recorder = self._make(path)
        recorder.open(self._info)
        with self._lock:
            self._path, self._first_seq, self._recorder, self._stopped = path, None, recorder, None
        return f"Recording into {path}"

    def _free_path(self) -> Path:
        name = f"take-{datetime.now():%Y%m%d-%H%M%S}"
        names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
        return next((path for one in names if not (path := self._folder / one).exists()), self._folder / name)

    def _stop(self) -> str:
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is None:
            return ""
        self._stopped = recorder.stopped
        recorder.close()
        state = recorder.state()
        for cause, count in state.lost.items():
            self._lost[cause] = self._lost.get(cause, 0) + count
        lost = sum(state.lost.values())
        return f"Recorded {counted(state.pairs, 'pair')} into {self._path}" + (f"; {lost} lost" if lost else "")

    def accept_pair(self, frame: StereoFrame) -> bool:
        """Hand on a pair while recording."""
        with self._lock:
            recorder = self._recorder
            if recorder is not None and self._first_seq is None:
                self._first_seq = frame.seq
        return recorder.accept_pair(frame) if recorder is not None else False

    def accept(self, result: StereoResult) -> None:
        """Hand on a result while recording."""
        with self._lock:
            recorder, first = self._recorder, self._first_seq
        if recorder is not None and first is not None and result.frame.seq >= first:
            recorder.accept(result)

    def settle(self) -> None:
        """Close a take that has stopped by itself; for the main thread, a few times a second, paused or not."""
        recorder = self._recorder
        if recorder is None or recorder.stopped is None:
            return
        try:
            self._stop()
        except LiveStereoError as error:  # the run goes on; it is told now, and `close` raises it
            self._stopped = str(error)
            self._failure = self._failure or error

    def state(self) -> RecorderState:
        """Give the state of the take that is being made."""
        recorder = self._recorder
        now = recorder.state() if recorder is not None else replace(_IDLE, stopped=self._stopped)
        lost = {cause: now.lost.get(cause, 0) + self._lost.get(cause, 0) for cause in {*now.lost, *self._lost}}
        return replace(now, lost=lost)

    def close(self) -> None:
        """End a take that is being made; idempotent.

        Raises:
            LiveStereoError: the end of a take could not be written.
        """
        failure, self._failure = self._failure, None
        self._stop()
        if failure is not None:
            raise failure
