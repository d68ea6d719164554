"""Live from two loopback cameras: pairs per second and latency of each preset, as `livestereo preview` reports them.

    python benchmarks/live.py [seconds] [preset …]

Two MJPEG-over-HTTP servers in a process of their own give 640x480 at 30 pictures a second, the program reads them
through the same path as network cameras. Latency is from the arrival of a picture to its finished depth map.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fakes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibration.rigfile import save_rig
from livestereo.sources.demo import DemoSource

FPS = 30
PAIRS = 24


def cameras(pictures: list[tuple[bytes, bytes]], urls: Any, stop: Event) -> None:
    """Serve both cameras until told to stop."""
    from mjpeg_server import MjpegServer

    start = time.monotonic()
    left = MjpegServer(lambda k: pictures[k % len(pictures)][0], fps=FPS, start_s=start)
    right = MjpegServer(lambda k: pictures[k % len(pictures)][1], fps=FPS, start_s=start)
    with left, right:
        urls.put((left.url, right.url))
        stop.wait()


def preview(urls: tuple[str, str], rig: Path, seconds: float, words: list[str]) -> dict[str, Any]:
    program = [sys.executable, "-m", "livestereo", "preview", *urls, "--rig", str(rig), "--headless", "--json"]
    done = subprocess.run(
        [*program, "--duration", str(seconds), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "DISPLAY": ""},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    presets = sys.argv[2:] or ["balanced", "fast", "turbo"]
    with DemoSource("room", 0) as demo, tempfile.TemporaryDirectory() as folder:
        frames = [demo.frame(i) for i in range(PAIRS)]
        rig = Path(folder) / "rig.json"
        save_rig(rig, demo.rig)
        pictures = [(f.left.encoded or b"", f.right.encoded or b"") for f in frames]
        urls: Any = mp.Queue()
        stop = mp.Event()
        server = mp.Process(target=cameras, args=(pictures, urls, stop), daemon=True)
        server.start()
        addresses = urls.get(timeout=20)
        print("| preset | size | disparities | pairs/s | latency p50 ms | p95 ms | not worked on | stages ms |")
        print("|---|---|---|---|---|---|---|---|")
        try:
            for preset in presets:
                got = preview(addresses, rig, seconds, ["--preset", preset])
                used = got["settings"]
                stages = ", ".join(f"{name} {ms:.1f}" for name, ms in got["stage_ms"].items())
                size = "half" if used["scale"] == 0.5 else "full"
                late = got["latency_ms"]
                print(
                    f"| {preset} | {size} | {used['num_disparities']} | {got['fps']:.1f} | {late['p50']:.0f} | "
                    f"{late['p95']:.0f} | {sum(got['dropped'].values())} | {stages} |",
                    flush=True,
                )
        finally:
            stop.set()
            server.join(5)


if __name__ == "__main__":
    main()
