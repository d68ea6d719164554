"""Every figure of speed and of the matcher `sgm`, against its floor, in one run of some minutes; writes a table.

    python benchmarks/all_fast.py [FILE.md] [throughput] [live] [matcher] [memory]

Run it on a computer that does nothing else. Everything is measured in turn with what it is compared to, and told as
a median of rounds. Throughput is also told as what the processor time says: two cores over the processor time of one
pair, against the plain loop's (against the matcher alone: its processor time over that of a whole pair); a computer
that is busy with something else spoils that one less. Real pictures are read from ../shared/data where they are there;
nothing is written but the table.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing as mp
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import live
import numpy as np
import sgm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibration.rectify import make_rectification
from calibration.rigfile import save_rig
from livestereo.cli.bench import _runner
from livestereo.engine import run
from livestereo.evaluation.bench import Bench, Clip, MemorySource, plain_loop
from livestereo.settings import Settings, resolve_settings
from livestereo.sources.demo import DemoSource

SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
NO_NUMBA = "import sys; sys.modules['numba'] = None\n"  # as sitecustomize: looks as if it were not installed


class Table:
    """Lines of what, floor, measured, whether it holds."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._headed = False

    def head(self, title: str) -> None:
        self.lines += ["", f"## {title}", ""]
        self._headed = False
        print(f"\n{title}", flush=True)

    def row(self, what: str, floor: str, measured: str, holds: bool | None) -> None:
        if not self._headed:
            self.lines += ["| what | floor | measured | holds |", "|---|---|---|---|"]
            self._headed = True
        word = {True: "yes", False: "**no**", None: ""}[holds]
        self.lines.append(f"| {what} | {floor} | {measured} | {word} |")
        print(f"{word:7s} {what}: {measured} (floor {floor})", flush=True)

    def text(self, text: str) -> None:
        self.lines += ["", "```", text.strip("\n"), "```", ""]


class Method:
    """One way through a clip, measured again and again: pairs per second, and processor time per pair.

    seconds: how long one measurement takes.
    """

    def __init__(self, run: Callable[[], float], seconds: float = SECONDS) -> None:
        self._run, self._seconds = run, seconds
        self.fps: list[float] = []
        self.cpu_ms: list[float] = []

    def measure(self) -> None:
        start = time.process_time()
        fps = self._run()
        self.fps.append(fps)
        self.cpu_ms.append((time.process_time() - start) / (fps * self._seconds) * 1e3)


def demo_clip(size: str) -> Clip:
    from livestereo.sources import open_source
    from livestereo.sources.request import SourceRequest

    with open_source(["demo"], SourceRequest.parse(size=size)) as source:
        frames = [frame for _ in range(12) if (frame := source.read(10)) is not None]
        rig = source.info.rig
    assert rig is not None
    return Clip.of(frames, make_rectification(rig.rig, metric=rig.metric), f"demo room, {size}")


def compare(clip: Clip, count: int, presets: dict[str, Settings], modes: tuple[Any, ...]) -> dict[str, Method]:
    """Measure plain loops, presets and the presets' matchers alone, in turn."""
    bench: Bench = _runner(clip)
    methods: dict[str, Method] = {
        f"plain {mode}": Method(lambda mode=mode: plain_loop(clip, count, mode, SECONDS)) for mode in modes
    }
    for name, settings in presets.items():
        methods[name] = Method(lambda settings=settings: bench.pipeline(settings, SECONDS).fps)
        methods[f"{name} matcher"] = Method(lambda settings=settings: bench.matcher(settings, SECONDS / 2), SECONDS / 2)
        bench.matcher(settings, 0.0)  # compiled and warm before anything counts
    for _ in range(ROUNDS):
        for method in methods.values():
            method.measure()
    return methods


