"""One camera's clock, learnt from stamps that come late by a random amount.

A free-running camera exposes at t(k) = phase + k · period; what we see is the delivery of frame k, later by a
jitter of milliseconds, and some frames never come. Pairing by such stamps picks the wrong partner in a quarter of
the cases. So the line t(k) is fitted to all stamps so far, and a frame counts as exposed where the line says.

The fit is Bayesian linear regression with the sums kept recursively (a weighted mean and covariance of (k, t) with
slow forgetting). The period's prior is a mixture: most cameras run within crystal tolerance of a standard rate,
and sources paced by this computer run on it exactly; a rate that fits neither is free. Where the stamps settle the
period better than the prior does, the prior stops to matter. See e.g. Bishop, Pattern Recognition and Machine
Learning, 2006, section 3.3 (regression) and 3.4 (evidence).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

STANDARD_FPS = (5, 7.5, 10, 12.5, 15, 20, 24 / 1.001, 24, 25, 30 / 1.001, 30, 50, 60 / 1.001, 60, 90, 100, 120)
FORGET_S = 120.0  # crystals wander with temperature over minutes
START = 20  # stamps before a first period can be told
# (relative width of the period's prior, prior weight): paced by this computer, crystal, anything near
PRIORS = ((3e-7, 0.4), (5e-5, 0.4), (1e-3, 0.1), (2e-2, 0.1))
RECENT = 15  # stamps by which a jump of phase or rate is noticed
AGAIN_PRIOR = 8.0  # prior weight of the period that the same camera had before it was opened again
AGAIN_WIDTH = 2e-6  # a crystal's change meanwhile, relative
MIN_SIGMA_SHARE = 0.002  # jitter is never taken as less than this share of the period
# Stamps that lie about the line by more of a period may belong to another one: every so many frames the newest are
# fitted anew, and that fit is taken where it is so much closer.
DOUBTFUL_SHARE = 0.22
DOUBT_EVERY = 45
CLOSER = 0.75
LATE_TAIL = 2e-4  # share of frames that are late beyond the usual jitter, until this camera has shown its own
LATE_PERIODS = 0.3  # mean lateness of those, likewise
LATE_FROM = 0.5  # periods: beyond the usual jitter
TAIL_FRAMES = 300.0  # the prior of the late share is worth so many frames
SETTLED = 5  # newest stamps by which a burst of late frames is told from a new line
BURST = 0.3  # periods between the stamps of a burst, at most
LONGEST_BURST = 60  # frames; what hurries for longer has a new rate


@dataclass(frozen=True)
class Tick:
    """A frame on the camera's clock: `t_s` when it was due, `index` its number on the grid (gaps are drops)."""

    t_s: float
    index: int
    ready: bool


