"""How fast depth is: our pipeline against the plain loop, taken in turn, so that a busy computer slows both alike.

The plain loop is what a first program does: decode both pictures, gray, remap, StereoSGBM, colour, put side by side.
Both get the same JPEG pairs from memory and do everything but open a window.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np

from calibration.rectify import Rectification
from livestereo.engine import run
from livestereo.engine_plan import make_plan
from livestereo.engine_stats import RunSummary
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.sinks.base import View
from livestereo.timing import monotonic
from livestereo.types import U8, CaptureStats, Frame, SourceInfo, StereoFrame

Build = Callable[[Settings, Rectification], Pipeline]
MakeFrame = Callable[[bytes, float, int], Frame]
MakeView = Callable[[Settings], View]
PlainMode = Literal["sgbm", "3way"]
_MODES: tuple[PlainMode, ...] = ("sgbm", "3way")
_PLAIN = {"sgbm": cv2.STEREO_SGBM_MODE_SGBM, "3way": cv2.STEREO_SGBM_MODE_SGBM_3WAY}


@dataclass(frozen=True)
class Clip:
    """Some pairs held in memory as JPEG, over which every method runs in circles."""

    pairs: tuple[tuple[bytes, bytes], ...]
    rectification: Rectification
    name: str

    @staticmethod
    def of(frames: Sequence[StereoFrame], rectification: Rectification, name: str) -> Clip:
        """Make a clip; a frame's own JPEG is kept, others are encoded at quality 92."""
        return Clip(tuple((_jpeg(f.left), _jpeg(f.right)) for f in frames), rectification, name)


def _jpeg(frame: Frame) -> bytes:
    if frame.encoded is not None and frame.turned == "none":
        return frame.encoded
    done, data = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert done
    return bytes(data)


STAMPED_FPS = 30.0  # of a clip that is pulled


class MemorySource:
    """A clip as a source without end: pulled like a file, or live at `fps` with newest-wins."""

    def __init__(self, clip: Clip, make_frame: MakeFrame, *, fps: float | None = None) -> None:
        self._clip, self._make, self._fps = clip, make_frame, fps
        self._next = 0
        self._start = monotonic()
        self._pace = threading.Event()  # never set: stands in for a camera's own pace
        self.info = SourceInfo(name=clip.name, live=fps is not None, fps=fps or STAMPED_FPS)

    def read(self, timeout_s: float) -> StereoFrame:
        """Give the next pair; a live one when it is due."""
        number = self._next
        self._next += 1
        if self._fps is None:
            stamp = number / STAMPED_FPS
        else:
            stamp = self._start + number / self._fps
            wait = stamp - monotonic()
            if wait > 0:
                self._pace.wait(wait)
        left, right = self._clip.pairs[number % len(self._clip.pairs)]
        return StereoFrame(self._make(left, stamp, number), self._make(right, stamp, number), number)

    def stats(self) -> CaptureStats:
        """Counts since opening."""
        return CaptureStats(offered=2 * self._next, paired=self._next)

    def __enter__(self) -> MemorySource:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to release."""


def plain_loop(clip: Clip, num_disparities: int, mode: PlainMode, seconds: float) -> float:
    """Run the plain loop for about `seconds`; pairs per second."""
    matcher = cv2.StereoSGBM.create(0, num_disparities, 5, 8 * 25, 32 * 25, 1, 63, 10, 100, 32, _PLAIN[mode])
    cv2.setNumThreads(cv2.getNumberOfCPUs())
    count, start = 0, time.perf_counter()
    while True:
        pictures = [_decode(data) for data in clip.pairs[count % len(clip.pairs)]]
        grays = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8) for picture in pictures]
        left = clip.rectification.apply(grays[0], "left")
        right = clip.rectification.apply(grays[1], "right")
        disparity = np.asarray(matcher.compute(left, right)).astype(np.float32) / 16
        level = cv2.normalize(disparity, np.empty_like(disparity), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        cv2.hconcat([cv2.resize(pictures[0], level.shape[::-1]), cv2.applyColorMap(level, cv2.COLORMAP_TURBO)])
        count += 1
        taken = time.perf_counter() - start
        if taken >= seconds and count >= 3:
            return count / taken


def _decode(data: bytes) -> U8:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


class Bench:
    """Measures one clip by several methods in turn."""

    def __init__(self, clip: Clip, build: Build, make_frame: MakeFrame, make_view: MakeView) -> None:
        self.clip, self.build, self._make_frame, self._make_view = clip, build, make_frame, make_view

    def pipeline(self, settings: Settings, seconds: float, *, fps: float | None = None) -> RunSummary:
        """Run our pipeline with everything shown but the window; live at `fps` if given."""
        with MemorySource(self.clip, self._make_frame, fps=fps) as source:
            return run(
                source,
                lambda wanted, frame: self.build(wanted, self.clip.rectification),
                settings if fps is not None else settings.changed(keep_up=False),
                views=[self._make_view(settings)],
                duration_s=seconds,
            )

    def matcher(self, settings: Settings, seconds: float) -> float:
        """Run the preset's matcher alone, on as many threads as the pipeline gives it; pairs per second."""
        plan = make_plan(settings, live=False)
        cv2.setNumThreads(plan.threads)
        pipelines = [self.build(settings, self.clip.rectification) for _ in range(plan.workers)]
        pairs = [self._matched_size(pipelines[0], data) for data in self.clip.pairs[:4]]

        def work(pipeline: Pipeline, until: float) -> int:
            done = 0
            while time.perf_counter() < until or done == 0:
                pipeline.matcher.compute(*pairs[done % len(pairs)])
                done += 1
            return done

        for pipeline in pipelines:
            pipeline.matcher.compute(*pairs[0])
        with ThreadPoolExecutor(plan.workers, thread_name_prefix="livestereo-bench") as pool:
            start = time.perf_counter()
            done = sum(pool.map(lambda one: work(one, start + seconds), pipelines))
            taken = time.perf_counter() - start
        for pipeline in pipelines:
            pipeline.close()
        return done / taken

    def _matched_size(self, pipeline: Pipeline, data: tuple[bytes, bytes]) -> tuple[U8, U8]:
        frames = [self._make_frame(one, 0.0, 0) for one in data]
        return pipeline.to_match(StereoFrame(frames[0], frames[1], 0))


