"""The offset from flashes seen by rolling shutters: the row where a flash begins or ends says when it was.

Each sensor row is exposed a little later than the one before, so a flash lights a band of rows, and where that band
lies within the frame gives the moment to a fraction of a millisecond. Row r (a share of the readout, 0..1) of a frame
that begins at s is exposed around s + r·R. For every flash seen by both cameras

    s_R + r_R·R_R − s_L − r_L·R_L = shift,

linear in the shift and in both readouts R, so all are solved together by least squares; readouts that are not given
start from a wide prior, and flashes at many places of the frame settle them. A band that reaches from the end of one
frame into the next ties the readout to the frame period, which is known to a millionth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from livestereo.sync.offset import Array, Offset, SyncRefused, t95
from livestereo.sync.recording import Recording, SideTrack

LEAST_FLASHES = 3
LEAST_GAIN = 0.06  # a flash brightens its rows by at least this share
NOISE_FACTOR = 7.0
BACKGROUND_FRAMES = 45  # on either side; longer than a hand torch stays on
DARK = 8.0
LEAST_LEVEL = 0.4
KNOWN_NOISE = 3
SEARCH_S = 0.5
MATCH_S = 0.012
PRIOR_READOUT = (0.75, 0.2)  # mean and spread, shares of the frame period
GIVEN_READOUT = 0.02  # spread of a readout that was given, a share of it
EDGE_SHARE = 0.01  # noise of an edge, a share of the frame's height; learnt from the misfits
LEAST_SHARE = 0.002
CLOCK_S = 0.00005
WIDTH_S = 0.012
SPAN_SLACK_S = 0.0015
OUTLIER = 4.5
MOST_UNCERTAIN_S = 0.005
MOST_OPEN_S = 0.001  # where the row time is not given: more than this comes from the guess of it, not from flashes


@dataclass(frozen=True)
class Edge:
    """A moment on one camera: start_s + share · readout, counting `width_sign` half band widths besides."""

    start_s: float
    share: float
    width_sign: int = 0

    def at(self, readout_s: float, width_s: float) -> float:
        """The moment, seconds, for a readout and a width of the band."""
        return self.start_s + self.share * readout_s + self.width_sign * width_s / 2


@dataclass(frozen=True)
class Flash:
    """One flash on one camera. kind: `band` (short; `middle` is its centre) or `edge` (on, or off, of a long one).

    width: (start difference, share difference) between both edges of a band seen whole, else None. until: set where
    it fell into the time when no row is exposed: it was between `moment` and `until`. level: gain of its rows.
    """

    kind: str
    moment: Edge
    width: tuple[float, float] | None = None
    until: Edge | None = None
    level: float = 0.0

    def span(self, readout_s: float, width_s: float = WIDTH_S) -> tuple[float, float]:
        """The earliest and latest moment it can have been."""
        first = self.moment.at(readout_s, width_s)
        return first, first if self.until is None else self.until.at(readout_s, width_s)


def flash_offset(recording: Recording, readout_s: Sequence[float | None] = (None, None)) -> Offset:
    """Measure by flashes. readout_s: first row to last, left and right, where known.

    Raises:
        SyncRefused: too few flashes in both pictures, or ones that leave the offset open.
    """
    sides = (recording.left, recording.right)
    found = [find_flashes(side, times, T) for side, times, T in zip(sides, recording.times_s, recording.period_s)]
    seen = min(len(flashes) for flashes in found)
    if seen < LEAST_FLASHES:
        raise SyncRefused(
            f"{seen} flash{'' if seen == 1 else 'es'} could be seen by both cameras; "
            f"at least {LEAST_FLASHES} are needed, five or more are good.",
            "Flash a torch or a phone's light into both cameras, once a second, in a dim room.",
        )
    try:
        return _measured(found, recording, readout_s)
    except SyncRefused as refused:
        raise SyncRefused(refused.what, refused.fix, {"flashes": seen}) from None


def _measured(
    found: Sequence[list[Flash]], recording: Recording, readout_s: Sequence[float | None]
) -> Offset:  # fmt: skip
    priors = [_prior(given, T) for given, T in zip(readout_s, recording.period_s)]
    matched = _match(found[0], found[1], [mean for mean, _ in priors])
    pairs = [(a, b) for a, b in matched if a.until is None and b.until is None]
    known = all(given is not None for given in readout_s)
    if len(pairs) < LEAST_FLASHES and len(matched) >= LEAST_FLASHES and known:
        return _by_spans(matched, [mean for mean, _ in priors])
    if len(pairs) < LEAST_FLASHES:
        raise SyncRefused(
            f"Only {len(pairs)} flash{'' if len(pairs) == 1 else 'es'} fell where both cameras show the row of it.",
            "Give more flashes, for longer, on what both cameras see; once a second, in a dim room.",
        )
    return _solve(pairs, found, priors, known)


def _prior(given: float | None, period_s: float) -> tuple[float, float]:
    if given is not None:
        return given, max(GIVEN_READOUT * given, 1e-5)
    return PRIOR_READOUT[0] * period_s, PRIOR_READOUT[1] * period_s


# --- seeing flashes


def find_flashes(side: SideTrack, times: Array, period_s: float) -> list[Flash]:
    """Find the flashes in one camera's row profiles, in order of time."""
    gain, noise = _gains(np.asarray(side.rows, np.float64))
    threshold = max(LEAST_GAIN, NOISE_FACTOR * noise)
    lit = gain.max(axis=1) > threshold
    flashes: list[Flash] = []
    for first, last in _runs(lit, times, period_s):
        flashes += _one_event(gain, times, first, last, period_s)
    if not flashes:
        return []
    # One lamp lights its rows alike every time; what is much weaker is a passing thing or noise.
    strong = LEAST_LEVEL * float(np.percentile([flash.level for flash in flashes], 75))
    return [flash for flash in flashes if flash.level >= strong]


