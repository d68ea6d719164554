"""A small result with known depth, for tests of everything that is drawn."""

from __future__ import annotations

import dataclasses

import numpy as np

from calibration.rectify import Rectification
from livestereo.types import Frame, MatchResult, Reason, RectifiedPair, StereoFrame, StereoResult

FOCAL_PX, BASELINE_M = 500.0, 0.06


def make_result(
    width: int = 64, height: int = 48, *, depth_m: float = 2.0, seq: int = 0, turns: int = 0, explained: bool = False
) -> StereoResult:
    """A plane at `depth_m` with a hole in its left upper quarter; the left picture is red, the right one blue."""
    left = np.zeros((height, width, 3), np.uint8)
    left[..., 2] = 200
    right = np.zeros((height, width, 3), np.uint8)
    right[..., 0] = 200
    depth = np.full((height, width), depth_m, np.float32)
    depth[: height // 2, : width // 2] = np.nan
    disparity = (FOCAL_PX * BASELINE_M / depth).astype(np.float32)
    frame = StereoFrame(Frame(left, seq / 30, seq), Frame(right, seq / 30, seq), seq, 0.0012)
    rectification = Rectification(
        (width, height), FOCAL_PX, width / 2, height / 2, BASELINE_M, roi=(0, 0, width, height), display_turns=turns
    )
    gray = np.full((height, width), 100, np.uint8)
    hole = np.isnan(depth)
    match = MatchResult(disparity)
    full = dataclasses.replace(
        match,
        confidence=np.where(hole, np.nan, 0.8).astype(np.float32),
        reason=np.where(hole, int(Reason.OCCLUDED), 0).astype(np.uint8),
        sigma_px=np.where(hole, np.nan, 0.25).astype(np.float32),
    )
    pair = RectifiedPair(frame, rectification, gray, gray)
    explain = (lambda _: full) if explained else None
    return StereoResult(frame, pair, match, depth, finished_s=seq / 30 + 0.1, explain=explain)
