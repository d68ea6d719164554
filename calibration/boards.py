"""Calibration boards: what a spec such as `chessboard:9x6:25mm` means, and where its points lie.

Board frame: x along the first row of points, y along the columns, z into the board (away from a camera that
looks at its face); the origin is the first point. Lengths are metres, or squares where the size is unknown.

    board = parse_board("charuco:5x7:30mm:22mm:DICT_5X5_100")
    board.object_points()      # (24, 3) float64, index = id of the point
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError

BoardKind = Literal["chessboard", "charuco", "circles"]
DEFAULT_MARKER_RATIO = 0.75

BOARD_FORMS = {
    "chessboard": "chessboard:9x6:25mm (inner corners across and down, side of a square)",
    "charuco": "charuco:5x7:30mm:22mm:DICT_5X5_100 (squares across and down, side of a square and of a marker)",
    "circles": "circles:4x11:20mm (circles in a row, rows, distance between rows)",
}

_UNITS_M = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254}
_LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(mm|cm|m|in)", re.IGNORECASE)
_GRID = re.compile(r"(\d+)\s*[x×]\s*(\d+)", re.IGNORECASE)
_MEASURED = re.compile(r"(\d+(?:\.\d*)?)\s*[x×]\s*(\d+(?:\.\d*)?)\s*(mm)?", re.IGNORECASE)
# The printed rulers are 100 mm long; a printer that is off by more than this was told to fit the page.
_RULER_MM = 100.0
_RULER_RANGE_MM = (50.0, 150.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Board:
    """A calibration board.

    columns, rows: inner corners of a chessboard; squares of a ChArUco board; circles in a row, and rows.
    square_m: side of a square (circles: distance between rows; circles in a row are twice that apart, every other
    row is shifted by one), metres, or None where unknown: lengths are then in squares.
    marker_ratio: side of a marker over side of a square (ChArUco). dictionary: name of the ArUco dictionary.
    scale_xy: real over nominal length of the print across and down, from its measured rulers.
    """

    kind: BoardKind
    columns: int
    rows: int
    square_m: float | None = None
    marker_ratio: float = DEFAULT_MARKER_RATIO
    dictionary: str = ""
    scale_xy: tuple[float, float] = (1.0, 1.0)

    @property
    def metric(self) -> bool:
        """Whether lengths are metres; otherwise they are squares."""
        return self.square_m is not None

    @property
    def unit_m(self) -> float:
        """Length of a square in the unit that `object_points` uses."""
        return 1.0 if self.square_m is None else self.square_m

    @property
    def grid(self) -> tuple[int, int]:
        """Points across and down."""
        if self.kind == "charuco":
            return self.columns - 1, self.rows - 1
        return self.columns, self.rows

    @property
    def point_count(self) -> int:
        """How many points the whole board has."""
        return self.grid[0] * self.grid[1]

    @property
    def text(self) -> str:
        """The spec in the form that `parse_board` reads."""
        parts = [self.kind, f"{self.columns}x{self.rows}"]
        if self.square_m is not None:
            parts.append(f"{self.square_m * 1000:g}mm")
        if self.kind == "charuco":
            if self.square_m is not None:
                parts.append(f"{self.square_m * self.marker_ratio * 1000:g}mm")
            parts.append(self.dictionary)
        return ":".join(parts)

    @property
    def words(self) -> str:
        """The spec for a person."""
        size = "" if self.square_m is None else f" of {self.square_m * 1000:g} mm"
        if self.kind == "chessboard":
            return f"a chessboard with {self.columns} x {self.rows} inner corners, squares{size or ' of unknown size'}"
        if self.kind == "charuco":
            return (
                f"a ChArUco board with {self.columns} x {self.rows} squares{size or ' of unknown size'} "
                f"and markers of {self.dictionary}"
            )
        return f"an asymmetric circle grid with {self.columns} circles in each of {self.rows} rows"

    def object_points(self) -> NDArray[np.float64]:
        """Give all points of the flat board, (N,3) float64, board frame; the index is the point's id."""
        columns, rows = self.grid
        y, x = np.divmod(np.arange(columns * rows), columns)
        if self.kind == "circles":
            x = 2 * x + y % 2
        points = np.zeros((columns * rows, 3))
        points[:, 0] = x * self.unit_m * self.scale_xy[0]
        points[:, 1] = y * self.unit_m * self.scale_xy[1]
        return points

    def with_measured(self, scale_xy: tuple[float, float]) -> Board:
        """Give the board as it was really printed: lengths across and down times `scale_xy`."""
        return dataclasses.replace(self, scale_xy=scale_xy)

    def aruco_board(self, *, legacy: bool = False) -> cv2.aruco.CharucoBoard:
        """Make OpenCV's ChArUco board, squares of side 1. `legacy`: the pattern of OpenCV before 4.6."""
        dictionary = cv2.aruco.getPredefinedDictionary(dictionary_code(self.dictionary))
        board = cv2.aruco.CharucoBoard((self.columns, self.rows), 1.0, self.marker_ratio, dictionary)
        board.setLegacyPattern(legacy)
        return board


