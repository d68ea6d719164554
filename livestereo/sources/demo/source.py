"""The demo as a source of pairs: pulled like a file, on a clock of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from calibration.rectify import Rectification
from calibration.rig import StereoRig
from calibration.rigfile import Camera as RigCamera
from calibration.rigfile import Cameras, Capture, MadeBy, RigFile
from livestereo import __version__
from livestereo.errors import SourceError
from livestereo.sources.demo.camera import Camera, sensors
from livestereo.sources.demo.lens import make_rig
from livestereo.sources.demo.scene import Scene
from livestereo.sources.demo.truth import DemoTruth, TruthMaker
from livestereo.sources.demo.view import Moment, View
from livestereo.types import CaptureStats, Frame, SizeWH, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self

SCENES = ("room", "clean", "board", "plane")
DEFAULT_SIZE: SizeWH = (640, 480)


@lru_cache(maxsize=3)
def make_scene(name: str, seed: int, size_wh: SizeWH) -> Scene:
    """Build a scene; kept, for it takes a second or two and never changes."""
    focal_px = make_rig(seed, size_wh).left.focal_px
    from livestereo.sources.demo.room import Room

    return Room(seed, focal_px, clean=name == "clean").scene()


@lru_cache(maxsize=2)
def make_views(name: str, seed: int, size_wh: SizeWH) -> tuple[View, View]:
    """Prepare both cameras' views of a scene."""
    scene, rig = make_scene(name, seed, size_wh), make_rig(seed, size_wh)
    left, right = sensors(seed)
    if name == "clean":
        left, right = left.without_sins(), right.without_sins()
    R = scene.R_left_world
    with ThreadPoolExecutor(2, thread_name_prefix="livestereo-demo") as pool:
        made = [
            pool.submit(View, scene, rig.left, R, np.zeros(3), Camera(left, size_wh, (seed, 1))),
            pool.submit(
                View, scene, rig.right, rig.R_right_left @ R, rig.t_right_left_m / scene.unit_m, Camera(right, size_wh, (seed, 2))
            ),
        ]
        return made[0].result(), made[1].result()


class DemoSource:
    """A rendered scene; see `Source`. Deterministic: the same options give the same bytes.

    scene: room, clean, board or plane. size_wh: of both pictures. count: how many pairs, None for no end.
    """

    def __init__(
        self, scene: str = "room", seed: int = 0, size_wh: SizeWH = DEFAULT_SIZE, *, fps: float = 30.0,
        count: int | None = None,
    ) -> None:  # fmt: skip
        if scene not in SCENES:
            raise SourceError(f"There is no demo scene {scene!r}.", f"Scenes: {', '.join(SCENES)}.")
        self.scene_name = scene
        self.seed = seed
        self.size_wh = size_wh
        self.fps = fps
        self.count = count
        self._rig = make_rig(seed, size_wh)
        self._truth: TruthMaker | None = None
        self._views: tuple[View, View] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._next = 0
        self.info = SourceInfo(
            name=f"demo:{scene}", live=False, left_size_wh=size_wh, right_size_wh=size_wh, fps=fps, count=count,
            rig=self.rig, left_id="demo-left", right_id="demo-right", truth=self,
        )  # fmt: skip

    @property
    def rig(self) -> RigFile:
        """The exact rig, as a rig file carries it."""
        return RigFile(
            rig=self._rig,
            cameras=Cameras(left=RigCamera(id="demo-left", name="demo, left"), right=RigCamera(id="demo-right", name="demo, right")),
            capture=Capture(size_wh=(self.size_wh, self.size_wh)),
            made_by=MadeBy(program="livestereo", version=__version__, command="demo"),
        )  # fmt: skip

    @property
    def stereo_rig(self) -> StereoRig:
        """The exact geometry."""
        return self._rig

    def __enter__(self) -> Self:
        self._views = make_views(self.scene_name, self.seed, self.size_wh)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="livestereo-demo")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None
        self._views = None

    def read(self, timeout_s: float = 1.0) -> StereoFrame | None:
        """Give the next pair, None at the end."""
        if self.count is not None and self._next >= self.count:
            return None
        self._next += 1
        return self.frame(self._next - 1)

    def frame(self, seq: int) -> StereoFrame:
        """Give any pair by its number."""
        if self._views is None or self._pool is None:
            raise SourceError("The demo is not open.", "Open the source first.")
        moment = Moment(seq / self.fps)
        other = self._pool.submit(_take, self._views[1], moment, seq)
        left = _take(self._views[0], moment, seq)
        return StereoFrame(left, other.result(), seq, 0.0, str(seq))

    def seek(self, pair: int) -> None:
        """Go to a pair; `read` gives it next."""
        self._next = max(pair, 0)

    def stats(self) -> CaptureStats:
        """Counts since opening."""
        return CaptureStats(offered=2 * self._next, paired=self._next, fps_left=self.fps, fps_right=self.fps)

    def truth(self, seq: int, rectification: Rectification | None = None) -> DemoTruth:
        """Give the truth of a pair, in the rectified left view of the exact rig, or of another rectification."""
        if self._truth is None:
            self._truth = TruthMaker(make_scene(self.scene_name, self.seed, self.size_wh), self._rig)
        return self._truth.at(seq, seq / self.fps, rectification)


def _take(view: View, moment: Moment, seq: int) -> Frame:
    image, encoded = view.camera.expose(view.picture(moment), seq)
    return Frame(image, moment.t_s, seq, encoded)
