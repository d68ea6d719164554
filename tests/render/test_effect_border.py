"""What lies beside a near thing at the left border is the thing's or the background's, as its colour says."""

from __future__ import annotations

import numpy as np
import pytest

from livestereo.render.effects.fill import fill_disparity

HEIGHT, WIDTH = 160, 240
WALL_PX, THING_PX = 6.0, 30.0
ROWS, COLUMNS = slice(50, 110), slice(20, 100)
NAN = np.float32(np.nan)


def scene(thing_from: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, what a matcher gives (nothing in the strip that the right camera does not see), and the picture."""
    rng = np.random.default_rng(5)
    truth = np.full((HEIGHT, WIDTH), WALL_PX, np.float32)
    truth[ROWS, thing_from : COLUMNS.stop] = THING_PX
    colour = np.where((truth == THING_PX)[..., None], (170, 90, 50), (90, 120, 140))
    picture = np.clip(colour + rng.normal(0, 12, colour.shape), 0, 255).astype(np.uint8)
    columns = np.arange(WIDTH, dtype=np.float32)
    matched = np.where(columns[None] < truth, NAN, truth)
    matched[ROWS, : int(THING_PX)] = NAN  # what the right camera does not see, or the thing hides from it
    return truth, matched.astype(np.float32), picture


@pytest.mark.parametrize("thing_from", [20, 0])
def test_the_strip_that_the_right_camera_does_not_see(thing_from: int) -> None:
    truth, matched, picture = scene(thing_from)
    filled = fill_disparity(matched, picture)
    wrong = np.abs(filled - truth) > 2
    assert wrong[:, : COLUMNS.stop].mean() < 0.02
