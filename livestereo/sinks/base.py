"""What takes pairs and results: window, web page, recorder, cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from livestereo.types import Action, CaptureStats, Finding, SourceInfo, StereoFrame, StereoResult


class Sink(Protocol):
    """Opened once before the first pair; `close` may be called more than once."""

    def open(self, info: SourceInfo) -> None:
        """Get ready for pairs of this source."""
        ...

    def close(self) -> None:
        """Finish and release; idempotent."""
        ...


class PairSink(Sink, Protocol):
    """Sees every pair, before newest-wins.

    It may have `stores_pictures`: True where what it keeps of a pair are the pictures and not the cameras' JPEG. Depth
    is then computed of the same, or it would not come out again.
    """

    def accept_pair(self, frame: StereoFrame) -> bool | None:
        """Take one pair; must not block for long. True: filters that remember must forget what came before it."""
        ...


class ResultSink(Sink, Protocol):
    """Sees finished results, in order.

    It may have `shows`: True where it only shows the newest one. It then sees a pair that was worked on once more, with
    other settings while the run is paused, which is no other pair for those that count and keep.
    """

    def accept(self, result: StereoResult) -> None:
        """Take one result."""
        ...


@dataclass(frozen=True)
class RecorderState:
    """How a recording goes, for people to see while it goes.

    seconds: of the take so far. bytes: written. queue_bytes of queue_limit wait. thinned: pairs whose depth is not in
    the take. lost: pairs by cause. minutes_left: until it will stop by itself. stopped: why it has.
    """

    recording: bool = False
    seconds: float = 0.0
    pairs: int = 0
    depth_pairs: int = 0
    bytes: int = 0
    queue_bytes: int = 0
    queue_limit: int = 0
    thinned: int = 0
    minutes_left: float | None = None
    lost: Mapping[str, int] = field(default_factory=dict)
    stopped: str | None = None


@dataclass(frozen=True)
class RunState:
    """How the run goes, for people to see; the engine gives a new one to every view a few times a second.

    dropped: all discards by cause (`camera`, `pairing`, `busy`, `disk`). settings: those in force now.
    messages: what happened since the last state, each to be shown once. resolved: `settings` with the disparity
    range and scale that are really used; None while the first pipeline is built. recorder: of the take that is being
    made, None when there is none. stopped: why the last take stopped by itself, until another begins. vertical_px: the
    median row error of the rectified pictures, None where not known.
    """

    settings: Any = None
    stats: CaptureStats = field(default_factory=CaptureStats)
    dropped: Mapping[str, int] = field(default_factory=dict)
    pairs: int = 0
    depth_fps: float | None = None
    findings: tuple[Finding, ...] = ()
    vertical_px: float | None = None
    paused: bool = False
    recording_s: float | None = None
    messages: tuple[str, ...] = ()
    resolved: Any = None
    recorder: RecorderState | None = None
    stopped: str | None = None


class View(ResultSink, Protocol):
    """A result sink that a person can act through; `poll` and `tell` run on the main thread only.

    `accept` may come from another thread: it keeps the newest result and does nothing that takes long.
    Actions that a view may give: `quit`, `pause`, `step` (+1 or −1), `settings` (a new Settings), `save` (the result),
    `record`, `swap`, `lock_exposure`, and `seek` (a pair's number).
    """

    def tell(self, state: RunState) -> None:
        """Take how the run goes."""
        ...

    def poll(self) -> Action | None:
        """Give the next action of the person, or None."""
        ...
