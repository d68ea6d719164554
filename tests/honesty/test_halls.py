"""The random rooms that honest depth is fitted on: what is told of them is what their pictures show."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.honesty_halls import make_hall


@pytest.mark.parametrize("seed", [12, 18])
def test_truth_lays_the_right_picture_over_the_left_one(seed: int) -> None:
    hall = make_hall(seed)
    # Slopes: the cameras are exposed differently.
    left, right = (
        cv2.Sobel(
            hall.rectification.apply(np.asarray(cv2.cvtColor(one.image, cv2.COLOR_BGR2GRAY), np.uint8), side),
            cv2.CV_32F,
            1,
            0,
        )
        for one, side in ((hall.frame.left, "left"), (hall.frame.right, "right"))
    )
    truth = hall.truth
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in left.shape[::-1]))

    def alike(extra_px: float) -> float:
        moved = cv2.remap(right, x - truth.disparity_px - np.float32(extra_px), y, cv2.INTER_LINEAR)
        return float(np.corrcoef(left[truth.visible], moved[truth.visible])[0, 1])

    assert alike(0) > 0.5
    assert alike(0) > 0.2 + max(alike(-2), alike(2))