class CameraClock:
    """Learns phase and period of one camera from its stamps, in order. Not for use by two threads at once.

    before: the clock of the same camera before it was opened again; its phase is new then, its crystal is not.
    """

    def __init__(self, fps: float | None = None, before: CameraClock | None = None) -> None:
        self._nominal_s = 1 / fps if fps else None
        self._known: tuple[float, float] | None = None  # the crystal's period as seen before, and its sigma
        if before is not None:
            self._known = (before.period_s, before.period_sigma_s) if before.ready else before._known
        self.restarts = 0
        self._reset()

    def _reset(self) -> None:
        self._start: list[float] = []
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)  # (stamp, residual)
        self._newest: deque[float] = deque(maxlen=2 * START)
        self._running = False
        self._delays = _Delays()
        self._unsettled: float | None = None
        self._held = 0
        self._origin_s = 0.0
        self._index = 0
        self._weight = self._mean_k = self._mean_t = self._var_k = self._cov = self._var_t = 0.0
        self._period_s = self._nominal_s or 0.0
        self._guess_s = self._period_s
        self._period_var = 0.0
        self._frames = 0
        self._drops = 0

    @property
    def period_s(self) -> float:
        """Period as learnt so far, seconds; 0 when nothing is known."""
        return self._period_s

    @property
    def ready(self) -> bool:
        """Enough frames for the line to be better than the stamps."""
        return self._running

    @property
    def jitter_s(self) -> float:
        """Standard deviation of the delivery around the line, seconds."""
        if self._weight <= 2:
            return 0.15 * self._period_s
        around = self._var_t - 2 * self._period_s * self._cov + self._period_s**2 * self._var_k
        # A prior of 10 % of the period, worth three frames, carries the first few.
        return max(
            math.sqrt((max(around, 0.0) * self._weight + 3 * (0.1 * self._period_s) ** 2) / (self._weight + 2)),
            MIN_SIGMA_SHARE * self._period_s,
        )

    @property
    def period_sigma_s(self) -> float:
        """Standard deviation of the period, by the stamps and by what is known of cameras beforehand."""
        if self._var_k <= 0 or self._weight <= 2:
            return 0.02 * self._period_s
        return math.sqrt(self._period_var)

    @property
    def sigma_s(self) -> float:
        """Standard deviation of `last_due_s`: how well the line is known where it ends."""
        if self._weight <= 2:
            return self.jitter_s
        ahead = self._index - self._mean_k
        return math.hypot(self.jitter_s / math.sqrt(self._weight), ahead * self.period_sigma_s)

    @property
    def last_due_s(self) -> float:
        """When the newest frame was due, seconds."""
        return self.due(self._index)

    @property
    def learnt_s(self) -> float:
        """Over how much time the line was learnt, seconds."""
        return self._frames * self._period_s

    def due(self, index: int) -> float:
        """When frame `index` is due, seconds."""
        return self._origin_s + self._mean_t + (index - self._mean_k) * self._period_s

    def tick(self, stamp_s: float) -> Tick:
        """Take the stamp of the next frame and say when it was really due."""
        if not self._running:
            self._start.append(stamp_s)
            if len(self._start) < START:
                return Tick(stamp_s, len(self._start) - 1, False)
            return self._begin()
        tick = self._add(stamp_s)
        if self._jumped():
            stamps = self._since_jump()
            self._reset()
            self.restarts += 1
            self._start = stamps
            return self._begin()
        self._newest.append(stamp_s)
        if self._frames % DOUBT_EVERY == 0 and self.jitter_s > DOUBTFUL_SHARE * self._period_s and self._misled():
            stamps = list(self._newest)
            self._reset()
            self.restarts += 1
            self._start = stamps
            return self._begin()
        return tick

    def _since_jump(self) -> list[float]:
        """The last stamps, from the first one that follows the new line; two at least."""
        offset = median(residual for _, residual in self._recent)
        follows = [abs(residual - offset) < abs(offset) / 2 for _, residual in self._recent]
        first = follows.index(True) if any(follows) else 0
        return [stamp for stamp, _ in self._recent][min(first, RECENT - SETTLED) :]

    def _begin(self) -> Tick:
        """Period and frame numbers of the first stamps together, then the line through them."""
        period, numbers = first_grid(self._start, self._nominal_s)
        self._guess_s = self._period_s = period
        self._origin_s = self._start[0]
        self._running = True
        for stamp, number in zip(self._start, numbers):
            self._frames += 1
            self._index = number
            self._learn(number, stamp - self._origin_s, 1.0)
        self._drops = numbers[-1] - numbers[0] - (len(numbers) - 1)
        self._settle_period()
        self._recent.extend((stamp, stamp - self.due(n)) for stamp, n in zip(self._start, numbers))
        self._start = []
        return Tick(self.due(self._index), self._index, self.ready)

    def _add(self, stamp_s: float) -> Tick:
        ahead = stamp_s - self.due(self._index + 1)
        sigma = self.jitter_s
        step = self._most_likely_step(ahead, sigma)
        # Taken back where the frame before was late, and none was lost.
        self._drops = max(0, self._drops + step)
        self._index += 1 + step
        residual = ahead - step * self._period_s
        if self._unsettled is not None:
            # A second frame at the same number: the one before was late, not after a loss.
            self._delays.learn(self._unsettled / self._period_s + (step < 0))
        self._unsettled = residual
        size = abs(residual) / sigma
        self._frames += 1
        if size < 6:
            self._learn(self._index, stamp_s - self._origin_s, 1.0 if size < 2.5 else 2.5 / size)
            self._settle_period()
        self._recent.append((stamp_s, residual))
        return Tick(self.due(self._index), self._index, self.ready)

    def _most_likely_step(self, ahead_s: float, sigma_s: float) -> int:
        """How many frames were lost before this one that is `ahead_s` later than the next was due.

        Weighs the rarity of a loss against that of such a delay, as this camera has shown them.
        −1: the frame before was taken for one later.
        """
        drop_cost = -math.log((max(0, self._drops) + 1) / (max(0, self._frames) + 20))
        best, best_cost = 0, math.inf
        middle = round(ahead_s / self._period_s)
        for step in {0, max(middle - 1, -1), max(middle, -1), middle + 1}:
            if step < -1:
                continue
            cost = -math.log(self._delays.density(ahead_s - step * self._period_s, sigma_s, self._period_s))
            cost += step * drop_cost if step >= 0 else -math.log(1e-3)
            if cost < best_cost:
                best, best_cost = step, cost
        return best

    def _learn(self, index: float, t_s: float, weight: float) -> None:
        keep = math.exp(-self._period_s / FORGET_S)
        old = self._weight * keep
        self._weight = old + weight
        share = weight / self._weight
        dk, dt = index - self._mean_k, t_s - self._mean_t
        self._mean_k += share * dk
        self._mean_t += share * dt
        rest = 1 - share
        self._var_k = rest * (self._var_k + share * dk * dk)
        self._cov = rest * (self._cov + share * dk * dt)
        self._var_t = rest * (self._var_t + share * dt * dt)

    def _settle_period(self) -> None:
        """Posterior mean and variance of the period over the mixture of priors."""
        if self._var_k <= 0:
            return
        slope = self._cov / self._var_k
        variance = self.jitter_s**2 / (self._weight * self._var_k)
        standard = min((1 / fps for fps in STANDARD_FPS), key=lambda t: abs(t - slope))
        nominal = [self._nominal_s] if self._nominal_s and abs(self._nominal_s / slope - 1) < 0.02 else []
        priors = [(centre, width * centre, share) for centre in {standard, *nominal} for width, share in PRIORS[:3]]
        priors.append((self._guess_s, PRIORS[3][0] * self._guess_s, PRIORS[3][1]))
        if self._known is not None:
            centre, sigma = self._known
            priors.append((centre, math.hypot(sigma, AGAIN_WIDTH * centre), AGAIN_PRIOR))
        total = mean = square = 0.0  # of the period less the slope
        for centre, width, share in priors:
            spread = variance + width * width
            evidence = share * math.exp(-0.5 * (slope - centre) ** 2 / spread) / math.sqrt(spread)
            ahead = (centre - slope) * variance / spread
            total += evidence
            mean += evidence * ahead
            square += evidence * (ahead * ahead + width * width * variance / spread)
        if total > 0:
            self._period_s = slope + mean / total
            self._period_var = square / total - (mean / total) ** 2

    def _misled(self) -> bool:
        """The first stamps were taken for those of another rate, with losses: the newest ones fit a grid far better."""
        if len(self._newest) < 2 * START:
            return False
        period, numbers = first_grid(list(self._newest), self._nominal_s)
        residuals = np.asarray(self._newest) - self._newest[0] - np.asarray(numbers) * period
        return bool(np.std(residuals) / period < CLOSER * self.jitter_s / self._period_s)

    def _jumped(self) -> bool:
        """The last stamps agree among themselves that the line is wrong."""
        if len(self._recent) < RECENT or self._frames < 3 * RECENT:
            return False
        offset = median(residual for _, residual in self._recent)
        sigma = self.jitter_s
        limit: float = 5.5 * 1.2533 * sigma / math.sqrt(RECENT) + 0.01 * self._period_s
        if abs(offset) <= limit:
            self._held = 0
            return False
        newest = list(self._recent)[-SETTLED:]
        # What a busy computer held up comes in a burst, ever less late, and its end is on the old line.
        gaps = sorted(after[0] - before[0] for before, after in pairwise(newest))
        hurried = gaps[1] < BURST * self._period_s
        settled = not hurried and median(residual for _, residual in newest) / offset > 0.5
        self._held = 0 if settled else self._held + 1
        return settled or self._held > LONGEST_BURST


