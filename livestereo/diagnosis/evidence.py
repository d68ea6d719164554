"""What the checks look at: a few pairs, what is known of the cameras and the rig, and measurements made once.

Everything here is computed when a check first asks for it, so that a check costs only what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.drift import Drift, fit_drift, is_exchanged, turned_back
from calibration.errors import CalibrationError
from calibration.matches import Matches, find_matches
from calibration.quality import Arrangement, arrangement
from calibration.rectify import Rectification
from calibration.rigfile import RigFile
from livestereo.lazy import lazy
from livestereo.types import U8, CaptureStats, SourceInfo, StereoFrame, StereoResult

F64 = NDArray[np.float64]
# Local measurements are taken in windows of this half width around matched points, px.
PATCH = 7
FLAT_LEVELS = 3.0  # gray levels by which a picture varies that shows something


@dataclass(frozen=True)
class EdgeWidths:
    """σ of the blur at edges, px. left, right: at the same things in both. least: of the sharpest edges of the whole
    sharper picture. scale: size of the pictures against 640 columns.
    """

    left: float
    right: float
    least: float
    scale: float

    @property
    def unequal(self) -> bool:
        """One is out of focus against the other."""
        wide, sharp = max(self.left, self.right), min(self.left, self.right)
        return wide > 1.45 * max(sharp, 0.35) and wide > 1.2 * max(1.0, self.scale * 0.8)

    @property
    def both_blurred(self) -> bool:
        """Nothing is sharp in either."""
        return self.least > 2.1 * max(1.0, self.scale)


@dataclass
class Evidence:
    """frames: consecutive pairs, oldest first, at least one. rectification: None where there is no rig.

    result: depth of the last pair, if it was computed. settings: what it was computed with.
    """

    frames: list[StereoFrame]
    info: SourceInfo
    stats: CaptureStats = field(default_factory=CaptureStats)
    rig_file: RigFile | None = None
    rectification: Rectification | None = None
    result: StereoResult | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> StereoFrame:
        """The newest pair."""
        return self.frames[-1]

    @lazy
    def grays(self) -> tuple[U8, U8]:
        """Both raw pictures of the newest pair, gray."""
        return gray(self.last.left.image), gray(self.last.right.image)

    @lazy
    def twice_the_same(self) -> bool:
        """Whether one picture was given for both sides; two of darkness, or of white, say nothing."""
        left, right = self.grays
        return float(left.std()) > FLAT_LEVELS and np.array_equal(left, right)

    @lazy
    def matches(self) -> Matches:
        """Matched points of the raw pictures."""
        return find_matches(*self.grays)

    @lazy
    def arranged(self) -> Arrangement:
        """How the raw pictures lie to each other."""
        return arrangement(*self.grays, matches=self.matches)

    @lazy
    def rectified_points(self) -> tuple[F64, F64] | None:
        """Matched points (N,2) in the rectified pictures; None with no rectification or too few matches."""
        if self.rectification is None or not self.matches.enough:
            return None
        at = self.rectification
        left = at.rectify_points(self.matches.left_px, "left")
        right = at.rectify_points(self.matches.right_px, "right")
        good = np.isfinite(left).all(1) & np.isfinite(right).all(1)
        return (left[good], right[good]) if good.sum() >= 20 else None

    @lazy
    def exchanged_points(self) -> tuple[F64, F64] | None:
        """Matched points rectified as if left and right had been exchanged; None as in `rectified_points`."""
        if self.rectification is None or not self.matches.enough:
            return None
        left = self.rectification.rectify_points(self.matches.right_px, "left")
        right = self.rectification.rectify_points(self.matches.left_px, "right")
        good = np.isfinite(left).all(1) & np.isfinite(right).all(1)
        return (left[good], right[good]) if good.sum() >= 20 else None

    @lazy
    def drift(self) -> Drift | None:
        """How the cameras have turned since the rig was made; None with no rig or too few matches."""
        if self.rig_file is None or self.rectification is None or self.rectified_points is None:
            return None
        try:
            return fit_drift(self.rectification, *self.rectified_points)
        except CalibrationError:
            return None

    @lazy
    def turned_apart(self) -> bool:
        """Whether a clear turn of a camera, not an exchange, is why points seem to lie beyond infinity."""
        at, points, drift = self.rectification, self.rectified_points, self.drift
        return at is not None and points is not None and drift is not None and not is_exchanged(at, drift, *points)

    @lazy
    def disparity_px(self) -> F64 | None:
        """Of `rectified_points` (N,), zero at infinity, with a clear turn of a camera taken out; None as there."""
        at, points, drift = self.rectification, self.rectified_points, self.drift
        if at is None or points is None:
            return None
        if drift is not None and drift.yaw_clear:
            return turned_back(at, drift, *points)
        return points[0][:, 0] - points[1][:, 0] + at.doffs_px

    @lazy
    def edge_widths(self) -> EdgeWidths | None:
        """How sharp both pictures are; None where there is no edge to judge by."""
        near: tuple[float | None, ...] = (None, None)
        if self.matches.enough and not self.arranged.mirrored:
            near = tuple(_width_at(*side) for side in zip(self.grays, (self.matches.left_px, self.matches.right_px)))
        left, right = (edge_width_px(picture) for picture in self.grays)
        if left is None or right is None:
            return None
        return EdgeWidths(near[0] or left, near[1] or right, min(left, right), self.last.left.image.shape[1] / 640)

    @lazy
    def patches(self) -> tuple[F64, F64] | None:
        """Colour of matched places, (N,3) BGR means of windows, left and right; None with too few matches."""
        if not self.matches.enough or self.arranged.mirrored:
            return None
        sides = []
        for image, points in (
            (self.last.left.image, self.matches.left_px), (self.last.right.image, self.matches.right_px),
        ):  # fmt: skip
            mean = cv2.blur(image.astype(np.float32), (2 * PATCH + 1, 2 * PATCH + 1))
            at = np.rint(points).astype(int)
            inside = (at >= 0).all(1) & (at[:, 0] < image.shape[1]) & (at[:, 1] < image.shape[0])
            sides.append((mean[at[inside, 1], at[inside, 0]].astype(np.float64), inside))
        if sides[0][1].sum() != len(self.matches) or sides[1][1].sum() != len(self.matches):
            return None
        return sides[0][0], sides[1][0]


def gray(image: U8) -> U8:
    """Gray picture, (H,W) uint8."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def edge_width_px(picture: U8) -> float | None:
    """Width of the sharpest edges, px (σ of the blur that made them); None where there is no edge to judge by.

    The picture is blurred once more by a known σ₀: at an edge the gradient falls by the ratio
    √(σ² + σ₀²)/σ, from which σ follows (Zhuo and Sim, Pattern Recognition 44, 2011). The sharpest fifth of the strong
    edges speaks for the lens: the others may be soft things.
    """
    again = 1.5
    field = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7)
    soft = cv2.GaussianBlur(field, (0, 0), again)
    strength = _gradient(field)
    softer = _gradient(soft)
    strong = strength > max(2.0, float(np.percentile(strength, 95)))
    if int(strong.sum()) < 200:
        return None
    ratio = np.clip(strength[strong] / np.maximum(softer[strong], 1e-3), 1.0001, None)
    width = again / np.sqrt(ratio * ratio - 1)
    return float(np.percentile(width, 20))


