"""How many pairs to match at once, with how many threads each, at which size it keeps up, how often it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2

from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.timing import Clock
from livestereo.types import SourceInfo, StereoFrame

# Matchers that use a second thread; the others take one thread per pair whatever they are given.
PARALLEL_MODES = ("3way", "hh4")
# The share of the camera's period that matching may take: decoding, drawing and the system need the rest.
BUSY_SHARE = 0.75
STEP = 16
# A worker that comes back from compiled code waits so long for a thread that runs Python; Python's own 5 ms are as
# long as a whole stage, and cost a tenth of the pairs.
SWITCH_S = 0.001
# A view is given the newest result at most so many times a second: no screen shows more, and of a film that comes
# faster than it was made, its own rate is as smooth.
VIEWS_PER_S = 60.0
FEWEST_VIEWS_PER_S = 25.0


@dataclass(frozen=True)
class Plan:
    """`workers` pairs at the same time, each matched with `threads` threads."""

    workers: int
    threads: int


def make_plan(settings: Settings, *, live: bool, cores: int | None = None) -> Plan:
    """Choose workers and threads; what the settings name is kept.

    Files want throughput: a worker for each core with one thread. Live wants the newest pair soon: a matcher that
    gains from threads gets them all and works on one pair at a time; another gets a worker for each core.
    """
    cores = cv2.getNumberOfCPUs() if cores is None else cores  # knows affinity and container limits
    uses_threads = settings.matcher == "bm" or (settings.matcher == "sgbm" and settings.mode in PARALLEL_MODES)
    threads = min(cores, 4) if live and uses_threads else 1
    if settings.threads is not None:
        threads = settings.threads
    workers = settings.workers if settings.workers is not None else max(1, cores // threads)
    return Plan(workers, threads)


def smaller_choices(settings: Settings, pipeline: Pipeline) -> Iterator[tuple[Settings, str]]:
    """Give settings that cost less and less, with what to say: half size, then fewer disparities at half size."""
    half = settings.changed(scale=0.5)
    yield half, "depth is computed at half size"
    found = pipeline.settings
    if settings.num_disparities is not None or found is None or found.num_disparities is None:
        return
    for share in (0.75, 0.5):
        count = int(found.num_disparities * share) // (2 * STEP) * 2 * STEP
        if count >= 4 * STEP:
            yield half.changed(num_disparities=count), f"depth is computed at half size, with {count} disparities"


def seconds_per_pair(pipeline: Pipeline, frame: StereoFrame, clock: Clock, runs: int = 3) -> float:
    """Measure a warm pipeline: the middle of three runs."""
    taken = []
    for _ in range(runs):
        start = clock()
        pipeline.process(frame)
        taken.append(clock() - start)
    pipeline.reset()
    return sorted(taken)[len(taken) // 2]


def keeps_up(seconds: float, plan: Plan, fps: float) -> bool:
    """Whether pairs that take so long are matched as fast as the cameras give them."""
    return seconds / plan.workers * fps <= BUSY_SHARE


def views_per_s(info: SourceInfo, pace: float | None) -> float:
    """Give how many pictures a second a view is given at most. pace: None for a film that runs as fast as it goes."""
    if info.live or info.fps is None or pace is not None:
        return VIEWS_PER_S
    return min(max(info.fps, FEWEST_VIEWS_PER_S), VIEWS_PER_S)


@contextmanager
def brisk_switching() -> Iterator[None]:
    """Let threads hand Python over to one another sooner while a run lasts."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
