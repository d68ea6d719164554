"""Write a file whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from calibration.errors import CalibrationError


def write_atomically(path: str | Path, data: str | bytes) -> None:
    """Replace `path` by `data` (text is UTF-8): a reader sees the old file or the new one, never half of one.

    Written beside the target, flushed to the disk, then renamed over it, because a rename is the only
    step that a crash or a full disk cannot cut in two. A target that is no regular file (a pipe,
    /dev/stdout) cannot be renamed over and is written straight.

    Raises:
        CalibrationError: the folder is missing or cannot be written.
    """
    target = Path(path)
    content = data.encode() if isinstance(data, str) else data
    try:
        if target.is_dir():
            raise CalibrationError(f"{target} is a folder.", "Name a file in it.")
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        real = target.resolve()
        mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else 0o666 & ~_umask()
        handle, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, real)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _flush_folder(real.parent)
    except FileNotFoundError:
        if target.parent.is_dir():  # one of the system's own
            raise CalibrationError(f"The folder {target.parent} takes no files.", "Name another.") from None
        raise CalibrationError(
            f"There is no folder {target.parent} to write into.", "Make it, or name another."
        ) from None
    except OSError as error:
        raise CalibrationError(f"{target} cannot be written: {error.strerror}.", "Choose another place.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    # The new name itself must survive a power cut; Windows has no handle for a folder.
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_text(path: str | Path) -> str:
    """Read a text file (UTF-8, a byte order mark is dropped).

    Raises:
        CalibrationError: it is missing, a folder, empty, not text, or cannot be read.
    """
    source = Path(path)
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        raise CalibrationError(f"There is no file {source}.", "Check the path.") from None
    except IsADirectoryError:
        raise CalibrationError(f"{source} is a folder.", "Name a file in it.") from None
    except OSError as error:
        raise CalibrationError(f"{source} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if not data.strip():
        raise CalibrationError(f"{source} is empty.", "Take the original again.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CalibrationError(f"{source} is not a text file.", "Name a rig or calibration file.") from None
    if "\0" in text:
        raise CalibrationError(f"{source} is not a text file.", "Name a rig or calibration file.")
    return text
