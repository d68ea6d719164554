"""What every source of pairs is."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from livestereo.types import CaptureStats, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self


class Source(Protocol):
    """A context manager that gives pairs. Opening happens in `__enter__`, everything is released in `__exit__`."""

    @property
    def info(self) -> SourceInfo:
        """What is known of the source; complete once it is open."""
        ...

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair, or None at the end.

        Raises:
            NoFrameYet: a live source has none within `timeout_s`; it has not ended.
            IncompleteSource: after the last readable pair, when pictures were missing or cut on one side.
            SourceError: reading is not possible any more.
        """
        ...

    def stats(self) -> CaptureStats:
        """Counts since opening; may be called from any thread."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
