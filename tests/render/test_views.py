from __future__ import annotations

import numpy as np
import pytest
from render_scenes import make_result

from livestereo.render.colorize import REASON_BGR, DepthRange
from livestereo.render.views import (
    VIEWS,
    Look,
    anaglyph,
    displayed_size,
    panes_of,
    picture,
    reason_entries,
    to_displayed,
    to_rectified,
    with_lines,
)
from livestereo.types import Reason

LOOK = Look(DepthRange(0.5, 5))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("explained", [False, True])
@pytest.mark.parametrize("turns", [0, 1])
def test_every_view_is_a_picture_of_the_displayed_size(view: str, explained: bool, turns: int) -> None:
    result = make_result(64, 48, explained=explained, turns=turns)
    w, h = displayed_size(result)
    assert (w, h) == ((48, 64) if turns else (64, 48))
    for pane in panes_of(view):
        shown = picture(pane, result, LOOK)
        assert shown.shape == (h, w, 3) and shown.dtype == np.uint8


def test_left_and_right_are_the_pictures() -> None:
    result = make_result()
    assert picture("left", result, LOOK)[0, 0].tolist() == [0, 0, 200]
    assert picture("right", result, LOOK)[0, 0].tolist() == [200, 0, 0]


def test_depth_is_thinned_before_it_is_coloured_so_that_no_depths_mix() -> None:
    result = make_result(64, 48)
    small = picture("depth", result, LOOK, (32, 24))
    assert small.shape == (24, 32, 3)
    full = picture("depth", result, LOOK)
    colours = [{tuple(p) for p in part.reshape(-1, 3).tolist()} for part in (small[13:, 17:], full[26:, 34:])]
    assert colours[0] == colours[1]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_positions_follow_the_turn_for_display(turns: int) -> None:
    result = make_result(6, 4, turns=turns)
    tagged = np.arange(24).reshape(4, 6)
    shown = result.pair.rectification.to_display(tagged)
    for v in range(shown.shape[0]):
        for u in range(shown.shape[1]):
            x, y = to_rectified(u, v, result)
            assert tagged[int(y), int(x)] == shown[v, u]
            assert to_displayed(x, y, result) == (u, v)


def test_lines_are_level_and_leave_the_picture_alone() -> None:
    image = np.full((96, 40, 3), 50, np.uint8)
    lined = with_lines(image)
    assert (image == 50).all()
    rows = np.nonzero((lined != 50).any(axis=(1, 2)))[0]
    assert len(rows) == 12  # every 8 px of 96
    assert all((lined[row] == lined[row, 0]).all() for row in rows)


def test_anaglyph_gives_red_to_the_left_eye() -> None:
    white, black = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 3), np.uint8)
    only_left, only_right = anaglyph(white, black)[0, 0], anaglyph(black, white)[0, 0]
    assert only_left[2] > 200 and only_left[0] < 30 and only_left[1] < 30
    assert only_right[2] < 30 and only_right[0] > 200 and only_right[1] > 200
    # Dubois's rows sum to 1 within 0.01 for red and green, 0.1 for blue, so white stays nearly white.
    assert (anaglyph(white, white)[0, 0] > 225).all()


def test_reasons_are_listed_with_their_share() -> None:
    result = make_result(64, 48, explained=True)
    assert reason_entries(result.reason) == [(REASON_BGR[Reason.OCCLUDED], "hidden from the right camera  25 %")]
    assert "no reasons" in reason_entries(None)[0][1]
