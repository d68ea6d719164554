"""Start the command line; a system library that OpenCV lacks is told as the line that installs it."""

from __future__ import annotations

import sys

APT_LINE = "sudo apt-get install -y libgl1 libglib2.0-0 libsm6"


def main() -> None:
    """Run `livestereo`."""
    try:
        import cv2  # noqa: F401  (first, so that a missing system library is told once and clearly)
    except ImportError as error:
        print(f"error: OpenCV cannot start: {error}.\nOn Debian and Ubuntu run: {APT_LINE}", file=sys.stderr)
        raise SystemExit(1) from None
    from livestereo.cli.app import run

    run()


if __name__ == "__main__":
    main()
