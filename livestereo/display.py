"""The screen: is there one, and a window on it. The one place that touches HighGUI.

`cv2.imshow` with no display ends the whole process and cannot be caught, so nothing here calls
into HighGUI before `probe()` has proved that a window can be opened.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2

from livestereo.errors import LiveStereoError
from livestereo.types import U8, SizeWH

MouseKind = Literal["move", "press", "release", "wheel_up", "wheel_down"]
ASSUMED_SCREEN: SizeWH = (1920, 1080)

# What HighGUI's backends give for keys that are no characters: X11 keysyms (Qt, GTK), Windows virtual keys << 16.
_SPECIAL = {
    27: "esc", 0xFF1B: "esc", 9: "tab", 0xFF09: "tab", 0xFE20: "tab", 13: "enter", 10: "enter", 0xFF0D: "enter",
    0xFF8D: "enter", 8: "backspace", 0xFF08: "backspace", 127: "delete", 0xFFFF: "delete",
    0xFF51: "left", 0xFF52: "up", 0xFF53: "right", 0xFF54: "down", 0x250000: "left", 0x260000: "up",
    0x270000: "right", 0x280000: "down", 0xFF55: "page_up", 0xFF56: "page_down", 0xFF50: "home", 0xFF57: "end",
    32: "space",
}  # fmt: skip


@dataclass(frozen=True)
class Display:
    """Whether a window can be shown. `why`: the reason if not, as a sentence; `screen_wh`: px."""

    ok: bool
    why: str = ""
    screen_wh: SizeWH = ASSUMED_SCREEN


@dataclass(frozen=True)
class Key:
    """A key press: a character (`q`, `?`) or a name (`esc`, `tab`, `space`, `left`, …)."""

    name: str


@dataclass(frozen=True)
class Mouse:
    """A mouse event at canvas pixel (x, y)."""

    kind: MouseKind
    x: int
    y: int


@dataclass(frozen=True)
class Closed:
    """The person closed the window."""


Event = Key | Mouse | Closed


@lru_cache(maxsize=1)
def probe() -> Display:
    """Find out, without risk, whether a window can be opened; asked once per process."""
    try:
        framework = cv2.currentUIFramework()
    except (AttributeError, cv2.error):
        framework = "NONE"
    if not framework or framework.upper() == "NONE":
        return Display(False, "This build of OpenCV has no windows (a headless package).")
    if not sys.platform.startswith("linux"):
        return Display(True)
    if not os.environ.get("DISPLAY"):
        return Display(False, "There is no display (DISPLAY is not set).")
    if framework.upper().startswith("QT"):
        give_qt_its_events()
        missing = _missing_qt_library()
        if missing:
            return Display(False, missing)
    return _ask_x11()


def give_qt_its_events() -> bool:
    """Let the system's libX11-xcb, not the one in OpenCV's wheel, tell Xlib that Qt reads the events; False without.

    The copy is older than the libX11 it meets: `XSetEventQueueOwner` writes 8 bytes beside the field it means, Xlib
    goes on taking events out of the queue, and now and then the one that says that the window is on the screen is
    among them. Such a window stays black and hears nothing. Loaded globally and first, the system's own is found.
    """
    try:
        ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _missing_qt_library() -> str:
    """Load Qt's plugin for X11 as Qt would; say what is missing. Qt itself would end the process."""
    plugin = Path(cv2.__file__).parent / "qt" / "plugins" / "platforms" / "libqxcb.so"
    if not plugin.exists():
        return ""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return f"A library for windows is missing ({str(error).split(':')[0]}); on Debian: apt install libsm6 libgl1."
    return ""


def _ask_x11() -> Display:
    name = ctypes.util.find_library("X11") or "libX11.so.6"
    try:
        x11 = ctypes.CDLL(name)
    except OSError:
        # Qt brings its own way to X11; without libX11 nothing proves that the display answers.
        return Display(False, "The library libX11 is missing; on Debian: apt install libx11-6.")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    for function in (x11.XDefaultScreen, x11.XCloseDisplay):
        function.argtypes = [ctypes.c_void_p]
    for function in (x11.XDisplayWidth, x11.XDisplayHeight):
        function.argtypes = [ctypes.c_void_p, ctypes.c_int]
    connection = x11.XOpenDisplay(None)
    if not connection:
        return Display(False, f"The display {os.environ.get('DISPLAY')} does not answer.")
    screen = x11.XDefaultScreen(connection)
    size = (x11.XDisplayWidth(connection, screen), x11.XDisplayHeight(connection, screen))
    x11.XCloseDisplay(connection)
    return Display(True, screen_wh=size)