def _gains(rows: Array) -> tuple[Array, float]:
    """How much brighter each row of each frame is than it usually is, as a share, (n,H); and its noise."""
    n, height = rows.shape
    # Smooth a little along the rows: edges of a flash are some rows wide anyway.
    kernel = np.ones(max(1, height // 120)) / max(1, height // 120)
    smooth = np.apply_along_axis(
        lambda row: np.convolve(np.pad(row, len(kernel) // 2, "edge"), kernel, "valid"), 1, rows
    )
    smooth = smooth[:, :height]
    usual = np.empty_like(smooth)
    for at in range(n):
        near = smooth[max(0, at - BACKGROUND_FRAMES) : at + BACKGROUND_FRAMES + 1]
        usual[at] = np.median(near, axis=0) if at % 5 == 0 or at == 0 else usual[at - 1]
    gain = (smooth - usual) / (usual + DARK)
    return gain, float(1.4826 * np.median(np.abs(gain - np.median(gain))))


def _runs(lit: np.ndarray[tuple[int], np.dtype[np.bool_]], times: Array, period_s: float) -> list[tuple[int, int]]:
    """First and last frame of each stretch of lit frames, with a dark frame before and after in the recording."""
    runs = []
    at = 0
    while at < len(lit):
        if not lit[at]:
            at += 1
            continue
        end = at
        while end + 1 < len(lit) and lit[end + 1]:
            end += 1
        before, after = at > 0, end + 1 < len(lit)
        steady = before and after and np.diff(times[at - 1 : end + 2]).max() < 1.5 * period_s
        if steady:  # a lost frame beside it would hide where the flash really began
            runs.append((at, end))
        at = end + 1
    return runs


def _one_event(gain: Array, times: Array, first: int, last: int, period_s: float) -> list[Flash]:
    height = gain.shape[1]
    series = gain[first : last + 1].reshape(-1)
    level = float(np.percentile(series[series > 0.5 * series.max()], 50))
    above = series > level / 2
    if above.sum() < 3:
        return []
    rise, fall = int(np.argmax(above)), len(above) - 1 - int(np.argmax(above[::-1]))
    if not _clean(above, rise, fall):
        return []
    starts = [
        _edge_at(series, rise, level, height, first, times, -1),
        _edge_at(series, fall, level, height, first, times, 1),
    ]
    begin, end = starts
    lit_s = (fall - rise) / height * period_s
    if last - first <= 1 or lit_s < 0.9 * period_s:
        if begin and end:
            middle = Edge((begin.start_s + end.start_s) / 2, (begin.share + end.share) / 2)
            width = end.start_s - begin.start_s, end.share - begin.share
            return [Flash("band", middle, width, level=level)]
        if begin:
            return [Flash("band", Edge(begin.start_s, begin.share, 1), level=level)]
        if end:
            return [Flash("band", Edge(end.start_s, end.share, -1), level=level)]
        # Every row was lit: the shutter is a global one, or the exposure long.
        between = Edge(times[first] - period_s / 2, 0.5), None, Edge(times[last] + period_s / 2, 0.5)
        return [Flash("band", *between, level)]
    before = Edge(times[first - 1], 1.0), None, Edge(times[first], 0.0)
    after = Edge(times[last], 1.0), None, Edge(times[last + 1], 0.0)
    on = Flash("on", begin, level=level) if begin else Flash("on", *before, level)
    off = Flash("off", end, level=level) if end else Flash("off", *after, level)
    return [on, off]


def _clean(above: np.ndarray[tuple[int], np.dtype[np.bool_]], rise: int, fall: int) -> bool:
    """One stretch, as a flash gives, and not scattered rows, as a passing thing does."""
    return bool(above[rise : fall + 1].mean() > 0.8)


def _edge_at(series: Array, at: int, level: float, height: int, first: int, times: Array, step: int) -> Edge | None:
    """The half-level crossing beside row `at`; None where it fell into the time when no row is exposed.

    step: −1 for the rise (the crossing lies before `at`), +1 for the fall.
    """
    row = at % height
    if (step < 0 and row < 2) or (step > 0 and row > height - 3):
        return None
    inside, outside = series[at], series[at + step]
    share = (inside - level / 2) / (inside - outside) if inside != outside else 0.5
    frame = first + at // height
    return Edge(float(times[frame]), (row + 0.5 + step * float(np.clip(share, 0, 1))) / height)


# --- putting them together


def _match(left: list[Flash], right: list[Flash], readout_s: Sequence[float]) -> list[tuple[Flash, Flash]]:
    """Flashes of the same kind that belong together: the shift that most of them agree on, then the nearest."""
    moments = [[sum(flash.span(R)) / 2 for flash in flashes] for flashes, R in zip((left, right), readout_s)]
    differences = [
        b - a
        for one, a in zip(left, moments[0])
        for other, b in zip(right, moments[1])
        if one.kind == other.kind and abs(b - a) <= SEARCH_S
    ]
    if not differences:
        return []
    votes = [sum(abs(other - one) < MATCH_S for other in differences) for one in differences]
    best = max(votes)
    # Of equally many votes, the smallest shift: cameras are read within a few frames of each other.
    guess = min((d for d, v in zip(differences, votes) if v == best), key=abs)
    guess = float(np.median([d for d in differences if abs(d - guess) < MATCH_S]))
    pairs = []
    for one, a in zip(left, moments[0]):
        near = [
            (abs(b - a - guess), other) for other, b in zip(right, moments[1])
            if one.kind == other.kind and abs(b - a - guess) < 1.5 * MATCH_S
        ]  # fmt: skip
        if near:
            pairs.append((one, min(near, key=lambda item: item[0])[1]))
    return pairs


@dataclass(frozen=True)
class _Fit:
    """x: (shift, R_L, R_R, w_L, w_R). covariance: (5,5). misfit: of each pair, in edge noises. noise: of an edge."""

    x: Array
    covariance: Array
    misfit: Array
    noise: float


def _by_spans(pairs: list[tuple[Flash, Flash]], readout_s: Sequence[float]) -> Offset:
    """The shifts that no flash forbids, where too few show their rows: global shutters, or short readouts."""
    low, high = -np.inf, np.inf
    for one, other in pairs:
        (a, b), (c, d) = one.span(readout_s[0]), other.span(readout_s[1])
        low, high = max(low, c - b), min(high, d - a)
    half = (high - low) / 2
    if not 0 <= half + SPAN_SLACK_S <= MOST_UNCERTAIN_S:
        raise SyncRefused(
            "The flashes fell where the cameras expose no row, and leave the offset open.",
            "Give more flashes, at irregular moments; or use --board.",
        )
    return Offset((low + high) / 2, max(half, 0.0) + SPAN_SLACK_S, "flash", None, False)


def _solve(
    pairs: list[tuple[Flash, Flash]], found: Sequence[list[Flash]], priors: Sequence[tuple[float, float]], known: bool
) -> Offset:
    """Fit all flashes together, leave out what does not fit, and say how sure it is."""
    keep = list(range(len(pairs)))
    noise = EDGE_SHARE
    while True:
        used = [pairs[at] for at in keep]
        for _ in range(3):  # the noise of an edge is learnt from the misfits it leaves
            fit = _fit(used, found, priors, noise)
            noise = fit.noise
        worst = int(np.argmax(np.abs(fit.misfit)))
        spread = max(1.4826 * float(np.median(np.abs(fit.misfit))), 1.0)
        if abs(fit.misfit[worst]) <= OUTLIER * spread or len(keep) <= LEAST_FLASHES + 1:
            break
        del keep[worst]
    # The noise of an edge is roughly known beforehand, which is worth some flashes.
    uncertainty = t95(len(keep) - 1 + KNOWN_NOISE) * float(np.sqrt(fit.covariance[0, 0]))
    if not known and uncertainty > MOST_OPEN_S:
        raise SyncRefused(
            f"The flashes leave the row time open, and with it the offset by {uncertainty * 1e3:.1f} ms.",
            "Give the row time with --readout MS; or use --board.",
        )
    if uncertainty > MOST_UNCERTAIN_S:
        raise SyncRefused(
            f"The flashes leave the offset uncertain by {uncertainty * 1e3:.1f} ms.",
            "Give more flashes, at irregular moments.",
        )
    readout = (float(fit.x[1]), float(fit.x[2]))
    errors = np.sqrt(np.diag(fit.covariance)[1:3])
    sure = known or float(errors.max()) < 0.05 * max(readout)
    notes = []
    if not known:
        told = (
            f"The row time was estimated: {readout[0] * 1e3:.1f} and {readout[1] * 1e3:.1f} ms from first row to last"
        )
        notes.append(f"{told}." if sure else f"{told}, not well settled; give it with --readout.")
    return Offset(float(fit.x[0]), uncertainty, "flash", readout, sure, tuple(notes))


def _fit(
    pairs: list[tuple[Flash, Flash]], found: Sequence[list[Flash]], priors: Sequence[tuple[float, float]], noise: float
) -> _Fit:
    """Gauss-Newton. What is noisy is the *row* of an edge, so misfits count in rows: counted in time, a shorter
    readout would always seem to fit better."""
    one = np.array([[p.moment.start_s, p.moment.share, p.moment.width_sign] for p, _ in pairs])
    other = np.array([[q.moment.start_s, q.moment.share, q.moment.width_sign] for _, q in pairs])
    widths = [np.array([f.width for f in flashes if f.width is not None]).reshape(-1, 2) for flashes in found]

    def misfits(x: Array) -> Array:
        shift, R, w = x[0], x[1:3], x[3:5]
        left = one[:, 0] + one[:, 1] * R[0] + one[:, 2] * w[0] / 2
        right = other[:, 0] + other[:, 1] * R[1] + other[:, 2] * w[1] / 2
        row_s = np.hypot(noise * np.hypot(R[0], R[1]), CLOCK_S)
        parts = [(right - left - shift) / row_s]
        for side in (0, 1):
            # The band's width is the same every time: a band across two frames ties R to the period.
            parts.append((widths[side][:, 0] + widths[side][:, 1] * R[side] - w[side]) / (noise * R[side] * np.sqrt(2)))
            mean, spread = priors[side]
            parts.append(np.array([(R[side] - mean) / spread, (w[side] - WIDTH_S) / WIDTH_S]))
        return np.concatenate(parts)

    x = np.array([0.0, priors[0][0], priors[1][0], WIDTH_S, WIDTH_S])
    x[0] = np.median(other[:, 0] + other[:, 1] * x[2] - one[:, 0] - one[:, 1] * x[1])
    steps = np.array([1e-5, 1e-5, 1e-5, 1e-5, 1e-5])
    normal = np.eye(5)
    for _ in range(15):
        r = misfits(x)
        jacobian = np.column_stack(
            [(misfits(x + e) - misfits(x - e)) / (2 * e[at]) for at, e in enumerate(np.diag(steps))]
        )
        weight = np.minimum(1.0, 3.0 / np.maximum(np.abs(r), 1e-9))
        normal = (jacobian * weight[:, None]).T @ jacobian
        step = -np.linalg.solve(normal, (jacobian * weight[:, None]).T @ r)
        x = x + np.clip(step, -0.01, 0.01)
        x[1:3] = np.clip(x[1:3], 0.001, 0.2)
        if np.abs(step).max() < 1e-8:
            break
    misfit = misfits(x)
    bands = misfit[len(pairs) : len(pairs) + len(widths[0])]
    data = np.concatenate([misfit[: len(pairs)], bands])
    scale = float(np.sqrt(np.sum(np.minimum(np.abs(data), 4.0) ** 2) / max(1, len(data) - 2)))
    return _Fit(
        x,
        np.asarray(np.linalg.inv(normal), np.float64),
        misfit[: len(pairs)],
        float(np.clip(noise * scale, LEAST_SHARE, 0.05)),
    )
