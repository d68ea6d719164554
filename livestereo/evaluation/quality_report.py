"""The page of `quality`: one self-contained HTML file for a person, with no outside requests."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calibration import report_plots as plots
from calibration.files import write_atomically
from calibration.rigfile import RigFile
from calibration.solution import RigCovariance
from calibration.uncertainty import predict_depth_error
from livestereo.errors import LiveStereoError
from livestereo.evaluation import quality_words
from livestereo.evaluation.plane_quality import Quality
from livestereo.render import theme
from livestereo.render.colorize import DepthRange, colormap_lut, hatch
from livestereo.render.views import Look, picture
from livestereo.types import F32, U8, StereoResult

TEMPLATES = Path(__file__).parent / "templates"
MAP_WIDTH = 520
# From too near over right to too far: blue, white, orange; told apart with any colour vision.
_NEAR, _FAR = np.array([176, 108, 43], np.float32), np.array([32, 107, 221], np.float32)  # BGR


def write_quality_report(
    path: Path, quality: Quality, result: StereoResult, *, rig_file: RigFile | None = None, source: str = "",
    made_by: str = "",
) -> None:  # fmt: skip
    """Write the page. `quality`: with its maps.

    Raises:
        CalibrationError: the file cannot be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("quality.html.j2").render(
        q=quality, rows=quality_words.rows(quality), verdict=quality_words.verdict(quality),
        sentences=quality_words.sentences(quality), source=source, made_by=made_by,
        left=_aimed(picture("left", result, _look(quality)), quality),
        depth=_aimed(picture("depth", result, _look(quality)), quality),
        residual=_residual(quality, result), noise=_noise(quality, result), curve=_curve(quality, result, rig_file),
        histogram=_histogram(quality), unit="m" if quality.metric else "units",
    )  # fmt: skip
    write_atomically(path, page)


def _look(quality: Quality) -> Look:
    return Look(DepthRange(0.6 * quality.distance_m, 1.8 * quality.distance_m))


def _aimed(bgr: U8, quality: Quality) -> str:
    """A picture with the region in it."""
    scale = min(1.0, MAP_WIDTH / bgr.shape[1])
    out = np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    x, y, w, h = (round(v * scale) for v in quality.roi)
    cv2.rectangle(out, (x, y), (x + w, y + h), theme.SHADE, 3, cv2.LINE_AA)
    cv2.rectangle(out, (x, y), (x + w, y + h), theme.ACCENT, 1, cv2.LINE_AA)
    return _uri(out)


def _residual(quality: Quality, result: StereoResult) -> dict[str, Any] | None:
    if quality.residual_mm is None or not quality.metric:
        return None
    reach = max(2.5 * quality.plane_rms_mm, 0.1)
    share = np.clip(np.nan_to_num(quality.residual_mm) / reach, -1, 1)[..., None]
    white = np.float32(255)
    bgr = np.where(share < 0, white + (white - _NEAR) * share, white - (white - _FAR) * share).astype(np.uint8)
    return {"picture": _map(bgr, quality.residual_mm, result), "low": f"−{reach:.1f} mm", "high": f"+{reach:.1f} mm",
            "ramp": _uri_ramp(np.linspace(-1, 1, 256))}  # fmt: skip


def _noise(quality: Quality, result: StereoResult) -> dict[str, Any] | None:
    if quality.noise_mm is None or not math.isfinite(quality.temporal_noise_mm):
        return None
    reach = max(2.5 * quality.temporal_noise_mm, 0.1)
    level = (np.clip(np.nan_to_num(quality.noise_mm) / reach, 0, 1) * 255).astype(np.uint8)
    bgr = colormap_lut("viridis")[level]
    ramp = np.ascontiguousarray(colormap_lut("viridis")[None])
    return {"picture": _map(bgr, quality.noise_mm, result), "low": "0 mm", "high": f"{reach:.1f} mm",
            "ramp": _uri(np.asarray(ramp, np.uint8))}  # fmt: skip


def _uri_ramp(values: Any) -> str:
    share = np.asarray(values, np.float32)[None, :, None]
    bgr = np.where(share < 0, 255 + (255 - _NEAR) * share, 255 - (255 - _FAR) * share)
    return _uri(bgr.astype(np.uint8))


def _map(bgr: U8, values: F32, result: StereoResult) -> str:
    unknown = ~np.isfinite(values)
    bgr = bgr.copy()
    bgr[unknown] = hatch(*values.shape)[unknown]
    bgr = result.pair.rectification.to_display(bgr)
    scale = MAP_WIDTH / bgr.shape[1]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return _uri(np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=way), np.uint8))


def _uri(bgr: U8) -> str:
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise LiveStereoError("A picture of the report could not be made.", "Leave out --report.")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _curve(quality: Quality, result: StereoResult, rig_file: RigFile | None) -> str:
    """Draw the predicted error against distance; empty where the rig's part is unknown."""
    if rig_file is None or rig_file.covariance is None or not quality.metric:
        return ""
    at = result.pair.rectification
    scale = at.focal_px * at.baseline_m
    # From what fills half the picture's width as disparity to four times as far as this plane.
    low = scale / (at.size_wh[0] / 4)
    distances = np.geomspace(low, max(4 * quality.distance_m, 4 * low), 40)
    covariance = RigCovariance(tuple(rig_file.covariance.parameters), np.asarray(rig_file.covariance.array), 1.0)
    by_rig = np.array([e.percent for e in predict_depth_error(rig_file.rig, covariance, distances.tolist())])
    match = 100 * distances * quality.predicted.match_px / scale
    wanted = (quality.distance_m, abs(quality.z_accuracy_percent))
    goal = wanted if math.isfinite(wanted[1]) and wanted[1] > 1e-3 else None
    return plots.depth_error(distances, by_rig, match, scale / 128, "m", goal, goal_name="measured here")


def _histogram(quality: Quality) -> list[tuple[float, float, float]]:
    """Bars (x, height, width) in percent of the drawing, of the distances from the plane."""
    if quality.residual_mm is None or not quality.metric:
        return []
    values = quality.residual_mm[np.isfinite(quality.residual_mm)]
    reach = max(3 * quality.plane_rms_mm, 0.1)
    counts, _ = np.histogram(values, bins=41, range=(-reach, reach))
    most = max(1, int(counts.max()))
    width = 100 / len(counts)
    return [(i * width, 100 * float(n) / most, 0.9 * width) for i, n in enumerate(counts)]
