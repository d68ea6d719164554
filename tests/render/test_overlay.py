from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from render_scenes import make_result

from livestereo.render import overlay, paint, theme
from livestereo.render.cards import draw_help, draw_waiting
from livestereo.render.colorize import DepthRange
from livestereo.render.compose import Composer, Message, Pointer, Ruler, Scene, default_range
from livestereo.render.layout import Rect, arrange, natural_canvas
from livestereo.render.overlay import (
    Figures,
    draw_legend,
    draw_status,
    metres,
    minutes_text,
    size_text,
    status_cells,
    ticks,
)
from livestereo.render.theme import metrics_for
from livestereo.render.views import Look, confidence_entries, picture

FIGURES = Figures(
    capture_fps_left=29.97, capture_fps_right=30.0, depth_fps=12.8, display_fps=30.1, latency_ms=112, skew_ms=-1.24,
    fill_percent=84.2, dropped={"busy": 12, "pairing": 3, "disk": 0}, pairs=231, note="balanced · sgbm 3way",
)  # fmt: skip
CANVASES = [(320, 240), (640, 480), (1280, 720), (1920, 1080)]


def cells(figures: Figures) -> dict[str, str]:
    return {cell.label: cell.value for cell in status_cells(figures)}


def test_the_bar_tells_every_figure() -> None:
    shown = cells(FIGURES)
    assert shown["CAPTURE L | R"] == "30.0 | 30.0 fps"
    assert shown["DEPTH"] == "12.8 fps"
    assert shown["LATENCY"] == "112 ms"
    assert shown["SKEW"] == "−1.2 ms"
    assert shown["FILL"] == "84 %"
    assert shown["DROPPED"] == "busy 12 · pairing 3"


def test_skew_is_told_as_a_depth_error_too() -> None:
    shown = cells(dataclasses.replace(FIGURES, skew_ms=9.04, skew_cost_m=0.301, scene_m=2.04))
    assert shown["SKEW"] == "+9.0 ms ≈ 30 cm at 2.0 m"
    shown = cells(dataclasses.replace(FIGURES, skew_ms=-1.04, skew_cost_m=0.034, scene_m=2.04))
    assert shown["SKEW"] == "−1.0 ms ≈ 34 mm at 2.0 m"


def test_what_is_not_known_is_not_shown() -> None:
    shown = cells(Figures(live=False, depth_fps=float("nan"), pairs=7, count=51))
    assert "LATENCY" not in shown and "CAPTURE L | R" not in shown and "DROPPED" not in shown
    assert shown["DEPTH"] == "– fps"
    assert shown["PAIR"] == "7 / 51"


def test_trouble_is_coloured() -> None:
    tones = {c.label: c.tone for c in status_cells(dataclasses.replace(FIGURES, skew_ms=16.7, fill_percent=20))}
    assert tones["SKEW"] == "bad" and tones["FILL"] == "bad"
    tones = {c.label: c.tone for c in status_cells(dataclasses.replace(FIGURES, state_right="stalled"))}
    assert tones["CAPTURE L | R"] == "bad"


@pytest.mark.parametrize("canvas_wh", CANVASES)
def test_the_bar_keeps_inside_and_loses_the_least_important_first(canvas_wh: tuple[int, int]) -> None:
    w, h = canvas_wh
    canvas = np.zeros((h, w, 3), np.uint8)
    bar = Rect(0, h - metrics_for(canvas_wh).bar_height, w, metrics_for(canvas_wh).bar_height)
    draw_status(canvas, bar, FIGURES)
    assert not canvas[: bar.y].any()
    # Nothing is cut at the right edge: the last columns are plain panel.
    assert (canvas[bar.y + 1 :, -4:] == theme.PANEL).all()
    ink = (canvas[bar.y :] == theme.TEXT).all(axis=2)
    assert ink.any()


@pytest.mark.parametrize("canvas_wh", CANVASES)
def test_type_is_readable_on_every_canvas(canvas_wh: tuple[int, int]) -> None:
    m = metrics_for(canvas_wh)
    # 10 px is the smallest size at which the letters are told apart; beyond 1/24 of the height they cover too much.
    assert m.small >= 10
    assert m.body <= max(11, canvas_wh[1] / 24)


