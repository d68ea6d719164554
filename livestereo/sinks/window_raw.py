"""The window before there is a rig: both raw views with level lines, focus and exposure, to aim the cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from livestereo import display
from livestereo.display import Closed, Key
from livestereo.render import overlay, theme
from livestereo.render.compose import Composer, Scene
from livestereo.render.layout import Rect, arrange, natural_canvas
from livestereo.render.overlay import Figures, Tone
from livestereo.render.paint import fill, panel
from livestereo.render.text import draw_text, line_height, text_width
from livestereo.render.views import with_lines
from livestereo.sinks.window import Screen
from livestereo.timing import Clock, monotonic
from livestereo.types import U8, CaptureStats, SizeWH, StereoFrame

FORGET = 0.997  # by frame: the best focus seen fades, so that a change of scene does not spoil the bar for ever
DARK, BRIGHT = 60.0, 195.0
CLIPPED = 0.03


@dataclass(frozen=True)
class SideState:
    """How one camera's picture is: sharpness relative to the best seen (0..1), mean level, share of clipped pixels."""

    focus: float
    mean: float
    clipped: float

    @property
    def exposure_text(self) -> str:
        """Say in a word how it is exposed."""
        if self.clipped > CLIPPED or self.mean > BRIGHT:
            return "too bright"
        return "too dark" if self.mean < DARK else "good"


