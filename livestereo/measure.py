"""Points, distances and heights in the scene, each with its standard deviation.

    ruler = Ruler(result, rig_file)
    ruler.distance((320, 240), (400, 240)).distance_m

The standard deviation has two parts: of matching (how exactly the two pictures tell the disparity there) and of the
rig (its covariance, where the rig file holds one). Both go through the first-order law: σ² = gᵀ C g.
Pixels are those of the displayed left picture: rectified, and upright.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.point_error import point_derivatives
from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.errors import LiveStereoError
from livestereo.planes import design, find_plane
from livestereo.refine import Refined, refine
from livestereo.render.colorize import REASON_TEXT
from livestereo.render.views import displayed_size, rectified_box, to_displayed, to_rectified
from livestereo.types import Reason, StereoResult

Array = NDArray[Any]
Pixel = tuple[float, float]


class MeasureError(LiveStereoError):
    """Nothing can be measured there."""


@dataclass(frozen=True)
class Point:
    """One measured point.

    pixel: displayed (u, v). position_m: (3,) rectified left frame, x right, y down, z forward (turned upright).
    match: (3,3) covariance of matching, m². by_rig: (3,n) derivatives by the rig's unknowns, or None.
    """

    pixel: Pixel
    position_m: Array
    refined: Refined
    match: Array = field(repr=False)
    by_rig: Array | None = field(default=None, repr=False)

    @property
    def depth_m(self) -> float:
        """Depth: z."""
        return float(self.position_m[2])


@dataclass(frozen=True)
class Length:
    """A length with its standard deviation; sigma_rig_m is None where the rig's covariance is unknown."""

    distance_m: float
    sigma_m: float
    sigma_match_m: float
    sigma_rig_m: float | None
    points: tuple[Point, ...] = ()

    @property
    def sigma_of(self) -> str:
        """What the standard deviation covers."""
        return "matching alone" if self.sigma_rig_m is None else "matching and rig"


@dataclass(frozen=True)
class Plane:
    """normal (3,), towards the camera; n·P = offset. covariance (3,3) of (offset and the two tilts).

    residual_m, residual_px: RMS of the points around it, and of their disparities. count: points it was fitted to.
    share: of those that were looked at.
    """

    normal: Array
    offset_m: float
    centre_m: Array
    covariance: Array
    tilts: Array
    residual_m: float
    residual_px: float
    count: int
    share: float


