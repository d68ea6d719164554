"""Draws a board as shapes in millimetres, laid out on a page with rulers and its spec in words.

    sheet = lay_out(parse_board("chessboard:9x6:25mm"), page_size("a4"))
    printing.write_sheet(sheet, Path("board.pdf"))

Page frame: x right, y down, origin at the page's top left corner, millimetres. Everything black on white.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.errors import CalibrationError

PAGES_MM: dict[str, tuple[float, float]] = {
    "a4": (210.0, 297.0), "a3": (297.0, 420.0), "a2": (420.0, 594.0), "a1": (594.0, 841.0), "a0": (841.0, 1189.0),
    "letter": (215.9, 279.4), "legal": (215.9, 355.6), "tabloid": (279.4, 431.8),
}  # fmt: skip
RULER_MM = 100.0
# What most printers cannot reach.
MARGIN_MM = 6.0
# Room for a ruler with its words; it is white next to the board, which detectors need as a rim.
STRIP_MM = 12.0
RIM_MM = 2.0
TEXT_MM = 2.4
WORDS_MM = 1.7
# Radius of a circle over the distance of rows: neighbours (1.41 rows apart) stay well separated when blurred.
CIRCLE_RADIUS = 0.32

_PAGE = re.compile(r"(\d+(?:\.\d*)?)\s*[x×]\s*(\d+(?:\.\d*)?)\s*(mm|cm|in)?", re.IGNORECASE)


@dataclass(frozen=True)
class Rect:
    """A filled rectangle; `white` paints over black."""

    x: float
    y: float
    w: float
    h: float
    white: bool = False


@dataclass(frozen=True)
class Circle:
    """A filled black circle."""

    x: float
    y: float
    r: float


@dataclass(frozen=True)
class Text:
    """Words whose baseline starts at (x, y); `up`: they run upwards."""

    x: float
    y: float
    size: float
    words: str
    up: bool = False


Shape = Rect | Circle | Text


@dataclass(frozen=True)
class Sheet:
    """A page: its size, its shapes in drawing order, and the board's place (x, y, w, h), all mm."""

    size_mm: tuple[float, float]
    shapes: tuple[Shape, ...]
    board_mm: tuple[float, float, float, float]
    title: str


def page_size(text: str) -> tuple[float, float]:
    """Size of a page in mm from its name or `WxHmm`.

    Raises:
        CalibrationError: neither.
    """
    name = text.strip().lower()
    if name in PAGES_MM:
        return PAGES_MM[name]
    match = _PAGE.fullmatch(name)
    if match is None:
        raise CalibrationError(
            f"{text!r} is not a page size.", f"Give {', '.join(PAGES_MM)}, or a size such as 500x700mm."
        )
    unit = {"mm": 1.0, "cm": 10.0, "in": 25.4, None: 1.0}[match[3]]
    size = float(match[1]) * unit, float(match[2]) * unit
    if not all(50 <= side <= 5000 for side in size):
        raise CalibrationError(f"A page of {size[0]:g} x {size[1]:g} mm cannot be made.", "Give 50 to 5000 mm.")
    return size


def pattern_size(board: Board) -> tuple[float, float]:
    """Width and height of the printed pattern in the unit of its squares (1 is a square)."""
    if board.kind == "chessboard":
        return board.columns + 1.0, board.rows + 1.0
    if board.kind == "charuco":
        return float(board.columns), float(board.rows)
    # The outermost circles and half a gap around them.
    return 2 * (board.columns - 1) + 1 + 2 * CIRCLE_RADIUS, board.rows - 1 + 2 * CIRCLE_RADIUS


def pattern_shapes(board: Board) -> list[Rect | Circle]:
    """Draw the pattern alone, its top left corner at (0, 0), in the unit of its squares."""
    if board.kind == "chessboard":
        return [Rect(x, y, 1, 1) for y in range(board.rows + 1) for x in range(board.columns + 1) if (x + y) % 2 == 0]
    if board.kind == "charuco":
        return list(_charuco(board))
    points = board.object_points() / (board.unit_m * np.array([*board.scale_xy, 1.0]))
    return [Circle(float(x) + CIRCLE_RADIUS, float(y) + CIRCLE_RADIUS, CIRCLE_RADIUS) for x, y, _ in points]


