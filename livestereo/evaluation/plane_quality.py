"""How good depth of a flat surface is: fill rate, plane fit, temporal noise, accuracy against a known distance.

    meter = QualityMeter(frames=30)
    for result in results:
        meter.accept(result)
    quality = meter.quality(distance_m=1.5, rig_file=rig_file)

The definitions are those in common use for depth cameras (fill rate, sub-pixel RMS, temporal noise, Z-accuracy in a
region of interest), with a plane that is fitted in disparity, where it is exact and noise has one size. Noise is told
as RMS, so that measured and predicted can be compared.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.errors import LiveStereoError
from livestereo.evaluation.plane_predicted import Predicted, predict
from livestereo.planes import FittedPlane, design, find_plane, fit_plane
from livestereo.refine import refine
from livestereo.render.views import displayed_size, rectified_box
from livestereo.types import F32, SourceInfo, StereoResult

Array = NDArray[np.float64]
Box = tuple[int, int, int, int]

NAN = float("nan")
FIGURES = (
    "fill_percent", "plane_rms_mm", "plane_rms_subpixel_px", "temporal_noise_mm", "z_accuracy_percent",
    "predicted_rms_mm",
)  # fmt: skip
MIN_SHARE, FLAT_PX = 0.6, 1.0  # of the region's known pixels so many must lie so near to the plane
# Wide, because a RMS over points that were cut at three standard deviations is too small by 1.3 %.
GATE, LEAST_PX = 6.0, 0.1
MOVED_PX = 0.5  # of the plane as a whole between pairs: more is no noise of a scene that stands still
REFINED_POINTS, SURE_PX = 24, 0.2
MOST_LEANING_PX = 0.5  # more is no leaning of a matcher
MOST_VALUES = 12_000_000  # kept for the statistics: 48 MB; larger regions are thinned


class NoPlane(LiveStereoError):
    """There is no flat surface in the region."""


@dataclass(frozen=True)
class Quality:
    """What was found; mm of depth along the optical axis, NaN where it cannot be told.

    fill_percent: of the region's pixels have depth. plane_rms_*: RMS around the plane. temporal_noise_mm: RMS of each
    pixel's change over the pairs. z_accuracy_percent: distance of the plane against the given one, signed.
    distance_m: along the axis of the left camera; perpendicular_m: shortest. outlier_percent: of the known pixels lie
    off the plane and are not in the RMS. common_px: the plane's own change between pairs, largest − smallest.
    roi: (x, y, w, h) displayed px. residual_mm, noise_mm: (h,w) float32 maps of the region, NaN where unknown.
    """

    fill_percent: float
    plane_rms_mm: float
    plane_rms_subpixel_px: float
    temporal_noise_mm: float
    z_accuracy_percent: float
    distance_m: float
    perpendicular_m: float
    tilt_deg: float
    outlier_percent: float
    common_px: float
    pairs: int
    roi: Box
    metric: bool
    predicted: Predicted
    given_m: float | None = None
    residual_mm: F32 | None = field(default=None, repr=False)
    noise_mm: F32 | None = field(default=None, repr=False)

    @property
    def predicted_rms_mm(self) -> float:
        """RMS around the plane that this rig and these pictures let expect."""
        return self.predicted.rms_mm

    @property
    def moved(self) -> bool:
        """Whether the surface or the cameras moved, so that its change is no noise."""
        return self.common_px > MOVED_PX

    def as_json(self) -> dict[str, Any]:
        """Give the object that scripts read."""
        more = ("pairs", "roi", "metric", "distance_m", "perpendicular_m", "tilt_deg", "outlier_percent", "common_px")
        found = {name: getattr(self, name) for name in (*FIGURES, *more)}
        found["given_distance_m"] = self.given_m
        found["predicted"] = self.predicted.as_json()
        return found


class QualityMeter:
    """Keeps the newest `frames` pairs of a region and tells how good they are. A result sink; thread-safe.

    box: (x, y, w, h) in displayed pixels; None is the middle half of the picture each way.
    """

    def __init__(self, box: Box | None = None, frames: int = 30, most_values: int = MOST_VALUES) -> None:
        self._box = box
        self._frames = frames
        self._most = most_values
        self._kept: deque[F32] = deque(maxlen=frames)
        self._newest: StereoResult | None = None
        self._columns, self._rows = slice(0, 0), slice(0, 0)
        self._shown: Box = (0, 0, 0, 0)
        self._step = 1
        self._lock = threading.Lock()

    @property
    def roi(self) -> Box | None:
        """The region, displayed px; None before the first pair."""
        return self._shown if self._newest is not None else None

    @property
    def newest(self) -> StereoResult | None:
        """The newest result."""
        return self._newest

    def open(self, info: SourceInfo) -> None:
        """Get ready."""

    def close(self) -> None:
        """Nothing to release."""

    def accept(self, result: StereoResult) -> None:
        """Take one pair.

        Raises:
            LiveStereoError: the region does not lie in the picture.
        """
        with self._lock:
            old = self._newest
            if old is None or old.disparity_px.shape != result.disparity_px.shape or _other_geometry(old, result):
                self._kept.clear()
                self._aim(result)
            self._newest = result
            self._kept.append(result.disparity_px[self._rows, self._columns][:: self._step, :: self._step].copy())

    def _aim(self, result: StereoResult) -> None:
        width, height = displayed_size(result)
        self._shown = self._box or (width // 4, height // 4, width // 2, height // 2)
        try:
            self._columns, self._rows = rectified_box(self._shown, result)
        except ValueError as error:
            raise LiveStereoError(str(error), "Write x,y,width,height in pixels.") from error
        values = self._shown[2] * self._shown[3] * self._frames
        self._step = max(1, math.ceil(math.sqrt(values / self._most)))

    def quality(
        self, *, distance_m: float | None = None, rig_file: RigFile | None = None, maps: bool = False
    ) -> Quality:
        """Compute the figures of the pairs that are kept.

        Raises:
            NoPlane: there is too little depth in the region, or it is not flat.
        """
        with self._lock:
            newest, stack, columns, rows, step = (
                self._newest, list(self._kept), self._columns, self._rows, self._step,
            )  # fmt: skip
        if newest is None:
            raise NoPlane("No pair was seen.", "Check the pictures.")
        at = newest.pair.rectification
        values = np.stack(stack)
        known = values > -at.doffs_px  # no disparity, no depth: as infinitely far away, or one picture given twice
        region = _Region.of(at, columns, rows, step, values.shape[1:])
        fill = 100 * float(known.mean())
        planes = _planes(region, values, known, {"fill_percent": fill, **dict.fromkeys(FIGURES[1:])})
        stats = _Statistics.of(region, values, planes, at)
        planar = np.mean([plane.values for plane in planes], axis=0)
        planar[0] += leaning_px(newest, region.A, planes[-1], (columns, rows, step), values.shape[1:])
        length = float(np.linalg.norm(planar))
        scale = at.focal_px * at.baseline_m
        distance = scale / float(planar[0]) if planar[0] > 0 else NAN
        common = [float(plane.values @ region.middle) for plane in planes]
        moved = max(common) - min(common)
        to_mm = 1000.0 if at.metric else NAN
        predicted = predict(newest, rig_file, columns, rows, planar, stats.inside_newest, step)
        return Quality(
            fill_percent=fill,
            plane_rms_mm=to_mm * stats.rms,
            plane_rms_subpixel_px=stats.rms_px,
            temporal_noise_mm=NAN if moved > MOVED_PX else to_mm * stats.noise,
            z_accuracy_percent=100 * (distance / distance_m - 1) if distance_m and at.metric else NAN,
            distance_m=distance, perpendicular_m=scale / length,
            tilt_deg=math.degrees(math.acos(min(1.0, float(planar[0]) / length))),
            outlier_percent=100 * stats.off, common_px=moved, pairs=len(stack), roi=self._shown, metric=at.metric,
            predicted=predicted, given_m=distance_m,
            residual_mm=stats.residual_map(to_mm) if maps else None,
            noise_mm=stats.noise_map(to_mm) if maps else None,
        )  # fmt: skip


def leaning_px(
    result: StereoResult, A: Array, plane: FittedPlane, place: tuple[slice, slice, int], shape: tuple[int, ...]
) -> float:
    """Give by how much the plane lies nearer than the matcher says, px of disparity.

    A matcher leans towards whole pixels, all of a frontal plane the same way, which looks like a wrong scale of the
    rig. What the two pictures themselves tell at some points of the plane does not; 0 where they tell nothing.
    """
    columns, rows, step = place
    inside = np.argwhere(plane.inside.reshape(shape))
    left, right = result.pair.left_gray, result.pair.right_gray
    found = []
    for row, column in inside[np.linspace(0, len(inside) - 1, REFINED_POINTS + 2).astype(int)[1:-1]]:
        v, u = rows.start + int(row) * step, columns.start + int(column) * step
        refined = refine(result.disparity_px, left, right, u, v)
        if refined is not None and refined.sigma_px < SURE_PX:
            of_plane = float(A[row * shape[1] + column] @ plane.values) - result.pair.rectification.doffs_px
            found.append(refined.disparity_px - of_plane)
    leaning = float(np.median(found)) if len(found) >= REFINED_POINTS // 3 else 0.0
    return leaning if abs(leaning) < MOST_LEANING_PX else 0.0


def _other_geometry(old: StereoResult, new: StereoResult) -> bool:
    a, b = old.pair.rectification, new.pair.rectification
    return (a.focal_px, a.baseline_m, a.cx_px, a.cy_px, a.doffs_px) != (
        b.focal_px, b.baseline_m, b.cx_px, b.cy_px, b.doffs_px,
    )  # fmt: skip


@dataclass(frozen=True)
class _Region:
    """The region's pixels as rays: x, y (n,) over the focal length; doffs_px; middle (3,) row of the design."""

    A: Array
    doffs_px: float

    @classmethod
    def of(cls, at: Rectification, columns: slice, rows: slice, step: int, shape: tuple[int, ...]) -> _Region:
        x = (np.arange(shape[1]) * step + columns.start - at.cx_px) / at.focal_px
        y = (np.arange(shape[0]) * step + rows.start - at.cy_px) / at.focal_px
        across, down = np.meshgrid(x, y)
        return cls(design(across.ravel(), down.ravel()), at.doffs_px)

    @property
    def middle(self) -> Array:
        return np.asarray(self.A.mean(axis=0))


