"""How soon pictures come again after a camera is back: `python benchmarks/returning.py [--times 3]`.

By address: a loopback MJPEG camera cuts its connection and refuses new ones for a while. By stable id: a simulated
USB camera fails every grab, is attached nowhere for a while, and comes back under another path, as a plug does; it is
looked for by its id. Time is from the moment it is back until the first pair; the other camera goes on meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

# This folder holds a calibration.py, and the tests a folder of that name: the package must stand before both.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fakes.mjpeg_server import MjpegServer

from livestereo.errors import NoFrameYet, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.cameras import LiveSource
from livestereo.sources.capture import Camera
from livestereo.sources.grammar import Word

FPS, SIZE, WARM_S, LIMIT_S = 30.0, (320, 240), 2.0, 15.0
OUTAGES_S = (1.0, 5.0, 15.0)


class Plug:
    """Where a simulated camera is attached: a path, or None while it is unplugged."""

    def __init__(self, name: str) -> None:
        self.id = f"usb:{name}@1-2"
        self.path: str | None = f"{name}-video0"

    def find(self, word: Word) -> Camera:
        if self.path is None:
            raise SourceError(f"The camera {word.text} is not attached.")
        return Camera(self.id, self.path, 0, self.id)


class Capture:
    """Noise at 30 pictures per second, as long as the plug is where it was when this was opened."""

    def __init__(self, plug: Plug, path: object) -> None:
        self._plug, self._path = plug, path
        self._rng = np.random.default_rng(0)

    def isOpened(self) -> bool:
        return self._plug.path == self._path

    def get(self, prop: int) -> float:
        known = {cv2.CAP_PROP_FRAME_WIDTH: SIZE[0], cv2.CAP_PROP_FRAME_HEIGHT: SIZE[1], cv2.CAP_PROP_FPS: FPS}
        return float(known.get(prop, 0.0))

    def set(self, _prop: int, _value: float) -> bool:
        return False

    def grab(self) -> bool:
        threading.Event().wait(1 / FPS)
        return self.isOpened()

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, self._rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)

    def release(self) -> None:
        """Nothing to give back."""


def pairs_for(source: LiveSource, seconds: float) -> float | None:
    """Read for a while, or until the first pair where `seconds` is infinite; the moment of the last one."""
    end, last = time.monotonic() + min(seconds, LIMIT_S), None
    while time.monotonic() < end:
        try:
            if source.read(0.1) is not None:
                last = time.monotonic()
                if seconds > LIMIT_S:
                    return last
        except NoFrameYet:
            pass
    return last


def one(source: LiveSource, outage_s: float, unplug: Callable[[], object], back: Callable[[], object]) -> float:
    """Seconds from `back` until the next pair."""
    before = source.stats().reconnects
    pairs_for(source, WARM_S)
    unplug()
    pairs_for(source, outage_s)
    began = time.monotonic()
    back()
    at = pairs_for(source, float("inf"))
    if at is None or source.stats().reconnects != before + 1:
        raise SystemExit("it did not come back, or was counted wrongly")
    return at - began


def by_address(outage_s: float) -> float:
    noise = np.random.default_rng(1)
    jpegs = [
        cv2.imencode(".jpg", noise.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8))[1].tobytes() for _ in range(8)
    ]
    with (
        MjpegServer(lambda k: jpegs[k % 8], FPS) as left,
        MjpegServer(lambda k: jpegs[k % 8], FPS) as right,
        open_source([left.url, right.url], SourceRequest()) as source,
    ):
        return one(source, outage_s, right.disconnect, right.come_back)


def by_stable_id(outage_s: float) -> float:
    plugs = {plug.id: plug for plug in (Plug("left"), Plug("right"))}
    right = plugs["usb:right@1-2"]

    def open_capture(target: object, _backend: int, _params: object) -> Capture:
        return Capture(plugs[f"usb:{str(target).partition('-')[0]}@1-2"], target)

    cameras = [plug.find(Word("camera", plug.id)) for plug in plugs.values()]
    source = LiveSource(
        cameras, SourceRequest(), find_again=lambda word: plugs[word.text].find(word), open_capture=open_capture
    )
    with source:
        return one(
            source, outage_s, lambda: setattr(right, "path", None), lambda: setattr(right, "path", "right-video4")
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    print("| found by | away for | times | pictures again after, longest |\n|---|---|---|---|")
    for name, trial in (("address", by_address), ("stable id, other path", by_stable_id)):
        for outage_s in OUTAGES_S:
            worst = max(trial(outage_s) for _ in range(options.times))
            print(f"| {name} | {outage_s:g} s | {options.times} | {worst:.2f} s |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
