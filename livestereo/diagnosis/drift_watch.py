"""Whether the rig still fits, once a second beside a preview: vertical error now, a warning when it was bumped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from calibration.drift import Drift
from calibration.watch import DriftMonitor, DriftState
from livestereo.types import CaptureStats, Finding, StereoFrame, StereoResult

_NAMES = {"pitch": "pitch", "roll": "roll", "yaw": "yaw", "focal": "focal length, zoom or focus"}


class DriftWatch:
    """An observer for the engine. figures: `vertical_px`, median row error of the last look, where one was possible."""

    def __init__(self) -> None:
        self._monitor: DriftMonitor | None = None
        self._figures: Mapping[str, float] = {}

    @property
    def figures(self) -> Mapping[str, float]:
        """What the status bar shows."""
        return self._figures

    def observe(self, frame: StereoFrame, result: StereoResult, stats: CaptureStats) -> Iterable[Finding]:
        """Look at the newest rectified pair."""
        pair = result.pair
        made = pair.rectification
        if (pair.left_gray.shape[1], pair.left_gray.shape[0]) != made.size_wh:
            return ()
        if self._monitor is None or self._monitor.rectification is not made:
            self._monitor = DriftMonitor(made)
        state = self._monitor.observe(pair.left_gray, pair.right_gray)
        self._figures = {} if state.vertical_px is None else {"vertical_px": state.vertical_px}
        return _findings(state)


def _findings(state: DriftState) -> tuple[Finding, ...]:
    if state.swapped:
        return (Finding("swapped", "Left and right are exchanged.", "Use --swap.", 0.99),)
    if not state.bumped or state.drift is None:
        return ()
    what = f"The cameras have moved: rows are off by {state.vertical_px or 0.0:.1f} px ({moved_by(state.drift)})."
    return (Finding("vertical", what, "Run `livestereo check --repair`, or calibrate again.", 0.86),)


def moved_by(drift: Drift) -> str:
    """Name what moved and by how much, strongest first: `pitch 0.25°, roll 0.13°`; "" where nothing clearly did."""
    angles = dict(zip(("pitch", "yaw", "roll"), np.degrees(drift.turn).tolist()))
    return ", ".join(
        f"{_NAMES[name]} {abs(100 * drift.focal):.1f} %" if name == "focal" else f"{name} {abs(angles[name]):.2f}°"
        for name in drift.pattern
    )
