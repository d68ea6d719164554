"""What is asked of a source, checked: sizes, rates, formats, flips, exposure, the bound on skew."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from livestereo.errors import SettingsError
from livestereo.frames import FLIPS, Flip
from livestereo.types import SizeWH

T = TypeVar("T")
Pair = tuple[T, T]
Exposure = Literal["auto", "locked", "manual"]

MAX_SIDE_PX = 16384
MAX_FPS = 1000.0


@dataclass(frozen=True)
class SourceRequest:
    """How pictures shall be taken. Pairs are (first named, second named), before swapping.

    side_by_side, top_bottom: one picture carries both views. size: (width, height) px to ask a camera for,
    None is its own choice. fps, fourcc: likewise. exposure: None leaves the camera as it is; `manual` sets
    `exposure_s` seconds on both sides. swap: exchange the sides, after `flip`. flip: 90 and 270 are degrees
    clockwise. max_skew_s: pairs further apart are dropped (None: half the slower camera's period).
    stamp_bias_s: true skew − stamp skew, of left and right after swapping; for files a plain time shift.
    camera_ids: the stable ids a rig was made with, so that another camera at an index can be told.
    controls: by `left` and `right`, values of camera controls to restore (`focus_absolute`, say).
    partial: a take may lack pictures; black ones stand for them.
    readout_s: from the first row to the last, left and right after swapping; None where it is not known.
    """

    side_by_side: bool = False
    top_bottom: bool = False
    size: Pair[SizeWH | None] = (None, None)
    fps: Pair[float | None] = (None, None)
    fourcc: Pair[str | None] = (None, None)
    exposure: Exposure | None = None
    exposure_s: float | None = None
    swap: bool = False
    flip: Pair[Flip] = ("none", "none")
    max_skew_s: float | None = None
    allow_missing: bool = False
    stamp_bias_s: float = 0.0
    camera_ids: Pair[str] | None = None
    controls: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    readout_s: Pair[float] | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.side_by_side and self.top_bottom:
            raise SettingsError("--side-by-side and --top-bottom exclude each other.", "Give one of them.")
        for size in self.size:
            if size is not None and not all(1 <= side <= MAX_SIDE_PX for side in size):
                raise SettingsError(
                    f"A picture size of {size[0]}x{size[1]} is not possible.", f"Sides go from 1 to {MAX_SIDE_PX}."
                )
        for fps in self.fps:
            if fps is not None and not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
                raise SettingsError(
                    f"A rate of {fps:g} pictures per second is not possible.", f"Give more than 0, up to {MAX_FPS:g}."
                )
        for fourcc in self.fourcc:
            if fourcc is not None and not re.fullmatch(r"[ -~]{4}", fourcc):
                raise SettingsError(f"{fourcc!r} is not a pixel format.", "Give four letters, such as MJPG or YUYV.")
        for flip in self.flip:
            if flip not in FLIPS:
                raise SettingsError(f"Unknown flip {flip!r}.", f"Give one of {', '.join(FLIPS)}.")
        if self.exposure is not None and self.exposure not in get_args(Exposure):
            raise SettingsError(f"Unknown exposure {self.exposure!r}.", "Give auto, locked, or a time in milliseconds.")
        if (self.exposure == "manual") != (self.exposure_s is not None):
            raise SettingsError("A manual exposure needs a time.", "Give it in milliseconds, such as --exposure 10.")
        if self.exposure_s is not None and not 1e-6 <= self.exposure_s <= 10:
            raise SettingsError(
                f"An exposure of {self.exposure_s * 1e3:g} ms is not possible.", "Give 0.001 to 10000 milliseconds."
            )
        if self.max_skew_s is not None and not (math.isfinite(self.max_skew_s) and self.max_skew_s > 0):
            raise SettingsError(f"A largest skew of {self.max_skew_s * 1e3:g} ms is not possible.", "Give more than 0.")
        if not math.isfinite(self.stamp_bias_s):
            raise SettingsError("The stamp bias is not a finite number.", "Measure it again with `livestereo sync`.")

    @property
    def splits(self) -> bool:
        """One picture carries both views."""
        return self.side_by_side or self.top_bottom

    @classmethod
    def parse(
        cls,
        *,
        size: str | None = None,
        fps: str | None = None,
        fourcc: str | None = None,
        exposure: str | None = None,
        flip: str | None = None,
        max_skew_ms: float | None = None,
        **rest: Any,
    ) -> SourceRequest:
        """Build a request from the texts of the command line; `rest` are fields as they are.

        Raises:
            SettingsError: a text is not of its form, or a value is out of its range.
        """
        mode, time_s = parse_exposure(exposure)
        return cls(
            size=parse_pair(size, parse_size) or (None, None),
            fps=parse_pair(fps, parse_fps) or (None, None),
            fourcc=parse_pair(fourcc, parse_fourcc) or (None, None),
            exposure=mode,
            exposure_s=time_s,
            flip=parse_pair(flip, parse_flip) or ("none", "none"),
            max_skew_s=None if max_skew_ms is None else max_skew_ms / 1e3,
            **rest,
        )


def parse_pair(text: str | None, parse: Callable[[str], T]) -> Pair[T] | None:
    """Read `A` (for both sides) or `A,B`; None stays None.

    Raises:
        SettingsError: more than two values, or one that `parse` refuses.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2:
        raise SettingsError(f"{text!r} has {len(parts)} values.", "Give one for both sides, or two: left,right.")
    first = parse(parts[0])
    return first, parse(parts[1]) if len(parts) == 2 else first


def parse_size(text: str) -> SizeWH:
    """Read `640x480` as (width, height) px."""
    match = re.fullmatch(r"(\d{1,9})\s*[xX×]\s*(\d{1,9})", text.strip())
    if match is None:
        raise SettingsError(f"{text!r} is not a picture size.", "Write width x height, such as 640x480.")
    return int(match[1]), int(match[2])


def parse_fps(text: str) -> float:
    """Read a rate such as `30`, `29.97` or `30000/1001`, pictures per second."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(?:/(\d+(?:\.\d*)?))?", text.strip())
    if match is None or (match[2] is not None and float(match[2]) == 0):
        raise SettingsError(f"{text!r} is not a rate.", "Write pictures per second, such as 30.")
    return float(match[1]) / float(match[2] or 1)


def parse_fourcc(text: str) -> str:
    """Read a pixel format of four letters, such as `MJPG`; shorter ones are padded (`Y16`)."""
    text = text.strip()
    if not re.fullmatch(r"[!-~]{1,4}", text):
        raise SettingsError(f"{text!r} is not a pixel format.", "Give four letters, such as MJPG or YUYV.")
    return text.upper().ljust(4)


def parse_flip(text: str) -> Flip:
    """Read none, h, v, 180, 90 or 270."""
    for flip in FLIPS:
        if text.strip().lower() == flip:
            return flip
    raise SettingsError(f"Unknown flip {text!r}.", f"Give one of {', '.join(FLIPS)}, or one for each side: 180,none.")


def parse_exposure(text: str | None) -> tuple[Exposure | None, float | None]:
    """Read `auto`, `locked`, or milliseconds, as (mode, seconds or None)."""
    if text is None:
        return None, None
    word = text.strip().lower()
    if word == "auto":
        return "auto", None
    if word == "locked":
        return "locked", None
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(?:\s*ms)?", word)
    if match is None:
        raise SettingsError(f"{text!r} is not an exposure.", "Give auto, locked, or a time in milliseconds.")
    return "manual", float(match[1]) / 1e3