def ratio(methods: dict[str, Method], one: str, other: str) -> tuple[float, str]:
    """Median over the rounds of one's rate over the other's, and how to tell it."""
    times = [a / b for a, b in zip(methods[one].fps, methods[other].fps)]
    middle = float(np.median(times))
    rates = f"{np.median(methods[one].fps):.1f} to {np.median(methods[other].fps):.1f} pairs/s"
    if "matcher" in other:
        busy = float(np.median([b / a for a, b in zip(methods[one].cpu_ms, methods[other].cpu_ms)]))
        return middle, f"{middle:.3f} ({rates}; by processor time {busy:.2f})"
    cores = cv2.getNumberOfCPUs()
    busy = float(np.median(methods[other].cpu_ms)) * cores / float(np.median(methods[one].cpu_ms))
    return middle, f"{middle:.2f} × ({rates}; by processor time {busy:.1f} ×)"


def throughput(table: Table) -> None:
    table.head(f"Throughput, everything shown but the window ({cv2.getNumberOfCPUs()} cores)")

    def put(what: str, methods: dict[str, Method], one: str, other: str, floor: float) -> None:
        value, told = ratio(methods, one, other)
        table.row(what, f"≥ {floor}", told, value >= floor)

    def preset(name: str, count: int) -> Settings:
        return resolve_settings(name, {"num_disparities": count})

    clip = demo_clip("640x480")
    sgbm = resolve_settings("balanced", {"num_disparities": 128, "mode": "sgbm"})
    presets = {**{name: preset(name, 128) for name in ("balanced", "fast", "turbo")}, "mode sgbm": sgbm}
    found = compare(clip, 128, presets, ("sgbm", "3way"))
    where = "640x480, 128 disparities"
    put(f"`fast` to the plain loop, {where}", found, "fast", "plain sgbm", 7)
    put("`fast` to the plain loop with 3WAY", found, "fast", "plain 3way", 3.3)
    put("`turbo` to the plain loop", found, "turbo", "plain sgbm", 15)
    put("`balanced` to the plain loop", found, "balanced", "plain sgbm", 1.5)
    put("`fast` to its matcher alone", found, "fast", "fast matcher", 0.65)
    put("`--mode sgbm` to its matcher alone", found, "mode sgbm", "mode sgbm matcher", 0.85)
    found = compare(demo_clip("1280x720"), 256, {"fast": preset("fast", 256)}, ("sgbm",))
    put("`fast` to the plain loop, 1280x720, 256 disparities", found, "fast", "plain sgbm", 9)
    found = compare(demo_clip("1226x370"), 128, {"balanced": preset("balanced", 128)}, ("sgbm",))
    put("`balanced` to the plain loop, 1226x370, 128 disparities", found, "balanced", "plain sgbm", 2.0)


def live_cameras(table: Table) -> None:
    table.head("Two cameras at 30 pictures a second, 640x480, 128 disparities")
    with DemoSource("room", 0) as demo, tempfile.TemporaryDirectory() as folder:
        frames = [demo.frame(i) for i in range(live.PAIRS)]
        rig = Path(folder) / "rig.json"
        save_rig(rig, demo.rig)
        (Path(folder) / "sitecustomize.py").write_text(NO_NUMBA)
        pictures = [(f.left.encoded or b"", f.right.encoded or b"") for f in frames]
        urls: Any = mp.Queue()
        stop = mp.Event()
        server = mp.Process(target=live.cameras, args=(pictures, urls, stop), daemon=True)
        server.start()
        addresses = urls.get(timeout=20)
        try:
            for name, words, rate, late_ms, path in (
                ("`fast`, full size", ["--preset", "fast", "--num-disparities", "128"], 29.5, 60, ""),
                ("`balanced`, no extra installed", [], 28, 80, folder),
                ("`turbo`", ["--preset", "turbo"], None, None, ""),
            ):
                before = os.environ.get("PYTHONPATH")
                if path:
                    os.environ["PYTHONPATH"] = path
                try:
                    got = live.preview(addresses, rig, 12, words)
                finally:
                    if path:
                        os.environ.pop("PYTHONPATH")
                        os.environ.update({"PYTHONPATH": before} if before else {})
                late = got["latency_ms"]
                size = "half size" if got["settings"]["scale"] == 0.5 else "full size"
                told = f"{got['fps']:.1f} pairs/s, p50 {late['p50']:.0f} ms, p95 {late['p95']:.0f} ms, {size}"
                told += f", {sum(got['dropped'].values())} of {got['pairs']} not worked on"
                floor = "" if rate is None else f"≥ {rate} pairs/s, p95 ≤ {late_ms} ms"
                table.row(name, floor, told, None if rate is None else got["fps"] >= rate and late["p95"] <= late_ms)
        finally:
            stop.set()
            server.join(5)


