"""What is kept of each pair to measure synchronisation: no pictures, only what the methods need of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.clock import CameraClock
from livestereo.phase import SAME_RATE
from livestereo.skew import Turn
from livestereo.sync.offset import Array, SyncRefused
from livestereo.sync.points import PairPoints, PointTracker
from livestereo.types import U8, Frame, SizeWH, StereoFrame

F32 = NDArray[np.float32]
PROFILE_ROWS = 480
FLOW_WIDTH = 160
LEAST_PAIRS = 30
MOST_DRIFT = 0.002  # crystals differ by less than 0.02 %; more is another rate
MOST_JITTER = 0.25  # of a period; stamps that jump more are no camera's clock


class Corners(Protocol):
    """Board corners found in one picture: points_px (N,2), ids (N,)."""

    @property
    def points_px(self) -> F32:
        """Where they are, (N,2) px."""
        ...

    @property
    def ids(self) -> NDArray[np.int32]:
        """Which of the board's corners they are, (N,)."""
        ...


class Detector(Protocol):
    """Finds a board in a gray picture."""

    def detect(self, gray: U8) -> Corners | None:
        """Give the corners, or None."""
        ...


@dataclass
class SideTrack:
    """One camera over time; lists grow together. Rows count in the order in which the sensor reads them.

    stamps_s: as delivered. rows: mean gray of each sensor row, resampled to at most 480. motion: (u, v, speed) of
    the whole picture since the frame before, as shares of its width per second; NaN for the first. corners: of the
    board, or None.
    """

    turn: Turn
    stamps_s: list[float] = field(default_factory=list)
    rows: list[F32] = field(default_factory=list)
    motion: list[tuple[float, float, float]] = field(default_factory=list)
    corners: list[Corners | None] = field(default_factory=list)
    size_wh: SizeWH = (0, 0)

    def row_share(self, points_px: F32) -> Array:
        """When within the readout each point (N,2) of the upright picture was read: 0 first row, 1 last."""
        width, height = self.size_wh
        x, y = points_px[:, 0].astype(np.float64), points_px[:, 1].astype(np.float64)
        return {
            "none": y / height, "h": y / height, "180": 1 - y / height, "v": 1 - y / height,
            "90": 1 - x / width, "270": x / width,
        }[self.turn]  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """Both cameras on their learnt clocks. times_s: per side (n,), when each frame's first row was due, by stamps.

    period_s, jitter_s: per side. stamp_skew_s: mean of right − left over the pairs, those with a partner
    one frame off brought back to what most have. drift: change of that skew per
    second, and half of its 95 % interval. points: what was followed from pair to pair.
    """

    left: SideTrack
    right: SideTrack
    times_s: tuple[Array, Array]
    period_s: tuple[float, float]
    jitter_s: tuple[float, float]
    stamp_skew_s: float
    drift: float
    drift_uncertainty: float
    points: tuple[PairPoints, ...] = ()

    @property
    def pairs(self) -> int:
        """How many pairs were recorded."""
        return len(self.times_s[0])


