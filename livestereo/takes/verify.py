"""Proves that a take is whole, or names what is missing and damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from livestereo.codecs import StreamReader
from livestereo.errors import LiveStereoError
from livestereo.takes import manifest as m
from livestereo.takes.index import Index, PairEntry, checksum, read_index
from livestereo.wording import counted

# Of long lists of damaged frames only so many are named; the rest are counted.
NAMED = 20
# A jump of the stamps that is longer than this, and than five periods, is a gap, told or not.
UNTOLD_S = 0.5
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Missing:
    """Something that should be there and is not; `frames`: how many, `numbers`: the first of them."""

    what: str
    frames: int
    numbers: tuple[int, ...] = ()


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
    """The answer of `verify`; `ok` means that everything that the manifest promises is there and undamaged.

    left_out: pairs that a repair found damaged and left out.
    """

    pairs: int
    ok: bool
    missing: list[Missing] = field(default_factory=list)
    corrupt: list[Corrupt] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    depth_bitexact: bool | None = None
    left_out: list[int] = field(default_factory=list)
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
        thinned=manifest.thinned, left_out=list(manifest.left_out),
    )  # fmt: skip
    closed = manifest.state != "recording"
    if closed:
        _check_manifest(folder, manifest, index, report)
    else:
        report.pairs = len(index.pairs)
        report.depth_pairs = sum(d.depth is not None for d in index.depths)
        report.lost = dict(index.lost)
        report.captured = report.pairs + sum(index.lost.values())
        report.notes.append("The recording was not closed: the program was killed or the computer stopped.")
    entries = {entry.pair: entry for entry in index.pairs}
    frames = manifest.frames if closed else max(entries, default=-1) + 1
    left_out = set(manifest.left_out)
    unstamped = [number for number in range(frames) if number not in entries and number not in left_out]
    if unstamped:
        report.missing.append(Missing(f"{m.INDEX}: lines of pairs", len(unstamped), tuple(unstamped[:NAMED])))
    inside = [entry for entry in index.pairs if entry.pair < frames]
    _check_stamps(inside, report)
    report.gaps = find_gaps(inside, index, manifest.fps)
    if index.broken and not (index.broken == [index.lines] and manifest.state != "complete"):
        report.corrupt.append(Corrupt(m.INDEX, len(index.broken), tuple(index.broken[:NAMED]), "lines cannot be read"))
    for name, entry in (("left", manifest.left), ("right", manifest.right)):
        if entry is not None:
            crcs = {e.pair: e.left_crc if name == "left" else e.right_crc for e in inside if e.pair not in left_out}
            _check_stream(folder, name, entry, frames, crcs, left_out, report, closed, advance)
    if manifest.disparity is not None:
        bad = set(manifest.depth_left_out)
        count = manifest.disparity.frames if closed else report.depth_pairs
        kept = {d.depth: d.crc for d in index.depths if d.depth is not None and d.depth < count and d.depth not in bad}
        _check_stream(folder, "disparity", manifest.disparity, count, kept, bad, report, closed, advance)
    _check_beside(folder, manifest, report)
    report.ok = closed and not report.missing and not report.corrupt
    return report


def find_gaps(pairs: list[PairEntry], index: Index, fps: float) -> list[Gap]:
    """Give the stretches without pairs: those that were told while it was recorded, and jumps of the stamps."""
    told = [Gap(g.after_pair, g.seconds, g.cause) for g in index.gaps]
    known = {gap.after_pair for gap in told}
    longest_s = max(UNTOLD_S, 5 / fps)
    for before, after in pairwise(pairs):
        seconds = (after.left_us - before.left_us) / 1e6
        if seconds > longest_s and before.pair not in known and after.pair == before.pair + 1:
            cause = "pairs were lost" if after.seq > before.seq + 1 else "no pair came"
            told.append(Gap(before.pair, seconds, cause))
    return sorted(told, key=lambda gap: gap.after_pair)


def _check_manifest(folder: Path, manifest: m.Manifest, index: Index, report: VerifyReport) -> None:
    if m.was_edited(folder):
        report.corrupt.append(Corrupt(m.MANIFEST, 1, (), "changed since it was saved"))
    if manifest.index_sha256 not in (None, m.file_hash(folder / m.INDEX)):
        report.corrupt.append(Corrupt(m.INDEX, 1, (), "changed since the recording was closed"))
    if manifest.captured != manifest.pairs + sum(manifest.lost.values()):
        report.corrupt.append(Corrupt(m.MANIFEST, 1, (), "captured pairs are not written + lost"))
    counted = sum(d.depth is not None for d in index.depths)
    if manifest.state == "complete" and manifest.depth_pairs > counted:
        report.missing.append(Missing(f"{m.INDEX}: lines of depth", manifest.depth_pairs - counted))


def _check_beside(folder: Path, manifest: m.Manifest, report: VerifyReport) -> None:
    """Check the rig and the film for people."""
    rig = folder / m.RIG
    if manifest.rig_sha256 is not None and not rig.is_file():
        report.missing.append(Missing(m.RIG, 1))
    elif manifest.rig_sha256 is not None and m.file_hash(rig) != manifest.rig_sha256:
        report.corrupt.append(Corrupt(m.RIG, 1, (), "changed since the recording"))
    if manifest.preview is None:
        return
    if not (folder / manifest.preview).is_file():
        report.missing.append(Missing(manifest.preview, 1))
    elif (why := broken_film(folder / manifest.preview)) is not None and manifest.state == "complete":
        report.corrupt.append(Corrupt(manifest.preview, 1, (), why))


def broken_film(path: Path) -> str | None:
    """Say what is wrong with a film; None when all of it decodes."""
    try:
        with StreamReader(path) as reader:
            bad = sum(picture is None for _, picture in reader.frames())
    except LiveStereoError:
        return "cannot be opened"
    return f"has {counted(bad, 'picture')} that cannot be decoded" if bad else None


def _check_stamps(pairs: list[PairEntry], report: VerifyReport) -> None:
    backward = [p.pair for before, p in pairwise(pairs) if p.left_us < before.left_us or p.pair <= before.pair]
    if backward:
        report.corrupt.append(Corrupt(m.INDEX, len(backward), tuple(backward[:NAMED]), "stamps or numbers go back"))


def _check_stream(
    folder: Path, name: str, entry: m.StreamEntry, count: int, crcs: Mapping[int, str | None], left_out: set[int],
    report: VerifyReport, closed: bool, advance: Advance,
) -> None:  # fmt: skip
    """Compare `count` frames of a stream with the checksums of the index, by number; those left out may be anything."""
    if not (folder / entry.file).is_file():
        report.missing.append(Missing(entry.file, count))
        return
    found = scan(folder, name, entry.file, count if closed else None, advance)
    if not found.opens:
        report.corrupt.append(Corrupt(entry.file, count, (), "cannot be opened"))
        return
    there = len(found.checksums)
    if there < count:
        report.missing.append(Missing(f"{entry.file}: frames at the end", count - there))
    changed = [i for i, want in sorted(crcs.items()) if i < there and want not in (None, found.checksums[i])]
    if changed:
        why = "bytes differ from the recording"
        report.corrupt.append(Corrupt(entry.file, len(changed), tuple(changed[:NAMED]), why))
    named = {*changed, *left_out}
    bad = [i for i in found.undecodable if i < count and i not in named]
    if bad:
        report.corrupt.append(Corrupt(entry.file, len(bad), tuple(bad[:NAMED]), "cannot be decoded"))
    whole = there == count and not changed
    if closed and whole and entry.sha256 is not None and found.sha256 != entry.sha256:
        report.corrupt.append(Corrupt(entry.file, count, (), "the hash of the whole stream differs"))
