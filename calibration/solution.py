"""What a solve answers: the rig, and a frozen report that says how far to trust it and why.

`SolveReport` holds the figures of `livestereo calibrate --json` under the same names, and beside them what a report
page or a guide needs: each view with its residuals, the board's shape, the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.boards import Board
from calibration.detection import Detection
from calibration.rig import StereoRig
from calibration.rig_parts import Flip

Array = NDArray[np.float64]
Verdict = Literal["good", "usable", "bad"]


@dataclass(frozen=True, slots=True)
class ViewReport:
    """One view, in the order given to the solve; left and right as solved (after a swap, a turn, a mended order).

    used: it counts towards the rig. why: the reason where it does not. mended: what was repaired, or "".
    left, right: the detections. residual_left_px, residual_right_px: (n,2) seen − predicted of every corner of
    that detection, NaN where the view has no pose. kept_left, kept_right: (n,) bool, corners that count.
    rms_px: of both sides; mono_rms_px: each camera alone. R_left_board (3,3), t_left_board_m (3,): the board's pose.
    vertical_px: (c,) rectified row difference right − left of the common corners, NaN for those too far off the axis.
    ids: (c,) of them.
    """

    name: str
    used: bool
    why: str = ""
    mended: str = ""
    left: Detection | None = None
    right: Detection | None = None
    residual_left_px: Array = field(default_factory=lambda: np.empty((0, 2)))
    residual_right_px: Array = field(default_factory=lambda: np.empty((0, 2)))
    kept_left: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    kept_right: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=bool))
    rms_px: float = float("nan")
    mono_rms_px: float = float("nan")
    R_left_board: Array | None = None
    t_left_board_m: Array | None = None
    vertical_px: Array = field(default_factory=lambda: np.empty(0))
    ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))


@dataclass(frozen=True, slots=True)
class BoardShape:
    """The board as it really is. Lengths in metres (squares where the size is unknown).

    bend_x, bend_y: height of the middle over the left and right edges, over the upper and lower edges. twist: height
    of the corners against the middle. sagitta: largest distance between the surface and its best plane. stretch: the
    print is longer down than across by this share; None where the views cannot tell. sigma_*: standard deviations.
    """

    bend_x: float = 0.0
    bend_y: float = 0.0
    twist: float = 0.0
    sagitta: float = 0.0
    stretch: float | None = None
    sigma_bend: float = float("nan")
    sigma_stretch: float = float("nan")

    @property
    def vector(self) -> Array:
        """The four numbers of `board_model.BoardModel`, (4,)."""
        return np.array([self.bend_x, self.bend_y, self.twist, self.stretch or 0.0])


@dataclass(frozen=True, slots=True)
class RigCovariance:
    """Covariance of the rig's numbers. names: as `rigfile.Covariance` has them. matrix: (n,n).

    inflation: how much larger than corner noise alone would make it (σ over σ), because views err as a whole.
    """

    names: tuple[str, ...]
    matrix: Array
    inflation: float = 1.0

    def sigma(self, name: str) -> float:
        """Standard deviation of one number; 0 for one that was held fixed."""
        if name not in self.names:
            return 0.0
        i = self.names.index(name)
        return float(np.sqrt(self.matrix[i, i]))


@dataclass(frozen=True)
class SolveReport:
    """How the solve went. Names and meanings of figures as in the command-line contract; NaN where unknown."""

    rms_px: float
    rms_left_px: float
    rms_right_px: float
    epipolar_px: float
    vertical_rms_px: float
    heldout_vertical_rms_px: float
    baseline_m: float
    focal_left_px: float
    focal_right_px: float
    rotation_deg: float
    toe_in_deg: float
    views_used: int
    views_rejected: tuple[tuple[str, str], ...]
    lens_model: str
    board_bend_mm: float
    sync_ratio: float
    swapped: bool
    depth_error_percent: dict[str, float]
    verdict: Verdict
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    board: Board
    metric: bool
    views: tuple[ViewReport, ...]
    shape: BoardShape
    covariance: RigCovariance
    flip: tuple[Flip, Flip] = ("none", "none")
    fixed_intrinsics: bool = False
    corners_dropped: int = 0
    noise_px: float = float("nan")
    mono_rms_left_px: float = float("nan")
    mono_rms_right_px: float = float("nan")
    heldout_vertical_px: Array = field(default_factory=lambda: np.empty(0))
    lens_choice: dict[str, Any] = field(default_factory=dict)
    distance_m: tuple[float, float] = (float("nan"), float("nan"))

    def figures(self) -> dict[str, Any]:
        """Give the JSON object of `livestereo calibrate`, less `rig`."""
        return {
            "rms_px": self.rms_px,
            "rms_left_px": self.rms_left_px,
            "rms_right_px": self.rms_right_px,
            "epipolar_px": self.epipolar_px,
            "vertical_rms_px": self.vertical_rms_px,
            "heldout_vertical_rms_px": self.heldout_vertical_rms_px,
            "baseline_m": self.baseline_m,
            "focal_left_px": self.focal_left_px,
            "focal_right_px": self.focal_right_px,
            "rotation_deg": self.rotation_deg,
            "toe_in_deg": self.toe_in_deg,
            "views_used": self.views_used,
            "views_rejected": [{"name": name, "why": why} for name, why in self.views_rejected],
            "lens_model": self.lens_model,
            "board_bend_mm": self.board_bend_mm,
            "sync_ratio": self.sync_ratio,
            "swapped": self.swapped,
            "depth_error_percent": self.depth_error_percent,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "noise_px": self.noise_px,
            "corners_dropped": self.corners_dropped,
            "flip": list(self.flip),
            "board_stretch_percent": None if self.shape.stretch is None else 100 * self.shape.stretch,
            "views": [
                {"name": v.name, "used": v.used, "why": v.why, "rms_px": v.rms_px, "mono_rms_px": v.mono_rms_px}
                for v in self.views
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class Solution:
    """A solved rig (after `report.swapped` and `report.flip` are applied to the pictures) and its report."""

    rig: StereoRig
    report: SolveReport
