"""How far apart two free-running cameras expose, as their learnt clocks say. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from livestereo.clock import CameraClock

SAME_RATE = 0.004  # cameras whose rates differ by more have no lasting phase


@dataclass(frozen=True)
class PhaseReading:
    """The phase of one camera (that may be opened again) against the other's, now.

    phase_s: so much later it exposes, −period/2 .. period/2; sigma_s: its standard deviation. drift, drift_sigma:
    change per second. period_s: of the cameras. measured_s: since the last opening. begin_phase_s: how long after an
    exposure of the other camera that opening was begun, modulo the period. anchor_s: when the other one exposed last,
    by its stamps.
    """

    phase_s: float
    sigma_s: float
    drift: float
    drift_sigma: float
    period_s: float
    measured_s: float
    begin_phase_s: float
    anchor_s: float


@dataclass(frozen=True)
class Aim:
    """Moments at which a camera shall be opened: `anchor_s` and every `period_s` before and after it."""

    anchor_s: float
    period_s: float

    def wait_s(self, now_s: float, pause_s: float) -> float:
        """From now to the first such moment after the pause."""
        earliest = now_s + pause_s
        return pause_s + (self.anchor_s - earliest) % self.period_s


def fold(value_s: float, period_s: float) -> float:
    """Bring a time difference into −period/2 .. period/2."""
    return value_s - period_s * round(value_s / period_s)


def read_phase(fixed: CameraClock, moved: CameraClock, bias_s: float, began_s: float) -> PhaseReading | None:
    """Read the phase of `moved` against `fixed`; None until both clocks are learnt, or where their rates differ.

    bias_s: added to the stamps of `moved` (true skew − stamp skew). began_s: when its last opening was begun.
    """
    if not (fixed.ready and moved.ready):
        return None
    period = (fixed.period_s + moved.period_s) / 2
    if abs(fixed.period_s / moved.period_s - 1) > SAME_RATE:
        return None
    return PhaseReading(
        phase_s=fold(moved.last_due_s + bias_s - fixed.last_due_s, period),
        sigma_s=math.hypot(fixed.sigma_s, moved.sigma_s),
        drift=(moved.period_s - fixed.period_s) / period,
        drift_sigma=math.hypot(fixed.period_sigma_s, moved.period_sigma_s) / period,
        period_s=period,
        measured_s=moved.learnt_s,
        begin_phase_s=(began_s - fixed.last_due_s) % period,
        anchor_s=fixed.last_due_s,
    )
