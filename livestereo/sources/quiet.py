"""Keep OpenCV's and FFmpeg's own chatter off the user's terminal: what matters we say ourselves.

Call `hush` before the first capture is made: FFmpeg's level is read once, when its backend starts.
"""

from __future__ import annotations

import os

import cv2


def hush() -> None:
    """Silence both, unless the user's environment says otherwise; idempotent."""
    # A driver that hangs gives control back after a second, not after ten, so that stopping stays prompt.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
