"""When the demo's two cameras expose and when their frames arrive: exact times, and stamps that lie as real ones do.

Every event is drawn from its own seeded generator, so that the same demo gives the same times however it is read.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from livestereo.sources.demo.faults import Faults, Side

SIDES: tuple[Side, Side] = ("left", "right")
# How long a camera of the demo takes from being opened to its first exposure; the second is its spread.
START_DELAY_S, START_SPREAD_S = 0.35, 0.003
# A frame never overtakes the one before it.
LEAST_GAP_S = 0.0005
FLASH_EVERY_S = 1.1
STROBE_S = 0.001
TORCH_S = 0.35
FLASH_STRENGTH = {"strobe": 1.2, "torch": 0.8}


@dataclass(frozen=True)
class Shot:
    """One frame of one camera. exposed_s: true middle of the first row's exposure. stamp_s: what the program sees.

    number: of the exposure, counting lost ones. pictured: the number of the exposure whose picture it really
    shows (an older one while the camera is frozen), exposed at `pictured_s`. returned: first after an outage.
    """

    side: int
    number: int
    exposed_s: float
    stamp_s: float
    pictured: int
    pictured_s: float
    returned: bool = False


class Timeline:
    """All shots of a demo, by the order in which they arrive."""

    def __init__(self, faults: Faults, fps: float, seed: int) -> None:
        self.faults = faults
        self.fps = fps
        self.seed = seed
        # By side: closed at, opened again at, first exposure after that.
        self._reopened: tuple[list[tuple[float, float, float]], list[tuple[float, float, float]]] = ([], [])

    def reopen(self, side: int, closed_s: float, opened_s: float) -> None:
        """Close a camera at a moment that no frame is drawn for yet, and open it again: its phase is new then."""
        late = self._chance(side, len(self._reopened[side]), 11).normal(START_DELAY_S, START_SPREAD_S)
        self._reopened[side].append((closed_s, opened_s, opened_s + max(0.01, float(late))))

    def exposed_s(self, side: int, number: int) -> float:
        """True time of an exposure; a camera that was away comes back with another phase."""
        t = number / self.fps
        if side == 1:
            t = t * (1 + self.faults.drift) + self.faults.phase_s
        for outage in self.faults.unplug:
            if SIDES[side] == outage.side and t >= outage.start_s + outage.length_s:
                t += self._chance(side, round(outage.start_s * 1e3), 7).uniform(0, 1 / self.fps)
        for _, _, first_s in self._reopened[side]:
            # The grid of exposures is moved on so that one of them falls on the first after the opening.
            if t >= first_s:
                t += (first_s - t) % ((1 + (self.faults.drift if side == 1 else 0.0)) / self.fps)
        return float(t)

    def pictured(self, side: int, number: int) -> int:
        """Give the number of the exposure that is really shown: an older one while the camera is frozen."""
        frozen = [o for o in self.faults.freeze if o.covers(SIDES[side], self.exposed_s(side, number))]
        while frozen and number > 0 and frozen[0].covers(SIDES[side], self.exposed_s(side, number - 1)):
            number -= 1
        return number

    def shots(self) -> Iterator[Shot]:
        """Give the shots of both cameras for ever, in the order of their stamps."""
        return heapq.merge(self._of(0), self._of(1), key=lambda shot: shot.stamp_s)

    def _of(self, side: int) -> Iterator[Shot]:
        name, last, away, number = SIDES[side], -1e9, False, 0
        frozen = number
        while True:
            t = self.exposed_s(side, number)
            closed = any(closed_s <= t < first_s for closed_s, _, first_s in self._reopened[side])
            if closed or any(outage.covers(name, t) for outage in self.faults.unplug):
                away = True
            elif self.faults.drop == 0 or self._chance(side, number, 1).uniform() >= self.faults.drop:
                late = self._chance(side, number, 2).normal(0, self.faults.jitter_s) if self.faults.jitter_s else 0.0
                stamp = max(t + (self.faults.bias_s if side == 1 else 0.0) + late, last + LEAST_GAP_S)
                if not any(outage.covers(name, t) for outage in self.faults.freeze):
                    frozen = number + 1
                pictured = min(frozen, number)
                yield Shot(side, number, t, stamp, pictured, self.exposed_s(side, pictured), away)
                last, away = stamp, False
            number += 1

    def flash_gain(self, side: int, exposed_s: float, rows: int) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
        """How much more light each row (rows,) gets from a flash, or None where none falls into the frame."""
        faults = self.faults
        if not faults.flash:
            return None
        length = STROBE_S if faults.light == "strobe" else TORCH_S
        open_s = max(faults.exposure_s, 1e-4)
        first = exposed_s - open_s / 2
        last = exposed_s + open_s / 2 + faults.readout_s[side]
        gain = np.zeros(rows, np.float32)
        for start in self.flashes(first - length, last):
            begin = exposed_s + faults.readout_s[side] * np.arange(rows) / rows - open_s / 2
            overlap = np.clip(np.minimum(begin + open_s, start + length) - np.maximum(begin, start), 0, None)
            gain += (FLASH_STRENGTH[faults.light] * overlap / min(open_s, length)).astype(np.float32)
        return gain if gain.any() else None

    def flashes(self, first_s: float, last_s: float) -> list[float]:
        """When light flashes start between two moments."""
        numbers = range(max(0, int(first_s / FLASH_EVERY_S) - 1), int(max(last_s, 0) / FLASH_EVERY_S) + 2)
        starts = [(k + 0.4 + 0.5 * float(self._chance(2, k, 3).uniform())) * FLASH_EVERY_S for k in numbers]
        return [start for start in starts if first_s <= start <= last_s]

    def _chance(self, side: int, number: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, 505, side, number, purpose))
