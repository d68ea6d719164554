"""What the user wrote for LEFT and RIGHT: cameras, files, patterns, URLs, a take, the demo.

Resolved in this order: `demo[:…]`; `usb:`; anything with `://`; digits only; an existing path; a pattern.
`./demo` forces a path; a one-letter prefix (`C:`) is a Windows drive.
"""

from __future__ import annotations

import difflib
import re
import stat
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from livestereo.errors import SettingsError, SourceError

PICTURE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".pam", ".pfm",
    ".webp", ".jp2", ".exr", ".hdr", ".pic", ".ras", ".sr", ".gif", ".avif", ".mpo",
)  # fmt: skip
BOTH_VIEWS = ".mpo"  # a 3D camera's photo: two pictures in one file
Kind = Literal["demo", "camera", "url", "take", "file", "pattern"]


@dataclass(frozen=True)
class Word:
    """One argument, understood. `text` is what the user wrote; `path` is set for take and file.

    kind `camera`: `text` is `usb:<id>`, digits, or the path of a device.
    """

    kind: Kind
    text: str
    path: Path | None = None


def resolve(text: str) -> Word:
    """Understand one argument.

    Raises:
        SourceError: a folder that is no take, or nothing of that name.
    """
    if not text.strip():
        raise SourceError("The name of a source is empty.", "Name a camera, a file, a pattern, a URL, or `demo`.")
    if text == "demo" or text.startswith("demo:"):
        return Word("demo", text)
    if text.startswith("usb:"):
        return Word("camera", text)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        if text.lower().startswith("file://"):
            return resolve(urllib.request.url2pathname(urllib.parse.urlsplit(text).path))
        return Word("url", text)
    if re.fullmatch(r"[0-9]+", text):
        return Word("camera", text)
    path = Path(text).expanduser()
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return _missing(text, path)
    if stat.S_ISCHR(mode):
        return Word("camera", text)
    if stat.S_ISDIR(mode):
        if (path / "take.json").is_file():
            return Word("take", text, path)
        raise SourceError(f"{text} is a folder and not a take.", _pattern_hint(path))
    return Word("file", text, path)


def _missing(text: str, path: Path) -> Word:
    if is_pattern(text):
        return Word("pattern", text)
    if re.fullmatch(r"/dev/video\d+|/dev/v4l/.+", text):
        raise SourceError(f"There is no camera at {text}.", "Run `livestereo devices` to see the cameras.")
    if path.is_symlink():
        raise SourceError(f"{text} is a link to {path.readlink()}, which is not there.", "Mend or replace the link.")
    raise SourceError(f"There is no {text}.", _near_hint(path))


def _near_hint(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"There is no folder {path.parent} either. Check the path."
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"Did you mean {path.parent / near[0]}?" if near else "Check the path."


def _pattern_hint(folder: Path) -> str:
    """Show the patterns that would take the folder's pictures."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        names = []
    pictures = [name for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES]
    pattern = f"{folder / '*'}{Path(pictures[0]).suffix if pictures else '.png'}"
    for left, right in (("left", "right"), ("Left", "Right"), ("L", "R"), ("l", "r"), ("0", "1")):
        ours = [name for name in pictures if re.match(rf"{left}(?![A-Za-z])", name)]
        if ours and any(re.match(rf"{right}(?![A-Za-z])", name) for name in pictures):
            suffix = Path(ours[0]).suffix
            return f"Write two patterns, in quotes: '{folder / left}*{suffix}' '{folder / right}*{suffix}'."
        ours = [name for name in pictures if re.search(rf"(?<![A-Za-z]){left}\.\w+$", name)]
        if ours and any(re.search(rf"(?<![A-Za-z]){right}\.\w+$", name) for name in pictures):
            suffix = Path(ours[0]).suffix
            return f"Write two patterns, in quotes: '{folder}/*{left}{suffix}' '{folder}/*{right}{suffix}'."
    return f"Write a pattern for each side, in quotes, such as '{pattern}'."


def is_pattern(text: str) -> bool:
    """Has wildcards: * ? [ ] or a printf number such as %03d."""
    return any(char in text for char in "*?[") or re.search(r"%\d*d", text) is not None


def resolve_all(pictures: Sequence[str], *, splits: bool) -> tuple[Word, ...]:
    """Understand LEFT [RIGHT] together: one word for demo, a take, or pictures that carry both views; else two.

    Raises:
        SourceError, SettingsError: too many or too few arguments, or a combination that makes no sense.
    """
    if len(pictures) > 2:
        raise SettingsError(
            f"{len(pictures)} pictures were given, but at most LEFT and RIGHT are taken.",
            "If you wrote a pattern, the shell expanded it: put it in quotes, such as 'left*.png' 'right*.png'.",
        )
    if not pictures:
        raise SettingsError("No pictures were given.", "Name two cameras, files or patterns, a take, or `demo`.")
    words = tuple(resolve(text) for text in pictures)
    flag = "--side-by-side (or --top-bottom)"
    for word in words:
        if word.kind in ("demo", "take"):
            what = "The demo" if word.kind == "demo" else f"The take {word.text}"
            if len(words) == 2:
                raise SettingsError(f"{what} carries both views already.", "Leave the other argument out.")
            if splits:
                raise SettingsError(f"{what} carries two separate views.", f"Leave {flag} out.")
    if words[0].kind in ("demo", "take"):
        return words
    both = next((word.text for word in words if word.text.lower().endswith(BOTH_VIEWS)), "")
    if both and len(words) == 2:
        raise SettingsError(f"{both} carries both views already.", "Leave the other argument out.")
    if splits and len(words) == 2:
        raise SettingsError(
            "Two sources were given, but one picture is said to carry both views.",
            f"Leave one out, or leave {flag} out.",
        )
    if not splits and len(words) == 1 and not both:
        thing = {"camera": "camera", "url": "network camera", "file": "file", "pattern": "set of pictures"}
        alone = " With one camera alone: `livestereo depth` takes two photos of a still scene, taken side by side."
        raise SourceError(
            f"Only one {thing[words[0].kind]} was given ({words[0].text}), and depth needs two views.",
            f"Name the right one too; or add {flag} if it carries both views in one picture."
            + (alone if words[0].kind == "camera" else ""),
        )
    return words
