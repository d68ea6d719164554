"""Proves that a take is whole, or names what is missing and damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from livestereo.codecs import StreamReader
from livestereo.errors import LiveStereoError
from livestereo.takes import manifest as m
from livestereo.takes.index import PairEntry, checksum, read_index

# Of long lists of damaged frames only so many are named; the rest are counted.
NAMED = 20
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Missing:
    """Something that should be there and is not; `frames`: how many."""

    what: str
    frames: int


@dataclass(frozen=True)
class Corrupt:
    """Damaged frames of one stream: their numbers (the first of them) and how many there are."""

    what: str
    frames: int
    numbers: tuple[int, ...]
    why: str


@dataclass(frozen=True)
class Gap:
    """A stretch without pairs in the recording, and its cause."""

    after_pair: int
    seconds: float
    cause: str


@dataclass
class VerifyReport:
    """The answer of `verify`; `ok` means that everything that the manifest promises is there and undamaged."""

    pairs: int
    ok: bool
    missing: list[Missing] = field(default_factory=list)
    corrupt: list[Corrupt] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    depth_bitexact: bool | None = None
    state: str = ""
    captured: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    depth_pairs: int = 0
    thinned: int = 0
    notes: list[str] = field(default_factory=list)
    repaired: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give what `verify --json` prints."""
        return asdict(self)


@dataclass
class ScannedStream:
    """What was found in one stream: checksum and decodability of each frame."""

    name: str
    file: str
    codec: str = ""
    size_wh: tuple[int, int] = (0, 0)
    checksums: list[str] = field(default_factory=list)
    undecodable: list[int] = field(default_factory=list)
    sha256: str = ""
    bytes: int = 0
    opens: bool = False


def scan(folder: Path, name: str, file: str, limit: int | None, advance: Advance) -> ScannedStream:
    """Read a stream whole (up to `limit` frames): checksums of its payloads, and what does not decode."""
    found = ScannedStream(name, file)
    try:
        with StreamReader(folder / file) as reader:
            found.codec, found.size_wh, found.opens = reader.codec, reader.size_wh, True
            digest = hashlib.sha256()
            for number, payload in enumerate(reader.packets()):
                if limit is not None and number >= limit:
                    break
                digest.update(payload)
                found.bytes += len(payload)
                found.checksums.append(checksum(payload))
            found.sha256 = digest.hexdigest()
        with StreamReader(folder / file) as reader:
            for number, (_, picture) in enumerate(reader.frames()):
                if limit is not None and number >= limit:
                    break
                if picture is None:
                    found.undecodable.append(number)
                advance(1)
    except LiveStereoError:
        found.opens = False
    return found


def verify(folder: Path, advance: Advance = lambda _n: None) -> VerifyReport:
    """Check manifest, counts, hashes, stamps, gaps and that every frame decodes.

    Raises:
        TakeError: not a take, a take of a newer version, a manifest with wrong fields, no stamps at all.
    """
    manifest = m.load_manifest(folder)
    index = read_index(folder)
    report = VerifyReport(
        pairs=manifest.pairs, ok=True, depth_bitexact=manifest.depth_bitexact, state=manifest.state,
        captured=manifest.captured, lost=dict(manifest.lost), depth_pairs=manifest.depth_pairs,
        thinned=manifest.thinned, gaps=[Gap(g.after_pair, g.seconds, g.cause) for g in index.gaps],
    )  # fmt: skip
    closed = manifest.state != "recording"
    if not closed:
        report.pairs = len(index.pairs)
        report.depth_pairs = sum(d.depth is not None for d in index.depths)
        report.lost = dict(index.lost)
        report.notes.append("The recording was not closed: the program was killed or the computer stopped.")
    elif manifest.index_sha256 not in (None, hashlib.sha256((folder / m.INDEX).read_bytes()).hexdigest()):
        report.corrupt.append(Corrupt(m.INDEX, 1, (), "changed since the recording was closed"))
    pairs = index.pairs[: report.pairs]
    if len(pairs) < report.pairs:
        report.missing.append(Missing(f"{m.INDEX}: lines of pairs", report.pairs - len(pairs)))
    _check_stamps(pairs, report)
    if index.broken and not (index.broken == [_lines(folder)] and manifest.state != "complete"):
        report.corrupt.append(Corrupt(m.INDEX, len(index.broken), tuple(index.broken[:NAMED]), "lines cannot be read"))
    for name, entry in (("left", manifest.left), ("right", manifest.right)):
        if entry is not None:
            expected = [p.left_crc if name == "left" else p.right_crc for p in pairs]
            _check_stream(folder, name, entry, expected, report, closed, advance)
    if manifest.disparity is not None:
        kept = [d for d in index.depths if d.depth is not None and d.pair < report.pairs]
        _check_stream(folder, "disparity", manifest.disparity, [d.crc for d in kept], report, closed, advance)
    if manifest.preview is not None and not (folder / manifest.preview).is_file():
        report.missing.append(Missing(manifest.preview, 1))
    if closed and manifest.state == "complete" and manifest.captured != manifest.pairs + sum(manifest.lost.values()):
        report.corrupt.append(Corrupt(m.MANIFEST, 1, (), "captured pairs are not written + lost"))
    report.ok = closed and not report.missing and not report.corrupt
    return report


def _lines(folder: Path) -> int:
    with open(folder / m.INDEX, "rb") as file:
        return sum(1 for _ in file)


def _check_stamps(pairs: list[PairEntry], report: VerifyReport) -> None:
    backward = [p.pair for before, p in pairwise(pairs) if p.left_us < before.left_us or p.pair != before.pair + 1]
    if backward:
        report.corrupt.append(Corrupt(m.INDEX, len(backward), tuple(backward[:NAMED]), "stamps or numbers go back"))


def _check_stream(
    folder: Path, name: str, entry: m.StreamEntry, expected: list[str | None], report: VerifyReport, closed: bool,
    advance: Advance,
) -> None:  # fmt: skip
    if not (folder / entry.file).is_file():
        report.missing.append(Missing(entry.file, len(expected)))
        return
    found = scan(folder, name, entry.file, len(expected) if closed else None, advance)
    if not found.opens:
        report.corrupt.append(Corrupt(entry.file, len(expected), (), "cannot be opened"))
        return
    if len(found.checksums) < len(expected):
        report.missing.append(Missing(f"{entry.file}: frames at the end", len(expected) - len(found.checksums)))
    changed = [i for i, (want, got) in enumerate(zip(expected, found.checksums)) if want is not None and want != got]
    if changed:
        report.corrupt.append(
            Corrupt(entry.file, len(changed), tuple(changed[:NAMED]), "bytes differ from the recording")
        )
    bad = [i for i in found.undecodable if i < len(expected) and i not in set(changed)]
    if bad:
        report.corrupt.append(Corrupt(entry.file, len(bad), tuple(bad[:NAMED]), "cannot be decoded"))
    whole = len(found.checksums) == len(expected) and not changed
    if closed and whole and entry.sha256 is not None and found.sha256 != entry.sha256:
        report.corrupt.append(Corrupt(entry.file, len(expected), (), "the hash of the whole stream differs"))