class _Delays:
    """How late frames come, in periods about the line: a histogram that starts from a bell with a late tail."""

    BINS_PER_PERIOD = 24
    EARLIEST = -0.5
    PRIOR_FRAMES = 20.0
    BELL_FRAMES = 2000.0  # trust in the bell where the delays are symmetric: its tails beat a thin histogram
    SKEWED = 0.3

    def __init__(self) -> None:
        self._counts = [0.0] * (3 * self.BINS_PER_PERIOD)
        self._total = 0.0
        self._late = self._lateness = 0.0
        self._sums = [0.0, 0.0, 0.0]

    def learn(self, late: float) -> None:
        """Take one frame that was `late` periods after the line; spread over neighbouring bins."""
        at = (late - self.EARLIEST) * self.BINS_PER_PERIOD
        for bin_, share in ((int(at) - 1, 0.25), (int(at), 0.5), (int(at) + 1, 0.25)):
            if 0 <= bin_ < len(self._counts):
                self._counts[bin_] += share
        self._total += 1
        if late > LATE_FROM:
            self._late += 1
            self._lateness += late
        for power in (1, 2, 3):
            self._sums[power - 1] += late**power

    def _skewed(self) -> bool:
        """Delays are plainly not symmetric (third standardised moment)."""
        if self._total < 100:
            return False
        mean, square, cube = (total / self._total for total in self._sums)
        variance = max(square - mean * mean, 1e-12)
        return bool(abs(cube - 3 * mean * square + 2 * mean**3) > self.SKEWED * variance**1.5)

    def density(self, late_s: float, sigma_s: float, period_s: float) -> float:
        """Probability density per period of a frame that is so late; never 0."""
        bell = math.exp(-0.5 * min((late_s / sigma_s) ** 2, 600.0)) / (math.sqrt(2 * math.pi) * sigma_s)
        share = (self._late + LATE_TAIL * TAIL_FRAMES) / (self._total + TAIL_FRAMES)
        # The mean of what was seen, with the prior's worth two frames.
        mean_s = period_s * (self._lateness + 2 * LATE_PERIODS) / (self._late + 2)
        tail = math.exp(-late_s / mean_s) / mean_s if late_s > 0 else 0.0
        prior = ((1 - share) * bell + share * tail) * period_s
        trust = self.PRIOR_FRAMES if self._skewed() else self.BELL_FRAMES
        at = int((late_s / period_s - self.EARLIEST) * self.BINS_PER_PERIOD)
        seen = self._counts[at] * self.BINS_PER_PERIOD if 0 <= at < len(self._counts) else 0.0
        return max((seen + trust * prior) / (self._total + trust), 1e-12)


