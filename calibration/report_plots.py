"""Drawings of the calibration report as inline SVG: no scripts, no fonts, no outside requests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.lens import rays_of_pixels
from calibration.rig import Intrinsics, StereoRig
from calibration.solution import SolveReport, ViewReport

Array = NDArray[np.float64]
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
INK, FAINT, BLUE, ORANGE, RED = "#1d2733", "#c9d2dc", "#2b6cb0", "#c05621", "#c53030"
# Words that lie over lines stay readable on a rim of the ground's colour.
HALO = ' paint-order="stroke" stroke="#fff" stroke-width="4" stroke-linejoin="round"'
VIRIDIS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")


def _svg(width: float, height: float, body: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(body)}</svg>'
    )


def _text(
    x: float, y: float, words: str, anchor: str = "middle", colour: str = INK, size: float = 13, more: str = ""
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size:g}"{more}'
    return f"<text {place}>{words}</text>"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = INK, width: float = 1, dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def _rect(x: float, y: float, w: float, h: float, fill: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{fill}"{more}/>'


def _path(xs: Array, ys: Array, colour: str, dash: str = "") -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys))
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"{dashes}/>'


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers 1, 2, 5 × 10^k between two limits."""
    found = []
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        found += [factor * 10.0**power for factor in (1, 2, 5) if low <= factor * 10.0**power <= high * 1.0001]
    return found


def depth_error(
    distances: Array, rig_percent: Array, match_percent: Array, nearest: float, unit: str,
    goal: tuple[float, float] | None, *, goal_name: str = "goal",
) -> str:  # fmt: skip
    """Predicted depth error (percent, 1 σ) against distance, both axes logarithmic; goal: a point of it."""
    width, height, left, right, top, bottom = 720.0, 360.0, 62.0, 18.0, 18.0, 46.0
    total = np.hypot(rig_percent, match_percent)
    lowest = max(1e-3, 0.7 * float(min(rig_percent.min(), match_percent.min())))
    highest = 1.4 * float(total.max())
    if goal is not None:
        lowest, highest = min(lowest, goal[1] / 1.5), max(highest, goal[1] * 1.5)

    def x(d: Array | float) -> Array:
        share = np.log(np.asarray(d) / distances[0]) / math.log(distances[-1] / distances[0])
        return np.asarray(left + (width - left - right) * share)

    def y(p: Array | float) -> Array:
        share = np.log(np.maximum(np.asarray(p), 1e-9) / lowest) / math.log(highest / lowest)
        return np.asarray(height - bottom - (height - top - bottom) * share)

    body = [_rect(left, top, width - left - right, height - top - bottom, "#fff")]
    for tick in _ticks(distances[0], distances[-1]):
        at = float(x(tick))
        body += [_line(at, top, at, height - bottom, FAINT), _text(at, height - bottom + 18, f"{tick:g}")]
    for tick in _ticks(lowest, highest):
        at = float(y(tick))
        body += [_line(left, at, width - right, at, FAINT), _text(left - 8, at + 4, f"{tick:g} %", "end")]
    if distances[0] < nearest < distances[-1]:
        at = float(x(nearest))
        body.append(_rect(left, top, at - left, height - top - bottom, "#e2e8f0", ' opacity="0.7"'))
        told = f"nearer than {nearest:.2f} {unit}: not seen with 128 disparities"
        body.append(_text(left + 6, top + 16, told, "start", INK, 12, HALO if at - left < 320 else ""))
    body.append(_path(x(distances), y(rig_percent), BLUE))
    body.append(_path(x(distances), y(match_percent), ORANGE, "6 4"))
    body.append(_path(x(distances), y(total), INK))
    # Each name stands where its line is alone, and not where the goal is: the lines meet at the ends.
    gx, gy = (float(x(goal[0])), float(y(goal[1]))) if goal is not None else (-1e3, -1e3)
    for percent, words, colour, shares, below in (
        (rig_percent, "this calibration", BLUE, (0.72, 0.3), 18),
        (match_percent, "matching", ORANGE, (0.5, 0.28, 0.7), 18), (total, "both", INK, (0.86, 0.6), -10),
    ):  # fmt: skip
        at_index = [int(share * (len(distances) - 1)) for share in shares]
        places = [(float(x(distances[i])), float(y(percent[i])) + below) for i in at_index]
        free = [place for place in places if abs(place[0] - gx) > 140 or abs(place[1] - gy) > 26]
        anchor = "end" if below < 0 else "start"
        body.append(_text(*(free or places)[0], words, anchor, colour, more=HALO))
    if goal is not None:
        body.append(f'<circle cx="{gx:.1f}" cy="{gy:.1f}" r="6" fill="none" stroke="{RED}" stroke-width="2.5"/>')
        told = f"{goal_name} {goal[1]:.3g} % at {goal[0]:.4g} {unit}"
        side = "end" if gx - left > 170 else "start"
        body.append(_text(gx + (-10 if side == "end" else 10), gy - 8, told, side, RED, more=HALO))
    body.append(_text((left + width - right) / 2, height - 8, f"distance, {unit}"))
    return _svg(width, height, body, "predicted depth error against distance")