class SyncRecorder:
    """Takes pairs and keeps what the methods need.

    turns: how left and right were turned upright after capture. detector: of a board, where one is shown.
    later: pictures are kept (as JPEG of quality 95) and searched in `finish`, because live cameras do not wait.
    """

    def __init__(
        self, turns: tuple[Turn, Turn] = ("none", "none"), detector: Detector | None = None, *, later: bool = False
    ) -> None:
        self._sides = (SideTrack(turns[0]), SideTrack(turns[1]))
        self._detector = detector
        self._later = later and detector is not None
        self._kept: tuple[list[bytes], list[bytes]] = ([], [])
        self._same = True
        self._tracker = PointTracker()
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._before: list[tuple[U8, float] | None] = [None, None]

    @property
    def pairs(self) -> int:
        """How many pairs were taken so far."""
        return len(self._sides[0].stamps_s)

    @property
    def seconds(self) -> float:
        """How much time they cover."""
        stamps = self._sides[0].stamps_s
        return stamps[-1] - stamps[0] if stamps else 0.0

    def add(self, pair: StereoFrame) -> None:
        """Take one pair. After a gap that a camera's return left, only what follows counts: its phase is new."""
        if pair.gap is not None and any(cause in pair.gap for cause in ("lost", "opened again")):
            for side in self._sides:
                for kept in (side.stamps_s, side.rows, side.motion, side.corners):
                    kept.clear()
            for pictures in self._kept:
                pictures.clear()
            self._before = [None, None]
            self._tracker.clear()
        self._same = self._same and np.array_equal(pair.left.image, pair.right.image)
        grays = [
            self._add(index, side, frame)
            for index, (side, frame) in enumerate(zip(self._sides, (pair.left, pair.right)))
        ]
        self._tracker.add(self.pairs - 1, grays[0], grays[1])

    def finish(self, advance: Callable[[int], object] = lambda _n: None) -> None:
        """Search the pictures that were kept for the board; `advance(1)` is called after each pair."""
        if not self._later or self._detector is None:
            return
        for pair in zip(*self._kept):
            for side, jpeg in zip(self._sides, pair):
                gray = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
                side.corners.append(self._detector.detect(np.asarray(gray, np.uint8)))
            advance(1)
        for pictures in self._kept:
            pictures.clear()

    def _add(self, index: int, side: SideTrack, frame: Frame) -> U8:
        gray = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), np.uint8)
        side.size_wh = gray.shape[1], gray.shape[0]
        side.stamps_s.append(frame.t_s)
        side.rows.append(_row_profile(gray, side.turn))
        side.motion.append(self._motion(index, gray, frame.t_s))
        if self._later:
            self._kept[index].append(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
        else:
            side.corners.append(self._detector.detect(gray) if self._detector is not None else None)
        return gray

    def _motion(self, index: int, gray: U8, t_s: float) -> tuple[float, float, float]:
        height = max(16, round(gray.shape[0] * FLOW_WIDTH / gray.shape[1]))
        small = np.asarray(cv2.resize(gray, (FLOW_WIDTH, height), interpolation=cv2.INTER_AREA), np.uint8)
        before, self._before[index] = self._before[index], (small, t_s)
        if before is None or t_s <= before[1]:
            return (np.nan, np.nan, np.nan)
        flow = self._flow.calc(before[0], small, None)
        # Per frame, not per second: stamps jitter. The clock divides later.
        u, v = float(flow[..., 0].mean()), float(flow[..., 1].mean())
        return (u / FLOW_WIDTH, v / FLOW_WIDTH, float(np.hypot(flow[..., 0], flow[..., 1]).mean()) / FLOW_WIDTH)

    def recording(self, fps: tuple[float | None, float | None] = (None, None)) -> Recording:
        """Put both sides on their learnt clocks.

        Raises:
            SyncRefused: too few pairs.
        """
        if self._same and self.pairs:
            raise SyncRefused(
                "Left and right are the same pictures, so there is nothing to measure.",
                "Give the two different cameras or files.",
            )
        if self.pairs < LEAST_PAIRS:
            raise SyncRefused(
                f"{self.pairs} pair{' is' if self.pairs == 1 else 's are'} too few to measure synchronisation.",
                "Give at least a few seconds of video.",
            )
        left, right = self._sides
        (t_left, period_left, jitter_left), (t_right, period_right, jitter_right) = (
            learn_times(np.asarray(side.stamps_s), rate) for side, rate in zip(self._sides, fps)
        )
        skew = _one_partner(t_right - t_left, period_left, period_right)
        slope, unsure = _drift(np.asarray(left.stamps_s), np.asarray(right.stamps_s), max(period_left, period_right))
        return Recording(
            left, right, (t_left, t_right), (period_left, period_right), (jitter_left, jitter_right),
            float(np.mean(skew)), slope, unsure, tuple(self._tracker.points),
        )  # fmt: skip


def _one_partner(skew_s: Array, left_period_s: float, right_period_s: float) -> Array:
    """Bring the skews of pairs with another partner back by whole periods to the middle one.

    Near half a period apart, some pairs are made with the frame before and some with the one after, until the clocks
    are learnt; the mean over both would be the skew of none.
    """
    if abs(left_period_s / right_period_s - 1) > SAME_RATE:
        return skew_s
    period = (left_period_s + right_period_s) / 2
    return np.asarray(skew_s - period * np.round((skew_s - np.median(skew_s)) / period), np.float64)


def _drift(left_s: Array, right_s: Array, period_s: float) -> tuple[float, float]:
    """Change of the stamps' skew per second and half of its 95 % interval, by a line through the pairs' skews.

    Skews are unwrapped by the period first: pairs that change partners jump by it. NaN where rates differ.
    """
    skew = np.unwrap(right_s - left_s, period=period_s)
    t = left_s - left_s.mean()
    spread = float(np.sum(t * t))
    if spread <= 0:
        return float("nan"), float("nan")
    slope = float(np.sum(t * skew) / spread)
    if abs(slope) > MOST_DRIFT:
        return float("nan"), float("nan")
    rest = skew - skew.mean() - slope * t
    error = float(np.sqrt(np.sum(rest * rest) / max(1, len(t) - 2) / spread))
    return slope, 2 * error


def learn_times(stamps_s: Array, fps: float | None = None) -> tuple[Array, float, float]:
    """(times (n,), period, jitter) of one camera's frames, with the jitter of delivery taken out by its learnt clock.

    Stamps that no clock explains (a film with changing rate) are taken as they are.
    """
    clock = CameraClock(fps)
    ticks = [(clock.tick(float(stamp)), clock.restarts) for stamp in stamps_s]
    typical = float(np.median(np.diff(stamps_s)))
    if not clock.ready or clock.restarts > 3 or clock.jitter_s > MOST_JITTER * clock.period_s:
        return stamps_s.astype(np.float64), typical, 0.0
    times = stamps_s.astype(np.float64).copy()
    for at, (tick, epoch) in enumerate(ticks):
        if epoch == clock.restarts and tick.ready:
            times[at] = clock.due(tick.index)
    # The first frames were delivered before the clock was learnt: number them backwards from the first that was not.
    known = [at for at, (tick, epoch) in enumerate(ticks) if epoch == clock.restarts and tick.ready]
    if known and clock.restarts == 0:
        first = known[0]
        index = ticks[first][0].index
        for at in range(first):
            back = round((times[first] - stamps_s[at]) / clock.period_s)
            times[at] = clock.due(index - back)
    return times, clock.period_s, clock.jitter_s


def _row_profile(gray: U8, turn: Turn) -> F32:
    """Mean gray of each sensor row, in the order of reading, at most `PROFILE_ROWS` of them."""
    across = turn in ("90", "270")
    profile = cv2.reduce(gray, 0 if across else 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F).reshape(-1)
    if turn in ("180", "v", "90"):
        profile = profile[::-1]
    if len(profile) > PROFILE_ROWS:
        profile = cv2.resize(profile.reshape(-1, 1), (1, PROFILE_ROWS), interpolation=cv2.INTER_AREA).reshape(-1)
    return np.ascontiguousarray(profile, np.float32)
