"""From the grab to the screen with a matcher slower than the cameras: `python benchmarks/latency.py [--seconds 15]`.

Two loopback MJPEG cameras (640x480, 30 pictures per second). The matcher takes a fixed time, like one on another
device, so that the wait is seen and not the speed of this computer. Beside it a plain loop: each camera behind the
queue of four buffers that a V4L2 driver keeps, read one after the other, matched, shown. Time is counted from when
the camera sent the picture (its number is in the JPEG), and for our loop from the grab as well.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fakes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mjpeg_server import MjpegServer, frame_number

from calibration.rectify import identity_rectification
from livestereo.engine import run
from livestereo.pipeline import Pipeline
from livestereo.settings import resolve_settings
from livestereo.sinks.base import RunState
from livestereo.sources import SourceRequest, open_source
from livestereo.types import Action, MatchResult, SourceInfo, StereoResult

SIZE, FPS, BUFFERS, SCREEN_HZ = (640, 480), 30.0, 4, 60.0


def pictures() -> Callable[[int], bytes]:
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    image = cv2.resize(noise, SIZE, interpolation=cv2.INTER_CUBIC)
    made = [cv2.imencode(".jpg", np.roll(image, 3 * k, axis=1))[1].tobytes() for k in range(16)]
    return lambda number: made[number % 16]


class FixedTime:
    """A matcher that takes a fixed time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def compute(self, left_gray: Any, right_gray: Any) -> MatchResult:
        """Wait, and find everything at one disparity."""
        threading.Event().wait(self.seconds)
        return MatchResult(np.full(left_gray.shape, 8.0, np.float32))


class Shown:
    """A view that notes when it was given what, and ends after a while."""

    def __init__(self, camera: MjpegServer, seconds: float) -> None:
        self.camera, self.seconds = camera, seconds
        self.since_sent: list[float] = []
        self.since_grab: list[float] = []
        self.start = float("inf")

    def open(self, info: SourceInfo) -> None:
        """Begin."""

    def accept(self, result: StereoResult) -> None:
        """Note how old the picture is."""
        now = time.monotonic()
        self.start = min(self.start, now)
        if now - self.start < 2.0:
            return  # the start is no measure
        assert result.frame.left.encoded is not None
        self.since_sent.append(now - self.camera.due(frame_number(result.frame.left.encoded)))
        self.since_grab.append(now - result.frame.t_s)

    def tell(self, state: RunState) -> None:
        """Nothing is shown."""

    def poll(self) -> Action | None:
        """End after a while."""
        return Action("quit") if time.monotonic() - self.start > self.seconds else None

    def close(self) -> None:
        """Nothing to close."""


def ours(a: MjpegServer, b: MjpegServer, match_s: float, seconds: float) -> Shown:
    view = Shown(a, seconds)
    rectification = identity_rectification(SIZE, 500.0)
    settings = resolve_settings("balanced", {}, None)
    with open_source([a.url, b.url], SourceRequest()) as source:
        run(source, lambda wanted, frame: Pipeline(FixedTime(match_s), [], rectification, settings=wanted), settings,
            views=[view])  # fmt: skip
    return view


def plain(a: MjpegServer, b: MjpegServer, match_s: float, seconds: float) -> list[float]:
    """The loop of every tutorial: read left, read right, match, show."""
    stop = threading.Event()

    def driver(camera: MjpegServer, buffers: queue.Queue[bytes]) -> None:
        capture = cv2.VideoCapture(camera.url, cv2.CAP_FFMPEG)
        capture.set(cv2.CAP_PROP_FORMAT, -1)
        while not stop.is_set() and capture.grab():
            data = capture.retrieve()[1].tobytes()
            if not buffers.full():  # else the picture is lost: the driver has no empty buffer
                buffers.put(data)
        capture.release()

    queues: list[queue.Queue[bytes]] = [queue.Queue(BUFFERS), queue.Queue(BUFFERS)]
    threads = [threading.Thread(target=driver, args=(c, q), daemon=True) for c, q in zip((a, b), queues)]
    for thread in threads:
        thread.start()
    ages, matcher, start = [], FixedTime(match_s), time.monotonic()
    while time.monotonic() - start < seconds:
        left, right = (one.get(timeout=10) for one in queues)
        grays = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) for data in (left, right)]
        matcher.compute(*grays)
        if time.monotonic() - start > 2.0:
            ages.append(time.monotonic() - a.due(frame_number(left)))
    stop.set()
    for thread in threads:
        thread.join(5)
    return ages


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    made = pictures()
    print("| matcher ms | sent to shown p50, p95 ms | grab to shown p50, p95 ms | floor for p95 ms | plain loop"
          " p50, p95 ms |\n|---|---|---|---|---|")  # fmt: skip
    for match_ms in (50, 80, 120):
        with MjpegServer(made, FPS) as a, MjpegServer(made, FPS, start_s=a.start_s, phase_s=0.005) as b:
            view = ours(a, b, match_ms / 1e3, options.seconds)
            loop = plain(a, b, match_ms / 1e3, options.seconds)
        floor = 1e3 / FPS + match_ms + 1e3 / SCREEN_HZ
        cells = [_both(view.since_sent), _both(view.since_grab), f"{floor:.0f}", _both(loop)]
        print(f"| {match_ms} | {' | '.join(cells)} |", flush=True)
    return 0


def _both(seconds: list[float]) -> str:
    return "{:.0f}, {:.0f}".format(*(1e3 * np.percentile(seconds, [50, 95])))


if __name__ == "__main__":
    sys.exit(main())
