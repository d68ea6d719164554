"""A take as a source: every pair, in order, with its exact stamps and the rig it was recorded with."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from livestereo.errors import IncompleteSource, SourceError, TakeError
from livestereo.sources.request import FLIPS, Flip, SourceRequest
from livestereo.sources.split import in_order, turn, turned_size
from livestereo.takes.reader import TakeReader
from livestereo.types import F32, CaptureStats, Frame, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self


class TakeSource:
    """Give the pairs of a take; `seek` goes to any of them, `loop` begins again at the end, with stamps that go on.

    Raises:
        TakeError: not a take, a newer version, no stamps, or no raw pictures in it.
    """

    def __init__(self, folder: Path, request: SourceRequest | None = None) -> None:
        self._request = request or SourceRequest()
        self._reader: TakeReader | None = None
        self._folder = folder
        self._next = 0
        self._given = 0
        self._unreadable: list[int] = []
        self._lap_s = 0.0
        self.loop = False
        self.info = SourceInfo(name=str(folder), live=False)

    @property
    def reader(self) -> TakeReader:
        """The take itself: its manifest, its stamps and its recorded disparity."""
        if self._reader is None:
            raise TakeError(f"{self._folder} is not open.", "Open the source first.")
        return self._reader

    def __enter__(self) -> Self:
        reader = TakeReader(self._folder)
        manifest = reader.manifest
        if not reader.has_raw:
            reader.close()
            raise TakeError(
                f"{self._folder} has no raw pictures: depth cannot be computed from it.",
                "`livestereo replay` plays the depth that was recorded; `livestereo verify` tells what is missing.",
                {"notes": list(reader.notes)},
            )
        self._reader = reader
        left, right = manifest.left, manifest.right
        self.info = SourceInfo(
            name=str(self._folder), live=False,
            left_size_wh=None if left is None else turned_size((left.width, left.height), _flip(left.flip)),
            right_size_wh=None if right is None else turned_size((right.width, right.height), _flip(right.flip)),
            fps=manifest.fps, count=len(reader.pairs), rig=reader.rig_file, left_id="left", right_id="right",
            rectified=manifest.rectified,
            notes=tuple(reader.notes),
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def seek(self, pair: int) -> None:
        """Go to a pair; `read` gives it next."""
        self._next = min(max(pair, 0), len(self.reader.pairs))

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair, None at the end.

        Raises:
            IncompleteSource: at the end, when pairs could not be decoded.
        """
        if self.loop and self._next >= len(self.reader.pairs) and self._given:
            self._lap_s += self.reader.pairs[-1].left_us / 1e6 + 1 / self.reader.manifest.fps
            self._next = 0
        while self._next < len(self.reader.pairs):
            number = self._next
            self._next += 1
            frame = self.frame(number)
            if frame is not None:
                self._given += 1
                return frame
            self._unreadable.append(number)
        if self._unreadable:
            bad, self._unreadable = self._unreadable, []
            raise IncompleteSource(
                f"{len(bad)} pairs of {self._folder} cannot be read (the first is {bad[0]}).",
                "`livestereo verify` names all that is damaged; `--repair` leaves it out.",
            )
        return None

    def frame(self, number: int) -> StereoFrame | None:
        """Give one pair by its number, None where a picture of it cannot be decoded."""
        reader = self.reader
        entry = reader.pairs[number]
        images = reader.images(number)
        if images[0] is None or images[1] is None:
            return None
        manifest = reader.manifest
        flips = [_flip(stream.flip if stream is not None else "none") for stream in (manifest.left, manifest.right)]
        own = [turn(np.asarray(image, np.uint8), flip) for image, flip in zip(images, flips)]
        stamps = (entry.left_us / 1e6 + self._lap_s, entry.right_us / 1e6 + self._lap_s)
        frames = [
            Frame(turn(image, flip), stamp, number, encoded)
            for image, stamp, flip, encoded in zip(own, stamps, self._request.flip, reader.encoded(number))
        ]
        left, right = in_order(frames[0], frames[1], self._request)
        skew = entry.skew_us / 1e6
        name = entry.name or str(number)
        return StereoFrame(left, right, number, -skew if self._request.swap else skew, name, entry.gap)

    def disparity(self, number: int) -> F32 | None:
        """Give the recorded disparity of a pair, (H,W) float32 px, or None."""
        return self.reader.disparity(number)

    def stats(self) -> CaptureStats:
        """Count pairs given; a take drops nothing."""
        return CaptureStats(offered=2 * self._given, paired=self._given)


def _flip(text: str) -> Flip:
    if text not in FLIPS:
        raise SourceError(f"The take has an unknown flip {text!r}.", "Record again, or update livestereo.")
    return text


def open_take(folder: Path, request: SourceRequest) -> TakeSource:
    """Make a source of a take; opening happens in its `with` statement."""
    return TakeSource(folder, request)
