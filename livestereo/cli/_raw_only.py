"""A run that only passes pictures on: nothing is rectified or matched, so it needs no rig and hardly any time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from calibration.errors import CalibrationError
from calibration.rectify import identity_rectification
from livestereo.cli._live import LiveParts
from livestereo.cli._setup import Opened
from livestereo.engine_rooms import SETTLE_S
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.timing import monotonic
from livestereo.types import F32, U8, MatchResult, RectifiedPair, StereoFrame, StereoResult


def without_depth(parts: LiveParts) -> None:
    """Let a run pass pictures on without depth."""
    parts.make = RawPipeline
    parts.start_view, parts.no_depth = "left", True


def raw_where_unmatched(parts: LiveParts, opened: Opened, tell: Callable[[CalibrationError], object]) -> None:
    """Let a run without a rig pass pictures on alone where its first pairs do not carry a rectification."""
    until = math.inf

    def make(settings: Settings, frame: StereoFrame) -> Pipeline | None:
        nonlocal until
        until = min(until, monotonic() + SETTLE_S / 2)
        if not parts.no_depth:
            try:
                opened.rectification_for(frame)
            except CalibrationError as error:
                if opened.source.info.live and monotonic() < until:
                    raise  # it is tried again with a later pair
                parts.no_depth = True
                tell(error)
        return RawPipeline(settings, frame) if parts.no_depth else None

    parts.make = make


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
