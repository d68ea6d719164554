"""The threads of a run, each with an owner, a way to end and a bounded join.

A failure is handed to the `Flow`, which ends the run; the main thread raises it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import cv2

from calibration.errors import CalibrationError
from livestereo.engine_flow import Flow, exchanged
from livestereo.engine_plan import Plan, keeps_up, make_plan, seconds_per_pair, smaller_choices
from livestereo.errors import IncompleteSource, NoFrameYet
from livestereo.gray import of_its_picture
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.sinks.base import PairSink
from livestereo.sources.base import Source
from livestereo.timing import Clock
from livestereo.types import StereoFrame

READ_S = 0.2
# Until so many frames have come, the nominal rate of the cameras is believed.
FRAMES_TO_BELIEVE = 20
# Where nobody tells the rate, so many frames are waited for, and told from their stamps; no more is believed of them
# than the usual rate, because a stream may begin with frames that had been kept.
FEWEST_FRAMES = 4
ASSUMED_FPS = 30.0
SETTLE_S = 3.0  # for exposure and focus of cameras that have just been opened


class Room(Protocol):
    """A thread or some of them."""

    def start(self) -> None:
        """Begin."""
        ...

    def join(self, timeout_s: float) -> None:
        """Wait for the end, which the flow's stop has asked for."""
        ...


