"""A take as a source: every pair, in order, with its exact stamps and the rig it was recorded with."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from livestereo.errors import IncompleteSource, SourceError, TakeError
from livestereo.frames import FLIPS, Flip, LazyFrame, turn, turned_size
from livestereo.gray import decode_luma
from livestereo.sources.capture import decode_jpeg
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import in_order
from livestereo.takes.manifest import FILES, StreamEntry
from livestereo.takes.reader import TakeReader, require_pairs
from livestereo.types import F32, U8, CaptureStats, Frame, SizeWH, SourceInfo, StereoFrame
from livestereo.wording import counted

if TYPE_CHECKING:
    from typing_extensions import Self


class TakeSource:
    """Give the pairs of a take; `seek` goes to any of them, `loop` begins again at the end, with stamps that go on.

    A pair's `seq` is its number in the take.

    Raises:
        TakeError: not a take, a newer version, no stamps, no raw pictures in it (unless the request is for a partial
            one), or nothing at all.
    """

    seekable = True

    def __init__(self, folder: Path, request: SourceRequest | None = None) -> None:
        self._request = request or SourceRequest()
        self._reader: TakeReader | None = None
        self._folder = folder
        self._next = 0
        self._given = 0
        self._unreadable: list[int] = []
        self._lap_s = 0.0
        self._sizes: tuple[SizeWH, SizeWH] = ((0, 0), (0, 0))
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
        if not (reader.pairs or reader.has_left or reader.has_right or reader.has_depth):
            reader.close()
            require_pairs(reader)
        some = reader.has_left or reader.has_right or reader.has_depth
        if not (reader.has_raw or (self._request.partial and some)):
            reader.close()
            what = "one raw stream is" if reader.has_left or reader.has_right else "the raw pictures are"
            raise TakeError(
                f"{what.capitalize()} not in {self._folder}: depth cannot be computed from it.",
                "`livestereo replay` plays what is there; `livestereo verify` tells what is missing.",
                {"notes": list(reader.notes)},
            )
        self._reader = reader
        self._sizes = _sizes(reader)
        notes = list(reader.notes)
        if not reader.has_raw:
            there = {"left": reader.has_left, "right": reader.has_right, "depth": reader.has_depth}
            kept, gone = ([name for name, has in there.items() if has is one] for one in (True, False))
            notes.append(f"Not in this take: {', '.join(gone)}. What is there: {', '.join(kept)}.")
        self.info = SourceInfo(
            name=str(self._folder), live=False, left_size_wh=self._sizes[0], right_size_wh=self._sizes[1],
            fps=manifest.fps, count=len(reader.pairs), rig=reader.rig_file, left_id="left", right_id="right",
            rectified=manifest.rectified or (not reader.has_raw and reader.rig_file is None), notes=tuple(notes),
            capture={"relative": manifest.relative} if manifest.relative else {},
            files=tuple(path for name in sorted(FILES) if (path := self._folder / name).is_file()),
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def seek(self, pair: int) -> None:
        """Go to a pair; `read` gives it next. Where it is not there, the next one that way."""
        numbers = [entry.pair for entry in self.reader.pairs]
        at = bisect_left(numbers, pair)
        backward = 0 < self._next <= len(numbers) and pair < numbers[self._next - 1]
        if backward and at > 0 and (at == len(numbers) or numbers[at] != pair):
            at -= 1
        self._next = at

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair, None at the end.

        Raises:
            IncompleteSource: at the end, when pairs could not be decoded.
        """
        pairs = self.reader.pairs
        if self.loop and self._next >= len(pairs) and self._given:
            self._lap_s += (pairs[-1].left_us - pairs[0].left_us) / 1e6 + 1 / self.reader.manifest.fps
            self._next = 0
        while self._next < len(pairs):
            number = pairs[self._next].pair
            self._next += 1
            frame = self.frame(number)
            if frame is not None:
                self._given += 1
                return frame
            self._unreadable.append(number)
        if self._unreadable:
            bad, self._unreadable = self._unreadable, []
            raise IncompleteSource(
                f"{counted(len(bad), 'pair')} of {self._folder} cannot be read (the first is {bad[0]}).",
                "`livestereo verify` names all that is damaged; `--repair` leaves it out.",
            )
        return None

    def frame(self, number: int) -> StereoFrame | None:
        """Give one pair by its number, None where a picture of it cannot be decoded or it is none of the take's."""
        reader, request = self.reader, self._request
        entry = reader.entry(number)
        if entry is None:
            return None
        stamps = (entry.left_us / 1e6 + self._lap_s, entry.right_us / 1e6 + self._lap_s)
        streams = (reader.manifest.left, reader.manifest.right)
        encoded = reader.encoded(number)
        images = (None, None) if all(encoded) else reader.images(number)
        frames: list[Frame] = []
        for side, has in enumerate((reader.has_left, reader.has_right)):
            own, flip, image, jpeg = _flip(streams[side]), request.flip[side], images[side], encoded[side]
            if jpeg is not None:
                frame = _own_bytes(jpeg, self._sizes[side], stamps[side], number, own, flip)
            elif image is not None:
                frame = _frame(np.asarray(image, np.uint8), stamps[side], number, own, flip)
            elif not has and request.partial:
                w, h = self._sizes[side]
                frame = _frame(np.zeros((h, w, 3), np.uint8), stamps[side], number, "none", flip)
            else:
                frame = None
            if frame is None:
                return None
            frames.append(frame)
        left, right = in_order(frames[0], frames[1], request)
        skew = entry.skew_us / 1e6
        name = entry.name or str(number)
        return StereoFrame(left, right, number, -skew if request.swap else skew, name, entry.gap)

    def disparity(self, number: int) -> F32 | None:
        """Give the recorded disparity of a pair, (H,W) float32 px, or None."""
        return self.reader.disparity(number)

    def stats(self) -> CaptureStats:
        """Count pairs given; a take drops nothing."""
        return CaptureStats(offered=2 * self._given, paired=self._given)


