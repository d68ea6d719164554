"""The window of guided calibration: shows each moment, gives keys."""

from __future__ import annotations

from livestereo import display
from livestereo.display import Closed, Key
from livestereo.guided import Moment
from livestereo.render.guide_view import GuidePicture, canvas_size, draw_guide
from livestereo.types import U8, StereoFrame


class GuideScreen:
    """A `guided.GuideWindow` on the screen; main thread only."""

    def __init__(self, unit: str = "m", title: str = "livestereo - calibrate") -> None:
        self._unit = unit
        self._title = title
        self._window: display.Window | None = None
        self.canvas: U8 | None = None

    def show(self, frame: StereoFrame, moment: Moment) -> None:
        """Draw one moment."""
        left, right = frame.left.image, frame.right.image
        if self._window is None:
            sizes = (left.shape[1], left.shape[0]), (right.shape[1], right.shape[0])
            self._window = display.Window(self._title, canvas_size(*sizes, display.probe().screen_wh))
        self.canvas = draw_guide(
            GuidePicture(
                left, right, moment.found_left, moment.found_right, moment.step, moment.goal, self._unit,
                moment.flash, moment.busy, moment.message,
            ),
            self._window.size_wh,
        )  # fmt: skip
        self._window.show(self.canvas)

    def pressed(self) -> list[str]:
        """Give the names of keys pressed since the last call."""
        if self._window is None:
            return []
        names = []
        for event in self._window.poll():
            if isinstance(event, Key):
                names.append(event.name)
            elif isinstance(event, Closed):
                names.append("closed")
        return names

    def close(self) -> None:
        """Close the window; idempotent."""
        if self._window is not None:
            self._window.close()