class Window:
    """One window. Every method belongs to the main thread.

    The picture shown should have `size_wh`, the window's own size: then a canvas pixel is a screen
    pixel, text is sharp, and mouse positions need no mapping.

    Raises:
        LiveStereoError: there is no display.
    """

    _count = 0

    def __init__(self, title: str, size_wh: SizeWH) -> None:
        found = probe()
        if not found.ok:
            raise LiveStereoError(found.why, "Run with --headless, or --web for a browser.")
        # HighGUI finds a window by its name only when that is plain ASCII; what people read is set apart.
        Window._count += 1
        self._name = f"livestereo-{Window._count}"
        self._events: deque[Event] = deque(maxlen=256)
        self._size_wh = size_wh
        self._open = True
        self._shown = False
        cv2.namedWindow(self._name, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.setWindowTitle(self._name, title)
        cv2.resizeWindow(self._name, *size_wh)
        cv2.setMouseCallback(self._name, self._on_mouse)

    @property
    def is_open(self) -> bool:
        """False once it was closed, by us or by the person."""
        return self._open

    @property
    def size_wh(self) -> SizeWH:
        """Size of the window's inside now, px."""
        if self._open and self._shown and self._is_visible():
            _, _, w, h = cv2.getWindowImageRect(self._name)
            if w > 0 and h > 0:
                self._size_wh = (w, h)
        return self._size_wh

    def _is_visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False  # the last window was closed, and Qt with it

    def show(self, bgr: U8) -> None:
        """Show a (H,W,3) uint8 BGR picture."""
        if self._open:
            cv2.imshow(self._name, bgr)
            self._shown = True

    def resize(self, size_wh: SizeWH) -> None:
        """Give its inside another size."""
        if self._open:
            cv2.resizeWindow(self._name, *size_wh)

    def fill_screen(self) -> None:
        """Cover the whole screen, without a frame."""
        if self._open:
            cv2.setWindowProperty(self._name, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)

    def poll(self, wait_s: float = 0.0) -> list[Event]:
        """Let the window live for `wait_s` (at least 1 ms) and give what happened meanwhile, oldest first."""
        if not self._open:
            return []
        code = cv2.waitKeyEx(max(1, round(wait_s * 1000)))
        if code != -1:
            name = key_name(code)
            if name:
                self._events.append(Key(name))
        if self._shown and not self._is_visible():
            self._open = False
            self._events.append(Closed())
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Close it; idempotent."""
        if self._open:
            self._open = False
            try:
                cv2.destroyWindow(self._name)
                cv2.waitKey(1)
            except cv2.error:
                # The person's close button was quicker.
                return

    def _on_mouse(self, event: int, x: int, y: int, flags: int, _: object) -> None:
        kinds: dict[int, MouseKind] = {
            cv2.EVENT_MOUSEMOVE: "move", cv2.EVENT_LBUTTONDOWN: "press", cv2.EVENT_LBUTTONUP: "release",
        }  # fmt: skip
        if event == cv2.EVENT_MOUSEWHEEL:
            self._events.append(Mouse("wheel_up" if flags > 0 else "wheel_down", x, y))
        elif event in kinds:
            if event == cv2.EVENT_MOUSEMOVE and self._events and _is_move(self._events[-1]):
                self._events.pop()
            self._events.append(Mouse(kinds[event], x, y))


def _is_move(event: Event) -> bool:
    return isinstance(event, Mouse) and event.kind == "move"


def key_name(code: int) -> str:
    """Name a key code of `cv2.waitKeyEx`; empty for keys that mean nothing here (Shift alone, say)."""
    if code in _SPECIAL:
        return _SPECIAL[code]
    if 33 <= code < 127:
        return chr(code)
    if 0xFFB0 <= code <= 0xFFB9:  # digits of the number block, X11
        return chr(ord("0") + code - 0xFFB0)
    if code > 0xFFFF and code & 0xFFFF:  # GTK adds bits for Shift, Num Lock and the like
        return key_name(code & 0xFFFF)
    return ""


def show_until_key(title: str, bgr: U8) -> None:
    """Show one picture, scaled down to fit the screen, until a key is pressed or the window is closed."""
    screen_w, screen_h = probe().screen_wh
    h, w = bgr.shape[:2]
    scale = min(1.0, screen_w * 0.9 / w, screen_h * 0.85 / h)
    if scale < 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
    window = Window(title, (bgr.shape[1], bgr.shape[0]))
    try:
        window.show(bgr)
        while window.is_open:
            if any(isinstance(event, (Key, Closed)) for event in window.poll(0.05)):
                return
    finally:
        window.close()


def show_full_screen(title: str, bgr: U8) -> None:
    """Show one picture over the whole screen, pixel for pixel, until a key is pressed."""
    window = Window(title, (bgr.shape[1], bgr.shape[0]))
    try:
        window.fill_screen()
        window.show(bgr)
        while window.is_open:
            if any(isinstance(event, (Key, Closed)) for event in window.poll(0.05)):
                return
    finally:
        window.close()
