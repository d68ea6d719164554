"""A finished pair once more in fewer pixels, for what need not be known of each one. Pure."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from livestereo.types import F32, U8, Frame, MatchResult, RectifiedPair, StereoFrame, StereoResult


def step_for(pixels: int, most: int) -> int:
    """Give the power of two by which both sides must be divided so that at most `most` pixels are left."""
    step = 1
    while pixels > most * step * step:
        step *= 2
    return step


def smaller(result: StereoResult, step: int) -> StereoResult:
    """Give the result with both sides divided by `step`; what is left over at the right and below is left out.

    Pictures are averaged, disparity and depth are those of the middle pixel. Its explanation is that of the small one.
    """
    pair = result.pair

    def averaged(picture: U8) -> U8:
        h, w = (side // step for side in picture.shape[:2])
        whole = np.ascontiguousarray(picture[: h * step, : w * step])
        return np.asarray(cv2.resize(whole, (w, h), interpolation=cv2.INTER_AREA), np.uint8)

    def picked(values: F32) -> F32:
        h, w = (side // step * step for side in values.shape)
        return np.ascontiguousarray(values[step // 2 : h : step, step // 2 : w : step])

    at, share = pair.rectification, 1 / step
    left, right = averaged(pair.left_gray), averaged(pair.right_gray)
    x, y, w, h = at.roi
    rectification = dataclasses.replace(
        at, size_wh=(left.shape[1], left.shape[0]), focal_px=at.focal_px * share, doffs_px=at.doffs_px * share,
        cx_px=(at.cx_px + 0.5) * share - 0.5, cy_px=(at.cy_px + 0.5) * share - 0.5,
        roi=(x // step, y // step, w // step, h // step), maps={}, source_size_wh={},
    )  # fmt: skip
    frames = [
        Frame(averaged(view), frame.t_s, frame.seq)
        for view, frame in ((pair.left, result.frame.left), (pair.right, result.frame.right))
    ]
    own = result.match.confidence
    frame = StereoFrame(frames[0], frames[1], result.frame.seq, name=result.frame.name)
    return StereoResult(
        frame=frame,
        pair=RectifiedPair(frame, rectification, left, right),
        match=MatchResult(
            picked(result.disparity_px) * np.float32(share), confidence=None if own is None else picked(own)
        ),
        depth_m=picked(result.depth_m),
        explain=result.explain,
        settings=result.settings,
    )