class Resident:
    """A result sink that notes the resident memory now and then."""

    def __init__(self, at: tuple[int, ...]) -> None:
        self._at, self._count = at, 0
        self.mib: dict[int, float] = {}

    def open(self, info: object) -> None:
        """Nothing to open."""

    def accept(self, result: object) -> None:
        self._count += 1
        if self._count in self._at:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.mib[self._count] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def close(self) -> None:
        """Nothing to close."""


def memory(table: Table) -> None:
    """Resident memory while the whole pipeline runs over many small pairs."""
    table.head("Memory")
    if not Path("/proc/self/statm").exists():
        table.row("memory over 10 000 pairs", "constant", "this system does not tell", None)
        return
    clip = demo_clip("160x120")
    bench = _runner(clip)
    settings = resolve_settings("fast", {"num_disparities": 32, "temporal": True})
    resident = Resident((100, 1000, 5000, 10_000))
    with MemorySource(clip, bench._make_frame) as source:
        run(
            source, lambda wanted, _: bench.build(wanted, clip.rectification), settings, sinks=[resident], frames=10_000
        )
    told = ", ".join(f"{mib:.1f} MiB after {count}" for count, mib in resident.mib.items())
    grown = resident.mib[10_000] - resident.mib[1000]
    table.row("memory over 10 000 pairs (`fast`, temporal filter, 160x120)", "constant", told, abs(grown) < 2)


def matcher(table: Table) -> None:
    table.head("The matcher `sgm` against StereoSGBM 3WAY, one thread, real pictures")
    cv2.setNumThreads(1)
    for title, part in (
        ("ms at 640x480, 128 disparities; floor of the median ratio: 3", sgm.speed),
        (
            "bad pixels; sgm not worse on equal exposure, < 15 % more unequally exposed, fewer with noise and rows",
            sgm.accuracy,
        ),
        ("`quality` and `balanced` against StereoSGBM as it comes; floors 25 % and 8 % fewer", sgm.quality),
        ("spread of fractions, floors max 1.3, min 0.75", sgm.subpixel),
        ("cost, floor of the last ratio: 1.4", sgm.cost),
    ):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            part()
        table.lines += [title]
        table.text(said.getvalue())
        print(said.getvalue(), flush=True)


def main() -> None:
    words = sys.argv[1:]
    out = Path(words.pop(0)) if words and words[0].endswith(".md") else Path(__file__).parent / "fast.md"
    parts = {"throughput": throughput, "live": live_cameras, "matcher": matcher, "memory": memory}
    table = Table()
    start = time.perf_counter()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    for name in words or parts:
        parts[name](table)
    processor = processor_name()
    head = [
        "# Speed, and the matcher `sgm`",
        "",
        f"Made by `python benchmarks/all_fast.py` in {(time.perf_counter() - start) / 60:.0f} minutes; {processor}, "
        f"{cv2.getNumberOfCPUs()} cores, OpenCV {cv2.__version__}, load {load:.1f} at the start (0: nothing else ran).",
    ]
    out.write_text("\n".join([*head, *table.lines]) + "\n")
    print(f"\n{out}")


def processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
