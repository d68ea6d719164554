"""Start the command line; a system library that OpenCV lacks is told as the line that installs it."""

from __future__ import annotations

import os
import signal
import sys
import threading

APT_LINE = "sudo apt-get install -y libgl1 libglib2.0-0 libsm6"


def main() -> None:
    """Run `livestereo`; an interrupt while it is still starting leaves with 130 like any other."""
    # A polite request to end is an interrupt: what is half-made is taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(130) from None


def _run() -> None:
    # Our matrices are small: on a busy computer threads of the linear algebra cost ten times what they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import cv2  # noqa: F401  (first, so that a missing system library is told once and clearly)
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
    if _still_busy():
        # A matcher that is deep in OpenCV when the interpreter ends would abort the process with a message of
        # glibc's. Everything has been written and closed: leave without waiting for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _still_busy() -> bool:
    return any(one.daemon and one.name.startswith("livestereo") for one in threading.enumerate())


if __name__ == "__main__":
    main()
