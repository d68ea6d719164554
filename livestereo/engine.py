"""The running loop: source → workers → ordered results → sinks and views, until the end or a stop.

    with open_source(pictures, request) as source:
        summary = run(source, build, settings, views=[window], observers=[monitor])

`build(settings, frame)` makes a pipeline for pairs like `frame`; it is called once for each worker, again on every
change of settings, in a thread of its own, and the new pipelines are warmed up before they take over between two pairs.

Threads: a reader that pulls pairs, workers that match, an observer, a builder; the main thread takes results in
order, runs filters that remember, feeds sinks and views and polls the views. Live, the newest pair wins; files give
every pair, in order. The results do not depend on the number of workers or threads.

Actions that a view's `poll` may give:

    name                  value                       what happens
    quit                                              finishes what is in work, then ends
    pause                 True, False, None: other    holds the work
    step                  +1, −1                      while paused: one pair on, or back where the source can seek
    seek                  a pair's number             where the source can seek
    settings              Settings, or {name: value}  new settings
    set:NAME              value                       one setting
    toggle:NAME                                       one setting that is on or off
    preset                a name; None: the next      a preset; range, display and machine settings stay
    matcher               a name; None: the next      a matcher
    reset                                             the settings of the start
    swap                                              exchanges left and right, of a pair that stands still too
    message               text                        shown by all views
    anything else         given to `handlers[name](action)`, whose text (or None) is shown as a message

A wrong value changes nothing and is shown as a message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from livestereo.engine_actions import Resolve, changed_settings, is_about_settings, whole_number
from livestereo.engine_flow import Flow, Job, exchanged
from livestereo.engine_messages import Messages
from livestereo.engine_observers import Observer, Observers
from livestereo.engine_plan import brisk_switching, views_per_s
from livestereo.engine_recorders import Recorders
from livestereo.engine_rooms import Builder, Reader, Room, Workers
from livestereo.engine_stats import NAN, RunMeter, RunSummary
from livestereo.engine_stop import Signals, stopping_signals
from livestereo.errors import LiveStereoError
from livestereo.pipeline import Matched, Pipeline
from livestereo.settings import Settings
from livestereo.sinks.base import PairSink, ResultSink, RunState, Sink, View
from livestereo.sources.base import Source
from livestereo.timing import Clock, monotonic
from livestereo.types import Action, StereoFrame, StereoResult

Build = Callable[[Settings, StereoFrame], Pipeline]
Handler = Callable[[Action], "str | None"]
# How long a stop waits for pairs in work, and then for all threads together.
DRAIN_S = 1.2
JOIN_S = 0.5
# How long the main thread waits for a result before it polls the views, or looks round.
POLL_S = 0.008
IDLE_S = 0.1
TELL_S = 0.2


def run(
    source: Source,
    build: Build,
    settings: Settings,
    *,
    pair_sinks: Sequence[PairSink] = (),
    sinks: Sequence[ResultSink] = (),
    views: Sequence[View] = (),
    observers: Sequence[Observer] = (),
    handlers: Mapping[str, Handler] | None = None,
    resolve: Resolve | None = None,
    frames: int | None = None,
    duration_s: float | None = None,
    pace: float | None = None,
    hold: bool = False,
    fingerprint: bool | None = None,
    tell: Callable[[str], None] | None = None,
    on_summary: Callable[[RunSummary], None] | None = None,
    clock: Clock = monotonic,
) -> RunSummary:
    """Run until the source ends, a view quits, a signal comes, or `frames` pairs or `duration_s` seconds are done.

    source: open already. resolve: a preset's name -> settings. pace: play files at so many times their own speed;
    None for as fast as it goes. hold: after the last pair stay until a view quits. fingerprint: hash every disparity;
    by default when there is no view. tell: is given each message as it comes. on_summary: is given the summary before
    anything is raised.

    Raises:
        LiveStereoError: building, reading, matching or a sink failed; `details` is the summary so far. Whatever
            else a thread failed with is raised as it is.
    """
    one = _Run(
        source, build, settings, pair_sinks=pair_sinks, sinks=sinks, views=views, observers=observers,
        handlers=handlers or {}, resolve=resolve, frames=frames, duration_s=duration_s, pace=pace, hold=hold,
        fingerprint=not views if fingerprint is None else fingerprint, tell=tell, clock=clock,
    )  # fmt: skip
    with brisk_switching(), stopping_signals() as one.signals:
        failure = one.go()
    summary = one.summary()
    if on_summary is not None:
        on_summary(summary)
    if failure is not None:
        if isinstance(failure, LiveStereoError):
            failure.details = {**summary.as_json(), **failure.details}
        raise failure
    return summary


class _Run:
    """One run: what the main thread knows."""

    def __init__(
        self, source: Source, build: Build, settings: Settings, *, pair_sinks: Sequence[PairSink],
        sinks: Sequence[ResultSink], views: Sequence[View], observers: Sequence[Observer],
        handlers: Mapping[str, Handler], resolve: Resolve | None, frames: int | None, duration_s: float | None,
        pace: float | None, hold: bool, fingerprint: bool, tell: Callable[[str], None] | None, clock: Clock,
    ) -> None:  # fmt: skip
        self.source, self.start_settings = source, settings
        self.settings = self.wanted = settings
        self.sinks, self.views, self.pair_sinks = sinks, views, pair_sinks
        self.handlers, self.resolve, self.clock = handlers, resolve, clock
        self.live = source.info.live
        self.duration_s = duration_s
        self.flow = Flow(live=self.live)
        self.meter = RunMeter(fingerprint=fingerprint)
        self.signals = Signals()
        self.epoch = 0
        self.generation = -1
        self.deadline_s = NAN
        # A recorded pair counts, so `frames` limits what is read; a live view's counts when it is shown.
        by_reading = frames is not None and (not self.live or bool(pair_sinks))
        if frames is not None and not by_reading:
            self.flow.limit(frames)
        self.reader = Reader(
            source, self.flow, pair_sinks, most=frames if by_reading else None, pace=pace, hold=hold, clock=clock
        )
        self.builder = Builder(build, source, self.flow, clock=clock)
        self.workers = Workers(self.flow, self.builder.pipeline)
        self.observers = Observers(observers, source, self.flow)
        self.rooms: list[Room] = [self.reader, self.builder, self.workers, self.observers]
        self.last: StereoResult | None = None
        self.unseen: StereoResult | None = None
        self.shown_s = -math.inf
        self.view_s = 1 / views_per_s(source.info, pace)
        self.messages = Messages(settings.notes, len(source.info.notes), tell, clock)
        self.told_s = -math.inf
        self.told_of = self.builder.newest  # a new pipeline is told at once: the views show its range
        self.recorders = Recorders(_each_once(*pair_sinks, *sinks))
        self.at_end = False
        self.going_to: int | None = None  # by a seek whose pair has not come yet

    # --- the run

    def go(self) -> BaseException | None:
        """Run; give what failed, or None. Everything is closed and joined afterwards."""
        failure: BaseException | None = None
        opened: list[Sink] = []
        try:
            for sink in _each_once(*self.pair_sinks, *self.sinks, *self.views):
                opened.append(sink)
                sink.open(self.source.info)
            self.builder.ask(self.settings)
            for room in self.rooms:
                room.start()
            self._loop()
            self._drain()
        except KeyboardInterrupt:
            raise
        except Exception as error:
            failure = error
        finally:
            self.flow.stop()
            if not self.signals.leave:
                failure = self._close(opened, failure)
        return failure or self.flow.failure or self.reader.incomplete

    def _loop(self) -> None:
        while not (self.flow.stopped or self.flow.dry or self.signals.stop):
            self._emit_ready(POLL_S if self.views else IDLE_S)
            self._take_new_pipelines()
            now = self.clock()
            self._show_newest(now)
            self._poll_views()
            if self.flow.held and not self.at_end and self.source.info.count != 1:  # one pair only stands there
                self.messages.say("The end. q in the window or Ctrl-C ends.")
            self.at_end = self.flow.held
            news = self.messages.waiting or self.builder.newest is not self.told_of
            if news or now - self.told_s >= TELL_S:
                self._tell_views(now)
            if now >= self.deadline_s:
                break

    def _drain(self) -> None:
        """Finish the pairs in work, within a bound."""
        self.flow.stop()
        deadline = self.clock() + DRAIN_S
        while not self.flow.dry and self.flow.failure is None and self.clock() < deadline:
            self._emit_ready(0.05, draining=True)
        self._show_newest(math.inf)
        self._tell_views(self.clock())

    def _close(self, opened: list[Sink], failure: BaseException | None) -> BaseException | None:
        deadline = self.clock() + JOIN_S
        for room in self.rooms:
            room.join(deadline - self.clock())
        for sink in reversed(opened):
            try:
                sink.close()
            except Exception as error:  # every sink is closed, whatever the one before it says
                failure = failure or error
        self.builder.close()
        return failure

    # --- results

    def _emit_ready(self, timeout_s: float, *, draining: bool = False) -> None:
        """Take out all results that are ready, waiting for the first."""
        item = self.flow.next(timeout_s, draining=draining)
        newest: StereoResult | None = None
        while item is not None:
            newest = self._emit(*item)
            item = self.flow.next(0)
        if newest is not None:
            self.last = self.unseen = newest
            self.observers.see(newest)

    def _show_newest(self, now: float) -> None:
        if self.unseen is not None and now - self.shown_s >= self.view_s:
            for view in self.views:
                view.accept(self.unseen)
            self.unseen, self.shown_s = None, now

    def _emit(self, job: Job, made: StereoResult | Matched) -> StereoResult:
        forget = job.fresh or job.epoch != self.epoch
        if isinstance(made, Matched):
            front = self.builder.pipeline(job.generation, 0)
            if forget:
                front.reset()
            result = front.finish(made)
        else:
            result = made
        if forget or job.generation != self.generation:  # new pipelines remember nothing
            result = replace(result, fresh=True)
        # A pair that was worked on once more is none of the film: the next one begins anew too.
        self.epoch, self.generation = -1 if job.again else job.epoch, job.generation
        self.builder.retire_before(job.generation)
        if job.epoch == self.flow.epoch and not job.again:
            self.going_to = None
        if not job.again:
            if self.live and job.frame.gap is not None:
                self.messages.gap(job.frame.gap)
            self.meter.count(result, job.grabbed_s, self.clock())
        for sink in self.sinks:
            if not job.again or getattr(sink, "shows", False):
                sink.accept(result)
        return result

    # --- settings and actions

    def _take_new_pipelines(self) -> None:
        built = self.builder.ready()
        if built is None:
            return
        if built.error is not None:
            if self.builder.count == 0 or not isinstance(built.error, LiveStereoError):
                raise built.error
            if self.builder.up_to_date:
                self.wanted = self.settings
            self.messages.say(str(built.error))
            return
        self.settings = built.settings
        if self.builder.up_to_date:  # else what was asked for meanwhile would be forgotten
            self.wanted = built.settings
        for note in built.notes:
            self.messages.say(note, warn=True)
        self.builder.install(built)
        self.workers.at_least(len(built.pipelines))
        if self.builder.count == 1:
            now = self.clock()
            self.meter.start(now)
            self.deadline_s = NAN if self.duration_s is None else now + self.duration_s
        elif self.last is not None and (self.flow.paused or self.flow.held):
            self.flow.again(self.last.frame)

    def _poll_views(self) -> None:
        for view in self.views:
            for _ in range(32):  # a view that never tires must not stop the run
                action = view.poll()
                if action is None:
                    break
                self._act(action)

    def _act(self, action: Action) -> None:
        try:
            self.recorders.refuse(action.name, ended=self.flow.held)
            if action.name in self.handlers:
                self.messages.say(self.handlers[action.name](action) or "")
            elif is_about_settings(action):
                self.wanted = changed_settings(action, self.wanted, self.start_settings, self.resolve)
                # What is undone while it is being built must be built too, or it would come back by itself.
                if self.wanted.computes_otherwise(self.settings) or self.builder.busy:
                    self.builder.ask(self.wanted)
                else:
                    self.settings = self.wanted
                    self.told_s = -math.inf
            else:
                self._act_on_run(action)
        except LiveStereoError as error:
            self.messages.say(str(error))

    def _act_on_run(self, action: Action) -> None:
        if action.name == "quit":
            self.flow.stop()
        elif action.name == "pause":
            self.flow.pause(not self.flow.paused if action.value is None else bool(action.value))
            self.told_s = -math.inf
        elif action.name == "step":
            count = whole_number(action, 1)
            if count > 0:
                self.flow.pause(True)
                self.flow.step(count)
            else:
                self._seek(self._place() + count)
        elif action.name == "seek":
            self._seek(whole_number(action))
        elif action.name == "swap":
            self._swap()
        elif action.name == "message":
            self.messages.say(str(action.value))
        else:
            self.messages.say(f"{action.name}: not possible here.")

    def _swap(self) -> None:
        # While a take is made, depth stays that of the pairs as they were recorded.
        self.reader.swap(waiting=self.recorders.running() is None)
        if self.last is not None and (self.flow.paused or self.flow.held):
            self.flow.again(exchanged(self.last.frame))
        self.messages.say(f"Left and right are {'exchanged' if self.reader.swapped else 'as they were'}.")

    def _seek(self, seq: int) -> None:
        if self.reader.seek(max(0, seq)):
            self.going_to = max(0, seq)
        else:
            self.messages.say("This source cannot go back.")

    def _place(self) -> int:
        """Give the number of the pair that is shown, or that a seek is on its way to."""
        if self.going_to is not None:
            return self.going_to
        return self.last.frame.seq if self.last else 0

    # --- figures

    def _tell_views(self, now: float) -> None:
        self.told_s, self.told_of = now, self.builder.newest
        self.messages.hear(self.source.info.notes, self.source.info.faults)
        for why in self.recorders.news():
            self.messages.say(why, warn=True)
        texts = self.messages.take()
        if not self.views:
            return
        state = RunState(
            settings=self.settings,
            stats=self.source.stats(),
            dropped=self._dropped(),
            pairs=self.meter.pairs,
            depth_fps=self.meter.rate_now(now),
            findings=self.observers.now(),
            vertical_px=self.observers.figures().get("vertical_px"),
            paused=self.flow.paused,
            **self.recorders.told(),
            messages=texts,
            resolved=self.told_of.pipelines[0].settings if self.told_of else None,
        )
        for view in self.views:
            view.tell(state)

    def _dropped(self) -> dict[str, int]:
        dropped = {"camera": 0, "pairing": 0, "busy": self.flow.overwritten, "disk": 0}
        for cause, count in self.source.stats().dropped.items():
            dropped[cause] = dropped.get(cause, 0) + count
        dropped["disk"] += self.recorders.lost()
        return dropped

    def summary(self) -> RunSummary:
        """Make the summary of the run as far as it went."""
        return self.meter.summary(
            live=self.live,
            stats=self.source.stats(),
            nominal_fps=self.source.info.fps,
            dropped=self._dropped(),
            findings=self.observers.all(),
            warnings=tuple(dict.fromkeys(self.messages.warnings)),
            settings={**self.settings.model_dump(), **self.builder.in_use()},
        )


def _each_once(*sinks: Any) -> list[Any]:
    return list({id(sink): sink for sink in sinks}.values())
