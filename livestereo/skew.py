"""What it costs when two cameras do not expose at the same moment: as depth, and row by row. Pure."""

from __future__ import annotations

from typing import Literal

Turn = Literal["none", "h", "v", "180", "90", "270"]
WALKING_M_PER_S = 1.0


def skew_depth_error_m(
    skew_s: float, depth_m: float, baseline_m: float, speed_m_per_s: float = WALKING_M_PER_S
) -> float:
    """Depth error of something that moves sideways at `speed_m_per_s` while the cameras are `skew_s` apart.

    In that time it moves by v·t, which shifts its picture by f·v·t/Z px; that much disparity is
    Z²/(f·B) · f·v·t/Z = Z·v·|t|/B of depth, whatever the focal length.
    """
    return abs(skew_s) * speed_m_per_s * depth_m / baseline_m


def row_skews_s(
    skew_s: float, readout_s: tuple[float, float], turns: tuple[Turn, Turn] = ("none", "none")
) -> tuple[float, float]:
    """Skew of the first and of the last row of the upright pictures, right − left.

    skew_s: between the first rows that the two sensors read. readout_s: from the first row to the last, left
    and right; 0 for a global shutter. turns: how each picture was turned: a camera that hangs upside down reads
    its last row first. Between the two rows skew is linear.
    """
    at_top, at_bottom = [], []
    for readout, turn in zip(readout_s, turns):
        first, last = (readout, 0.0) if turn in ("180", "v") else (0.0, readout)
        if turn in ("90", "270"):
            # Rows became columns: every upright row holds all times, so its middle stands for it.
            first = last = readout / 2
        at_top.append(first)
        at_bottom.append(last)
    return skew_s + at_top[1] - at_top[0], skew_s + at_bottom[1] - at_bottom[0]


def worst_row_skew_s(
    skew_s: float, readout_s: tuple[float, float], turns: tuple[Turn, Turn] = ("none", "none")
) -> float:
    """Skew of the row where it is largest, with its sign, right − left."""
    return max(row_skews_s(skew_s, readout_s, turns), key=abs)