def test_lengths_are_written_for_people() -> None:
    assert [metres(v) for v in (0.05, 0.3, 1.0, 2.5, 12.0, 150.0)] == ["0.05", "0.3", "1", "2.5", "12", "150"]


@pytest.mark.parametrize(("near", "far"), [(0.25, 7.5), (1.5, 80), (0.1, 0.4), (3, 3.5), (0.3, 30)])
@pytest.mark.parametrize("most", [3, 5, 9])
@pytest.mark.parametrize("scale", ["log", "linear"])
def test_ticks_are_few_and_inside(near: float, far: float, most: int, scale: str) -> None:
    found = ticks(near, far, scale, most)  # type: ignore[arg-type]
    assert 1 <= len(found) <= max(most, 2)
    assert all(near * 0.99 <= tick <= far * 1.01 for tick in found)
    assert found == sorted(found)


def test_the_legend_runs_from_far_at_the_top_to_near_at_the_bottom() -> None:
    canvas = np.zeros((480, 60, 3), np.uint8)
    draw_legend(canvas, Rect(0, 0, 60, 480), DepthRange(0.5, 5), "gray")
    column = canvas[:, metrics_for((60, 480)).pad + 2].astype(int).sum(axis=1)
    ramp = column[column > 0]
    assert ramp[-5] > ramp[5] + 300


def test_default_range_reaches_from_the_nearest_searched_to_a_tenth_of_error() -> None:
    found = default_range(600, 0.06, 36 / 128)
    assert found.near_m == pytest.approx(0.28, rel=0.15)
    assert found.far_m == pytest.approx(7.2, rel=0.15)
    far_only = default_range(600, 0.06, float("inf"))
    assert far_only.near_m < far_only.far_m


@pytest.mark.parametrize("canvas_wh", [*CANVASES, (40, 30), (200, 1000)])
def test_a_whole_scene_with_everything_on_it(canvas_wh: tuple[int, int]) -> None:
    result = make_result(160, 120, explained=True)
    look = Look(DepthRange(0.5, 5))
    layout = arrange(canvas_wh, (160, 120), ("left", "depth"))
    groups = [("Look", [(("1", "…", "7"), "views"), (("c",), "colour map")]), ("Run", [(("q", "Esc"), "quit")])]
    scene = Scene(
        layout, tuple(picture(p.view, result, look) for p in layout.panes), ("Left", "Depth"), FIGURES, look,
        automatic_range=True, pointer=Pointer(100, 60, ("2.00 m ± 3 mm", "x 1 y 2"), "depth"),
        rulers=(Ruler((20, 20), (120, 90), ("1.23 m",)), Ruler((5, 5), (5, 5), ("0.5 m",))),
        messages=(Message("Saved"), Message("Half gone", 0.4, "warn")), banner="Something is wrong and long " * 4,
        paused=True, cards=(lambda canvas: draw_help(canvas, "Keys", groups, footer="?"),),
    )  # fmt: skip
    canvas = Composer().compose(scene)
    assert canvas.shape == (canvas_wh[1], canvas_wh[0], 3) and canvas.dtype == np.uint8


def test_composing_changes_neither_pictures_nor_the_next_canvas() -> None:
    result = make_result(160, 120)
    look = Look(DepthRange(0.5, 5))
    layout = arrange((640, 300), (160, 120), ("left", "depth"))
    pictures = tuple(picture(p.view, result, look) for p in layout.panes)
    before = [p.copy() for p in pictures]
    composer = Composer()
    plain = Scene(layout, pictures, ("Left", "Depth"), FIGURES, look)
    first = composer.compose(plain)
    composer.compose(dataclasses.replace(plain, messages=(Message("over it all"),), banner="!", paused=True))
    assert np.array_equal(composer.compose(plain), first)
    assert all(np.array_equal(a, b) for a, b in zip(pictures, before))


