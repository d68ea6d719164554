"""Points followed from one picture of a camera to a later one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.diagnosis.evidence import Evidence, gray
from livestereo.types import U8

MOST_CORNERS = 400
LEAST = 30
ONE_SCENE = 0.5  # pictures of different things keep a tenth of their corners, by chance


def followed(first: U8, last: U8) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Follow corners from one picture to another, both ways; (N,2) each, or None with fewer than 30."""
    _, there, here = _follow(first, last)
    return (there, here) if len(there) >= LEAST else None


def one_scene(e: Evidence) -> bool:
    """Whether each left picture shows what the one before it showed; photos of different things do not."""
    pictures = [_even_rows(gray(frame.left.image)) for frame in e.frames]
    shares = []
    for first, last in pairwise(pictures):
        if first.shape != last.shape:
            return False
        count, kept, _ = _follow(first, last)
        shares.append(len(kept) / max(count, 1))
    return float(np.median(shares)) > ONE_SCENE


def _follow(first: U8, last: U8) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
    """How many corners there were, and those that were followed there and back: places before and after, (N,2)."""
    none = np.zeros((0, 2), np.float32)
    corners = cv2.goodFeaturesToTrack(first, MOST_CORNERS, 0.01, 8)
    if corners is None or len(corners) < LEAST:
        return 0, none, none
    flow: Any = cv2.calcOpticalFlowPyrLK  # its stub does not know that the second points may be None
    there, ok, _ = flow(first, last, corners, None, winSize=(21, 21), maxLevel=4)
    back, ok_back, _ = flow(last, first, there, None, winSize=(21, 21), maxLevel=4)
    same = np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < 0.5
    good = same & (ok.reshape(-1) > 0) & (ok_back.reshape(-1) > 0)
    places = corners.reshape(-1, 2)[good], there.reshape(-1, 2)[good]
    return len(corners), places[0].astype(np.float32), places[1].astype(np.float32)


def _even_rows(picture: U8) -> U8:
    """The picture with every row as bright as the others, so that bands of light do not hide that it is the same."""
    field = picture.astype(np.float32)
    return np.asarray(np.clip(110 * field / np.maximum(field.mean(axis=1, keepdims=True), 4), 0, 255), np.uint8)
