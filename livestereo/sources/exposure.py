"""Equal pictures from two cameras: equal exposure *time* first, then gain for brightness and white balance for colour.

Time comes first because it decides how far a moving thing smears; gain only makes it brighter. Pure: it is told what
the pictures look like and says what to set, step by step, with frames in between for the setting to take effect.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from livestereo.sources.v4l2 import EXPOSURE_AUTOMATIC, EXPOSURE_MANUAL, EXPOSURE_UNIT_S, Controls
from livestereo.types import U8

SETTLE_FRAMES = 5
MOST_STEPS = 12
BRIGHTNESS_TOLERANCE = 0.02
COLOUR_TOLERANCE = 0.02


@dataclass(frozen=True)
class Look:
    """How a picture looks. brightness: mean gray, 0..255. warmth: ln(mean red / mean blue)."""

    brightness: float
    warmth: float


def look_at(image: U8) -> Look:
    """Measure a picture (H,W,3) BGR, where neither channel is saturated."""
    small = image[::8, ::8].reshape(-1, 3).astype(np.float32)
    fair = small[(small.max(axis=1) < 250) & (small.min(axis=1) > 2)]
    if len(fair) < 50:
        fair = small
    blue, green, red = fair.mean(axis=0) + 1e-3
    return Look(float(0.114 * blue + 0.587 * green + 0.299 * red), float(np.log(red / blue)))


def set_automatic(controls: Controls) -> bool:
    """Let the camera expose as it likes; False where it cannot be set."""
    done = False
    for value in EXPOSURE_AUTOMATIC:
        if controls.set("auto_exposure", value) == value:
            done = True
            break
    controls.set("white_balance_automatic", 1)
    return done


def set_time(controls: Controls, exposure_s: float) -> float | None:
    """Expose for so many seconds; give what the camera really does, None where it cannot be set."""
    if controls.set("auto_exposure", EXPOSURE_MANUAL) != EXPOSURE_MANUAL:
        return None
    got = controls.set("exposure_time_absolute", exposure_s / EXPOSURE_UNIT_S)
    return None if got is None else got * EXPOSURE_UNIT_S


@dataclass
class _Search:
    """Finds the setting of one control that brings a difference to zero: first a guess, then secants."""

    low: float
    high: float
    at: float
    tried: list[tuple[float, float]] = field(default_factory=list)

    def next(self, difference: float) -> float:
        """Give the setting to try next, having seen `difference` at the present one."""
        self.tried.append((self.at, difference))
        if len(self.tried) == 1:
            step = 0.1 * (self.high - self.low)
        else:
            (a, da), (b, db) = self.tried[-2:]
            slope = (db - da) / (b - a) if b != a else 0.0
            step = -db / slope if abs(slope) > 1e-9 else 0.1 * (self.high - self.low)
            limit = 0.3 * (self.high - self.low)
            step = max(-limit, min(limit, step))
        if len(self.tried) == 1 and difference < 0:
            step = -step
        self.at = max(self.low, min(self.high, self.at + step))
        return self.at


class ExposureMatch:
    """Makes two cameras look alike and holds them there. Call `step` with the newest looks until `done`.

    exposure_s: the time for both; None takes the shorter of what both use now.
    """

    def __init__(self, left: Controls, right: Controls, exposure_s: float | None) -> None:
        self._both = (left, right)
        self.notes: list[str] = []
        self.done = False
        self.exposure_s: float | None = None
        self._frames = 0
        self._steps = 0
        self._phase = "gain"
        self._gain: _Search | None = None
        self._white: _Search | None = None
        self._side = 0
        self._start(exposure_s)

    def _start(self, wanted_s: float | None) -> None:
        now = [controls.get("exposure_time_absolute") for controls in self._both]
        known = [value * EXPOSURE_UNIT_S for value in now if value]
        time_s = wanted_s or min(known, default=0.01)
        got = [set_time(controls, time_s) for controls in self._both]
        sides = ("left", "right")
        for side, value in zip(sides, got):
            if value is None:
                self.notes.append(f"The {side} camera's exposure time cannot be set here.")
        if got[0] is not None and got[1] is not None and abs(got[0] - got[1]) > 0.02 * max(got[0], got[1]):
            # The cameras step differently: both take what the coarser one can do.
            got = [set_time(controls, max(got[0], got[1])) for controls in self._both]
            if got[0] is not None and got[1] is not None and abs(got[0] - got[1]) > 0.1 * max(got[0], got[1]):
                self.notes.append(f"Exposure times differ: {got[0] * 1e3:.1f} and {got[1] * 1e3:.1f} ms.")
        self.exposure_s = got[0] if got[0] is not None else got[1]
        self.done = self.exposure_s is None
        for side, controls in zip(sides, self._both):
            if controls.range("white_balance_automatic") and controls.set("white_balance_automatic", 0) != 0:
                self.notes.append(f"The {side} camera's white balance cannot be held.")

    def step(self, left: Look, right: Look) -> None:
        """Take how both pictures look now; change a setting when the last one has taken effect."""
        if self.done:
            return
        self._frames += 1
        if self._frames % SETTLE_FRAMES:
            return
        self._steps += 1
        if self._phase == "gain":
            self._match_brightness(left.brightness, right.brightness)
        else:
            self._match_colour(left.warmth, right.warmth)
        if self._steps >= MOST_STEPS and not self.done:
            self.notes.append("Brightness or colour of the two cameras could not be matched fully.")
            self.done = True

    def _match_brightness(self, left: float, right: float) -> None:
        difference = float(np.log((right + 1) / (left + 1)))
        if self._gain is None:
            # The darker camera is raised.
            self._side = 0 if difference > 0 else 1
            allowed, now = self._both[self._side].range("gain"), self._both[self._side].get("gain")
            if allowed is None or now is None or allowed.maximum <= allowed.minimum:
                if abs(difference) > BRIGHTNESS_TOLERANCE:
                    self.notes.append(f"The {('left', 'right')[self._side]} camera is darker and has no gain to set.")
                self._phase = "colour"
                return
            self._gain = _Search(allowed.minimum, allowed.maximum, now)
        # Positive: the camera that is being set is too dark.
        dark = difference if self._side == 0 else -difference
        if abs(dark) <= BRIGHTNESS_TOLERANCE:
            self._phase = "colour"
            return
        self._both[self._side].set("gain", self._gain.next(dark))

    def _match_colour(self, left: float, right: float) -> None:
        if self._white is None:
            allowed, now = (
                self._both[1].range("white_balance_temperature"),
                self._both[0].get("white_balance_temperature"),
            )
            if allowed is None:
                self.done = True
                return
            start = float(now) if now is not None else float(allowed.default)
            self._white = _Search(allowed.minimum, allowed.maximum, start)
            self._both[1].set("white_balance_temperature", start)
            return
        difference = left - right
        if abs(difference) <= COLOUR_TOLERANCE:
            self.done = True
            return
        self._both[1].set("white_balance_temperature", self._white.next(difference))
