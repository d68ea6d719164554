"""Checks of time: rates, skew, and a picture that zooms or wanders by itself."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.matches import Matches, find_matches
from livestereo.diagnosis.evidence import Evidence, gray
from livestereo.diagnosis.following import followed
from livestereo.types import Finding

SKEW_MS = 8.0
USB2_MB_S = 35.0  # what two isochronous streams get of 60 MB/s, after the bus has had its share
USUAL_FPS = 30.0
BYTES_PER_PIXEL = {"YUYV": 2.0, "YUY2": 2.0, "UYVY": 2.0, "NV12": 1.5, "I420": 1.5, "BGR3": 3.0, "RGB3": 3.0}


def frame_rate(e: Evidence) -> Finding | None:
    """One camera slower than it should be, or half as fast as the other."""
    s = e.stats
    if not e.info.live or min(s.fps_left, s.fps_right) <= 0:
        return None
    slow, fast = sorted((s.fps_left, s.fps_right))
    side = "left" if s.fps_left < s.fps_right else "right"
    nominal = e.info.fps or 0.0
    if slow < 0.75 * fast or (nominal and slow < 0.75 * nominal):
        return Finding(
            "frame_rate", f"The {side} camera gives {slow:.0f} pictures per second, the other {fast:.0f}"
            + (f" (it should be {nominal:.0f})." if nominal else "."),
            "More light, or switch the dynamic frame rate off (exposure_dynamic_framerate); check the USB ports.", 0.88,
        )  # fmt: skip
    return Finding("frame_rate", f"{s.fps_left:.0f} and {s.fps_right:.0f} pictures per second.", ok=True)


def bandwidth(e: Evidence) -> Finding | None:
    """Two uncompressed streams on one USB port: it cannot carry both at full rate."""
    s, sizes = e.stats, (e.info.left_size_wh, e.info.right_size_wh)
    formats = e.info.capture.get("formats", ("", ""))
    buses = [_usb_bus(name) for name in (e.info.left_id, e.info.right_id)]
    if not e.info.live or min(s.fps_left, s.fps_right) <= 0 or None in buses or buses[0] != buses[1]:
        return None
    nominal = e.info.fps or USUAL_FPS
    plain = [name for name in formats if name in BYTES_PER_PIXEL]
    pixels = (float(np.prod(size or (0, 0))) for size in sizes)
    need = sum(n * BYTES_PER_PIXEL.get(name, 0.0) * nominal / 1e6 for n, name in zip(pixels, formats))
    slow = min(s.fps_left, s.fps_right) < 0.75 * nominal
    if len(plain) < 2 or need < USB2_MB_S or not slow:
        return Finding("bandwidth", "The USB port carries both cameras.", ok=True)
    return Finding(
        "bandwidth",
        f"Two uncompressed streams ({plain[0]}) need {need:.0f} MB/s; one USB 2 port carries about {USB2_MB_S:.0f}.",
        "Use --fourcc MJPG, a smaller --size or --fps, or plug one into another port of the computer itself.", 0.89,
    )  # fmt: skip


def _usb_bus(camera_id: str) -> str | None:
    """Number of the USB bus in a stable id such as `usb:046d-0825@1-2`; None where there is none."""
    bus, dash, _ = camera_id.rpartition("@")[2].partition("-")
    return bus if camera_id.startswith("usb:") and dash and bus.isdigit() else None


def skew(e: Evidence) -> Finding | None:
    """The two cameras do not fire together."""
    skews = [abs(f.skew_s) * 1e3 for f in e.frames]
    typical = float(np.median(skews))
    if not any(skews):
        return None
    if typical > SKEW_MS:
        return Finding(
            "skew", f"The cameras fire {typical:.0f} ms apart: what moves gets a wrong depth.",
            "Bring them together with --phase-search 4; `livestereo sync` measures how far apart they really expose."
            if e.info.live
            else "`livestereo sync` measures how far apart they really expose; --shift MS pairs films by it.",
            0.84,
        )  # fmt: skip
    return Finding("skew", f"The cameras fire {typical:.1f} ms apart.", ok=True)


def framing(e: Evidence) -> Finding | None:
    """One camera zooms, crops or stabilizes by itself: its picture changes scale or place, the other's does not."""
    if len(e.frames) < 4:
        return None
    moves = []
    for side in ("left", "right"):
        first, last = (gray(getattr(f, side).image) for f in (e.frames[0], e.frames[-1]))
        if first.shape != last.shape:
            return None
        tracked = followed(first, last)
        if tracked is None:
            return _zoomed_between(e)
        matrix, kept = cv2.estimateAffinePartial2D(*tracked, ransacReprojThreshold=1.5)
        if matrix is None or kept.mean() < 0.5:
            return _zoomed_between(e)
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        middle = np.array([first.shape[1] / 2, first.shape[0] / 2, 1.0])
        shift = float(np.linalg.norm(matrix @ middle - middle[:2])) * 640 / first.shape[1]
        moves.append((scale, shift))
    (left_scale, left_shift), (right_scale, right_shift) = moves
    zoomed = abs(np.log(left_scale / right_scale))
    wandered = abs(left_shift - right_shift)
    if zoomed > 0.012:
        side = "left" if abs(np.log(left_scale)) > abs(np.log(right_scale)) else "right"
        text = f"The {side} picture changed its scale by {100 * zoomed:.1f} % while the other did not"
    elif wandered > 6.0 and min(left_shift, right_shift) < 2.0:
        side = "left" if left_shift > right_shift else "right"
        text = f"The {side} picture wandered by {wandered:.0f} px while the other stood still"
    else:
        return Finding("framing", "Neither picture zooms or wanders by itself.", ok=True)
    return _framing(text)


