"""What a killed recording loses: `python benchmarks/kills.py [--runs 20] [--seconds 5 30]`.

Two loopback MJPEG cameras (640x480, 30 pictures per second, the rendered room) are recorded with depth beside it, and
the program is killed by SIGKILL at a random time. Then: does the take open, which is the last pair that is whole, how
long before the kill was it exposed, what does `verify` say, does `--repair` make the take whole without touching a
stream, and can every pair of it be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fakes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mjpeg_server import MjpegServer
from recording import cameras

from livestereo.sources.take import TakeSource
from livestereo.takes import manifest as m
from livestereo.takes.index import read_index
from livestereo.takes.repair import repair
from livestereo.takes.verify import verify

ROOT = Path(__file__).resolve().parents[1]
START_LIMIT_S = 120.0


def killed_take(folder: Path, urls: tuple[str, str], seconds: float, preset: str) -> float:
    """Record for so many seconds after the first pair, kill the program; give when, on the monotonic clock."""
    take = folder / "take"
    command = [
        sys.executable, "-m", "livestereo", "record", *urls, "--rig", str(folder.parent / "rig.json"), "-o", str(take),
        "--headless", "--preset", preset, "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    try:
        begin = time.monotonic()
        while not _has_pair(take):
            if process.poll() is not None or time.monotonic() - begin > START_LIMIT_S:
                raise SystemExit(f"The recording did not begin: {process.communicate()[1].decode()}")
            _wait(process, 0.02)
        _wait(process, seconds)
    finally:
        killed_s = time.monotonic()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return killed_s


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _has_pair(take: Path) -> bool:
    index = take / m.INDEX
    return index.is_file() and b'"pair"' in index.read_bytes()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def examine(take: Path, killed_s: float) -> dict[str, object]:
    """Say what is left of a killed take."""
    first = next(line for line in (take / m.INDEX).read_text().splitlines() if '"t0_us"' in line)
    begin_s = json.loads(first)["t0_us"] / 1e6
    streams = {path: _hash(path) for path in take.iterdir() if path.name != m.MANIFEST}
    with TakeSource(take) as source:
        opens = source.read(1.0) is not None
    before = verify(take)
    after = repair(take)
    untouched = all(_hash(path) == was for path, was in streams.items())
    with TakeSource(take) as source:
        readable = sum(source.frame(entry.pair) is not None for entry in source.reader.pairs)
    last = [entry for entry in read_index(take).pairs if entry.pair not in after.left_out][after.pairs - 1]
    told = [f"{missing.what}: {missing.frames}" for missing in before.missing]
    told += [f"{corrupt.what}: {corrupt.frames} {corrupt.why}" for corrupt in before.corrupt]
    return {
        "opens": opens, "pairs": after.pairs, "lost_s": killed_s - (begin_s + last.left_us / 1e6), "told": told,
        "said_not_whole": not before.ok, "whole": after.ok, "untouched": untouched,
        "readable": readable == after.pairs, "adds_up": after.captured == after.pairs + sum(after.lost.values()),
        "left_out": after.lost,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, nargs=2, default=(5.0, 30.0))
    parser.add_argument("--preset", default="turbo")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    good, worst = 0, 0.0
    print("| run | killed after | pairs | lost | `verify` before the repair | after it |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temp:
        left, right = cameras(Path(temp) / "rig.json")
        with MjpegServer(left, fps=30) as a, MjpegServer(right, fps=30, start_s=a.start_s) as b:
            for run in range(options.runs):
                folder = Path(temp) / str(run)
                folder.mkdir()
                seconds = chance.uniform(*options.seconds)
                killed_s = killed_take(folder, (a.url, b.url), seconds, options.preset)
                found = examine(folder / "take", killed_s)
                lost = float(str(found["lost_s"]))
                worst = max(worst, lost)
                held = all(found[k] for k in ("opens", "said_not_whole", "whole", "untouched", "readable", "adds_up"))
                good += held and lost <= 1.0
                told = "; ".join(cast("list[str]", found["told"])) or "not closed, nothing damaged"
                state = "whole, every pair reads" if held else f"NOT AS IT SHOULD BE: {found}"
                figures = f"{run + 1} | {seconds:.1f} s | {found['pairs']} | {lost * 1000:.0f} ms"
                print(f"| {figures} | {told} | {state} |", flush=True)
    print(f"\n{good} of {options.runs} takes open, lost at most 1 s, whole after `--repair`; most: {worst:.2f} s.")
    return 0 if good == options.runs else 1


if __name__ == "__main__":
    sys.exit(main())