def _planes(
    region: _Region, values: F32, known: NDArray[np.bool_], so_far: dict[str, object]
) -> list[FittedPlane]:  # fmt: skip
    """Fit a plane to each pair's shifted disparity; `inside` and `rest_px` are of all pixels, NaN where unknown."""
    found: list[FittedPlane] = []
    for d_map, is_known in zip(values, known):
        use = is_known.ravel()
        if use.sum() < 200 or use.mean() < 0.02:
            raise NoPlane(
                f"Only {100 * use.mean():.1f} % of the region has depth: too little for a plane.",
                "Aim at a flat, well-textured surface, or choose another region with --roi; "
                "`livestereo doctor` finds out why depth is missing.",
                so_far,
            )
        A, d = region.A[use], d_map.ravel()[use].astype(np.float64) + region.doffs_px
        plane = None
        if found:
            near = np.abs(d - A @ found[-1].values) < 1.0
            plane = fit_plane(A, d, near, gate=GATE, least_px=LEAST_PX) if near.mean() > MIN_SHARE else None
        plane = plane or find_plane(A, d, gate=GATE, least_px=LEAST_PX)
        flat = float((np.abs(plane.rest_px) < FLAT_PX).mean())
        if flat < MIN_SHARE or plane.values[0] <= 0:
            raise NoPlane(
                f"There is no plane in view: at most {100 * flat:.0f} % of the region's depth lies on one.",
                "Aim at a wall or a flat board that fills the region, or choose the region with --roi X,Y,W,H.",
                so_far,
            )
        inside = np.zeros(use.shape, bool)
        inside[use] = plane.inside
        rest = np.full(use.shape, np.nan)
        rest[use] = plane.rest_px
        found.append(FittedPlane(plane.values, inside, rest))
    return found


