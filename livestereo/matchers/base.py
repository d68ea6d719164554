"""What every matcher is."""

from __future__ import annotations

from typing import Protocol

from livestereo.types import U8, MatchResult


class Matcher(Protocol):
    """Built once from a frozen, validated config; owns its buffers, so each thread has one of its own."""

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Match two rectified (H,W) uint8 pictures; disparity (H,W) float32 px, NaN invalid."""
        ...
