"""Two free-running cameras of which one can be opened again: its start delay repeats, or is pure chance."""

from __future__ import annotations

import numpy as np

from livestereo.clock import CameraClock
from livestereo.phase import fold, read_phase
from livestereo.sync.phase import PhaseSearch

PERIOD_S = 1 / 30


def search_once(
    rng: np.random.Generator, *, start_s: float | None, jitter_s: float, bound_s: float = 0.004, ppm: float = 50.0
) -> tuple[int, bool, float]:
    """Search with real camera clocks on jittered stamps; (openings, accepted, true phase at the end in seconds).

    start_s: spread of the start delay; None: the delay is uniform over the period. ppm: spread of the crystals.
    """
    fixed, fixed_at = CameraClock(30.0), rng.uniform(0, PERIOD_S)
    periods = PERIOD_S * (1 + rng.normal(0, ppm * 1e-6, 2))
    delay_s, began_s, seen = rng.uniform(0.2, 0.5), rng.uniform(0, 1), 0
    search, moved = PhaseSearch(bound_s), None
    while True:
        late = rng.normal(0, start_s) if start_s is not None else rng.uniform(0, PERIOD_S)
        first_s = began_s + delay_s + late
        moved, number, step, t_s = CameraClock(30.0, moved), 0, None, first_s
        while step is None or step.action == "measure":
            t_s = first_s + number * periods[1]
            while fixed_at + seen * periods[0] <= t_s:
                fixed.tick(fixed_at + seen * periods[0] + rng.normal(0, jitter_s))
                seen += 1
            moved.tick(t_s + rng.normal(0, jitter_s))
            number += 1
            if number % 15 == 0:
                reading = read_phase(fixed, moved, 0.0, began_s)
                step = None if reading is None else search.judge(reading)
        if step.action != "reopen":
            true = fold(t_s - fixed_at - round((t_s - fixed_at) / periods[0]) * periods[0], PERIOD_S)
            return search.tried, step.action == "accept", true
        want = fixed.last_due_s + step.begin_phase_s
        began_s = want + np.ceil((t_s + 0.3 - want) / PERIOD_S) * PERIOD_S + rng.uniform(0, 0.0005)
