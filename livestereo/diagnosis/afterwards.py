"""One look at the end of a run that nobody watched: the same checks, and not a cycle taken from the run."""

from __future__ import annotations

from collections import deque

from calibration.rigfile import RigFile
from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import examine
from livestereo.types import CaptureStats, Finding, SourceInfo, StereoResult

REMEMBERED = 6


class LastLook:
    """A result sink that remembers the last results; `findings` examines them."""

    def __init__(self) -> None:
        self._last: deque[StereoResult] = deque(maxlen=REMEMBERED)
        self._info = SourceInfo("", False)

    def open(self, info: SourceInfo) -> None:
        """Remember the source."""
        self._info = info

    def accept(self, result: StereoResult) -> None:
        """Remember one result."""
        self._last.append(result)

    def close(self) -> None:
        """Nothing to close."""

    def findings(self, rig_file: RigFile | None, stats: CaptureStats) -> tuple[Finding, ...]:
        """Examine the last pairs; what failed, worst first."""
        if not self._last:
            return ()
        newest = self._last[-1]
        at = newest.pair.rectification
        evidence = Evidence(
            [result.frame for result in self._last], self._info, stats, rig_file,
            at if at.metric or rig_file is not None else None, newest,
            newest.settings.model_dump() if newest.settings is not None else {},
        )  # fmt: skip
        return tuple(finding for finding in examine(evidence) if not finding.ok)