@dataclass(frozen=True)
class BenchResult:
    """What a bench came to; pairs per second are medians over the rounds.

    pipeline_fps, matcher_fps, rounds by preset. latency_ms, stage_ms: of the preset `latency_of`, live at 30 pairs/s.
    """

    naive_fps: float
    naive_3way_fps: float
    pipeline_fps: dict[str, float]
    matcher_fps: dict[str, float]
    latency_ms: dict[str, float]
    stage_ms: dict[str, float]
    peak_mib: float
    settings: dict[str, Any]
    rounds: dict[str, list[float]] = field(default_factory=dict)
    live_fps: float = float("nan")
    sweep: list[dict[str, Any]] = field(default_factory=list)


def run_bench(
    bench: Bench, presets: dict[str, Settings], num_disparities: int, *, seconds: float, rounds: int, live: str,
    live_rate: float = 30.0, step: Callable[[str], None] = lambda text: None,
) -> BenchResult:  # fmt: skip
    """Measure plain loops and presets in turn, `rounds` times, then the preset `live` at the pace of cameras."""
    threads = cv2.getNumThreads()
    fps: dict[str, list[float]] = {"plain sgbm": [], "plain 3way": [], **{name: [] for name in presets}}
    alone: dict[str, list[float]] = {name: [] for name in presets}
    try:
        for settings in presets.values():  # compiled and warm before anything counts
            bench.matcher(settings, 0.0)
        for number in range(rounds):
            for mode in _MODES:
                step(f"round {number + 1}: plain loop, {mode}")
                fps[f"plain {mode}"].append(plain_loop(bench.clip, num_disparities, mode, seconds))
            for name, settings in presets.items():
                step(f"round {number + 1}: {name}")
                fps[name].append(bench.pipeline(settings, seconds).fps)
                alone[name].append(bench.matcher(settings, seconds / 2))
        step(f"live: {live}")
        summary = bench.pipeline(presets[live], max(3.0, seconds), fps=live_rate)
    finally:
        cv2.setNumThreads(threads)
    middle = {name: float(np.median(values)) for name, values in fps.items()}
    return BenchResult(
        naive_fps=middle["plain sgbm"],
        naive_3way_fps=middle["plain 3way"],
        pipeline_fps={name: middle[name] for name in presets},
        matcher_fps={name: float(np.median(values)) for name, values in alone.items()},
        latency_ms=dict(summary.latency_ms),
        stage_ms=dict(summary.stage_ms),
        peak_mib=peak_mib(),
        settings=dict(summary.settings),
        rounds=fps,
        live_fps=summary.fps,
    )


def sweep(
    bench: Bench, presets: dict[str, Settings], sizes: Sequence[tuple[int, int, int]], *, runs: int = 5,
    step: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Measure matcher and filters on one thread over (width, height, disparities): ms, and ns per pixel and disparity.

    Processor time: a busy computer changes it little.
    The clip's first pair is scaled to each size; a method that cannot search so many disparities is left out.
    """
    from livestereo.errors import SettingsError

    rows: list[dict[str, Any]] = []
    threads = cv2.getNumThreads()
    whole: dict[str, Settings] = {}
    for name, settings in presets.items():
        own = settings.changed(scale=1.0, keep_up=False)
        # A preset that differs by its size alone is the same here.
        if not any(own.changed(preset=other.preset) == other for other in whole.values()):
            whole[name] = own
    try:
        cv2.setNumThreads(1)
        base = [_decode(data) for data in bench.clip.pairs[0]]
        for width, height, count in sizes:
            step(f"sweep {width}x{height}, {count}")
            rectification = Rectification(
                size_wh=(width, height), focal_px=float(width), cx_px=width / 2, cy_px=height / 2, baseline_m=0.1
            )
            scaled = [np.asarray(cv2.resize(one, (width, height)), np.uint8) for one in base]
            frame = StereoFrame(Frame(scaled[0], 0.0, 0), Frame(scaled[1], 0.0, 0), 0)
            taken: dict[str, list[float]] = {}
            pipelines: dict[str, Pipeline] = {}
            for name, settings in whole.items():
                try:
                    pipelines[name] = bench.build(settings.changed(num_disparities=count), rectification)
                    pipelines[name].process(frame)
                except SettingsError:
                    pipelines.pop(name, None)
            for _ in range(runs):
                for name, pipeline in pipelines.items():
                    start = time.thread_time()  # what else this computer does is not counted
                    pipeline.match(frame)
                    taken.setdefault(name, []).append(time.thread_time() - start)
            for name, values in taken.items():
                seconds = float(np.median(values))
                rows.append(
                    {
                        "preset": name, "width": width, "height": height, "num_disparities": count,
                        "ms": seconds * 1000, "ns_per_pixel_disparity": seconds * 1e9 / (width * height * count),
                    }
                )  # fmt: skip
                pipelines[name].close()
    finally:
        cv2.setNumThreads(threads)
    return rows


def peak_mib() -> float:
    """Largest resident memory of this process so far, MiB; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
