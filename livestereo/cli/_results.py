"""Pairs one after another through the pipeline, for commands that answer about pictures rather than run live.

    with open_pictures(...) as opened:
        for result in each_result(opened, settings, output, frames=frames, failures=failures):
            ...

With no range asked for, each photo's own range of disparities is measured first; a video keeps one that only grows.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator

from calibration.errors import CalibrationError
from calibration.rectify import Rectification
from livestereo.cli._build import build_pipeline
from livestereo.cli._output import Output
from livestereo.cli._setup import Opened, rectification_without_rig
from livestereo.errors import IncompleteSource, LiveStereoError, NoFrameYet, SourceError
from livestereo.gray import gray_of
from livestereo.pipeline import Pipeline
from livestereo.ranges import find_range
from livestereo.settings import Settings
from livestereo.span import with_span
from livestereo.types import SourceInfo, StereoFrame, StereoResult

PATIENCE_S = 15.0  # for the first pair of a camera


@dataclasses.dataclass
class Troubles:
    """What went wrong on the way and did not stop it: pairs without an answer, and a source that ended early."""

    failed: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)  # name, what, fix
    incomplete: IncompleteSource | None = None

    def error(self, done: int, details: dict[str, object]) -> LiveStereoError | None:
        """Give the error to end with, holding what was computed; None if all went well."""
        if self.failed:
            name, what, fix = self.failed[0]
            if done == 0 and len(self.failed) == 1:
                return LiveStereoError(what, fix, details)
            more = f"{len(self.failed)} of {done + len(self.failed)} pairs gave no depth; the first is {name}: {what}"
            return LiveStereoError(more, fix, details)
        if self.incomplete is not None:
            return IncompleteSource(self.incomplete.what, self.incomplete.fix, details)
        return None


def is_still(info: SourceInfo) -> bool:
    """Whether the pairs are photos, each for itself, rather than moments of one scene."""
    return not info.live and info.fps is None


def how_many(info: SourceInfo, frames: int | None) -> int | None:
    """How many pairs to take: what is asked for, one of an endless source, else all (None: until the end)."""
    if frames is not None:
        return frames
    return 1 if info.live or info.truth is not None else None


def expects_many(info: SourceInfo, frames: int | None) -> bool:
    """Whether more than one pair will come; yes where nobody knows."""
    limit = how_many(info, frames)
    known = [n for n in (info.count, limit) if n is not None]
    return min(known) > 1 if known else True


def each_frame(opened: Opened, limit: int | None, troubles: Troubles) -> Iterator[StereoFrame]:
    """Read pairs until the end or `limit`; a source that ends early is noted in `troubles`.

    Raises:
        SourceError: a camera gives nothing for a quarter of a minute.
    """
    waited_since = time.monotonic()
    given = 0
    while limit is None or given < limit:
        try:
            frame = opened.source.read(1.0)
        except NoFrameYet:
            if time.monotonic() - waited_since > PATIENCE_S:
                raise SourceError(
                    f"{opened.source.info.name} gave no pair for {PATIENCE_S:.0f} s.",
                    "Are both cameras plugged in? Run `livestereo doctor`.",
                ) from None
            continue
        except IncompleteSource as error:
            troubles.incomplete = error
            return
        if frame is None:
            return
        waited_since = time.monotonic()
        given += 1
        yield frame


class ResultMaker:
    """Turns pairs into results; keeps the pipeline as long as the pairs allow."""

    def __init__(self, opened: Opened, settings: Settings, tell: Callable[[str], None] | None = None) -> None:
        self._opened = opened
        self._tell = tell
        self._settings = settings
        self._still = is_still(opened.source.info)
        asked = (settings.min_depth, settings.max_depth, settings.num_disparities, settings.min_disparity)
        self._measure = all(value is None for value in asked)
        self._pipeline: Pipeline | None = None
        self._count = 0

    def compute(self, frame: StereoFrame) -> StereoResult:
        """Compute depth of one pair.

        Raises:
            CalibrationError: no rig, not rectified, and the matches do not carry a rectification.
            LiveStereoError: the rig or the settings do not fit the pictures.
        """
        rectification = self._rectification(frame)
        if self._measure and (self._still or self._count % 10 == 0):
            rectification = self._with_measured_span(rectification, frame)
        self._count += 1
        if self._pipeline is None or self._pipeline.rectification is not rectification:
            self.close()
            self._pipeline = build_pipeline(self._settings, rectification, self._tell, self._opened.rig_file)
        return self._pipeline.process(frame)

    def _rectification(self, frame: StereoFrame) -> Rectification:
        if self._still and self._opened.rig_file is None:
            # Photos taken by hand: each pair has a geometry of its own.
            info = self._opened.source.info
            made = rectification_without_rig(
                frame,
                rectified=self._opened.rig_options.rectified or info.rectified,
                focal_px=info.capture.get("exif_focal_px", (None, None)),
            )
            if self._count == 0:
                for note in made.notes:
                    self._opened.output.say(note)
            return made
        made = self._opened.rectification_for(frame)
        if self._pipeline is not None and not self._still:
            return self._pipeline.rectification
        return made

    def _with_measured_span(self, rectification: Rectification, frame: StereoFrame) -> Rectification:
        if self._pipeline is None and rectification.min_disparity_px is not None:
            return rectification
        left, right = (gray_of(side) for side in (frame.left, frame.right))
        spanned = with_span(rectification, rectification.apply(left, "left"), rectification.apply(right, "right"))
        if self._still or self._pipeline is None:
            return spanned
        have = find_range(self._settings, rectification)
        want = find_range(self._settings, spanned)
        if want.minimum >= have.minimum and want.maximum <= have.maximum:
            return rectification
        return with_span_of(rectification, min(want.minimum, have.minimum), max(want.maximum, have.maximum))

    def close(self) -> None:
        """Release the pipeline."""
        if self._pipeline is not None:
            self._pipeline.close()
            self._pipeline = None


def with_span_of(rectification: Rectification, low: int, high: int) -> Rectification:
    """Give the rectification with disparities `low` … `high`."""
    return dataclasses.replace(rectification, min_disparity_px=low, disparity_span_px=high - low + 1)


def each_result(
    opened: Opened,
    settings: Settings,
    output: Output,
    troubles: Troubles,
    *,
    frames: int | None = None,
    endless: bool = False,
    text: str = "depth",
) -> Generator[StereoResult, None, None]:
    """Compute depth of pair after pair, with a progress bar for more than one.

    endless: go on with a camera until the caller stops. A photo of a set that cannot be rectified is noted in
    `troubles` and the others go on.
    """
    info = opened.source.info
    limit = None if endless else how_many(info, frames)
    total = info.count if limit is None else limit if info.count is None else min(limit, info.count)
    maker = ResultMaker(opened, settings, output.say)
    try:
        pairs = each_frame(opened, limit, troubles)
        if total != 1 and not endless:
            pairs = output.track(pairs, text, total)
        for frame in pairs:
            try:
                result = maker.compute(frame)
            except CalibrationError as error:
                if not is_still(info):
                    raise
                troubles.failed.append((frame.name or str(frame.seq), error.what, error.fix))
                continue
            yield result
    finally:
        maker.close()
