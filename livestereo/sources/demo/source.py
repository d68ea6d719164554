"""The demo as a source of pairs: pulled like a file on a clock of its own, or live on the wall's clock."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from calibration.boards import Board, parse_board
from calibration.rectify import Rectification
from calibration.rig import StereoRig
from calibration.rigfile import Camera as RigCamera
from calibration.rigfile import Cameras, Capture, MadeBy, RigFile
from livestereo import __version__
from livestereo.errors import NoFrameYet, SourceError
from livestereo.frames import turn, turned_size
from livestereo.phase import Aim, PhaseReading
from livestereo.skew import worst_row_skew_s
from livestereo.sources.demo.camera import Camera, Sensor, sensors
from livestereo.sources.demo.faults import Faults
from livestereo.sources.demo.feed import Feed, Given
from livestereo.sources.demo.lens import make_rig, turned
from livestereo.sources.demo.scene import Scene
from livestereo.sources.demo.simple import Pose, board_pose, board_scene, plane_scene
from livestereo.sources.demo.timeline import SIDES, START_DELAY_S, Shot, Timeline
from livestereo.sources.demo.truth import DemoTruth, TruthMaker
from livestereo.sources.demo.view import Moment, Stage, View
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import in_order
from livestereo.timing import Clock, monotonic
from livestereo.types import CaptureStats, Frame, SizeWH, SourceInfo, StereoFrame

if TYPE_CHECKING:
    from typing_extensions import Self

SCENES = ("room", "clean", "board", "plane")
DEFAULT_SIZE: SizeWH = (640, 480)
KEPT_LIVE = 10_000  # pairs of which a live scene can still tell the truth: five minutes at 30 a second
MIN_SIZE, MAX_SIZE = (64, 48), (3840, 2160)
DEFAULT_BOARD = parse_board("chessboard:9x6:25mm")


@lru_cache(maxsize=4)
def make_scene(
    name: str, seed: int, size_wh: SizeWH, board: Board = DEFAULT_BOARD, distance_m: float = 1.5, tilt_deg: float = 0.0
) -> Scene:
    """Build a scene; kept, for it takes a second or so and never changes."""
    rig = make_rig(seed, size_wh)
    if name == "plane":
        return plane_scene(rig, distance_m, tilt_deg, seed)
    if name == "board":
        return board_scene(make_scene("room", seed, size_wh), rig, board, seed)
    from livestereo.sources.demo.room import Room

    return Room(seed, rig.left.focal_px, clean=name == "clean").scene()


@lru_cache(maxsize=4)
def make_stage(scene: Callable[[], Scene], side: int, seed: int, size_wh: SizeWH, bump_deg: float) -> Stage:
    """Prepare what one camera sees; kept like the scene."""
    made, rig = scene(), make_rig(seed, size_wh)
    if side == 0:
        return Stage(made, rig.left, made.R_left_world, np.zeros(3))
    rig = turned(rig, bump_deg)
    return Stage(made, rig.right, rig.R_right_left @ made.R_left_world, rig.t_right_left_m / made.unit_m)


@lru_cache(maxsize=2)
def make_truth(scene: Callable[[], Scene], seed: int, size_wh: SizeWH) -> TruthMaker:
    """Prepare what is really there; kept like the scene."""
    return TruthMaker(scene(), make_rig(seed, size_wh))


class DemoSource:
    """A rendered scene; see `Source`. Deterministic: the same options give the same bytes.

    scene: room, clean, board or plane. size_wh: of both pictures. count: how many pairs, None for no end (board: one
    round of its poses). board: what `board` shows. distance_m, tilt_deg: of `plane`. clock, wait: for `live`, from
    outside; `wait(seconds)` returns True to give up.
    """

    def __init__(
        self,
        scene: str = "room",
        seed: int = 0,
        size_wh: SizeWH = DEFAULT_SIZE,
        *,
        fps: float = 30.0,
        count: int | None = None,
        faults: Faults | None = None,
        board: Board = DEFAULT_BOARD,
        distance_m: float = 1.5,
        tilt_deg: float = 0.0,
        request: SourceRequest | None = None,
        name: str = "",
        clock: Clock = monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        if scene not in SCENES:
            raise SourceError(f"Unknown demo scene: {scene!r}.", f"Scenes: {', '.join(SCENES)}.")
        self.scene_name = scene
        self.seed = seed
        self.size_wh = size_wh
        self.fps = fps
        self.faults = faults or Faults()
        self.board = board
        self._request = request or SourceRequest()
        self._key = _SceneKey(scene, seed, size_wh, board, distance_m, tilt_deg)
        self._rig = make_rig(seed, size_wh)
        self.timeline = Timeline(self.faults, fps, seed)
        self._clock = clock
        self._wait = wait or threading.Event().wait
        self._truth: TruthMaker | None = None
        self._views: list[View] = []
        self._bumped: View | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._feed = self._new_feed()
        self._count = count
        self._next = 0
        # Of a run that may never end, the last are kept.
        self._given: deque[Given] = deque(maxlen=KEPT_LIVE if self.faults.live else None)
        self._forgotten = 0
        self._busy = 0
        self._last_skew_s = 0.0
        self._start_s = 0.0
        self._began_s = [-START_DELAY_S, self.faults.phase_s - START_DELAY_S]
        sizes = [turned_size(size_wh, flip) for flip in self._request.flip]
        left_wh, right_wh = in_order(sizes[0], sizes[1], self._request)
        self.info = SourceInfo(
            name=name or f"demo:{scene}", live=self.faults.live, left_size_wh=left_wh, right_size_wh=right_wh, fps=fps,
            count=self.count, rig=self.rig, left_id="demo-left", right_id="demo-right", truth=self,
        )  # fmt: skip

    @property
    def count(self) -> int | None:
        """How many pairs there are; None: no end."""
        if self._count is not None:
            return self._count
        if self.scene_name == "board" and not self.faults.live:
            return round((self.scene.duration_s or 0) * self.fps)
        return None

    @property
    def scene(self) -> Scene:
        """What is rendered."""
        return self._key()

    @property
    def rig(self) -> RigFile:
        """The exact rig, as a rig file carries it."""
        cameras = Cameras(
            left=RigCamera(id="demo-left", name="demo, left"), right=RigCamera(id="demo-right", name="demo, right")
        )
        return RigFile(
            rig=self._rig,
            cameras=cameras,
            capture=Capture(size_wh=(self.size_wh, self.size_wh)),
            stamp_bias_ms=0.0,
            made_by=MadeBy(program="livestereo", version=__version__, command="demo"),
        )

    @property
    def stereo_rig(self) -> StereoRig:
        """The exact geometry; after a bump it is that from before."""
        return self._rig

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="livestereo-demo")
        jobs = [self._pool.submit(self._view, side, 0.0) for side in (0, 1)]
        if self.faults.bump_deg:
            jobs.append(self._pool.submit(self._view, 1, self.faults.bump_deg))
        views = [job.result() for job in jobs]
        self._views, self._bumped = views[:2], views[2] if len(views) > 2 else None
        self._start_s = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None
        self._views, self._bumped = [], None

    def read(self, timeout_s: float = 1.0) -> StereoFrame | None:
        """Give the next pair, None at the end; live, the newest.

        Raises:
            NoFrameYet: live, there is none within `timeout_s`.
        """
        if self.count is not None and self._next >= self.count:
            return None
        if not self.faults.timed:
            self._next += 1
            return self.frame(self._next - 1)
        given = self._newest(timeout_s) if self.faults.live else self._feed.next()
        self._forgotten += len(self._given) == self._given.maxlen
        self._given.append(given)
        self._next += 1
        return self._render(given, self._next - 1)

    def frame(self, seq: int) -> StereoFrame:
        """Give any pair by its number; where pairs are made by stamps, only those that were given already."""
        return self._render(self._at(seq), seq)

    @property
    def seekable(self) -> bool:
        """Whether `seek` can be used: not where the demo goes on a clock."""
        return not self.faults.timed

    def seek(self, pair: int) -> None:
        """Go to a pair; `read` gives it next."""
        if self.faults.timed:
            raise SourceError("This demo goes on a clock: it cannot be wound.", "Open it again.")
        self._next = max(pair, 0)

    def reopen(self, side: str, pause_s: float = 0.0, aim: Aim | None = None) -> None:
        """Close the camera of `left` or `right` and open it again; see `LiveSource.reopen`. Only where it is live."""
        if not self.faults.live:
            raise SourceError("This demo has no cameras to open again.", "Add the word live: demo:room,live.")
        now = self._clock()
        wait_s = pause_s if aim is None else aim.wait_s(now, pause_s)
        index = self._index(side)
        self._began_s[index] = now + wait_s - self._start_s
        self._feed.reopen(index, self._began_s[index])

    def phase(self, side: str) -> PhaseReading | None:
        """Read the phase of the camera of `left` or `right` against the other; see `LiveSource.phase`."""
        index = self._index(side)
        reading = self._feed.phase(index, self._began_s[index])
        return None if reading is None else replace(reading, anchor_s=reading.anchor_s + self._start_s)

    def set_stamp_bias(self, bias_s: float) -> None:
        """Pair by another bias from now on (true skew − stamp skew of left and right)."""
        self._feed.set_bias(-bias_s if self._request.swap else bias_s)

    def _index(self, side: str) -> int:
        return in_order(0, 1, self._request)[side == "right"]

    def stats(self) -> CaptureStats:
        """Counts since opening."""
        if not self.faults.timed:
            counts = CaptureStats(2 * self._next, self._next, {"pairing": 0}, self.fps, self.fps)
            return replace(counts, row_skew_s=self._row_skew_s())
        dropped = Counter(self._feed.dropped)
        dropped["busy"] += self._busy
        states = [self._state(side) for side in (0, 1)]
        left, right = in_order(states[0], states[1], self._request)
        fps = [0.0 if state == "missing" else self.fps * (1 - self.faults.drop) for state in states]
        return CaptureStats(
            self._feed.offered, self._next, dict(dropped), fps[0], fps[1], left, right, self._feed.missing_s,
            self._feed.reconnects, self._feed.waiting, self._row_skew_s(),
        )  # fmt: skip

    def exposures(self, seq: int) -> tuple[float, float]:
        """Give the true middle of the first row's exposure of a pair that was given: left, right, seconds."""
        given = self._at(seq)
        return given.left.pictured_s, given.right.pictured_s

    def truth(self, seq: int, rectification: Rectification | None = None) -> DemoTruth:
        """Give the truth of a pair, in the rectified left view of the exact rig, or of another rectification."""
        if self._truth is None:
            self._truth = make_truth(self._key, self.seed, self.size_wh)
        return self._truth.at(seq, self.exposures(seq)[0], rectification, self.faults.readout_s[0])

    def board_pose(self, seq: int) -> Pose:
        """Give the true pose of the board of scene `board`, in the left camera's frame."""
        return board_pose(self.scene, self.exposures(seq)[0])

    # --- inside

    def _new_feed(self) -> Feed:
        bias = self._request.stamp_bias_s
        return Feed(self.timeline, self._request.max_skew_s, bias if not self._request.swap else -bias)

    def _view(self, side: int, bump_deg: float) -> View:
        sensor = self.sensor(side)
        stage = make_stage(self._key, side, self.seed, self.size_wh, bump_deg)
        return View(stage, Camera(sensor, self.size_wh, (self.seed, side + 1)))

    def sensor(self, side: int) -> Sensor:
        """Give a camera's ways, with the faults it has."""
        sensor = sensors(self.seed)[side]
        if self.scene_name == "clean":
            sensor = sensor.without_sins()
        for expose in self.faults.expose:
            if expose.side == SIDES[side]:
                sensor = replace(sensor, gain=sensor.gain * expose.gain, offset=sensor.offset + expose.offset)
        for blur in self.faults.blur:
            if blur.side == SIDES[side]:
                sensor = replace(sensor, blur_px=float(np.hypot(sensor.blur_px, blur.sigma_px)))
        return sensor

    def _at(self, seq: int) -> Given:
        if self.faults.timed:
            number = seq - self._forgotten
            if number < 0:
                raise SourceError(f"The demo gave pair {seq} long ago.", "Ask for a later one.")
            if number >= len(self._given):
                raise SourceError(f"The demo has not given pair {seq} yet.", "Read up to it first.")
            return self._given[number]
        shots = []
        for side in (0, 1):
            exposed = self.timeline.exposed_s(side, seq)
            number = self.timeline.pictured(side, seq)
            shots.append(Shot(side, seq, exposed, exposed, number, self.timeline.exposed_s(side, number)))
        return Given(shots[0], shots[1], 0.0, None)

    def _newest(self, timeout_s: float) -> Given:
        """Wait for the next pair to arrive; of several that have, the newest counts."""
        deadline = self._clock() + timeout_s
        while True:
            ready = self._feed.until(self._clock() - self._start_s)
            if ready:
                self._busy += 2 * (len(ready) - 1)
                gap = next((given.gap for given in reversed(ready) if given.gap), None)
                return replace(ready[-1], gap=gap)
            left_s = deadline - self._clock()
            if left_s <= 0:
                raise NoFrameYet("no pair yet")
            due = self._start_s + self._feed.next_stamp_s - self._clock()
            self._wait(max(min(due, left_s), 1e-4))

    def _render(self, given: Given, seq: int) -> StereoFrame:
        if self._pool is None:
            raise SourceError("The demo is not open.", "Open the source first.")
        other = self._pool.submit(self._take, given.right)
        frames = [self._take(given.left), other.result()]
        if self.faults.swap:
            frames.reverse()
        frames = [
            Frame(turn(f.image, flip), f.t_s, f.seq, f.encoded, flip) for f, flip in zip(frames, self._request.flip)
        ]
        left, right = in_order(frames[0], frames[1], self._request)
        skew = -given.skew_s if self.faults.swap != self._request.swap else given.skew_s
        self._last_skew_s = skew + 0.0
        return StereoFrame(left, right, seq, self._last_skew_s, str(seq), given.gap)

    def _row_skew_s(self) -> float:
        """Skew of the worst row of the pair given last; the demo knows its cameras' row times."""
        first, second = self.faults.readout_s[::-1] if self.faults.swap else self.faults.readout_s
        readouts = in_order(first, second, self._request)
        return worst_row_skew_s(self._last_skew_s, readouts, in_order(*self._request.flip, self._request))

    def _take(self, shot: Shot) -> Frame:
        side = shot.side
        view = self._views[side]
        if side == 1 and self._bumped is not None and shot.pictured_s >= self.faults.bump_s:
            view = self._bumped
        rows = self.size_wh[1]
        moment = Moment(
            shot.pictured_s, self.faults.readout_s[side], self.faults.exposure_s,
            self.timeline.flash_gain(side, shot.pictured_s, rows),
        )  # fmt: skip
        image, encoded = view.camera.expose(view.picture(moment), shot.pictured)
        return Frame(image, shot.stamp_s + self._start_s if self.faults.live else shot.stamp_s, shot.number, encoded)

    def _state(self, side: int) -> str:
        t = self._feed.now_s
        if any(outage.covers(SIDES[side], t) for outage in self.faults.unplug):
            return "missing"
        return "frozen" if any(outage.covers(SIDES[side], t) for outage in self.faults.freeze) else "ok"


class _SceneKey:
    """Names a scene by value, and makes it when it is called."""

    def __init__(
        self, name: str, seed: int, size_wh: SizeWH, board: Board, distance_m: float, tilt_deg: float
    ) -> None:  # fmt: skip
        self._values = (name, seed, size_wh, board, distance_m, tilt_deg)

    def __call__(self) -> Scene:
        return make_scene(*self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SceneKey) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)