def test_figures_are_drawn_again_when_they_change() -> None:
    result = make_result(160, 120)
    layout = arrange((640, 300), (160, 120), ("left",))
    composer = Composer()
    scene = Scene(layout, (picture("left", result, Look(DepthRange(1, 2))),), ("Left",), FIGURES)
    slower = dataclasses.replace(scene, figures=dataclasses.replace(FIGURES, depth_fps=3.0))
    assert not np.array_equal(composer.compose(scene), composer.compose(slower))


def test_the_wait_is_shown() -> None:
    assert draw_waiting((640, 300), "Getting ready...", "demo").any()


def test_a_recording_tells_its_size_its_queue_how_long_the_disk_lasts_and_what_is_lost() -> None:
    idle = cells(FIGURES)
    assert not {"RECORDED", "DISK FOR", "QUEUE", "PAIRS LOST"} & set(idle)
    going = dataclasses.replace(
        FIGURES, recording_s=12.0, recorded_bytes=67 << 20, queue_percent=3.2, minutes_left=41.6, lost={"queue": 2}
    )
    shown = cells(going)
    assert (shown["RECORDED"], shown["QUEUE"], shown["DISK FOR"]) == ("67 MiB", "3 %", "42 min")
    assert shown["PAIRS LOST"] == "queue 2"
    tones = {cell.label: cell.tone for cell in status_cells(dataclasses.replace(going, minutes_left=0.5))}
    assert tones["PAIRS LOST"] == tones["DISK FOR"] == "bad"
    assert [minutes_text(m) for m in (0.2, 5, 300, 1e6)] == ["12 s", "5 min", "5 h", "a day"]
    assert size_text(3 << 30) == "3.0 GiB"


def test_the_name_of_a_pane_stands_under_a_notice_that_would_cover_it() -> None:
    pane, notice = Rect(300, 0, 300, 300), Rect(200, 8, 200, 30)
    for below, top in ((notice, notice.bottom), (None, 0), (Rect(0, 8, 250, 30), 0)):
        canvas = np.full((400, 640, 3), 100, np.uint8)
        overlay.pane_label(canvas, pane, "Depth", below=below)
        changed = np.flatnonzero((canvas != 100).any(axis=(1, 2)))
        assert top < changed.min() < top + 20 and changed.max() < top + 50


def test_the_sign_of_pause_leaves_the_middle_free() -> None:
    result = make_result(160, 120)
    look = Look(DepthRange(0.5, 5))
    layout = arrange((640, 480), (160, 120), ("left",))
    pane = layout.panes[0].rect
    scene = Scene(layout, tuple(picture(p.view, result, look) for p in layout.panes), ("Left",), FIGURES, look)
    plain, paused = Composer().compose(scene), Composer().compose(dataclasses.replace(scene, paused=True))
    rows, columns = np.nonzero((plain != paused).any(axis=2))
    assert rows.size > 200
    assert rows.min() > pane.y + 0.75 * pane.h and columns.min() > pane.x + 0.75 * pane.w


def test_the_sign_of_pause_leaves_the_legend_free() -> None:
    result = make_result(160, 120)
    look = Look(DepthRange(0.5, 5))
    layout = arrange(natural_canvas((160, 120), 2), (160, 120), ("left", "depth"))
    scene = Scene(layout, tuple(picture(p.view, result, look) for p in layout.panes), ("Left", "Depth"), FIGURES, look)
    plain, paused = Composer().compose(scene), Composer().compose(dataclasses.replace(scene, paused=True))
    columns = np.nonzero((plain != paused).any(axis=2))[1]
    assert layout.panes[1].rect.x < columns.min() and columns.max() < layout.panes[1].rect.right


