"""The figures of a run: what is counted while it goes and the summary at its end. Memory stays flat."""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from livestereo.fixed import fill_percent, raw_of, to_fixed
from livestereo.timing import percentile
from livestereo.types import CaptureStats, Finding, StereoResult

NAN = float("nan")


class Sample:
    """Percentiles of a stream of any length in bounded memory: exact up to 4096 values, then evenly thinned."""

    LIMIT = 4096

    def __init__(self) -> None:
        self._kept = array("d")
        self._every = 1
        self._seen = 0
        self.total = 0.0
        self.maximum = NAN

    def add(self, value: float) -> None:
        """Count one value; NaN is left out."""
        if value != value:
            return
        self.total += value
        if not value <= self.maximum:  # nor where there is none yet
            self.maximum = value
        if self._seen % self._every == 0:
            if len(self._kept) >= self.LIMIT:
                self._kept = self._kept[::2]
                self._every *= 2
            if self._seen % self._every == 0:
                self._kept.append(value)
        self._seen += 1

    def __len__(self) -> int:
        return self._seen

    def percentile(self, q: float) -> float:
        """The q-th percentile (0..100); NaN for no values."""
        return percentile(list(self._kept), q)

    @property
    def mean(self) -> float:
        """Mean of all values; NaN for none."""
        return self.total / self._seen if self._seen else NAN


@dataclass(frozen=True)
class RunSummary:
    """What a run came to; field for field the JSON of `preview --headless --json`.

    fps: pairs finished per second, warm-up apart. latency_ms: grab (files: read) to finished. skew_ms: right − left;
    p50 signed, p95 and max of its magnitude. dropped: pairs by cause. stage_ms: median per stage.
    disparity_sha256: over all pairs in order, each as (H,W) little-endian int16 in 1/16 px, −32768 invalid; None
    when nobody asked for it. settings: as they were at the end, with the resolved range, workers and threads.
    """

    pairs: int = 0
    fps: float = NAN
    capture_fps: float = NAN
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    skew_ms: Mapping[str, float] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    fill_percent: float = NAN
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    reconnects: int = 0
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    disparity_sha256: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give the object that scripts read."""
        plain = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        plain["findings"] = [{"check": finding.check, "what": finding.what} for finding in self.findings]
        for name in ("latency_ms", "skew_ms", "dropped", "stage_ms", "settings"):
            plain[name] = dict(plain[name])
        plain["warnings"] = list(self.warnings)
        return plain


class RunMeter:
    """Counts finished pairs of one run."""

    def __init__(self, *, fingerprint: bool) -> None:
        self.pairs = 0
        self._latency = Sample()
        self._skew = Sample()
        self._skew_size = Sample()
        self._fill = Sample()
        self._stages: dict[str, Sample] = {}
        self._hash = hashlib.sha256() if fingerprint else None
        self._start_s = NAN
        self._first_s = NAN
        self._last_s = NAN
        self._recent: deque[float] = deque(maxlen=240)

    def start(self, now_s: float) -> None:
        """The warm-up is over: pairs are worked on from now."""
        self._start_s = now_s

    def count(self, result: StereoResult, grabbed_s: float, now_s: float) -> None:
        """Count a finished pair that was grabbed (or read) at `grabbed_s`."""
        self.pairs += 1
        self._first_s = now_s if self.pairs == 1 else self._first_s
        self._last_s = now_s
        self._recent.append(now_s)
        self._latency.add((now_s - grabbed_s) * 1000)
        self._skew.add(result.frame.skew_s * 1000)
        self._skew_size.add(abs(result.frame.skew_s) * 1000)
        self._fill.add(fill_percent(result.match))
        for name, seconds in result.stage_s.items():
            stage = self._stages.get(name)
            if stage is None:
                stage = self._stages[name] = Sample()
            stage.add(seconds * 1000)
        if self._hash is not None:
            raw = raw_of(result.match)
            fixed = to_fixed(result.disparity_px) if raw is None else raw
            self._hash.update(np.ascontiguousarray(fixed, dtype="<i2").data)

    def rate_now(self, now_s: float) -> float | None:
        """Pairs per second over the last two seconds; None while unknown."""
        stamps = [t for t in self._recent if now_s - t < 2.0]
        if len(stamps) < 2 or stamps[-1] <= stamps[0]:
            return None
        # To now, not to the last one: two that came close together after a pause are no high rate.
        return (len(stamps) - 1) / max(now_s - stamps[0], 1e-3)

    def fps(self, *, live: bool) -> float:
        """Pairs per second over the run: from the start of work for files, from the first result for live sources."""
        if live:
            return (self.pairs - 1) / (self._last_s - self._first_s) if self.pairs > 1 else NAN
        return self.pairs / (self._last_s - self._start_s) if self.pairs and self._last_s > self._start_s else NAN

    def summary(
        self,
        *,
        live: bool,
        stats: CaptureStats,
        nominal_fps: float | None,
        dropped: Mapping[str, int],
        findings: tuple[Finding, ...],
        warnings: tuple[str, ...],
        settings: Mapping[str, Any],
    ) -> RunSummary:
        """Make the summary."""
        measured = [rate for rate in (stats.fps_left, stats.fps_right) if rate > 0]
        return RunSummary(
            pairs=self.pairs,
            fps=self.fps(live=live),
            capture_fps=min(measured) if live and measured else (nominal_fps or NAN),
            latency_ms={"p50": self._latency.percentile(50), "p95": self._latency.percentile(95)},
            skew_ms={
                "p50": self._skew.percentile(50),
                "p95": self._skew_size.percentile(95),
                "max": self._skew_size.maximum,
            },
            dropped=dict(dropped),
            fill_percent=self._fill.mean,
            stage_ms={name: sample.percentile(50) for name, sample in self._stages.items()},
            reconnects=stats.reconnects,
            findings=findings,
            warnings=warnings,
            disparity_sha256=self._hash.hexdigest() if self._hash is not None else None,
            settings=settings,
        )
