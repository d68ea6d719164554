"""Where effects go: pictures, folders, videos, animations, MPO; and what the words of the options mean."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livestereo.errors import SettingsError, SourceError
from livestereo.imageio import (
    ALPHA_FORMATS,
    ANIMATION_FORMATS,
    PICTURE_FORMATS,
    OutputError,
    make_folder,
    make_place,
    refuse_source,
    replacing,
    told_of,
    write_animation,
    write_picture,
)
from livestereo.mpo import write_mpo
from livestereo.render.effects import Effect, EffectScene
from livestereo.render.effects.focus import defocus, lens_of_blur
from livestereo.render.effects.occlude import Card, Sphere, Thing
from livestereo.types import U8

VIDEO_FORMATS = (".mp4", ".mkv")
MOST_ANIMATION_FRAMES = 600  # of an animation, which is held in memory whole
STILL_FPS = 2.0  # of a film made of photos


def endings(kind: str, *, many: bool, has_background: bool) -> tuple[str, ...]:
    """Endings of files that can hold an effect of one pair, or of many."""
    if kind == "wiggle":
        return (*ANIMATION_FORMATS, *VIDEO_FORMATS)
    see_through = kind == "cutout" and not has_background
    if many:
        return () if see_through else (*VIDEO_FORMATS, *ANIMATION_FORMATS)
    if see_through:
        return ALPHA_FORMATS
    return (*PICTURE_FORMATS, ".mpo") if kind == "sbs" else PICTURE_FORMATS


def check_output(path: Path, kind: str, *, many: bool, has_background: bool) -> None:
    """Refuse an output that cannot hold the effect, before anything is computed.

    Raises:
        OutputError: the format cannot hold it; the folder cannot be written.
    """
    if kind == "wiggle" and many:
        raise OutputError(
            "A wiggle is made of one pair, and there are more.", "Choose one: --frames 1, or name one pair of pictures."
        )
    fitting = endings(kind, many=many, has_background=has_background)
    suffix = path.suffix.lower()
    known = {*PICTURE_FORMATS, *VIDEO_FORMATS, *ANIMATION_FORMATS, ".mpo"}
    if path.is_dir() or not suffix or (many and suffix not in known):
        if not many and not path.is_dir():
            raise OutputError(
                f"{path} has no ending that tells the format.", f"Use a name that ends in {', '.join(fitting)}."
            )
        make_folder(path)
        return
    if suffix in fitting:
        refuse_source(path)
        make_place(path)
        return
    if kind == "cutout" and not has_background:
        raise OutputError(
            f"{suffix} cannot hold transparency{' of a film' if many else ''}.",
            f"Name {'a folder' if many else 'a file that ends in ' + ', '.join(ALPHA_FORMATS)}, or give --background.",
        )
    if many:
        raise OutputError(
            f"There is more than one pair, and {suffix} holds one picture.",
            f"Name a folder, or a file that ends in {', '.join(fitting)}.",
        )
    what = "one picture" if suffix in VIDEO_FORMATS else f"the effect {kind}"
    raise OutputError(f"{suffix} cannot hold {what}.", f"Use a name that ends in {', '.join(fitting)}.")


class Outlet:
    """Writes the results of an effect one after another to what `-o` names."""

    def __init__(self, path: Path, kind: str, *, many: bool, fps: float | None, frame_ms: int) -> None:
        self._path = path
        self._kind = kind
        self._fps = fps
        self._frame_ms = frame_ms
        self._suffix = path.suffix.lower()
        self._folder = path.is_dir() or (many and self._suffix not in (*VIDEO_FORMATS, *ANIMATION_FORMATS))
        self._many = many
        self._kept: list[U8] = []
        self._stamps: list[float] = []
        self._video: Any = None
        self._open = ExitStack()
        self.files: list[str] = []

    def write(self, effect: Effect, name: str, t_s: float, *, baseline_m: float | None) -> list[str]:
        """Write one pair's effect; gives the files that are finished with it."""
        if self._folder:
            ending = ".gif" if effect.frames else ".png"
            path = make_folder(self._path) / f"{name}{ending}"
            return self._note(self._one(path, effect, baseline_m))
        if not self._many:
            return self._note(self._one(self._path, effect, baseline_m))
        image = _opaque(effect.image)
        if self._suffix in ANIMATION_FORMATS:
            if len(self._kept) == MOST_ANIMATION_FRAMES:
                raise OutputError(
                    f"An animation of more than {MOST_ANIMATION_FRAMES} pictures is too large.", "Use .mp4 or --frames."
                )
            self._kept.append(image)
            self._stamps.append(t_s)
        else:
            try:
                self._to_video(image, t_s)
            except OSError:
                self._video = None
                with self._open:  # what cannot be finished leaves nothing behind
                    raise
        return []

    def _one(self, path: Path, effect: Effect, baseline_m: float | None) -> Path:
        suffix = path.suffix.lower()
        if effect.frames:
            if suffix in VIDEO_FORMATS:
                return _write_loop(path, effect.frames, self._frame_ms)
            return write_animation(path, effect.frames, self._frame_ms)
        if suffix == ".mpo":
            return write_mpo(path, effect.views[0], effect.views[1], baseline_m=baseline_m)
        return write_picture(path, effect.image)

    def _note(self, path: Path) -> list[str]:
        self.files.append(str(path))
        return [str(path)]

    def _to_video(self, image: U8, t_s: float) -> None:
        from livestereo.codecs import H264Writer

        if self._video is None:
            temporary = self._open.enter_context(replacing(self._path))
            self._open.enter_context(told_of(self._path))
            fps = self._fps or STILL_FPS
            size = (image.shape[1], image.shape[0])
            self._video = H264Writer(temporary, size, fps, crf=18, preset="medium", fragmented=False)
            self._start_s, self._size = t_s, size
            self._step_s = 1 / fps
            self._count = 0
        if (image.shape[1], image.shape[0]) != self._size:
            image = _fitted(image, self._size)
        at = t_s - self._start_s if self._fps else self._count * self._step_s
        self._video.write(image, at)
        self._count += 1

    @property
    def unfinished(self) -> int:
        """Pictures of a film or an animation that is not closed yet."""
        return self._count if self._video is not None else len(self._kept)

    def close(self) -> None:
        """Finish videos and animations; a film of what was written before an error is kept."""
        if self._kept:
            steps = np.diff(self._stamps)
            each = round(1000 * float(np.median(steps))) if self._fps and len(steps) else 1000 / STILL_FPS
            largest = self._kept[0].shape
            frames = [i if i.shape == largest else _fitted(i, (largest[1], largest[0])) for i in self._kept]
            self._note(write_animation(self._path, frames, max(20, round(each))))
            self._kept = []
        if self._video is not None:
            video, self._video = self._video, None
            with self._open:
                video.close()
            self._note(self._path)


