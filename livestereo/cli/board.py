"""`livestereo board`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livestereo.cli._options import command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError

if TYPE_CHECKING:
    from calibration.boards import Board


@command
def board(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="chessboard:9x6:25mm, for instance.", show_default=False)],
    file: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help=".pdf, .svg or .png")] = None,
    page: Annotated[str, typer.Option("--page", metavar="SIZE", help="a4, a3, letter, … or WxHmm")] = "a4",
    orientation: Annotated[
        str, typer.Option("--orientation", metavar="auto|portrait|landscape", help="How the page lies.")
    ] = "auto",
    dpi: Annotated[int, typer.Option("--dpi", metavar="N", help="Resolution of a PNG.")] = 300,
    screen: Annotated[bool, typer.Option("--screen", help="Show it full screen at true scale; needs --pitch.")] = False,
    pitch: Annotated[
        float | None, typer.Option("--pitch", metavar="MM", help="Distance of the monitor's pixels, mm.")
    ] = None,
    *,
    output: Output,
) -> None:
    """Draw a calibration board to print at true scale, with rulers to check the print.

    Example: `livestereo board chessboard:9x6:25mm -o board.pdf`

    Boards: `chessboard:9x6:25mm` (inner corners), `charuco:9x6:30mm:22mm:DICT_5X5_100` (squares across and down),
    `circles:4x11:20mm`. Print at 100 %, glue it to something flat, and measure both printed rulers.
    """
    from calibration.boards import parse_board
    from calibration.drawing import lay_out, page_size
    from calibration.printing import write_sheet
    from livestereo.imageio import make_place

    made = parse_board(spec)
    if screen:
        _on_screen(made, pitch, output)
        return
    if file is None:
        raise SettingsError("No output file is named.", "Add -o board.pdf (or .svg, .png), or use --screen.")
    landscapes = {"auto": None, "portrait": False, "landscape": True}
    if orientation not in landscapes:
        raise SettingsError(f"Unknown orientation: {orientation!r}.", f"Give {', '.join(landscapes)}.")
    sheet = lay_out(made, page_size(page), landscape=landscapes[orientation])
    write_sheet(sheet, make_place(file), dpi)
    x, y, w, h = sheet.board_mm
    output.result(
        {"file": file, "board": made.text, "page_mm": sheet.size_mm, "board_mm": {"x": x, "y": y, "w": w, "h": h}}
    )
    output.show(
        f"{file}: {made.words}, {w:g} x {h:g} mm on a page of {sheet.size_mm[0]:g} x {sheet.size_mm[1]:g} mm.\n"
        "Print at 100 % (not fit to page), glue it to something flat, and measure both 100 mm rulers.\n"
        f"Then: livestereo calibrate 0 2 --board {made.text} --measured 100.0x100.0mm -o rig.json"
    )


def _on_screen(made: Board, pitch_mm: float | None, output: Output) -> None:
    import numpy as np

    from calibration.drawing import Sheet, pattern_shapes, pattern_size, rasterize
    from livestereo.display import probe, show_full_screen

    if pitch_mm is None or not 0.02 <= pitch_mm <= 2:
        raise SettingsError(
            "The distance of the monitor's pixels is needed.",
            "Give it in mm: --pitch 0.2768 (the width of the picture on the screen in mm, over its pixels).",
        )
    found = probe()
    if not found.ok:
        raise SettingsError(found.why, "Run it on a computer with a screen, or print the board with -o board.pdf.")
    screen_w, screen_h = found.screen_wh
    across, down = pattern_size(made)
    rim = 0.5
    wanted = (made.square_m or 0.0) * 1000 / pitch_mm
    square_px = round(wanted) if made.square_m else int(min(screen_w / (across + 2 * rim), screen_h / (down + 2 * rim)))
    if square_px < 8 or (across + rim) * square_px > screen_w or (down + rim) * square_px > screen_h:
        largest = min(screen_w / (across + rim), screen_h / (down + rim)) * pitch_mm
        raise SettingsError(
            f"The board does not fit the screen of {screen_w}x{screen_h} pixels.",
            f"Use squares of at most {int(largest)} mm.",
        )
    sheet = Sheet((across, down), tuple(pattern_shapes(made)), (0, 0, across, down), made.text)
    pattern = rasterize(sheet, square_px)
    picture = np.full((screen_h, screen_w), 255, np.uint8)
    y, x = (screen_h - pattern.shape[0]) // 2, (screen_w - pattern.shape[1]) // 2
    picture[y : y + pattern.shape[0], x : x + pattern.shape[1]] = pattern
    true_mm = square_px * pitch_mm
    # Squares are whole pixels, so their true size may differ from the one asked for: that is the one to calibrate with.
    exact = made.text.replace(f"{(made.square_m or 0) * 1000:g}mm", f"{true_mm:g}mm", 1) if made.square_m else made.text
    output.result({"board": exact, "square_mm": true_mm, "square_px": square_px})
    output.show(f"On the screen a square is {square_px} pixels, {true_mm:.3f} mm. Calibrate with --board {exact}.")
    output.say("Any key closes it.")
    show_full_screen("livestereo board", np.repeat(picture[:, :, None], 3, axis=2))
