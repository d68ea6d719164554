"""A plain window for pictures that a command has made, one after another."""

from __future__ import annotations

import cv2
import numpy as np

from livestereo import display
from livestereo.cli._output import Output
from livestereo.render.effects import Effect
from livestereo.render.effects.cutout import checkerboard, over
from livestereo.types import U8

FRAME_S = 0.07


class Viewer:
    """Shows effects; with no display it says so once and shows nothing."""

    def __init__(self, title: str, output: Output) -> None:
        self._title = title
        self._window: display.Window | None = None
        self._found = display.probe()
        if not self._found.ok:
            output.warn(f"{self._found.why} Nothing is shown.")

    def show(self, effect: Effect, *, wait_for_key: bool) -> bool:
        """Show one; False when the person is done (q, Esc, the close button).

        wait_for_key: keep it until a key is pressed; a wiggle swings meanwhile.
        """
        if not self._found.ok:
            return True
        frames = effect.frames or (_on_screen(effect.image),)
        frames = tuple(self._fitted(frame) for frame in frames)
        if self._window is None:
            self._window = display.Window(self._title, (frames[0].shape[1], frames[0].shape[0]))
        place = 0
        while True:
            self._window.show(frames[place % len(frames)])
            events = self._window.poll(FRAME_S if wait_for_key else 0.001)
            keys = [event.name for event in events if isinstance(event, display.Key)]
            if not self._window.is_open or "q" in keys or "esc" in keys:
                return False
            if not wait_for_key or keys:
                return True
            place += 1

    def _fitted(self, image: U8) -> U8:
        width, height = self._found.screen_wh
        scale = min(1.0, 0.9 * width / image.shape[1], 0.85 * height / image.shape[0])
        if scale == 1:
            return image
        return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)

    def close(self) -> None:
        """Close the window; idempotent."""
        if self._window is not None:
            self._window.close()
            self._window = None


def _on_screen(image: U8) -> U8:
    if image.shape[2] == 3:
        return image
    return over(image, checkerboard(image.shape[1], image.shape[0]))
