"""Repair a rig whose cameras have been turned: the most probable rotation, with the old rig as prior.

Pitch and roll show in any scene and are set to what the matches say. Yaw hardly shows and rules the depth scale: it
is changed only where the data resolve it, and where they say clearly that it moved. The baseline stays: a bump turns
a camera, it does not change the length of the bar between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from calibration.drift import Drift
from calibration.rectify import Rectification
from calibration.rig import Array, StereoRig
from calibration.rigfile import Covariance, RigFile

_ROTATION = ("rotation.x", "rotation.y", "rotation.z")


@dataclass(frozen=True)
class Repair:
    """A repaired rig. changed_deg: (3,) pitch, yaw, roll that were taken out; yaw is 0 where it was left alone.

    covariance: (3,3) rad², of the rotation that is left to know, about the rectified axes.
    """

    rig: StereoRig
    changed_deg: Array
    covariance: Array
    baseline_m: float

    def depth_sigma_percent(self, distance_m: float) -> float:
        """Depth error, 1 σ in percent, that the remaining doubt about the rotation causes in the middle of the view.

        δZ/Z = Z δyaw / B; pitch and roll add second-order parts, taken over the central 60 % of a 4:3 view.
        """
        yaw, roll = self.covariance[1, 1], self.covariance[2, 2]
        sideways = yaw + 0.15**2 * roll
        return 100 * distance_m * math.sqrt(float(sideways)) / self.baseline_m


def repair_rig(rectification: Rectification, drift: Drift) -> Repair:
    """Give the rig with the drift taken out; `rectification` is that of the old rig, which it must know."""
    assert rectification.rig is not None, "a rectification of a rig"
    rig = rectification.rig
    turn = drift.turn.copy()
    covariance = drift.covariance[:3, :3].copy()
    if not drift.yaw_clear:
        covariance[1, 1] += turn[1] ** 2  # it may be there: it is just not known well enough
        turn[1] = 0.0
    axes = rectification.R_rect_right
    moved = axes.T @ np.asarray(cv2.Rodrigues(turn)[0]) @ axes
    # Rotations multiply up rounding: back to the nearest exact one.
    u, _, vt = np.linalg.svd(moved @ rig.R_right_left)
    repaired = replace(rig, R_right_left=u @ vt, t_right_left_m=moved @ rig.t_right_left_m)
    return Repair(repaired, np.degrees(turn), covariance, rig.baseline_m)


def repair_file(rig_file: RigFile, rectification: Rectification, drift: Drift, *, made_by: dict[str, str]) -> RigFile:
    """Give the rig file with its rotation repaired, and what is known of it.

    The covariance of the rotation becomes that of the repair, and no longer depends on the other unknowns.
    made_by: program, version, command, time.
    """
    repair = repair_rig(rectification, drift)
    covariance = rig_file.covariance
    if covariance is not None and set(_ROTATION) <= set(covariance.parameters):
        matrix = covariance.array.copy()
        at = [covariance.parameters.index(name) for name in _ROTATION]
        axes = rectification.R_rect_right
        matrix[at, :] = 0.0
        matrix[:, at] = 0.0
        matrix[np.ix_(at, at)] = axes.T @ repair.covariance @ axes
        covariance = Covariance.of(covariance.parameters, matrix)
    pitch, yaw, roll = (float(v) for v in repair.changed_deg)
    summary = {
        **rig_file.summary,
        "repaired": {"pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll, "matches": drift.count},
    }
    return rig_file.model_copy(
        update={
            "rig": repair.rig,
            "covariance": covariance,
            "summary": summary,
            "made_by": rig_file.made_by.model_copy(update=made_by),
        }
    )
