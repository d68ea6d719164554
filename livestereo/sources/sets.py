"""Two sets of picture files, paired by their number in natural order. Pure, but for the listing of a folder."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from livestereo.errors import SourceError

Key = tuple[int | str, ...]


@dataclass(frozen=True)
class PairedSets:
    """pairs: (left, right) in natural order. left_only, right_only: files without a partner. note: how, if unusual."""

    pairs: tuple[tuple[Path, Path], ...]
    left_only: tuple[Path, ...] = ()
    right_only: tuple[Path, ...] = ()
    note: str = ""


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which 2 comes before 10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in _tokens(text))


def _tokens(text: str) -> list[str]:
    return [part for part in re.split(r"([0-9]+)", text) if part]


def expand(pattern: str) -> list[Path]:
    """Files that match, in natural order. Besides * ? [ ] and **, a printf number such as %03d is understood.

    Raises:
        SourceError: none does.
    """
    wild = re.sub(r"%\d*d", "[0-9]*", pattern)
    number_only = _regex(pattern)
    found = [Path(name) for name in glob.glob(os.path.expanduser(wild), recursive=True)]
    found = [path for path in found if path.is_file() and (number_only is None or number_only.fullmatch(path.name))]
    if not found:
        raise SourceError(f"No file matches {pattern}.", "Check the folder and the pattern.")
    return sorted(found, key=lambda path: natural_key(str(path)))


def _regex(pattern: str) -> re.Pattern[str] | None:
    """For a printf number, what the file's name must be; None for other patterns."""
    name = os.path.basename(pattern)
    if not re.search(r"%\d*d", name):
        return None
    parts = re.split(r"%\d*d", name)
    return re.compile("[0-9]+".join(fnmatch.translate(part).removesuffix(r"\Z").removesuffix(r"\z") for part in parts))


def wild_text(pattern: str, path: Path) -> str:
    """What the wildcards of a pattern stand for in a path: `01` of left01.png for left*.png.

    Common text before the first wildcard and after the last one is cut away.
    """
    text = str(path)
    first = re.search(r"[*?\[]|%\d*d", pattern)
    if first is None:
        return path.stem
    ends = [m.end() for m in re.finditer(r"[*?\]]|%\d*d", pattern)]
    # `**/` may stand for nothing at all, so count from the file name where the folder is wild.
    head = len(str(Path(pattern[: first.start()] + "x"))) - 1
    tail = len(pattern) - ends[-1]
    if pattern.startswith("~"):
        head += len(os.path.expanduser("~")) - 1
    return text[head : len(text) - tail if tail else None]


def pair_sets(left: Sequence[tuple[str, Path]], right: Sequence[tuple[str, Path]]) -> PairedSets:
    """Pair two sets of (wild text, path).

    The whole wild text counts first, numbers by value (`1` equals `01`); where no text occurs on both sides,
    the numbers in it do; then the last number. Two sets without numbers are paired in natural order.

    Raises:
        SourceError: nothing pairs.
    """
    for make in (_by_text, _by_numbers, _by_last_number):
        left_keys, right_keys = make([text for text, _ in left]), make([text for text, _ in right])
        if left_keys is None or right_keys is None or not set(left_keys) & set(right_keys):
            continue
        lefts = dict(zip(left_keys, (path for _, path in left)))
        rights = dict(zip(right_keys, (path for _, path in right)))
        return _match(lefts, rights)
    numbered = any(re.search(r"\d", text) for text, _ in (*left, *right))
    if len(left) == len(right) and not numbered:
        pairs = tuple((a, b) for (_, a), (_, b) in zip(left, right))
        return PairedSets(pairs, note="The pictures have no numbers: they are paired in natural order.")
    raise SourceError(
        f"None of the {len(left)} left and {len(right)} right pictures have a number in common "
        f"(left: {_names([p for _, p in left], 3)}; right: {_names([p for _, p in right], 3)}).",
        "A pair needs the same number on both sides, such as left01.png and right01.png.",
    )


def _match(lefts: Mapping[Key, Path], rights: Mapping[Key, Path]) -> PairedSets:
    return PairedSets(
        tuple((path, rights[key]) for key, path in lefts.items() if key in rights),
        tuple(path for key, path in lefts.items() if key not in rights),
        tuple(path for key, path in rights.items() if key not in lefts),
    )


def _unique(keys: list[Key]) -> list[Key] | None:
    return keys if len(set(keys)) == len(keys) else None


def _by_text(texts: Sequence[str]) -> list[Key] | None:
    return _unique([tuple(int(part) if part.isdigit() else part for part in _tokens(text)) for text in texts])


def _by_numbers(texts: Sequence[str]) -> list[Key] | None:
    """All numbers, less those that are the same in a whole set (a camera's number, a date)."""
    rows = [tuple(int(number) for number in re.findall(r"\d+", text)) for text in texts]
    if any(len(row) != len(rows[0]) or not row for row in rows):
        return None
    if len(rows) > 1:
        vary = [len(set(column)) > 1 for column in zip(*rows)]
        rows = [tuple(number for number, keep in zip(row, vary) if keep) for row in rows]
    return _unique([tuple(row) for row in rows])


def _by_last_number(texts: Sequence[str]) -> list[Key] | None:
    rows = [re.findall(r"\d+", text)[-1:] for text in texts]
    return _unique([(int(row[0]),) for row in rows]) if all(rows) else None


def _names(paths: Sequence[Path], limit: int) -> str:
    text = ", ".join(path.name for path in paths[:limit])
    return f"{text} and {len(paths) - limit} more" if len(paths) > limit else text


def missing_text(sets: PairedSets, limit: int = 20) -> str:
    """Say which pictures have no partner."""
    parts = []
    if sets.left_only:
        parts.append(f"no right picture for {_names(sets.left_only, limit)}")
    if sets.right_only:
        parts.append(f"no left picture for {_names(sets.right_only, limit)}")
    text = "; ".join(parts)
    return f"Pictures are missing on one side: {text}." if text else ""