def _charuco(board: Board) -> list[Rect]:
    made = board.aruco_board()
    corners = [np.asarray(c, np.float64).reshape(-1, 3) for c in made.getObjPoints()]
    ids = [int(i) for i in np.asarray(made.getIds()).reshape(-1)]
    taken = {(int(c[:, 0].mean()), int(c[:, 1].mean())) for c in corners}
    shapes = [
        Rect(x, y, 1, 1) for y in range(board.rows) for x in range(board.columns) if (x, y) not in taken
    ]  # fmt: skip
    dictionary = made.getDictionary()
    bits = dictionary.markerSize + 2  # with the black border of one bit
    for corner, marker in zip(corners, ids):
        image = np.asarray(cv2.aruco.generateImageMarker(dictionary, marker, bits, borderBits=1))
        left, top = float(corner[:, 0].min()), float(corner[:, 1].min())
        step = board.marker_ratio / bits
        shapes.append(Rect(left, top, board.marker_ratio, board.marker_ratio))
        # White bits over a black marker leave no hairlines between black ones.
        shapes += [
            Rect(left + x * step, top + y * step, step, step, white=True) for y, x in np.argwhere(image > 127).tolist()
        ]
    return shapes


def lay_out(board: Board, page_mm: tuple[float, float], *, landscape: bool | None = None) -> Sheet:
    """Place a board on a page at true scale, with a 100 mm ruler on both axes and the spec in words.

    `landscape`: None turns the page so that the board fits.

    Raises:
        CalibrationError: the board has no size, or does not fit; says what would.
    """
    if board.square_m is None:
        raise CalibrationError(
            f"{board.text} has no size, so it cannot be drawn at true scale.", f"Write it, such as {board.text}:25mm."
        )
    square = board.square_m * 1000
    w, h = (side * square for side in pattern_size(board))
    small, large = sorted(page_mm)
    order = {None: ((small, large), (large, small)), False: ((small, large),), True: ((large, small),)}[landscape]
    for page in order:
        if w <= _room(page)[0] + 1e-9 and h <= _room(page)[1] + 1e-9:
            return _sheet(board, page, (w, h), square)
    raise _does_not_fit(board, order, (w, h))


def _room(page: tuple[float, float]) -> tuple[float, float]:
    return page[0] - 2 * MARGIN_MM - STRIP_MM, page[1] - 2 * MARGIN_MM - STRIP_MM


def _does_not_fit(board: Board, pages: tuple[tuple[float, float], ...], need: tuple[float, float]) -> CalibrationError:
    across, down = pattern_size(board)
    largest = max(min(_room(page)[0] / across, _room(page)[1] / down) for page in pages)
    fitting = [
        name
        for name, size in PAGES_MM.items()
        for page in (size, size[::-1])
        if need[0] <= _room(page)[0] and need[1] <= _room(page)[1]
    ]
    bigger = f", or print it on {fitting[0].upper()}" if fitting else ""
    return CalibrationError(
        f"The board is {need[0]:.0f} x {need[1]:.0f} mm and does not fit the page "
        f"({pages[0][0]:g} x {pages[0][1]:g} mm, less margins and rulers).",
        f"Use squares of at most {int(largest * 10) / 10:g} mm{bigger}.",
    )


def _sheet(board: Board, page: tuple[float, float], size: tuple[float, float], square: float) -> Sheet:
    # The board stands in the middle of what the rulers (left and below) leave.
    x0 = MARGIN_MM + STRIP_MM + (page[0] - 2 * MARGIN_MM - STRIP_MM - size[0]) / 2
    y0 = MARGIN_MM + (page[1] - 2 * MARGIN_MM - STRIP_MM - size[1]) / 2
    shapes: list[Shape] = []
    for shape in pattern_shapes(board):
        if isinstance(shape, Rect):
            shapes.append(
                Rect(x0 + shape.x * square, y0 + shape.y * square, shape.w * square, shape.h * square, shape.white)
            )
        else:
            shapes.append(Circle(x0 + shape.x * square, y0 + shape.y * square, shape.r * square))
    below = y0 + size[1] + RIM_MM + 2
    shapes += _ruler_across(x0, below)
    shapes += _ruler_down(x0 - RIM_MM - 2, y0)
    about = (
        f"livestereo: {board.text} - {board.words}. Print at 100 %, not fit to page, and measure both rulers. "
        f"livestereo calibrate LEFT RIGHT --board {board.text} --measured 100.0x100.0mm"
    )
    # A letter is about half as wide as the font is high, and capitals are 0.72 of the font.
    letters = int((page[0] - MARGIN_MM - x0) / (WORDS_MM / 0.72 * 0.53))
    for line, words in enumerate(textwrap.wrap(about, letters, break_on_hyphens=False)):
        shapes.append(Text(x0, below + 5.6 + line * 1.6 * WORDS_MM, WORDS_MM, words))
    return Sheet(page, tuple(shapes), (x0, y0, *size), board.text)


