"""Write pictures and float maps so that a reader never sees half a file.

Every output is written to a temporary file in the same folder and then renamed over the old one: a rename
within one file system is atomic, so a crash or a full disk leaves the old file as it was. Invalid pixels:
PFM holds +inf (Middlebury's convention), float TIFF holds NaN, 16-bit millimetres hold 0.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError
from livestereo.types import F32, U8

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
SIXTEEN_BIT_FORMATS = (".png", ".tif", ".tiff")
ALPHA_FORMATS = (".png", ".webp", ".tif", ".tiff")
FLOAT_FORMATS = (".pfm", ".tif", ".tiff")
ANIMATION_FORMATS = (".gif", ".webp")


class OutputError(LiveStereoError):
    """An output cannot be written, or its format cannot hold what should go into it."""


def make_folder(folder: Path) -> Path:
    """Make `folder` with its parents and prove that a file can be written in it.

    Raises:
        OutputError: it cannot be made, is a file, or may not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{folder} is not a folder.", "Name another place for the output.") from None
    except OSError as error:
        # A folder of the system's own (/proc) answers that it has no such file.
        why = "it takes no files" if isinstance(error, FileNotFoundError) else error.strerror
        raise OutputError(
            f"The folder {folder} cannot be written: {why}.", "Choose a folder that you may write to."
        ) from None
    return folder


def make_place(path: Path) -> Path:
    """Make the folder that the file `path` will stand in, so that a place that cannot be is told before the work.

    A target that is no regular file (a pipe, /dev/stdout) has its place. Give `path`.

    Raises:
        OutputError: `path` is a folder, or its folder cannot be made or written to.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file in it.")
    if path.is_file() or not path.exists():
        make_folder(_behind_links(path).parent)
    return path


def _behind_links(path: Path) -> Path:
    """Give the file that a link leads to, whether it is there or not; `path` itself where it is no link."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


# What is being read now, as (device, inode) of each file: pictures and recordings, which no output may replace.
_being_read: list[frozenset[tuple[int, int]]] = []


@contextmanager
def reading(files: Iterable[Path]) -> Iterator[None]:
    """Keep files from being replaced by an output as long as the block runs."""
    _being_read.append(frozenset(known for path in files if (known := _identity(path)) is not None))
    try:
        yield
    finally:
        _being_read.pop()