def _size(views: Sequence[ViewReport], side: Side) -> tuple[int, int]:
    for view in views:
        found = view.left if side == "left" else view.right
        if found is not None:
            return found.size_wh
    return (640, 480)


def coverage(views: Sequence[ViewReport], side: Side) -> str:
    """All corners of the views used, where they lie in one camera's picture."""
    w, h = _size(views, side)
    scale = 360 / w
    body = [f'<rect width="360" height="{h * scale:.1f}" fill="#fff" stroke="{FAINT}"/>']
    for i in range(1, 3):
        body += [
            _line(120 * i, 0, 120 * i, h * scale, FAINT),
            _line(0, h * scale * i / 3, 360, h * scale * i / 3, FAINT),
        ]
    for view in views:
        found = view.left if side == "left" else view.right
        if found is None:
            continue
        colour = BLUE if view.used else "#d69e9e"
        body += [
            f'<circle cx="{(x + 0.5) * scale:.1f}" cy="{(y + 0.5) * scale:.1f}" r="2" fill="{colour}" opacity="0.65"/>'
            for x, y in found.points_px.astype(float).tolist()
        ]
    return _svg(360, h * scale, body, f"where the board was seen by the {side} camera")


def error_map(views: Sequence[ViewReport], side: Side, columns: int = 8) -> str:
    """Mean residual (a vector) and its RMS, by place in the picture."""
    w, h = _size(views, side)
    rows = max(3, round(columns * h / w))
    total = np.zeros((rows, columns, 2))
    square = np.zeros((rows, columns))
    count = np.zeros((rows, columns))
    for view in views:
        found = view.left if side == "left" else view.right
        residual = view.residual_left_px if side == "left" else view.residual_right_px
        kept = view.kept_left if side == "left" else view.kept_right
        if not view.used or found is None or len(residual) != len(found.points_px):
            continue
        good = np.isfinite(residual).all(axis=1) & (kept if len(kept) == len(residual) else True)
        cx = np.clip((found.points_px[good, 0] / w * columns).astype(int), 0, columns - 1)
        cy = np.clip((found.points_px[good, 1] / h * rows).astype(int), 0, rows - 1)
        np.add.at(total, (cy, cx), residual[good])
        np.add.at(square, (cy, cx), np.square(residual[good]).sum(axis=1))
        np.add.at(count, (cy, cx), 1)
    rms = np.sqrt(np.divide(square, count, out=np.zeros_like(square), where=count > 0))
    top = max(float(rms.max()), 1e-6)
    cell = 360 / columns
    body = []
    for row in range(rows):
        for column in range(columns):
            x, y = column * cell, row * cell
            if count[row, column] < 3:
                body.append(_rect(x, y, cell, cell, "#edf2f7", ' stroke="#fff"'))
                continue
            shade = VIRIDIS[min(len(VIRIDIS) - 1, int(rms[row, column] / top * len(VIRIDIS)))]
            body.append(_rect(x, y, cell, cell, shade, ' stroke="#fff"'))
            light = shade in VIRIDIS[4:]
            words = _text(
                x + cell / 2, y + cell - 5, f"{rms[row, column]:.2f}", colour=INK if light else "#fff", size=11
            )
            mean = total[row, column] / count[row, column]
            mx, my = x + cell / 2, y + cell / 2 - 4
            step = np.clip(mean * 60, -cell / 2, cell / 2)
            body += [words, _line(mx, my, mx + step[0], my + step[1], INK if light else "#fff", 1.6)]
    return _svg(360, rows * cell, body, f"reprojection error by place in the {side} picture, px")


