"""The threads of a run, each with an owner, a way to end and a bounded join.

A failure is handed to the `Flow`, which ends the run; the main thread raises it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Sequence
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
from livestereo.types import CaptureStats, Finding, StereoFrame, StereoResult

READ_S = 0.2
OBSERVE_EVERY_S = 1.0
# Until so many frames have come, the nominal rate of the cameras is believed.
FRAMES_TO_BELIEVE = 20
ASSUMED_FPS = 30.0
SETTLE_S = 3.0  # for exposure and focus of cameras that have just been opened


class Observer(Protocol):
    """Looks at the run about once a second, in a thread of its own.

    It may have `figures`, a mapping of names to numbers that the status bar knows: `vertical_px`.
    """

    def observe(self, frame: StereoFrame, result: StereoResult, stats: CaptureStats) -> Iterable[Finding]:
        """Give what is found now."""
        ...


class Room(Protocol):
    """A thread or some of them."""

    def start(self) -> None:
        """Begin."""
        ...

    def join(self, timeout_s: float) -> None:
        """Wait for the end, which the flow's stop has asked for."""
        ...


class _Thread:
    """One named thread whose failure goes to the flow."""

    def __init__(self, name: str, work: Callable[[], None], flow: Flow) -> None:
        self._work, self._flow = work, flow
        self._thread = threading.Thread(target=self._guarded, name=f"livestereo-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_s))

    def _guarded(self) -> None:
        try:
            self._work()
        except BaseException as error:  # a thread's edge: the main thread raises it
            self._flow.fail(error)


class Reader(_Thread):
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
        self._seek_to: int | None = None
        self._begin: tuple[float, float] | None = None
        self._read = 0
        self._sides = threading.Lock()  # held while they are exchanged
        self.swapped = False
        self.incomplete: IncompleteSource | None = None

    def seek(self, seq: int) -> bool:
        """Go on from pair `seq`; False where the source cannot."""
        if not hasattr(self._source, "seek"):
            return False
        self._seek_to = seq
        self._flow.discard()
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
                epoch = self._flow.epoch
                if self._seek_to is not None:
                    seek: Any = getattr(self._source, "seek", None)
                    seq, self._seek_to, self._begin = self._seek_to, None, None
                    seek(seq)
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
        self._threads: list[_Thread] = []

    def start(self) -> None:
        """Nothing yet: threads begin when there are pipelines for them."""

    def at_least(self, count: int) -> None:
        """Have at least so many workers."""
        while len(self._threads) < count:
            index = len(self._threads)
            thread = _Thread(f"worker-{index}", partial(self._work, index), self._flow)
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


class Builder(_Thread):
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
        fps = self._camera_fps()
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

    def _camera_fps(self) -> float:
        stats = self._source.stats()
        measured = min(stats.fps_left, stats.fps_right)
        if stats.offered >= 2 * FRAMES_TO_BELIEVE and measured > 1:
            return measured
        return self._source.info.fps or ASSUMED_FPS


class Observers(_Thread):
    """Asks each observer about once a second what it finds."""

    def __init__(self, observers: Sequence[Any], source: Source, flow: Flow) -> None:
        super().__init__("observer", self._watch, flow)
        self._observers, self._source = observers, source
        self._end = threading.Event()
        self._latest: StereoResult | None = None
        self._asked = False
        self._now: tuple[Finding, ...] = ()
        self._figures: dict[str, float] = {}
        self._all: dict[str, Finding] = {}

    def start(self) -> None:
        """Begin, if there is anyone to ask."""
        if self._observers:
            super().start()

    def see(self, result: StereoResult) -> None:
        """Take the newest result."""
        self._latest = result

    def now(self) -> tuple[Finding, ...]:
        """What was found at the last look, worst first."""
        return self._now

    def figures(self) -> dict[str, float]:
        """Numbers of the last look, for the status bar."""
        return dict(self._figures)

    def all(self) -> tuple[Finding, ...]:
        """Everything that was ever found, the newest words for each check, worst first."""
        return tuple(sorted(self._all.values(), key=lambda finding: -finding.severity))

    def join(self, timeout_s: float) -> None:
        """End; a run too short for a look gets one."""
        self._end.set()
        super().join(timeout_s)

    def _watch(self) -> None:
        while not self._end.wait(OBSERVE_EVERY_S):
            self._look()
        if not self._asked and self._flow.failure is None:
            self._look()

    def _look(self) -> None:
        result = self._latest
        if result is None:
            return
        self._asked = True
        found: list[Finding] = []
        figures: dict[str, float] = {}
        for observer in self._observers:
            answer: Iterable[Finding] = observer.observe(result.frame, result, self._source.stats())
            found += [finding for finding in answer if not finding.ok]
            figures.update(getattr(observer, "figures", {}))
        # Two observers may find the same thing: the surer one speaks.
        worst_first = sorted(found, key=lambda finding: -finding.severity)
        unique = {finding.check: finding for finding in reversed(worst_first)}
        self._now = tuple(sorted(unique.values(), key=lambda finding: -finding.severity))
        self._figures = figures
        self._all.update(unique)
