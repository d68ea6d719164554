"""The doctor's checks beside a running preview: an observer that looks about once a second and says little.

Of what it finds it gives what has been there at two looks in a row, most important first, and says each thing at
most once in a while; the view shows one line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from calibration.rigfile import RigFile
from livestereo.diagnosis import geometry, pictures, scene, timing
from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import Answer, Check, in_order
from livestereo.types import CaptureStats, Finding, SourceInfo, StereoFrame, StereoResult

REMEMBERED = 6
# A look must not take the processor from the matcher: the dear checks take turns.
ALWAYS: tuple[Check, ...] = (
    pictures.size,
    pictures.frozen,
    timing.frame_rate,
    timing.bandwidth,
    timing.skew,
    timing.row_time,
    pictures.light,
)
IN_TURN: tuple[tuple[Check, ...], ...] = (
    (pictures.turned, geometry.rig, geometry.disparity_range, geometry.baseline),
    (pictures.exposure, pictures.white_balance, pictures.sharpness),
    (pictures.flicker, pictures.compression, timing.framing),
    (scene.texture, scene.repetition, pictures.glare),
)
DEAR_EVERY = 3
TOGETHER = 2


@dataclass
class Monitor:
    """An observer for the engine. live: whether stamps mean anything."""

    info: SourceInfo
    rig_file: RigFile | None = None
    settings: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._frames: deque[StereoFrame] = deque(maxlen=REMEMBERED)
        self._turn = 0
        self._seen: dict[str, int] = {}
        self._standing: dict[str, Finding] = {}
        self._doubtful: tuple[Check, ...] = ()

    def observe(self, frame: StereoFrame, result: StereoResult, stats: CaptureStats) -> Iterable[Finding]:
        """Look once; give what stands, worst first."""
        if self._frames and self._frames[-1].left.image.shape != frame.left.image.shape:
            self._frames.clear()
        self._frames.append(frame)
        settings = result.settings.model_dump() if result.settings is not None else self.settings
        at = result.pair.rectification
        evidence = Evidence(
            list(self._frames), self.info, stats, self.rig_file, at if at.metric or self.rig_file is not None else None,
            result, settings,
        )  # fmt: skip
        dear = IN_TURN[self._turn // DEAR_EVERY % len(IN_TURN)] if self._turn % DEAR_EVERY == 0 else ()
        # What was found once is looked at again at once: it may have been a hand before the lens.
        again = tuple(check for check in self._doubtful if check not in dear)
        checks = (*ALWAYS, *dear, *again)
        self._turn += 1
        self._doubtful = ()
        for check in checks:
            answer = check(evidence)
            if check not in ALWAYS and self._is_new(answer):
                self._doubtful += (check,)
            for finding in answer if isinstance(answer, list) else [answer] if answer is not None else []:
                self._note(finding)
        return in_order(self._standing.values())

    def _is_new(self, answer: Answer) -> bool:
        found = answer if isinstance(answer, list) else [answer] if answer is not None else []
        return any(not finding.ok and finding.check not in self._seen for finding in found)

    def _note(self, finding: Finding) -> None:
        if finding.ok:
            self._seen.pop(finding.check, None)
            self._standing.pop(finding.check, None)
            return
        self._seen[finding.check] = self._seen.get(finding.check, 0) + 1
        # Once may be a hand before the lens; twice is a fault. A lost camera is told at once.
        if self._seen[finding.check] >= TOGETHER or finding.severity >= 0.99:
            self._standing[finding.check] = finding
