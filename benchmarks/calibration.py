"""How exact the solve is, on views with exact truth, with OpenCV's plain joint solve beside it.

    python benchmarks/calibration.py [--seeds 32] [--cases flat,bent,...] [--rendered] [--predict] [--page FILE.md]

Rigs: 1280x720, f about 950 px, baseline 120 mm, toed in, k1–k3, p1, p2. 20 views of a 9x6 board of 25 mm squares at
0.3–0.8 m, tilted to 40°, its centre uniform over 80 % of both pictures, 0.1 px of noise in each coordinate. Errors are
RMS over seeds; depth and row error over a 9x7 raster on the central 60 % of the view.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

import cv2
import numpy as np
from pages import put
from synthetic.board_scenes import Scene, SceneOptions, depth_error_percent, flipped, make_scene, seen_points
from synthetic.drawn_boards import render_board_pair

from calibration.bundle import rotation_vector
from calibration.detection import BoardDetector
from calibration.errors import CalibrationError
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.rectify import swap_rig
from calibration.rig import Intrinsics, StereoRig
from calibration.solution import Solution
from calibration.solve import SolveOptions, solve
from calibration.uncertainty import raster_points
from calibration.views import View

DISTANCES = (1.0, 2.0, 4.0)
MM = 1e-3
# Sagitta of 1 mm: a dome, a cylinder each way, a twist.
BENT = (("dome", (0.5, 0.5, 0)), ("cylinder x", (1, 0, 0)), ("cylinder y", (0, 1, 0)), ("twist", (0, 0, 0.5)))
FLOORS = {
    "flat": (0.02, 0.03, 0.065, 0.022, 0.065, 0.085, 0.16),
    "bent": (0.025, 0.04, 0.08, 0.03, 0.08, 0.11, 0.21),
    "stretched": (0.06, 0.04, 0.09, 0.03, 0.12, 0.15, 0.25),
    "flipped": (0.02, 0.03, 0.065, 0.022, 0.065, 0.085, 0.16),
}
COLUMNS = ("baseline %", "rotation °", "focal %", "rows px", "1 m %", "2 m %", "4 m %")


def scene_of(case: str, seed: int, *, rendered: bool = False) -> Scene:
    """Draw the scene of a case. rendered: corners as found in rendered pictures, not the exact ones with noise."""
    options = SceneOptions()
    if case == "bent":
        shape = np.array(BENT[seed % len(BENT)][1]) * MM * (1 if seed // len(BENT) % 2 else -1)
        options = dataclasses.replace(options, shape=(*shape.tolist(), 0.0))
    if case == "stretched":
        options = dataclasses.replace(options, shape=(0, 0, 0, 0.003), turned_share=0.4)
    if case == "jitter":
        options = dataclasses.replace(options, jitter_px=1.0)
    scene = make_scene(seed, options)
    if rendered:
        scene = dataclasses.replace(scene, views=pictures_of(scene, seed, options.jitter_px))
    if case == "flipped":
        views = list(scene.views)
        views[seed % len(views)] = flipped(views[seed % len(views)], ("left", "right")[seed % 2])
        return dataclasses.replace(scene, views=tuple(views))
    if case == "swapped":
        return dataclasses.replace(
            scene, views=tuple(view.exchanged() for view in scene.views), rig=swap_rig(scene.rig)
        )
    return scene


def pictures_of(scene: Scene, seed: int, jitter_px: float) -> tuple[View, ...]:
    """Render the scene's views and find the board in them."""
    detector = BoardDetector(scene.board)
    rng = np.random.default_rng([seed, 5])
    views = []
    for i, (R, t) in enumerate(zip(scene.R, scene.t)):
        pair = render_board_pair(scene.rig, scene.board, R, t, scene.shape, seed=100 * seed + 2 * i)
        left, right = (detector.detect(picture) for picture in pair)
        if right is not None and jitter_px:
            right = dataclasses.replace(
                right, points_px=(right.points_px + rng.normal(0, jitter_px, 2)).astype(np.float32)
            )
        views.append(View(scene.views[i].name, left, right))
    return tuple(view for view in views if view.both)


