"""A scene of two layers whose every view and depth are exact: a textured wall and a square before it."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.rectify import Rectification
from livestereo.depth import depth_from_disparity
from livestereo.render.effects import EffectScene
from livestereo.types import Frame, MatchResult, RectifiedPair, StereoFrame, StereoResult

W, H = 160, 120
WALL_PX, SQUARE_PX = 8, 24
SQUARE = (slice(40, 90), slice(60, 110))  # in the left view
RECT = Rectification(size_wh=(W, H), focal_px=160.0, cx_px=79.5, cy_px=59.5, baseline_m=0.1)  # f·B = 16
WALL_M, SQUARE_M = 16 / WALL_PX, 16 / SQUARE_PX


def texture(seed: int, height: int, width: int, tint: tuple[int, int, int]) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.2)
    noise /= noise.std()
    return np.clip(np.array(tint, np.float32) + 28 * noise[:, :, None], 0, 255).astype(np.uint8)


_WALL = texture(1, H, W + 2 * WALL_PX, (150, 140, 60))
_FRONT = texture(2, 50, 50, (50, 70, 190))


def view(t: float) -> np.ndarray:
    """The exact view from the place t between the cameras; t · disparity must be whole pixels."""
    wall, front = t * WALL_PX, t * SQUARE_PX
    assert wall == int(wall) and front == int(front)
    image = _WALL[:, int(wall) : int(wall) + W].copy()
    image[SQUARE[0], SQUARE[1].start - int(front) : SQUARE[1].stop - int(front)] = _FRONT
    return image


def true_disparity() -> np.ndarray:
    disparity = np.full((H, W), WALL_PX, np.float32)
    disparity[SQUARE] = SQUARE_PX
    return disparity


def scene(quick: bool = False) -> EffectScene:
    return EffectScene(view(0), view(1), true_disparity(), np.ones((H, W), bool), RECT, quick)


def result(seq: int = 0, t_s: float = 0.0, disparity: np.ndarray | None = None, turns: int = 0) -> StereoResult:
    import dataclasses

    rect = dataclasses.replace(RECT, display_turns=turns)
    d = true_disparity() if disparity is None else disparity
    left, right = view(0), view(1)
    frame = StereoFrame(Frame(left, t_s, seq), Frame(right, t_s, seq), seq)
    gray = [cv2.cvtColor(i, cv2.COLOR_BGR2GRAY) for i in (left, right)]
    pair = RectifiedPair(frame, rect, *gray)
    return StereoResult(frame, pair, MatchResult(d), depth_from_disparity(d, rect.focal_px, rect.baseline_m))