def _frame(image: U8, t_s: float, number: int, own: Flip, flip: Flip) -> Frame:
    """Turn a stored picture by the camera's own turn and then as asked."""
    return Frame(turn(turn(image, own), flip), t_s, number, None, own if flip == "none" else flip)


def _own_bytes(encoded: bytes, size_wh: SizeWH, t_s: float, number: int, own: Flip, flip: Flip) -> Frame | None:
    """Likewise, of a camera's own JPEG, in colour when somebody looks; None where it is damaged."""
    luma = decode_luma(encoded)
    if luma is None:
        return None
    # Two turns in a row have no one name.
    both = own != "none" and flip != "none"
    turned = own if flip == "none" else flip
    return LazyFrame(
        lambda: turn(turn(decode_jpeg(encoded, size_wh), own), flip), t_s, number, None if both else encoded, turned,
        gray=None if both else turn(luma, turned),
    )  # fmt: skip


def _sizes(reader: TakeReader) -> tuple[SizeWH, SizeWH]:
    """Sizes of the left and right pictures as given, px; for a stream that is not there what must have been."""
    manifest, rig = reader.manifest, reader.rig_file.rig if reader.rig_file is not None else None
    known = [
        None if stream is None else turned_size((stream.width, stream.height), _flip(stream))
        for stream in (manifest.left, manifest.right)
    ]
    depth = None if manifest.disparity is None else (manifest.disparity.width, manifest.disparity.height)
    for side, camera in enumerate((rig.left, rig.right) if rig is not None else ()):
        known[side] = known[side] or camera.size_wh
    left = known[0] or known[1] or depth or (0, 0)
    return left, known[1] or left


def _flip(stream: StreamEntry | None) -> Flip:
    text = "none" if stream is None else stream.flip
    if text not in FLIPS:
        raise SourceError(f"The take has an unknown flip {text!r}.", "Record again, or update livestereo.")
    return text


def open_take(folder: Path, request: SourceRequest) -> TakeSource:
    """Make a source of a take; opening happens in its `with` statement."""
    return TakeSource(folder, request)
