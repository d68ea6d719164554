"""What a recording is asked to hold, from what is open; shared by `record`, `replay -o` and the key `r`."""

from __future__ import annotations

from pathlib import Path

from livestereo.cli._setup import Opened
from livestereo.settings import Settings
from livestereo.takes.writer import Content, RawFormat, TakeRequest


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
    first, second = opened.request.flip
    return TakeRequest(
        folder=folder, fps=info.fps or 30.0, raw=raw, content=content, preview=preview, rig=rig, source=info.name,
        settings=settings.model_dump(), flips=(second, first) if opened.request.swap else (first, second),
        overwrite=overwrite, rectified=opened.rig_options.rectified or info.rectified,
    )  # fmt: skip
