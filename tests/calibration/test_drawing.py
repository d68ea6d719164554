"""A printed board has its true size, and detectors find on paper what was asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest

from calibration.boards import parse_board
from calibration.detection import BoardDetector
from calibration.drawing import Rect, lay_out, page_size, rasterize
from calibration.errors import CalibrationError
from calibration.printing import pdf, png, svg, write_sheet

SPECS = (
    "chessboard:9x6:25mm",
    "charuco:9x6:28mm:21mm:DICT_5X5_100",
    "circles:4x11:20mm",
    "charuco:5x8:30mm:22mm:DICT_4X4_50",
)
PX_PER_MM = 6.0


@pytest.mark.parametrize("spec", SPECS)
def test_the_points_lie_where_the_spec_says(spec: str) -> None:
    board = parse_board(spec)
    sheet = lay_out(board, page_size("a4"))
    found = BoardDetector(board).detect(rasterize(sheet, PX_PER_MM))
    assert found is not None and len(found.ids) == board.point_count
    at = found.points_px.astype(np.float64) / PX_PER_MM
    want = board.object_points()[found.ids, :2] * 1000
    # The order may be turned by 180°; distances between all points do not depend on it.
    spread = np.linalg.norm(at[:, None] - at[None], axis=2) - np.linalg.norm(want[:, None] - want[None], axis=2)
    # 0.03 mm is a fifth of a pixel here, and less than paper moves with the weather
    assert np.abs(spread).max() < 0.03


def test_rulers_are_100_mm_on_both_axes() -> None:
    sheet = lay_out(parse_board("chessboard:9x6:25mm"), page_size("a4"))
    bars = [s for s in sheet.shapes if isinstance(s, Rect)]
    assert any(abs(bar.w - 100) < 1e-9 and bar.h < 0.5 for bar in bars)
    assert any(abs(bar.h - 100) < 1e-9 and bar.w < 0.5 for bar in bars)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("page", ["a4", "letter", "a3", "400x500mm"])
def test_everything_stays_on_the_page_and_off_the_board(spec: str, page: str) -> None:
    try:
        sheet = lay_out(parse_board(spec), page_size(page))
    except CalibrationError as error:
        assert "does not fit" in error.what
        return
    w, h = sheet.size_mm
    bx, by, bw, bh = sheet.board_mm
    for shape in sheet.shapes:
        if isinstance(shape, Rect):
            assert shape.x >= 3 and shape.y >= 3 and shape.x + shape.w <= w - 3 and shape.y + shape.h <= h - 3
            on_board = bx - 1e-6 <= shape.x and shape.x + shape.w <= bx + bw + 1e-6
            on_board = on_board and by - 1e-6 <= shape.y and shape.y + shape.h <= by + bh + 1e-6
            clear = shape.x + shape.w < bx - 1 or shape.y > by + bh + 1
            assert on_board or clear


def test_a_board_that_is_too_large_is_refused_with_what_would_fit() -> None:
    with pytest.raises(CalibrationError, match="does not fit") as raised:
        lay_out(parse_board("chessboard:9x6:38mm"), page_size("a4"))
    assert "at most" in raised.value.fix and "A3" in raised.value.fix.upper()


def test_a_board_without_size_is_refused() -> None:
    with pytest.raises(CalibrationError, match="no size"):
        lay_out(parse_board("chessboard:9x6"), page_size("a4"))


def test_png_says_its_resolution_and_svg_its_size() -> None:
    sheet = lay_out(parse_board("chessboard:9x6:25mm"), page_size("a4"))
    data = png(sheet, 254)
    assert b"pHYs" in data
    at = data.index(b"pHYs")
    assert int.from_bytes(data[at + 4 : at + 8], "big") == 10000  # 254 dots per inch are 10 per mm
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (2100, 2970)
    assert b'width="297mm" height="210mm"' in svg(sheet)


@pytest.mark.parametrize(
    ("spec", "page"),
    [
        ("chessboard:9x6:25mm", "a4"), ("charuco:5x7:30mm:22mm:DICT_5X5_100", "letter"), ("circles:7x5:25mm", "a3"),
        ("chessboard:7x5:40mm", "400x450mm"),
    ],
)  # fmt: skip
def test_pdf_measures_true_when_printed(spec: str, page: str, tmp_path: Path) -> None:
    if which("pdftoppm") is None:
        pytest.skip("pdftoppm is not installed")
    board = parse_board(spec)
    sheet = lay_out(board, page_size(page))
    path = tmp_path / "board.pdf"
    write_sheet(sheet, path)
    assert b"/PrintScaling /None" in path.read_bytes()
    # 254 dpi: ten pixels to a millimetre
    subprocess.run(["pdftoppm", "-r", "254", "-gray", "-png", "-singlefile", path, tmp_path / "page"], check=True)
    image = cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE)
    found = BoardDetector(board).detect(image)
    assert found is not None and len(found.ids) == board.point_count
    flat = board.object_points()[found.ids, :2] * 1000
    design = np.column_stack([flat, np.ones(len(flat))])
    fitted = np.linalg.lstsq(design, found.points_px / 10.0, rcond=None)[0]
    assert np.abs(np.linalg.norm(fitted[:2], axis=1) - 1).max() < 1e-3  # 0.1 mm in 100; edges are put on whole pixels
    assert np.abs(design @ fitted - found.points_px / 10.0).max() < 0.11  # mm: a pixel
    # Both rulers, as a person measures them: between the middles of the end ticks, which are 0.2 mm wide.
    for bar, across in ((b, b.w > b.h) for b in sheet.shapes if isinstance(b, Rect) and max(b.w, b.h) > 99.9 > 1):
        if min(bar.w, bar.h) > 0.5:
            continue
        middle = round(10 * (bar.y + bar.h / 2) if across else 10 * (bar.x + bar.w / 2))
        line = image[middle - 1 : middle + 2].min(axis=0) if across else image[:, middle - 1 : middle + 2].min(axis=1)
        dark = np.flatnonzero(line[round(10 * (bar.x if across else bar.y)) - 20 :] < 128)
        breaks = np.flatnonzero(np.diff(dark) > 1)
        length = (breaks[0] if len(breaks) else len(dark) - 1) + 1
        assert abs(length / 10 - 0.2 - 100) <= 0.1 + 1e-9  # a pixel


@pytest.mark.parametrize("name", ["board.jpg", "board"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CalibrationError, match="cannot be written as"):
        write_sheet(lay_out(parse_board("chessboard:9x6:25mm"), page_size("a4")), tmp_path / name)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no folder"):
        write_sheet(lay_out(parse_board("chessboard:9x6:25mm"), page_size("a4")), tmp_path / "no" / "board.pdf")


def test_pdf_is_the_same_every_time() -> None:
    sheet = lay_out(parse_board("circles:4x11:20mm"), page_size("a3"))
    assert pdf(sheet) == pdf(sheet)
