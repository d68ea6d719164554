"""Checks of the computer: display, OpenCV, packages, permission on the cameras."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from livestereo import display
from livestereo.types import Finding


def display_check() -> Finding:
    """Whether a window can be opened."""
    found = display.probe()
    if found.ok and sys.platform.startswith("linux") and not display.give_qt_its_events():
        return Finding(
            "display", "Now and then a window may stay black: the library libX11-xcb is missing.",
            "On Debian: apt install libx11-xcb1", 0.25,
        )  # fmt: skip
    if found.ok:
        return Finding("display", f"A display of {found.screen_wh[0]}x{found.screen_wh[1]} pixels answers.", ok=True)
    return Finding("display", found.why, "Run on a desktop, with --headless, or with --web for a browser.", 0.3)


def opencv_check() -> Finding:
    """Whether this build of OpenCV has what is needed."""
    missing = [name for name in ("ximgproc", "aruco") if not hasattr(cv2, name)]
    major = int(cv2.__version__.split(".")[0])
    if missing or major < 4:
        return Finding(
            "opencv", f"OpenCV {cv2.__version__} lacks {', '.join(missing) or 'what is needed'}.",
            "Install opencv-contrib-python 4.14 or newer, and no other opencv package beside it.", 0.95,
        )  # fmt: skip
    build = cv2.getBuildInformation()
    ffmpeg = "FFMPEG:                      YES" in build or "FFMPEG" in build.split("Video I/O:")[-1][:400]
    return Finding("opencv", f"OpenCV {cv2.__version__}" + (" with FFmpeg." if ffmpeg else "."), ok=True)


def packages_check() -> Finding:
    """Whether the optional libraries are there; none of them is needed."""
    import importlib.util

    wanted = {"numba": "fast", "viser": "view3d", "mcap": "mcap"}
    missing = [extra for module, extra in wanted.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return Finding("packages", "All optional libraries are installed.", ok=True)
    return Finding(
        "packages", f"Optional libraries are not installed: {', '.join(missing)}.",
        f"If you want them: pip install 'livestereo[{','.join(missing)}]'", 0.05, ok="fast" not in missing,
    )  # fmt: skip


def permission_check(devices: Sequence[Path] | None = None) -> Finding | None:
    """Whether the cameras' device files may be opened; None where there are none (or elsewhere than on Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    paths = sorted(Path("/dev").glob("video*")) if devices is None else list(devices)
    if not paths:
        return None
    refused = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    if not refused:
        return Finding("permission", f"All {len(paths)} camera devices may be opened.", ok=True)
    group = _group_of(refused[0])
    return Finding(
        "permission", f"{', '.join(map(str, refused))} may not be opened by this user.",
        f"Run: sudo usermod -aG {group} $USER, then log in again.", 1.0,
    )  # fmt: skip


def _group_of(path: Path) -> str:
    import grp  # not on Windows, where this is never reached

    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"


def environment() -> list[Finding]:
    """Run all checks of the computer."""
    found = [display_check(), opencv_check(), packages_check(), permission_check()]
    return [finding for finding in found if finding is not None]
