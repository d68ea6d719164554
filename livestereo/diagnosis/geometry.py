"""Checks of rig and range: does the rig fit, is the range right, is the baseline long enough."""

from __future__ import annotations

import math

import numpy as np

from calibration.drift import Drift
from calibration.recheck import JUDGED_AT_M, yaw_verdict
from calibration.rectify import Rectification
from livestereo.diagnosis.drift_watch import moved_by
from livestereo.diagnosis.evidence import Evidence
from livestereo.types import Finding

# Rows may be off by so much before matching suffers: StereoSGBM loses a third of its answers at 1 px.
VERTICAL_PX = 0.8
WRONG_RIG_PX = 6.0
FAR_SHARE = 0.2  # of the points: a matcher answers wrongly there rather than not at all
# Noise of a good matcher.
MATCH_SIGMA_PX = 0.25
# A turn explains row differences when it leaves less of them.
EXPLAINED = 0.7
_MEND = "Run `livestereo check --repair`, or calibrate again."


def rig(e: Evidence) -> list[Finding]:
    """The rig for other cameras, another size, or cameras that were turned since."""
    if e.rig_file is None or e.rectification is None or e.twice_the_same:
        return []
    found = []
    cameras = e.rig_file.cameras
    pairs = (("left", cameras.left.id, e.info.left_id), ("right", cameras.right.id, e.info.right_id))
    # File names say nothing of cameras; stable ids do.
    other = [side for side, then, now in pairs if then.startswith("usb:") and now.startswith("usb:") and then != now]
    if len(other) == 2 and (pairs[0][1], pairs[1][1]) == (pairs[1][2], pairs[0][2]):
        found.append(Finding("swapped", "The two cameras are those of the rig, exchanged.", "Use --swap.", 0.99))
    elif other:
        found.append(
            Finding(
                "wrong_rig", f"The rig was made with another {' and '.join(other)} camera.", "Calibrate these.", 0.97
            )
        )
    points = e.rectified_points
    if points is None:
        return found
    dy = points[0][:, 1] - points[1][:, 1]
    scale = e.rectification.size_wh[0] / 640
    typical = float(np.median(np.abs(dy)))
    spread = float(np.percentile(np.abs(dy), 75))
    assert e.disparity_px is not None
    behind = float(np.mean(e.disparity_px < -2.0 * scale))
    impossible = 0.25 < behind < 0.9
    if spread > VERTICAL_PX and not e.turned_apart and _fits_exchanged(e, spread):
        found.append(
            Finding(
                "swapped", "The rig fits when left and right are exchanged, and not as they are.", "Use --swap.", 0.99
            )
        )
        return found
    # Where most rows agree, a large spread is that of false matches: a chessboard resembles itself everywhere.
    off = spread > WRONG_RIG_PX * max(1.0, scale) and typical > VERTICAL_PX
    if off or impossible:
        why = (
            f"rows are off by {typical:.1f} px"
            if off
            else f"{100 * behind:.0f} % of the points would lie beyond infinity"
        )
        found.append(
            Finding(
                "wrong_rig",
                f"The rig does not fit these pictures: {why}.",
                "Use the rig of these cameras and this size, or calibrate again.",
                0.96,
            )
        )
    elif typical > VERTICAL_PX:
        found.append(_rows_off(e, typical))
    elif _yawed(e) and e.drift is not None:
        found.append(Finding("vertical", _yaw_words(e.rectification, e.drift), _MEND, 0.85))
    else:
        found.append(Finding("vertical", f"Rows agree within {typical:.2f} px.", ok=True))
        found.append(Finding("wrong_rig", "The rig fits these pictures.", ok=True))
    return found


def _fits_exchanged(e: Evidence, spread_px: float) -> bool:
    """Whether the rig fits the pictures much better the other way round."""
    points = e.exchanged_points
    if points is None or e.rectification is None:
        return False
    dy = np.abs(points[0][:, 1] - points[1][:, 1])
    disparity = points[0][:, 0] - points[1][:, 0] + e.rectification.doffs_px
    other = float(np.percentile(dy, 75))
    return other < 0.5 * spread_px and other < 3.0 and float(np.mean(disparity > -1)) > 0.9


