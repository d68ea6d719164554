"""Bring two free-running cameras into phase by opening one of them again, at the right moment. Pure.

A camera begins to expose some time after it was opened. For many cameras that start delay repeats within some
milliseconds, so the moment of opening decides the phase; for others it is pure chance, and only trying helps. Which
it is shows after a few openings. Here the delays seen so far are described by a bell of unknown place and width on
the circle of one period, mixed with "anything" (a grid of both, weighed by Bayes' rule), and the next opening is put
where the phase most likely falls within the bound.

    search = PhaseSearch(bound_s=0.004)
    step = search.judge(reading)              # measure on, accept, reopen, or give up
    if step.action == "reopen":
        moment = step.begin_phase_s           # when to open: so long after an exposure of the other camera
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from livestereo.phase import PhaseReading, fold

Array = NDArray[np.float64]
MOST_OPENINGS = 20
LEAST_MEASURED_S = 1.5
LONGEST_MEASURED_S = 40.0
SURE = 2.6  # standard deviations from the bound
# A phase that cannot be told from the bound in the longest time is taken if it is likely inside: another opening costs
# some seconds, and being wrong costs the whole search.
LIKELY = 1.3
SPREADS_S = (0.0003, 0.0007, 0.0015, 0.0022, 0.003, 0.004, 0.006)
CHANCE = 0.25  # prior weight of start delays that are pure chance
PLACES = 240
SAME_S = 0.0006  # phases that agree so well after openings at different moments are not made by the openings
SAME_OPENINGS = 4  # three agree by chance once in some hundred searches


@dataclass(frozen=True)
class Step:
    """What to do next. begin_phase_s: when to open again, as in `PhaseReading`; only with `reopen`. why: in words."""

    action: Literal["measure", "accept", "reopen", "give up"]
    why: str = ""
    begin_phase_s: float = 0.0


@dataclass(frozen=True)
class Opening:
    """One opening: when it was begun and what phase came of it (see `PhaseReading`)."""

    begin_phase_s: float
    phase_s: float


class PhaseSearch:
    """Decides after each reading; remembers every opening, also those of an earlier search."""

    def __init__(self, bound_s: float, most_openings: int = MOST_OPENINGS) -> None:
        self.bound_s = bound_s
        self.most_openings = most_openings
        self.openings: list[Opening] = []
        self._tried = 0

    @property
    def tried(self) -> int:
        """Openings of this search, that with which it began included."""
        return self._tried + 1

    def begin(self) -> None:
        """Search anew (the bound was lost); what is known of the camera's start is kept."""
        self._tried = 0

    def judge(self, reading: PhaseReading) -> Step:
        """Say what to do about the phase as it is."""
        if self.bound_s >= reading.period_s / 2:
            return Step("accept", "any phase is within the bound")
        if reading.measured_s < LEAST_MEASURED_S:
            return Step("measure")
        inside = self.bound_s - abs(reading.phase_s)
        unsure = abs(inside) < SURE * reading.sigma_s
        if unsure and reading.measured_s < LONGEST_MEASURED_S:
            return Step("measure", f"{_ms(reading.phase_s)}, too near the bound to tell yet")
        if inside >= LIKELY * reading.sigma_s:
            return Step("accept", f"phase {_ms(reading.phase_s)}")
        self.openings.append(Opening(reading.begin_phase_s, reading.phase_s))
        if self._unmoved(reading.period_s):
            return Step("give up", "opening this camera again does not change its phase; network cameras run on")
        if self.tried >= self.most_openings:
            return Step("give up", f"{self.tried} openings did not bring it within ±{self.bound_s * 1e3:g} ms")
        self._tried += 1
        return Step("reopen", f"phase {_ms(reading.phase_s)}", self._best_begin(reading.period_s))

    def _unmoved(self, period_s: float) -> bool:
        """The last openings were begun at different moments, and the phase stayed."""
        last = self.openings[-SAME_OPENINGS:]
        if len(last) < SAME_OPENINGS:
            return False
        phases = [fold(o.phase_s - last[0].phase_s, period_s) for o in last]
        begins = [fold(o.begin_phase_s - last[0].begin_phase_s, period_s) for o in last]
        return max(map(abs, phases)) < SAME_S and max(map(abs, begins)) > 3 * SAME_S

    def _best_begin(self, period_s: float) -> float:
        """Where to begin so that the phase most likely falls within the bound."""
        delays = [(o.phase_s - o.begin_phase_s) % period_s for o in self.openings]
        likely = predictive(delays, period_s)
        reach = max(1, round(self.bound_s / period_s * PLACES))
        window = np.zeros(PLACES)
        window[np.arange(-reach, reach + 1) % PLACES] = 1.0
        within = np.fft.ifft(np.fft.fft(likely) * np.fft.fft(window)).real
        delay = int(np.argmax(within)) / PLACES * period_s
        return float(-delay % period_s)


def predictive(delays_s: Sequence[float], period_s: float) -> Array:
    """Probability of the next start delay (PLACES,) over one period, after the delays seen.

    Place and width of a wrapped normal on a grid with flat priors, and a share of pure chance.
    """
    places = np.arange(PLACES) / PLACES * period_s
    bells = [_wrapped(places, spread, period_s) for spread in SPREADS_S]
    chance = CHANCE * period_s ** -float(len(delays_s))
    total, weight = np.full(PLACES, chance / PLACES), chance
    for bell, spread in zip(bells, SPREADS_S):
        # Likelihood of each place (the mean of the bell) for all delays.
        logs = np.zeros(PLACES)
        for delay in delays_s:
            logs += np.log(np.maximum(_wrapped(delay - places, spread, period_s), 1e-12))
        posterior = (1 - CHANCE) / len(SPREADS_S) / PLACES * np.exp(logs)
        shape = bell / bell.sum()
        total += np.fft.ifft(np.fft.fft(posterior) * np.fft.fft(shape)).real
        weight += float(posterior.sum())
    return np.asarray(total / weight, np.float64)


def _wrapped(at_s: Array, sigma_s: float, period_s: float) -> Array:
    """Density of a normal wrapped onto the period, about 0."""
    near = at_s - period_s * np.round(at_s / period_s)
    turns = near[..., None] + period_s * np.array([-1.0, 0.0, 1.0])
    return np.asarray(np.exp(-0.5 * (turns / sigma_s) ** 2).sum(axis=-1) / (math.sqrt(2 * math.pi) * sigma_s))


def lost_in_s(reading: PhaseReading, bound_s: float) -> float:
    """After how many seconds the drift takes the phase over the bound; infinite where no drift can be told."""
    if abs(reading.drift) < 2 * reading.drift_sigma or reading.drift == 0:
        return math.inf
    edge = math.copysign(bound_s, reading.drift)
    return max(0.0, (edge - reading.phase_s) / reading.drift)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:+.1f} ms".replace("-", "−")
