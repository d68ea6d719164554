"""What recording costs: `python benchmarks/recording.py [--seconds 60] [--window]`.

Two loopback MJPEG cameras (640x480, 30 pictures per second, the rendered room) are recorded while depth is computed
beside it, as `record` does. What a frame takes on the disk is measured by `sizes.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fakes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from mjpeg_server import MjpegServer, stamp_jpeg

from calibration.rigfile import save_rig
from livestereo.sources.demo import DemoSource
from livestereo.takes.index import read_index
from livestereo.takes.verify import verify

COUNT = 60
FPS = 30


def cameras(rig: Path) -> tuple[Callable[[int], bytes], Callable[[int], bytes]]:
    """Give what a left and a right camera send, by number of the picture: the room as JPEGs; write its rig."""
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    with DemoSource("room", seed=2) as source:
        for _ in range(COUNT):
            frame = source.read(5.0)
            assert frame is not None
            for side, kept in zip((frame.left, frame.right), sides):
                kept.append(cv2.imencode(".jpg", side.image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
        save_rig(rig, source.rig)
    left, right = sides
    return (lambda k: stamp_jpeg(left[k % COUNT], k)), (lambda k: stamp_jpeg(right[k % COUNT], k))


def record(folder: Path, seconds: float, preset: str, *, window: bool) -> dict[str, object]:
    """Record loopback cameras with depth beside it, in a window if wanted; give what `record --json` tells."""
    left, right = cameras(folder / "rig.json")
    with MjpegServer(left, fps=FPS) as a, MjpegServer(right, fps=FPS, start_s=a.start_s) as b:
        done = subprocess.run(
            [
                sys.executable, "-m", "livestereo", "record", a.url, b.url, "--rig", str(folder / "rig.json"), "-o",
                str(folder / "take"), "--duration", str(seconds), "--preset", preset, "--json",
                *([] if window else ["--headless"]),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise SystemExit(done.stderr) from None


def missing(take: Path, settled_s: float = 3.0) -> tuple[int, int]:
    """Count the pictures that no pair came of, by the stamps: while the program was starting, and after that."""
    stamps = [entry.left_us / 1e6 for entry in read_index(take).pairs]
    holes = [(after, round((after - before) * FPS) - 1) for before, after in pairwise(stamps)]
    return sum(n for at, n in holes if at < settled_s), sum(n for at, n in holes if at >= settled_s)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--window", action="store_true", help="show it in the window (needs a display)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        told = record(Path(temp), options.seconds, options.preset, window=options.window)
        print("| figure | value |\n|---|---|")
        for name in (
            "captured",
            "written",
            "lost",
            "depth_written",
            "thinned",
            "fps",
            "capture_fps",
            "latency_ms",
            "dropped",
            "gaps",
        ):
            print(f"| {name} | {told.get(name)} |")
        print(f"| pairs written per second | {float(str(told['written'])) / options.seconds:.2f} |")
        start, later = missing(Path(temp) / "take")
        print(f"| pictures without a pair: in the first 3 s, after that | {start}, {later} |")
        print(f"| verify | {'whole' if verify(Path(temp) / 'take').ok else 'NOT WHOLE'} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
