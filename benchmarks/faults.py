"""Ten minutes of everything that goes wrong with cameras: `python benchmarks/faults.py [--minutes 10]`.

Two loopback MJPEG cameras (320x240, 30 pictures per second, a rendered plane) run through the engine as `preview`
runs them, with the doctor looking. Every fault is switched on for a while, then off. Told: which word named it, how
soon pictures came again afterwards, how the memory grew, how the figures add up.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fakes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mjpeg_server import Faults, MjpegServer

from calibration.rectify import make_rectification
from calibration.rigfile import RigFile
from livestereo.cli._build import build_pipeline
from livestereo.diagnosis.monitor import Monitor
from livestereo.engine import run
from livestereo.settings import resolve_settings
from livestereo.sinks.base import RunState
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.demo import DemoSource
from livestereo.types import Action, SourceInfo, StereoResult

SIZE = (320, 240)
COUNT = 40
WARM_S = 8.0
QUIET_S = 6.0
Frames = Callable[[int], bytes]


def scene() -> tuple[list[tuple[np.ndarray, np.ndarray]], RigFile]:
    """Pairs of the rendered room, and its rig file."""
    with DemoSource("clean", size_wh=SIZE, seed=2) as source:
        frames = [source.read(5.0) for _ in range(COUNT)]
        return [(f.left.image, f.right.image) for f in frames if f is not None], source.rig


def jpegs(images: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray] = lambda image: image) -> Frames:
    made = [cv2.imencode(".jpg", change(image), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes() for image in images]
    return lambda number: made[number % len(made)]


def resident_mb() -> float:
    """Memory of this process, MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


@dataclass
class Log:
    """A view that keeps every word with its time, and when results came."""

    words: list[tuple[float, str]] = field(default_factory=list)
    results: list[float] = field(default_factory=list)
    standing: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def open(self, info: SourceInfo) -> None:
        """Begin."""

    def accept(self, result: StereoResult) -> None:
        """Note that a result was shown."""
        self.results.append(time.monotonic())

    def tell(self, state: RunState) -> None:
        """Note messages, states of the cameras and what the doctor finds, when they are new."""
        now = time.monotonic()
        self.words += [(now, text) for text in state.messages]
        stats = state.stats
        states = {f"left camera {stats.state_left}", f"right camera {stats.state_right}"} if stats else set()
        said = {text for text in states if not text.endswith("ok")} | {
            f"{finding.check}: {finding.what}" for finding in state.findings
        }
        self.words += [(now, text) for text in said - self.standing]
        self.standing = said

    def poll(self) -> Action | None:
        """Quit when the faults are over."""
        return Action("quit") if self.over.is_set() else None

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Fault:
    """What is switched on (given the camera and its side), for how long, and the words of which one must name it."""

    name: str
    words: tuple[str, ...]
    on: Callable[[MjpegServer, str], None]
    seconds: float = 4.0


@dataclass(frozen=True)
class Row:
    """What came of one fault. named: the word that named it, or ''. back_s: until pictures came again."""

    fault: str
    named: str
    back_s: float
    memory_mb: float


