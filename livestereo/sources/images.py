"""Pairs from picture files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from livestereo.errors import SourceError
from livestereo.frames import turn
from livestereo.sources.files import RawPair
from livestereo.sources.pictures import Picture, read_picture, read_views
from livestereo.sources.request import SourceRequest
from livestereo.sources.sets import PairedSets, missing_text
from livestereo.sources.split import halves
from livestereo.types import U8, Frame

NOMINAL_FPS = 30.0  # pictures carry no rate; stamps only need to go forward


class PictureSets:
    """Paired picture files (see `PairFiles`). both: each file carries both views, to be split or as MPO."""

    def __init__(self, sets: PairedSets, request: SourceRequest, *, both: bool) -> None:
        self._sets = sets
        self._both = both
        self._request = request
        self._unreadable: list[SourceError] = []
        self._lost = 0
        self._full_scale: float | None = None
        self.fps = request.fps[0]
        self.count: int | None = len(sets.pairs)
        self.focal_px: tuple[float | None, float | None] = (None, None)
        self.notes = tuple(note for note in (sets.note, self._missing_note()) if note)

    def _missing_note(self) -> str:
        return missing_text(self._sets) if self._request.allow_missing else ""

    def pairs(self) -> Iterator[RawPair]:
        """Read pair by pair; a damaged picture costs its pair and is told at the end.

        Raises:
            SourceError: not a single pair can be read.
        """
        given = 0
        for index, (first, second) in enumerate(self._sets.pairs):
            try:
                pictures = self._read(first, second)
            except SourceError as error:
                self._unreadable.append(error)
                self._lost += 1 if self._both else 2
                continue
            t_s = index / (self.fps or NOMINAL_FPS)
            given += 1
            frames = [Frame(turn(p, flip), t_s, index) for p, flip in zip(pictures, self._request.flip)]
            yield RawPair(frames[0], frames[1], (second if self._request.swap else first).name)
        if not given and self._unreadable:
            raise self._unreadable[0]

    def _read(self, first: Path, second: Path) -> tuple[U8, U8]:
        if self._both and not self._request.splits:
            left, right = read_views(first)
        else:
            left = read_picture(first, self._full_scale)
            right = left if self._both else read_picture(second, self._full_scale)
        if self._full_scale is None:
            # The first pair settles the scale for all, so that both sides and all pairs are equally bright.
            full_scale = max(left.full_scale, right.full_scale)
            left, right = (
                p if p.full_scale == full_scale else read_picture(path, full_scale)
                for p, path in ((left, first), (right, second))
            )
            self._full_scale = full_scale
            self.focal_px = self._focal(left), self._focal(right)
            if full_scale not in (1.0, 255.0, 65535.0):
                self.notes += (f"Samples from 0 to {full_scale:g} are taken as 0 to 255.",)
        if self._request.splits:
            return halves(left.image, self._request)
        return left.image, right.image

    def _focal(self, picture: Picture) -> float | None:
        height, width = picture.image.shape[:2]
        return picture.exif.focal_px((width, height))

    def trouble(self) -> tuple[str, str]:
        """What was missing or damaged."""
        parts, fixes = [], []
        if self._unreadable:
            shown = " ".join(error.what for error in self._unreadable[:10])
            more = len(self._unreadable) - 10
            parts.append(shown + (f" And {more} more." if more > 0 else ""))
            fixes.append("Copy the damaged pictures again.")
        if not self._request.allow_missing and (self._sets.left_only or self._sets.right_only):
            parts.append(missing_text(self._sets))
            fixes.append("Add them, or pass --allow-missing to do without.")
        return " ".join(parts), " ".join(fixes)

    def dropped(self) -> dict[str, int]:
        """Pictures without a partner, and those whose pair could not be read."""
        alone = len(self._sets.left_only) + len(self._sets.right_only)
        return {"pairing": alone, "camera": self._lost}

    def close(self) -> None:
        """Nothing stays open between two pictures."""
