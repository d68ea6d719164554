"""Checks of time: rates, skew, and a picture that zooms or wanders by itself."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.matches import Matches, find_matches
from livestereo.diagnosis.evidence import Evidence, gray
from livestereo.types import U8, Finding

SKEW_MS = 8.0


def frame_rate(e: Evidence) -> Finding | None:
    """One camera slower than asked for, or half as fast as the other."""
    s = e.stats
    if not e.info.live or min(s.fps_left, s.fps_right) <= 0:
        return None
    slow, fast = sorted((s.fps_left, s.fps_right))
    side = "left" if s.fps_left < s.fps_right else "right"
    nominal = e.info.fps or 0.0
    if slow < 0.75 * fast or (nominal and slow < 0.75 * nominal):
        return Finding(
            "frame_rate", f"The {side} camera gives {slow:.0f} pictures per second, the other {fast:.0f}"
            + (f" (asked for: {nominal:.0f})." if nominal else "."),
            "More light, or switch the dynamic frame rate off (exposure_dynamic_framerate); check the USB ports.", 0.88,
        )  # fmt: skip
    return Finding("frame_rate", f"{s.fps_left:.0f} and {s.fps_right:.0f} pictures per second.", ok=True)


def skew(e: Evidence) -> Finding | None:
    """The two cameras do not fire together."""
    skews = [abs(f.skew_s) * 1e3 for f in e.frames]
    typical = float(np.median(skews))
    if not any(skews):
        return None
    if typical > SKEW_MS:
        return Finding(
            "skew", f"The cameras fire {typical:.0f} ms apart: what moves gets a wrong depth.",
            "Bound it with --max-skew; opening one camera again changes it.", 0.84,
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
        tracked = _tracked(first, last)
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


def _tracked(first: U8, last: U8) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Follow corners from one picture to another, both ways; (N,2) each, or None with too few."""
    corners = cv2.goodFeaturesToTrack(first, 400, 0.01, 8)
    if corners is None or len(corners) < 30:
        return None
    flow: Any = cv2.calcOpticalFlowPyrLK  # its stub does not know that the second points may be None
    there, ok, _ = flow(first, last, corners, None, winSize=(21, 21), maxLevel=4)
    back, ok_back, _ = flow(last, first, there, None, winSize=(21, 21), maxLevel=4)
    same = np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < 0.5
    good = same & (ok.reshape(-1) > 0) & (ok_back.reshape(-1) > 0)
    if good.sum() < 30:
        return None
    return corners.reshape(-1, 2)[good].astype(np.float32), there.reshape(-1, 2)[good].astype(np.float32)


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
