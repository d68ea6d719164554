"""Makes a take whole after a crash or a damage by writing its manifest anew from what is there.

Streams and stamps are never touched: a repair only writes down how far they can be trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calibration.errors import CalibrationError
from livestereo.errors import TakeError
from livestereo.takes import manifest as m
from livestereo.takes.index import Index, PairEntry, read_index
from livestereo.takes.verify import Advance, ScannedStream, VerifyReport, broken_film, scan, verify
from livestereo.takes.writer import DISPARITY_OFFSET
from livestereo.wording import counted

# What a repair counts: lost at the end of a take that was not closed, and found damaged in one that was.
CRASH, DAMAGED = "crash", "damaged"


def repair(folder: Path, advance: Advance = lambda _n: None) -> VerifyReport:
    """Rebuild the manifest from what is there and check again; streams and stamps stay as they are.

    Pairs are used whose stamps and pictures are there and undamaged; others are left out and counted, those in the
    middle by number. Depth likewise. A manifest that cannot be read is made anew from the index.

    Raises:
        TakeError: not a take, a newer version, nothing can be saved, or the manifest cannot be written.
    """
    index = read_index(folder) if (folder / m.INDEX).is_file() else Index()
    manifest, readable = _manifest(folder, index)
    if readable and manifest.state != "recording":
        report = verify(folder, advance)
        if report.ok:
            report.notes.append("Nothing is wrong with it: nothing was changed.")
            return report
    index = read_index(folder)
    crashed = manifest.state == "recording"
    streams = {
        name: found
        for name, file in (("left", m.LEFT), ("right", m.RIGHT), ("disparity", m.DISPARITY))
        if (folder / file).is_file() and (found := scan(folder, name, file, None, advance)).opens
    }
    entries = {entry.pair: entry for entry in index.pairs}
    ends = max(entries, default=-1) + 1
    before = ends if crashed else max(ends, manifest.frames)
    good = _good_pairs(entries, streams)
    frames = max(good, default=-1) + 1
    notes = _notes(folder, manifest, streams)
    depth_good = _good_depth(index, streams.get("disparity"), good)
    depth_frames = max(depth_good, default=-1) + 1

    manifest.pairs = len(good)
    manifest.left_out = [number for number in range(frames) if number not in good]
    manifest.left = _entry(manifest.left, streams.get("left"), frames)
    manifest.right = _entry(manifest.right, streams.get("right"), frames)
    manifest.disparity = _entry(manifest.disparity, streams.get("disparity"), depth_frames)
    manifest.depth_pairs = len(depth_good)
    manifest.depth_left_out = [number for number in range(depth_frames) if number not in depth_good]
    manifest.thinned = manifest.pairs - manifest.depth_pairs if index.depths else 0
    manifest.preview = m.PREVIEW if broken_film(folder / m.PREVIEW) is None else None
    manifest.gaps = len(index.gaps)
    told = index.lost if crashed or not readable else manifest.lost
    lost = {cause: count for cause, count in told.items() if cause not in (CRASH, DAMAGED)}
    for cause, count in ((CRASH if crashed else DAMAGED, before - frames), (DAMAGED, len(manifest.left_out))):
        if count:
            lost[cause] = lost.get(cause, 0) + count
    manifest.lost = lost
    manifest.captured = manifest.pairs + sum(lost.values())
    manifest.index_sha256 = None
    manifest.rig_sha256 = m.file_hash(folder / m.RIG) if (folder / m.RIG).is_file() else None
    manifest.state = "repaired"
    manifest.depth_bitexact = None
    manifest.repair = {"pairs_before": before, "pairs": manifest.pairs, "depth_pairs": manifest.depth_pairs}
    if not manifest.pairs:
        raise TakeError(f"Nothing of {folder} can be saved: no whole pair is in it.", "Record again.")
    try:
        m.save_manifest(folder, manifest)
    except CalibrationError as error:
        raise TakeError(error.what, "Copy the take to where you may write, and repair the copy.") from error
    report = verify(folder, advance)
    report.repaired = True
    report.notes += notes
    if before > frames:
        report.notes.append(f"Not whole, and left out at the end: {counted(before - frames, 'pair')}.")
    if manifest.left_out:
        report.notes.append(f"Left out: {counted(len(manifest.left_out), 'damaged pair')}.")
    return report


def _manifest(folder: Path, index: Index) -> tuple[m.Manifest, bool]:
    """Give the manifest and whether it could be read; else one from what the index tells of the take."""
    try:
        return m.load_manifest(folder), True
    except TakeError as error:
        if "newer" in error.what or not (folder / m.INDEX).is_file():
            raise
    told: dict[str, Any] = {"disparity_offset": DISPARITY_OFFSET, **index.take}
    if index.settings:
        told["settings"] = index.settings[0][1]
    try:
        return m.Manifest.model_validate(told), False
    except ValueError:
        return m.Manifest(disparity_offset=DISPARITY_OFFSET), False


def _good_pairs(entries: dict[int, PairEntry], streams: dict[str, ScannedStream]) -> set[int]:
    """Give the pairs whose pictures are as they were written, in each raw stream that is there."""
    good = set(entries)
    for name in ("left", "right"):
        if name not in streams:
            continue
        found = streams[name]
        bad = set(found.undecodable)
        for number, entry in entries.items():
            want = entry.left_crc if name == "left" else entry.right_crc
            there = number < len(found.checksums) and number not in bad
            if want is not None and not (there and found.checksums[number] == want):
                good.discard(number)
    return good


def _good_depth(index: Index, found: ScannedStream | None, good: set[int]) -> set[int]:
    """Give the places in the disparity stream whose pictures are as they were written, of good pairs."""
    if found is None:
        return set()
    bad = set(found.undecodable)
    return {
        d.depth for d in index.depths
        if d.depth is not None and d.pair in good and d.depth < len(found.checksums) and d.depth not in bad
        and d.crc in (None, found.checksums[d.depth])
    }  # fmt: skip


def _notes(folder: Path, manifest: m.Manifest, streams: dict[str, ScannedStream]) -> list[str]:
    """Say what a take that is repaired will have to do without."""
    told = []
    for name, entry in (("left", manifest.left), ("right", manifest.right), ("disparity", manifest.disparity)):
        if entry is not None and name not in streams:
            told.append(f"{entry.file} is missing or cannot be opened: the take goes on without it.")
    rig = folder / m.RIG
    if manifest.rig_sha256 is not None:
        if not rig.is_file():
            told.append(f"{m.RIG} is missing: depth is computed as without a rig.")
        elif m.file_hash(rig) != manifest.rig_sha256:
            told.append(f"{m.RIG} is not the one of the recording: it is taken as it is.")
    return told


def _entry(old: m.StreamEntry | None, found: ScannedStream | None, frames: int) -> m.StreamEntry | None:
    if found is None or frames == 0:
        return None
    codec = found.codec if found.codec in ("mjpeg", "ffv1", "h264") else "ffv1"
    base = {"file": found.file, "codec": codec, "lossless": codec != "h264", "width": found.size_wh[0],
            "height": found.size_wh[1]}  # fmt: skip
    if old is not None:
        base = {**base, "flip": old.flip}
    return m.StreamEntry.model_validate({**base, "frames": frames, "bytes": found.bytes, "sha256": None})
