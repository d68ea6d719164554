"""Does an old rig still fit? Judged on new pictures of a board or of any scene.

check = Recheck(rig_file)
for left_gray, right_gray in pairs: check.add(left_gray, right_gray)
report = check.report()                    # figures, verdict, warnings in words
rig_file = check.repaired(report, made_by={...})
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import BoardDetector
from calibration.drift import Drift, fit_drift, is_exchanged
from calibration.errors import CalibrationError
from calibration.matches import LEAST, find_matches
from calibration.quality import VerticalError, arrangement, row_differences, why_unknown
from calibration.rectify import Rectification, make_rectification
from calibration.repair import repair_file, repair_rig
from calibration.rig import Array
from calibration.rigfile import RigFile
from calibration.settle import Settled, settle_by_board, settle_by_distance
from calibration.verdict import (
    GOOD_DEPTH_PERCENT,
    GOOD_DISPARITY_PX,
    USABLE_DEPTH_PERCENT,
    USABLE_DISPARITY_PX,
)

U8 = NDArray[np.uint8]
Verdict = Literal["good", "usable", "bad"]

# Rows off by more than half a pixel cost StereoSGBM answers at edges, more than one and a half everywhere.
GOOD_RMS_PX, USABLE_RMS_PX = 0.6, 1.5
GOOD_SCALE_PERCENT, USABLE_SCALE_PERCENT = 1.0, 3.0
# A part of the drift that moves rows by less is nothing to worry about; a focal length that does more is no turn.
TOLD_PX, USABLE_FOCAL_PX = 0.3, 0.7
AT_M = (1.0, 2.0, 4.0)
# A clear yaw is judged by the depth error that it makes here, as a new rig is by what is uncertain.
JUDGED_AT_M = 2.0
# Good rigs of real lenses bend rows so that a yaw explains almost four fifths of it, not more: a fault must leave less.
_JUDGED_LEAVES = 0.2


@dataclass(frozen=True)
class CheckReport:
    """What the pictures say of the rig. views: pairs that could be used; looked: pairs that were given.

    vertical: row differences of all matches. drift: None where the pictures are exchanged. settled: from a board or a
    distance, else None. hidden_depth_percent: by distance in metres, the depth error (1 σ) that a yaw could cause that
    these pictures do not show, if the rig is used as it is.
    """

    looked: int
    views: int
    vertical: VerticalError
    drift: Drift | None
    settled: Settled | None
    by_board: bool
    hidden_depth_percent: dict[float, float]
    verdict: Verdict
    warnings: tuple[str, ...]


class Recheck:
    """Gathers matches of pairs and judges. Nothing is kept of the pictures."""

    def __init__(self, rig_file: RigFile, *, board: Board | None = None) -> None:
        self.rig_file = rig_file
        self.rectification: Rectification = make_rectification(rig_file.rig, metric=rig_file.metric, maps=board is None)
        self._detector = None if board is None else BoardDetector(board)
        self._board = board
        self._left: list[Array] = []
        self._right: list[Array] = []
        self._sigma: list[Array] = []
        self._places: list[Array] = []
        self._why: list[str] = []
        self.looked = 0

    def add(self, left_gray: U8, right_gray: U8) -> bool:
        """Take one raw pair, (H,W) uint8; tells whether it could be used."""
        self.looked += 1
        found = self._from_board(left_gray, right_gray) if self._detector else self._from_scene(left_gray, right_gray)
        if found is None:
            return False
        for kept, values in zip((self._left, self._right, self._sigma), found):
            kept.append(values)
        return True

    def report(self, distance_m: float | None = None) -> CheckReport:
        """Judge what was gathered. distance_m: to a flat surface that fills the view, measured.

        Raises:
            CalibrationError: no pair could be used; with the reason.
        """
        if not self._left:
            raise self._nothing()
        left, right, sigma = (np.concatenate(parts) for parts in (self._left, self._right, self._sigma))
        made = self.rectification
        vertical = row_differences(left, right, doffs_px=made.doffs_px)
        warnings: list[str] = []
        drift = fit_drift(made, left, right, sigma_px=sigma)
        if vertical.swapped or (vertical.swapped is None and self._exchanged(left, right)):
            vertical = replace(vertical, swapped=is_exchanged(made, drift, left, right))
        if vertical.swapped:
            warnings.append(
                "Left and right are exchanged: use --swap (or leave it out, if given), or exchange the two sources."
            )
            return CheckReport(
                self.looked, len(self._left), vertical, None, None, self._board is not None, {}, "bad", tuple(warnings)
            )
        settled = self._settle(drift, left, right, distance_m)
        if settled is not None:
            drift = fit_drift(made, left, right, sigma_px=sigma, yaw=settled.yaw)
        warnings += drift.words(TOLD_PX)
        if drift.left_px > 0.7 * drift.median_px > 0.35:
            warnings.append("No turn of a camera explains the row differences: another camera, lens or picture size?")
        hidden = {d: self._hidden(drift, d) for d in AT_M} if made.metric else {}
        return CheckReport(
            self.looked, len(self._left), vertical, drift, settled, self._board is not None, hidden,
            self._verdict(vertical, settled, drift), tuple(warnings),
        )  # fmt: skip

    def repaired(self, report: CheckReport, *, made_by: dict[str, str]) -> RigFile:
        """Give the rig file with the drift taken out. See `repair.repair_rig` for what is changed.

        Raises:
            CalibrationError: the pictures are exchanged, or a turned camera is not what is wrong.
        """
        if report.drift is None:
            raise CalibrationError("Left and right are exchanged: the rig needs no repair.", "Use --swap.")
        if report.drift.left_px > USABLE_RMS_PX:
            raise CalibrationError(
                f"A turned camera does not explain what is wrong: {report.drift.left_px:.1f} px would be left.",
                "Calibrate again with `livestereo calibrate`.",
            )
        if report.drift.reach_px.get("focal", 0.0) > USABLE_FOCAL_PX:
            raise CalibrationError(
                "The focal length has changed (zoom or autofocus): a repaired rotation would not mend that.",
                "Switch autofocus off, or set zoom and focus as they were, or calibrate again.",
            )
        return repair_file(self.rig_file, self.rectification, report.drift, made_by=made_by)

    def _from_scene(self, left_gray: U8, right_gray: U8) -> tuple[Array, Array, Array] | None:
        made = self.rectification
        pictures = made.apply(left_gray, "left"), made.apply(right_gray, "right")
        found = find_matches(*pictures)
        why = why_unknown(found, *pictures)
        if why:
            raw = arrangement(left_gray, right_gray)
            if raw.known and (raw.rotated_deg or raw.mirrored):
                turned = "mirrored" if raw.mirrored else f"turned by {raw.rotated_deg}°"
                why = f"The right picture is {turned} against the left one; try --flip."
            self._why.append(why)
            return None
        inside = _inside(made, found.left_px) & _inside(made, found.right_px)
        if inside.sum() < LEAST:
            self._why.append("The matched points lie outside of what both cameras see.")
            return None
        return found.left_px[inside], found.right_px[inside], found.sigma_px[inside]

    def _from_board(self, left_gray: U8, right_gray: U8) -> tuple[Array, Array, Array] | None:
        assert self._detector is not None and self._board is not None
        left, right = self._detector.detect(left_gray), self._detector.detect(right_gray)
        if left is None or right is None:
            self._why.append("")
            return None
        ids, at_left, at_right = np.intersect1d(left.ids, right.ids, return_indices=True)
        if len(ids) < 6:
            self._why.append("")
            return None
        self._places.append(np.asarray(self._board.object_points(), dtype=np.float64).reshape(-1, 3)[ids])
        return (
            self.rectification.rectify_points(left.points_px[at_left].astype(np.float64), "left"),
            self.rectification.rectify_points(right.points_px[at_right].astype(np.float64), "right"),
            np.full(len(ids), 0.1),
        )

    def _settle(self, drift: Drift, left: Array, right: Array, distance_m: float | None) -> Settled | None:
        """Settle yaw on the pictures as they are after pitch and roll are taken out."""
        board = self._board is not None and self._board.metric and self.rectification.metric
        if not board and distance_m is None:
            return None
        kept = replace(drift, covariance=drift.covariance + np.diag([0, 1.0, 0, 0]))  # yaw unknown: left alone
        mended = make_rectification(repair_rig(self.rectification, kept).rig, maps=False)
        # The left picture's rotation changes too: back to raw places and forward again.
        moved = [self._moved(mended, *pair) for pair in zip(self._left, self._right)]
        if distance_m is not None:
            every = [np.concatenate([pair[side] for pair in moved]) for side in (0, 1)]
            return settle_by_distance(mended, every[0], every[1], distance_m)
        return settle_by_board(mended, [(*pair, places) for pair, places in zip(moved, self._places)])

    def _moved(self, mended: Rectification, left: Array, right: Array) -> tuple[Array, Array]:
        old = self.rectification
        return (
            mended.rectify_points(old.unrectify_points(left, "left"), "left"),
            mended.rectify_points(old.unrectify_points(right, "right"), "right"),
        )

    def _exchanged(self, left: Array, right: Array) -> bool:
        """Whether many points lie beyond infinity as they are, and hardly any with the pictures exchanged."""
        made = self.rectification
        if made.source_size_wh["left"] != made.source_size_wh["right"]:
            return False
        other_left = made.rectify_points(made.unrectify_points(right, "right"), "left")
        other_right = made.rectify_points(made.unrectify_points(left, "left"), "right")
        behind, other = (
            float(np.mean(a[:, 0] - b[:, 0] + made.doffs_px < -1))
            for a, b in ((left, right), (other_left, other_right))
        )
        return behind > 0.25 and other < 0.05

    def _hidden(self, drift: Drift, distance_m: float) -> float:
        yaw = math.hypot(float(drift.turn[1]), math.sqrt(float(drift.covariance[1, 1])))
        if not drift.yaw_clear:
            yaw = drift.hidden_yaw
        return 100 * distance_m * yaw / self.rectification.baseline_m

    def _verdict(self, vertical: VerticalError, settled: Settled | None, drift: Drift) -> Verdict:
        rms = vertical.rms_px or 0.0
        scale = 0.0 if settled is None else max(abs(settled.scale_percent) - settled.sigma_percent, 0.0)
        yaw = yaw_verdict(self.rectification, drift, doubtful=True)
        if rms > USABLE_RMS_PX or scale > USABLE_SCALE_PERCENT or yaw == "bad":
            return "bad"
        return "usable" if rms > GOOD_RMS_PX or scale > GOOD_SCALE_PERCENT or yaw == "usable" else "good"

    def _nothing(self) -> CalibrationError:
        if self._board is not None:
            return CalibrationError(
                f"The board {self._board.text} was found in both pictures of none of {self.looked} pairs.",
                "Check the board's spec and that it is wholly in view; or check on any scene, without --board.",
            )
        why = next((w for w in self._why if w), "No pair could be read.")
        return CalibrationError(
            f"Nothing can be said of the rig. {why}", "Show the cameras a still, well-lit scene with texture."
        )


def yaw_verdict(rectification: Rectification, drift: Drift, *, doubtful: bool = False) -> Verdict:
    """Judge a yaw that is clearly there by the depth error that it makes at `JUDGED_AT_M`, and by disparity alone
    where lengths are not known. δZ/Z = Z δyaw / B.

    doubtful: count a bad one, too, that errors of the lenses could look like: it makes a rig usable.
    """
    unsure = drift.yaw_leaves > _JUDGED_LEAVES
    if not drift.yaw_clear or (unsure and not doubtful):
        return "good"
    yaw = max(abs(float(drift.turn[1])) - math.sqrt(float(drift.covariance[1, 1])), 0.0)
    disparity = rectification.focal_px * yaw
    percent = 100 * JUDGED_AT_M * yaw / rectification.baseline_m if rectification.metric else math.inf
    if disparity > USABLE_DISPARITY_PX and percent > USABLE_DEPTH_PERCENT:
        return "usable" if unsure else "bad"
    return "usable" if not unsure and disparity > GOOD_DISPARITY_PX and percent > GOOD_DEPTH_PERCENT else "good"


def _inside(made: Rectification, px: Array, margin: float = 6.0) -> NDArray[np.bool_]:
    """Points that are not at the rim of the content, where the black around it makes features of its own."""
    x, y, w, h = made.roi
    lower, upper = np.array([x, y]) + margin, np.array([x + w, y + h]) - 1 - margin
    whole = made.size_wh == (w, h)
    return np.ones(len(px), dtype=np.bool_) if whole else np.asarray(((px >= lower) & (px <= upper)).all(1))
