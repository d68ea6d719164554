"""Proves that recorded depth is what its settings give: every recorded pair is computed again and compared bit by bit.

Pairs whose depth was computed and thinned are computed too, because filters that remember saw them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from livestereo.pipeline import Pipeline
from livestereo.takes.manifest import code_disparity
from livestereo.takes.reader import TakeReader
from livestereo.types import StereoFrame

NAMED = 20
BuildFrom = Callable[[dict[str, Any], StereoFrame], Pipeline]


@dataclass
class BitexactReport:
    """compared: pairs with recorded depth. equal: of these, those that came out bit for bit. different: (pair, pixels
    that differ, largest difference px), the first of them. unreadable: pairs whose pictures or depth cannot be read,
    or whose depth depends on such a pair. other_versions: name -> (then, now)."""

    compared: int = 0
    equal: int = 0
    unreadable: int = 0
    different: list[tuple[int, int, float]] = field(default_factory=list)
    other_versions: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Every recorded depth picture was compared and came out the same."""
        return self.compared > 0 and self.equal == self.compared and self.unreadable == 0


def prove(
    reader: TakeReader, frame_of: Callable[[int], StereoFrame | None], build: BuildFrom, now: dict[str, str],
    advance: Callable[[int], None] = lambda _n: None,
) -> BitexactReport:  # fmt: skip
    """Compute every depth picture again with the settings of the take and compare.

    frame_of: gives a raw pair by number. build: makes a pipeline from recorded settings. now: versions here.
    """
    report = BitexactReport()
    then = reader.manifest.versions
    names = sorted({*then, *now}) if then else []
    report.other_versions = {
        name: (then.get(name, "none"), now.get(name, "none")) for name in names if then.get(name) != now.get(name)
    }
    changes = dict(reader.index.settings) or {0: reader.manifest.settings}
    kept = set(reader.pairs_with_depth())
    pipeline: Pipeline | None = None
    known = False  # whether the filters' memory is what it was
    for entry in reader.computed():
        pair = entry.pair
        advance(1)
        frame = frame_of(pair)
        if frame is None:
            report.unreadable += 1
            known = False
            continue
        if pipeline is None or pair in changes:
            if pipeline is not None:
                pipeline.close()
            start = max((at for at in changes if at <= pair), default=min(changes))
            pipeline = build(changes[start], frame)
            pipeline.reset()
            known = True
        elif entry.fresh:
            pipeline.reset()
            known = True
        result = pipeline.process(frame)
        if pair not in kept:
            continue
        if pipeline.stateful and not known:
            report.unreadable += 1
            continue
        _compare(reader, pair, code_disparity(result.disparity_px, reader.manifest.disparity_offset), report)
    return report


def _compare(reader: TakeReader, pair: int, again: Any, report: BitexactReport) -> None:
    recorded = reader.disparity(pair)
    if recorded is None:
        report.unreadable += 1
        return
    report.compared += 1
    coded = code_disparity(recorded, reader.manifest.disparity_offset)
    if coded.shape == again.shape and np.array_equal(coded, again):
        report.equal += 1
        return
    if len(report.different) < NAMED:
        if coded.shape != again.shape:
            report.different.append((pair, int(coded.size), float("nan")))
            return
        unlike = coded != again
        both = unlike & (coded > 0) & (again > 0)
        largest = np.abs(coded[both].astype(np.int32) - again[both].astype(np.int32)).max() / 16 if both.any() else 0.0
        report.different.append((pair, int(unlike.sum()), float(largest)))
