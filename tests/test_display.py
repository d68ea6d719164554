from __future__ import annotations

import os
import shutil
import subprocess
import sys

import cv2
import pytest
from fakes.virtual_display import virtual_display

from livestereo import display
from livestereo.errors import LiveStereoError

LINUX = sys.platform.startswith("linux")


@pytest.fixture(autouse=True)
def asked_afresh():  # type: ignore[no-untyped-def]
    display.probe.cache_clear()
    yield
    display.probe.cache_clear()


@pytest.mark.skipif(not LINUX, reason="X11 is asked on Linux only")
def test_no_display_is_said_and_nothing_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    found = display.probe()
    assert not found.ok and "no display" in found.why
    with pytest.raises(LiveStereoError, match="--headless"):
        display.Window("x", (100, 100))


@pytest.mark.skipif(not LINUX, reason="X11 is asked on Linux only")
def test_a_display_that_does_not_answer_is_said() -> None:
    # In a process of its own: X11 keeps what it once read from the environment.
    code = "from livestereo import display; d = display.probe(); print(d.ok, d.why)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "DISPLAY": ":4711"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith("False") and ":4711" in done.stdout


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (ord("q"), "q"), (ord("?"), "?"), (27, "esc"), (0xFF1B, "esc"), (9, "tab"), (0xFF09, "tab"), (32, "space"),
        (0xFF51, "left"), (0x250000, "left"), (0xFFB3, "3"), (0xFFE1, ""), (0x100000 | ord("x"), "x"), (ord("["), "["),
        (ord("{"), "{"), (8, "backspace"), (0xFFFF, "delete"),
    ],
)  # fmt: skip
def test_key_codes_have_names(code: int, name: str) -> None:
    assert display.key_name(code) == name


@pytest.mark.skipif(not LINUX, reason="Qt meets X11 on Linux only")
def test_xlib_is_told_who_reads_the_events_by_its_own_library() -> None:
    """Asked in a process of its own: what is loaded globally stays loaded."""
    code = (
        "import ctypes, sys\n"
        "from livestereo import display\n"
        "if not display.give_qt_its_events(): sys.exit(77)\n"
        "ctypes.CDLL(None).XSetEventQueueOwner\n"  # AttributeError where it is not among the global symbols
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("libX11-xcb is not installed")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_picture_shown_full_screen_covers_the_screen() -> None:
    code = (
        "import cv2, numpy as np\n"
        "from livestereo import display\n"
        "poll = display.Window.poll\n"
        "def look(window, wait_s):\n"
        "    poll(window, wait_s)\n"
        "    print(cv2.getWindowProperty(window._name, cv2.WND_PROP_FULLSCREEN))\n"
        "    return [display.Key('q')]\n"
        "display.Window.poll = look\n"
        "display.show_full_screen('a board', np.zeros((200, 300, 3), np.uint8))\n"
    )
    with virtual_display("300x200") as name:
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "DISPLAY": name}, capture_output=True, text=True
        )
    assert float(done.stdout) == cv2.WINDOW_FULLSCREEN, done.stderr
