"""How soon a run ends, whatever ends it: `python benchmarks/stopping.py [--times 3]`.

Two loopback MJPEG cameras (640x480, 30 pictures per second, in a process of their own) run through `livestereo
preview` and `record`; the window stands in a virtual display (Xvfb, xdotool). Time is from the signal, the key or the
click until the program is gone, with its summary printed and exit code 0. A camera whose thread dies is tried in this
process: from the error until `run` has raised it, and whether a thread is left.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# This folder holds a calibration.py, and the tests a folder of that name: the package must stand before both.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fakes.close_button import click_close_button
from fakes.mjpeg_server import MjpegServer
from fakes.virtual_display import virtual_display

from calibration.rectify import identity_rectification
from calibration.rigfile import save_rig
from livestereo.cli._build import build_pipeline
from livestereo.engine import run
from livestereo.errors import LiveStereoError
from livestereo.settings import resolve_settings
from livestereo.sources import SourceRequest
from livestereo.sources.cameras import LiveSource
from livestereo.sources.capture import Camera
from livestereo.sources.demo import DemoSource

FPS, WARM_S, LIMIT_S = 30.0, 3.0, 20.0
Pictures = list[tuple[bytes, bytes]]


def serve(pictures: Pictures, urls: Any, stop: Any, stall: Any) -> None:
    """Serve both cameras until told to stop; the right one stalls when told to."""
    start = time.monotonic()
    cameras = [
        MjpegServer(lambda k, s=side: pictures[k % len(pictures)][s], FPS, start_s=start) for side in (0, 1)
    ]  # fmt: skip
    with cameras[0], cameras[1]:
        urls.put((cameras[0].url, cameras[1].url))
        while not stop.wait(0.05):
            cameras[1].faults.stalled = stall.is_set()


class Program:
    """The program as somebody runs it. display: '' for none."""

    def __init__(self, words: list[str], display: str, folder: str) -> None:
        self.env = {**os.environ, "DISPLAY": display}
        self.display = display
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livestereo", *words], env=self.env, cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def window(self) -> str:
        limit = time.monotonic() + LIMIT_S
        while time.monotonic() < limit:
            found = self.tool("search", "--onlyvisible", "--name", "livestereo").split()
            if found:
                self.tool("mousemove", "--window", found[0], "20", "20")  # keys go where the mouse is
                return found[0]
            threading.Event().wait(0.1)
        raise SystemExit("no window came")

    def tool(self, *words: str) -> str:
        return subprocess.run(["xdotool", *words], env=self.env, capture_output=True, text=True).stdout.strip()

    def ends_after(self, act: Callable[[], object]) -> tuple[float, str]:
        """Seconds until it is gone, and what was wrong, or ''."""
        began = time.monotonic()
        act()
        out, err = self.process.communicate(timeout=60)
        took = time.monotonic() - began
        wrong = [f"exit {self.process.returncode}"] if self.process.returncode else []
        wrong += ["no summary"] if "pairs" not in out + err else []
        wrong += ["traceback"] if "Traceback" in err else []
        return took, ", ".join(wrong)


def ways(display: str) -> list[tuple[str, str, bool, Callable[[Program], object]]]:
    """(name, display, recording, what is done)."""

    def interrupt(program: Program) -> None:
        program.process.send_signal(signal.SIGINT)

    def terminate(program: Program) -> None:
        program.process.send_signal(signal.SIGTERM)

    return [
        ("Ctrl-C, no window", "", False, interrupt),
        ("SIGTERM, no window", "", False, terminate),
        ("Ctrl-C, window", display, False, interrupt),
        ("SIGTERM, window", display, False, terminate),
        ("q", display, False, lambda program: program.tool("key", "q")),
        ("window closed", display, False, lambda program: click_close_button(display, int(program.window()))),
        ("Ctrl-C while recording", "", True, interrupt),
        ("Ctrl-C while a camera stalls", "", False, interrupt),
    ]


class Dying:
    """A capture that gives noise at 30 pictures per second, and dies when told to."""

    def __init__(self, death: threading.Event) -> None:
        self._death = death
        self._rng = np.random.default_rng(0)

    def isOpened(self) -> bool:
        return True

    def get(self, prop: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 320.0, cv2.CAP_PROP_FRAME_HEIGHT: 240.0, cv2.CAP_PROP_FPS: FPS}.get(prop, 0.0)

    def set(self, _prop: int, _value: float) -> bool:
        return False

    def grab(self) -> bool:
        if self._death.wait(1 / FPS):
            raise RuntimeError("the driver fell over")
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, self._rng.integers(0, 255, (240, 320, 3), np.uint8)

    def release(self) -> None:
        """Nothing to give back."""


def dying_thread() -> tuple[float, str]:
    """Seconds from the death of a camera's thread until `run` has raised it, and what was wrong, or ''."""
    death, never = threading.Event(), threading.Event()
    before = threading.enumerate()
    names = ["left", "right"]
    cameras = [Camera(name, name, 0, name) for name in names]
    source = LiveSource(
        cameras, SourceRequest(),
        open_capture=lambda target, _backend, _params: Dying(death if target == "right" else never),
    )  # fmt: skip
    at = [0.0]

    def kill() -> None:
        at[0] = time.monotonic()
        death.set()

    timer = threading.Timer(WARM_S, kill)
    said = "nothing was raised"
    with source:
        timer.start()
        settings = resolve_settings("balanced", {"num_disparities": 64}, None)
        rectification = identity_rectification((320, 240), 300.0)
        try:
            run(source, lambda wanted, _frame: build_pipeline(wanted, rectification), settings)
        except LiveStereoError:
            said = ""
    took = time.monotonic() - at[0]
    timer.join()
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    return took, ", ".join([*([said] if said else []), *left])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    urls: Any = mp.Queue()
    stop, stall = mp.Event(), mp.Event()
    with DemoSource("room", 0) as demo, tempfile.TemporaryDirectory() as folder, virtual_display("1500x900") as display:
        frames = [demo.frame(k) for k in range(16)]
        save_rig(Path(folder) / "rig.json", demo.rig)
        pictures = [(f.left.encoded or b"", f.right.encoded or b"") for f in frames]
        server = mp.Process(target=serve, args=(pictures, urls, stop, stall), daemon=True)
        server.start()
        addresses = list(urls.get(timeout=20))
        print("| ended by | times | longest | wrong |\n|---|---|---|---|")
        try:
            for name, where, recording, act in ways(display):
                ends = []
                for turn in range(options.times):
                    words = ["record", "-o", f"take{turn}"] if recording else ["preview"]
                    words += addresses
                    program = Program([*words, "--rig", "rig.json", *([] if where else ["--headless"])], where, folder)
                    if where:
                        program.window()
                    threading.Event().wait(WARM_S + (0 if where else 4))
                    if "stalls" in name:
                        stall.set()
                        threading.Event().wait(1.5)
                    ends.append(program.ends_after(lambda act=act, program=program: act(program)))
                    stall.clear()
                tell(name, ends)
        finally:
            stop.set()
            server.join(5)
        tell("a camera's thread dies", [dying_thread() for _ in range(options.times)])
    return 0


def tell(name: str, ends: list[tuple[float, str]]) -> None:
    wrong = "; ".join(text for _, text in ends if text) or "nothing"
    print(f"| {name} | {len(ends)} | {max(took for took, _ in ends):.2f} s | {wrong} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
