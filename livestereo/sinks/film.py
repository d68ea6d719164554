"""A film of a run for people: the window's picture without a window, as a video file; and the last result."""

from __future__ import annotations

from pathlib import Path

from livestereo.codecs import H264Writer
from livestereo.render.compose import Composer, Scene
from livestereo.render.layout import arrange, natural_canvas
from livestereo.render.overlay import Figures
from livestereo.render.views import PANE_TEXT, Look, displayed_size, panes_of, picture
from livestereo.settings import Settings
from livestereo.sinks.window_state import WindowState
from livestereo.timing import RateMeter
from livestereo.types import SourceInfo, StereoResult


class Film:
    """A result sink that writes `path` (.mp4); `last` is the newest result, `look` its colours."""

    def __init__(self, path: Path, settings: Settings, *, views: tuple[str, ...] = panes_of("split")) -> None:
        self._path = path
        self._settings = settings
        self._views = views
        self._colours = WindowState(settings)
        self._composer = Composer()
        self._writer: H264Writer | None = None
        self._rate = RateMeter()
        self._fps = 30.0
        self._live = False
        self._count = 0
        self._first_s: float | None = None
        self.last: StereoResult | None = None
        self.look: Look | None = None
        self._canvas = (0, 0)

    def open(self, info: SourceInfo) -> None:
        """Remember the rate; the file is made with the first result, when the size is known."""
        self._fps = info.fps or 30.0
        self._live = info.live

    def accept(self, result: StereoResult) -> None:
        """Add one result to the film, at its own time."""
        self._rate.tick()
        self._count += 1
        size = displayed_size(result)
        if self._writer is None:
            w, h = natural_canvas(size, len(self._views))
            self._canvas = (w // 2 * 2, h // 2 * 2)
            self._writer = H264Writer(self._path, self._canvas, self._fps, fragmented=False)
            self._first_s = result.frame.t_s
        self.look = self._colours.look(result)
        self.last = result
        layout = arrange(self._canvas, size, self._views)
        pictures = tuple(picture(p.view, result, self.look, (p.rect.w, p.rect.h)) for p in layout.panes)
        known = float((result.depth_m == result.depth_m).mean()) * 100
        figures = Figures(
            live=self._live, depth_fps=round(self._rate.rate(), 1), fill_percent=known, pairs=self._count,
            note=f"{self._settings.preset} · {self._settings.matcher}",
        )  # fmt: skip
        scene = Scene(
            layout, pictures, tuple(PANE_TEXT[p.view] for p in layout.panes), figures, self.look,
            metric=result.pair.rectification.metric,
        )  # fmt: skip
        self._writer.write(self._composer.compose(scene), result.frame.t_s - (self._first_s or 0.0))

    def close(self) -> None:
        """Finish the file; idempotent."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
