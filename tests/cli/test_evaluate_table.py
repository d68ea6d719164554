"""Tables in a terminal of few columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from livestereo.cli._evaluate_table import ScoreTable
from livestereo.cli.depth import _files_told


def test_names_of_sets_and_figures_stay_whole_in_80_columns() -> None:
    figures = dict.fromkeys(
        ("density_percent", "bad1", "bad2", "bad4", "bad2_all", "epe_px", "median_px", "runtime_ms"), 88.88
    )
    rows = [
        {"set": f"demo:clean#{number}", "matcher": "sgbm:3way", "width": 1280, "height": 720, **figures}
        for number in range(2)
    ]
    page = io.StringIO()
    Console(file=page, width=80).print(ScoreTable(rows))
    lines = page.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    for number in range(2):
        (line,) = (line for line in lines if f"demo:clean#{number}" in line)
        assert line.split() == [f"demo:clean#{number}", "sgbm:3way", "1280x720", *["88.9"] * 5, *["88.88"] * 2, "89"]


@pytest.mark.parametrize(("width", "left_out"), [(60, "size"), (52, "bad4"), (42, "median")])
def test_a_narrow_terminal_goes_without_columns_rather_than_names(width: int, left_out: str) -> None:
    figures = dict.fromkeys(
        ("density_percent", "bad1", "bad2", "bad4", "bad2_all", "epe_px", "median_px", "runtime_ms"), 88.88
    )
    page = io.StringIO()
    rows = [{"set": "left", "matcher": "sgbm", "width": 450, "height": 375, **figures}]
    Console(file=page, width=width).print(ScoreTable(rows))
    *lines, told = page.getvalue().splitlines()
    assert told.startswith("Too narrow for: ") and told.endswith(f"{left_out}.")
    assert lines[-1].split()[:3] == ["left", "sgbm", "88.9"] and "88.88" in lines[-1]


def test_files_of_depth_are_named_whole_below_the_table() -> None:
    def row(name: str) -> dict[str, object]:
        return {"files": [f"a/{name}.png", f"clouds/{name}.ply"]}

    assert _files_told([row("x")]) == ["Files: a/x.png, clouds/x.ply"]
    assert _files_told([row("x"), row("y")]) == ["2 files in a", "2 files in clouds"]
    assert _files_told([{"files": []}]) == []