def faults(left: list[np.ndarray], right: list[np.ndarray]) -> list[Fault]:
    def set_to(**values: object) -> Callable[[MjpegServer, str], None]:
        def switch(camera: MjpegServer, _side: str) -> None:
            for name, value in values.items():
                setattr(camera.faults, name, value)

        return switch

    both = {"left": left, "right": right}

    def pictures(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[MjpegServer, str], None]:
        made = {side: jpegs(images, change) for side, images in both.items()}
        return lambda camera, side: setattr(camera.faults, "frames", made[side])

    return [
        Fault("stalled", ("stalled", "missing"), set_to(stalled=True), 3.0),
        Fault("frozen", ("frozen",), set_to(frozen=True), 5.0),
        Fault("every fifth JPEG cut in half", ("damaged",), set_to(cut_every=5)),
        Fault("every JPEG cut in half", ("damaged", "stalled", "missing"), set_to(cut_every=1), 3.0),
        Fault("another size", ("wrong size",), pictures(lambda i: cv2.resize(i, (160, 120))), 4.0),
        Fault("unplugged", ("missing", "lost"), lambda camera, _side: camera.disconnect(), 5.0),
        Fault("cut off, back at once", ("missing", "lost"), lambda camera, _side: camera.disconnect(False), 3.0),
        Fault("half the rate", ("slow", "frame_rate:"), set_to(drop_every=2), 6.0),
        Fault("dark", ("dark:", "exposure:"), pictures(lambda i: cv2.convertScaleAbs(i, alpha=0.08)), 14.0),
        Fault("brighter", ("exposure:", "bright:"), pictures(lambda i: cv2.convertScaleAbs(i, alpha=1.7)), 26.0),
        Fault("out of focus", ("focus:",), pictures(lambda i: cv2.GaussianBlur(i, (0, 0), 3.5)), 26.0),
        Fault("upside down", ("rotated:",), pictures(lambda i: cv2.rotate(i, cv2.ROTATE_180)), 26.0),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="*", default=[], help="faults whose names begin so")
    options = parser.parse_args()
    pairs, rig = scene()
    left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    log, rows = Log(), list[Row]()
    with MjpegServer(jpegs(left), 30) as a, MjpegServer(jpegs(right), 30, start_s=a.start_s, phase_s=0.004) as b:
        end = time.monotonic() + 60 * options.minutes
        plan = [f for f in faults(left, right) if not options.only or f.name.startswith(tuple(options.only))]

        def torment() -> None:
            wait = threading.Event().wait
            wait(WARM_S)
            turn = 0
            while time.monotonic() < end:
                fault = plan[turn % len(plan)]
                side, camera = (("left", a), ("right", b))[(turn // len(plan) + turn) % 2]
                began = time.monotonic()
                fault.on(camera, side)
                wait(fault.seconds)
                camera.faults = Faults()
                off = time.monotonic()
                wait(QUIET_S)
                said = [text for t, text in log.words if began <= t <= off + 3]
                named = next((text for text in said if any(word in text for word in fault.words)), "")
                back = next((t - off for t in log.results if t > off), float("inf"))
                rows.append(Row(fault.name, named, back, resident_mb()))
                print(f"{fault.name}, {side}: {named or 'NOT NAMED: ' + '; '.join(said)} | "
                      f"back after {back:.2f} s | {rows[-1].memory_mb:.0f} MB", flush=True)  # fmt: skip
                turn += 1
            log.over.set()

        with open_source([a.url, b.url], SourceRequest()) as source:
            rectification = make_rectification(rig.rig)
            settings = resolve_settings("balanced", {"num_disparities": 64}, None)
            tormentor = threading.Thread(target=torment, name="tormentor", daemon=True)
            tormentor.start()
            summary = run(
                source, lambda wanted, frame: build_pipeline(wanted, rectification), settings, views=[log],
                observers=[Monitor(source.info, rig)],
            )  # fmt: skip
            stats = source.stats()
        tormentor.join(5)
    print("\n| fault | times | named | pictures again after, worst |\n|---|---|---|---|")
    for fault in plan:
        mine = [row for row in rows if row.fault == fault.name]
        if mine:
            worst = max(row.back_s for row in mine)
            print(f"| {fault.name} | {len(mine)} | {sum(bool(row.named) for row in mine)} | {worst:.2f} s |")
    first, last = rows[min(len(plan), len(rows)) - 1].memory_mb, rows[-1].memory_mb
    named = sum(bool(row.named) for row in rows)
    print(f"\n{named} of {len(rows)} faults named in {options.minutes:g} minutes; {summary.pairs} pairs, "
          f"{summary.reconnects} reconnects; memory {first:.0f} MB after every fault once, {last:.0f} MB at the "
          f"end ({last - first:+.1f} MB); frames offered {stats.offered} = 2 x {stats.paired} paired + "
          f"{sum(stats.dropped.values())} dropped + {stats.waiting} waiting: "
          f"{stats.offered == 2 * stats.paired + sum(stats.dropped.values()) + stats.waiting}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
