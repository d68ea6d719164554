from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestereo.render.layout import Rect, arrange, natural_canvas
from livestereo.render.views import VIEWS, panes_of

SIZES = [(320, 240), (640, 480), (1280, 720), (1920, 1080)]


@pytest.mark.parametrize("picture", SIZES)
def test_natural_canvas_shows_pictures_pixel_for_pixel_where_the_screen_allows(picture: tuple[int, int]) -> None:
    canvas = natural_canvas(picture, 2, screen_wh=(10000, 10000))
    layout = arrange(canvas, picture, ("left", "depth"))
    zoom = layout.panes[0].rect.w / picture[0]
    assert zoom == round(zoom)
    assert zoom >= 1


@given(
    st.tuples(st.integers(40, 4000), st.integers(30, 2200)),
    st.tuples(st.integers(16, 4000), st.integers(16, 3000)),
    st.sampled_from(VIEWS),
)
def test_panes_lie_on_the_canvas_keep_their_shape_and_do_not_overlap(
    canvas: tuple[int, int], picture: tuple[int, int], view: str
) -> None:
    layout = arrange(canvas, picture, panes_of(view))
    area = Rect(0, 0, *canvas)
    for pane in layout.panes:
        assert pane.rect.x >= 0 and pane.rect.y >= 0
        assert pane.rect.right <= area.right and pane.rect.bottom <= (layout.bar.y if layout.bar else area.bottom)
        if min(pane.rect.w, pane.rect.h) > 20:
            # One pixel of rounding on each side.
            rounding = 2.5 / min(pane.rect.w, pane.rect.h)
            assert pane.rect.w / pane.rect.h == pytest.approx(picture[0] / picture[1], rel=rounding)
    if len(layout.panes) == 2:
        a, b = (pane.rect for pane in layout.panes)
        assert a.right <= b.x or a.bottom <= b.y
    if layout.legend and layout.panes:
        assert layout.legend.right <= canvas[0]


@given(st.integers(0, 639), st.integers(0, 479))
def test_canvas_and_picture_positions_are_inverse(u: int, v: int) -> None:
    pane = arrange((2000, 900), (640, 480), ("left", "depth")).panes[1]
    back = pane.to_picture(*pane.to_canvas(u, v))
    assert back is not None
    # The canvas is larger than the picture, so rounding to its pixels costs less than half a picture pixel.
    assert abs(back[0] - u) < 0.51 and abs(back[1] - v) < 0.51


def test_outside_a_pane_there_is_no_position() -> None:
    layout = arrange((1342, 526), (640, 480), ("left", "depth"))
    assert layout.pane_at(-1, 5) is None
    assert layout.pane_at(5, 525) is None
    assert layout.panes[0].to_picture(700, 5) is None


def test_wide_pictures_are_stacked_and_tall_windows_too() -> None:
    wide = arrange((1300, 800), (1226, 370), ("left", "depth"))
    assert wide.panes[0].rect.bottom <= wide.panes[1].rect.y
    phone = arrange((480, 800), (640, 480), ("left", "depth"))
    assert phone.panes[0].rect.bottom <= phone.panes[1].rect.y


def test_a_window_fits_the_screen() -> None:
    for picture in SIZES:
        for screen in ((1024, 600), (1366, 768), (1920, 1080)):
            w, h = natural_canvas(picture, 2, screen_wh=screen)
            assert w <= screen[0] * 0.93 and h <= screen[1] * 0.89
