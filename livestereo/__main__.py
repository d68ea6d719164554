"""Start the command line; a system library that OpenCV lacks is told as the line that installs it."""

from __future__ import annotations

import ctypes
import importlib
import io
import os
import sys
import threading
import traceback
from typing import NoReturn

from livestereo import interrupts

# glibc's number of the setting "at most so many heaps" (malloc.h).
M_ARENA_MAX = -8
APT_LINE = "sudo apt-get install -y libgl1 libglib2.0-0 libsm6"


def main() -> None:
    """Run `livestereo`; an interrupt while it is still starting leaves with 130 like any other."""
    interrupts.listen()
    try:
        _run()
    except KeyboardInterrupt:
        _interrupted()
    except RuntimeError as error:
        # While a class is made, Python wraps what is raised.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        _interrupted()


def _interrupted() -> NoReturn:
    print("Interrupted.", file=sys.stderr)
    raise SystemExit(130) from None


def _run() -> None:
    # Our matrices are small: on a busy computer threads of the linear algebra cost ten times what they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _share_heaps()
    _speak_any_language()
    try:
        importlib.import_module("cv2")  # first, so that a missing system library is told once and clearly
    except ImportError as error:
        print(f"error: OpenCV cannot start: {error}.\nOn Debian and Ubuntu run: {APT_LINE}", file=sys.stderr)
        raise SystemExit(1) from None
    from livestereo.cli.app import run

    code = 0
    try:
        run()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if not _still_busy():
            raise
    except Exception:  # a defect: told as Python tells it, and left by the same way
        if not _still_busy():
            raise
        traceback.print_exc()
        code = 1
    if _still_busy():
        # A matcher that is deep in OpenCV when the interpreter ends would abort the process with a message of
        # glibc's. Everything has been written and closed: leave without waiting for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _share_heaps() -> None:
    """Let threads share two heaps: with one each, glibc keeps for every thread what its largest pictures once took, and
    memory grows for minutes. Pictures are few and large, so nobody waits for the other.
    """
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries than glibc lack it
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 2)


def _speak_any_language() -> None:
    """Write a letter that the terminal's encoding lacks as its number, instead of ending with an error over it; nothing
    where a stream was closed from outside (`>&-`, a service)."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (until the end)
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (until the end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _still_busy() -> bool:
    return any(one.daemon and one.name.startswith("livestereo") for one in threading.enumerate())


if __name__ == "__main__":
    main()
