"""How pairs flow between the threads of a run: into the workers, and out again in order.

`Flow` is the one lock that reader, workers and main thread meet at; nobody polls it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from livestereo.types import StereoFrame


@dataclass(frozen=True)
class Job:
    """A pair to work on.

    ticket: counts jobs from 0, in the order of the pairs. grabbed_s: for the latency. generation: of the pipelines
    that work on it. epoch: counts seeks. again: it was worked on before and is only to be seen with other settings.
    fresh: filters that remember must forget what came before this pair.
    """

    ticket: int
    frame: StereoFrame
    grabbed_s: float
    generation: int
    epoch: int = 0
    again: bool = False
    fresh: bool = False


def exchanged(frame: StereoFrame) -> StereoFrame:
    """Give the pair with left and right exchanged."""
    return replace(frame, left=frame.right, right=frame.left, skew_s=-frame.skew_s)


class Flow:
    """Hands pairs to workers and gives their results back in order.

    live: the newest pair wins and the overwritten ones are counted; otherwise `put` waits for room, so that every
    pair is worked on. No more pairs than workers + 2 are in work or wait to be taken out: that bounds the memory.

    Files want throughput, and a thread that wakes takes the processor from one that matches: the reader is woken when
    half of its room is free, the main thread when two results are there or nothing else is in work.
    """

    def __init__(self, *, live: bool, room: int = 4) -> None:
        self._live = live
        self._ahead = 1
        self._room = 1 if live else room
        # One lock, and who waits for what: a thread that wakes for nothing costs as much as one that works.
        self._lock = threading.RLock()
        self._space = threading.Condition(self._lock)  # the reader
        self._work = threading.Condition(self._lock)  # the workers
        self._news = threading.Condition(self._lock)  # the main thread and the builder
        self._waiting: deque[tuple[StereoFrame, float, bool]] = deque()
        self._done: dict[int, tuple[Job, Any]] = {}
        self._next_ticket = 0
        self._next_out = 0
        self._limit: int | None = None
        self._ended = False
        self._woken = False
        self._stopped = False
        self._paused = False
        self._steps = 0
        self._target: int | None = None
        self._again: StereoFrame | None = None
        self._generation = -1
        self._workers = 0
        self.epoch = 0
        self.turns = 0  # how often the sides of what waits were exchanged
        self.held = False
        self.overwritten = 0
        self.first: StereoFrame | None = None
        self.failure: BaseException | None = None

    # --- the reader's side

    def next_read(self) -> tuple[int, int | None]:
        """Give the epoch to read in, and the pair to go to before, where a seek asks for one."""
        with self._lock:
            target, self._target = self._target, None
            return self.epoch, target

    def put(
        self, frame: StereoFrame, grabbed_s: float, epoch: int, *, fresh: bool = False, turns: int | None = None
    ) -> bool:
        """Offer a pair that was read in `epoch` (a seek since then makes it stale); False when the run is over.

        fresh: what was before it must be forgotten; that holds for the next pair too where this one is overwritten.
        turns: as it was when the pair's sides were put in order; now, if it is left out.
        """
        with self._lock:
            turns = self.turns if turns is None else turns
            if self.first is None:
                self.first = frame
                self._news.notify_all()
            if self._live:
                if self._waiting:
                    fresh = fresh or self._waiting[0][2]
                    if frame.gap is None and self._waiting[0][0].gap is not None:  # it is still to be told
                        frame = replace(frame, gap=self._waiting[0][0].gap)
                    self._waiting.clear()
                    # What passes before the first result, or while paused, is not lost for lack of time.
                    self.overwritten += self._generation >= 0 and not self._paused
            else:
                while len(self._waiting) >= self._room and not self._over() and epoch == self.epoch:
                    self._space.wait()
            if self._over():
                return False
            if epoch == self.epoch:
                frame = exchanged(frame) if (self.turns - turns) % 2 else frame
                self._waiting.append((frame, grabbed_s, fresh))
                self._work.notify_all()
            return True

    def end(self) -> None:
        """The source has ended: what waits is still worked on."""
        with self._lock:
            self._ended = True
            self._tell_all()

    def wait_for_epoch(self, epoch: int) -> bool:
        """At the end of a source: wait for a seek; False when the run is over."""
        with self._lock:
            self.held = True
            self._space.wait_for(lambda: self._over() or self.epoch != epoch)
            self.held = False
            return not self._over()

    def wait_until_stopped(self, timeout_s: float) -> None:
        """Wait so long, or until the run is over."""
        with self._lock:
            if timeout_s > 0:
                self._space.wait_for(self._over, timeout_s)

    # --- the workers' side

    def take(self, worker: int) -> Job | None:
        """Wait for a pair to work on; None when there will be none. `worker` counts from 0."""
        with self._lock:
            while True:
                if self._over() or (self._ended and not self._waiting):
                    return None
                ready = worker < self._workers and self._next_ticket - self._next_out < self._ahead
                if ready and (self._again or (self._waiting and self._may_pass())):
                    break
                self._work.wait()
            again = self._again
            if again is not None:
                self._again = None
                frame, grabbed_s, fresh = again, 0.0, True
            else:
                frame, grabbed_s, fresh = self._waiting.popleft()
                self._steps = max(0, self._steps - 1)
            job = Job(self._next_ticket, frame, grabbed_s, self._generation, self.epoch, again is not None, fresh)
            self._next_ticket += 1
            if len(self._waiting) <= self._room // 2:
                self._space.notify_all()
            if self._over() or self._ended:
                self._tell_all()
            return job

    def finish(self, job: Job, result: Any) -> None:
        """Give the result of a job."""
        with self._lock:
            self._done[job.ticket] = (job, result)
            in_work = self._next_ticket - self._next_out - len(self._done)
            if self._live or len(self._done) >= 2 or not in_work:
                self._news.notify_all()

    def fail(self, error: BaseException) -> None:
        """Keep the first failure of a thread for the main one and end the run."""
        with self._lock:
            if self.failure is None:
                self.failure = error
            self._stopped = True
            self._tell_all()

    # --- the main thread's and the builder's side

    def wait_for_first(self) -> StereoFrame | None:
        """Wait for the first pair of the run; None when there is none to come."""
        with self._lock:
            self._news.wait_for(lambda: self.first is not None or self._ended or self._over())
            return self.first

    def later_than(self, frame: StereoFrame, timeout_s: float) -> StereoFrame | None:
        """Wait for another pair of a live source than this one, and leave it where it is; None when none comes."""

        def another() -> bool:
            return bool(self._waiting) and self._waiting[-1][0] is not frame

        with self._lock:
            self._work.wait_for(lambda: another() or self._ended or self._over(), timeout_s)
            return self._waiting[-1][0] if another() else None

    def next(self, timeout_s: float, *, draining: bool = False) -> tuple[Job, Any] | None:
        """Wait for the next result in order; None when there is none within the time, or the flow is dry.

        draining: it is known that the flow was stopped; what is still in work is waited for.
        """

        def ready() -> bool:
            over = self.failure is not None if draining else self._stopped
            return self._next_out in self._done or self._woken or over or self._dry()

        with self._lock:
            self._news.wait_for(ready, timeout_s)
            self._woken = False
            item = self._done.pop(self._next_out, None)
            if item is not None:
                self._next_out += 1
                self._work.notify_all()
            return item

    def wake(self) -> None:
        """Let the main thread look round."""
        with self._lock:
            self._woken = True
            self._news.notify_all()

    def again(self, frame: StereoFrame) -> None:
        """Work on this pair once more, paused or not: with new settings, while nothing else comes."""
        with self._lock:
            self._again = frame
            self._tell_all()

    def turn(self) -> None:
        """Exchange the sides of the pairs that wait, and of the one that is being offered."""
        with self._lock:
            self.turns += 1
            self._waiting = deque((exchanged(frame), grabbed_s, fresh) for frame, grabbed_s, fresh in self._waiting)

    def use(self, generation: int, workers: int) -> None:
        """From the next pair on, work is done by this generation of pipelines, by the first `workers` workers."""
        with self._lock:
            if self._generation < 0 and self._live and not self._ended:
                self._waiting.clear()  # a pair that came while the first pipelines warmed up is stale
            self._generation = generation
            self._workers = workers
            self._ahead = workers + 2
            self._tell_all()

    def limit(self, count: int | None) -> None:
        """Work on so many pairs at most."""
        with self._lock:
            self._limit = count
            self._tell_all()

    def pause(self, paused: bool) -> None:
        """Hold the work, or go on. The first pair of a run passes all the same: there must be something to look at."""
        with self._lock:
            self._paused = paused
            self._steps = 0
            self._tell_all()

    def step(self, count: int) -> None:
        """While paused, let so many pairs through."""
        with self._lock:
            self._steps += count
            self._tell_all()

    def seek(self, seq: int) -> None:
        """Go on from pair `seq`: those that wait, and the one that is being read, are forgotten. While paused, it alone
        is let through, whatever earlier seeks and steps have not been through yet.
        """
        with self._lock:
            self.epoch += 1
            self._target = seq
            self._waiting.clear()
            self._steps = int(self._paused)
            self._tell_all()

    def stop(self) -> None:
        """Begin no more pairs; those in work are still finished."""
        with self._lock:
            self._stopped = True
            self._tell_all()

    @property
    def paused(self) -> bool:
        """Whether the work is held."""
        return self._paused

    @property
    def stopped(self) -> bool:
        """Whether no more pairs will be begun."""
        return self._stopped

    @property
    def dry(self) -> bool:
        """Whether every pair that will ever be worked on has been taken out."""
        with self._lock:
            return self._dry()

    def _tell_all(self) -> None:
        for condition in (self._space, self._work, self._news):
            condition.notify_all()

    def _may_pass(self) -> bool:
        return not self._paused or self._steps > 0 or self._next_ticket == 0

    def _over(self) -> bool:
        return self._stopped or self._used_up()

    def _used_up(self) -> bool:
        return self._limit is not None and self._next_ticket >= self._limit

    def _dry(self) -> bool:
        begins_none = self._over() or (self._ended and not self._waiting)
        return begins_none and self._next_out == self._next_ticket
