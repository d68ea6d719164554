"""The table of `evaluate` in a terminal of 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from livestereo.cli.evaluate import _table


def test_names_of_sets_and_figures_stay_whole_in_80_columns() -> None:
    figures = dict.fromkeys(
        ("density_percent", "bad1", "bad2", "bad4", "bad2_all", "epe_px", "median_px", "runtime_ms"), 88.88
    )
    rows = [
        {"set": f"demo:clean#{number}", "matcher": "sgbm:3way", "width": 1280, "height": 720, **figures}
        for number in range(2)
    ]
    page = io.StringIO()
    Console(file=page, width=80).print(_table(rows))
    lines = page.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    for number in range(2):
        (line,) = (line for line in lines if f"demo:clean#{number}" in line)
        assert line.split() == [f"demo:clean#{number}", "sgbm:3way", "1280x720", *["88.9"] * 5, *["88.88"] * 2, "89"]