def _width_at(picture: U8, points: F64) -> float | None:
    """Edge width near matched points only: the same things in both pictures."""
    mask = np.zeros(picture.shape, np.uint8)
    for x, y in np.rint(points).astype(int):
        cv2.circle(mask, (int(x), int(y)), 6, 255, -1)
    if np.count_nonzero(mask) < 500:
        return None
    again = 1.5
    field = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7)
    soft = cv2.GaussianBlur(field, (0, 0), again)
    parts = [_gradient(field), _gradient(soft)]
    strong = (mask > 0) & (parts[0] > max(3.0, float(np.percentile(parts[0][mask > 0], 70))))
    ratio = np.clip(parts[0][strong] / np.maximum(parts[1][strong], 1e-3), 1.0001, None)
    return float(np.percentile(again / np.sqrt(ratio * ratio - 1), 35))


def _gradient(field: cv2.typing.MatLike) -> NDArray[np.float32]:
    gx = cv2.Scharr(field, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(field, cv2.CV_32F, 0, 1, scale=1 / 32)
    return np.asarray(cv2.magnitude(gx, gy), np.float32)


def blockiness(picture: U8) -> float:
    """How much larger steps are at the borders of 8x8 blocks than one pixel beside them; 1 for none.

    Wang, Bovik and Evans (ICIP 2000), as a ratio of means of absolute steps, on places that are nearly flat: there
    JPEG's blocks show and the scene does not.
    """
    ratios = []
    for turned in (picture, picture.T):
        step = np.abs(np.diff(turned.astype(np.float32), axis=1))
        # Flat is judged by the steps to either side, not by the step itself: the stronger the blocks, the larger it is.
        flat = np.zeros(step.shape, bool)
        flat[:, 1:-1] = (step[:, :-2] < 6) & (step[:, 2:] < 6) & (step[:, 1:-1] < 48)
        columns = np.arange(step.shape[1])
        border, beside = columns % 8 == 7, (columns % 8 >= 2) & (columns % 8 <= 4)
        at, next_to = step[:, border][flat[:, border]], step[:, beside][flat[:, beside]]
        if at.size < 500:
            continue
        ratios.append(float((at.mean() + 0.05) / (next_to.mean() + 0.05)))
    return float(np.mean(ratios)) if ratios else 1.0
