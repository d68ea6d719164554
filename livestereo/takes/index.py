"""`frames.jsonl`: one line for each pair, each depth picture and each gap, flushed as it is written.

    {"take": {…}}                                 what the manifest says too, should that be lost; later, what was found
    {"pair": 0, "seq": 17, "left_us": 0, "right_us": 412, "skew_us": 412, "pts_ms": 0, "left_crc": …, "right_crc": …}
    {"depth": 0, "pair": 0, "crc": "…"}          a disparity picture; "depth": null: computed but not kept (thinned)
                                                 "fresh": true: filters that remember had forgotten all before it
    {"gap": "camera", "after_pair": 41, "seconds": 3.1}
    {"settings": {…}, "from_pair": 0}             depth from this pair on was computed with these settings
    {"lost": "queue", "seq": 99}                  a pair that was captured and not written

Stamps are whole microseconds since the first pair of the take; `t0_us` of the first line is the monotonic clock.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from livestereo.errors import TakeError
from livestereo.takes.manifest import INDEX

# More than three days at 30 pairs per second: a larger number is a damaged line.
_MOST = 10_000_000
_NUMBERS = ("pair", "seq", "left_us", "right_us", "skew_us", "pts_ms")


def checksum(payload: bytes) -> str:
    """CRC-32 of a frame's payload, eight hex digits."""
    return f"{zlib.crc32(payload):08x}"


@dataclass(frozen=True)
class PairEntry:
    """One recorded pair; stamps in whole microseconds since the take's first pair."""

    pair: int
    seq: int
    left_us: int
    right_us: int
    skew_us: int
    pts_ms: int
    name: str = ""
    gap: str | None = None
    left_crc: str | None = None
    right_crc: str | None = None


@dataclass(frozen=True)
class DepthEntry:
    """One disparity picture: its place in the stream (None: computed but thinned) and the pair it belongs to."""

    depth: int | None
    pair: int
    crc: str | None = None
    fresh: bool = False


@dataclass(frozen=True)
class GapEntry:
    """A stretch without pairs, and why."""

    cause: str
    after_pair: int
    seconds: float


@dataclass
class Index:
    """All of `frames.jsonl` that can be read. `broken`: lines that are not whole (the last one, after a crash).

    lines: how many there are. take: what the manifest says too.
    """

    pairs: list[PairEntry] = field(default_factory=list)
    depths: list[DepthEntry] = field(default_factory=list)
    gaps: list[GapEntry] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    broken: list[int] = field(default_factory=list)
    settings: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    take: dict[str, Any] = field(default_factory=dict)
    lines: int = 0


class IndexWriter:
    """Append lines; every line is in the file before the call returns."""

    def __init__(self, folder: Path) -> None:
        self._file: TextIO = open(folder / INDEX, "x", encoding="utf-8", buffering=1)  # noqa: SIM115  (closed in close)

    def write(self, entry: dict[str, Any]) -> None:
        """Add one line; keys whose value is None, and empty names, are left out (but not `depth`)."""
        kept = {k: v for k, v in entry.items() if (v is not None and v != "") or k == "depth"}
        self._file.write(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()


def read_index(folder: Path) -> Index:
    """Read `frames.jsonl`, passing over lines that are not whole.

    Raises:
        TakeError: there is none.
    """
    path = folder / INDEX
    if not path.is_file():
        raise TakeError(f"{folder} has no {INDEX}: its stamps are lost.", "Nothing can rebuild exact stamps.")
    index = Index()
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            index.lines = number
            if not _read_line(line, index):
                index.broken.append(number)
    return index


def _depth(entry: dict[str, Any]) -> DepthEntry:
    number = entry["depth"]
    kept = None if number is None else int(number)
    if kept is not None and not 0 <= kept < _MOST:
        raise ValueError("no place in a stream")
    return DepthEntry(kept, int(entry["pair"]), entry.get("crc"), bool(entry.get("fresh", False)))


def _read_line(line: str, index: Index) -> bool:
    try:
        entry = json.loads(line)
        if "take" in entry:
            index.take.update(entry["take"])
        elif "settings" in entry:
            index.settings.append((int(entry["from_pair"]), dict(entry["settings"])))
        elif "depth" in entry:
            index.depths.append(_depth(entry))
        elif "pair" in entry:
            pair, seq, left_us, right_us, skew_us, pts_ms = (int(entry[key]) for key in _NUMBERS)
            if not 0 <= pair < _MOST:
                return False
            gap, left_crc, right_crc = (entry.get(key) for key in ("gap", "left_crc", "right_crc"))
            name = str(entry.get("name", ""))
            index.pairs.append(PairEntry(pair, seq, left_us, right_us, skew_us, pts_ms, name, gap, left_crc, right_crc))
        elif "gap" in entry:
            index.gaps.append(GapEntry(str(entry["gap"]), int(entry["after_pair"]), float(entry["seconds"])))
        elif "lost" in entry:
            cause = str(entry["lost"])
            index.lost[cause] = index.lost.get(cause, 0) + int(entry.get("pairs", 1))
        else:
            return False
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return True
