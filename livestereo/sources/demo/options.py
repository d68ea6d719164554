"""What may stand behind `demo:`: the scene and its options, read and checked.

demo:room,seed=1,phase=8ms,jitter=3ms,drift=5ms/min,drop=2%,unplug=left@5s+3s,expose=right*1.25+8
demo:board,board=charuco:7x5:30mm:22mm:DICT_5X5_100
demo:plane,distance=2m,tilt=20deg
"""

from __future__ import annotations

import re
from typing import Any

from calibration.boards import parse_board
from livestereo.errors import SourceError
from livestereo.sources.demo.faults import Faults, read_fault
from livestereo.sources.demo.source import DEFAULT_SIZE, MAX_SIZE, MIN_SIZE, SCENES, DemoSource
from livestereo.sources.request import SourceRequest, parse_fps, parse_size

_LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(m|cm|mm)")
_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}


def open_demo(text: str, request: SourceRequest | None = None) -> DemoSource:
    """Make the source that `demo[:scene[,option…]]` names; `request` gives size, rate, bound on skew and bias.

    Raises:
        SourceError: an unknown scene or option, or a value that is not of its form.
        SettingsError: a size or a rate that is not of its form.
        CalibrationError: a wrong board.
    """
    request = request or SourceRequest()
    _, _, rest = text.partition(":")
    words = [part.strip() for part in rest.split(",") if part.strip()]
    scene = "room"
    if words and re.fullmatch(r"[A-Za-z]+", words[0]) and words[0] not in ("swap", "flash", "live"):
        scene = words.pop(0)
        if scene not in SCENES:
            raise SourceError(f"Unknown demo scene: {scene!r}.", f"Scenes: {', '.join(SCENES)}.")
    known: dict[str, Any] = {"size_wh": request.size[0] or DEFAULT_SIZE, "fps": request.fps[0] or 30.0}
    faults = Faults()
    for word in words:
        key, _, value = word.partition("=")
        own = _own_option(key, value)
        if own is None:
            faults = read_fault(faults, word)
        else:
            known.update(own)
    w, h = known["size_wh"]
    if not (MIN_SIZE[0] <= w <= MAX_SIZE[0] and MIN_SIZE[1] <= h <= MAX_SIZE[1]):
        raise SourceError(
            f"The demo cannot be rendered at {w}x{h}.",
            f"Give a size from {MIN_SIZE[0]}x{MIN_SIZE[1]} to {MAX_SIZE[0]}x{MAX_SIZE[1]}.",
        )
    return DemoSource(scene, faults=faults, request=request, name=text, **known)


def _own_option(key: str, value: str) -> dict[str, Any] | None:
    """Read an option that is no fault; None where `key` is none of them."""
    if key == "seed":
        return {"seed": _whole(key, value, 2**31 - 1)}
    if key == "count":
        return {"count": _whole(key, value, 10**9)}
    if key == "size":
        return {"size_wh": parse_size(value)}
    if key == "fps":
        return {"fps": parse_fps(value)}
    if key == "board":
        return {"board": parse_board(value)}
    if key == "distance":
        match = _LENGTH.fullmatch(value)
        length = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if not 0.1 <= length <= 20:
            raise SourceError(f"{key}={value} is not a distance from 0.1 to 20 m.", "Write it like distance=1.5m.")
        return {"distance_m": length}
    if key == "tilt":
        match = re.fullmatch(r"([+-]?\d+(?:\.\d*)?)deg", value)
        if match is None or abs(float(match[1])) > 50:
            raise SourceError(f"{key}={value} is not an angle up to 50 degrees.", "Write it like tilt=20deg.")
        return {"tilt_deg": float(match[1])}
    return None


def _whole(key: str, value: str, most: int) -> int:
    if not re.fullmatch(r"\d{1,10}", value) or int(value) > most:
        raise SourceError(f"{key}={value} is not a whole number.", f"Write it like {key}=1.")
    return int(value)