def _ruler_across(x: float, y: float) -> list[Shape]:
    shapes: list[Shape] = [Rect(x, y, RULER_MM, 0.2)]
    for i in range(int(RULER_MM) + 1):
        length = 3.0 if i % 10 == 0 else 2.0 if i % 5 == 0 else 1.0
        # The mark's middle is the place: the first and last are what a person measures between.
        shapes.append(Rect(x + i - 0.1, y, 0.2, length))
    shapes.append(Text(x + RULER_MM + 1.5, y + 3.0, TEXT_MM, "100 mm across"))
    return shapes


def _ruler_down(x: float, y: float) -> list[Shape]:
    shapes: list[Shape] = [Rect(x - 0.2, y, 0.2, RULER_MM)]
    for i in range(int(RULER_MM) + 1):
        length = 3.0 if i % 10 == 0 else 2.0 if i % 5 == 0 else 1.0
        shapes.append(Rect(x - length, y + i - 0.1, length, 0.2))
    shapes.append(Text(x - 0.6, y + RULER_MM + 26.0, TEXT_MM, "100 mm down", up=True))
    return shapes


def rasterize(sheet: Sheet, pixels_per_mm: float) -> NDArray[np.uint8]:
    """Draw a sheet as (H,W) uint8 gray; edges of rectangles are exact by the share of each pixel they cover."""
    w, h = (max(1, round(side * pixels_per_mm)) for side in sheet.size_mm)
    image = np.full((h, w), 255.0, np.float32)
    for shape in sheet.shapes:
        if isinstance(shape, Rect):
            rows = _coverage(shape.y * pixels_per_mm, (shape.y + shape.h) * pixels_per_mm, h)
            columns = _coverage(shape.x * pixels_per_mm, (shape.x + shape.w) * pixels_per_mm, w)
            _paint(image, rows, columns, 255.0 if shape.white else 0.0)
        elif isinstance(shape, Circle):
            _disc(image, shape, pixels_per_mm)
    gray = np.rint(image).astype(np.uint8)
    for shape in sheet.shapes:
        if isinstance(shape, Text):
            _write(gray, shape, pixels_per_mm)
    return gray


def _coverage(start: float, end: float, length: int) -> tuple[int, NDArray[np.float32]]:
    """First pixel touched, and how much of each touched pixel [i, i+1) lies in [start, end)."""
    first, last = max(0, int(np.floor(start))), min(length, int(np.ceil(end)))
    edges = np.arange(first, last + 1, dtype=np.float64)
    inside = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, 1)
    return first, inside.astype(np.float32)


def _paint(
    image: NDArray[np.float32], rows: tuple[int, NDArray[np.float32]], columns: tuple[int, NDArray[np.float32]],
    value: float,
) -> None:  # fmt: skip
    (y, cover_y), (x, cover_x) = rows, columns
    if cover_y.size and cover_x.size:
        cover = np.outer(cover_y, cover_x)
        patch = image[y : y + cover_y.size, x : x + cover_x.size]
        patch += cover * (np.float32(value) - patch)


def _disc(image: NDArray[np.float32], circle: Circle, scale: float) -> None:
    over = 8
    r = circle.r * scale
    x0, y0 = int(circle.x * scale - r) - 1, int(circle.y * scale - r) - 1
    n = int(2 * r) + 4
    at = (np.arange(n * over) + 0.5) / over
    inside = (at[None, :] + x0 - circle.x * scale) ** 2 + (at[:, None] + y0 - circle.y * scale) ** 2 <= r * r
    cover = inside.reshape(n, over, n, over).mean(axis=(1, 3)).astype(np.float32)
    patch = image[max(y0, 0) : y0 + n, max(x0, 0) : x0 + n]
    cover = cover[max(-y0, 0) :, max(-x0, 0) :][: patch.shape[0], : patch.shape[1]]
    patch *= 1 - cover


def _write(gray: NDArray[np.uint8], text: Text, scale: float) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    size = text.size * scale / 21.0  # Hershey capitals are 21 px high at scale 1
    thickness = max(1, round(size * 1.4))
    words = text.words.replace("…", "...").replace("×", "x")
    (w, h), base = cv2.getTextSize(words, font, size, thickness)
    tile = np.full((h + base + 2 * thickness, w + 2 * thickness), 255, np.uint8)
    cv2.putText(tile, words, (thickness, h + thickness), font, size, 0, thickness, cv2.LINE_AA)
    x, y = round(text.x * scale), round(text.y * scale)
    if text.up:
        tile = np.rot90(tile)
        x, y = x - h - thickness, y - tile.shape[0]
    else:
        y -= h + thickness
    x, y = max(x, 0), max(y, 0)
    patch = gray[y : y + tile.shape[0], x : x + tile.shape[1]]
    np.minimum(patch, tile[: patch.shape[0], : patch.shape[1]], out=patch)
