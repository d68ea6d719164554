"""Writes a laid-out sheet as PDF, SVG or PNG, each at true scale."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from xml.sax.saxutils import escape

import cv2

from calibration.drawing import Rect, Sheet, Text, rasterize
from calibration.errors import CalibrationError
from calibration.files import write_atomically

DEFAULT_DPI = 300
MM_PER_INCH = 25.4


def pdf(sheet: Sheet, dpi: int = DEFAULT_DPI) -> bytes:
    """Make a PDF of one page that asks viewers not to scale it."""
    from reportlab.pdfgen.canvas import Canvas

    point = 72 / MM_PER_INCH
    w, h = (side * point for side in sheet.size_mm)
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=(w, h), invariant=1)
    canvas.setTitle(f"livestereo board {sheet.title}")
    canvas.setViewerPreference("PrintScaling", "None")
    for shape in sheet.shapes:
        canvas.setFillGray(0)
        if isinstance(shape, Rect):
            canvas.setFillGray(1 if shape.white else 0)
            canvas.rect(
                shape.x * point, h - (shape.y + shape.h) * point, shape.w * point, shape.h * point, stroke=0, fill=1
            )
        elif isinstance(shape, Text):
            canvas.saveState()
            canvas.translate(shape.x * point, h - shape.y * point)
            if shape.up:
                canvas.rotate(90)
            canvas.setFont("Helvetica", shape.size * point / 0.72)  # capitals are 0.72 of the font's size
            canvas.drawString(0, 0, shape.words)
            canvas.restoreState()
        else:
            canvas.circle(shape.x * point, h - shape.y * point, shape.r * point, stroke=0, fill=1)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def svg(sheet: Sheet, dpi: int = DEFAULT_DPI) -> bytes:
    """Make an SVG whose user unit is a millimetre."""
    w, h = sheet.size_mm
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:g}mm" height="{h:g}mm" viewBox="0 0 {w:g} {h:g}">',
        f"<title>{escape(sheet.title)}</title>",
        f'<rect width="{w:g}" height="{h:g}" fill="#fff"/>',
        # crispEdges would move every edge to the nearest pixel of the screen or printer driver: 0.13 mm at 96 dpi.
        '<g shape-rendering="geometricPrecision">',
    ]
    for shape in sheet.shapes:
        if isinstance(shape, Rect):
            fill = ' fill="#fff"' if shape.white else ""
            parts.append(
                f'<rect x="{shape.x:.6g}" y="{shape.y:.6g}" width="{shape.w:.6g}" height="{shape.h:.6g}"{fill}/>'
            )
        elif isinstance(shape, Text):
            turned = f' transform="rotate(-90 {shape.x:.6g} {shape.y:.6g})"' if shape.up else ""
            parts.append(
                f'<text x="{shape.x:.6g}" y="{shape.y:.6g}" font-family="Helvetica, Arial, sans-serif" '
                f'font-size="{shape.size / 0.72:.6g}"{turned}>{escape(shape.words)}</text>'
            )
        else:
            parts.append(f'<circle cx="{shape.x:.6g}" cy="{shape.y:.6g}" r="{shape.r:.6g}"/>')
    return ("\n".join([*parts, "</g>", "</svg>"]) + "\n").encode()


def png(sheet: Sheet, dpi: int = DEFAULT_DPI) -> bytes:
    """Make a gray PNG that says its own resolution, so that it prints at true scale.

    Raises:
        CalibrationError: the picture is too large to be made.
    """
    ok, data = cv2.imencode(".png", rasterize(sheet, dpi / MM_PER_INCH))
    if not ok:
        raise CalibrationError("The picture of the board could not be made.", "Use a lower --dpi.")
    return _with_resolution(data.tobytes(), dpi)


def _with_resolution(data: bytes, dpi: int) -> bytes:
    """Insert a pHYs chunk (pixels per metre) behind IHDR (PNG specification, 11.3.5.3)."""
    per_metre = round(dpi * 1000 / MM_PER_INCH)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 8 + 25  # signature, then IHDR: length, type, 13 bytes, CRC
    return data[:after_header] + chunk + data[after_header:]


WRITERS: Mapping[str, Callable[[Sheet, int], bytes]] = MappingProxyType({".pdf": pdf, ".svg": svg, ".png": png})


def write_sheet(sheet: Sheet, path: Path, dpi: int = DEFAULT_DPI) -> None:
    """Write a sheet in the format of the file's ending, whole or not at all.

    Raises:
        CalibrationError: another ending, an impossible resolution, or the file cannot be written.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise CalibrationError(
            f"A board cannot be written as {path.suffix or 'a file without ending'!r}.",
            f"Use {', '.join(WRITERS)}.",
        )
    if not 50 <= dpi <= 1200:
        raise CalibrationError(f"{dpi} dots per inch are not possible.", "Give 50 to 1200.")
    write_atomically(path, writer(sheet, dpi))
