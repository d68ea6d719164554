"""Whether left and right are exchanged, where disparities alone do not tell: hidden is what is farther."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.order import SURE, exchanged
from calibration.uncalibrated import rectify_pair

U8 = NDArray[np.uint8]
WALL_PX, THING_PX = 6, 22


def cards(seed: int = 0, things: int = 14) -> tuple[U8, U8]:
    """A striped wall and plain-coloured, speckled cards before it, as two parallel cameras see them."""
    rng = np.random.default_rng(seed)
    height, width, more = 240, 400, 40

    def speckled(h: int, w: int, colour: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(colour + rng.normal(0, 14, (h, w, 1)))

    wall = speckled(height, width + 2 * more, np.array([150.0, 160, 120]))
    left, right = wall[:, more : more + width].copy(), wall[:, more + WALL_PX : more + WALL_PX + width].copy()
    for _ in range(things):
        h, w = rng.integers(30, 60), rng.integers(25, 50)
        y, x = rng.integers(0, height - h), rng.integers(THING_PX + 10, width - w - 10)
        card = speckled(h, w, rng.uniform(20, 230, 3))
        left[y : y + h, x : x + w] = card
        right[y : y + h, x - THING_PX : x - THING_PX + w] = card
    one, other = (np.clip(side, 0, 255).astype(np.uint8) for side in (left, right))
    return one, other


@pytest.mark.parametrize("shift", [0, 16, 40])
def test_order_is_told_whatever_the_sign_of_disparity(shift: int) -> None:
    left, right = cards()
    if shift:
        left, right = left[:, shift:], right[:, :-shift]
    low, high = WALL_PX - shift, THING_PX - shift
    assert exchanged(left, right, low, high) < -SURE
    assert exchanged(right, left, -high, -low) > SURE
    gray = [side.mean(axis=2).astype(np.uint8) for side in (left, right)]
    assert exchanged(gray[0], gray[1], low, high) < 0


def test_where_nothing_hides_nothing_is_told() -> None:
    left, right = cards(things=0)
    assert abs(exchanged(left, right, WALL_PX - 3, WALL_PX + 3)) < SURE
    assert exchanged(left, right, -900, 900) == 0
    blank = np.full_like(left, 90)
    assert exchanged(blank, blank, 0, 20) == 0


def test_a_rectified_pair_that_was_exchanged_or_shifted_is_rectified_as_it_is() -> None:
    left, right = cards()
    turned = rectify_pair(right, left)
    assert turned.maps and any("stands to the left" in note for note in turned.notes)
    shifted = rectify_pair(np.ascontiguousarray(left[:, 40:]), np.ascontiguousarray(right[:, :-40]))
    assert not shifted.maps and shifted.min_disparity_px is not None and shifted.min_disparity_px < WALL_PX - 40
    assert shifted.doffs_px > 40 - WALL_PX
