"""Render the pictures of the docs from the demo scene: `python tools/pictures.py`.

Writes docs/pictures/*.jpg. Nothing in them is drawn by hand: the window is the program's own, fed by its own pipeline.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from livestereo.cli._build import build_pipeline
from livestereo.display import Event, Key
from livestereo.render.effects import EffectSettings, apply_effect, scene_of
from livestereo.render.film import FilmMaker
from livestereo.settings import resolve_settings
from livestereo.sinks.base import RunState
from livestereo.sinks.window import WindowView
from livestereo.sinks.window_state import WindowState
from livestereo.sources.demo import DemoSource
from livestereo.types import StereoResult

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
GALLERY = ("fog", "focus", "miniature", "anaglyph", "occlude", "cutout")


class Paper:
    """A screen that keeps what it is shown."""

    def __init__(self, title: str, size_wh: tuple[int, int]) -> None:
        self.size_wh = (1280, 548)
        self.is_open = True
        self.shown: np.ndarray | None = None
        self._pressed: list[Event] = [Key("?")]  # closes the help that a new window opens with

    def show(self, bgr: np.ndarray) -> None:
        """Keep a picture."""
        self.shown = bgr

    def resize(self, size_wh: tuple[int, int]) -> None:
        """Paper keeps its size."""

    def poll(self, wait_s: float = 0.0) -> list[Event]:
        """One key is pressed on paper, once."""
        if self.shown is None:
            return []
        pressed, self._pressed = self._pressed, []
        return pressed

    def close(self) -> None:
        """Close it."""
        self.is_open = False


def save(name: str, picture: np.ndarray, width: int, quality: int = 82) -> None:
    """Write one picture, `width` px wide."""
    scale = width / picture.shape[1]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.jpg"
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KiB")


def window(result: StereoResult, source: DemoSource, settings: object, fps: float) -> np.ndarray:
    """The window as a person sees it."""
    papers: list[Paper] = []

    def open_paper(title: str, size_wh: tuple[int, int]) -> Paper:
        papers.append(Paper(title, size_wh))
        return papers[-1]

    now = [0.0]

    def clock() -> float:
        now[0] += 5.0  # the keys that are listed at the start have faded
        return now[0]

    view = WindowView(WindowState(settings), open_screen=open_paper, clock=clock)  # type: ignore[arg-type]
    view.open(source.info)
    for _ in range(12):
        view.accept(result)
        view.tell(RunState(settings=settings, stats=source.stats(), depth_fps=fps, resolved=result.settings))  # type: ignore[arg-type]
        view.poll()
    assert papers and papers[0].shown is not None
    picture = papers[0].shown.copy()
    view.close()
    return picture


def main() -> int:
    """Render everything; give the exit code."""
    settings = resolve_settings("balanced", {}, None)
    with DemoSource("room", seed=1) as source:
        pipeline = None
        result = None
        for _ in range(6):
            frame = source.read(5.0)
            assert frame is not None
            if pipeline is None:
                from calibration.rectify import make_rectification

                pipeline = build_pipeline(settings, make_rectification(source.rig.rig))
            result = pipeline.process(frame)
        assert result is not None
        save("window", window(result, source, settings, 1 / sum(result.stage_s.values())), 1120)
        save("depth", FilmMaker("both")(result), 1000)
        tiles = []
        for name in GALLERY:
            made = apply_effect(name, scene_of(result), EffectSettings())
            image = made.image if made.image.shape[2] == 3 else _on_gray(made.image)
            tile = cv2.resize(image, (400, 300), interpolation=cv2.INTER_AREA)
            cv2.putText(tile, name, (12, 286), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 4, cv2.LINE_AA)
            cv2.putText(tile, name, (12, 286), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2, cv2.LINE_AA)
            tiles.append(tile)
        rows = [cv2.hconcat(tiles[i : i + 3]) for i in range(0, len(tiles), 3)]
        save("effects", cv2.vconcat(rows), 1120, 78)
    return 0


def _on_gray(bgra: np.ndarray) -> np.ndarray:
    alpha = bgra[:, :, 3:].astype(np.float32) / 255
    return (bgra[:, :, :3] * alpha + 225 * (1 - alpha)).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
