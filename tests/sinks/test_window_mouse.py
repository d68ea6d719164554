"""Reading, measuring and seeking with the mouse in the window."""

from __future__ import annotations

import pytest
from sink_scenes import Later, make_result
from window_bench import Bench

from livestereo.sinks.window_scene import length_text, measured_text, readout
from livestereo.types import Action, PixelFacts, StereoResult


def test_depth_and_its_sigma_under_the_mouse() -> None:
    result = make_result()
    # σ_Z = Z² σ_d / (f B) = 4 · 0.25 / 30 = 33 mm
    lines, known = readout(result, result.facts(300, 200), 300, 200)
    assert known and lines[0] == "2.000 ± 0.033 m" and "disparity 15.00 ± 0.25 px" in lines
    assert lines[1:3] == ["σ of matching alone", "sure to 80 %"]
    lines, known = readout(result, result.facts(10, 10), 10, 10)
    assert not known and lines[:2] == ["no depth", "hidden from the right camera"]
    unexplained = make_result(explained=False)
    assert readout(unexplained, unexplained.facts(300, 200), 300, 200)[0][0] == "2.00 m"
    relative = make_result(metric=False)
    assert "relative" in readout(relative, relative.facts(300, 200), 300, 200)[0][0]


def test_lengths() -> None:
    assert [length_text(v) for v in (0.0042, 0.05, 0.31, 1.5, 12.34, 250)] == [
        "4.2 mm", "50 mm", "31.0 cm", "1.50 m", "12.3 m", "250 m",
    ]  # fmt: skip
    pairs = ((4.281, 0.265), (2.0, 0.0331), (0.853, 0.0042), (0.0423, 0.0011), (12.0, 3.4), (150.0, 45.0))
    assert [measured_text(*pair) for pair in pairs] == [
        "4.28 ± 0.27 m", "2.000 ± 0.033 m", "85.30 ± 0.42 cm", "42.3 ± 1.1 mm", "12.0 ± 3.4 m", "150 ± 45 m",
    ]  # fmt: skip
    assert measured_text(2.0, float("nan")) == "2.00 m ± ?"


def test_the_pointer_is_drawn_in_both_panes() -> None:
    bench = Bench()
    before = bench.screen.shown[-1].copy()
    bench.screen.mouse("move", 100, 300)
    bench.clock.now += 0.1
    bench.poll()
    bench.clock.now += 0.1
    bench.poll()
    changed = (bench.screen.shown[-1] != before).any(axis=(0, 2))
    assert changed[:640].any() and changed[642:1280].any()


def test_sigma_waits_for_the_mouse_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    told = StereoResult.facts

    def facts(result: StereoResult, x: int, y: int) -> PixelFacts:
        asked.append((x, y))
        return told(result, x, y)

    monkeypatch.setattr(StereoResult, "facts", facts)
    bench = Bench()
    for x in range(100, 200, 10):  # a fast move: ten pictures in a fifth of a second
        bench.screen.mouse("move", x, 300)
        bench.clock.now += 0.02
        bench.poll()
    assert 1 <= len(asked) <= 2
    moving = bench.screen.shown[-1]
    drawn = len(bench.screen.shown)
    bench.clock.now += 0.1  # at rest, with no new pair
    bench.poll()
    assert asked[-1][0] == 95 and len(bench.screen.shown) == drawn + 1
    assert (bench.screen.shown[-1] != moving).any()
    bench.clock.now += 0.1
    bench.poll()
    assert len(bench.screen.shown) == drawn + 1 and len(asked) <= 3


def test_click_measures_a_point_and_drag_a_line() -> None:
    bench = Bench()
    for kind, x, y in (("press", 100, 300), ("release", 101, 300)):
        bench.screen.mouse(kind, x, y)
        bench.poll()
    assert len(bench.state.measurements) == 1
    assert bench.state.measurements[0].start == bench.state.measurements[0].end
    for kind, x, y in (("press", 100, 300), ("move", 150, 320), ("move", 200, 340), ("release", 200, 340)):
        bench.screen.mouse(kind, x, y)
        bench.poll()
    line = bench.state.measurements[1]
    # 320x240 pictures are shown twice as large.
    assert line.end[0] - line.start[0] == pytest.approx(50) and line.end[1] - line.start[1] == pytest.approx(20)
    bench.clock.now += 1
    bench.poll()
    assert line in bench.measured
    bench.press("delete")
    assert bench.state.measurements == []


def test_a_line_is_there_at_once_and_what_it_measures_holds_nothing_up() -> None:
    later = Later()
    bench = Bench(pool=later)
    for kind, x in (("press", 100), ("move", 200)):
        bench.screen.mouse(kind, x, 300)
        bench.poll()
    without = bench.screen.shown[0]
    bench.clock.now += 0.1
    bench.poll()
    dragged = bench.screen.shown[-1]
    assert (dragged[:450] != without[:450]).any(), "the line follows the mouse"
    bench.screen.mouse("release", 200, 300)
    bench.poll()
    for _ in range(3):
        bench.clock.now += 0.1
        bench.poll()
    assert bench.measured == []
    line = bench.screen.shown[-1]
    for _ in range(2):  # what was asked for while it moved comes first
        later.work()
        bench.clock.now += 0.6
        bench.poll()
    assert bench.measured[-1] == bench.state.measurements[0]
    told = bench.screen.shown[-1]
    assert (told[:450] != line[:450]).any(), "now with its length"
    bench.view.accept(make_result(seq=1))
    bench.clock.now += 0.6
    bench.poll()
    assert (bench.screen.shown[-1][:450] == told[:450]).all(), "it stays until it is measured anew"


def test_a_press_or_a_drag_on_the_bar_goes_there() -> None:
    def mouse(kind: str, x: int, y: int, bench: Bench) -> list[Action]:
        bench.screen.mouse(kind, x, y)
        return bench.poll()

    bench = Bench(can={"seek", "measure"})
    bench.state.count = 101
    assert bench.view._layout is not None
    bar = bench.view._layout.bar
    assert bar is not None
    y = bar.y + bar.h // 2
    assert mouse("press", bar.x, y, bench) == [Action("seek", 0)]
    assert mouse("move", bar.x + (bar.w - 1) // 2, y - 50, bench) == [Action("seek", 50)]
    assert mouse("move", bar.right + 500, y, bench) == [Action("seek", 100)]
    assert mouse("release", bar.right, y, bench) == [] and bench.measured == []
    assert mouse("move", bar.x + 5, y, bench) == [], "only while it is pressed"
    other = Bench(can={"measure"})
    other.state.count = 101
    assert mouse("press", bar.x + 5, y, other) == []
