"""What slow and dead browsers cost the loop: pairs per second with and without ten of them, in turns.

    python -m benchmarks.web [--rounds 5] [--pairs 60] [--clients 10]

Each client asks for the stream of depth and never reads a byte of it. Beside pairs per second, which suffer from what
else runs on the computer, the processor time of a pair is told, which does not.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path
from types import TracebackType

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

from calibration.rectify import make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.engine import run
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings, resolve_settings
from livestereo.sinks.web import WebView
from livestereo.sinks.web_guard import parse_address
from livestereo.sources import open_source
from livestereo.types import CaptureStats, SourceInfo, StereoFrame


class Rendered:
    """Pairs that were rendered before, so that rendering costs nothing here."""

    def __init__(self, frames: list[StereoFrame], info: SourceInfo) -> None:
        self._frames = list(frames)
        self.info = info

    def __enter__(self) -> Rendered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    def read(self, timeout_s: float = 1.0) -> StereoFrame | None:
        return self._frames.pop(0) if self._frames else None

    def stats(self) -> CaptureStats:
        return CaptureStats()


def stalled(link: str) -> socket.socket:
    """Ask for the stream and read nothing."""
    host, port = link.removeprefix("http://").rstrip("/").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect((host, int(port)))
    client.sendall(f"GET /view/depth.mjpg HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    return client


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--clients", type=int, default=10)
    given = parser.parse_args()
    settings = resolve_settings("balanced", {})
    with open_source(["demo:room"]) as source:
        frames = [frame for _ in range(given.pairs) if (frame := source.read(1.0)) is not None]
        info, rig_file = source.info, source.info.rig
    assert rig_file is not None
    at = make_rectification(rig_file.rig)

    def build(wanted: Settings, frame: StereoFrame) -> Pipeline:
        return build_pipeline(wanted, at)

    rates: dict[int, list[float]] = {0: [], given.clients: []}
    spent: dict[int, list[float]] = {0: [], given.clients: []}
    for number in range(2 * given.rounds):
        count = given.clients if number % 2 else 0
        web = WebView(parse_address("127.0.0.1:0"), settings)
        clients = [stalled(web.links[0]) for _ in range(count)]
        begin = time.process_time()
        summary = run(Rendered(frames, info), build, settings, views=[web])
        rates[count].append(summary.fps)
        spent[count].append(1000 * (time.process_time() - begin) / summary.pairs)
        for client in clients:
            client.close()
    for count, values in rates.items():
        print(f"{count:2d} stalled clients: {np.median(values):.2f} pairs per second ({np.round(values, 1).tolist()}), "
              f"{np.median(spent[count]):.1f} ms of processor time for a pair")  # fmt: skip
    slower = 100 * (1 - np.median(rates[given.clients]) / np.median(rates[0]))
    work = 100 * (np.median(spent[given.clients]) / np.median(spent[0]) - 1)
    print(f"pairs per second: {-slower:+.1f} % (floor −5); work for a pair: {work:+.1f} %")


if __name__ == "__main__":
    main()
