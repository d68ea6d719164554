"""Rig files of other programs, in and out: one file per format.

    imported = read_foreign(["calib.txt"])           # the format is found by content
    write_foreign(["left.yaml", "right.yaml"], rig_file, "ros")

What a format cannot hold is refused, not dropped. Numbers are written so that they read back as the same doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from calibration.errors import CalibrationError
from calibration.exchange import euroc, kalibr, kitti, middlebury, opencv, ros
from calibration.exchange.base import Format, Imported, Options, Text
from calibration.files import read_text, write_atomically
from calibration.rigfile import FORMAT as NATIVE_MARK
from calibration.rigfile import RigFile, format_rig, parse_rig

NATIVE = "livestereo"
# In the order in which content is tried: the surest marks first.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {f.name: f for f in (kitti.FORMAT, middlebury.FORMAT, euroc.FORMAT, kalibr.FORMAT, ros.FORMAT, opencv.FORMAT)}
)

__all__ = ["FORMATS", "NATIVE", "Format", "Imported", "Options", "find_format", "read_foreign", "write_foreign"]


def find_format(paths: Sequence[str | Path]) -> str:
    """Give the name of the format of a rig file by its content.

    Raises:
        CalibrationError: it cannot be read or is of no known format.
    """
    text = Text(str(paths[0]), read_text(paths[0]))
    if NATIVE_MARK in text.content[:2000]:
        return NATIVE
    for name, form in FORMATS.items():
        if form.recognises(text):
            return name
    raise CalibrationError(
        f"{text.name} is not a rig file of a known format.",
        f"Known are {', '.join(FORMATS)}; name it with --from if it is one of these.",
    )


def read_foreign(
    paths: Sequence[str | Path], form: str | None = None, options: Options | None = None
) -> tuple[RigFile, tuple[str, ...], str]:
    """Read a rig from one file or two, of a named format or of the one found.

    Returns the rig file, what to tell the user, and the format's name.

    Raises:
        CalibrationError: the files cannot be read, are not of the format, or lack something; with the field.
    """
    name = form or find_format(paths)
    if name == NATIVE:
        _count(paths, (1, 1), NATIVE)
        return parse_rig(read_text(paths[0]), str(paths[0])), (), name
    chosen = _format(name)
    _count(paths, chosen.files_in, name)
    imported = chosen.read([Text(str(path), read_text(path)) for path in paths], options or Options())
    notes = list(imported.notes)
    if imported.rig.left.size_wh is None or imported.rig.right.size_wh is None:
        notes.append("The file holds no picture size: it is null in the rig and taken from the first pictures.")
    return RigFile(rig=imported.rig, metric=imported.metric, extra=imported.extra), tuple(notes), name


def write_foreign(paths: Sequence[str | Path], rig_file: RigFile, form: str) -> None:
    """Write a rig in a format; every file whole or not at all.

    Raises:
        CalibrationError: the format cannot hold this rig, takes another number of files, or is read only.
    """
    if form == NATIVE:
        _count(paths, (1, 1), NATIVE)
        write_atomically(paths[0], format_rig(rig_file))
        return
    chosen = _format(form)
    if chosen.write is None:
        raise CalibrationError(
            f"{form} can be read but not written.", "Write ros, kalibr, opencv, kitti or middlebury."
        )
    _count(paths, (chosen.files_out, chosen.files_out), form)
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise CalibrationError("Both output files have the same name.", "Name two.")
    for path, content in zip(paths, chosen.write(rig_file)):
        write_atomically(path, content)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise CalibrationError(f"Unknown format: {name!r}.", f"Known are {', '.join([NATIVE, *FORMATS])}.")
    return FORMATS[name]


def _count(paths: Sequence[str | Path], wanted: tuple[int, int], name: str) -> None:
    least, most = wanted
    if not least <= len(paths) <= most:
        said = str(least) if least == most else f"{least} or {most}"
        files = "file" if said == "1" else "files"
        raise CalibrationError(f"{name} takes {said} {files}, {len(paths)} given.", "See `livestereo convert --help`.")