def plain_opencv(views: tuple[View, ...], scene: Scene) -> StereoRig:
    """Calibrate as the textbook does: each camera, then the joint solve from there."""
    points = scene.board.object_points().astype(np.float32)
    objects = [points] * len(views)
    size = views[0].left.size_wh
    sides = [[np.asarray(getattr(view, side).points_px) for view in views] for side in ("left", "right")]
    mono = [cv2.calibrateCamera(objects, side, size, None, None) for side in sides]
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 200, 1e-9)
    _, K1, d1, K2, d2, R, t, *_ = cv2.stereoCalibrate(
        objects, sides[0], sides[1], mono[0][1], mono[0][2], mono[1][1], mono[1][2], size,
        flags=cv2.CALIB_USE_INTRINSIC_GUESS, criteria=stop,
    )  # fmt: skip
    left, right = (Intrinsics(K, d.reshape(-1)[:5], "pinhole", size) for K, d in ((K1, d1), (K2, d2)))
    return StereoRig(left, right, R, t.reshape(3))


def errors_of(rig: StereoRig, truth: StereoRig) -> list[float]:
    """Give the errors in the order of `COLUMNS`; of several values their RMS."""
    focal = [
        100 * (getattr(rig, side).K[i, i] / getattr(truth, side).K[i, i] - 1)
        for side in ("left", "right")
        for i in (0, 1)
    ]
    turn = np.degrees(np.linalg.norm(rotation_vector(rig.R_right_left @ truth.R_right_left.T)))
    depth = [depth_error_percent(rig, truth, z) for z in DISTANCES]
    baseline = 100 * (rig.baseline_m / truth.baseline_m - 1)
    return [abs(baseline), float(turn), _rms(np.array(focal)), _rms(_rows(rig, truth, 1.0)), *depth]


def _rows(rig: StereoRig, truth: StereoRig, distance: float) -> np.ndarray:
    """Row differences of what the true rig sees at a distance, rectified by a rig, px."""
    points = raster_points(truth, distance) @ rotations(truth)[0]
    rows = []
    for camera, R, px in zip((rig.left, rig.right), rotations(rig)[:2], seen_points(truth, points)):
        rays = np.asarray(rays_of_pixels(camera, px)) @ R.T
        rows.append(rays[:, 1] / rays[:, 2])
    return (rows[1] - rows[0]) * rig.left.focal_px


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def trial(case: str, seed: int, rendered: bool = False, *, opencv: bool = True) -> dict[str, Any]:
    """Solve one scene both ways."""
    cv2.setNumThreads(1)
    scene = scene_of(case, seed, rendered=rendered)
    start = time.process_time()
    try:
        solution: Solution = solve(scene.views, scene.board, SolveOptions(heldout=False))
    except CalibrationError as error:
        return {"case": case, "seed": seed, "refused": error.what, "verdict": "bad", "swapped": None, "sync": None}
    truth = swap_rig(scene.rig) if case == "swapped" else scene.rig
    report = solution.report
    answer: dict[str, Any] = {
        "case": case, "seed": seed, "seconds": time.process_time() - start, "verdict": report.verdict,
        "swapped": report.swapped, "sync": report.sync_ratio, "lens": report.lens_model,
        "mended": sum(bool(view.mended) for view in report.views), "used": report.views_used,
        "sigma": list(report.depth_error_percent.values()), "rms": report.rms_px,
        "ours": errors_of(solution.rig, truth),
        "shape_error_mm": [1000 * float(x) for x in (report.shape.vector - scene.shape)[:3]],
        "stretch": report.shape.stretch,
    }  # fmt: skip
    if opencv and case != "swapped":
        try:
            answer["opencv"] = errors_of(plain_opencv(scene.views, scene), truth)
        except (CalibrationError, cv2.error):
            answer["opencv"] = [float("nan")] * len(COLUMNS)
    return answer