def _rows_off(e: Evidence, typical_px: float) -> Finding:
    """Say that cameras have moved only where a turn explains the rows."""
    drift = e.drift
    if drift is not None and drift.pattern and drift.left_px < EXPLAINED * drift.median_px:
        what = f"The cameras have moved: rows are off by {typical_px:.1f} px ({moved_by(drift)})."
        return Finding("vertical", what, _MEND, 0.85)
    what = f"Rows are off by {typical_px:.1f} px, and no turn of a camera explains it"
    if e.edge_widths is not None and e.edge_widths.unequal:
        return Finding("vertical", f"{what}: they cannot be judged while a picture is blurred.", "Focus first.", 0.2)
    return Finding("vertical", f"{what}.", "Are zoom, focus and size those of the calibration? Calibrate again.", 0.85)


def _yawed(e: Evidence) -> bool:
    """Whether a camera is clearly turned towards or away from the other one, so that disparities are off."""
    return e.rectification is not None and e.drift is not None and yaw_verdict(e.rectification, e.drift) != "good"


def _yaw_words(rectification: Rectification, drift: Drift) -> str:
    yaw = abs(float(drift.turn[1]))
    off = f"disparity is off by {yaw * rectification.focal_px:.1f} px"
    if rectification.metric:
        off = f"depth is off by {100 * JUDGED_AT_M * yaw / rectification.baseline_m:.0f} % at {JUDGED_AT_M:g} m"
    return f"The cameras have moved (yaw {math.degrees(yaw):.2f}°): rows hardly show it, but {off}."


def disparity_range(e: Evidence) -> list[Finding]:
    """Things nearer than the range, or nothing inside it."""
    points = e.rectified_points
    count, least = e.settings.get("num_disparities"), e.settings.get("min_disparity") or 0
    if points is None or not count or _yawed(e):
        return []
    disparity = points[0][:, 0] - points[1][:, 0]
    good = np.abs(points[0][:, 1] - points[1][:, 1]) < 3
    if good.sum() < 20:
        return []
    disparity = disparity[good]
    largest = least + count - 1
    near = float(np.mean(disparity > largest))
    far = float(np.mean(disparity < least - 0.5))
    inside = 1 - near - far
    found = []
    if inside < 0.15:
        where = "nearer" if near > far else "further away"
        found.append(
            Finding(
                "out_of_range", f"Only {100 * inside:.0f} % of what is seen lies in the range; the rest is {where}.",
                "Change --min-depth, --max-depth or --num-disparities.", 0.78,
            )
        )  # fmt: skip
    elif far > max(near, FAR_SHARE):
        found.append(
            Finding(
                "out_of_range", f"{100 * far:.0f} % of what is seen is farther away than the range reaches.",
                "Give a larger --max-depth, or leave the range out.", 0.77,
            )
        )  # fmt: skip
    elif near > 0.04:
        need = math.ceil((float(np.percentile(disparity, 99)) + 2 - least) / 16) * 16
        found.append(
            Finding(
                "disparity_range", f"{100 * near:.0f} % of what is seen is nearer than {count} disparities reach.",
                f"Use --num-disparities {need}.", 0.76,
            )
        )  # fmt: skip
    else:
        found.append(Finding("disparity_range", f"{100 * inside:.0f} % of what is seen lies in the range.", ok=True))
    return found


def baseline(e: Evidence) -> Finding | None:
    """Everything so far away that the baseline is too short for it; or none at all, where both pictures are one."""
    if e.twice_the_same:
        return Finding(
            "baseline", "Left and right are the same picture: one camera, film or photo is given for both.",
            "Name the one of the other side.", 0.95,
        )  # fmt: skip
    points = e.rectified_points
    if points is None or e.rectification is None:
        return None
    at = e.rectification
    if _yawed(e):
        return None  # what is seen lies elsewhere than its disparity says
    good = np.abs(points[0][:, 1] - points[1][:, 1]) < 3
    disparity = points[0][good, 0] - points[1][good, 0] + at.doffs_px
    disparity = disparity[disparity > -1]
    if len(disparity) < 20:
        return None
    # The nearer third is what a person looks at; a far background alone is no fault.
    typical = max(float(np.percentile(disparity, 67)), 0.1)
    error = 100 * MATCH_SIGMA_PX / typical
    if error < 8:
        return Finding("baseline", f"At the scene's distance depth is good to {error:.1f} %.", ok=True)
    distance = f" (about {at.focal_px * at.baseline_m / typical:.1f} m)" if at.metric else ""
    return Finding(
        "baseline", f"What is seen has {typical:.1f} px of disparity{distance}: depth to {error:.0f} % at best.",
        "Put the cameras further apart, or use a longer lens.", 0.7,
    )  # fmt: skip
