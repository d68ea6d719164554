"""Writes the files of one take: streams, stamps, manifest. No threads here; the recorder calls it from its own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from calibration.rigfile import RigFile, save_rig
from livestereo.codecs import Ffv1Writer, H264Writer
from livestereo.errors import LiveStereoError, TakeError
from livestereo.takes import manifest as m
from livestereo.takes.index import IndexWriter, checksum
from livestereo.takes.raw import RawFormat, RawStream
from livestereo.takes.relative import relative_of
from livestereo.types import F32, U8, StereoFrame

Content = Literal["all", "raw", "depth"]
# Where the settings do not tell the smallest disparity: from −1024 to 3071 px in 1/16 px.
DISPARITY_OFFSET = -1024
# Below the matcher's smallest disparity, for what filters make of it. Codes are kept small because holes, whose code
# is 0, then cost a fifth less.
MARGIN_PX = 8
# A rate is measured from so many of the last steps between pairs, and not from fewer than the least.
STEPS, FEWEST_STEPS = 301, 5


@dataclass(frozen=True)
class TakeRequest:
    """What to record. `fps` is nominal; `preview`: also a small colour video for people.

    rectified: the pictures are rectified already.
    """

    folder: Path
    fps: float = 30.0
    raw: RawFormat = "auto"
    content: Content = "all"
    preview: bool = True
    rig: RigFile | None = None
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    rectified: bool = False


class TakeWriter:
    """Create a take folder and fill it. Not thread-safe: one thread writes.

    Raises:
        TakeError: the folder exists (and `overwrite` is off, or it is no take), or cannot be made.
    """

    def __init__(self, request: TakeRequest, now: Callable[[], float] = time.time) -> None:
        self.request = request
        self.folder = request.folder
        prepare_folder(request.folder, overwrite=request.overwrite)
        self.manifest = m.Manifest(
            created=datetime.fromtimestamp(now(), timezone.utc).isoformat(timespec="seconds"),
            source=request.source, fps=request.fps, disparity_offset=DISPARITY_OFFSET,
            settings=dict(request.settings), versions=versions(), rectified=request.rectified,
        )  # fmt: skip
        if request.rig is not None:
            save_rig(self.folder / m.RIG, request.rig)
            self.manifest.rig_sha256 = m.file_hash(self.folder / m.RIG)
        m.save_manifest(self.folder, self.manifest)
        self._index = IndexWriter(self.folder)
        self._raws = {
            side: RawStream(self.folder / file, request.raw, request.fps)
            for side, file in (("left", m.LEFT), ("right", m.RIGHT))
        }
        self._disparity: Ffv1Writer | None = None
        self._disparity_hash = hashlib.sha256()
        self._preview: H264Writer | None = None
        self._start: tuple[float, float] | None = None
        self._last_ms = -1
        self._last_s = 0.0
        self._steps_s: deque[float] = deque(maxlen=STEPS)
        self._pair_of_seq: dict[int, int] = {}
        self._settings: dict[str, Any] | None = None
        self._last_depth = -1
        self.bytes = 0
        self._closed = False

    def write_pair(self, frame: StereoFrame) -> int:
        """Add one pair; give its number in the take."""
        if self._start is None:
            self._start = (frame.left.t_s, frame.left.t_s)
        t_s = frame.left.t_s - self._start[0]
        pair = self.manifest.pairs
        if pair:
            self._steps_s.append(t_s - self._last_s)
        self._last_s = t_s
        self._last_ms = max(self._last_ms + 1, round(t_s * 1000))
        entry: dict[str, Any] = {
            "pair": pair, "seq": frame.seq, "left_us": _us(t_s), "right_us": _us(frame.right.t_s - self._start[0]),
            "skew_us": _us(frame.skew_s), "pts_ms": self._last_ms, "name": frame.name, "gap": frame.gap,
        }  # fmt: skip
        if pair == 0:
            entry["t0_us"] = _us(self._start[0])
        if self.request.content != "depth":
            for side, part in (("left", frame.left), ("right", frame.right)):
                entry[f"{side}_crc"], size = self._raws[side].write(part, t_s)
                self.bytes += size
        if pair == 0:
            self.manifest.left, self.manifest.right = self._raws["left"].entry, self._raws["right"].entry
            m.save_manifest(self.folder, self.manifest)
            self._index.write({"take": self.manifest.model_dump(mode="json", include=m.TOLD_TWICE)})
        self._index.write(entry)
        self.manifest.pairs += 1
        self._pair_of_seq[frame.seq] = pair
        # Depth comes within seconds of its pair: older numbers are never asked for again.
        while len(self._pair_of_seq) > 1000:
            del self._pair_of_seq[next(iter(self._pair_of_seq))]
        return pair

    def write_depth(
        self, frame: StereoFrame, disparity_px: F32, settings: Mapping[str, Any] | None = None, *, fresh: bool = False
    ) -> bool:
        """Add the disparity of a pair that was written; False where its pair is not in the take, or has one already.

        settings: what it was computed with; a change of them is written down. fresh: filters that remember had
        forgotten everything before it.
        """
        pair = self._pair_of_seq.get(frame.seq)
        if pair is None or self._start is None or pair <= self._last_depth:
            return False
        if self._disparity is None and settings is not None and settings.get("min_disparity") is not None:
            self.manifest.disparity_offset = int(settings["min_disparity"]) - MARGIN_PX
        if np.fmin.reduce(disparity_px, axis=None) < self.manifest.disparity_offset:
            # Settings that were changed meanwhile reach further than the stream can say.
            self.note_thinned(frame, settings, fresh=fresh)
            return False
        self._last_depth = pair
        self._note_settings(settings, pair)
        coded: NDArray[np.uint16] = m.code_disparity(disparity_px, self.manifest.disparity_offset)
        size = (coded.shape[1], coded.shape[0])
        if self._disparity is None:
            self._disparity = Ffv1Writer(self.folder / m.DISPARITY, size, self.request.fps, "gray16")
            self.manifest.disparity = m.StreamEntry(
                file=m.DISPARITY, codec="ffv1", lossless=True, width=size[0], height=size[1]
            )
            m.save_manifest(self.folder, self.manifest)
            self._index.write({"take": {"disparity_offset": self.manifest.disparity_offset}})
        assert self.manifest.disparity is not None
        payload = self._disparity.write(coded, frame.left.t_s - self._start[0])
        self._disparity_hash.update(payload)
        number = self.manifest.disparity.frames
        self._index.write({"depth": number, "pair": pair, "crc": checksum(payload), "fresh": fresh or None})
        self.manifest.disparity.frames += 1
        self.manifest.disparity.bytes += len(payload)
        self.manifest.depth_pairs += 1
        self.bytes += len(payload)
        return True

    def note_geometry(self, rectification: Rectification) -> None:
        """Keep the geometry that depth is really computed with, where it was found from the pictures or scaled."""
        rig = self.request.rig
        # No rig says where infinity lies: it was found with the range, or follows from what was asked for.
        relative = relative_of(rectification)
        rectified = self.manifest.rectified or (rectification.rig is None and rig is None)
        if (relative, rectified) != (self.manifest.relative, self.manifest.rectified):
            self.manifest.relative, self.manifest.rectified = relative, rectified
            self._index.write({"take": {"relative": relative, "rectified": rectified}})
            m.save_manifest(self.folder, self.manifest)
        if rectification.rig is None:
            return
        if rig is not None and rig.rig.left.size_wh == rectification.rig.left.size_wh:
            return
        kept = (
            RigFile(rig=rectification.rig, metric=rectification.metric)
            if rig is None
            else rig.model_copy(update={"rig": rectification.rig})
        )
        save_rig(self.folder / m.RIG, kept)
        self.manifest.rig_sha256 = m.file_hash(self.folder / m.RIG)
        m.save_manifest(self.folder, self.manifest)

    def _note_settings(self, settings: Mapping[str, Any] | None, pair: int) -> None:
        if settings is None or dict(settings) == self._settings:
            return
        self._settings = dict(settings)
        self._index.write({"settings": self._settings, "from_pair": pair})
        if self.manifest.disparity is None:
            self.manifest.settings = self._settings

    def write_preview(self, frame: StereoFrame, picture: U8) -> None:
        """Add a picture to the preview video; (H,W,3) uint8 BGR."""
        if self._start is None:
            return
        if self._preview is None:
            size = (picture.shape[1], picture.shape[0])
            self._preview = H264Writer(self.folder / m.PREVIEW, size, self.request.fps, crf=26, preset="ultrafast")
            self.manifest.preview = m.PREVIEW
        self.bytes += len(self._preview.write(picture, frame.left.t_s - self._start[0]))

    def note_thinned(
        self, frame: StereoFrame, settings: Mapping[str, Any] | None = None, *, fresh: bool = False
    ) -> None:
        """Tell that a depth picture was computed and not kept; it can be computed again.

        settings, fresh: as in `write_depth`; who computes the depth of later pairs again needs them.
        """
        pair = self._pair_of_seq.get(frame.seq)
        if pair is not None and pair > self._last_depth:
            self._last_depth = pair
            self._note_settings(settings, pair)
            self._index.write({"depth": None, "pair": pair, "fresh": fresh or None})

    def note_lost(self, cause: str, seq: int) -> None:
        """Tell that a captured pair was not written."""
        self._index.write({"lost": cause, "seq": seq})
        self.count_lost(cause)

    def count_lost(self, cause: str) -> None:
        """Count a captured pair that was not written, where not even a line about it can be."""
        self.manifest.lost[cause] = self.manifest.lost.get(cause, 0) + 1

    def note_gap(self, cause: str, seconds: float) -> None:
        """Tell a stretch without pairs, before the pair that comes next."""
        self._index.write({"gap": cause, "after_pair": self.manifest.pairs - 1, "seconds": round(seconds, 6)})
        self.manifest.gaps += 1

    @property
    def thinned(self) -> int:
        """Pairs whose depth is not in the take, because it came too late or was never computed; 0 for raw takes."""
        return 0 if self.request.content == "raw" else self.manifest.pairs - self.manifest.depth_pairs

    def close(self, *, captured: int, stopped: str | None = None, measure_fps: bool = False) -> m.Manifest:
        """Finish every stream and the manifest; idempotent. `captured` = written + lost.

        measure_fps: the rate is that of the pairs that came, not the nominal one.

        Raises:
            OSError, LiveStereoError: something could not be finished; everything else was.
        """
        if self._closed:
            return self.manifest
        self._closed = True
        failed: Exception | None = None
        parts = [self._index, *self._raws.values(), self._disparity, self._preview]
        for part in parts:
            try:
                if part is not None:
                    part.close()
            except (OSError, LiveStereoError) as error:
                failed = failed or error
        manifest = self.manifest
        if manifest.disparity is not None:
            manifest.disparity.sha256 = self._disparity_hash.hexdigest()
        manifest.left, manifest.right = self._raws["left"].entry, self._raws["right"].entry
        if measure_fps and len(self._steps_s) >= FEWEST_STEPS:
            manifest.fps = round(1 / max(median(self._steps_s), 1e-3), 2)
        manifest.captured, manifest.stopped, manifest.thinned = captured, stopped, self.thinned
        manifest.index_sha256 = m.file_hash(self.folder / m.INDEX)
        manifest.state = "complete"
        m.save_manifest(self.folder, manifest)
        if failed is not None:
            raise failed
        return manifest


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make an empty folder for a take; an old take is replaced only with `overwrite`, anything else never.

    Raises:
        TakeError: it exists, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise TakeError(f"{folder} is a file; a take is a folder.", "Choose another name.")
    try:
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if there and m.MANIFEST not in there:
            raise TakeError(f"{folder} holds other files and is not a take.", "Choose another name.")
        if there and not overwrite:
            raise TakeError(f"{folder} exists already.", "Choose another name, or use --overwrite to replace it.")
        # A manifest that was being written when the program was killed is part of the take.
        others = sorted(name for name in there - m.FILES if not name.startswith(f".{m.MANIFEST}."))
        if others:
            raise TakeError(
                f"{folder} holds more than a take ({', '.join(others[:3])}).", "Move that away, or choose another name."
            )
        for name in there:
            (folder / name).unlink()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TakeError(f"The folder {folder} cannot be written: {error.strerror}.", "Choose another place.") from error


def versions() -> dict[str, str]:
    """Versions of what can change a result."""
    told = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("livestereo", "opencv-contrib-python", "numpy", "numba", "av"):
        try:
            told[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return told


def _us(seconds: float) -> int:
    return round(seconds * 1e6)
