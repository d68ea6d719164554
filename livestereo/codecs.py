"""The one place that knows PyAV: lossless, camera-byte and H.264 streams, written so that a crash costs little.

Matroska streams are flushed at every packet and their clusters are kept short: a file whose writer was killed holds
all but its last frame or two. MP4 is fragmented once a second for the same reason. Stamps in the containers are whole
milliseconds; exact ones belong beside the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError, MissingExtra

if TYPE_CHECKING:
    from typing_extensions import Self

MILLISECOND = Fraction(1, 1000)
_MATROSKA = {"cluster_time_limit": "200", "flush_packets": "1"}
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtra("Video files need the library PyAV.", "Run: pip install av") from error
    av.logging.set_level(av.logging.PANIC)
    return av


class VideoWriter(Protocol):
    """What every writer of frames is; `write` gives the bytes of the packets that went into the file."""

    def write(self, image: NDArray[Any], t_s: float) -> bytes:
        """Add one frame at `t_s` seconds since the first."""
        ...

    def close(self) -> None:
        """Finish the file; idempotent."""
        ...


class _Container:
    """An output file whose stamps only ever grow."""

    def __init__(self, path: Path, options: dict[str, str], form: str) -> None:
        self._av = _av()
        self._container: Any = self._av.open(str(path), "w", format=form, options=options)
        self._last_ms = -1
        self._closed = False

    def next_ms(self, t_s: float) -> int:
        self._last_ms = max(self._last_ms + 1, round(t_s * 1000))
        return self._last_ms

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._finish()
            self._container.close()

    def _finish(self) -> None:
        """Flush what an encoder still holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MjpegMuxer(_Container):
    """Store a camera's own JPEG bytes untouched, in Matroska."""

    def __init__(self, path: Path, size_wh: tuple[int, int], fps: float = 30.0) -> None:
        super().__init__(path, dict(_MATROSKA), "matroska")
        self._stream = self._container.add_mux_stream(
            "mjpeg", rate=Fraction(fps).limit_denominator(1001), width=size_wh[0], height=size_wh[1]
        )

    def write_encoded(self, jpeg: bytes, t_s: float) -> bytes:
        """Add one picture as the camera sent it; gives the same bytes back."""
        packet = self._av.Packet(jpeg)
        packet.stream = self._stream
        packet.time_base = MILLISECOND
        packet.pts = packet.dts = self.next_ms(t_s)
        packet.is_keyframe = True
        self._container.mux(packet)
        return jpeg


class _Encoder(_Container):
    def __init__(
        self, path: Path, form: str, container_options: dict[str, str], codec: str, size_wh: tuple[int, int],
        fps: float, pixel_format: str, options: dict[str, str],
    ) -> None:  # fmt: skip
        super().__init__(path, container_options, form)
        self.size_wh = size_wh
        stream = self._container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.width, stream.height = size_wh
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = MILLISECOND
        # Slices, not frames, are coded side by side: a frame is in the file as soon as it is written.
        stream.codec_context.thread_type = "SLICE"
        self._stream = stream

    def _encode(self, frame: Any, t_s: float) -> bytes:
        frame.pts = self.next_ms(t_s)
        frame.time_base = MILLISECOND
        return self._mux(self._stream.encode(frame))

    def _mux(self, packets: Any) -> bytes:
        written = b""
        for packet in packets:
            written += self._stored(bytes(packet))
            self._container.mux(packet)
        return written

    def _stored(self, packet: bytes) -> bytes:
        """What the container makes of a packet."""
        return packet

    def _finish(self) -> None:
        self._mux(self._stream.encode(None))

    def _check(self, image: NDArray[Any]) -> None:
        if (image.shape[1], image.shape[0]) != self.size_wh:
            w, h = self.size_wh
            raise LiveStereoError(
                f"The video is {w}x{h} and a picture of {image.shape[1]}x{image.shape[0]} came.",
                "Start a new recording after the picture size has changed.",
            )