def _framing(text: str) -> Finding:
    return Finding(
        "framing", f"{text}: automatic framing, stabilization or autofocus is on.",
        "Switch them off in the camera's own program, then calibrate again.", 0.87,
    )  # fmt: skip


def _zoomed_between(e: Evidence) -> Finding | None:
    """The same where the cameras move themselves, as in a car: the size of one picture in the other has changed."""
    first, last = e.frames[0], e.frames[-1]
    before = _relative_scale(find_matches(gray(first.left.image), gray(first.right.image)))
    after = _relative_scale(e.matches)
    if before is None or after is None or gray(last.left.image).shape != gray(last.right.image).shape:
        return None
    zoomed = abs(np.log(after / before))
    if zoomed <= 0.015:
        return Finding("framing", "Neither picture zooms by itself.", ok=True)
    return _framing(f"One picture changed its scale by {100 * zoomed:.1f} % against the other")


def _relative_scale(matches: Matches) -> float | None:
    """Size of things in the right picture by the left one, from heights alone, which depth does not change."""
    if not matches.enough or len(matches) < 60 or abs(matches.rotation_deg) > 20:
        return None
    y_left, y_right = matches.left_px[:, 1], matches.right_px[:, 1]
    keep = np.abs(y_right - y_left - np.median(y_right - y_left)) < 0.05 * np.ptp(y_left) + 2
    for _ in range(3):
        slope, start = np.polyfit(y_left[keep], y_right[keep], 1)
        off = np.abs(y_right - slope * y_left - start)
        keep = off < max(0.8, 2.5 * float(np.median(off[keep])))
        if keep.sum() < 40 or np.ptp(y_left[keep]) < 60:
            return None
    return float(slope)


def row_time(e: Evidence) -> Finding | None:
    """Rolling shutters that read out at different speeds: the skew differs from row to row."""
    # The worst row's skew, less what all rows share: that is told as skew.
    shared_ms = float(np.median([abs(f.skew_s) for f in e.frames])) * 1e3
    worst_ms = abs(e.stats.row_skew_s) * 1e3 - shared_ms
    if worst_ms <= 0:
        return None
    if worst_ms > SKEW_MS:
        return Finding(
            "row_time", f"From the top to the bottom row the skew changes by {worst_ms:.0f} ms.",
            "Use two cameras of one model, both the same way up.", 0.6,
        )  # fmt: skip
    return Finding("row_time", f"Rows differ by {worst_ms:.1f} ms.", ok=True)
