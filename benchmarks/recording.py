"""What recording costs: `python benchmarks/recording.py [--seconds 60] [--window]`.

Two loopback MJPEG cameras (640x480, 30 pictures per second, the rendered room) are recorded while depth is computed
beside it, as `record` does. Then the sizes of the same pictures in other forms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fakes"))
sys.path.insert(0, str(ROOT))
from mjpeg_server import MjpegServer, stamp_jpeg  # noqa: E402

from calibration.rigfile import save_rig  # noqa: E402
from livestereo.codecs import Ffv1Writer, H264Writer  # noqa: E402
from livestereo.sources.demo import DemoSource  # noqa: E402
from livestereo.takes.manifest import decode_disparity, load_manifest  # noqa: E402
from livestereo.takes.reader import TakeReader  # noqa: E402
from livestereo.takes.verify import verify  # noqa: E402

COUNT = 60


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
    with MjpegServer(left, fps=30) as a, MjpegServer(right, fps=30, start_s=a.start_s) as b:
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


def sizes(take: Path) -> None:
    """KiB per frame of one take's pictures in several forms."""
    manifest = load_manifest(take)
    with TakeReader(take) as reader, tempfile.TemporaryDirectory() as temp:
        numbers = reader.pairs_with_depth()[:30]
        disparities = [d for n in numbers if (d := reader.disparity(n)) is not None]
        lefts = [image for n in numbers if (image := reader.images(n)[0]) is not None]
        coded = [np.where(np.isfinite(d), np.rint((d + 1024) * 16) + 1, 0).astype(np.uint16) for d in disparities]
        assert all(np.array_equal(decode_disparity(c, -1024), d, equal_nan=True) for c, d in zip(coded, disparities))
        size = (coded[0].shape[1], coded[0].shape[0])
        disparity = Ffv1Writer(Path(temp) / "d.mkv", size, kind="gray16")
        rows = {
            "disparity, FFV1 (a take)": [len(disparity.write(c, i / 30)) for i, c in enumerate(coded)],
            "disparity, PNG 16 bits": [len(cv2.imencode(".png", c)[1]) for c in coded],
            "disparity, raw 16 bits": [c.nbytes for c in coded],
        }
        raw = Ffv1Writer(Path(temp) / "l.mkv", (lefts[0].shape[1], lefts[0].shape[0]))
        rows["left, lossless FFV1"] = [len(raw.write(image, i / 30)) for i, image in enumerate(lefts)]
        film = H264Writer(Path(temp) / "l.mp4", (lefts[0].shape[1], lefts[0].shape[0]), crf=14, preset="ultrafast")
        rows["left, H.264 (--raw h264)"] = [len(film.write(image, i / 30)) for i, image in enumerate(lefts)]
        if manifest.left is not None:
            rows[f"left, {manifest.left.codec} (a take)"] = [manifest.left.bytes // max(1, manifest.left.frames)]
        print("\n| what | KiB per frame |\n|---|---|")
        for name, values in rows.items():
            print(f"| {name} | {np.mean(values) / 1024:.0f} |")
        disparity.close(), raw.close(), film.close()


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
        print(f"| verify | {'whole' if verify(Path(temp) / 'take').ok else 'NOT WHOLE'} |")
        sizes(Path(temp) / "take")
    return 0


if __name__ == "__main__":
    sys.exit(main())
