"""Pairs from files: one pair, two sets of pictures, two videos, or one of either that carries both views.

Pulled on demand: every pair, in order, no thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import cv2

from livestereo.errors import IncompleteSource, SettingsError, SourceError
from livestereo.sources.grammar import Word
from livestereo.sources.request import SourceRequest
from livestereo.sources.sets import PairedSets, expand, wild_text
from livestereo.sources.split import in_order
from livestereo.types import CaptureStats, Frame, SizeWH, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mjpg", ".mjpeg", ".wmv",
    ".flv", ".3gp", ".ogv", ".y4m", ".h264", ".h265", ".264", ".265", ".hevc",
)  # fmt: skip


@dataclass(frozen=True)
class RawPair:
    """One pair as files give it: pictures as first and second named, already split and turned."""

    first: Frame
    second: Frame
    name: str


class PairFiles(Protocol):
    """What a kind of file offers: pairs in order, and at the end what went wrong on the way."""

    fps: float | None
    count: int | None
    notes: tuple[str, ...]
    focal_px: tuple[float | None, float | None]

    def pairs(self) -> Iterator[RawPair]:
        """Give pairs in order; raises SourceError where not a single one can be given."""
        ...

    def trouble(self) -> tuple[str, str]:
        """(what, fix) of what was missing or cut, once `pairs` is through; ('', '') if nothing was."""
        ...

    def dropped(self) -> dict[str, int]:
        """Pictures that belong to no pair given so far, by cause."""
        ...

    def close(self) -> None:
        """Release the files; idempotent."""
        ...


def open_files(words: Sequence[Word], request: SourceRequest) -> FileSource:
    """Make a source of files; patterns are expanded and kinds found out here, pictures are read later.

    Raises:
        SourceError: nothing matches, neither a picture nor a video, a picture beside a video.
    """
    from livestereo.sources.images import PictureSets
    from livestereo.sources.videos import Videos

    groups = [_expand_word(word) for word in words]
    kinds = [{is_picture(path) for path in paths} for paths in groups]
    for word, paths, kind in zip(words, groups, kinds):
        if kind == {False} and len(paths) > 1:
            raise SourceError(f"{word.text} matches {len(paths)} videos.", "Name one video for each side.")
        if len(kind) > 1:
            other = next(path for path in paths if not is_picture(path))
            raise SourceError(
                f"{word.text} also matches {other.name}, which is not a picture.", "Make the pattern narrower."
            )
    if kinds[0] != kinds[-1]:
        raise SourceError("One side is a video and the other is not.", "Give two videos, or two sets of pictures.")
    names = tuple(word.text for word in words)
    if kinds[0] == {False}:
        return FileSource(names, Videos([paths[0] for paths in groups], request), request, _all(groups))
    texts = [[(wild_text(word.text, path), path) for path in paths] for word, paths in zip(words, groups)]
    if len(texts) == 1:
        sets = PairedSets(tuple((path, path) for _, path in texts[0]))
    elif len(texts[0]) == len(texts[1]) == 1:
        sets = PairedSets(((texts[0][0][1], texts[1][0][1]),))
    else:
        from livestereo.sources.sets import pair_sets

        sets = pair_sets(texts[0], texts[1])
    return FileSource(names, PictureSets(sets, request, both=len(texts) == 1), request, _all(groups))


def _all(groups: Sequence[Sequence[Path]]) -> tuple[Path, ...]:
    return tuple(path for paths in groups for path in paths)


def _expand_word(word: Word) -> list[Path]:
    return [word.path] if word.path is not None else expand(word.text)


def is_picture(path: Path) -> bool:
    """Tell a picture from a video, by content.

    Raises:
        SourceError: it is neither, is empty, or may not be read.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        # OpenCV would crash on such a name.
        raise SourceError(f"The name {path} is not text in this system's encoding.", "Rename the file.") from None
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except PermissionError:
        raise SourceError(f"{path} may not be read.", "Check the permissions of the file.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", "Check the disk and the path.") from None
    if not head:
        raise SourceError(f"{path} is empty.", "Copy it again.")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return False
    if cv2.haveImageReader(str(path)):
        return True
    # FFmpeg draws a text file as a picture of letters; nobody means that.
    if b"\0" not in head and not any(byte > 0xF4 or byte < 7 for byte in head):
        raise SourceError(f"{path} is neither a picture nor a video.", "Name PNG, JPEG or TIFF pictures, or videos.")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise SourceError(
                f"{path} is neither a picture nor a video that can be read.", "If it is one, it is cut or damaged."
            )
    finally:
        capture.release()
    return False