def rows_of(found: list[dict[str, Any]], case: str) -> list[str]:
    """Format a case: our line, OpenCV's, what is to be reached, and what the reports said."""
    lines = []
    for who, name in (("ours", "ours"), ("opencv", "OpenCV")):
        known = [row[who] for row in found if who in row and np.isfinite(row[who]).all()]
        if known:
            errors = [_rms(np.array(column)) for column in zip(*known)]
            failed = sum(who in row for row in found) - len(known)
            label = f"{case}, {name}" + (f" ({failed} failed)" if failed else "")
            lines.append(_line(label, errors))
    if case in FLOORS:
        lines.append(_line("to reach", FLOORS[case]))
    return lines


def told_of(found: list[dict[str, Any]], case: str) -> str:
    """Say what else is known of a case: verdicts, what was repaired, how honest the predicted depth error is."""
    told = f"{case}: {len(found)} seeds, verdicts " + ", ".join(
        f"{v} {sum(row['verdict'] == v for row in found)}" for v in ("good", "usable", "bad")
    )
    solved = [row for row in found if "ours" in row]
    if case == "swapped":
        told += f"; swap found in {sum(row['swapped'] is True for row in found)}"
    if case == "jitter":
        told += f"; flagged (sync ratio above 1.5) in {sum((row['sync'] or 9) > 1.5 for row in found)}"
    if case == "flipped":
        told += f"; mended in {sum(row.get('mended', 0) > 0 for row in found)}"
    if case == "bent":
        shape = np.array([row["shape_error_mm"] for row in solved])
        told += f"; bend off by {_rms(shape):.4f} mm (RMS), {np.abs(shape).max():.4f} mm (worst)"
    if case == "stretched":
        told += f"; stretch found in {sum(bool(row['stretch']) for row in solved)}"
    if case in FLOORS:
        ratio = np.array([np.array(row["ours"][4:]) / row["sigma"] for row in solved])
        told += (
            "; depth error over predicted σ at 1, 2, 4 m: RMS " + ", ".join(f"{_rms(c):.2f}" for c in ratio.T)
            + ", within 2σ " + ", ".join(f"{100 * (c <= 2).mean():.0f} %" for c in ratio.T)
        )  # fmt: skip
    return told + f"; {np.median([row.get('seconds', 0) for row in found]):.1f} s each"


def _line(label: str, values: Sequence[float]) -> str:
    return f"| {label} | " + " | ".join(f"{value:.4f}" for value in values) + " |"


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--cases", default="flat,bent,stretched,flipped,swapped,jitter")
    parser.add_argument("--rendered", action="store_true", help="find the corners in rendered pictures")
    parser.add_argument("--predict", action="store_true", help="flat and bent boards in at least 100 trials each")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", default="")
    parser.add_argument("--page", type=Path, help="page whose table to replace")
    chosen = parser.parse_args()
    cases, seeds = chosen.cases.split(","), chosen.seeds
    if chosen.predict:
        cases, seeds = ["flat", "bent"], max(seeds, 100)
    rows: list[dict[str, Any]] = []
    notes = []
    lines = ["| case | " + " | ".join(COLUMNS) + " |", "|" + "---|" * (len(COLUMNS) + 1)]
    print("\n".join(lines))
    with ProcessPoolExecutor(chosen.workers) as pool:
        for case in cases:
            numbers = range(chosen.first, chosen.first + seeds)
            found = list(pool.map(trial, [case] * seeds, numbers, [chosen.rendered] * seeds))
            lines += rows_of(found, case)
            print("\n".join(rows_of(found, case)), flush=True)
            notes.append(f"- {told_of(found, case)}")
            rows += found
    print("\n" + "\n".join(notes))
    if chosen.page:
        put(
            chosen.page,
            "predict" if chosen.predict else "rendered" if chosen.rendered else "exact",
            [*lines, "", *notes],
        )
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump(rows, file)


if __name__ == "__main__":
    main()