class RunThread:
    """One named thread whose failure goes to the flow."""

    def __init__(self, name: str, work: Callable[[], None], flow: Flow) -> None:
        self._work, self._flow = work, flow
        self._thread = threading.Thread(target=self._guarded, name=f"livestereo-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_s))

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as error:  # a thread's edge: the main thread raises it
            self._flow.fail(error)


class Reader(RunThread):
    """Pulls pairs, shows each to the pair sinks, and puts it into the flow.

    most: read so many pairs at most. pace: times the source's own speed, by its stamps. hold: at the end of the
    source wait for a seek, until the run is stopped.
    """

    def __init__(
        self, source: Source, flow: Flow, pair_sinks: Sequence[PairSink], *, most: int | None, pace: float | None,
        hold: bool, clock: Clock,
    ) -> None:  # fmt: skip
        super().__init__("reader", self._read_all, flow)
        self._source, self._pair_sinks = source, pair_sinks
        self._most, self._pace, self._hold, self._clock = most, pace, hold, clock
        self._live = source.info.live
        self._of_pictures = any(getattr(sink, "stores_pictures", False) for sink in pair_sinks)
        self._begin: tuple[float, float] | None = None
        self._read = 0
        self._sides = threading.Lock()  # held while they are exchanged
        self.swapped = False
        self.incomplete: IncompleteSource | None = None

    def seek(self, seq: int) -> bool:
        """Go on from pair `seq`; False where the source cannot."""
        if not getattr(self._source, "seekable", False):
            return False
        self._flow.seek(seq)
        return True

    def swap(self, *, waiting: bool) -> None:
        """Exchange the sides of the pairs that come, and of those read already that wait."""
        with self._sides:
            self.swapped = not self.swapped
            if waiting:
                self._flow.turn()

    def _read_all(self) -> None:
        try:
            while not self._flow.stopped and (self._most is None or self._read < self._most):
                epoch, target = self._flow.next_read()
                if target is not None:
                    source: Any = self._source  # one that is `seekable` has `seek`
                    source.seek(target)
                    self._begin = None
                try:
                    frame = self._source.read(READ_S)
                except NoFrameYet:
                    continue
                if frame is None:
                    if self._hold and self._flow.wait_for_epoch(epoch):
                        continue
                    break
                if not self._pass_on(frame, epoch):
                    break
        except IncompleteSource as error:
            self.incomplete = error
        finally:
            self._flow.end()

    def _pass_on(self, frame: StereoFrame, epoch: int) -> bool:
        grabbed_s = frame.t_s if self._live else self._clock()
        with self._sides:
            turns = self._flow.turns
            frame = exchanged(frame) if self.swapped else frame
        if self._of_pictures:
            frame = dataclasses.replace(frame, left=of_its_picture(frame.left), right=of_its_picture(frame.right))
        if self._pace is not None and not self._live:
            if self._begin is None:
                self._begin = (self._clock(), frame.t_s)
            due = self._begin[0] + (frame.t_s - self._begin[1]) / self._pace
            self._flow.wait_until_stopped(due - self._clock())
            grabbed_s = self._clock()
        self._read += 1
        fresh = frame.gap is not None
        for sink in self._pair_sinks:
            fresh = bool(sink.accept_pair(frame)) or fresh
        return self._flow.put(frame, grabbed_s, epoch, fresh=fresh, turns=turns)


class Workers:
    """Threads that each work with a pipeline of their own."""

    def __init__(self, flow: Flow, pipeline_for: Callable[[int, int], Pipeline]) -> None:
        self._flow, self._pipeline_for = flow, pipeline_for
        self._threads: list[RunThread] = []

    def start(self) -> None:
        """Nothing yet: threads begin when there are pipelines for them."""

    def at_least(self, count: int) -> None:
        """Have at least so many workers."""
        while len(self._threads) < count:
            index = len(self._threads)
            thread = RunThread(f"worker-{index}", partial(self._work, index), self._flow)
            self._threads.append(thread)
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for all of them."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _work(self, index: int) -> None:
        while (job := self._flow.take(index)) is not None:
            pipeline = self._pipeline_for(job.generation, index)
            made = pipeline.match(job.frame) if pipeline.stateful else pipeline.process(job.frame)
            self._flow.finish(job, made)


@dataclasses.dataclass(frozen=True)
class Built:
    """New pipelines, warm, or why there are none."""

    settings: Settings
    plan: Plan
    pipelines: tuple[Pipeline, ...] = ()
    notes: tuple[str, ...] = ()
    error: BaseException | None = None


class Builder(RunThread):
    """Builds pipelines beside the running ones and warms them up; the newest request wins."""

    def __init__(
        self, build: Callable[[Settings, StereoFrame], Pipeline], source: Source, flow: Flow, *, clock: Clock
    ) -> None:
        super().__init__("builder", self._serve, flow)
        self._build, self._source, self._clock = build, source, clock
        self._live = source.info.live
        self._lock = threading.Condition()
        self._asked: Settings | None = None
        self._in_work: Settings | None = None
        self._requests = 0
        self._built: Built | None = None
        self._built_for = 0
        self._stopped = False
        self._generations: dict[int, Built] = {}
        self.count = 0
        self.newest: Built | None = None  # what is in use
        self._threads_before = cv2.getNumThreads()

    def ask(self, settings: Settings) -> None:
        """Ask for pipelines of these settings."""
        with self._lock:
            if settings == (self._asked or self._in_work):
                return  # on its way already
            self._asked = settings
            self._requests += 1
            self._lock.notify_all()

    @property
    def up_to_date(self) -> bool:
        """Whether what was built last answers the newest request."""
        return self._built_for == self._requests

    @property
    def busy(self) -> bool:
        """Whether other pipelines than those in use are asked for or being built."""
        with self._lock:
            return (self._asked or self._in_work) is not None

    def ready(self) -> Built | None:
        """Give what was built since the last call."""
        with self._lock:
            built, self._built = self._built, None
            if built is not None and self.up_to_date:
                self._in_work = None
            return built

    def install(self, built: Built) -> None:
        """Let the workers use these pipelines from the next pair on."""
        self._generations[self.count] = self.newest = built
        self._flow.use(self.count, len(built.pipelines))
        self.count += 1

    def in_use(self) -> dict[str, Any]:
        """Give what was settled while building: workers, threads and the range that was found; nothing before that."""
        if self.newest is None:
            return {}
        plan, resolved = self.newest.plan, self.newest.pipelines[0].settings
        found = {} if resolved is None else resolved.model_dump(include={"min_disparity", "num_disparities"})
        return {**found, "workers": plan.workers, "threads": plan.threads}

    def pipeline(self, generation: int, worker: int) -> Pipeline:
        """Give one worker's pipeline; the first one's runs the filters that remember."""
        return self._generations[generation].pipelines[worker]

    def retire_before(self, generation: int) -> None:
        """Release pipelines that no pair needs any more."""
        for old in [one for one in self._generations if one < generation]:
            for pipeline in self._generations.pop(old).pipelines:
                pipeline.close()

    def join(self, timeout_s: float) -> None:
        """Stop building and wait."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
        super().join(timeout_s)

    def close(self) -> None:
        """Release all pipelines and give OpenCV its threads back."""
        self.retire_before(self.count)
        cv2.setNumThreads(self._threads_before)

    def _serve(self) -> None:
        while True:
            with self._lock:
                while self._asked is None and not self._stopped:
                    self._lock.wait()
                if self._stopped:
                    return
                settings, self._asked, request = self._asked, None, self._requests
                self._in_work = settings
            frame = self._flow.wait_for_first()
            if settings is None or frame is None:
                return
            built = self._built_from(settings, frame)
            with self._lock:
                self._built, self._built_for = built, request
            self._flow.wake()

    def _built_from(self, settings: Settings, frame: StereoFrame) -> Built:
        """Build; where a camera's first pairs, dark or blurred still, do not tell how it stands, later ones may."""
        until = self._clock() + SETTLE_S
        while True:
            try:
                return self._make(settings, frame)
            except Exception as error:  # kept for the main thread, which tells it or raises it
                again = self._live and self.newest is None and isinstance(error, CalibrationError)
                later = self._flow.later_than(frame, SETTLE_S) if again and self._clock() < until else None
                if later is None:
                    return Built(settings, Plan(1, 1), error=error)
                frame = later

    def _make(self, settings: Settings, frame: StereoFrame) -> Built:
        built = self._warm(settings, frame)
        if not (self._live and settings.keep_up and settings.scale == 1):
            return built
        fps = self._camera_fps(frame)
        seconds = seconds_per_pair(built.pipelines[0], frame, self._clock)
        if keeps_up(seconds, built.plan, fps):
            return built
        rate = built.plan.workers / seconds
        much = f"{rate:.0f} of {fps:.0f} pairs/s" if rate < fps - 0.5 else f"{fps:.0f} pairs/s with nothing to spare"
        slow = f"At full size this computer would match {much}"
        for smaller, what in smaller_choices(settings, built.pipelines[0]):
            for pipeline in built.pipelines:
                pipeline.close()
            built = dataclasses.replace(self._warm(smaller, frame), notes=(f"{slow}: {what}.",))
            if keeps_up(seconds_per_pair(built.pipelines[0], frame, self._clock), built.plan, fps):
                break
        return built

    def _warm(self, settings: Settings, frame: StereoFrame) -> Built:
        plan = make_plan(settings, live=self._live)
        cv2.setNumThreads(plan.threads)
        pipelines = tuple(self._build(settings, frame) for _ in range(plan.workers))
        for pipeline in pipelines:
            pipeline.process(frame)
            pipeline.reset()
        return Built(settings, plan, pipelines)

    def _camera_fps(self, frame: StereoFrame) -> float:
        stats, told = self._source.stats(), self._source.info.fps
        until = self._clock() + SETTLE_S / 2
        newest: StereoFrame | None = frame
        while told is None and stats.offered < 2 * FEWEST_FRAMES and newest is not None and self._clock() < until:
            newest = self._flow.later_than(newest, SETTLE_S / 2)
            stats = self._source.stats()
        measured = min(stats.fps_left, stats.fps_right)
        if stats.offered >= 2 * FRAMES_TO_BELIEVE and measured > 1:
            return measured
        if told is None and stats.offered >= 2 * FEWEST_FRAMES and measured > 1:
            return min(measured, ASSUMED_FPS)
        return told or ASSUMED_FPS