def parse_board(text: str) -> Board:
    """Parse a board spec, for instance `chessboard:9x6:25mm`.

    Raises:
        CalibrationError: the spec is wrong; the message says what and shows the forms.
    """
    kind, *rest = (part.strip() for part in text.strip().split(":"))
    kind = kind.lower()
    if kind not in ("chessboard", "charuco", "circles"):
        raise _bad(text, f"{kind!r} is not a kind of board")
    grid = _GRID.fullmatch(rest[0]) if rest else None
    if grid is None:
        raise _bad(text, f"{rest[0]!r} is not a grid such as 9x6" if rest else "the grid is missing")
    columns, rows = int(grid[1]), int(grid[2])
    rest = rest[1:]
    if kind == "charuco":
        return _parse_charuco(text, columns, rows, rest)
    if len(rest) > 1:
        raise _bad(text, f"{':'.join(rest[1:])!r} is too much")
    square_m = _length(text, rest[0]) if rest else None
    smallest = (3, 3) if kind == "chessboard" else (2, 3)
    _check_grid(text, columns, rows, smallest)
    return Board("chessboard" if kind == "chessboard" else "circles", columns, rows, square_m)


def parse_measured(text: str) -> tuple[float, float]:
    """Parse the measured lengths of the printed 100 mm rulers, `99.3x99.8mm` -> (0.993, 0.998), across and down.

    Raises:
        CalibrationError: it is not of that form, or no printer is so far off.
    """
    match = _MEASURED.fullmatch(text.strip())
    if match is None:
        raise CalibrationError(
            f"{text!r} is not a pair of measured lengths.",
            "Write the measured lengths of the two printed 100 mm rulers, across x down: --measured 99.3x99.8mm.",
        )
    lengths = float(match[1]), float(match[2])
    low, high = _RULER_RANGE_MM
    if not all(low <= length <= high for length in lengths):
        raise CalibrationError(
            f"A 100 mm ruler that measures {lengths[0]:g} x {lengths[1]:g} mm is too far off to be true.",
            "Measure the two rulers printed along the board's edges, in millimetres; print again at 100 % scale.",
        )
    return lengths[0] / _RULER_MM, lengths[1] / _RULER_MM


def dictionary_names() -> tuple[str, ...]:
    """Give the names of the ArUco dictionaries that OpenCV knows."""
    return tuple(sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_")))


def _parse_charuco(text: str, columns: int, rows: int, rest: list[str]) -> Board:
    if not rest:
        raise _bad(text, "the dictionary is missing")
    dictionary = rest[-1].upper()
    if dictionary not in dictionary_names():
        raise _bad(
            text, f"{rest[-1]!r} is not an ArUco dictionary; common ones are DICT_4X4_50, DICT_5X5_100, DICT_6X6_250"
        )
    lengths = rest[:-1]
    if len(lengths) not in (0, 2):
        raise _bad(text, "a ChArUco board has two lengths, of a square and of a marker")
    _check_grid(text, columns, rows, (3, 3))
    ratio, square_m = DEFAULT_MARKER_RATIO, None
    if lengths:
        square_m, marker_m = (_length(text, length) for length in lengths)
        ratio = marker_m / square_m
        if not 0.2 <= ratio < 1:
            raise _bad(text, "a marker must be smaller than its square")
    markers = cv2.aruco.getPredefinedDictionary(dictionary_code(dictionary)).bytesList.shape[0]
    if columns * rows // 2 > markers:
        raise _bad(text, f"the board needs {columns * rows // 2} markers and {dictionary} has {markers}")
    return Board("charuco", columns, rows, square_m, round(ratio, 9), dictionary)


def dictionary_code(name: str) -> int:
    """Give OpenCV's number of a dictionary."""
    code: Any = getattr(cv2.aruco, name)
    return int(code)


def _length(text: str, length: str) -> float:
    match = _LENGTH.fullmatch(length)
    if match is None:
        raise _bad(text, f"{length!r} is not a length such as 25mm")
    value = float(match[1]) * _UNITS_M[match[2].lower()]
    if not 1e-4 <= value <= 10:
        raise _bad(text, f"{length!r} is not a size for a square")
    return round(value, 12)


def _check_grid(text: str, columns: int, rows: int, smallest: tuple[int, int]) -> None:
    if columns < smallest[0] or rows < smallest[1]:
        raise _bad(text, f"{columns}x{rows} is too few; at least {smallest[0]}x{smallest[1]}")
    if columns > 100 or rows > 100:
        raise _bad(text, f"{columns}x{rows} is too many")


def _bad(text: str, why: str) -> CalibrationError:
    own = BOARD_FORMS.get(text.strip().split(":")[0].strip().lower())
    examples = own or ", ".join(form.split(" ")[0] for form in BOARD_FORMS.values())
    return CalibrationError(f"The board spec {text!r} is wrong: {why}.", f"Write it like {examples}.")