def board_shape(report: SolveReport) -> str:
    """The board's surface as solved, its bend drawn much larger than it is."""
    shape = report.shape
    n = 9
    u, v = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    z = shape.bend_x * (1 - u * u) + shape.bend_y * (1 - v * v) + shape.twist * u * v
    z = z - z.mean()
    largest = float(np.abs(z).max())
    columns, rows = report.board.grid
    aspect = rows / columns
    lift = 34 / largest if largest > 0 else 0.0
    x = 130 * u - 60 * v * aspect
    y = 42 * v * aspect + 26 * u - z * lift
    fit = min(1.3, 376 / np.ptp(x), 194 / np.ptp(y))
    x, y = 200 + fit * (x - (x.max() + x.min()) / 2), 105 + fit * (y - (y.max() + y.min()) / 2)
    body = []
    for i in range(n):
        body += [
            _path(x[i], y[i], BLUE if i in (0, n - 1) else "#90b4d8"),
            _path(x[:, i], y[:, i], BLUE if i in (0, n - 1) else "#90b4d8"),
        ]
    return _svg(400, 210, body, "shape of the board, its bend exaggerated")


def half_view(camera: Intrinsics, axis: int) -> float:
    """Half the angle that a camera sees across (axis 0) or down (axis 1), radians."""
    size = camera.size_wh or (2 * camera.K[0, 2], 2 * camera.K[1, 2])
    ends = np.tile(camera.K[:2, 2], (2, 1))
    ends[:, axis] = 0, size[axis] - 1
    rays = rays_of_pixels(camera, ends)
    if not np.isfinite(rays).all():
        return math.atan(size[axis] / 2 / camera.K[axis, axis])
    return float(sum(math.acos(min(1.0, float(ray[2]))) for ray in rays)) / 2


def rig_sketch(rig: StereoRig, metric: bool) -> str:
    """The rig from above: both cameras, where they look, the baseline and the toe-in."""
    centre = -rig.R_right_left.T @ rig.t_right_left_m
    ahead = rig.R_right_left.T @ np.array([0.0, 0.0, 1.0])
    # Seen along the axis that the baseline does not use: x for an ordinary rig, y for cameras above each other.
    axis = 0 if abs(centre[0]) >= abs(centre[1]) else 1
    scale = 150 / rig.baseline_m
    x0, y0 = 200 - centre[axis] * scale / 2, 205.0
    body = []
    for at, direction, camera, name, colour in (
        (np.zeros(3), np.array([0.0, 0.0, 1.0]), rig.left, "left", BLUE), (centre, ahead, rig.right, "right", ORANGE),
    ):  # fmt: skip
        x, y = x0 + at[axis] * scale, y0 - at[2] * scale
        heading = math.atan2(direction[axis], direction[2])
        half = half_view(camera, axis)
        # A very wide view must stay in the drawing.
        reach = min(170, 128 / max(math.sin(min(half, math.pi / 2)), 1e-6))
        rays = [(x + reach * math.sin(heading + d), y - reach * math.cos(heading + d)) for d in (-half, half)]
        points = f"{x:.1f},{y:.1f} {rays[0][0]:.1f},{rays[0][1]:.1f} {rays[1][0]:.1f},{rays[1][1]:.1f}"
        body.append(f'<polygon points="{points}" fill="{colour}" opacity="0.13" stroke="{colour}"/>')
        body.append(
            _line(x, y, x + reach * 0.8 * math.sin(heading), y - reach * 0.8 * math.cos(heading), colour, 1, "4 4")
        )
        body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        body.append(_text(x, y + 22, f"{name} ({2 * math.degrees(half):.0f}° wide)", colour=colour))
    length = f"{rig.baseline_m * 1000:.1f} mm" if metric else f"{rig.baseline_m:.3f} squares"
    body.append(_text(200, 246, f"baseline {length}" + (", above each other" if axis == 1 else "")))
    return _svg(400, 255, body, "the rig from above")
