"""What every method of measuring gives, and small tools that they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError

Array = NDArray[np.float64]
# Two-sided 95 % of Student's t by degrees of freedom.
_T95 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 15: 2.13, 20: 2.09}


class SyncRefused(LiveStereoError):
    """The pictures do not carry a measurement; `fix` says what would."""


@dataclass(frozen=True)
class Offset:
    """How much later the same moment stands on the right camera's stamps than on the left's: −(stamp bias).

    uncertainty_s: half width of the 95 % interval. readout_s: first row to last, left and right, as used or found;
    None where the method does not know them. readout_known: they were given or measured, not assumed.
    """

    shift_s: float
    uncertainty_s: float
    method: str
    readout_s: tuple[float, float] | None = None
    readout_known: bool = False
    notes: tuple[str, ...] = ()


def t95(degrees: int) -> float:
    """Two-sided 95 % factor of Student's t."""
    known = [k for k in _T95 if k <= max(degrees, 1)]
    return _T95[max(known)] if degrees <= 30 else 2.0


def jackknife(estimate: Callable[[NDArray[np.bool_]], float], groups: NDArray[np.int64]) -> tuple[float, int]:
    """(standard error, groups used) of an estimate by leaving out one group at a time.

    `estimate` is given the mask of what to keep. Groups are stretches of time, because what disturbs one frame
    disturbs its neighbours. Efron and Stein, The jackknife estimate of variance, 1981.
    """
    names = np.unique(groups)
    values = []
    for name in names:
        value = estimate(groups != name)
        if np.isfinite(value):
            values.append(value)
    n = len(values)
    if n < 3:
        return float("inf"), n
    spread = np.asarray(values) - np.mean(values)
    return float(np.sqrt((n - 1) / n * np.sum(spread**2))), n


def hermite(times: Array, values: Array, at: Array) -> Array:
    """Interpolate (n,C) values at times (n,) by cubics through four neighbours; NaN outside and across gaps.

    A gap is a step of more than 2.6 times the usual one.
    """
    n = len(times)
    out = np.full((len(at), values.shape[1]), np.nan)
    if n < 4:
        return out
    step = float(np.median(np.diff(times)))
    k = np.clip(np.searchsorted(times, at, side="right") - 1, 1, n - 3)
    inside = (at >= times[k]) & (at <= times[k + 1])
    whole = (times[k + 2] - times[k - 1]) < 3 * 2.6 * step
    whole &= (times[k + 1] - times[k]) < 2.6 * step
    use = inside & whole
    k, t = k[use], at[use]
    out[use] = cubic(t, [times[k + d] for d in (-1, 0, 1, 2)], [values[k + d] for d in (-1, 0, 1, 2)])
    return out


def cubic(t: Array, times: list[Array], values: list[Array]) -> Array:
    """Cubic Hermite between the middle two of four neighbours, tangents from theirs; t (m,), values (m,...)."""
    t0, t1, t2, t3 = times
    v0, v1, v2, v3 = values
    extra = (1,) * (v1.ndim - t.ndim)
    h = (t2 - t1).reshape(*t.shape, *extra)
    u = ((t - t1) / (t2 - t1)).reshape(*t.shape, *extra)
    m1 = (v2 - v0) / (t2 - t0).reshape(*t.shape, *extra) * h
    m2 = (v3 - v1) / (t3 - t1).reshape(*t.shape, *extra) * h
    u2, u3 = u * u, u * u * u
    return (2 * u3 - 3 * u2 + 1) * v1 + (u3 - 2 * u2 + u) * m1 + (3 * u2 - 2 * u3) * v2 + (u3 - u2) * m2


def time_blocks(times: Array, count: int) -> NDArray[np.int64]:
    """Number the stretches of time that each of (n,) times falls into, `count` of equal length."""
    first, last = float(times.min()), float(times.max())
    return np.minimum((times - first) / max(last - first, 1e-9) * count, count - 1).astype(np.int64)
