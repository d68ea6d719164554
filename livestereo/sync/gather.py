"""Read pairs of a source for as long as a measurement takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from livestereo.errors import IncompleteSource, NoFrameYet
from livestereo.sources.base import Source
from livestereo.sync.recording import SyncRecorder
from livestereo.timing import Clock, monotonic
from livestereo.types import StereoFrame

SILENT_S = 10.0  # a live source that gives nothing for so long is given up
WARM_UP_S = 0.7  # the first frames of a camera that was just opened come in bursts


@dataclass(frozen=True)
class Gathered:
    """Why it ended: `enough`, `source` (its end), `person` or `silent`. incomplete: what the source lacked."""

    why: str
    incomplete: IncompleteSource | None = None


def gather(
    source: Source,
    recorder: SyncRecorder,
    *,
    seconds: float,
    frames: int | None = None,
    look: Callable[[StereoFrame, float], bool] = lambda _frame, _share: True,
    clock: Clock = monotonic,
) -> Gathered:
    """Give pairs to the recorder until `seconds` of them (by their stamps) or `frames` are there.

    look: called with each pair and the share done, 0..1; False ends it.
    """
    live = source.info.live
    heard_s, begin_s = clock(), float("-inf")
    while True:
        try:
            pair = source.read(0.2)
        except NoFrameYet:
            if clock() - heard_s > SILENT_S:
                return Gathered("silent")
            continue
        except IncompleteSource as error:
            return Gathered("source", error)
        if pair is None:
            return Gathered("source")
        heard_s = clock()
        if begin_s == float("-inf"):
            begin_s = pair.t_s
        if not live or pair.t_s - begin_s >= WARM_UP_S:
            recorder.add(pair)
        share = recorder.seconds / seconds
        if frames is not None:
            share = max(share, recorder.pairs / frames)
        if not look(pair, min(share, 1.0)):
            return Gathered("person")
        if share >= 1:
            return Gathered("enough")
