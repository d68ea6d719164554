"""Runs all checks and puts the findings in order: worst first, what is right last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from livestereo.diagnosis import geometry, pictures, scene, timing
from livestereo.diagnosis.evidence import Evidence
from livestereo.types import Finding

Answer = Finding | list[Finding] | None
Check = Callable[[Evidence], Answer]

CHECKS: tuple[Check, ...] = (
    pictures.size, pictures.frozen, pictures.turned, pictures.exposure, pictures.white_balance, pictures.sharpness,
    pictures.light, pictures.flicker, pictures.compression, pictures.glare, timing.frame_rate,
    timing.bandwidth, timing.skew, timing.framing, timing.row_time, geometry.rig, geometry.disparity_range,
    geometry.baseline, scene.texture, scene.repetition,
)  # fmt: skip

# A fault that makes another one appear explains it: what is on the right is left out where the left was found.
EXPLAINS: dict[str, frozenset[str]] = {
    "size": frozenset({"vertical", "wrong_rig", "framing"}),
    "mirrored": frozenset({"rotated", "swapped", "vertical", "wrong_rig", "glare", "out_of_range", "disparity_range"}),
    "rotated": frozenset({"swapped", "vertical", "wrong_rig", "glare", "out_of_range", "disparity_range", "baseline"}),
    "swapped": frozenset({"out_of_range", "disparity_range", "baseline", "wrong_rig"}),
    "wrong_rig": frozenset({"vertical", "disparity_range", "out_of_range", "baseline"}),
    "dark": frozenset({"texture", "compression", "blur", "focus", "exposure", "white_balance"}),
    "blur": frozenset({"texture"}),
    "exposure": frozenset({"glare"}),  # what is white in the brighter picture alone is no reflection
    "bright": frozenset({"texture", "glare"}),
    "bandwidth": frozenset({"frame_rate"}),
    "frozen": frozenset({"skew", "framing"}),
    "frame_rate": frozenset({"skew"}),
}


def examine(evidence: Evidence, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Run the checks; failed ones first, worst first, explained ones left out."""
    found: list[Finding] = []
    for check in checks:
        answer = check(evidence)
        if answer is not None:
            found += answer if isinstance(answer, list) else [answer]
    return in_order(found)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what a worse fault explains, then sort: failed first, worst first."""
    all_found = list(findings)
    failed = {f.check for f in all_found if not f.ok}
    explained = {other for check in failed for other in EXPLAINS.get(check, frozenset())}
    # Darkness explains an exposure that differs only where nothing else speaks for it; faults of one kind stay.
    kept = [f for f in all_found if f.ok or f.check not in explained]
    return sorted(kept, key=lambda f: (f.ok, -f.severity))
