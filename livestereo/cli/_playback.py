"""Depth of a take's pairs: recorded where it is kept, computed where it is not."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Collection
from typing import Any, cast

import numpy as np

from calibration.errors import CalibrationError
from livestereo.cli._build import build_pipeline, settings_from
from livestereo.cli._options import MatchOptions, RigOptions
from livestereo.cli._raw_only import RawPipeline
from livestereo.cli._setup import Opened
from livestereo.depth import depth_from_disparity
from livestereo.errors import SettingsError
from livestereo.gray import gray_of
from livestereo.pipeline import Matched, Pipeline
from livestereo.settings import Settings
from livestereo.sources.take import TakeSource
from livestereo.takes.reader import TakeReader
from livestereo.timing import StageTimer, monotonic
from livestereo.types import MatchResult, RectifiedPair, StereoFrame, StereoResult
from livestereo.wording import counted

_READING = threading.Lock()
_NO_CHANGE = ("threads", "workers")  # options that change no depth


def settings_of(values: dict[str, Any]) -> Settings | None:
    """Give the settings that a take was computed with; None where another version wrote what we cannot read."""
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    try:
        return Settings.make(known)
    except SettingsError:
        return None


def any_given(match: MatchOptions, *, but: Collection[str] = ()) -> bool:
    """Whether any option about depth was given, apart from those named."""
    return any(getattr(match, one.name) != one.default for one in dataclasses.fields(match) if one.name not in but)


def asks_again(match: MatchOptions, rig: RigOptions) -> bool:
    """Whether the options ask for other depth than what a take holds; threads and workers change none."""
    return any_given(match, but=_NO_CHANGE) or rig.rig is not None or rig.rectified


def recorded_result(frame: StereoFrame, disparity_px: Any, opened: Opened) -> StereoResult:
    """Make a result from a pair and its recorded disparity."""
    at = opened.rectification_for(frame)
    left = at.apply(gray_of(frame.left), "left")
    right = at.apply(gray_of(frame.right), "right")
    depth = depth_from_disparity(disparity_px, at.focal_px, at.baseline_m, at.doffs_px)
    return StereoResult(frame, RectifiedPair(frame, at, left, right), MatchResult(disparity_px), depth)


@dataclasses.dataclass(frozen=True)
class _Kept(Matched):
    """A pair with its recorded depth; `inner`: what was matched for filters that remember, if anything."""

    inner: Matched | None = None
    recorded: StereoResult | None = None


class RecordedPipeline(Pipeline):
    """Gives the recorded depth of a take where it was kept; otherwise computes it as `inner` does.

    Where depth was left out of a take, filters that remember see every pair, in order, so that what is computed is as
    if all of it had been.
    """

    def __init__(self, inner: Pipeline, source: TakeSource, opened: Opened) -> None:
        super().__init__(inner.matcher, (), inner.rectification, scale=inner.scale, settings=inner.settings)
        self._inner, self._source, self._opened = inner, source, opened
        # The disparity stream has one place where it is read.
        self._lock = _READING
        reader = source.reader
        self._sees_all = reader.has_raw and inner.stateful and len(reader.pairs_with_depth()) < len(reader.pairs)
        self._last = -1  # pair that `inner` finished last

    @property
    def stateful(self) -> bool:
        """Whether what is computed depends on the pairs before it."""
        return self._inner.stateful

    def process(self, frame: StereoFrame) -> StereoResult:
        """Give the recorded result of one pair, or compute it."""
        return self.finish(self.match(frame))

    def match(self, frame: StereoFrame) -> Matched:
        """Read the recorded depth of one pair; match it where there is none, or where filters remember."""
        with self._lock:
            disparity = self._source.disparity(frame.seq)
        if disparity is None or disparity.shape != self.rectification.size_wh[::-1]:
            if self._source.reader.has_raw:
                return self._inner.match(frame)
            disparity = np.full(self.rectification.size_wh[::-1], np.nan, np.float32)
        recorded = recorded_result(frame, disparity, self._opened)
        inner = self._inner.match(frame) if self._sees_all else None
        return _Kept(recorded.pair, recorded.match, StageTimer(), inner, recorded)

    def finish(self, matched: Matched) -> StereoResult:
        """Run the filters that remember, and give the recorded depth where there is some."""
        if not isinstance(matched, _Kept) or matched.recorded is None:
            return self._finished(matched)
        if matched.inner is not None:
            self._finished(matched.inner)
        return dataclasses.replace(
            matched.recorded, finished_s=monotonic(), explain=self._inner.explain, settings=self.settings
        )  # fmt: skip

    def _finished(self, matched: Matched) -> StereoResult:
        if matched.pair.seq != self._last + 1:
            self._inner.reset()  # what lies between was not seen
        self._last = matched.pair.seq
        return self._inner.finish(matched)

    def reset(self) -> None:
        """Forget the past of the filters that remember."""
        self._inner.reset()

    def close(self) -> None:
        """Release what computing holds."""
        self._inner.close()


class TakePipeline:
    """Gives results of an open take by number of the pair; used from one thread.

    What filters remember is of pairs that follow one another: behind a pair that was not computed they begin anew.
    """

    def __init__(self, opened: Opened, match: MatchOptions, *, use_recorded: bool, needs_depth: bool = True) -> None:
        self._opened = opened
        self._needs_depth = needs_depth
        self._source = cast("TakeSource", opened.source)
        self._use_recorded = use_recorded
        recorded = settings_of(self.reader.manifest.settings)
        # The range of a take is that of its rig: another one needs its own.
        other = asks_again(match, opened.rig_options)
        self._settings = settings_from(match, opened.output) if other or recorded is None else recorded
        self._pipeline: Pipeline | None = None
        self._last = -1  # pair that was computed last
        self.computed = 0

    @property
    def reader(self) -> TakeReader:
        """The take."""
        return self._source.reader

    def result(self, number: int) -> StereoResult | None:
        """Give one result, None where its pictures cannot be decoded."""
        frame = self._source.frame(number)
        if frame is None:
            return None
        if not self._needs_depth:
            return self._pictures_alone(frame)
        disparity = self._source.disparity(number) if self._use_recorded else None
        if disparity is None and not self.reader.has_raw:
            return None
        if disparity is not None and disparity.shape == self._opened.rectification_for(frame).size_wh[::-1]:
            return recorded_result(frame, disparity, self._opened)
        if self._pipeline is None:
            self._pipeline = build_pipeline(
                self._settings, self._opened.rectification_for(frame), rig_file=self._opened.rig_file
            )
        if number != self._last + 1:
            self._pipeline.reset()
        self._last = number
        self.computed += 1
        return self._pipeline.process(frame)

    def _pictures_alone(self, frame: StereoFrame) -> StereoResult:
        """Give a result without depth; as they came, where nothing tells how the pictures are rectified."""
        try:
            at = self._opened.rectification_for(frame)
        except CalibrationError:
            return RawPipeline(self._settings, frame).process(frame)
        return recorded_result(frame, np.full(at.size_wh[::-1], np.nan, np.float32), self._opened)

    def notes(self) -> list[str]:
        """What a person should know of where the depth came from."""
        if self.computed and self._use_recorded:
            many = counted(self.computed, "pair")
            return [f"{many} had no recorded depth: it was computed with the settings of the take."]
        return []
