"""An MCAP file that Foxglove shows as it is: JSON messages of Foxglove's well-known schemas. Needs the extra `mcap`."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestereo.errors import MissingExtra

FRAME_ID = "left_rectified"
_TIME = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
_TEXT, _NUMBER, _WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
_BYTES = {"type": "string", "contentEncoding": "base64"}
_NUMBERS = {"type": "array", "items": _NUMBER}
# The fields of foxglove.* as documented for its JSON schemas.
_SCHEMAS: dict[str, dict[str, Any]] = {
    "foxglove.CompressedImage": {"timestamp": _TIME, "frame_id": _TEXT, "data": _BYTES, "format": _TEXT},
    "foxglove.RawImage": {
        "timestamp": _TIME, "frame_id": _TEXT, "width": _WHOLE, "height": _WHOLE, "encoding": _TEXT, "step": _WHOLE,
        "data": _BYTES,
    },
    "foxglove.CameraCalibration": {
        "timestamp": _TIME, "frame_id": _TEXT, "width": _WHOLE, "height": _WHOLE, "distortion_model": _TEXT,
        "D": _NUMBERS, "K": _NUMBERS, "R": _NUMBERS, "P": _NUMBERS,
    },
}  # fmt: skip


class McapFile:
    """Write messages with stamps in seconds since the take's first pair.

    Raises:
        MissingExtra: the library `mcap` is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from mcap.writer import Writer
        except ImportError as error:
            raise MissingExtra(
                "MCAP needs an optional library.", "Run: pip install 'livestereo[mcap]' (or: pip install mcap)"
            ) from error
        self._file = open(path, "wb")  # noqa: SIM115  (closed in close)
        self._writer: Any = Writer(self._file)
        self._writer.start(profile="", library="livestereo")
        self._schemas = {
            name: self._writer.register_schema(
                name=name, encoding="jsonschema",
                data=json.dumps({"title": name, "type": "object", "properties": fields}).encode(),
            )
            for name, fields in _SCHEMAS.items()
        }  # fmt: skip
        self._channels: dict[str, int] = {}

    def image(self, topic: str, t_s: float, jpeg: bytes) -> None:
        """Write one JPEG."""
        self._write(topic, "foxglove.CompressedImage", t_s, {"data": _base64(jpeg), "format": "jpeg"})

    def depth(self, topic: str, t_s: float, depth_mm: NDArray[np.uint16]) -> None:
        """Write one depth map, (H,W) uint16 millimetres, 0 unknown."""
        h, w = depth_mm.shape
        data = _base64(depth_mm.astype("<u2").tobytes())
        message = {"width": w, "height": h, "encoding": "16UC1", "step": 2 * w, "data": data}
        self._write(topic, "foxglove.RawImage", t_s, message)

    def calibration(self, t_s: float, camera: dict[str, Any]) -> None:
        """Write the rectified left camera."""
        f, cx, cy = camera["fx"], camera["cx"], camera["cy"]
        message = {
            "width": camera["width"], "height": camera["height"], "distortion_model": "", "D": [],
            "K": [f, 0, cx, 0, f, cy, 0, 0, 1], "R": [1, 0, 0, 0, 1, 0, 0, 0, 1],
            "P": [f, 0, cx, 0, 0, f, cy, 0, 0, 0, 1, 0],
        }  # fmt: skip
        self._write("/camera/calibration", "foxglove.CameraCalibration", t_s, message)

    def close(self) -> None:
        """Write the index and close the file."""
        self._writer.finish()
        self._file.close()

    def _write(self, topic: str, schema: str, t_s: float, message: dict[str, Any]) -> None:
        if topic not in self._channels:
            self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="json", schema_id=self._schemas[schema]
            )
        stamp_ns = round(t_s * 1e9)
        stamp = {"sec": stamp_ns // 10**9, "nsec": stamp_ns % 10**9}
        data = json.dumps({"timestamp": stamp, "frame_id": FRAME_ID, **message}).encode()
        self._writer.add_message(self._channels[topic], log_time=stamp_ns, publish_time=stamp_ns, data=data)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
