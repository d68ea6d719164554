"""`take.json`: what a take holds. Written when recording starts and again when it ends.

The disparity is stored as `16 × (disparity − offset) + 1` in 16 bits; 0 is invalid. Disparity in the program is
rounded to 1/16 px, so that this is exact.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.files import write_atomically
from livestereo.errors import TakeError
from livestereo.types import F32

FORMAT: Literal["livestereo-take"] = "livestereo-take"
MAJOR, MINOR = 1, 0
MANIFEST = "take.json"
RIG = "rig.json"
INDEX = "frames.jsonl"
LEFT, RIGHT, DISPARITY, PREVIEW = "left.mkv", "right.mkv", "disparity.mkv", "preview.mp4"
FILES = frozenset({MANIFEST, RIG, INDEX, LEFT, RIGHT, DISPARITY, PREVIEW})
SCALE = 16
LARGEST = 65535


# What a repair could not find out again: it stands in the index too.
TOLD_TWICE = {"created", "source", "fps", "left", "right", "rectified", "relative", "disparity_offset", "versions"}


class StreamEntry(BaseModel):
    """One stream: its file, how it is coded, and how many frames it must hold.

    `sha256` covers the payload of all frames in order, so that it does not depend on the container.
    """

    model_config = ConfigDict(extra="allow")

    file: str
    codec: Literal["mjpeg", "ffv1", "h264"]
    lossless: bool
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frames: int = Field(default=0, ge=0)
    bytes: int = Field(default=0, ge=0)
    sha256: str | None = None
    flip: str = "none"


class Manifest(BaseModel):
    """The whole of `take.json`. Unknown keys of the same major version are kept.

    captured = pairs + sum of `lost`. thinned: pairs without recorded depth, where depth was asked for. left_out: pairs,
    and `depth_left_out` places in the disparity stream, that a repair found damaged. relative: see `takes.relative`.
    own_sha256: of all the rest.
    """

    model_config = ConfigDict(extra="allow")

    format: Literal["livestereo-take"] = FORMAT
    version: tuple[int, int] = (MAJOR, MINOR)
    state: Literal["recording", "complete", "repaired"] = "recording"
    created: str = ""
    source: str = ""
    fps: float = Field(default=30.0, gt=0)
    left: StreamEntry | None = None
    right: StreamEntry | None = None
    disparity: StreamEntry | None = None
    preview: str | None = None
    rectified: bool = False
    relative: dict[str, float] = Field(default_factory=dict)
    disparity_offset: int = 0
    pairs: int = Field(default=0, ge=0)
    depth_pairs: int = Field(default=0, ge=0)
    captured: int = Field(default=0, ge=0)
    lost: dict[str, int] = Field(default_factory=dict)
    thinned: int = Field(default=0, ge=0)
    gaps: int = Field(default=0, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    index_sha256: str | None = None
    rig_sha256: str | None = None
    own_sha256: str | None = None
    stopped: str | None = None
    depth_bitexact: bool | None = None
    repair: dict[str, Any] | None = None
    left_out: list[int] = Field(default_factory=list)
    depth_left_out: list[int] = Field(default_factory=list)

    @property
    def frames(self) -> int:
        """Frames that each raw stream holds of these pairs, with those left out."""
        return self.pairs + len(self.left_out)


def load_manifest(folder: Path) -> Manifest:
    """Read `take.json` of a take.

    Raises:
        TakeError: not a take, a take of a newer version, or wrong fields (all are named).
    """
    path = folder / MANIFEST
    if not folder.is_dir() or not path.is_file():
        raise TakeError(f"{folder} is not a take: it has no {MANIFEST}.", "Name a folder made by `livestereo record`.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise TakeError(f"{path} cannot be read: {error}.", "Run `livestereo verify --repair` on the take.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise TakeError(f"{path} is not the manifest of a take.", "Name a folder made by `livestereo record`.")
    version = data.get("version")
    if isinstance(version, list) and version and isinstance(version[0], int) and version[0] > MAJOR:
        raise TakeError(
            f"{folder} was recorded by a newer livestereo (take version {version[0]}, known up to {MAJOR}).",
            "Update livestereo.",
        )
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise TakeError(
            f"{path} has wrong fields: {wrong}.", "Run `livestereo verify --repair` on the take."
        ) from error


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `take.json` whole or not at all: temp file, fsync, rename. Its `own_sha256` is made anew."""
    values = manifest.model_dump(mode="json")
    values["own_sha256"] = manifest.own_sha256 = _fingerprint(values)
    text = json.dumps(values, indent=1, ensure_ascii=False)
    write_atomically(folder / MANIFEST, text + "\n")


def was_edited(folder: Path) -> bool:
    """Whether somebody changed `take.json` since it was saved."""
    values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return values.get("own_sha256") not in (None, _fingerprint(values))


def _fingerprint(values: dict[str, Any]) -> str:
    rest = {name: value for name, value in values.items() if name != "own_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def code_disparity(disparity_px: F32, offset: int) -> NDArray[np.uint16]:
    """Code (H,W) float32 px, NaN invalid, as uint16: 16 × (disparity − offset) + 1, 0 invalid.

    A value below the offset or beyond the range of 16 bits becomes invalid: neither occurs while the offset is the
    matcher's smallest disparity.
    """
    coded = np.rint((disparity_px - np.float32(offset)) * np.float32(SCALE)) + np.float32(1)
    valid = (coded >= 1) & (coded <= LARGEST)  # NaN compares false
    return np.where(valid, coded, 0).astype(np.uint16)


def decode_disparity(coded: NDArray[np.uint16], offset: int) -> F32:
    """Give (H,W) float32 px back, NaN where the code is 0."""
    disparity = (coded.astype(np.float32) - np.float32(1)) / np.float32(SCALE) + np.float32(offset)
    disparity[coded == 0] = np.nan
    return disparity
