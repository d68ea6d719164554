"""The table of `evaluate`: names and figures whole, at any width of the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table

_NAME_WIDTH = 12  # narrower than this the name of a set is not folded


class _Figure(NamedTuple):
    heading: str
    key: str
    digits: int


# In two lines, and never narrower: only a long name of a set is folded where 80 columns are too few.
_FIGURES = (
    _Figure("density\n%", "density_percent", 1), _Figure("bad1\n%", "bad1", 1), _Figure("bad2\n%", "bad2", 1),
    _Figure("bad4\n%", "bad4", 1), _Figure("bad2\nall %", "bad2_all", 1), _Figure("EPE\npx", "epe_px", 2),
    _Figure("median\npx", "median_px", 2), _Figure("\nms", "runtime_ms", 0),
)  # fmt: skip
# What a narrow terminal goes without, in this order.
_LESS_NEEDED = ("size", "bad4", "bad1", "median_px", "runtime_ms")


class ScoreTable:
    """Rows of `evaluate` for a person; what is left out for lack of width is told below, and is in the JSON."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Draw with as many columns as the terminal has room for."""
        without: tuple[str, ...] = ()
        for count in range(len(_LESS_NEEDED) + 1):
            without = _LESS_NEEDED[:count]
            least = self._table(without, _NAME_WIDTH)
            if Measurement.get(console, options.update(width=1000), least).maximum <= options.max_width:
                break
        yield self._table(without)
        if without:
            yield f"Too narrow for: {', '.join(name.removesuffix('_px').removesuffix('_ms') for name in without)}."

    def _table(self, without: Collection[str], longest_name: int | None = None) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
        for heading in ("set", "method", "size"):
            if heading not in without:
                table.add_column(f"\n{heading}", no_wrap=heading != "set", overflow="fold")
        figures = [figure for figure in _FIGURES if figure.key not in without]
        for figure in figures:
            table.add_column(figure.heading, justify="right", no_wrap=True)
        for row in self._rows:
            size = () if "size" in without else (f"{row['width']}x{row['height']}",)
            values = (_shown(row[figure.key], figure.digits) for figure in figures)
            table.add_row(row["set"][:longest_name], row["matcher"], *size, *values)
        return table


def _shown(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value == value else "–"
