"""Checks of what is looked at: no texture, repeated texture. True words about a scene rank behind every fault."""

from __future__ import annotations

import cv2
import numpy as np

from livestereo.diagnosis.evidence import Evidence
from livestereo.types import Finding


def texture(e: Evidence) -> Finding | None:
    """Large parts where nothing can be matched because nothing is to be seen."""
    picture = e.grays[0]
    field = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0)
    across = np.abs(cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=1 / 8))
    # Only steps along the row tell where a point is on its row.
    local = cv2.boxFilter(across, -1, (15, 15))
    blank = float(np.mean(local < 0.8))
    if blank < 0.6:
        return Finding("texture", f"{100 * blank:.0f} % of the picture has no texture.", ok=True)
    return Finding(
        "texture", f"{100 * blank:.0f} % of the picture has no texture along the row: there is nothing to match.",
        "Add texture (a pattern projector, a poster), or accept holes there.", 0.5 if blank > 0.8 else 0.4,
    )  # fmt: skip


def repetition(e: Evidence) -> Finding | None:
    """A texture that repeats along the row within the disparity range: matches are ambiguous."""
    picture = e.grays[0]
    width = 480
    scale = min(1.0, width / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= cv2.GaussianBlur(small, (0, 0), 12)
    window = (41, 7)
    energy = cv2.boxFilter(small * small, -1, window)
    strong = energy > 36
    if strong.mean() < 0.02:
        return Finding("repetition", "No repeated texture.", ok=True)
    peak = np.zeros(small.shape, np.float32)
    dip_seen = np.zeros(small.shape, bool)
    for lag in range(4, 70, 2):
        moved = np.roll(small, lag, axis=1)
        cross = cv2.boxFilter(small * moved, -1, window)
        other = cv2.boxFilter(moved * moved, -1, window)
        similar = cross / np.sqrt(np.maximum(energy * other, 1e-6))
        # A peak counts only behind a dip: smooth things resemble themselves at every small lag.
        dip_seen |= similar < 0.2
        peak = np.where(dip_seen, np.maximum(peak, similar), peak)
    share = float(np.mean((peak > 0.85) & strong))
    if share < 0.12:
        return Finding("repetition", f"{100 * share:.0f} % of the picture repeats itself along the row.", ok=True)
    return Finding(
        "repetition", f"{100 * share:.0f} % of the picture repeats itself along the row: matches there are ambiguous.",
        "Turn the cameras a little, or use --min-depth and --max-depth to narrow the range.", 0.45,
    )  # fmt: skip
