"""The calibration report: one self-contained HTML page for a person, with no outside requests.

write_report(Path("report.html"), rig, report, pictures=load_pair, goal=Goal(1.0, 2.0))
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration import report_plots as plots
from calibration.errors import CalibrationError
from calibration.files import write_atomically
from calibration.rectify import Rectification, make_rectification
from calibration.rig import Intrinsics, StereoRig
from calibration.solution import SolveReport, ViewReport
from calibration.uncertainty import predict_depth_error, seen_share
from calibration.verdict import (
    GOOD_RMS_PX,
    GOOD_VERTICAL_PX,
    GOOD_VIEWS,
    SYNC_DOUBT,
    SYNC_LOST,
    USABLE_RMS_PX,
    USABLE_VERTICAL_PX,
)

Picture = NDArray[np.uint8]
LoadPair = Callable[[str], "tuple[Picture, Picture] | None"]

TEMPLATES = Path(__file__).parent / "templates"
THUMB_W = 340
# Residuals are drawn this much longer than they are; a tenth of a pixel would not be seen.
ARROW_SCALE = 60
# Noise of a good matcher on an ordinary scene; the report says that it is assumed.
MATCH_SIGMA_PX = 0.25
SEARCHED_PX = (64, 128, 256)
# Directions for the curve: as more of the view is seen by both cameras with distance, a coarse raster makes steps.
FINE_RASTER = (49, 29)
LEAST_SEEN = 0.1
GREEN, RED, AMBER, ARROW = (90, 190, 60), (60, 60, 225), (40, 160, 245), (190, 60, 20)  # BGR


@dataclass(frozen=True)
class Goal:
    """What the user wants: depth within `percent` (1 σ) at `distance_m`."""

    percent: float
    distance_m: float


@dataclass(frozen=True)
class Figure:
    """One line of the table of figures. state: good, fair, bad, or plain where there is nothing to judge."""

    name: str
    value: str
    good: str
    state: str
    means: str


def write_report(
    path: Path,
    rig: StereoRig,
    report: SolveReport,
    *,
    pictures: LoadPair | None = None,
    goal: Goal | None = None,
    made_by: str = "",
    rig_path: str = "",
) -> None:
    """Write the page. `pictures`: gives the two raw pictures of a view by its name (after swap and turn).

    Raises:
        CalibrationError: the file cannot be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    page = environment.get_template("report.html.j2").render(
        **_content(rig, report, pictures or (lambda _name: None), goal), made_by=made_by, rig_path=rig_path
    )
    write_atomically(path, page)


def _content(rig: StereoRig, report: SolveReport, pictures: LoadPair, goal: Goal | None) -> dict[str, Any]:
    unit = "m" if report.metric else "squares"
    try:
        rectification = make_rectification(rig, metric=report.metric)
        refused = ""
    except CalibrationError as error:
        rectification, refused = None, str(error)
    views = [_view_row(view, pictures, unit) for view in report.views]
    return {
        "report": report,
        "unit": unit,
        "figures": figures(report),
        "refused": refused,
        "warnings": [text for text in report.warnings if text not in report.reasons],
        "views": views,
        "depth": _depth(rig, report, rectification, goal, unit) if rectification is not None else None,
        "pair": _rectified_pair(report, rectification, pictures) if rectification is not None else "",
        "coverage": {side: plots.coverage(report.views, side) for side in ("left", "right")},
        "error_map": {side: plots.error_map(report.views, side) for side in ("left", "right")},
        "board_plot": plots.board_shape(report),
        "sketch": plots.rig_sketch(rig, report.metric),
        "cameras": {"left": _camera(rig.left, report, "left"), "right": _camera(rig.right, report, "right")},
        "pose": {
            "R": [[f"{value:.6f}" for value in row] for row in rig.R_right_left.tolist()],
            "t": [f"{value * (1000 if report.metric else 1):.3f}" for value in rig.t_right_left_m.tolist()],
            "unit": "mm" if report.metric else "squares",
        },
        "arrow_scale": ARROW_SCALE,
    }


