"""Makes a take whole after a crash by writing its manifest anew from what is there.

Streams and stamps are never touched: a repair only writes down how far they can be trusted.
"""

from __future__ import annotations

from pathlib import Path

from livestereo.errors import TakeError
from livestereo.takes import manifest as m
from livestereo.takes.index import Index, read_index
from livestereo.takes.verify import Advance, ScannedStream, VerifyReport, scan, verify
from livestereo.takes.writer import DISPARITY_OFFSET


def repair(folder: Path, advance: Advance = lambda _n: None) -> VerifyReport:
    """Rebuild the manifest from what is there and check again; streams and stamps stay as they are.

    The take is cut (in the manifest only) behind the last pair whose pictures are both there and undamaged, and
    depth likewise. A manifest that cannot be read is made anew.

    Raises:
        TakeError: not a take, a newer version, or nothing can be saved.
    """
    manifest = _readable_manifest(folder)
    index = read_index(folder)
    streams = {
        name: scan(folder, name, file, None, advance)
        for name, file in (("left", m.LEFT), ("right", m.RIGHT), ("disparity", m.DISPARITY))
        if (folder / file).is_file()
    }
    raw: dict[str, ScannedStream] = {
        name: streams[name] for name in ("left", "right") if name in streams and streams[name].opens
    }
    before = len(index.pairs) if manifest.state == "recording" else manifest.pairs
    pairs = _good_pairs(index, raw)
    manifest.pairs = pairs
    for name in ("left", "right"):
        setattr(manifest, name, _entry(getattr(manifest, name), raw.get(name), pairs))
    kept = [d for d in index.depths if d.depth is not None and d.pair < pairs]
    disparity = streams.get("disparity")
    depths = 0
    if disparity is not None and disparity.opens:
        for entry, got in zip(kept, disparity.checksums):
            if entry.crc is not None and entry.crc != got:
                break
            depths += 1
    manifest.depth_pairs = depths
    manifest.disparity = _entry(manifest.disparity, disparity, depths)
    manifest.preview = m.PREVIEW if (folder / m.PREVIEW).is_file() else None
    manifest.lost = dict(index.lost)
    manifest.gaps = len(index.gaps)
    manifest.thinned = sum(d.depth is None for d in index.depths)
    if before > pairs:
        manifest.lost["crash"] = manifest.lost.get("crash", 0) + before - pairs
    manifest.captured = pairs + sum(manifest.lost.values())
    manifest.index_sha256 = None
    manifest.state = "repaired"
    manifest.repair = {"pairs_before": before, "pairs": pairs, "depth_pairs": depths}
    if pairs == 0 and depths == 0:
        raise TakeError(f"Nothing of {folder} can be saved: no whole pair is in it.", "Record again.")
    m.save_manifest(folder, manifest)
    report = verify(folder, advance)
    report.repaired = True
    if before > pairs:
        report.notes.append(f"{before - pairs} pairs at the end were not whole and are left out.")
    return report


def _readable_manifest(folder: Path) -> m.Manifest:
    try:
        return m.load_manifest(folder)
    except TakeError as error:
        if "newer" in error.what or not (folder / m.INDEX).is_file():
            raise
        return m.Manifest(disparity_offset=DISPARITY_OFFSET)


def _good_pairs(index: Index, raw: dict[str, ScannedStream]) -> int:
    """Count pairs from the start that have both raw pictures, bytes as written (a take without raw: all)."""
    good = 0
    for entry in index.pairs:
        for name, stream in raw.items():
            want = entry.left_crc if name == "left" else entry.right_crc
            if want is None:
                continue
            if good >= len(stream.checksums) or stream.checksums[good] != want or good in stream.undecodable:
                return good
        good += 1
    return good


def _entry(old: m.StreamEntry | None, found: ScannedStream | None, frames: int) -> m.StreamEntry | None:
    if found is None or not found.opens or frames == 0:
        return None
    codec = found.codec if found.codec in ("mjpeg", "ffv1", "h264") else "ffv1"
    base = {"file": found.file, "codec": codec, "lossless": codec != "h264", "width": found.size_wh[0],
            "height": found.size_wh[1]}  # fmt: skip
    if old is not None:
        base = {**base, "flip": old.flip}
    return m.StreamEntry.model_validate({**base, "frames": frames, "bytes": found.bytes, "sha256": None})
