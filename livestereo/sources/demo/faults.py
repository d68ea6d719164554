"""What can go wrong with two ordinary cameras, as values: read from the words behind `demo:`.

Times are seconds of the demo's own clock, which starts at 0 with the left camera's first exposure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from livestereo.errors import SourceError

Side = Literal["left", "right"]
Flash = Literal["strobe", "torch"]


@dataclass(frozen=True)
class Outage:
    """One camera gives nothing, or nothing new, from `start_s` for `length_s`."""

    side: Side
    start_s: float
    length_s: float

    def covers(self, side: str, t_s: float) -> bool:
        """Tell whether a moment of a side lies in it."""
        return side == self.side and self.start_s <= t_s < self.start_s + self.length_s


@dataclass(frozen=True)
class Exposed:
    """One camera exposes otherwise: `gain` times the light, then `offset` grey levels more."""

    side: Side
    gain: float
    offset: float


@dataclass(frozen=True)
class Blurred:
    """One camera is out of focus: standard deviation `sigma_px`."""

    side: Side
    sigma_px: float


@dataclass(frozen=True)
class Faults:
    """All faults of a demo; the default is none.

    phase_s: the right camera fires so much later. drift: the right clock runs slow by this part. jitter_s: standard
    deviation of the delivery. drop: share of frames that never come. bias_s: right stamps come so much later than
    left ones for the same moment. swap: the cables are exchanged. bump_deg, bump_s: the right camera is turned at
    that moment. flash: light that flashes now and then, `light` says how. readout_s: the shutter rolls from the
    first row to the last in this time (left, right). exposure_s: how long each row is exposed. live: paced by the
    clock on the wall, newest wins.
    """

    phase_s: float = 0.0
    jitter_s: float = 0.0
    drift: float = 0.0
    drop: float = 0.0
    bias_s: float = 0.0
    unplug: tuple[Outage, ...] = ()
    freeze: tuple[Outage, ...] = ()
    expose: tuple[Exposed, ...] = ()
    blur: tuple[Blurred, ...] = ()
    swap: bool = False
    bump_deg: float = 0.0
    bump_s: float = 0.0
    flash: bool = False
    light: Flash = "strobe"
    readout_s: tuple[float, float] = (0.0, 0.0)
    exposure_s: float = 0.0
    live: bool = False

    @property
    def timed(self) -> bool:
        """Frames must be paired by their stamps."""
        return bool(self.phase_s or self.jitter_s or self.drift or self.drop or self.bias_s or self.unplug or self.live)


_NUMBER = r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))"
_TIMES = {"ms": 1e-3, "s": 1.0, "us": 1e-6, "min": 60.0}
_DURATION = rf"{_NUMBER}(ms|us|min|s)"


def _seconds(number: str, unit: str) -> float:
    return float(number) * _TIMES[unit]


def _duration(text: str, low: float, high: float) -> float | None:
    match = re.fullmatch(_DURATION, text)
    value = _seconds(match[1], match[2]) if match else None
    return value if value is not None and low <= value <= high else None


def _phase(faults: Faults, text: str) -> Faults | None:
    value = _duration(text, -10, 10)
    return None if value is None else replace(faults, phase_s=value)


def _jitter(faults: Faults, text: str) -> Faults | None:
    value = _duration(text, 0, 0.2)
    return None if value is None else replace(faults, jitter_s=value)


def _bias(faults: Faults, text: str) -> Faults | None:
    value = _duration(text, -1, 1)
    return None if value is None else replace(faults, bias_s=value)


def _drift(faults: Faults, text: str) -> Faults | None:
    match = re.fullmatch(rf"{_DURATION}/(min|s)", text)
    if match is None:
        return None
    drift = _seconds(match[1], match[2]) / _TIMES[match[3]]
    return replace(faults, drift=drift) if abs(drift) <= 0.1 else None


def _drop(faults: Faults, text: str) -> Faults | None:
    match = re.fullmatch(rf"{_NUMBER}%", text)
    return replace(faults, drop=float(match[1]) / 100) if match and 0 <= float(match[1]) <= 95 else None


def _outage(text: str) -> Outage | None:
    match = re.fullmatch(rf"(left|right)@{_DURATION}\+{_DURATION}", text)
    if match is None:
        return None
    start, length = _seconds(match[2], match[3]), _seconds(match[4], match[5])
    side: Side = "left" if match[1] == "left" else "right"
    return Outage(side, start, length) if start >= 0 and length > 0 else None


def _unplug(faults: Faults, text: str) -> Faults | None:
    outage = _outage(text)
    return None if outage is None else replace(faults, unplug=(*faults.unplug, outage))


def _freeze(faults: Faults, text: str) -> Faults | None:
    outage = _outage(text)
    return None if outage is None else replace(faults, freeze=(*faults.freeze, outage))


def _expose(faults: Faults, text: str) -> Faults | None:
    match = re.fullmatch(rf"(left|right)\*{_NUMBER}(?:([+-]\d+(?:\.\d*)?))?", text)
    if match is None or not 0 < float(match[2]) <= 20:
        return None
    side: Side = "left" if match[1] == "left" else "right"
    return replace(faults, expose=(*faults.expose, Exposed(side, float(match[2]), float(match[3] or 0))))


def _blur(faults: Faults, text: str) -> Faults | None:
    match = re.fullmatch(rf"(left|right)\*{_NUMBER}px", text)
    if match is None or not 0 < float(match[2]) <= 50:
        return None
    side: Side = "left" if match[1] == "left" else "right"
    return replace(faults, blur=(*faults.blur, Blurred(side, float(match[2]))))


def _bump(faults: Faults, text: str) -> Faults | None:
    match = re.fullmatch(rf"{_NUMBER}deg@{_DURATION}", text)
    if match is None or not 0 < abs(float(match[1])) <= 20:
        return None
    return replace(faults, bump_deg=float(match[1]), bump_s=_seconds(match[2], match[3]))


def _readout(faults: Faults, text: str) -> Faults | None:
    parts = [_duration(part, 0, 0.2) for part in text.split("/")]
    if len(parts) > 2 or any(part is None for part in parts):
        return None
    left, right = parts[0] or 0.0, parts[-1] or 0.0
    return replace(faults, readout_s=(left, right))


def _exposure(faults: Faults, text: str) -> Faults | None:
    value = _duration(text, 0, 0.2)
    return None if value is None else replace(faults, exposure_s=value)


def _light(faults: Faults, text: str) -> Faults | None:
    if text not in ("strobe", "torch"):
        return None
    return replace(faults, flash=True, light="torch" if text == "torch" else "strobe")


@dataclass(frozen=True)
class Option:
    """One option behind `demo:`: how it is written, what it does, and how it is read."""

    form: str
    about: str
    read: Callable[[Faults, str], Faults | None]


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "phase": Option("phase=8ms", "the right camera fires later", _phase),
        "jitter": Option("jitter=3ms", "frames are delivered late by chance", _jitter),
        "drift": Option("drift=5ms/min", "the right clock runs slow", _drift),
        "drop": Option("drop=2%", "frames are lost by chance", _drop),
        "bias": Option("bias=4ms", "right stamps come later than left ones", _bias),
        "unplug": Option("unplug=left@5s+3s", "a camera is gone for a while", _unplug),
        "freeze": Option("freeze=right@8s+1s", "a camera repeats its picture", _freeze),
        "expose": Option("expose=right*1.25+8", "a camera exposes otherwise", _expose),
        "blur": Option("blur=left*2px", "a camera is out of focus", _blur),
        "bump": Option("bump=0.3deg@5s", "the right camera is turned", _bump),
        "readout": Option(
            "readout=20ms", "rolling shutter, first row to last (left/right may differ: 20ms/15ms)", _readout
        ),
        "exposure": Option("exposure=10ms", "each row is exposed so long", _exposure),
        "light": Option("light=torch", "what flashes: strobe or torch", _light),
    }
)
FLAGS: Mapping[str, str] = MappingProxyType(
    {"swap": "the cables are exchanged", "flash": "a light flashes now and then", "live": "paced by the wall clock"}
)


def read_fault(faults: Faults, word: str) -> Faults:
    """Add one option to the faults.

    Raises:
        SourceError: no such option, or a value that is not of its form.
    """
    key, equals, text = word.partition("=")
    if key in FLAGS and not equals:
        if key == "swap":
            return replace(faults, swap=True)
        return replace(faults, flash=True) if key == "flash" else replace(faults, live=True)
    option = OPTIONS.get(key)
    if option is None:
        known = ", ".join([*(o.form for o in OPTIONS.values()), *FLAGS])
        raise SourceError(f"The demo has no option {word!r}.", f"Options: seed=1, size=640x480, {known}.")
    added = option.read(faults, text)
    if added is None:
        raise SourceError(f"{word!r} is not of its form.", f"Write it like {option.form}: {option.about}.")
    return added
