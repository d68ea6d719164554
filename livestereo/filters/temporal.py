"""Smoothing over time where nothing moves: less noise and flicker, and nothing smeared behind what moves."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8, MatchResult

# A pixel moves if its gray value changed by more than this many times the picture's own noise, and at least by 4.
NOISE_FACTOR = 5.0
LEAST_CHANGE = 4.0
# Disparities further apart than this are two surfaces: their mean would lie on neither.
SAME_SURFACE_PX = 1.0
# A pixel is held only if it has agreed with itself for so many pairs: what flickers is not worth holding.
HOLD_FROM_AGE = 3
OLDEST = 250


@dataclasses.dataclass(frozen=True)
class _Past:
    """What is remembered of each pixel: mean disparity, pairs in agreement, pairs it may still be held, gray value."""

    mean: F32
    age: U8
    to_hold: U8
    seen: F32


class TemporalFilter:
    """Recursive mean of each pixel's disparity while it is still and on one surface.

    strength: share of the past, 0..0.95. hold: pairs for which a still, well-known pixel keeps its disparity after
    the matcher lost it. confirm: a still pixel is shown once so many pairs agree (1: at once); moving ones are shown
    at once. A pixel is still if its gray value in the smoothed left picture stays within the noise.
    """

    stateful = True

    def __init__(self, strength: float, hold: int, confirm: int) -> None:
        self._strength = np.float32(strength)
        self._hold = np.uint8(hold)
        self._confirm = confirm
        self._past: _Past | None = None

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the smoothed result; pairs must come in order."""
        now = match.disparity_px
        known = now == now
        look = np.asarray(cv2.blur(guide_gray, (5, 5)), np.uint8).astype(np.float32)
        past = self._past
        if past is None or past.mean.shape != now.shape:
            self._past = _Past(now.copy(), known.view(np.uint8).copy(), known.view(np.uint8) * self._hold, look)
            return match
        change = look - past.seen
        still = _still(change)
        step = past.mean - now
        agree = still & (np.abs(step) <= SAME_SURFACE_PX)  # False where either is NaN
        mean = np.where(agree, now + self._strength * step, now)
        age = np.where(agree, np.minimum(past.age, OLDEST) + np.uint8(1), known.view(np.uint8))
        to_hold = known.view(np.uint8) * self._hold
        held = still & ~known & (past.age >= HOLD_FROM_AGE) & (past.to_hold > 0)
        np.copyto(mean, past.mean, where=held)
        np.copyto(age, past.age, where=held)
        np.copyto(to_hold, past.to_hold - np.uint8(1), where=held)
        # Slow changes of light are followed; what moved is seen anew at once.
        share = np.where(still, np.float32(0.25), np.float32(1))
        self._past = _Past(mean, age, to_hold, past.seen + share * change)
        shown = mean if self._confirm <= 1 else np.where(still & (age < self._confirm), np.float32(np.nan), mean)
        return dataclasses.replace(match, disparity_px=shown)

    def reset(self) -> None:
        """Forget everything."""
        self._past = None


def _still(change: F32) -> NDArray[np.bool_]:
    """Mask (H,W) bool of what did not move, from the change of the smoothed picture's gray values."""
    sample = change[::8, ::8]
    middle = np.median(sample)  # the whole picture brighter or darker is no motion
    noise = 1.48 * float(np.median(np.abs(sample - middle)))
    moved = np.abs(change - middle) > max(LEAST_CHANGE, NOISE_FACTOR * noise)
    grown = np.asarray(cv2.dilate(moved.view(np.uint8), np.ones((7, 7), np.uint8)), np.uint8)
    return np.asarray(grown == 0, np.bool_)
