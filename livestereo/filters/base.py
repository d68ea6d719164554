"""What every filter is."""

from __future__ import annotations

from typing import Protocol

from livestereo.types import U8, MatchResult


class Filter(Protocol):
    """Refines a disparity. `stateful` filters run once, in order; the others run in the workers."""

    stateful: bool

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give a new result; `guide_gray` is the rectified left picture, (H,W) uint8."""
        ...

    def reset(self) -> None:
        """Forget the past: a seek, a gap, or a change of settings."""
        ...
