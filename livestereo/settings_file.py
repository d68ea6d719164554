"""The settings file, `livestereo.toml`: settings at the top, presets of one's own in tables.

num_disparities = 128

[presets.desk]
base = "quality"
min_depth = 0.3
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calibration.errors import CalibrationError
from calibration.files import write_atomically
from livestereo.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class SettingsFile:
    """What a settings file says: `settings` at its top, `presets` by name; not yet checked."""

    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_settings_file(path: Path | None) -> SettingsFile:
    """Read a settings file; None gives an empty one.

    Raises:
        SettingsError: it is not there, cannot be read, or is not TOML of this form.
    """
    if path is None:
        return SettingsFile()
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {path}.", "Check the path after --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error
    presets = whole.pop("presets", {})
    if not isinstance(presets, dict) or not all(isinstance(table, dict) for table in presets.values()):
        raise SettingsError(f"{path}: presets must be tables.", 'Write [presets.NAME] and below it `mode = "hh"`, say.')
    return SettingsFile(path, whole, presets)


def save_preset(path: Path, name: str, values: Mapping[str, Any]) -> None:
    """Write `values` as `[presets.name]` into the file, beside what stands there; one of that name is replaced.

    Raises:
        SettingsError: the name cannot stand in the file, the file cannot be read or written, or it has its presets in
            another form, so that this one cannot be added.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise SettingsError(f"{name!r} cannot name a preset.", "Use letters, digits, - and _.")
    before = read_settings_file(path) if path.exists() else SettingsFile()
    values = {key: value for key, value in values.items() if value is not None}
    start = _without_table(path.read_text(encoding="utf-8") if path.exists() else "", name)
    body = [f"[presets.{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    text = (start + "\n\n" if start else "") + "\n".join(body) + "\n"
    try:  # what is written must be what will be read
        told = tomllib.loads(text) == {**before.settings, "presets": {**before.presets, name: values}}
    except tomllib.TOMLDecodeError:
        told = False
    if not told:
        raise SettingsError(
            f"{path} has its presets in another form than [presets.{name}], which cannot be replaced here.",
            "Save under another name, or into another file with --config.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, text)
    except CalibrationError as error:
        raise SettingsError(error.what, error.fix) from error


def _without_table(text: str, name: str) -> str:
    """Take the table of a preset out of TOML text; comments that stand before the next table belong to that one."""
    kept: list[str] = []
    taken: list[str] | None = None
    for line in text.splitlines():
        header = _table(line)
        if header is not None:
            kept += [] if taken is None else _last_comment(taken)
            taken = [] if header == {"presets": {name: {}}} else None
        if taken is None:
            kept.append(line)
        else:
            taken.append(line)
    return "\n".join([*kept, *([] if taken is None else _last_comment(taken))]).strip("\n")


def _table(line: str) -> dict[str, Any] | None:
    """Give the empty table that a line begins, None if it begins none."""
    if not line.lstrip().startswith("["):
        return None
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None


def _last_comment(lines: list[str]) -> list[str]:
    """Give the comments and empty lines at the end."""
    told = [number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    return lines[told[-1] + 1 :]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML's basic strings share JSON's escapes
    return repr(value)
