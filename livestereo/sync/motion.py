"""The offset from motion alone: both cameras see the same things move, so the same rhythm stands on both clocks.

Each camera gives the mean flow of its picture (u, v) and the mean speed, frame by frame, on its own learnt clock. The
shift that correlates them best is the offset; stretches of time that are left out in turn say how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livestereo.sync.offset import Array, Offset, SyncRefused, hermite, jackknife, t95, time_blocks
from livestereo.sync.recording import Recording, SideTrack

SEARCH_S = 0.5
COARSE_S = 0.004
FINE_S = 0.00025
BLOCKS = 10
LEAST_CORRELATION = 0.5
RIVAL = 0.93  # a second peak of this share of the first makes the answer ambiguous
MOST_UNCERTAIN_S, MOST_UNCERTAIN_FAR_S = 0.003, 0.03
SYSTEMATIC_S = 0.0008  # unequal shutters and views: what two cameras see of one motion is not quite the same
LEAST_SPEED = 0.02  # picture widths per second; below, noise is larger


@dataclass(frozen=True)
class _Signals:
    """times (n,) at the middle between two frames; values (n,C), each channel with mean 0 and spread 1."""

    times: Array
    values: Array


def motion_offset(recording: Recording) -> Offset:
    """Measure by motion.

    Raises:
        SyncRefused: too little motion, motion that repeats itself, or that the two cameras do not share.
    """
    sides = (recording.left, recording.right)
    signals = [_signals(side, times) for side, times in zip(sides, recording.times_s)]
    speed = min(_speed(side, times) for side, times in zip(sides, recording.times_s))
    if speed < LEAST_SPEED:
        raise SyncRefused(
            "Too little moves in the pictures to compare the cameras by motion.",
            "Wave a hand or a book quickly and irregularly in front of both, or use --board or a flash.",
        )
    left, right = signals
    coarse = np.arange(-SEARCH_S, SEARCH_S + COARSE_S / 2, COARSE_S)
    everything = np.ones(len(left.times), bool)
    weights = np.ones(left.values.shape[1])
    score = _score(left, right, coarse, weights, everything)
    at = int(np.nanargmax(score))
    weights = _channel_weights(left, right, float(coarse[at]))
    score = _score(left, right, coarse, weights, everything)
    at = int(np.nanargmax(score))
    peak = float(score[at])
    if peak < LEAST_CORRELATION:
        raise SyncRefused(
            f"The two cameras do not see the same motion (correlation {peak:.2f}).",
            "Let both see the same moving things, or use --board or a flash.",
        )
    period = max(recording.period_s)
    away = np.abs(coarse - coarse[at]) > 2.5 * period
    if away.any() and float(np.nanmax(score[away])) > RIVAL * peak:
        raise SyncRefused(
            "The motion repeats itself, so the offset is not certain.", "Move irregularly, or use --board or a flash."
        )
    first_guess = float(coarse[at])

    def estimate(keep: NDArray[np.bool_]) -> float:
        fine = first_guess + np.arange(-0.5 * period, 0.5 * period, FINE_S)
        return _peak_at(fine, _score(left, right, fine, weights, keep))

    shift = estimate(everything)
    error, groups = jackknife(estimate, time_blocks(left.times, BLOCKS))
    flat = _flatness(first_guess, left, right, weights, peak)
    uncertainty = float(np.sqrt((t95(groups - 1) * error) ** 2 + (2 * SYSTEMATIC_S) ** 2 + (2 * flat) ** 2))
    # Films that are many frames apart are worth a rough answer; cameras are not.
    far = abs(shift - recording.stamp_skew_s) > 2 * period
    if not uncertainty < (MOST_UNCERTAIN_FAR_S if far else MOST_UNCERTAIN_S):
        raise SyncRefused(
            f"The motion leaves the offset uncertain by {uncertainty * 1e3:.1f} ms.",
            "Move faster and longer in front of both cameras, or use --board or a flash.",
        )
    notes = ("This is a rough answer: give it with --shift and measure again.",) if uncertainty > 0.003 else ()
    return Offset(shift, uncertainty, "motion", notes=notes)


def _flatness(at: float, left: _Signals, right: _Signals, weights: Array, peak: float) -> float:
    """How far from the maximum the correlation has lost a twentieth of what it lacks of 1, seconds.

    What two cameras see of one motion differs, and that difference draws a flat maximum farther than a sharp one.
    """
    away = np.arange(0.001, 0.08, 0.001)
    everything = np.ones(len(left.times), bool)
    score = np.minimum(*(_score(left, right, at + sign * away, weights, everything) for sign in (1, -1)))
    lost = np.nonzero(score < peak - 0.05 * (1 - peak))[0]
    return float(away[lost[0]]) if len(lost) else float(away[-1])


def _signals(side: SideTrack, times: Array) -> _Signals:
    motion = np.asarray(side.motion, np.float64)[1:]
    gaps = np.diff(times)
    middle = (times[1:] + times[:-1]) / 2
    good = np.isfinite(motion).all(axis=1) & (gaps > 0)
    speeds = motion[good] / gaps[good, None]
    spread = speeds.std(axis=0)
    return _Signals(middle[good], (speeds - speeds.mean(axis=0)) / np.maximum(spread, 1e-12))


def _speed(side: SideTrack, times: Array) -> float:
    """How fast the picture moves where it moves most, widths per second (90th percentile of the mean speed)."""
    motion = np.asarray(side.motion, np.float64)[1:]
    return float(np.nanpercentile(motion[:, 2] / np.maximum(np.diff(times), 1e-6), 90)) if len(motion) else 0.0


def _correlations(left: _Signals, right: _Signals, shift: float, keep: NDArray[np.bool_]) -> Array:
    """Correlation of each channel with the right one shifted; NaN with too little overlap."""
    other = hermite(right.times, right.values, left.times[keep] + shift)
    mine = left.values[keep]
    good = np.isfinite(other).all(axis=1)
    if good.sum() < max(20, 0.4 * keep.sum()):
        return np.full(left.values.shape[1], np.nan)
    a, b = mine[good] - mine[good].mean(axis=0), other[good] - other[good].mean(axis=0)
    return np.asarray((a * b).mean(axis=0) / np.maximum(a.std(axis=0) * b.std(axis=0), 1e-12))


def _score(left: _Signals, right: _Signals, shifts: Array, weights: Array, keep: NDArray[np.bool_]) -> Array:
    table = np.array([_correlations(left, right, float(shift), keep) for shift in shifts])
    return np.asarray(table @ weights / weights.sum())


def _channel_weights(left: _Signals, right: _Signals, shift: float) -> Array:
    """Channels count by how much of them both cameras share: r²/(1 − r²), the ratio of shared to own variance."""
    r = np.clip(np.nan_to_num(_correlations(left, right, shift, np.ones(len(left.times), bool))), 0.05, 0.98)
    return np.asarray(r**2 / (1 - r**2))


def _peak_at(shifts: Array, score: Array) -> float:
    """Place of the maximum, by a parabola through its neighbourhood."""
    if not np.isfinite(score).any():
        return float("nan")
    at = int(np.nanargmax(score))
    near = slice(max(0, at - 6), at + 7)
    if np.isfinite(score[near]).all() and 0 < at < len(shifts) - 1:
        a, b, _ = np.polyfit(shifts[near] - shifts[at], score[near], 2)
        if a < 0 and abs(b / (2 * a)) < 6 * FINE_S:
            return float(shifts[at] - b / (2 * a))
    return float(shifts[at])
