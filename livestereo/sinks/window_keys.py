"""The keys of the window: what each does, and which of them work in this run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class KeyHelp:
    """One line of the help: `keys` as names of `display.Key`, the `caps` to show, a `command`, and what it does.

    needs: what the run must be able to do for the key to work; empty for always.
    """

    keys: tuple[str, ...]
    caps: tuple[str, ...]
    command: str
    text: str
    group: str
    needs: str = ""

    def cap_of(self, key: str) -> str:
        """Give what stands on the cap of one of its keys."""
        at = self.keys.index(key if key in self.keys else key.lower())
        return self.caps[min(at, len(self.caps) - 1)]


KEYS: tuple[KeyHelp, ...] = (
    KeyHelp(("0",), ("0",), "view", "left beside depth", "Look"),
    KeyHelp(("1", "2", "3"), ("1", "2", "3"), "view", "left, right, both with level lines", "Look"),
    KeyHelp(("4", "5"), ("4", "5"), "view", "depth, confidence", "Look"),
    KeyHelp(("6", "7"), ("6", "7"), "view", "anaglyph, why there is no depth", "Look"),
    KeyHelp(("c",), ("c",), "colormap", "colour map", "Look"),
    KeyHelp(("[", "]"), ("[", "]"), "far", "far end of the colour range", "Look"),
    KeyHelp(("{", "}"), ("{", "}"), "near", "near end of the colour range", "Look"),
    KeyHelp(("a",), ("a",), "auto_range", "automatic range", "Look"),
    KeyHelp(("e",), ("e",), "effect", "next effect", "Look", "effect"),
    KeyHelp((), ("click",), "point", "measure a point", "Measure", "measure"),
    KeyHelp((), ("drag",), "ruler", "measure a distance", "Measure", "measure"),
    KeyHelp(("delete", "backspace"), ("⌫",), "clear", "remove the measurements", "Measure", "measure"),
    KeyHelp(("tab",), ("Tab",), "tuning", "tuning panel", "Depth", "tune"),
    KeyHelp(("m",), ("m",), "matcher", "next matcher", "Depth", "tune"),
    KeyHelp(("p",), ("p",), "preset", "next preset", "Depth", "tune"),
    KeyHelp(("w",), ("w",), "wls", "WLS filter", "Depth", "wls"),
    KeyHelp(("t",), ("t",), "temporal", "smooth over time", "Depth", "temporal"),
    KeyHelp(("h",), ("h",), "holes", "fill holes", "Depth", "holes"),
    KeyHelp(("space",), ("Space",), "pause", "pause", "Run"),
    KeyHelp((",", "."), (",", "."), "step", "step back, forward", "Run", "step"),
    KeyHelp((), ("click the bar",), "seek", "go to that pair", "Run", "seek"),
    KeyHelp(("s",), ("s",), "save", "save picture, depth and cloud", "Run"),
    KeyHelp(("r",), ("r",), "record", "record", "Run", "record"),
    KeyHelp(("x",), ("x",), "swap", "exchange left and right", "Run", "swap"),
    KeyHelp(("k",), ("k",), "lock_exposure", "lock exposure", "Run", "lock_exposure"),
    KeyHelp(("?", "/"), ("?",), "help", "this help", "Run"),
    KeyHelp(("q", "esc"), ("q", "Esc"), "quit", "quit", "Run"),
)  # fmt: skip

# The same in the smallest windows, where there is room for some eighteen letters.
SHORT = {
    "left, right, both with level lines": "left, right, both",
    "anaglyph, why there is no depth": "anaglyph, reasons",
    "far end of the colour range": "far end of colours",
    "near end of the colour range": "near end of colours",
    "remove the measurements": "remove those",
    "save picture, depth and cloud": "save what is seen",
    "exchange left and right": "swap the sides",
    "go to that pair": "go there",
}

_BY_KEY = {key: line for line in KEYS for key in line.keys}


def line_for(key: str) -> KeyHelp | None:
    """Give the line of the help that a key belongs to; letters count without Shift."""
    return _BY_KEY.get(key) or _BY_KEY.get(key.lower())


def working(can: Collection[str]) -> tuple[KeyHelp, ...]:
    """Give the lines whose keys work in a run that can do `can`."""
    return tuple(line for line in KEYS if not line.needs or line.needs in can)