class FileSource:
    """A source of pairs from files; see `Source`."""

    def __init__(
        self, names: Sequence[str], files: PairFiles, request: SourceRequest, paths: Sequence[Path] = ()
    ) -> None:
        self._names = tuple(names)
        self._paths = tuple(paths)
        self._files = files
        self._request = request
        self._pairs: Iterator[RawPair] = iter(())
        self._pending: RawPair | None = None
        self._given = 0
        self._ended = False
        self._info = SourceInfo(name=" ".join(self._names), live=False, count=files.count)

    @property
    def info(self) -> SourceInfo:
        """Sizes are those of the first pair; notes grow when something is found out on the way."""
        return self._info

    def __enter__(self) -> Self:
        if self._request.exposure is not None:
            raise SettingsError("Files have no exposure to set.", "Leave --exposure out.")
        self._pairs = self._files.pairs()
        try:
            self._pending = next(self._pairs, None)
        except BaseException:
            self._files.close()
            raise
        if self._pending is None:
            self._files.close()
            what, fix = self._files.trouble()
            raise SourceError(what or f"{self._info.name} has no pictures.", fix or "Check the files.")
        left, right = in_order(self._pending.first, self._pending.second, self._request)
        ids = in_order(self._names[0], self._names[-1], self._request)
        focal = in_order(*self._files.focal_px, self._request)
        self._info = SourceInfo(
            name=" ".join(self._names),
            live=False,
            left_size_wh=_size(left),
            right_size_wh=_size(right),
            fps=self._files.fps,
            count=self._files.count,
            left_id=ids[0],
            right_id=ids[1],
            notes=self._files.notes,
            capture={"exif_focal_px": focal} if any(focal) else {},
            files=self._paths,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()
        self._pairs, self._pending, self._ended = iter(()), None, True

    def read(self, timeout_s: float) -> StereoFrame | None:
        """Give the next pair, or None at the end; never waits longer than decoding takes.

        Raises:
            IncompleteSource: once, after the last pair, if pictures were missing, damaged or cut.
        """
        if self._ended:
            return None
        raw, self._pending = self._pending or next(self._pairs, None), None
        if self._files.notes != self._info.notes:  # what was found out on the way
            self._info = replace(self._info, notes=self._files.notes, faults=self._files.notes)
        if raw is None:
            self._ended = True
            what, fix = self._files.trouble()
            if what:
                raise IncompleteSource(what, fix)
            return None
        left, right = in_order(raw.first, raw.second, self._request)
        frame = StereoFrame(left, right, self._given, self._skew_s(left, right), raw.name)
        self._given += 1
        return frame

    def _skew_s(self, left: Frame, right: Frame) -> float:
        # Files without exact stamps say nothing of skew: only a shift that was measured counts.
        return right.t_s - left.t_s + self._request.stamp_bias_s

    def stats(self) -> CaptureStats:
        """Counts; pictures without a partner are dropped as `pairing`, unreadable ones as `camera`."""
        dropped = self._files.dropped()
        fps = self._info.fps or 0.0
        state = "ended" if self._ended else "ok"
        return CaptureStats(2 * self._given + sum(dropped.values()), self._given, dropped, fps, fps, state, state)


def _size(frame: Frame) -> SizeWH:
    return frame.image.shape[1], frame.image.shape[0]