@dataclass(frozen=True)
class _Statistics:
    """Pooled over all pairs; lengths in metres. Maps are (h,w), NaN where unknown."""

    rms_px: float
    rms: float
    noise: float
    off: float
    inside_newest: NDArray[np.bool_]
    mean_rest: F32
    spread: F32

    @classmethod
    def of(cls, region: _Region, values: F32, planes: list[FittedPlane], at: Rectification) -> _Statistics:
        shape = values.shape[1:]
        scale = at.focal_px * at.baseline_m
        count = np.zeros(shape)
        total = np.zeros(shape)
        squares = np.zeros(shape)
        rests = np.zeros(shape)
        px = mm = 0.0
        known = inside = 0
        middle = scale / max(float(planes[0].values @ region.middle), 1e-6)
        for d_map, plane in zip(values, planes):
            use = plane.inside
            d = d_map.ravel()[use].astype(np.float64) + region.doffs_px
            z = scale / d
            rest = z - scale / (region.A[use] @ plane.values)
            px += float((plane.rest_px[use] ** 2).sum())
            mm += float((rest**2).sum())
            known += int(np.isfinite(d_map).sum())
            inside += int(use.sum())
            grid = use.reshape(shape)
            count += grid
            # About the middle of the plane, so that small changes of a large number keep their digits.
            total[grid] += z - middle
            squares[grid] += (z - middle) ** 2
            rests[grid] += rest
        with np.errstate(divide="ignore", invalid="ignore"):
            around = np.maximum(squares - total**2 / count, 0.0)
            enough = count >= max(2, 0.5 * len(planes))
            variance = np.where(enough, around / (count - 1), np.nan)
            free = float((count - 1)[enough].sum())
            return cls(
                rms_px=math.sqrt(px / inside), rms=math.sqrt(mm / inside),
                noise=math.sqrt(float(around[enough].sum()) / free) if free else NAN,
                off=1 - inside / known, inside_newest=planes[-1].inside.reshape(shape),
                mean_rest=np.where(count > 0, rests / count, np.nan).astype(np.float32),
                spread=np.sqrt(variance).astype(np.float32),
            )  # fmt: skip

    def residual_map(self, to_mm: float) -> F32:
        return np.asarray(self.mean_rest * np.float32(to_mm))

    def noise_map(self, to_mm: float) -> F32:
        return np.asarray(self.spread * np.float32(to_mm))
