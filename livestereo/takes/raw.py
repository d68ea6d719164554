"""One raw stream of a take: opened at its first frame, when it is known what the camera sends."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from livestereo.codecs import Ffv1Writer, H264Writer, MjpegMuxer
from livestereo.errors import TakeError
from livestereo.takes.index import checksum
from livestereo.takes.manifest import StreamEntry
from livestereo.types import Frame

RawFormat = Literal["auto", "ffv1", "h264"]
_CRF_NEAR_LOSSLESS = 14
_QUARTER_TURNS = ("90", "270")


def stores_encoded(frame: Frame, raw: RawFormat) -> bool:
    """Whether this frame is stored as the camera sent it."""
    return raw == "auto" and frame.encoded is not None


class RawStream:
    """`entry` is what the manifest says of the stream; None before the first frame."""

    def __init__(self, path: Path, raw: RawFormat, fps: float) -> None:
        self.path, self.raw, self.fps = path, raw, fps
        self.entry: StreamEntry | None = None
        self._hash = hashlib.sha256()
        self._writer: MjpegMuxer | Ffv1Writer | H264Writer | None = None

    def write(self, frame: Frame, t_s: float) -> tuple[str, int]:
        """Add one frame; give its checksum and size.

        Raises:
            TakeError: the camera sends something else than at the beginning.
            LiveStereoError: the picture has another size.
        """
        entry = self.entry if self.entry is not None else self._open(frame)
        if isinstance(self._writer, MjpegMuxer):
            if frame.encoded is None or frame.turned != entry.flip:
                raise TakeError("a camera sends other pictures than when the take began", "Start a new take.")
            payload = self._writer.write_encoded(frame.encoded, t_s)
        else:
            assert self._writer is not None
            payload = self._writer.write(frame.image, t_s)
        self._hash.update(payload)
        entry.frames += 1
        entry.bytes += len(payload)
        return checksum(payload), len(payload)

    def _open(self, frame: Frame) -> StreamEntry:
        size = (frame.image.shape[1], frame.image.shape[0])
        flip = "none"
        if stores_encoded(frame, self.raw):
            flip = frame.turned
            # Turned by 90° the picture is as wide as the stored one is high.
            size = (size[1], size[0]) if flip in _QUARTER_TURNS else size
            self._writer, codec = MjpegMuxer(self.path, size, self.fps), "mjpeg"
        elif self.raw == "h264":
            self._writer = H264Writer(self.path, size, self.fps, crf=_CRF_NEAR_LOSSLESS, preset="ultrafast")
            codec = "h264"
        else:
            self._writer, codec = Ffv1Writer(self.path, size, self.fps), "ffv1"
        self.entry = StreamEntry.model_validate(
            {
                "file": self.path.name, "codec": codec, "lossless": codec != "h264", "width": size[0],
                "height": size[1], "flip": flip,
            }
        )  # fmt: skip
        return self.entry

    def close(self) -> None:
        """Finish the file; the hash of all payloads goes into `entry`."""
        if self.entry is not None:
            self.entry.sha256 = self._hash.hexdigest()
        if self._writer is not None:
            self._writer.close()
