"""Two cameras may give pictures of different sizes: points are followed from one to the other all the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from livestereo.sync.points import PointTracker

STEP = 3  # px per frame that the picture moves down, at 640 wide


def film(size_wh: tuple[int, int], frames: int = 5) -> list[np.ndarray]:
    """A texture that moves down, seen by a camera of this size; rows that a lower picture lacks are cut off."""
    world = cv2.GaussianBlur(np.random.default_rng(4).integers(0, 256, (700, 640)).astype(np.uint8), (0, 0), 4)
    world = cv2.normalize(world, None, 0, 255, cv2.NORM_MINMAX)
    width, height = size_wh
    pictures = []
    for number in range(frames):
        top = 100 - STEP * number
        seen = world[top : top + round(height * 640 / width)]
        pictures.append(cv2.resize(seen, size_wh, interpolation=cv2.INTER_AREA))
    return pictures


@pytest.mark.parametrize("right_wh", [(640, 480), (320, 240), (960, 720), (640, 360), (320, 180)])
@pytest.mark.parametrize("left_wh", [(640, 480), (320, 240)])
def test_points_and_velocity_are_in_pixels_of_each_camera(left_wh: tuple[int, int], right_wh: tuple[int, int]) -> None:
    tracker = PointTracker()
    for number, (left, right) in enumerate(zip(film(left_wh), film(right_wh))):
        tracker.add(number, left, right)
    assert [one.index for one in tracker.points] == [1, 2, 3]
    scale = right_wh[0] / left_wh[0]
    for one in tracker.points:
        assert len(one.left) > 20
        np.testing.assert_allclose((one.left + 0.5) * scale - 0.5, one.right, atol=0.5 * max(1, scale))
        down = STEP * right_wh[0] / 640
        np.testing.assert_allclose(np.median(one.velocity, axis=0), (0, down), atol=0.1 * max(1, scale))
        assert one.right[:, 1].max() < right_wh[1]
