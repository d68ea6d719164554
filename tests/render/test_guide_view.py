"""The picture of guided calibration: what to do next is read whole, in windows of every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calibration.advice import Goal, Need
from calibration.guide import Step
from calibration.views import Coverage
from livestereo.render import guide_view, overlay
from livestereo.render.guide_view import GuidePicture, draw_guide
from livestereo.render.layout import Rect
from livestereo.render.text import line_height, nearest_size, text_width

NEXT = "Show the board at the top, farther off, turned by 90°, right and upper edges away."
HAVE_WANT = {"views": (3, 12), "position": (0.5, 0.4), "size": (1.15, 1.25), "tilt": (2, 4), "turned": (0, 2)}
NEEDS = tuple(Need(name, have, want, "") for name, (have, want) in HAVE_WANT.items())


@pytest.mark.parametrize("canvas_wh", [(320, 240), (480, 360), (960, 540), (1920, 1080)])
def test_words_are_whole_and_apart_from_one_another(
    canvas_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, Rect]] = []

    def spy(canvas: Any, text: str, x: float, y: float, size_px: int, *rest: Any, weight: Any = "regular") -> int:
        width = text_width(text, nearest_size(size_px), weight)
        drawn.append((text, Rect(round(x), round(y), width, line_height(nearest_size(size_px)))))
        return width

    monkeypatch.setattr(guide_view, "draw_text", spy)
    covered = Coverage(0.5, 1.2, 2, 10.0, np.zeros((6, 8), np.int32))
    step = Step(False, "Hold still.", NEXT, 6, covered, covered, NEEDS, percent=0.14)
    picture = np.zeros((480, 640, 3), np.uint8)
    draw_guide(GuidePicture(picture, picture, None, None, step, Goal(1.0, 2.0), busy=True), canvas_wh)
    said = " ".join(text for text, _ in drawn)
    assert NEXT in said and "depth error 0.14 %" in said and "…" not in said
    for i, (text, box) in enumerate(drawn):
        assert box.right <= canvas_wh[0] and box.bottom <= canvas_wh[1], text
        for other, there in drawn[:i]:
            # Boxes of lines hold the room for accents, a few pixels of which may meet.
            assert box.overlap(there) <= 0.25 * min(box.w * box.h, there.w * there.h), (text, other)


@pytest.mark.parametrize("canvas_wh", [(320, 240), (960, 540), (1920, 1080)])
@pytest.mark.parametrize(
    "message", ["", "Taken.", "This seems to be another board: end, and give --board chessboard:9x6."]
)
def test_a_message_is_read_whole(canvas_wh: tuple[int, int], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    for room in (guide_view, overlay):
        monkeypatch.setattr(room, "draw_text", lambda canvas, text, *rest, **more: drawn.append(text) or 0)
    covered = Coverage(0.5, 1.2, 2, 10.0, np.zeros((6, 8), np.int32))
    step = Step(False, "Hold still.", "Show the board.", 6, covered, covered, NEEDS, percent=0.14)
    picture = np.zeros((480, 640, 3), np.uint8)
    draw_guide(GuidePicture(picture, picture, None, None, step, Goal(1.0, 2.0), message=message), canvas_wh)
    assert message in " ".join(drawn)
