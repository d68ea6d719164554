"""Where pairs come from: cameras, files, takes, the demo scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from livestereo.errors import SettingsError
from livestereo.sources.grammar import Word, resolve_all
from livestereo.sources.request import SourceRequest

if TYPE_CHECKING:
    from livestereo.sources.base import Source

__all__ = ["SourceRequest", "open_source"]


def open_source(pictures: Sequence[str], request: SourceRequest | None = None) -> Source:
    """Make the source that LEFT [RIGHT] names; it opens when it is entered.

    Raises:
        SourceError: nothing of that name, not a picture, a folder, one view only.
        SettingsError: arguments that do not go together.
    """
    request = request or SourceRequest()
    words = resolve_all(pictures, splits=request.splits)
    if words[0].kind == "demo":
        from livestereo.sources.demo import open_demo

        return open_demo(words[0].text, request)
    if words[0].kind == "take":
        from livestereo.sources.take import open_take

        assert words[0].path is not None
        return open_take(words[0].path, request)
    live = [word.kind in ("camera", "url") for word in words]
    if all(live):
        from livestereo.sources.cameras import open_cameras

        return open_cameras(words, request)
    if any(live):
        camera, file = (words[0], words[1]) if live[0] else (words[1], words[0])
        raise SettingsError(
            f"{camera.text} is a camera and {file.text} is not.",
            "Give two cameras, or two files, or two sets of pictures.",
        )
    from livestereo.sources.files import open_files

    return open_files(words, request)


def describe(words: Sequence[Word]) -> str:
    """Name a source for people: what the user wrote."""
    return " ".join(word.text for word in words)
