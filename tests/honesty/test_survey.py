"""The match over everything, on two planes of dots with exact truth."""

from __future__ import annotations

import cv2
import numpy as np

from livestereo.honesty.search import Range
from livestereo.honesty.survey import NOTHING, survey
from livestereo.types import U8

BEHIND_PX, BEFORE_PX = 8, 40
TOP, BOTTOM, LEFT, RIGHT = 60, 140, 160, 240  # of the nearer plane in the left view


def planes() -> tuple[U8, U8]:
    """A plane of dots before another one, (200, 320) uint8 each."""
    rng = np.random.default_rng(7)
    far, near = (rng.integers(0, 256, (200, 360)).astype(np.uint8).repeat(2, 1)[:, :400] for _ in range(2))
    left, right = far[:, :320].copy(), far[:, BEHIND_PX : 320 + BEHIND_PX].copy()
    left[TOP:BOTTOM, LEFT:RIGHT] = near[TOP:BOTTOM, LEFT:RIGHT]
    right[TOP:BOTTOM, LEFT - BEFORE_PX : RIGHT - BEFORE_PX] = near[TOP:BOTTOM, LEFT:RIGHT]
    return left, right


def test_it_tells_what_is_beyond_the_range_and_what_is_hidden() -> None:
    # The range ends before the nearer plane.
    seen = survey(*planes(), Range(0, 31, 0))
    before = slice(TOP // 2 + 4, BOTTOM // 2 - 4), slice(LEFT // 2 + 4, RIGHT // 2 - 4)
    assert np.abs(seen.left_px[before] - BEFORE_PX).max() <= 2  # a pixel of half size
    # What it hides is as wide as the disparities differ, on its left; a window's half belongs to either side.
    hidden = before[0], slice((LEFT - (BEFORE_PX - BEHIND_PX)) // 2 + 3, LEFT // 2 - 3)
    assert (seen.covering_px[hidden] == NOTHING).mean() > 0.9
    assert np.abs(np.median(seen.behind_px[hidden]) - BEHIND_PX) <= 1
    far = slice(4, TOP // 2 - 4), slice(20, 150)
    assert (seen.covering_px[far] > NOTHING).mean() > 0.97 and seen.agrees[far].mean() > 0.97
    assert np.abs(seen.left_px[far] - BEHIND_PX).mean() <= 1


def test_rows_are_those_of_the_whole() -> None:
    whole = survey(*planes(), Range(0, 31, 0))
    part = whole.rows(10, 30)
    for name in ("left_px", "agrees", "off_px", "behind_px", "covering_px"):
        assert np.array_equal(getattr(part, name), getattr(whole, name)[10:40])


def test_disparities_below_zero_are_looked_at_where_they_can_occur() -> None:
    left, _ = planes()
    seen = survey(left[:, :300], left[:, 12:312], Range(-4, 27, -20))
    assert np.abs(np.median(seen.left_px) - 12) <= 1
    seen = survey(left[:, 12:312], left[:, :300], Range(-16, 15, -20))
    assert np.abs(np.median(seen.left_px) + 12) <= 1


def test_what_is_equally_bright_is_told_by_its_colour() -> None:
    # Blue is changed against green so that the luma stays as it is: 0.114 B + 0.587 G + 0.299 R.
    noise = np.random.default_rng(5).integers(-9, 10, (120, 340)).astype(np.float32).repeat(2, 1)[:, :360]
    picture = np.stack([128 + noise * 0.587 / 0.114, 128 - noise, np.full_like(noise, 128)], axis=2)
    picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    left, right = picture[:, :320].copy(), picture[:, 12:332].copy()
    assert np.ptp(cv2.cvtColor(left, cv2.COLOR_BGR2GRAY)) <= 2
    seen = survey(left, right, Range(0, 31, 0))
    inside = slice(4, -4), slice(20, -4)
    assert (np.abs(seen.left_px[inside] - 12) <= 1).mean() > 0.95 and seen.agrees[inside].mean() > 0.95