def refuse_source(path: Path) -> None:
    """Refuse an output that would replace a file that is being read.

    Raises:
        OutputError: it would.
    """
    own = _identity(path)
    if own is not None and any(own in files for files in _being_read):
        raise OutputError(
            f"{path} is one of the files that are read here: it would be lost.", "Name another file or folder."
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` (same ending); rename it over `path` if the block ends well.

    A link stays one: what it leads to is replaced, or made.

    Raises:
        OutputError: the folder cannot be written, or `path` is a file that is being read.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file in it.")
    refuse_source(path)
    real = _behind_links(path)
    make_folder(real.parent)
    handle, name = tempfile.mkstemp(prefix=f".{real.stem[:40]}-", suffix=path.suffix, dir=real.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # before the rename, or a power cut could leave a name with no content
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes files private; an output is an ordinary file
        temporary.replace(real)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Tell a failure to write in terms of `path`, whatever file the bytes go through on their way.

    Raises:
        OutputError: the system refused to write.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.", "Is the disk full?") from None


def write_bytes(path: Path, *parts: bytes | memoryview) -> Path:
    """Write `parts` one after another as one file, atomically."""
    with replacing(path) as temporary, told_of(path), temporary.open("wb") as file:
        for part in parts:
            file.write(part)
    return path


def check_format(path: Path, formats: Sequence[str], what: str) -> None:
    """Refuse a file name whose ending is not among `formats` for `what` (a plural noun).

    Raises:
        OutputError: the ending is missing or cannot hold `what`.
    """
    if path.suffix.lower() in formats:
        return
    fix = f"Use a name that ends in {', '.join(formats)}."
    if not path.suffix:
        raise OutputError(f"{path} has no ending that tells the format.", fix)
    raise OutputError(f"{path.suffix} cannot hold {what}.", fix)


def encode(suffix: str, image: NDArray[Any], quality: int = 95) -> bytes:
    """Encode a picture, (H,W), (H,W,3) BGR or (H,W,4) BGRA, uint8 or uint16, in the format of `suffix`.

    Raises:
        OutputError: OpenCV cannot write it in this format (its size or depth).
    """
    suffix = suffix.lower()
    options: list[int] = []
    if suffix in (".jpg", ".jpeg"):
        # 4:4:4, because anaglyphs and depth colours live in the chroma.
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    elif suffix == ".webp":
        options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    elif suffix == ".png":
        options = [cv2.IMWRITE_PNG_COMPRESSION, 4]
    try:
        done, data = cv2.imencode(suffix, image, options)
    except cv2.error:
        done, data = False, np.empty(0, np.uint8)
    if not done:
        raise OutputError(
            f"A picture of {image.shape[1]}x{image.shape[0]} cannot be written as {suffix}.", "Use PNG or TIFF."
        )
    return data.tobytes()


def write_picture(path: Path, image: NDArray[Any], quality: int = 95) -> Path:
    """Write a picture: (H,W), (H,W,3) BGR or (H,W,4) BGRA, uint8 or uint16; the format is that of the ending.

    Raises:
        OutputError: the format is unknown or cannot hold 16 bits or transparency; the folder cannot be written.
    """
    if image.dtype == np.uint16:
        check_format(path, SIXTEEN_BIT_FORMATS, "16-bit values")
    elif image.ndim == 3 and image.shape[2] == 4:
        check_format(path, ALPHA_FORMATS, "transparency")
    else:
        check_format(path, PICTURE_FORMATS, "a picture")
    return write_bytes(path, encode(path.suffix, image, quality))


def write_float_map(path: Path, values: F32) -> Path:
    """Write a float map (H,W) as PFM (invalid is +inf) or TIFF (invalid is NaN).

    Raises:
        OutputError: another ending; the folder cannot be written.
    """
    check_format(path, FLOAT_FORMATS, "float values")
    if path.suffix.lower() != ".pfm":
        return write_bytes(path, encode(".tiff", np.where(np.isfinite(values), values, np.nan).astype(np.float32)))
    height, width = values.shape
    rows = np.where(np.isfinite(values), values, np.inf).astype("<f4")[::-1]  # PFM counts rows from the bottom
    return write_bytes(path, f"Pf\n{width} {height}\n-1.0\n".encode(), np.ascontiguousarray(rows).tobytes())


def read_pfm(path: Path) -> F32:
    """Read a one-channel PFM as (H,W) float32; infinite values become NaN.

    Raises:
        LiveStereoError: not a one-channel PFM, or cut short.
    """
    wrong = LiveStereoError(f"{path} is not a whole one-channel PFM file.", "Is it the right file?")
    with path.open("rb") as file:
        try:
            kind, size, scale = file.readline().strip(), file.readline().split(), float(file.readline())
            width, height = (int(word) for word in size)
        except ValueError:
            raise wrong from None
        data = np.frombuffer(file.read(), "<f4" if scale < 0 else ">f4")
    if kind != b"Pf" or data.size < width * height or width < 1 or height < 1:
        raise wrong
    values = data[: width * height].reshape(height, width)[::-1].astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values


def millimetres(depth_m: F32) -> NDArray[np.uint16]:
    """Turn depth in metres into 16-bit millimetres; 0 is invalid or farther than 65.535 m."""
    mm = np.round(np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0) * 1000.0)
    return np.where((mm > 0) & (mm <= 65535), mm, 0).astype(np.uint16)


def write_animation(path: Path, frames: Sequence[U8], frame_ms: int, quality: int = 85) -> Path:
    """Write pictures (H,W,3) BGR as an endlessly looped GIF or WebP.

    Raises:
        OutputError: another ending; the folder cannot be written.
    """
    check_format(path, ANIMATION_FORMATS, "an animation")
    animation = cv2.Animation()
    animation.loop_count = 0  # for ever
    animation.frames = list(frames)
    animation.durations = [frame_ms] * len(frames)
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    if path.suffix.lower() == ".gif":
        options = [cv2.IMWRITE_GIF_QUALITY, 8, cv2.IMWRITE_GIF_DITHER, 2]
    # Encoded in memory: OpenCV says nothing of a file that the disk has no room for.
    done, data = cv2.imencodeanimation(path.suffix.lower(), animation, options)
    if not done:
        raise OutputError(f"The animation {path} cannot be written.", "Try .webp, .gif or .mp4.")
    return write_bytes(path, data.tobytes())
