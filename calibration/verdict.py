"""Say whether a calibration is good, usable or bad, why, and what to do, in words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.solution import Verdict

# What calibration alone may do to a disparity before it is worse than the matching itself (about 1/4 px).
GOOD_DISPARITY_PX, USABLE_DISPARITY_PX = 0.25, 1.0
# Depth that a person calls exact, whatever the disparity says.
GOOD_DEPTH_PERCENT, USABLE_DEPTH_PERCENT = 1.0, 5.0
# Rows that differ by more than this cost matches: StereoSGBM loses noticeably above half a pixel.
GOOD_VERTICAL_PX, USABLE_VERTICAL_PX = 0.35, 1.0
GOOD_RMS_PX, USABLE_RMS_PX = 0.6, 2.0
# σ of pairs over σ of each camera alone. 1 where both fire together; above the first the user is told, above the
# second the lens is taken from each camera alone.
SYNC_DOUBT, SYNC_LOST = 1.25, 1.5
GOOD_VIEWS = 10
# Share of pairs left out beyond which the rest may be right by chance.
MANY_APART = 0.2


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons, worst first."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(figures: dict[str, Any]) -> Judgement:
    """Judge a solve by its figures: rms_px, heldout_px, vertical_px, disparity_px and depth_percent (predicted, at
    `at`), sync_ratio, sync_doubt, sync_lost, views, poses (different ones), apart, rectifiable, why_not."""
    bad: list[str] = []
    usable: list[str] = []

    def grade(value: float, good: float, fair: float, text: str) -> None:
        if not np.isfinite(value) or value <= good:
            return
        (usable if value <= fair else bad).append(text)

    if not figures["rectifiable"]:
        bad.append(figures["why_not"])
    ratio = figures["sync_ratio"]
    if ratio > figures["sync_lost"]:
        text = (
            f"The cameras do not fire together, or the board moved: pairs fit {ratio:.1f} times worse than each camera "
            "alone. Hold the board still against something for every picture, or synchronise the cameras."
        )
        (bad if figures["apart"] > 0.5 * (figures["views"] + figures["apart"]) else usable).append(text)
    elif ratio > figures["sync_doubt"]:
        usable.append(
            f"Pairs fit {ratio:.2f} times worse than each camera alone: the board was not quite still (a rolling "
            "shutter bends it then), or the cameras do not fire at the same moment."
        )
    total = figures["views"] + figures["apart"]
    if ratio <= figures["sync_lost"] and figures["apart"] > MANY_APART * total:
        usable.append(
            f"{figures['apart']} of {total} pairs do not fit the others and were left out; hold the board still."
        )
    vertical = figures["heldout_px"] if np.isfinite(figures["heldout_px"]) else figures["vertical_px"]
    grade(
        vertical, GOOD_VERTICAL_PX, USABLE_VERTICAL_PX,
        f"Rows of the rectified pair differ by {vertical:.2f} px on views that were not used; below "
        f"{GOOD_VERTICAL_PX} px is good.",
    )  # fmt: skip
    grade(
        figures["rms_px"], GOOD_RMS_PX, USABLE_RMS_PX,
        f"Corners are {figures['rms_px']:.2f} px off; below {GOOD_RMS_PX} px is good. Blurred pictures, a soft board "
        "or a lens that focuses by itself do this.",
    )  # fmt: skip
    disparity, percent = figures["disparity_px"], figures["depth_percent"]
    if np.isfinite(disparity) and disparity > GOOD_DISPARITY_PX and percent > GOOD_DEPTH_PERCENT:
        fair = disparity <= USABLE_DISPARITY_PX or percent <= USABLE_DEPTH_PERCENT
        (usable if fair else bad).append(
            f"Depth is uncertain by {percent:.1f} % (1 σ) at {figures['at']}: take more views, at more distances, "
            "tilted each way, and in the corners of both pictures."
        )
    if figures["views"] < GOOD_VIEWS:
        usable.append(f"Only {figures['views']} pairs count; {GOOD_VIEWS} or more are needed for a sure result.")
    elif figures["poses"] < GOOD_VIEWS:
        usable.append(
            f"The pairs show the board at only {figures['poses']} different places; {GOOD_VIEWS} or more are needed "
            "for a sure result."
        )
    if bad:
        return Judgement("bad", (*bad, *usable))
    if usable:
        return Judgement("usable", tuple(usable))
    return Judgement("good", ("The views agree with one another, and the predicted depth error is small.",))
