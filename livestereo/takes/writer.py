"""Writes the files of one take: streams, stamps, manifest. No threads here; the recorder calls it from its own."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.rigfile import RigFile, save_rig
from livestereo.codecs import Ffv1Writer, H264Writer, MjpegMuxer
from livestereo.errors import TakeError
from livestereo.takes import manifest as m
from livestereo.takes.index import IndexWriter, checksum
from livestereo.types import F32, U8, Frame, StereoFrame

RawFormat = Literal["auto", "ffv1", "h264"]
Content = Literal["all", "raw", "depth"]
# Disparities from −1024 to 3071 px in 1/16 px: more than any pair of pictures that we can match.
DISPARITY_OFFSET = -1024
_CRF_NEAR_LOSSLESS = 14


@dataclass(frozen=True)
class TakeRequest:
    """What to record. `fps` is nominal; `preview`: also a small colour video for people.

    `flips`: how each side's own bytes must be turned when they are read again (the camera's bytes are stored before
    any flip). rectified: the pictures are rectified already.
    """

    folder: Path
    fps: float = 30.0
    raw: RawFormat = "auto"
    content: Content = "all"
    preview: bool = True
    rig: RigFile | None = None
    source: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    flips: tuple[str, str] = ("none", "none")
    overwrite: bool = False
    rectified: bool = False


class _Raw:
    """One raw stream, opened at its first frame, when it is known what the camera sends."""

    def __init__(self, path: Path, raw: RawFormat, fps: float, flip: str) -> None:
        self.path, self.raw, self.fps, self.flip = path, raw, fps, flip
        self.entry: m.StreamEntry | None = None
        self._hash = hashlib.sha256()
        self._writer: MjpegMuxer | Ffv1Writer | H264Writer | None = None

    def write(self, frame: Frame, t_s: float) -> tuple[str, int]:
        """Add one frame; give its checksum and size."""
        if self._writer is None:
            self._open(frame)
        assert self.entry is not None
        if isinstance(self._writer, MjpegMuxer):
            if frame.encoded is None:
                raise TakeError("A camera stopped sending JPEG in the middle of a take.", "Start a new take.")
            payload = self._writer.write_encoded(frame.encoded, t_s)
        else:
            assert self._writer is not None
            payload = self._writer.write(frame.image, t_s)
        self._hash.update(payload)
        self.entry.frames += 1
        self.entry.bytes += len(payload)
        return checksum(payload), len(payload)

    def _open(self, frame: Frame) -> None:
        size = (frame.image.shape[1], frame.image.shape[0])
        if self.raw == "auto" and frame.encoded is not None:
            # Turned by 90° the picture is as wide as the stored one is high.
            size = (size[1], size[0]) if self.flip in ("90", "270") else size
            self._writer, codec = MjpegMuxer(self.path, size, self.fps), "mjpeg"
        elif self.raw == "h264":
            self._writer = H264Writer(self.path, size, self.fps, crf=_CRF_NEAR_LOSSLESS, preset="ultrafast")
            codec = "h264"
        else:
            self._writer, codec = Ffv1Writer(self.path, size, self.fps), "ffv1"
        self.entry = m.StreamEntry.model_validate(
            {
                "file": self.path.name, "codec": codec, "lossless": codec != "h264", "width": size[0],
                "height": size[1], "flip": self.flip if codec == "mjpeg" else "none",
            }
        )  # fmt: skip

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self.entry is not None:
            self.entry.sha256 = self._hash.hexdigest()


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
        m.save_manifest(self.folder, self.manifest)
        self._index = IndexWriter(self.folder)
        raw, fps, flips = request.raw, request.fps, request.flips
        self._raws = {
            "left": _Raw(self.folder / m.LEFT, raw, fps, flips[0]),
            "right": _Raw(self.folder / m.RIGHT, raw, fps, flips[1]),
        }
        self._disparity: Ffv1Writer | None = None
        self._disparity_hash = hashlib.sha256()
        self._preview: H264Writer | None = None
        self._start: tuple[float, float] | None = None
        self._last_ms = -1
        self._pair_of_seq: dict[int, int] = {}
        self._settings: dict[str, Any] | None = None
        self.bytes = 0
        self._closed = False

    def write_pair(self, frame: StereoFrame) -> int:
        """Add one pair; give its number in the take."""
        if self._start is None:
            self._start = (frame.left.t_s, frame.left.t_s)
        t_s = frame.left.t_s - self._start[0]
        pair = self.manifest.pairs
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
        self._index.write(entry)
        self.manifest.pairs += 1
        self._pair_of_seq[frame.seq] = pair
        # Depth comes within seconds of its pair: older numbers are never asked for again.
        while len(self._pair_of_seq) > 1000:
            del self._pair_of_seq[next(iter(self._pair_of_seq))]
        return pair

    def write_depth(self, frame: StereoFrame, disparity_px: F32, settings: Mapping[str, Any] | None = None) -> bool:
        """Add the disparity of a pair that was written; False where its pair is not in the take.

        settings: what it was computed with; a change of them is written down.
        """
        pair = self._pair_of_seq.get(frame.seq)
        if pair is None or self._start is None:
            return False
        if settings is not None and dict(settings) != self._settings:
            self._settings = dict(settings)
            self._index.write({"settings": self._settings, "from_pair": pair})
            if self.manifest.disparity is None:
                self.manifest.settings = self._settings
        coded: NDArray[np.uint16] = m.code_disparity(disparity_px, self.manifest.disparity_offset)
        size = (coded.shape[1], coded.shape[0])
        if self._disparity is None:
            self._disparity = Ffv1Writer(self.folder / m.DISPARITY, size, self.request.fps, "gray16")
            self.manifest.disparity = m.StreamEntry(
                file=m.DISPARITY, codec="ffv1", lossless=True, width=size[0], height=size[1]
            )
            m.save_manifest(self.folder, self.manifest)
        assert self.manifest.disparity is not None
        payload = self._disparity.write(coded, frame.left.t_s - self._start[0])
        self._disparity_hash.update(payload)
        self._index.write({"depth": self.manifest.disparity.frames, "pair": pair, "crc": checksum(payload)})
        self.manifest.disparity.frames += 1
        self.manifest.disparity.bytes += len(payload)
        self.manifest.depth_pairs += 1
        self.bytes += len(payload)
        return True

    def write_preview(self, frame: StereoFrame, picture: U8) -> None:
        """Add a picture to the preview video; (H,W,3) uint8 BGR."""
        if self._start is None:
            return
        if self._preview is None:
            size = (picture.shape[1], picture.shape[0])
            self._preview = H264Writer(self.folder / m.PREVIEW, size, self.request.fps, crf=26, preset="ultrafast")
            self.manifest.preview = m.PREVIEW
        self.bytes += len(self._preview.write(picture, frame.left.t_s - self._start[0]))

    def note_thinned(self, frame: StereoFrame) -> None:
        """Tell that a depth picture was computed and not kept; it can be computed again."""
        pair = self._pair_of_seq.get(frame.seq)
        if pair is not None:
            self.manifest.thinned += 1
            self._index.write({"depth": None, "pair": pair})

    def note_lost(self, cause: str, seq: int) -> None:
        """Tell that a captured pair was not written."""
        self.manifest.lost[cause] = self.manifest.lost.get(cause, 0) + 1
        self._index.write({"lost": cause, "seq": seq})

    def note_gap(self, cause: str, seconds: float) -> None:
        """Tell a stretch without pairs, before the pair that comes next."""
        self.manifest.gaps += 1
        self._index.write({"gap": cause, "after_pair": self.manifest.pairs - 1, "seconds": round(seconds, 6)})

    def close(self, *, captured: int, stopped: str | None = None) -> m.Manifest:
        """Finish every stream and the manifest; idempotent. `captured` = written + lost."""
        if self._closed:
            return self.manifest
        self._closed = True
        self._index.close()
        for raw in self._raws.values():
            raw.close()
        for writer in (self._disparity, self._preview):
            if writer is not None:
                writer.close()
        if self.manifest.disparity is not None:
            self.manifest.disparity.sha256 = self._disparity_hash.hexdigest()
        self.manifest.left, self.manifest.right = self._raws["left"].entry, self._raws["right"].entry
        self.manifest.captured = captured
        self.manifest.stopped = stopped
        self.manifest.index_sha256 = hashlib.sha256((self.folder / m.INDEX).read_bytes()).hexdigest()
        self.manifest.state = "complete"
        m.save_manifest(self.folder, self.manifest)
        return self.manifest


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make an empty folder for a take; an old take is replaced only with `overwrite`, anything else never.

    Raises:
        TakeError: it exists, or cannot be made.
    """
    if folder.exists():
        if not folder.is_dir():
            raise TakeError(f"{folder} is a file; a take is a folder.", "Choose another name.")
        if any(folder.iterdir()):
            if not (folder / m.MANIFEST).is_file():
                raise TakeError(f"{folder} holds other files and is no take.", "Choose another name.")
            if not overwrite:
                raise TakeError(f"{folder} exists already.", "Choose another name, or use --overwrite to replace it.")
            shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TakeError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another place.") from error


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