def test_no_line_crosses_a_word_and_words_keep_off_the_key_and_the_sign_of_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[str] = []
    places: list[Rect] = []

    def seen(what: str, draw: Callable[..., Any]) -> Callable[..., Any]:
        def drawing(*given: Any, **more: Any) -> Any:
            drawn.append(what)
            made = draw(*given, **more)
            places.extend([made] if isinstance(made, Rect) else [])
            return made

        return drawing

    for room, name in ((paint, "ruler_line"), (paint, "dot"), (overlay, "draw_entries"), (overlay, "draw_readout")):
        monkeypatch.setattr(room, name, seen(name, getattr(room, name)))
    result = make_result(160, 120, explained=True)
    layout = arrange((320, 240), (160, 120), ("confidence",), legend=False)
    ends = ((10, 60), (60, 115)), ((60, 60), (20, 110)), ((150, 110), (150, 110))
    scene = Scene(
        layout, (picture("confidence", result, Look(DepthRange(0.5, 5))),),
        rulers=tuple(Ruler(start, end, ("1.234 ± 0.007 m",)) for start, end in ends),
        entries=tuple(confidence_entries(result.confidence)), paused=True,
    )  # fmt: skip
    Composer().compose(scene)
    words = [i for i, what in enumerate(drawn) if what.startswith("draw_")]
    assert len(words) == 4 and "ruler_line" in drawn and "dot" in drawn[: words[0]]
    assert all(what.startswith("draw_") for what in drawn[words[0] :])
    assert len(places) == 4
    assert sum(a.overlap(b) for i, a in enumerate(places) for b in places[:i]) == 0


@pytest.mark.parametrize("canvas_wh", [(320, 240), (640, 480)])
def test_half_size_is_told_in_the_smallest_window_too(
    canvas_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(overlay, "draw_text", lambda canvas, text, *rest, **more: drawn.append(text) or 0)
    figures = dataclasses.replace(FIGURES, half_size=True, skew_cost_m=0.0002, scene_m=4.1, vertical_px=0.05)
    draw_status(np.zeros((canvas_wh[1], canvas_wh[0], 3), np.uint8), Rect(0, 0, canvas_wh[0], 60), figures)
    assert {"SIZE", "half", "DEPTH"} <= set(drawn)
    assert "SIZE" not in cells(FIGURES)


@pytest.mark.parametrize("canvas_wh", [(1280, 720), (1920, 1080)])
def test_a_common_window_shows_all_figures_whole(canvas_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    figures = dataclasses.replace(
        FIGURES, skew_ms=0.0, skew_cost_m=0.0002, scene_m=4.1, vertical_px=0.05, dropped={"busy": 379},
        half_size=True,
    )  # fmt: skip
    drawn: list[str] = []
    monkeypatch.setattr(overlay, "draw_text", lambda canvas, text, *rest, **more: drawn.append(text) or 0)
    draw_status(np.zeros((canvas_wh[1], canvas_wh[0], 3), np.uint8), Rect(0, 0, canvas_wh[0], 60), figures)
    assert [cell.value for cell in status_cells(figures) if cell.value not in drawn] == []


def test_messages_of_several_lines_stand_above_one_another() -> None:
    inside = Rect(0, 0, 320, 200)

    def rows(canvas: np.ndarray) -> set[int]:
        return set(np.nonzero(canvas.any(axis=(1, 2)))[0].tolist())

    def canvas_of(text: str, above: int | None = None) -> tuple[np.ndarray, int]:
        canvas = np.zeros((240, 320, 3), np.uint8)
        return canvas, overlay.draw_message(canvas, text, inside, above=above)

    long, next_row = canvas_of("depth is computed at half size, with 96 disparities, as this computer is slow " * 2)
    short, _ = canvas_of("Saved", next_row)
    assert len(rows(long)) > 2 * len(rows(short)) > 0
    assert max(rows(short)) < min(rows(long))


def test_values_of_two_measurements_do_not_cover_one_another_in_a_small_window() -> None:
    canvas = np.zeros((240, 320, 3), np.uint8)
    inside = Rect(0, 0, 320, 200)
    taken: list[Rect] = []
    for x, y in ((60, 115), (40, 150), (150, 110)):
        box = overlay.draw_readout(canvas, ("2.430 ± 0.007 m", "from the left camera"), x, y, inside, avoid=taken)
        assert sum(box.overlap(other) for other in taken) == 0
        taken.append(box)