class FocusMeter:
    """Judges sharpness and exposure of one camera, picture by picture.

    Sharpness is the variance of the Laplacian over the squared mean level (Pech-Pacheco et al., ICPR 2000), so
    that a brighter picture is not a sharper one; only its course tells, so it is shown against the best seen.
    """

    def __init__(self) -> None:
        self._best = 1e-9
        self._smooth: float | None = None

    def measure(self, bgr: U8) -> SideState:
        """Measure one (H,W,3) uint8 picture."""
        gray = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), np.uint8)
        h, w = gray.shape
        centre = gray[h // 6 : h - h // 6, w // 6 : w - w // 6]
        mean = float(gray[::4, ::4].mean())
        sharp = float(cv2.Laplacian(centre, cv2.CV_32F).var()) / max(mean, 8.0) ** 2
        self._smooth = sharp if self._smooth is None else 0.7 * self._smooth + 0.3 * sharp
        self._best = max(self._best * FORGET, self._smooth)
        clipped = float(np.count_nonzero(gray[::4, ::4] >= 254)) / max(1, gray[::4, ::4].size)
        return SideState(min(1.0, self._smooth / self._best), mean, clipped)


class RawWindow:
    """Shows raw pairs; `poll` gives False when the person has had enough. All on the main thread."""

    def __init__(
        self, *, title: str = "livestereo – aim the cameras",
        open_screen: Callable[[str, SizeWH], Screen] = display.Window, clock: Clock = monotonic,
    ) -> None:  # fmt: skip
        self._title = title
        self._open_screen = open_screen
        self._clock = clock
        self._screen: Screen | None = None
        self._composer = Composer()
        self._meters = (FocusMeter(), FocusMeter())
        self._figures = Figures()
        self._figures_s = float("-inf")
        self.canvas: U8 | None = None

    def show(self, frame: StereoFrame, stats: CaptureStats, *, message: str = "") -> None:
        """Draw one pair."""
        left, right = frame.left.image, frame.right.image
        panes = _of_one_shape(left, right)
        size = (panes[0].shape[1], panes[0].shape[0])
        if self._screen is None:
            self._screen = self._open_screen(
                self._title, natural_canvas(size, 2, screen_wh=display.probe().screen_wh, legend=False)
            )
        states = tuple(meter.measure(image) for meter, image in zip(self._meters, (left, right)))
        layout = arrange(self._screen.size_wh, size, ("left", "right"), legend=False)
        rects = [pane.rect for pane in layout.panes]
        scene = Scene(
            layout,
            tuple(with_lines(image, max(12, image.shape[0] // 12)) for image in panes),
            _labels(left, right),
            self._figures_now(frame, stats),
            banner=message,
            cards=(lambda canvas: _draw_states(canvas, rects, states),),
        )
        self.canvas = self._composer.compose(scene)
        self._screen.show(self.canvas)

    def poll(self) -> bool:
        """Let the window live; False once it was closed or `q` was pressed."""
        events = self._screen.poll() if self._screen is not None else []
        done = any(isinstance(e, Closed) or (isinstance(e, Key) and e.name in ("q", "Q", "esc")) for e in events)
        return not done

    def close(self) -> None:
        """Close the window; idempotent."""
        if self._screen is not None:
            self._screen.close()

    def _figures_now(self, frame: StereoFrame, stats: CaptureStats) -> Figures:
        now = self._clock()
        if now - self._figures_s > 0.25:
            self._figures_s = now
            self._figures = Figures(
                capture_fps_left=stats.fps_left, capture_fps_right=stats.fps_right, skew_ms=frame.skew_s * 1000,
                dropped=dict(stats.dropped), state_left=stats.state_left, state_right=stats.state_right,
                note="no rig: raw views",
            )  # fmt: skip
        return self._figures


def _of_one_shape(left: U8, right: U8) -> tuple[U8, U8]:
    """Give both pictures at one size, for level lines through both: as wide as the left one, in the middle of black."""
    if left.shape == right.shape:
        return left, right
    width = left.shape[1]
    wide = np.asarray(cv2.resize(right, (width, max(1, round(right.shape[0] * width / right.shape[1])))), np.uint8)
    height = max(left.shape[0], wide.shape[0])
    panes = []
    for image in (left, wide):
        more = height - image.shape[0]
        panes.append(cv2.copyMakeBorder(image, more // 2, more - more // 2, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0)))
    return np.asarray(panes[0], np.uint8), np.asarray(panes[1], np.uint8)


def _labels(left: U8, right: U8) -> tuple[str, str]:
    sizes = ("", "") if left.shape == right.shape else (f", {i.shape[1]}x{i.shape[0]}" for i in (left, right))
    one, other = (f"{side}, as it comes{size}" for side, size in zip(("Left", "Right"), sizes))
    return one, other


def _draw_states(canvas: U8, rects: list[Rect], states: tuple[SideState, ...]) -> None:
    m = theme.metrics_for((canvas.shape[1], canvas.shape[0]))
    line = line_height(m.small) + 3
    label_w = text_width("Exposure", m.small) + m.pad
    for rect, state in zip(rects, states):
        bar_w = max(30, min(rect.w // 3, m.small * 12))
        box = Rect(rect.x + m.pad // 2, rect.bottom - m.pad // 2 - 2 * line - m.pad, 0, 2 * line + m.pad)
        word_w = text_width("too bright", m.small, "medium") + m.pad
        box = Rect(box.x, box.y, label_w + bar_w + word_w + 2 * m.pad, box.h)
        panel(canvas, box, theme.SHADE, 0.74, m.radius)
        good = state.exposure_text == "good"
        tone: Tone = "good" if state.focus > 0.9 else "warn" if state.focus > 0.6 else "bad"
        rows = (
            ("Focus", state.focus, f"{100 * state.focus:.0f} %", overlay.TONES[tone]),
            ("Exposure", state.mean / 255, state.exposure_text, overlay.TONES["good" if good else "warn"]),
        )
        for i, (label, share, text, colour) in enumerate(rows):
            y = box.y + m.pad // 2 + i * line
            draw_text(canvas, label, box.x + m.pad, y, m.small, theme.DIM)
            x, middle = box.x + m.pad + label_w, y + line // 2
            fill(canvas, Rect(x, middle - 2, bar_w, 4), theme.LINE)
            fill(canvas, Rect(x, middle - 2, round(bar_w * min(1.0, share)), 4), colour)
            draw_text(canvas, text, x + bar_w + m.pad // 2, y, m.small, theme.TEXT, weight="medium")