def figures(report: SolveReport) -> list[Figure]:
    """Give the table of figures with what is good of each: the limits are those of the verdict."""
    rows = GOOD_VERTICAL_PX, USABLE_VERTICAL_PX

    def line(name: str, value: float, form: str, good: float, fair: float, means: str, unit: str = "px") -> Figure:
        if not math.isfinite(value):
            return Figure(name, "unknown", "", "plain", means)
        state = "good" if value <= good else "fair" if value <= fair else "bad"
        return Figure(name, f"{value:{form}} {unit}".strip(), f"≤ {good:g} {unit}".strip(), state, means)

    shape = (
        f"{report.board_bend_mm:.2f} mm"
        if report.metric and math.isfinite(report.board_bend_mm)
        else "unknown (no scale)"
    )
    return [
        line("Vertical error of views not used", report.heldout_vertical_rms_px, ".3f", *rows,
             "The honest figure: the solve is repeated without a fifth of the views, and rows are compared in them."),
        line("Vertical error after rectification", report.vertical_rms_px, ".3f", *rows,
             "How far the same point is from the same row in both pictures."),
        line("Reprojection error", report.rms_px, ".3f", GOOD_RMS_PX, USABLE_RMS_PX,
             "How well the model explains the corners. Low alone proves nothing."),
        line("Distance to the epipolar line", report.epipolar_px, ".3f", *rows,
             "Mean over both pictures."),
        line("Pairs against single cameras", report.sync_ratio, ".2f", SYNC_DOUBT, SYNC_LOST,
             "1 when both cameras fire together; more when the board moved between the two exposures.", ""),
        Figure("Bend of the board", shape, "any; it is part of the solve", "plain",
               "Largest distance of the board's surface from a plane."),
        Figure("Views", f"{report.views_used} used, {len(report.views_rejected)} rejected", f"≥ {GOOD_VIEWS} used",
               "good" if report.views_used >= GOOD_VIEWS else "fair",
               "More, and more different, views make the rig surer."),
    ]  # fmt: skip


def _depth(
    rig: StereoRig, report: SolveReport, rectification: Rectification, goal: Goal | None, unit: str
) -> dict[str, Any]:
    """Everything about depth against distance."""
    scale = rectification.focal_px * rectification.baseline_m
    nearest = {count: scale / (count + rectification.doffs_px) for count in SEARCHED_PX}
    low = max(scale / (rectification.size_wh[0] / 2), nearest[256] * 0.8)
    high = max(8.0, 4 * low) if report.metric else 20 * low
    if goal is not None:
        high = max(high, 1.5 * goal.distance_m)
    # Where hardly anything is seen by both cameras, the error says nothing.
    while low < high / 2 and seen_share(rig, low, FINE_RASTER) < LEAST_SEEN:
        low *= 1.05
    distances = np.geomspace(low, high, 40)
    told = predict_depth_error(rig, report.covariance, distances.tolist(), FINE_RASTER)
    rig_percent = np.array([error.percent for error in told])
    match_percent = 100 * distances * MATCH_SIGMA_PX / scale
    of_goal = None
    if goal is not None:
        of_rig = predict_depth_error(rig, report.covariance, [goal.distance_m])[0]
        match = 100 * goal.distance_m * MATCH_SIGMA_PX / scale
        # Both parts fall with the baseline in proportion, the directions of the cameras being known as well as now.
        both = math.hypot(of_rig.percent, match)
        of_goal = {
            "percent": goal.percent, "distance": goal.distance_m, "now": of_rig.percent, "match": match, "both": both,
            "met": of_rig.percent <= goal.percent,
            "baseline": rig.baseline_m * both / goal.percent * (100 if report.metric else 1),
            "baseline_now": rig.baseline_m * (100 if report.metric else 1),
            "baseline_unit": "cm" if report.metric else "squares",
        }  # fmt: skip
    wanted = None if goal is None else (goal.distance_m, goal.percent)
    return {
        "plot": plots.depth_error(distances, rig_percent, match_percent, nearest[128], unit, wanted),
        "nearest": [(count, nearest[count]) for count in SEARCHED_PX],
        "goal": of_goal,
        "match_sigma": MATCH_SIGMA_PX,
        "rows": [(name, percent) for name, percent in report.depth_error_percent.items()],
        "size": rectification.size_wh,
        "roi": rectification.roi,
        "focal": rectification.focal_px,
    }  # fmt: skip


