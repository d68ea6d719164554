"""What the figures of `quality` mean, in words, with what to do about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from livestereo.evaluation.plane_quality import Quality

State = Literal["good", "fair", "bad", "plain"]
VERDICTS = {"good": "good", "fair": "usable", "bad": "bad", "plain": "usable"}
# Measured against predicted noise: up to here it is as predicted, and from there on something is wrong.
AS_PREDICTED, MUCH_WORSE = 1.3, 2.0
FULL, HOLLOW = 95.0, 80.0  # fill, percent


@dataclass(frozen=True)
class Row:
    """One figure: name, value, what was predicted or is good, state, what it says."""

    name: str
    value: str
    expected: str
    state: State
    means: str


def verdict(quality: Quality) -> Literal["good", "usable", "bad"]:
    """Give the worst of the single states."""
    states = [row.state for row in rows(quality)]
    return "bad" if "bad" in states else "usable" if "fair" in states else "good"


def rows(quality: Quality) -> list[Row]:
    """Give the figures for a table, the most important first."""
    q, predicted = quality, quality.predicted
    scale = q.plane_rms_mm / q.plane_rms_subpixel_px if q.plane_rms_subpixel_px > 0 else math.nan
    share_match = predicted.match_px
    noise = (
        Row("Temporal noise", "unknown", "", "plain", "It needs two pairs at least.")
        if q.pairs < 2
        else Row("Temporal noise", "unknown", "", "plain", "The surface or the cameras moved: keep both still.")
        if q.moved
        else Row("Temporal noise", _mm(q.temporal_noise_mm, q.metric), f"below {_mm(predicted.match_mm, q.metric)}",
                 _against(q.temporal_noise_mm / scale if q.metric else math.nan, share_match),
                 "How much depth of one pixel changes while nothing moves (RMS).")
    )  # fmt: skip
    return [
        Row("Fill rate", f"{q.fill_percent:.1f} %", f"at least {FULL:.0f} %",
            "good" if q.fill_percent >= FULL else "fair" if q.fill_percent >= HOLLOW else "bad",
            "Pixels of the region with depth."),
        Row("Around the plane", _mm(q.plane_rms_mm, q.metric), _mm(predicted.rms_mm, q.metric) if q.metric else "",
            _against(q.plane_rms_mm, predicted.rms_mm) if q.metric
            else _against(q.plane_rms_subpixel_px, predicted.match_px),
            "How far depth lies from the best plane (RMS)."),
        Row("The same, sub-pixel", f"{q.plane_rms_subpixel_px:.3f} px", f"{predicted.match_px:.3f} px",
            _against(q.plane_rms_subpixel_px, predicted.match_px),
            "As disparity, which does not grow with distance."),
        noise,
        _accuracy(q),
    ]  # fmt: skip


def _accuracy(q: Quality) -> Row:
    if math.isnan(q.z_accuracy_percent):
        why = "Give the distance with --distance." if q.metric else "It needs a rig that knows metres."
        expected = f"± {q.predicted.z_percent:.2f} %" if q.metric else ""
        return Row("Z-accuracy", "unknown", expected, "plain", why)
    off = abs(q.z_accuracy_percent) / max(q.predicted.z_percent, 0.05)
    return Row(
        "Z-accuracy", f"{q.z_accuracy_percent:+.2f} %".replace("-", "−"), f"± {q.predicted.z_percent:.2f} %",
        "good" if off <= 2 else "fair" if off <= 4 else "bad",
        "Distance of the plane along the axis of the left camera against the given one.",
    )  # fmt: skip


EASY = 0.5  # of the predicted error: less needs an explanation


def sentences(quality: Quality) -> list[str]:
    """Say what was found and what to do about it."""
    q = quality
    by_name = {row.name: row for row in rows(q)}
    said = []
    plane = by_name["Around the plane" if q.metric else "The same, sub-pixel"]
    ratio = (
        q.plane_rms_mm / q.predicted.rms_mm if q.metric else q.plane_rms_subpixel_px / q.predicted.match_px
    )  # fmt: skip
    size = f"{plane.value} ({q.plane_rms_subpixel_px:.2f} px)" if q.metric else f"{q.plane_rms_subpixel_px:.2f} px"
    if plane.state == "good":
        said.append(f"Depth keeps to the plane within {size}: no worse than predicted ({plane.expected}).")
        if 0 < ratio < EASY and not q.predicted.assumed:
            # σ of a pixel was fitted on whole scenes; a facing surface with no edges has none of what spoils them.
            said.append(
                f"It is {1 / ratio:.0f} times as good as predicted: σ is that of ordinary scenes, with edges and "
                "slopes, and a textured wall seen straight on is easier."
            )
    else:
        said.append(
            f"Depth strays from the plane by {size}, {ratio:.1f} times what is predicted ({plane.expected}). Is the "
            "surface flat? If so: more light, focus, or another calibration; `livestereo doctor` finds out which."
        )
    if by_name["Fill rate"].state != "good":
        said.append(
            f"Only {q.fill_percent:.1f} % of the region has depth. A surface with more texture, more light or a wider "
            "range of disparities helps."
        )
    if q.pairs < 2:
        said.append("One pair only: temporal noise is unknown. Give more pairs of a scene that stands still.")
    elif q.moved:
        said.append(
            f"The plane moved by {q.common_px:.1f} px between pairs, so temporal noise is unknown. Keep it still."
        )
    elif by_name["Temporal noise"].state in ("fair", "bad"):
        said.append("Depth flickers more than predicted: more light, or `--temporal`, calms it.")
    said += _of_distance(q, by_name["Z-accuracy"])
    if q.tilt_deg > 10:
        said.append(f"The plane is tilted by {q.tilt_deg:.0f}°: distances are along the axis of the left camera.")
    if q.outlier_percent > 2:
        said.append(f"{q.outlier_percent:.1f} % of the known pixels lie off the plane and do not count in its RMS.")
    if q.predicted.assumed:
        said.append(f"The prediction assumes matching errors of {q.predicted.match_px:g} px.")
    if q.metric and math.isnan(q.predicted.rig_z_percent):
        said.append("The rig file holds no covariance, so the prediction knows nothing of the rig's own errors.")
    return said


def _of_distance(q: Quality, row: Row) -> list[str]:
    if not q.metric:
        return ["No rig tells metres here: figures are in pixels only. Give a rig file with --rig."]
    if math.isnan(q.z_accuracy_percent) or q.given_m is None:
        return [f"The plane is {q.distance_m:.4g} m away. Measure it and give --distance to prove the scale of depth."]
    told = f"The plane is measured at {q.distance_m:.4g} m and was given as {q.given_m:.4g} m ({row.value})"
    if row.state == "good":
        return [f"{told}: within what is predicted (1 σ {row.expected})."]
    return [
        f"{told}: more than predicted (1 σ {row.expected}). Measure the distance from the left lens again; then "
        "calibrate again, or let `livestereo check --distance` repair the rig."
    ]


def _against(measured: float, predicted: float) -> State:
    if not (math.isfinite(measured) and math.isfinite(predicted)):
        return "plain"
    ratio = measured / max(predicted, 1e-9)
    return "good" if ratio <= AS_PREDICTED else "fair" if ratio <= MUCH_WORSE else "bad"


def _mm(value: float, metric: bool) -> str:
    if not metric or not math.isfinite(value):
        return "unknown"
    return f"{value:.2f} mm" if value < 10 else f"{value:.1f} mm" if value < 100 else f"{value:.0f} mm"
