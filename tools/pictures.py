"""Render the pictures of the docs from the demo scene: `python tools/pictures.py`.

Writes docs/pictures/. Nothing in them is drawn by hand: the window is the program's own, fed by its own pipeline.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calibration.advice import Goal
from calibration.boards import parse_board
from calibration.rectify import make_rectification
from calibration.session import Session
from livestereo.cli._build import build_pipeline
from livestereo.cli._measuring import Measuring
from livestereo.cli._options import RigOptions
from livestereo.cli._output import Output
from livestereo.cli._quality_panel import QualityPanel
from livestereo.cli._results import ResultMaker
from livestereo.cli._setup import Opened
from livestereo.display import Event, Key, Mouse
from livestereo.evaluation.plane_quality import QualityMeter
from livestereo.guided import Capture, Moment
from livestereo.points import make_cloud
from livestereo.render import theme
from livestereo.render.effects import EffectSettings, apply_effect, scene_of
from livestereo.render.effects.views import still_at, view_between
from livestereo.render.film import FilmMaker
from livestereo.render.guide_view import GuidePicture, draw_guide
from livestereo.render.paint import chip
from livestereo.render.views import Look, picture
from livestereo.settings import Settings, resolve_settings
from livestereo.sinks.aside import AtOnce
from livestereo.sinks.base import RunState
from livestereo.sinks.window import WindowView
from livestereo.sinks.window_scene import Card
from livestereo.sinks.window_state import WindowState
from livestereo.sources.demo import DemoSource
from livestereo.types import StereoFrame, StereoResult

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
GALLERY: tuple[tuple[str, str, EffectSettings], ...] = (
    ("fog", "Fog", EffectSettings(visibility_m=18)),
    ("fog", "Smoke", EffectSettings(medium="smoke")),
    ("fog", "Under water", EffectSettings(medium="water", visibility_m=20)),
    ("focus", "Selective focus", EffectSettings()),
    ("miniature", "Miniature", EffectSettings()),
    ("anaglyph", "Anaglyph", EffectSettings()),
    ("occlude", "Occlusion", EffectSettings()),
    ("cutout", "Cut-out", EffectSettings()),
)


class Paper:
    """A screen that keeps what it is shown, and gives these events, one at each look."""

    def __init__(self, size_wh: tuple[int, int], events: Sequence[Event]) -> None:
        self.size_wh = size_wh
        self.is_open = True
        self.shown: np.ndarray | None = None
        self._events = list(events)

    def show(self, bgr: np.ndarray) -> None:
        """Keep a picture."""
        self.shown = bgr

    def resize(self, size_wh: tuple[int, int]) -> None:
        """Paper keeps its size."""

    def poll(self, wait_s: float = 0.0) -> list[Event]:
        """Give the next event."""
        return [self._events.pop(0)] if self._events and self.shown is not None else []

    def close(self) -> None:
        """Close it."""
        self.is_open = False


def save(name: str, picture: np.ndarray, width: int, quality: int = 80) -> None:
    """Write one picture, `width` px wide."""
    scale = width / picture.shape[1]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    _write(PICTURES / f"{name}.jpg", cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{path.relative_to(ROOT)}: {len(data) // 1024} KiB")


class GuidePaper:
    """The window of guided calibration that keeps what it is shown, and ends when it shows all it can show."""

    def __init__(self, after_views: int) -> None:
        self._after = after_views
        self._done = False
        self.shown: np.ndarray | None = None

    def show(self, frame: StereoFrame, moment: Moment) -> None:
        """Draw a moment: the last one in which the board is seen and another pose is asked for."""
        whole = moment.found_left is not None and moment.found_right is not None and moment.step.pose is not None
        if self._done or not whole or moment.step.accept or moment.flash > 0 or not moment.step.hint:
            return
        shown = GuidePicture(
            frame.left.image, frame.right.image, moment.found_left, moment.found_right, moment.step, moment.goal,
        )  # fmt: skip
        self.shown = draw_guide(shown, (1304, 630))
        self._done = moment.step.views >= self._after

    def pressed(self) -> list[str]:
        """Close when the picture is taken."""
        return ["closed"] if self._done else []

    def close(self) -> None:
        """Nothing is open."""


def guided() -> np.ndarray:
    """What guided calibration shows after some views."""
    paper = GuidePaper(6)
    board = parse_board("chessboard:9x6:25mm")
    with tempfile.TemporaryDirectory() as folder, DemoSource("board", seed=1) as source:
        Capture(board, Session(Path(folder), board), Goal(0.5, 2.0)).run(source, window=paper, frames=900)
    assert paper.shown is not None
    return paper.shown


class Scene:
    """The newest results of a demo scene, and the window that shows them."""

    def __init__(self, name: str, seed: int, count: int) -> None:
        self.settings = resolve_settings("balanced", {"threads": 1}, None)
        cv2.setNumThreads(1)
        spent = []
        with DemoSource(name, seed=seed) as source:
            self.source = source
            self.info = source.info
            pipeline = build_pipeline(self.settings, make_rectification(source.rig.rig))
            self.results: list[StereoResult] = []
            for _ in range(count):
                frame = source.read(5.0)
                assert frame is not None
                begin = time.process_time()
                self.results.append(pipeline.process(frame))
                spent.append(time.process_time() - begin)
            # Effects of photos are made of the best depth there is, as the command `effect` makes them.
            opened = Opened(source, source.rig, RigOptions(), Output(quiet=True))
            maker = ResultMaker(opened, resolve_settings("quality"))
            self.photo = maker.compute(self.results[-1].frame)
            maker.close()
        # Processor time of one thread: what else runs on this computer does not count.
        self.fps = 1 / float(np.median(spent))
        self.opened = opened

    def window(
        self, *events: Event, size_wh: tuple[int, int] = (1280, 548), cards: Sequence[Card] = ()
    ) -> np.ndarray:  # fmt: skip
        """The window as a person sees it after these events."""
        paper = Paper(size_wh, [Key("?"), *events])  # the first closes the help that a new window opens with
        now = [0.0]

        def clock() -> float:
            now[0] += 5.0  # messages have faded
            return now[0]

        state = WindowState(self.settings, can={"tune", "wls", "temporal", "holes", "measure"})
        view = WindowView(
            state, measure=Measuring(self.opened), cards=cards, open_screen=lambda _title, _size: paper, clock=clock,
            pool=AtOnce(),
        )  # fmt: skip
        view.open(self.info)
        newest = self.results[-1]
        running: Any = {"settings": self.settings, "stats": self.source.stats(), "resolved": newest.settings}
        for _ in range(12 + len(events)):
            view.accept(newest)
            view.tell(RunState(depth_fps=self.fps, **running))
            view.poll()
        view.close()
        assert paper.shown is not None
        return paper.shown.copy()


def tiled(pictures: Sequence[tuple[str, np.ndarray]], columns: int, size_wh: tuple[int, int]) -> np.ndarray:
    """Small pictures with their names, in rows."""
    tiles = []
    for name, image in pictures:
        tile = np.ascontiguousarray(cv2.resize(_on_gray(image), size_wh, interpolation=cv2.INTER_AREA))
        chip(tile, name, 8, size_wh[1] - 34, 16, colour=theme.TEXT)
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    return cv2.vconcat([cv2.hconcat(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def _on_gray(image: np.ndarray) -> np.ndarray:
    if image.shape[2] == 3:
        return image
    alpha = image[:, :, 3:].astype(np.float32) / 255
    return (image[:, :, :3] * alpha + 225 * (1 - alpha)).astype(np.uint8)


def cloud_picture(result: StereoResult, size_wh: tuple[int, int] = (960, 560), turn_deg: float = 16) -> np.ndarray:
    """The coloured cloud from beside the cameras: each point a small square, nearer ones over farther ones."""
    made = make_cloud(result.depth_m, result.pair.left, result.pair.rectification, normals=False, far_m=7)
    middle = np.array([0.0, 0.1, 3.2])
    angle = np.radians(turn_deg)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = (made.points - middle) @ turn.T + middle + [0, 0, 0.6]
    w, h = size_wh
    canvas = np.full((h, w, 3), theme.BACKGROUND, np.uint8)
    order = np.argsort(-points[:, 2])
    x, y, z = points[order].T
    u, v = (x / z * 0.72 * w + w / 2).astype(int), (y / z * 0.72 * w + h / 2).astype(int)
    for dx in (0, 1, 2):
        for dy in (0, 1, 2):
            ok = (u + dx >= 0) & (u + dx < w) & (v + dy >= 0) & (v + dy < h)
            canvas[v[ok] + dy, u[ok] + dx] = made.colors[order][ok, ::-1]
    return canvas


def wiggle(result: StereoResult, width: int = 420, steps: int = 8) -> bytes:
    """The two views and those made up between them, as a looped WebP."""
    scene = scene_of(result)
    there = [i / steps for i in range(steps + 1)]
    frames = []
    for t in [*there, *there[-2:0:-1]]:
        still = still_at(view_between(scene, t, scene.right), t, float(np.median(scene.disparity_px)))
        height = round(still.shape[0] * width / still.shape[1])
        frames.append(cv2.resize(still, (width, height), interpolation=cv2.INTER_AREA))
    animation = cv2.Animation()
    animation.frames = frames
    animation.durations = np.full(len(frames), 70, np.int32)
    done, data = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, 45])
    assert done
    return bytes(data.tobytes())


def views(result: StereoResult, settings: Settings, look: Look) -> np.ndarray:
    """What the number keys show."""
    panes = [
        ("right", "2  Right"),
        ("left lines", "3  Rectified, with lines"),
        ("depth", "4  Depth"),
        ("anaglyph", "6  Anaglyph"),
    ]
    if result.confidence is not None:
        panes.insert(3, ("confidence", "5  Confidence"))
    if result.reason is not None:
        panes.append(("reason", "7  Why there is no depth"))
    return tiled([(text, picture(pane, result, look)) for pane, text in panes], 3, (400, 300))


def main() -> int:
    """Render everything; give the exit code."""
    room = Scene("room", 1, 8)
    newest = room.results[-1]
    save("window", room.window(), 1120)
    save("depth", FilmMaker("both")(newest), 1000)
    save("tuning", room.window(Key("tab")), 1000)
    drag = [Mouse("press", 420, 215), *(Mouse("move", x, 215) for x in (470, 528)), Mouse("release", 528, 215)]
    drag += [Mouse("press", 240, 440), Mouse("release", 240, 440), Mouse("move", 3, 3)]
    save("measure", room.window(Key("1"), *drag, size_wh=(860, 660)), 700)
    state = WindowState(room.settings)
    save("views", views(newest, room.settings, state.look(newest)), 1120, 78)
    tiles = [(text, apply_effect(name, scene_of(room.photo), wanted).image) for name, text, wanted in GALLERY]
    save("effects", tiled(tiles, 4, (320, 240)), 1120, 78)
    save("cloud", cloud_picture(newest), 860, 78)
    _write(PICTURES / "wiggle.webp", wiggle(room.photo))
    save("calibrate", guided(), 1100, 78)
    plane = Scene("plane", 1, 8)
    meter = QualityMeter()
    for result in plane.results:
        meter.accept(result)
    panel = QualityPanel(meter, plane.opened, 1.5)
    panel.observe(plane.results[-1].frame, plane.results[-1], plane.source.stats())
    save("quality", plane.window(cards=[panel.draw]), 1000, 74)
    return 0


if __name__ == "__main__":
    sys.exit(main())
