"""Every key of the window, in the whole program under a virtual display; and how a run ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.close_button import click_close_button
from fakes.virtual_display import virtual_display

pytestmark = pytest.mark.slow
LIMIT_S = 240.0  # for a slow machine; nothing depends on it being reached


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    for tool in ("Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    with virtual_display("1400x700") as name:
        yield name


@pytest.fixture
def start(display: str, tmp_path: Path) -> Iterator[Any]:
    """Start the program in the display; whatever happens, it does not outlive the test."""
    started: list[Program] = []

    def begin(*words: str) -> Program:
        started.append(Program(display, tmp_path, *words))
        return started[-1].wait()

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


class Program:
    """The running program and a person before it."""

    def __init__(self, display: str, folder: Path, *words: str) -> None:
        self.env = {**os.environ, "DISPLAY": display}
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "livestereo", *words], env=self.env, cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def wait(self) -> Program:
        self.until(lambda: self.tool("search", "--onlyvisible", "--name", "livestereo") != "", "window")
        return self

    def tool(self, *words: str) -> str:
        return subprocess.run(["xdotool", *words], env=self.env, capture_output=True, text=True).stdout.strip()

    def screen(self) -> bytes:
        shot = subprocess.run(["import", "-window", "root", "rgb:-"], env=self.env, capture_output=True, check=True)
        return shot.stdout

    def until(self, holds: Any, what: str) -> None:
        limit = time.monotonic() + LIMIT_S
        while not holds():
            assert self.process.poll() is None, self.process.communicate()[1]
            if time.monotonic() > limit:
                self.process.send_signal(signal.SIGABRT)  # shows where it hangs
                raise AssertionError(f"no {what} within {LIMIT_S:.0f} s: {self.process.communicate()[1]}")
            select_a_while()

    def press(self, key: str) -> None:
        before = self.screen()
        self.tool("key", key)
        self.until(lambda: self.screen() != before, f"change of the screen by {key}")

    def find_page(self) -> None:
        """Remember the page's address, which tells what the run is doing."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://[^/]+", line)
            if found:
                self.page = found.group(0)
                return

    def state(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.page}/state", timeout=LIMIT_S) as answer:
            state: dict[str, Any] = json.loads(answer.read())
        return state

    def press_until(self, key: str, holds: Any) -> None:
        assert not holds(self.state())
        self.tool("key", key)
        self.until(lambda: holds(self.state()), f"effect of {key}")

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, out, err


def bright_share(screen: bytes) -> float:
    """Share of the screen's bytes that are bright: the window's dark ground and a few letters hardly count."""
    return float((np.frombuffer(screen, np.uint8) > 60).mean())


def select_a_while() -> None:
    """Wait for other processes without spinning."""
    import select

    select.select([], [], [], 0.1)


@pytest.mark.timeout(600)
def test_every_key(start: Any, tmp_path: Path) -> None:
    program = start(
        "preview", "demo:clean", "--size", "320x240", "--save-dir", "saved", "--num-disparities", "64", "--json",
        "--web", "0",
    )  # fmt: skip
    program.find_page()
    program.press("question")
    # The picture stands still: what changes from here on is what the key does.
    program.press_until("space", lambda now: now["paused"])
    for key in ("1", "2", "3", "4", "5", "6", "7", "0", "c", "bracketleft", "bracketright", "braceleft", "braceright",
                "a", "a", "e", "0", "comma", "period", "x", "x", "k", "question", "question"):  # fmt: skip
        program.press(key)
    program.press_until("w", lambda now: now["values"]["wls"]["value"])
    program.press_until("t", lambda now: now["values"]["temporal"]["value"])
    program.press_until("h", lambda now: now["values"]["holes"]["value"])
    program.press("Tab")
    program.press("Down")
    program.press_until("Right", lambda now: now["values"]["mode"]["value"] == "hh")
    program.press("Tab")
    program.press_until("m", lambda now: now["matcher"] != "sgbm")
    program.press_until("p", lambda now: now["preset"] == "quality")
    program.tool("mousemove", "500", "300", "mousedown", "1", "mousemove", "560", "330", "mouseup", "1")
    program.press("s")
    program.until(lambda: len(list((tmp_path / "saved").glob("*_cloud.ply"))) == 1, "saved cloud")
    program.press_until("space", lambda now: not now["paused"])
    program.press_until("r", lambda now: now["recording_s"] is not None)
    program.press_until("r", lambda now: now["recording_s"] is None)
    assert len(list((tmp_path / "saved").glob("take-*/take.json"))) == 1
    program.tool("key", "q")
    code, out, err = program.end()
    assert code == 0, err
    assert "Traceback" not in err
    figures = json.loads(out)
    assert figures["pairs"] >= 1 and figures["settings"]["preset"] == "quality"
    kinds = {path.name.split("_", 1)[1] for path in (tmp_path / "saved").glob("*_*.*")}
    assert {"left.png", "right.png", "depth.png", "depth_mm.png", "disparity.pfm", "cloud.ply", "screen.png"} <= kinds


@pytest.mark.parametrize("ending", ["q", "close", "interrupt"])
def test_each_way_to_end_is_clean(start: Any, ending: str) -> None:
    program = start("preview", "demo:plane", "--size", "160x120", "--num-disparities", "32")
    window = program.tool("search", "--onlyvisible", "--name", "livestereo").split()[0]
    program.tool("mousemove", "--window", window, "20", "20")  # with no window manager, keys go where the mouse is
    program.until(lambda: bright_share(program.screen()) > 0.05, "picture")
    if ending == "q":
        program.tool("key", "q")
    elif ending == "close":
        click_close_button(program.env["DISPLAY"], int(window))
    else:
        program.process.send_signal(signal.SIGINT)
    code, out, err = program.end()
    assert code == 0, err
    assert "Traceback" not in err
    assert "pairs" in out and "dropped" in out


def test_no_display_runs_headless_and_says_so(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    done = subprocess.run(
        [sys.executable, "-m", "livestereo", "preview", "demo:plane", "--size", "160x120", "--frames", "5", "--json",
         "--num-disparities", "32"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no display" in done.stderr
    assert json.loads(done.stdout)["pairs"] == 5
