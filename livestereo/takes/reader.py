"""Reads a take: pairs and recorded disparity by number, in order or not; what is missing is said, not guessed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rigfile import RigFile, load_rig
from livestereo.codecs import StreamReader
from livestereo.errors import LiveStereoError, TakeError
from livestereo.takes import manifest as m
from livestereo.takes.index import DepthEntry, Index, PairEntry, read_index
from livestereo.types import F32
from livestereo.wording import counted

if TYPE_CHECKING:
    from typing_extensions import Self


class _Track:
    """One stream read by frame number: forward it decodes, elsewhere it seeks and counts by stamps.

    encoded: give a camera's own bytes, as an array (n,) uint8, instead of pictures.
    """

    def __init__(self, path: Path, stamps_ms: list[int], *, encoded: bool = False) -> None:
        self._path = path
        self.encoded = encoded
        self._stamps_ms = stamps_ms
        self._reader: StreamReader | None = None
        self._frames: Iterator[tuple[int, NDArray[Any] | None]] = iter(())
        self._next = -1
        self._last: tuple[int, NDArray[Any] | None] | None = None

    def get(self, number: int) -> NDArray[Any] | None:
        """Give frame `number`, or None where it cannot be decoded or is not there."""
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        if not 0 <= number < len(self._stamps_ms):
            return None
        if self._reader is None or not self._next <= number < self._next + 8:
            self._start_at(number)
        while self._next <= number:
            found = next(self._frames, None)
            if found is None:
                self._next = -1
                self._close()
                return None
            self._last = (self._next, found[1])
            self._next += 1
        return self._last[1] if self._last is not None else None

    def _start_at(self, number: int) -> None:
        self._close()
        self._frames = self._open()
        assert self._reader is not None
        self._next = 0
        if number == 0:
            return
        self._reader.seek_ms(self._stamps_ms[number])
        first = next(self._frames, None)
        at = _nearest(self._stamps_ms, first[0]) if first is not None else -1
        if first is None or at > number:
            # No cue leads there (a file that was cut has none): count from the start.
            self._reader.close()
            self._frames = self._open()
            return
        self._last, self._next = (at, first[1]), at + 1

    def _open(self) -> Iterator[tuple[int, NDArray[Any] | None]]:
        self._reader = reader = StreamReader(self._path)
        if self.encoded:
            return ((stamp, np.frombuffer(payload, np.uint8)) for stamp, payload in reader.stamped_packets())
        return reader.frames()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    close = _close


def _nearest(stamps_ms: list[int], stamp_ms: int) -> int:
    return int(np.argmin(np.abs(np.asarray(stamps_ms) - stamp_ms)))


def _by_number(stamps_ms: dict[int, int]) -> list[int]:
    """Stamps of the frames 0, 1, … of a stream as its container holds them, growing; unknown ones lie between."""
    if not stamps_ms:
        return []
    known = sorted(stamps_ms)
    filled = np.rint(np.interp(range(known[-1] + 1), known, [stamps_ms[number] for number in known]))
    grown: list[int] = []
    for stamp in filled.astype(int).tolist():
        grown.append(max(stamp, grown[-1] + 1) if grown else stamp)
    return grown


class TakeReader:
    """Open a take that is there as far as it is there.

    `notes` says what is missing. `pairs`: those that can be used, by growing number; after a crash and before a
    repair all whole lines of the index. A pair's number is its place in the raw streams.

    Raises:
        TakeError: not a take, of a newer version, or without stamps.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = m.load_manifest(folder)
        self.index: Index = read_index(folder)
        closed = self.manifest.state != "recording"
        end = self.manifest.frames if closed else len(self.index.pairs)
        left_out = set(self.manifest.left_out)
        usable = (e for e in self.index.pairs if e.pair not in left_out and not (closed and e.pair >= end))
        self._entries = {entry.pair: entry for entry in sorted(usable, key=lambda entry: entry.pair)}
        self.pairs: list[PairEntry] = list(self._entries.values())
        self.notes: list[str] = []
        if not closed:
            self.notes.append(
                f"{folder} was not closed (the program or the computer stopped): "
                "`livestereo verify --repair` makes it whole."
            )
        elif len(self.pairs) < self.manifest.pairs:
            self.notes.append(
                f"{folder}: the stamps of {counted(self.manifest.pairs - len(self.pairs), 'pair')} are lost."
            )
        self.rig_file: RigFile | None = None
        if (folder / m.RIG).is_file():
            self.rig_file = load_rig(folder / m.RIG)
        elif self.manifest.rig_sha256 is not None:
            self.notes.append(f"The rig of {folder} ({m.RIG}) is missing: depth is computed as without a rig.")
        bad = set(self.manifest.depth_left_out)
        # A repaired take may have lines of depth whose pictures the crash took.
        depth_end = self.manifest.disparity.frames if closed and self.manifest.disparity else math.inf
        self._depth_of_pair = {
            d.pair: d.depth
            for d in self.index.depths
            if d.depth is not None and d.depth < depth_end and d.depth not in bad and d.pair in self._entries
        }
        self.unreadable_depth: set[int] = set()  # pairs whose recorded depth was asked for and cannot be read
        stamps = {entry.pair: entry.pts_ms for entry in self.index.pairs}
        depth_stamps = {d.depth: stamps[d.pair] for d in self.index.depths if d.depth is not None and d.pair in stamps}
        self._left = self._track("left", self.manifest.left, _by_number(stamps))
        self._right = self._track("right", self.manifest.right, _by_number(stamps))
        self._depth = self._track("disparity", self.manifest.disparity, _by_number(depth_stamps))

    def _track(self, what: str, entry: m.StreamEntry | None, stamps: list[int]) -> _Track | None:
        if entry is None:
            return None
        path = self.folder / entry.file
        try:
            StreamReader(path).close()
        except LiveStereoError:
            self.notes.append(f"The {what} stream of {self.folder} ({entry.file}) is missing or cannot be opened.")
            return None
        return _Track(path, stamps, encoded=entry.codec == "mjpeg")

    @property
    def has_raw(self) -> bool:
        """Both raw streams are there."""
        return self.has_left and self.has_right

    @property
    def has_left(self) -> bool:
        """The left raw stream is there."""
        return self._left is not None

    @property
    def has_right(self) -> bool:
        """The right raw stream is there."""
        return self._right is not None

    @property
    def has_depth(self) -> bool:
        """The disparity stream is there."""
        return self._depth is not None

    def entry(self, pair: int) -> PairEntry | None:
        """Give the stamps of a pair; None where it cannot be used."""
        return self._entries.get(pair)

    def pairs_with_depth(self) -> list[int]:
        """Give the pairs that have a recorded disparity."""
        return sorted(self._depth_of_pair) if self.has_depth else []

    def images(self, pair: int) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
        """Give both raw pictures as stored, (H,W,3) uint8 BGR, None for one that cannot be had."""
        return self._image(self._left, pair), self._image(self._right, pair)

    def _image(self, track: _Track | None, pair: int) -> NDArray[np.uint8] | None:
        got = track.get(pair) if track is not None else None
        if track is None or got is None or not track.encoded:
            return got
        # The decoder of the live cameras: another one would give other pixels, and so another disparity.
        return decode_jpeg(got)

    def encoded(self, pair: int) -> tuple[bytes | None, bytes | None]:
        """Give the cameras' own bytes of a pair, None where the stream was coded by us."""
        left, right = (
            track.get(pair) if track is not None and track.encoded else None for track in (self._left, self._right)
        )
        return (None if left is None else left.tobytes()), (None if right is None else right.tobytes())

    def disparity(self, pair: int) -> F32 | None:
        """Give the recorded disparity, (H,W) float32 px, NaN invalid; None where none was kept."""
        number = self._depth_of_pair.get(pair)
        if number is None or self._depth is None:
            return None
        coded = self._depth.get(number)
        if coded is None:
            self.unreadable_depth.add(pair)
        return None if coded is None else m.decode_disparity(coded, self.manifest.disparity_offset)

    def computed(self) -> list[DepthEntry]:
        """Give the depth that was computed, kept or thinned, in the order of the computation."""
        last = self.pairs[-1].pair if self.pairs else -1
        return [entry for entry in self.index.depths if entry.pair <= last]

    def close(self) -> None:
        """Release the streams; idempotent."""
        for track in (self._left, self._right, self._depth):
            if track is not None:
                track.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode_jpeg(data: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Decode a JPEG, (n,) uint8, into (H,W,3) uint8 BGR; None where it is damaged."""
    image = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else np.asarray(image, np.uint8)


def require_pairs(reader: TakeReader) -> None:
    """Refuse a take that holds no pair.

    Raises:
        TakeError: it is empty.
    """
    if not reader.pairs:
        raise TakeError(f"{reader.folder} holds no pair.", "Record again; `livestereo verify` tells what was lost.")