class Ffv1Writer(_Encoder):
    """Lossless video in Matroska: (H,W,3) uint8 BGR (`bgr`) or (H,W) uint16 (`gray16`)."""

    def __init__(
        self, path: Path, size_wh: tuple[int, int], fps: float = 30.0, kind: Literal["bgr", "gray16"] = "bgr"
    ) -> None:
        options = {"level": "3", "slices": "4", "slicecrc": "1", "g": "1", "context": "0", "coder": "1"}
        self._kind = kind
        pixel = "gray16le" if kind == "gray16" else "bgr0"
        super().__init__(path, "matroska", dict(_MATROSKA), "ffv1", size_wh, fps, pixel, options)

    def write(self, image: NDArray[Any], t_s: float) -> bytes:
        """Add one frame; gives the bytes of its packet."""
        self._check(image)
        if self._kind == "gray16":
            return self._encode(self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray16le"), t_s)
        four = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
        frame = self._av.VideoFrame(self.size_wh[0], self.size_wh[1], "bgr0")
        _fill_plane(frame.planes[0], four.reshape(four.shape[0], -1))
        return self._encode(frame, t_s)


class H264Writer(_Encoder):
    """H.264 in MP4 (fragmented, so that it opens after a crash) or Matroska, by the file's ending.

    Pictures are (H,W,3) uint8 BGR; an odd width or height is cut by one pixel, because 4:2:0 needs even ones.
    """

    def __init__(
        self, path: Path, size_wh: tuple[int, int], fps: float = 30.0, *, crf: int = 20, preset: str = "veryfast",
        fragmented: bool = True,
    ) -> None:  # fmt: skip
        even = (size_wh[0] // 2 * 2, size_wh[1] // 2 * 2)
        self._matroska = matroska = path.suffix.lower() == ".mkv"
        options = {"crf": str(crf), "preset": preset, "tune": "zerolatency", "g": str(max(1, round(fps)))}
        container = dict(_MATROSKA) if matroska else dict(_FRAGMENTED) if fragmented else {"movflags": "faststart"}
        form = "matroska" if matroska else "mp4"
        super().__init__(path, form, container, "libx264", even, fps, "yuv420p", options)

    def _stored(self, packet: bytes) -> bytes:
        return _length_prefixed(packet) if self._matroska else packet

    def write(self, image: NDArray[Any], t_s: float) -> bytes:
        """Add one frame; gives the bytes of its packet as the file holds them."""
        w, h = self.size_wh
        planar = cv2.cvtColor(np.ascontiguousarray(image[:h, :w]), cv2.COLOR_BGR2YUV_I420)
        return self._encode(self._av.VideoFrame.from_ndarray(planar, format="yuv420p"), t_s)


def _length_prefixed(packet: bytes) -> bytes:
    """Turn an H.264 packet with start codes (ITU-T H.264, annex B) into one with lengths, as Matroska stores it."""
    units = packet.split(b"\x00\x00\x01")[1:]
    # The zero byte before a start code of four bytes stands at the end of the unit before it.
    cut = [unit[:-1] if unit.endswith(b"\x00") else unit for unit in units[:-1]] + units[-1:]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in cut)


def _fill_plane(plane: Any, rows: NDArray[Any]) -> None:
    """Copy (H, bytes per row) into a plane whose lines may be padded."""
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    lines[: rows.shape[0], : rows.shape[1]] = rows


@dataclass(frozen=True)
class Contents:
    """What a video file holds and says of itself.

    frames: as its header counts them, None where it counts none (Matroska). packets: that are there. start_s: stamp of
    the first frame. duration_s: as the header says, None where it says none.
    """

    frames: int | None
    packets: int
    start_s: float
    duration_s: float | None


def contents(path: Path) -> Contents:
    """Look through a video file without decoding it.

    Raises:
        LiveStereoError: it cannot be opened.
    """
    with StreamReader(path) as reader:
        return reader.contents()


class StreamReader:
    """Read one video stream: packets as bytes, or frames as arrays; damaged frames are told, not raised.

    Raises:
        LiveStereoError: the file cannot be opened as video.
    """

    def __init__(self, path: Path) -> None:
        av = _av()
        self._av = av
        self.path = path
        try:
            self._container: Any = av.open(str(path))
            self._stream: Any = self._container.streams.video[0]
        except (av.FFmpegError, OSError, IndexError) as error:
            raise LiveStereoError(f"{path} cannot be opened as video.", "It is damaged or empty.") from error
        self._stream.codec_context.thread_type = "SLICE"
        self.codec: str = self._stream.codec_context.name
        self.size_wh: tuple[int, int] = (self._stream.codec_context.width, self._stream.codec_context.height)

    def contents(self) -> Contents:
        """Tell what the file says of itself, and count its packets; the reader then stands at the end."""
        start, duration = self._container.start_time, self._container.duration  # microseconds
        return Contents(
            self._stream.frames or None, sum(1 for _ in self.packets()), (start or 0) / 1e6,
            duration / 1e6 if duration else None,
        )  # fmt: skip

    def packets(self) -> Iterator[bytes]:
        """Give the bytes of each packet from where the reader stands; ends quietly where the file is cut."""
        return (payload for _, payload in self.stamped_packets())

    def stamped_packets(self) -> Iterator[tuple[int, bytes]]:
        """Give (stamp ms, bytes) of each packet from where the reader stands; ends quietly where the file is cut."""
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield round(float((packet.pts or 0) * packet.time_base) * 1000), bytes(packet)
        except self._av.FFmpegError:
            return

    def frames(self) -> Iterator[tuple[int, NDArray[Any] | None]]:
        """Give (stamp ms, picture) in order, None for a frame that cannot be decoded.

        gray16 streams give (H,W) uint16, all others (H,W,3) uint8 BGR.
        """
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue
                stamp_ms = round(float((packet.pts or 0) * packet.time_base) * 1000)
                try:
                    for frame in packet.decode():
                        yield stamp_ms, self._array(frame)
                except self._av.FFmpegError:
                    yield stamp_ms, None
        except self._av.FFmpegError:
            return

    def _array(self, frame: Any) -> NDArray[Any]:
        name = frame.format.name
        if name == "gray16le":
            return np.asarray(frame.to_ndarray())
        if name in ("bgr0", "bgra"):
            plane = frame.planes[0]
            lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            four = lines[: frame.height, : frame.width * 4].reshape(frame.height, frame.width, 4)
            return np.ascontiguousarray(four[:, :, :3])
        return np.asarray(frame.to_ndarray(format="bgr24"))

    def seek_ms(self, stamp_ms: int) -> None:
        """Go to the frame at or before this stamp."""
        self._container.seek(round(stamp_ms / 1000 / float(self._stream.time_base)), stream=self._stream, backward=True)

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
