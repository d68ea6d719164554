"""Watch a rig while it is in use: vertical error now, and a warning when the cameras were bumped. No threads.

monitor = DriftMonitor(rectification)
state = monitor.observe(left_gray, right_gray)      # rectified pictures, about once a second
state.vertical_px, state.bumped, state.words
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.drift import Drift, fit_drift, is_exchanged
from calibration.matches import LEAST, Matches, find_matches
from calibration.quality import row_differences
from calibration.rectify import Rectification

U8 = NDArray[np.uint8]

_REMEMBERED = 8
_FEATURES = 500
# Rows are off by this somewhere, in so many looks in a row: nothing that a passing hand or a blurred picture does.
_BUMP_PX = 0.5
_IN_A_ROW = 3
# Rows that are suddenly off by so much more or less: the cameras are not as they were.
_CHANGED_PX = 0.3


@dataclass(frozen=True)
class DriftState:
    """What is known now. vertical_px: median |row difference| of this pair, None where too little could be matched.

    drift: of the last looks together, or None. bumped: the cameras have moved since the rig was made, and `words` say
    how. swapped: the pictures are exchanged.
    """

    vertical_px: float | None
    drift: Drift | None = None
    bumped: bool = False
    swapped: bool = False
    words: tuple[str, ...] = ()


class DriftMonitor:
    """Judges one rectification from the pictures that go through it."""

    def __init__(self, rectification: Rectification) -> None:
        self.rectification = rectification
        self._seen: deque[Matches] = deque(maxlen=_REMEMBERED)
        self._in_a_row = 0
        self._median_px: float | None = None

    def observe(self, left_gray: U8, right_gray: U8) -> DriftState:
        """Look at one rectified pair, (H,W) uint8 each, at the rectification's full size."""
        found = find_matches(left_gray, right_gray, most=_FEATURES)
        if not found.enough:
            return DriftState(None)
        return self.observe_matches(found)

    def observe_matches(self, found: Matches) -> DriftState:
        """Look at matches of one rectified pair that somebody has found already."""
        now = row_differences(found.left_px, found.right_px, doffs_px=self.rectification.doffs_px)
        if now.median_px is None:
            return DriftState(None)
        if now.swapped and self._exchanged(found):
            self._in_a_row = 0
            return DriftState(now.median_px, swapped=True, words=("Left and right are exchanged.",))
        # What was seen before the cameras moved would outvote what is seen since.
        if self._median_px is not None and abs(now.median_px - self._median_px) > _CHANGED_PX:
            self._seen.clear()
        self._median_px = now.median_px
        self._seen.append(found)
        left, right, sigma = (
            np.concatenate([getattr(m, name) for m in self._seen]) for name in ("left_px", "right_px", "sigma_px")
        )
        if len(left) < 2 * LEAST:
            return DriftState(now.median_px)
        drift = fit_drift(self.rectification, left, right, sigma_px=sigma)
        self._in_a_row = self._in_a_row + 1 if drift.pattern and drift.worst_px > _BUMP_PX else 0
        bumped = self._in_a_row >= _IN_A_ROW
        return DriftState(now.median_px, drift, bumped, words=drift.words() if bumped else ())

    def _exchanged(self, found: Matches) -> bool:
        drift = fit_drift(self.rectification, found.left_px, found.right_px, sigma_px=found.sigma_px)
        return is_exchanged(self.rectification, drift, found.left_px, found.right_px)

    def reset(self) -> None:
        """Forget what was seen: after a seek, a new rig, a change of cameras."""
        self._seen.clear()
        self._in_a_row = 0
        self._median_px = None
