"""Pairs from live cameras and network streams: a reader thread each, paired by their clocks, the newest wins."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from livestereo.errors import LiveStereoError, NoFrameYet, SourceError
from livestereo.phase import Aim, PhaseReading, read_phase
from livestereo.skew import worst_row_skew_s
from livestereo.sources.capture import Camera, Grabbed, OpenCamera, OpenCapture, Wanted, open_with_opencv
from livestereo.sources.controls import ControlRoom, OpenControls
from livestereo.sources.devices import find_camera, other_cameras, why_no_picture, why_not_open
from livestereo.sources.frames import camera_frame, split_frames
from livestereo.sources.grammar import Word
from livestereo.sources.logbook import Logbook
from livestereo.sources.pairing import Dropped, Paired, Pairer
from livestereo.sources.pairqueue import PairQueue
from livestereo.sources.reader import CameraReader
from livestereo.sources.remedy import Remedy
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import in_order, view_sizes
from livestereo.sources.stamps import StampChoice
from livestereo.sources.v4l2 import open_controls
from livestereo.sources.watchdog import Watchdog, fingerprint
from livestereo.timing import Clock, monotonic
from livestereo.types import CaptureStats, Frame, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self

OPEN_S = 12.0  # until both cameras must have given a first picture
STOP_S = 1.2  # a grab waits at most a second; one that is being opened is not waited for longer


def open_cameras(
    words: Sequence[Word],
    request: SourceRequest,
    open_capture: OpenCapture = open_with_opencv,
    clock: Clock = monotonic,
) -> LiveSource:
    """Make a source of one camera that carries both views, or of two.

    Raises:
        SourceError: no such camera, or the same one twice.
    """
    cameras = [find_camera(word) for word in words]
    if len(cameras) == 2 and cameras[0].id == cameras[1].id:
        same = cameras[0].word if words[0].text == words[1].text else f"{cameras[0].word} and {cameras[1].word}"
        raise SourceError(
            f"Left and right are the same camera ({same}).", "Name two; `livestereo devices` lists what is attached."
        )
    return LiveSource(cameras, request, find_again=find_camera, open_capture=open_capture, clock=clock)


class LiveSource:
    """A live source; see `Source`. Its reader threads end in `__exit__`, within two seconds."""

    def __init__(
        self,
        cameras: Sequence[Camera],
        request: SourceRequest,
        *,
        find_again: Callable[[Word], Camera] | None = None,
        open_capture: OpenCapture = open_with_opencv,
        open_controls_of: OpenControls = open_controls,
        clock: Clock = monotonic,
    ) -> None:
        self._request = request
        self._cameras = list(cameras)
        self._find_again = find_again
        self._open_capture = open_capture
        self._clock = clock
        self._changed = threading.Condition()
        now = clock()
        self._dogs = [Watchdog(now, request.fps[i]) for i in range(len(cameras))]
        self._pairer: Pairer[int] = self._new_pairer()
        self._stamps = StampChoice(len(cameras))
        self._held: dict[int, tuple[int, Frame]] = {}
        self._tokens = 0
        self._pairs = PairQueue()
        self._offered = self._reconnects = 0
        self._numbers = [0] * len(cameras)
        self._dropped: Counter[str] = Counter({"camera": 0, "pairing": 0})
        self._opened_times = [0] * len(cameras)
        self._began_s = [now] * len(cameras)
        self._asked = [False] * len(cameras)
        self._log = Logbook()
        self._remedies = [Remedy() for _ in cameras]
        self._formats = [""] * len(cameras)
        self._rates: list[float | None] = [None] * len(cameras)
        self._last_skew_s = 0.0
        self._controls = ControlRoom(request, open_controls_of)
        self._error: BaseException | None = None
        self._closed = False
        self._readers = [
            CameraReader(side, camera, self._opener(side), self, clock) for side, camera in enumerate(self._cameras)
        ]
        self._info = SourceInfo(name=" ".join(camera.word for camera in cameras), live=True)

    def _new_pairer(self) -> Pairer[int]:
        # The cameras are paired as named first and second; the bias belongs to left and right after swapping.
        bias = -self._request.stamp_bias_s if self._request.swap else self._request.stamp_bias_s
        return Pairer(self._request.max_skew_s, bias, self._request.fps)

    def _opener(self, side: int) -> Callable[[], OpenCamera]:
        request = self._request

        def open_camera() -> OpenCamera:
            camera = self._cameras[side]
            if self._opened_times[side] and self._find_again is not None and not camera.is_url:
                # Indexes change when a camera comes back; its stable id does not.
                camera = replace(self._find_again(Word("camera", camera.id)), word=camera.word)
            self._began_s[side] = self._clock()
            opened = OpenCamera(
                camera, Wanted(request.size[side], request.fps[side], request.fourcc[side]), self._open_capture
            )
            if not opened.is_open:
                opened.release()
                raise why_not_open(camera)
            return opened

        return open_camera

    def _why_silent(self) -> SourceError:
        silent = [side for side, dog in enumerate(self._dogs) if dog.size_wh is None]
        damaged = [self._cameras[side].word for side in silent if self._log.has_damaged(self._side_name(side))]
        return why_no_picture([self._cameras[side].word for side in silent], damaged, OPEN_S)

    # --- the source

    @property
    def info(self) -> SourceInfo:
        """Sizes are known once it is open; notes grow when a camera differs from what was asked for."""
        return self._info

    def __enter__(self) -> Self:
        try:
            for reader in self._readers:
                reader.start()
            deadline = self._clock() + OPEN_S
            with self._changed:
                while self._error is None and any(dog.size_wh is None for dog in self._dogs):
                    left_s = deadline - self._clock()
                    if left_s <= 0:
                        raise self._why_silent()
                    self._changed.wait(min(left_s, 0.5))
                self._raise_error()
                self._info = self._make_info()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for reader in self._readers:
            reader.ask_to_stop()
        deadline = self._clock() + STOP_S
        for reader in self._readers:
            reader.join(deadline - self._clock())
        with self._changed:
            self._closed = True
            self._controls.close()
            self._changed.notify_all()

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair; the newest, once the caller is plainly slower than the cameras.

        Raises:
            NoFrameYet: no pair within `timeout_s`.
            SourceError: a reader thread died.
        """
        with self._changed:
            deadline = self._clock() + timeout_s
            while not self._pairs:
                self._raise_error()
                if self._closed or all(dog.ended for dog in self._dogs):
                    return None
                left_s = deadline - self._clock()
                if left_s <= 0 or not self._changed.wait(left_s):
                    self._settle(self._pairer.decide(self._clock()))
                    if not self._pairs:
                        raise NoFrameYet(self._why_nothing() or "no pair yet")
            return self._pairs.take(self._clock(), self._period_s())

    def stats(self) -> CaptureStats:
        """Counts and health as they are now."""
        with self._changed:
            now = self._clock()
            health = [dog.health(now) for dog in self._dogs]
            rates = [dog.rate(now) for dog in self._dogs]
            left, right = in_order(health[0], health[-1], self._request)
            fps_left, fps_right = in_order(rates[0], rates[-1], self._request)
            missing = [now - h.since_s for h in health if h.state not in ("ok", "slow", "ended")]
            return CaptureStats(
                self._offered,
                self._pairs.taken,
                {**self._dropped, "busy": 2 * self._pairs.lost},
                fps_left,
                fps_right,
                left.state,
                right.state,
                max(missing, default=0.0),
                self._reconnects,
                self._pairer.waiting + 2 * len(self._pairs),
                self._row_skew_s(),
            )

    def lock_exposure(self, locked: bool | None = None) -> str:
        """Lock exposure time, gain and white balance to equal values, or free them (None: the other way); say so."""
        with self._changed:
            lock = not self._controls.locked if locked is None else locked
            return self._controls.lock(self._request.exposure_s) if lock else self._controls.unlock()

    def reopen(self, side: str, pause_s: float = 0.0, aim: Aim | None = None) -> None:
        """Close the camera of `left` or `right` and open it again after a pause: its phase is new then."""
        index = self._index(side)
        self._asked[index] = True
        self._readers[index].reopen(pause_s, aim)

    def phase(self, side: str) -> PhaseReading | None:
        """Read the phase of the camera of `left` or `right` against the other; None while it cannot be told."""
        if len(self._cameras) == 1:
            return None
        with self._changed:
            moved = self._index(side)
            if self._asked[moved] or any(dog.health(self._clock()).state not in ("ok", "slow") for dog in self._dogs):
                return None
            bias = self._pairer.bias_s if moved == 1 else -self._pairer.bias_s
            clocks = self._pairer.clocks
            return read_phase(clocks[1 - moved], clocks[moved], bias, self._began_s[moved])

    def set_stamp_bias(self, bias_s: float) -> None:
        """Pair by another bias from now on (true skew − stamp skew of left and right)."""
        with self._changed:
            self._pairer.bias_s = -bias_s if self._request.swap else bias_s

    def _index(self, side: str) -> int:
        return in_order(0, len(self._readers) - 1, self._request)[side == "right"]

    # --- called by the readers

    def opened(self, side: int, camera: OpenCamera) -> None:
        """Note a camera that was opened; its clock starts anew."""
        with self._changed:
            self._dogs[side].opened(self._clock(), camera.fps)
            self._pairer.set_rate(side, camera.fps or self._request.fps[side])
            self._stamps.restart(side)
            self._formats[side] = camera.pixel_format
            self._rates[side] = camera.fps
            self._tell(camera.notes)
            self._tell(self._controls.attach(in_order(0, 1, self._request)[side], camera.camera))
            if self._opened_times[side] and not self._asked[side]:
                self._reconnects += 1
            self._asked[side] = False
            self._opened_times[side] += 1
            if len(self._cameras) == 2:
                self._settle(list(self._pairer.restart(side)))

    def frame(self, side: int, grabbed: Grabbed, t_s: float, driver_s: float | None) -> bool:
        """Take a frame: count it, judge it, pair it."""
        mark = fingerprint(grabbed)
        with self._changed:
            single = len(self._cameras) == 1
            self._offered += 2 if single else 1
            number = self._numbers[side]
            self._numbers[side] += 1
            dog = self._dogs[side]
            if dog.health(t_s).state == "stalled":
                self._note_trouble(side, "stalled")
            if grabbed.size_wh is None:
                self._log.damaged(self._side_name(side), t_s)
                self._show_notes()
            good = grabbed.size_wh is not None and dog.saw(t_s, mark, grabbed.size_wh)
            if not good or self._frozen_alone(side, t_s):
                self._dropped["camera"] += 2 if single else 1
                if dog.health(t_s).state in ("frozen", "wrong size"):
                    self._note_trouble(side, dog.health(t_s).state)
            elif single:
                first, second = split_frames(grabbed, t_s, number, self._request)
                self._put(first, second, 0.0)
            else:
                stamp, restart = self._stamps.choose(side, t_s, driver_s)
                if restart:
                    for each in (0, 1):
                        self._settle(list(self._pairer.restart(each)))
                self._tokens += 1
                self._held[self._tokens] = side, camera_frame(grabbed, stamp, number, self._request, side)
                self._settle(self._pairer.offer(side, stamp, self._tokens))
            reopen = self._should_reopen(side, t_s)
            self._changed.notify_all()
            return not reopen

    def lost(self, side: int, ended: bool) -> None:
        """Note a camera that was lost."""
        with self._changed:
            self._dogs[side].lost(self._clock(), ended)
            self._controls.detach(in_order(0, 1, self._request)[side])
            if len(self._cameras) == 2:
                self._settle(list(self._pairer.flush(side)))
            if not ended:
                self._note_trouble(side, "opened again" if self._asked[side] else "lost")
            self._changed.notify_all()

    def failed(self, side: int, error: BaseException) -> None:
        """Keep what a reader died of; `read` raises it."""
        with self._changed:
            if self._error is None:
                self._error = error
            self._dogs[side].lost(self._clock())
            self._changed.notify_all()

    # --- inside

    def _raise_error(self) -> None:
        if self._error is None:
            return
        if isinstance(self._error, LiveStereoError):
            raise self._error
        raise SourceError("Reading a camera failed.", "This is a defect of the program.") from self._error

    def _side_name(self, side: int) -> str:
        if len(self._cameras) == 1:
            return "the"
        return in_order("left", "right", self._request)[side]

    def _settle(self, events: Sequence[Paired[int] | Dropped[int]]) -> None:
        for event in events:
            if isinstance(event, Dropped):
                del self._held[event.token]
                self._dropped["pairing"] += 1
            else:
                _, first = self._held.pop(event.left)
                _, second = self._held.pop(event.right)
                self._put(first, second, event.skew_s)

    def _put(self, first: Frame, second: Frame, skew_s: float) -> None:
        left, right = in_order(first, second, self._request)
        self._last_skew_s = -skew_s if self._request.swap else skew_s
        gap = self._log.gap(left.t_s, self._period_s(), self._why_nothing)
        pair = StereoFrame(left, right, 0, self._last_skew_s, gap=gap)
        if self._controls.wants_pair():
            self._tell(self._controls.see(pair))
        self._pairs.put(pair)

    def _tell(self, notes: Sequence[str]) -> None:
        self._log.note(notes)
        self._show_notes()

    def _show_notes(self) -> None:
        if self._info.notes != self._log.notes:
            self._info = replace(self._info, notes=self._log.notes, faults=self._log.faults)

    def _period_s(self) -> float:
        return max(clock.period_s for clock in self._pairer.clocks)

    def _row_skew_s(self) -> float:
        if self._request.readout_s is None:
            return self._last_skew_s
        turns = in_order(*self._request.flip, self._request)
        return worst_row_skew_s(self._last_skew_s, self._request.readout_s, turns)

    def _why_nothing(self) -> str:
        now = self._clock()
        bad = [(side, dog.health(now).state) for side, dog in enumerate(self._dogs)]
        return ", ".join(f"{self._side_name(side)} camera {state}" for side, state in bad if state != "ok")

    def _frozen_alone(self, side: int, now_s: float) -> bool:
        """One camera repeats itself while the other goes on: its pairs would show depth that is not there."""
        if len(self._dogs) == 1 or not self._dogs[side].frozen(now_s):
            return False
        other = self._dogs[1 - side].health(now_s)
        return other.state in ("ok", "slow")

    def _should_reopen(self, side: int, now_s: float) -> bool:
        """A camera that stays frozen or at a wrong size is opened again, ever more seldom."""
        frozen_alone = self._frozen_alone(side, now_s)
        return self._remedies[side].due(self._dogs[side].health(now_s), now_s, frozen_alone=frozen_alone)

    def _note_trouble(self, side: int, what: str) -> None:
        """Keep the cause of the gap that the next pair will tell of."""
        self._log.trouble(f"{self._side_name(side)} camera {what}")

    def _nominal_fps(self) -> float | None:
        """Give what the drivers say, of the slower camera; what was asked for where they say nothing."""
        rates = [rate or self._request.fps[side] for side, rate in enumerate(self._rates)]
        return min((rate for rate in rates if rate is not None), default=None)

    def _make_info(self) -> SourceInfo:
        left, right = view_sizes(self._dogs[0].size_wh, self._dogs[-1].size_wh, self._request)
        ids = in_order(self._cameras[0].id, self._cameras[-1].id, self._request)
        self._log.note(other_cameras(self._request.camera_ids, ids))
        formats = in_order(self._formats[0], self._formats[-1], self._request)
        return replace(
            self._info, left_size_wh=left, right_size_wh=right, fps=self._nominal_fps(), left_id=ids[0],
            right_id=ids[1], notes=self._log.notes, faults=self._log.faults,
            capture={"stamps": self._stamps.label, "formats": formats, **self._controls.describe()},
        )  # fmt: skip
