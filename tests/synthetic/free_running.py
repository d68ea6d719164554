"""Two free-running cameras: true exposure times, jittered and lossy delivery, and the pairing an oracle would make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """One camera: when each delivered frame was exposed, and the stamp it arrived with. Seconds, same order."""

    exposed_s: Times
    stamp_s: Times


def make_stream(
    rng: np.random.Generator, fps: float, frames: int, phase_s: float, jitter_s: float = 0.005,
    drop: float = 0.05, ppm: float = 0.0, shape: str = "normal",
) -> Stream:  # fmt: skip
    """Expose on a grid, deliver late (`normal` about a latency, `half` normal or `exponential`), lose some."""
    exposed = phase_s + np.arange(frames) / fps * (1 + ppm * 1e-6)
    jitter = {
        "normal": lambda: rng.normal(0.02, jitter_s, frames),
        "half": lambda: np.abs(rng.normal(0.0, jitter_s / 0.6028, frames)),
        "exponential": lambda: rng.exponential(jitter_s, frames),
    }[shape]()
    kept = rng.random(frames) >= drop
    # A camera delivers its frames in order, whatever the delay.
    return Stream(exposed[kept], np.maximum.accumulate((exposed + jitter)[kept]))


def arrivals(left: Stream, right: Stream) -> Iterator[tuple[float, int, int]]:
    """(stamp, side, index) of every frame, in order of arrival."""
    events = [(float(s), side, i) for side, one in enumerate((left, right)) for i, s in enumerate(one.stamp_s)]
    yield from sorted(events)


def best_matching(left_s: Times, right_s: Times, bound_s: float) -> dict[int, int]:
    """Pair as many as possible within the bound, then with the least skew in total; left index -> right index.

    Dynamic programming over groups of frames that could reach one another; a readable oracle, not a fast one.
    """
    low, high = np.searchsorted(right_s, left_s - bound_s), np.searchsorted(right_s, left_s + bound_s, side="right")
    pairs: dict[int, int] = {}
    start = 0
    while start < len(left_s):
        if low[start] == high[start]:
            start += 1
            continue
        end, reach = start, high[start]
        while end + 1 < len(left_s) and low[end + 1] < reach:
            end += 1
            reach = max(reach, high[end])
        pairs.update(_best_in_group(range(start, end + 1), range(low[start], reach), left_s, right_s, bound_s))
        start = end + 1
    return pairs


def _best_in_group(lefts: range, rights: range, left_s: Times, right_s: Times, bound_s: float) -> dict[int, int]:
    n, m = len(lefts), len(rights)
    best = [[(0, 0.0)] * (m + 1) for _ in range(n + 1)]
    paired = [[False] * (m + 1) for _ in range(n + 1)]
    for p in range(1, n + 1):
        for q in range(1, m + 1):
            best[p][q] = max(best[p - 1][q], best[p][q - 1])
            apart = abs(float(left_s[lefts[p - 1]] - right_s[rights[q - 1]]))
            if apart <= bound_s:
                count, gain = best[p - 1][q - 1]
                if (count + 1, gain - apart) > best[p][q]:
                    best[p][q], paired[p][q] = (count + 1, gain - apart), True
    found = {}
    p, q = n, m
    while p and q:
        if paired[p][q]:
            p, q = p - 1, q - 1
            found[lefts[p]] = rights[q]
        elif best[p][q] == best[p][q - 1]:
            q -= 1
        else:
            p -= 1
    return found


@dataclass(frozen=True)
class Score:
    """right: pairs as good as the oracle's; wrong: worse by more than the tolerance; missed: not made at all."""

    right: int
    wrong: int
    missed: int

    @property
    def share(self) -> float:
        """Right ones among all."""
        return self.right / max(1, self.right + self.wrong + self.missed)


def score_pairs(
    made: dict[int, int], left: Stream, right: Stream, bound_s: float, from_s: float, tolerance_s: float = 0.0005
) -> Score:
    """Hold made pairs (left index -> right index) against the oracle, from a stamp on.

    Right: the true skew is at most `tolerance_s` worse than that of the best partner, and within the bound by
    as much. A pair that the oracle has and nobody made is missed, unless it lies at the bound itself.
    """
    truth = best_matching(left.exposed_s, right.exposed_s, bound_s)
    until_s = min(left.exposed_s[-1], right.exposed_s[-1]) - 0.2  # the last frames may still wait for a partner
    counted = [i for i in range(len(left.stamp_s)) if from_s <= left.stamp_s[i] <= until_s]
    good = wrong = missed = 0
    taken = set(made.values())
    for i in counted:
        t = left.exposed_s[i]
        if i in made:
            skew = abs(t - right.exposed_s[made[i]])
            at = int(np.searchsorted(right.exposed_s, t))
            nearest = min(abs(t - right.exposed_s[j]) for j in (at - 1, at) if 0 <= j < len(right.exposed_s))
            best = abs(t - right.exposed_s[truth[i]]) if i in truth else nearest
            good += skew <= best + tolerance_s and skew <= bound_s + tolerance_s
            wrong += not (skew <= best + tolerance_s and skew <= bound_s + tolerance_s)
        elif i in truth and truth[i] not in taken:
            missed += abs(t - right.exposed_s[truth[i]]) <= bound_s - tolerance_s
    return Score(good, wrong, missed)
