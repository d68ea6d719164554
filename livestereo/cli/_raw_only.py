"""A run that only passes pictures on: nothing is rectified or matched, so it needs no rig and hardly any time."""

from __future__ import annotations

import numpy as np

from calibration.rectify import identity_rectification
from livestereo.cli._live import LiveParts
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.timing import monotonic
from livestereo.types import F32, U8, MatchResult, RectifiedPair, StereoFrame, StereoResult


def without_depth(parts: LiveParts) -> None:
    """Let a run pass pictures on without depth."""
    parts.make = RawPipeline
    parts.start_view, parts.no_depth = "left", True


class _Unknown:
    """A matcher that knows nothing."""

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Give no disparity."""
        return MatchResult(np.full(left_gray.shape, np.nan, np.float32))


class RawPipeline(Pipeline):
    """Gives results that hold the pictures as they came, black gray ones, and no depth."""

    def __init__(self, settings: Settings, frame: StereoFrame) -> None:
        h, w = frame.left.image.shape[:2]
        super().__init__(_Unknown(), (), identity_rectification((w, h)), settings=settings)
        self._black: U8 = np.zeros((h, w), np.uint8)
        self._none: F32 = np.full((h, w), np.nan, np.float32)

    def process(self, frame: StereoFrame) -> StereoResult:
        """Give the pair without looking at it."""
        pair = RectifiedPair(frame, self.rectification, self._black, self._black)
        match = MatchResult(self._none)
        return StereoResult(frame, pair, match, self._none, finished_s=monotonic(), settings=self.settings)