def first_grid(stamps_s: Sequence[float], nominal_s: float | None = None) -> tuple[float, list[int]]:
    """Find the period that a first handful of jittered stamps was made with, and each stamp's number on its grid.

    Tries periods around the typical gap and takes the most likely: residuals about the grid (their spread
    profiled out), frames that would have been lost, frames that would share a number.
    """
    t = np.asarray(stamps_s, np.float64) - stamps_s[0]
    typical = max(float(np.median(np.diff(t))), 1e-4)
    periods = typical * np.geomspace(0.55, 1.5, 400)
    standards = [1 / fps for fps in STANDARD_FPS] + ([nominal_s] if nominal_s else [])
    near = [s for s in standards if 0.55 < s / typical < 1.5]
    periods = np.concatenate([near, periods])
    angle = np.exp(2j * np.pi * t[None] / periods[:, None]).mean(axis=1)
    phase = np.angle(angle) / (2 * np.pi) * periods
    numbers = np.rint((t[None] - phase[:, None]) / periods[:, None])
    spread = np.sqrt(np.mean((t[None] - phase[:, None] - numbers * periods[:, None]) ** 2, axis=1))
    steps = np.diff(numbers, axis=1)
    cost = len(t) * np.log(np.maximum(spread, MIN_SIGMA_SHARE * periods))
    cost += 3.0 * np.maximum(steps - 1, 0).sum(axis=1) + 7.0 * (steps < 1).sum(axis=1)
    cost[: len(near)] -= 2.0  # a standard rate is likelier than one beside it
    best = int(np.argmin(cost))
    found = numbers[best] - numbers[best][0]
    return float(periods[best]), [int(n) for n in np.maximum.accumulate(found)]