class Ruler:
    """Measures in one result."""

    def __init__(self, result: StereoResult, rig_file: RigFile | None = None) -> None:
        self._result = result
        self._at: Rectification = result.pair.rectification
        usable = rig_file is not None and rig_file.covariance is not None and self._at.metric
        self._rig_file = rig_file if usable else None

    @property
    def metric(self) -> bool:
        """Whether lengths are metres."""
        return self._at.metric

    def point(self, pixel: Pixel) -> Point:
        """Measure the point at a displayed pixel.

        Raises:
            MeasureError: outside the picture, or a hole; the reason is told where it is known.
        """
        width, height = displayed_size(self._result)
        if not (-0.5 <= pixel[0] < width - 0.5 and -0.5 <= pixel[1] < height - 0.5):
            raise MeasureError(
                f"The point {pixel[0]:g},{pixel[1]:g} lies outside the picture, which is {width}x{height}.",
                "Pixels are counted from 0,0 at the top left.",
            )
        u, v = to_rectified(*pixel, self._result)
        column, row = round(u), round(v)
        pair = self._result.pair
        refined = refine(self._result.disparity_px, pair.left_gray, pair.right_gray, column, row)
        shifted = 0.0 if refined is None else refined.disparity_px + self._at.doffs_px
        if refined is None or shifted <= 0:
            raise MeasureError(
                f"No depth is known at {pixel[0]:g},{pixel[1]:g}: "
                f"{self._why(column, row) if refined is None else 'nothing is shifted there, as infinitely far away'}.",
                self._hint(column, row),
            )
        scale = self._at.focal_px * self._at.baseline_m
        ray = np.array([(u - self._at.cx_px) / self._at.focal_px, (v - self._at.cy_px) / self._at.focal_px, 1.0])
        z = scale / shifted
        # P = ray · z, dz/dd = −z/(d + doffs); across the ray a pixel is known to a fifth.
        along = ray * (z / shifted * refined.sigma_px)
        across = np.diag([1.0, 1.0, 0.0]) * (0.2 * z / self._at.focal_px) ** 2
        turn = self._turn()
        position = ray * z
        by_rig = None
        if self._rig_file is not None and self._rig_file.covariance is not None:
            R = self._at.R_rect_left
            moved = point_derivatives(self._rig_file.rig, self._rig_file.covariance.parameters, position[None] @ R)
            by_rig = turn @ R @ moved[0]
        return Point(
            pixel=(float(pixel[0]), float(pixel[1])), position_m=turn @ position, refined=refined,
            match=turn @ (np.outer(along, along) + across) @ turn.T, by_rig=by_rig,
        )  # fmt: skip

    def confidence(self, point: Point) -> float | None:
        """How likely the matcher's disparity at a measured point is right to 1 px, 0..1; None where nobody can tell."""
        u, v = to_rectified(*point.pixel, self._result)
        return self._result.facts(round(u), round(v)).confidence

    def depth_sigma_m(self, point: Point) -> float:
        """Give the standard deviation of a point's depth, with the rig's part where the rig file tells it."""
        return self._length(point.depth_m, [(point, np.array([0.0, 0.0, 1.0]))]).sigma_m

    def _turn(self) -> Array:
        """Rotation that makes positions upright as displayed: a quarter turn maps (x, y) to (y, −x)."""
        quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        return np.linalg.matrix_power(quarter, self._at.display_turns % 4)

    def _why(self, column: int, row: int) -> str:
        reason = self._result.facts(column, row).reason
        if reason in (None, Reason.NONE, Reason.UNKNOWN):
            return "the matcher found no sure partner for it in the right picture"
        return REASON_TEXT[reason]

    def _hint(self, column: int, row: int) -> str:
        """Say where the nearest known point is."""
        rows, columns = np.nonzero(np.isfinite(self._result.depth_m))
        if not rows.size:
            return "No depth is known anywhere in this picture: run `livestereo doctor`."
        best = int(np.argmin((columns - column) ** 2 + (rows - row) ** 2))
        u, v = to_displayed(float(columns[best]), float(rows[best]), self._result)
        return f"The nearest point with depth is {u:.0f},{v:.0f}."

    def range(self, pixel: Pixel) -> Length:
        """Distance of a point from the left camera.

        Raises:
            MeasureError: a hole, or outside the picture.
        """
        point = self.point(pixel)
        distance = float(np.linalg.norm(point.position_m))
        return self._length(distance, [(point, point.position_m / distance)])

    def distance(self, first: Pixel, second: Pixel) -> Length:
        """Distance between two points.

        Raises:
            MeasureError: a hole, or outside the picture.
        """
        a, b = self.point(first), self.point(second)
        between = b.position_m - a.position_m
        distance = float(np.linalg.norm(between))
        direction = between / distance if distance > 0 else np.array([0.0, 0.0, 1.0])
        return self._length(distance, [(a, -direction), (b, direction)])

    def height(self, pixel: Pixel, plane: Plane) -> Length:
        """Height of a point over a plane, positive on the camera's side.

        Raises:
            MeasureError: a hole, or outside the picture.
        """
        point = self.point(pixel)
        height = float(plane.normal @ point.position_m - plane.offset_m)
        away = point.position_m - plane.centre_m
        # The plane is a·1 + tilts: its error at the point grows with the distance from its middle.
        lever = np.array([-1.0, *(plane.tilts @ away)])
        return self._length(height, [(point, plane.normal)], extra=float(lever @ plane.covariance @ lever))

    def _length(self, distance: float, terms: list[tuple[Point, Array]], extra: float = 0.0) -> Length:
        """Collect the variance of Σ gᵢ·Pᵢ: matching errors are the points' own, the rig's are common to all."""
        match = sum(float(g @ point.match @ g) for point, g in terms) + extra
        rig: float | None = None
        if self._rig_file is not None and self._rig_file.covariance is not None:
            by_unknown = sum((g @ point.by_rig for point, g in terms if point.by_rig is not None), start=np.zeros(()))
            rig = float(by_unknown @ self._rig_file.covariance.array @ by_unknown)
        return Length(
            distance_m=distance, sigma_m=float(np.sqrt(match + (rig or 0.0))), sigma_match_m=float(np.sqrt(match)),
            sigma_rig_m=None if rig is None else float(np.sqrt(max(rig, 0.0))), points=tuple(p for p, _ in terms),
        )  # fmt: skip

    def plane(self, box: tuple[int, int, int, int] | None = None, seed: int = 0) -> Plane:
        """Fit the plane that most points of a displayed rectangle (x, y, w, h) lie on; None is the whole picture.

        RANSAC on disparity, where a plane is affine in the pixel and noise is even, then least squares.

        Raises:
            MeasureError: too little depth, or no plane in it.
        """
        u, v, d = self._samples(box)
        if len(d) < 60:
            raise MeasureError("There is too little depth in the rectangle for a plane.", "Choose a larger one.")
        found = find_plane(design(u / self._at.focal_px, v / self._at.focal_px), d, seed=seed)
        if found.inside.sum() < max(50, 0.15 * len(d)):
            raise MeasureError("There is no plane in the rectangle.", "Choose one that shows a flat surface alone.")
        A = design(u[found.inside] / self._at.focal_px, v[found.inside] / self._at.focal_px)
        return self._plane_of(A, d[found.inside], found.values, found.share)

    def _samples(self, box: tuple[int, int, int, int] | None) -> tuple[Array, Array, Array]:
        """Pixels relative to the principal point, and shifted disparity, of about 6000 known points."""
        try:
            columns, rows = rectified_box(box, self._result)
        except ValueError as error:
            raise MeasureError(str(error), "Write x,y,width,height in pixels.") from error
        w, h = columns.stop - columns.start, rows.stop - rows.start
        step = max(1, int(np.sqrt(w * h / 6000)))
        part = self._result.disparity_px[rows, columns][::step, ::step]
        v, u = np.nonzero(np.isfinite(part))
        d = part[v, u].astype(np.float64) + self._at.doffs_px
        return u * step + columns.start - self._at.cx_px, v * step + rows.start - self._at.cy_px, d

    def _plane_of(self, A: Array, d: Array, fitted: Array, share: float) -> Plane:
        """Turn d = c0 + c1·x' + c2·y' into n·P = offset: 1/z = d/(f·B), so (c1, c2, c0)·P = f·B."""
        scale = self._at.focal_px * self._at.baseline_m
        turn = self._turn()
        raw = turn @ np.array([fitted[1], fitted[2], fitted[0]])
        length = float(np.linalg.norm(raw))
        normal, offset = -raw / length, -scale / length  # towards the camera, which lies at the origin
        z = scale / d
        points = np.stack([A[:, 1] * z, A[:, 2] * z, z], axis=1) @ turn.T
        rest = points @ normal - offset
        centre = points.mean(axis=0)
        # Two directions in the plane; matching errors of neighbours go together, so one in 25 counts.
        tilts = np.linalg.svd(points - centre, full_matrices=False)[2][:2]
        lever = np.column_stack([np.ones(len(points)), (points - centre) @ tilts.T])
        variance = float(np.mean(rest * rest)) + 1e-12
        covariance = np.linalg.inv(lever.T @ lever / max(1.0, min(25.0, len(points) / 12))) * variance
        return Plane(
            normal=normal, offset_m=offset, centre_m=centre, covariance=covariance, tilts=tilts,
            residual_m=float(np.sqrt(variance)), residual_px=float(np.std(d - A @ fitted)),
            count=len(points), share=share,
        )  # fmt: skip