def _opaque(image: U8) -> U8:
    return image if image.shape[2] == 3 else np.ascontiguousarray(image[:, :, :3])


def _fitted(image: U8, size_wh: tuple[int, int]) -> U8:
    """Scale into a size with black bars."""
    w, h = size_wh
    scale = min(w / image.shape[1], h / image.shape[0])
    inner = cv2.resize(
        image, (round(image.shape[1] * scale), round(image.shape[0] * scale)), interpolation=cv2.INTER_AREA
    )
    canvas = np.zeros((h, w, 3), np.uint8)
    y, x = (h - inner.shape[0]) // 2, (w - inner.shape[1]) // 2
    canvas[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return canvas


def _write_loop(path: Path, frames: tuple[U8, ...], frame_ms: int, seconds: float = 6.0) -> Path:
    """Write a loop as a video that repeats it for about `seconds`."""
    from livestereo.codecs import H264Writer

    rounds = max(1, round(seconds * 1000 / (frame_ms * len(frames))))
    size = (frames[0].shape[1], frames[0].shape[0])
    with (
        replacing(path) as temporary,
        told_of(path),
        H264Writer(temporary, size, 1000 / frame_ms, crf=18, preset="medium", fragmented=False) as video,
    ):
        for i in range(rounds * len(frames)):
            video.write(frames[i % len(frames)], i * frame_ms / 1000)
    return path


def parse_point(text: str) -> tuple[float, float]:
    """Read "U,V" as a pixel.

    Raises:
        SettingsError: not two numbers.
    """
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*", text)
    if not match:
        raise SettingsError(f"{text!r} is not a point.", "Write two pixels, such as 320,240.")
    return float(match[1]), float(match[2])


@dataclass(frozen=True)
class WantedThing:
    """A thing as asked for; `u`, `v` are pixels, or shares of the picture where `relative`."""

    name: str
    picture: U8 | None
    u: tuple[float, bool]
    v: tuple[float, bool]
    depth_m: float
    size_m: float
    bgr: tuple[int, int, int]

    def placed(self, size_wh: tuple[int, int]) -> Thing:
        """Put it into a picture of this size."""
        u, v = (
            share * (side - 1) / 100 if relative else share
            for (share, relative), side in zip((self.u, self.v), size_wh)
        )
        if self.picture is None:
            return Sphere(self.name, u, v, self.depth_m, self.size_m / 2, self.bgr)
        return Card(self.name, u, v, self.depth_m, self.size_m, self.picture)


_THING = re.compile(
    r"(?P<what>.+)@(?P<u>-?[\d.]+)(?P<up>%?),(?P<v>-?[\d.]+)(?P<vp>%?),(?P<depth>[\d.]+),(?P<size>[\d.]+)"
    r"(?:,(?P<colour>#[0-9a-fA-F]{6}))?"
)
_SPHERE_COLOURS = ((48, 76, 224), (40, 170, 245), (196, 120, 30), (96, 176, 72), (180, 70, 160))


def parse_things(texts: list[str]) -> list[WantedThing]:
    """Read `--insert` values: sphere@U,V,DEPTH,SIZE[,#RRGGBB] or picture.png@U,V,DEPTH,SIZE; U, V may end in %.

    Raises:
        SettingsError: not of that form. SourceError: the picture cannot be read.
    """
    things: list[WantedThing] = []
    names: dict[str, int] = {}
    for text in texts:
        match = _THING.fullmatch(text.strip())
        try:
            if match is None:
                raise ValueError
            depth, size = float(match["depth"]), float(match["size"])
            u, v = (float(match["u"]), bool(match["up"])), (float(match["v"]), bool(match["vp"]))
            if depth <= 0 or size <= 0:
                raise ValueError
        except ValueError:
            raise SettingsError(
                f"{text!r} is not a thing to insert.",
                "Write sphere@320,240,1.5,0.2 or picture.png@50%,40%,1.5,0.3: centre, depth and width in metres.",
            ) from None
        is_ball = match["what"] == "sphere"
        picture = None if is_ball else read_picture(Path(match["what"]))
        base = "sphere" if is_ball else Path(match["what"]).stem
        names[base] = names.get(base, 0) + 1
        name = f"{base} {names[base]}" if is_ball or names[base] > 1 else base
        colour = parse_colour(match["colour"]) if match["colour"] else _SPHERE_COLOURS[len(things) % 5]
        things.append(WantedThing(name, picture, u, v, depth, size, colour))
    return things


def read_picture(path: Path) -> U8:
    """Read a picture with its transparency, uint8 BGR or BGRA.

    Raises:
        SourceError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise SourceError(f"There is no picture {path}.", "Check the path.")
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SourceError(f"{path} is not a picture that can be read.", "Use PNG or JPEG.")
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    return np.asarray(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)


def parse_colour(text: str) -> tuple[int, int, int]:
    """Read #RRGGBB as B, G, R.

    Raises:
        SettingsError: not of that form.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise SettingsError(f"{text!r} is not a colour.", "Write it as #RRGGBB, such as #203040.")
    return int(text[5:7], 16), int(text[3:5], 16), int(text[1:3], 16)


@dataclass(frozen=True)
class Background:
    """What a cut-out is laid over: a colour, a picture, or the scene itself, blurred."""

    bgr: tuple[int, int, int] | None = None
    picture: U8 | None = None

    @classmethod
    def parse(cls, text: str) -> Background:
        """Read `blur`, #RRGGBB, or the path of a picture.

        Raises:
            SettingsError: a wrong colour. SourceError: no such picture.
        """
        if text == "blur":
            return cls()
        if text.startswith("#"):
            return cls(bgr=parse_colour(text))
        return cls(picture=read_picture(Path(text))[:, :, :3])

    def for_scene(self, scene: EffectScene) -> U8:
        """Give the background for a scene, (H,W,3) BGR; pictures are scaled to cover it."""
        width, height = scene.size_wh
        if self.bgr is not None:
            return np.full((height, width, 3), self.bgr, np.uint8)
        if self.picture is None:
            far = scene.percentile_m(1) * 0.5
            return defocus(scene, lens_of_blur(scene, far, 0.03 * width))
        scale = max(width / self.picture.shape[1], height / self.picture.shape[0])
        size = (max(width, round(self.picture.shape[1] * scale)), max(height, round(self.picture.shape[0] * scale)))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        cover = cv2.resize(self.picture, size, interpolation=how)
        x, y = (size[0] - width) // 2, (size[1] - height) // 2
        return np.ascontiguousarray(cover[y : y + height, x : x + width])
