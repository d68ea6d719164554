"""Saves one moment: both pictures, depth, disparity, the coloured cloud and the screen, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections import deque
from datetime import datetime
from pathlib import Path

from livestereo.errors import LiveStereoError
from livestereo.imageio import millimetres, write_float_map, write_picture
from livestereo.ply import cloud_comments, write_ply
from livestereo.points import make_cloud
from livestereo.render.colorize import colorize_depth
from livestereo.render.views import Look
from livestereo.types import U8, StereoResult

JOIN_S = 20.0


def write_snapshot(folder: Path, stem: str, result: StereoResult, look: Look, screen: U8 | None = None) -> list[Path]:
    """Write `stem_*` into `folder`; give the files.

    Raises:
        LiveStereoError: the folder cannot be written.
    """
    pair = result.pair
    upright = pair.rectification.to_display
    depth = upright(result.depth_m)
    written = [
        write_picture(folder / f"{stem}_left.png", upright(pair.left)),
        write_picture(folder / f"{stem}_right.png", upright(pair.right)),
        write_picture(
            folder / f"{stem}_depth.png",
            colorize_depth(depth, look.depth_range.near_m, look.depth_range.far_m, look.colormap, scale=look.scale),
        ),
        write_float_map(folder / f"{stem}_disparity.pfm", upright(result.disparity_px)),
    ]
    if pair.rectification.metric:
        written.append(write_picture(folder / f"{stem}_depth_mm.png", millimetres(depth)))
    cloud = make_cloud(result.depth_m, pair.left, pair.rectification, far_m=look.depth_range.far_m * 1.5)
    comments = cloud_comments(pair.rectification)
    written.append(
        write_ply(folder / f"{stem}_cloud.ply", cloud.points, cloud.colors, cloud.normals, comments=comments)
    )
    if screen is not None:
        written.append(write_picture(folder / f"{stem}_screen.png", screen))
    return written


class Snapshots:
    """Writes snapshots one after another without holding up whoever asks; tell the outcome with `news`.

    failed: why some could not be written, each reason once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs: queue.Queue[tuple[str, StereoResult, Look, U8 | None] | None] = queue.Queue(maxsize=4)
        self._news: deque[str] = deque()
        self.failed: list[str] = []
        self._thread: threading.Thread | None = None
        self._count = 0

    def save(self, result: StereoResult, look: Look, screen: U8 | None = None) -> str:
        """Ask for a snapshot; give what to tell the person now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="livestereo-snapshots", daemon=True)
            self._thread.start()
        self._count += 1
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{self._count:02d}"
        try:
            self._jobs.put_nowait((stem, result, look, screen))
        except queue.Full:
            return "Still saving; try again in a moment."
        return "Saving …"

    def news(self) -> list[str]:
        """Give what has been finished, or has failed, since the last call."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def close(self) -> None:
        """Finish what was asked for; idempotent."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(JOIN_S)
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            stem, result, look, screen = job
            try:
                files = write_snapshot(self.folder, stem, result, look, screen)
                self._news.append(f"Saved {len(files)} files: {self.folder / stem}_…")
            except LiveStereoError as error:
                self._fail(str(error))
            except Exception as error:  # a thread's edge: nobody else would hear of it
                self._fail(f"Not saved: {error}")

    def _fail(self, why: str) -> None:
        self._news.append(why)
        if why not in self.failed:
            self.failed.append(why)
