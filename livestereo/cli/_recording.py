"""What a recording is asked to hold, from what is open; shared by `record`, `replay -o` and the key `r`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from livestereo.cli._setup import Opened
from livestereo.errors import TakeError
from livestereo.settings import Settings
from livestereo.takes.raw import RawFormat
from livestereo.takes.writer import Content, TakeRequest
from livestereo.types import SourceInfo, StereoResult


def take_request(
    opened: Opened, settings: Settings, folder: Path, *, raw: RawFormat = "auto", content: Content = "all",
    preview: bool = True, overwrite: bool = False,
) -> TakeRequest:  # fmt: skip
    """Describe a take of this source.

    The take holds pictures as the rig wants them, so its rig says nothing of swapping and turning any more; a
    camera's own bytes are stored before any turn, so the turn is written down with them.
    """
    info = opened.source.info
    rig = opened.rig_file
    if rig is not None:
        capture = rig.capture.model_copy(update={"swap": False, "flip": ("none", "none")})
        rig = rig.model_copy(update={"capture": capture})
    return TakeRequest(
        folder=folder, fps=info.fps or 30.0, raw=raw, content=content, preview=preview, rig=rig, source=info.name,
        settings=settings.model_dump(), overwrite=overwrite,
        rectified=opened.rig_options.rectified or info.rectified,
    )  # fmt: skip


def refuse_own_source(take: Path, pictures: Sequence[str]) -> None:
    """Refuse to record a take over itself.

    Raises:
        TakeError: the new take is one of the sources.
    """
    if any(Path(one).is_dir() and Path(one).resolve() == take.resolve() for one in pictures):
        raise TakeError("A take cannot be recorded into itself.", "Name another folder with -o.")


class Counted:
    """A result sink that moves a progress bar."""

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance

    def open(self, info: SourceInfo) -> None:
        """Nothing to do."""

    def accept(self, result: StereoResult) -> None:
        """Count one result."""
        self._advance(1)

    def close(self) -> None:
        """Nothing to do."""
