from __future__ import annotations

import numpy as np
import pytest

from livestereo.render.text import SIZES, draw_text, ellipsis, line_height, nearest_size, text_mask, text_width, wrap


def test_text_is_anti_aliased_and_inside_its_box() -> None:
    canvas = np.zeros((40, 300, 3), np.uint8)
    width = draw_text(canvas, "Depth 1.23 m ± 4 mm", 10, 5, 14, (255, 255, 255))
    ink = canvas.any(axis=2)
    rows, columns = np.nonzero(ink)
    assert columns.min() >= 8 and columns.max() <= 10 + width + 1
    assert rows.min() >= 5 and rows.max() < 5 + line_height(14)
    values = np.unique(canvas)
    assert ((values > 0) & (values < 255)).sum() > 5  # shades between ink and ground


@pytest.mark.parametrize(("x", "y"), [(-20, 0), (0, -8), (290, 30), (1000, 1000), (-1000, -1000)])
def test_text_over_the_edge_is_clipped(x: int, y: int) -> None:
    canvas = np.zeros((40, 300, 3), np.uint8)
    draw_text(canvas, "clipped", x, y, 16, (255, 255, 255))
    room = np.zeros((2100, 2300, 3), np.uint8)  # all of it has room here
    draw_text(room, "clipped", x + 1010, y + 1010, 16, (255, 255, 255))
    assert room.any() and np.array_equal(canvas, room[1010:1050, 1010:1310])


def test_anchors() -> None:
    masses = {}
    for anchor in ("left", "middle", "right"):
        canvas = np.zeros((30, 200, 3), np.uint8)
        draw_text(canvas, "HHHH", 100, 0, 16, (255, 255, 255), anchor=anchor)  # type: ignore[arg-type]
        masses[anchor] = np.nonzero(canvas.any(axis=(0, 2)))[0].mean()
    assert masses["right"] < masses["middle"] < masses["left"]
    assert masses["middle"] == pytest.approx(100, abs=2)


def test_unknown_characters_do_not_crash_and_take_the_place_of_one() -> None:
    assert text_width("漢", 14) == text_width("?", 14)
    assert text_mask("漢字\n\t", 14).any()


def test_every_size_has_every_letter_of_the_interface() -> None:
    for size in SIZES:
        for weight in ("regular", "medium"):
            for character in "0Aa±×−–σ°·…≈→✓●":
                mask = text_mask(character, size, weight)  # type: ignore[arg-type]
                assert mask.any(), (size, weight, character)
                # Not the stand-in for a missing letter.
                assert not np.array_equal(mask, text_mask("?", size, weight))  # type: ignore[arg-type]


def test_digits_have_one_width_so_that_figures_stand_still() -> None:
    for size in SIZES:
        assert len({text_width(d, size) for d in "0123456789"}) == 1, size


def test_sizes_between_are_rounded_down() -> None:
    assert nearest_size(17) == 16
    assert nearest_size(3) == SIZES[0]
    assert nearest_size(100) == SIZES[-1]


def test_ellipsis_and_wrap_keep_to_the_width() -> None:
    text = "The left camera gave no picture for 3 s; is it still plugged in?"
    assert text_width(ellipsis(text, 120, 13), 13) <= 120
    assert ellipsis("short", 500, 13) == "short"
    assert ellipsis("anything", 1, 13) == ""
    lines = wrap(text, 150, 13)
    assert " ".join(lines) == text
    assert all(text_width(line, 13) <= 150 for line in lines)