def _view_row(view: ViewReport, pictures: LoadPair, unit: str) -> dict[str, Any]:
    pair = pictures(view.name) if (view.left is not None or view.right is not None) else None
    thumbs = {"left": "", "right": ""}
    if pair is not None:
        for side, image in zip(("left", "right"), pair):
            thumbs[side] = _thumb(image, view, side)
    rows_px = float(np.sqrt(np.mean(np.square(view.vertical_px)))) if len(view.vertical_px) else math.nan
    away = float(view.t_left_board_m[2]) if view.t_left_board_m is not None else math.nan
    figures = (("corners", view.rms_px, ".3f", "px"), ("rows", rows_px, ".3f", "px"), ("at", away, ".2f", unit))
    return {
        "name": view.name,
        "used": view.used,
        "why": view.why,
        "mended": view.mended,
        "told": [f"{what} {value:{form}} {of}" for what, value, form, of in figures if math.isfinite(value)],
        **thumbs,
    }


def _thumb(image: Picture, view: ViewReport, side: str) -> str:
    """A small picture with the corners and their residuals as arrows."""
    found = view.left if side == "left" else view.right
    residual = view.residual_left_px if side == "left" else view.residual_right_px
    kept = view.kept_left if side == "left" else view.kept_right
    scale = THUMB_W / image.shape[1]
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if small.ndim == 2:
        small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    # Paler, so that the arrows stand out.
    small = np.asarray(cv2.addWeighted(small, 0.7, np.full_like(small, 255), 0.3, 0), np.uint8)
    if found is not None:
        for i, point in enumerate(found.points_px.astype(np.float64)):
            # Sub-pixel drawing: positions in sixteenths.
            at = np.rint((point + 0.5) * scale * 16 - 8).astype(int)
            good = i >= len(kept) or bool(kept[i])
            colour = (GREEN if view.used else AMBER) if good else RED
            cv2.circle(small, (int(at[0]), int(at[1])), 30, colour, -1, cv2.LINE_AA, 4)
            if i < len(residual) and np.isfinite(residual[i]).all():
                end = at + np.rint(np.clip(residual[i] * ARROW_SCALE * scale, -60, 60) * 16).astype(int)
                start, stop = (int(at[0]), int(at[1])), (int(end[0]), int(end[1]))
                cv2.line(small, start, stop, ARROW if good else RED, 1, cv2.LINE_AA, 4)
    return _data_uri(np.asarray(small, np.uint8), 70)


def _rectified_pair(report: SolveReport, rectification: Rectification, pictures: LoadPair) -> str:
    used = [view for view in report.views if view.used]
    for view in sorted(used, key=lambda v: abs(v.rms_px - np.median([u.rms_px for u in used]))):
        pair = pictures(view.name)
        if pair is None:
            continue
        sides = [rectification.to_display(rectification.apply(image, side)) for image, side in zip(pair, plots.SIDES)]
        both = np.concatenate(sides, axis=0 if rectification.display_turns % 2 else 1)
        if both.ndim == 2:
            both = np.asarray(cv2.cvtColor(both, cv2.COLOR_GRAY2BGR), np.uint8)
        across = rectification.display_turns % 2 == 0
        length: int = both.shape[0] if across else both.shape[1]
        for i in range(1, 16):
            at = round(i * length / 16)
            start, end = ((0, at), (both.shape[1], at)) if across else ((at, 0), (at, both.shape[0]))
            cv2.line(both, start, end, GREEN if i % 2 else AMBER, max(1, both.shape[1] // 1200), cv2.LINE_AA)
        scale = min(1.0, 1400 / both.shape[1])
        return _data_uri(np.asarray(cv2.resize(both, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)), 80)
    return ""


def _camera(camera: Intrinsics, report: SolveReport, side: str) -> list[tuple[str, str, str]]:
    """Rows (name, value, σ) of one camera's numbers."""
    names = {
        "pinhole": ("k1", "k2", "p1", "p2", "k3"),
        "rational": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
        "fisheye": ("k1", "k2", "k3", "k4"),
    }[camera.model]
    values: Mapping[str, float] = {
        "fx": camera.K[0, 0], "fy": camera.K[1, 1], "cx": camera.K[0, 2], "cy": camera.K[1, 2],
        **dict(zip(names, camera.distortion.tolist())),
    }  # fmt: skip
    rows = []
    for name, value in values.items():
        sigma = report.covariance.sigma(f"{side}.{name}")
        pixel = name in ("fx", "fy", "cx", "cy")
        form = ".3f" if pixel else ".5f"
        rows.append((name, f"{value:{form}}" + (" px" if pixel else ""), f"± {sigma:{form}}" if sigma > 0 else "fixed"))
    return rows


def _data_uri(image: Picture, quality: int) -> str:
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise CalibrationError("A picture of the report could not be made.", "Leave out --report.")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
