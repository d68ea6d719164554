"""What takes pairs and results: window, web page, recorder, cloud."""

from __future__ import annotations

from typing import Protocol

from livestereo.types import Action, SourceInfo, StereoFrame, StereoResult


class Sink(Protocol):
    """Opened once before the first pair; `close` may be called more than once."""

    def open(self, info: SourceInfo) -> None:
        """Get ready for pairs of this source."""
        ...

    def close(self) -> None:
        """Finish and release; idempotent."""
        ...


class PairSink(Sink, Protocol):
    """Sees every pair, before newest-wins."""

    def accept_pair(self, frame: StereoFrame) -> None:
        """Take one pair; must not block for long."""
        ...


class ResultSink(Sink, Protocol):
    """Sees finished results, in order."""

    def accept(self, result: StereoResult) -> None:
        """Take one result."""
        ...


class View(ResultSink, Protocol):
    """A result sink that a person can act through; `poll` runs on the main thread only."""

    def poll(self) -> Action | None:
        """Give the next action of the person, or None."""
        ...
