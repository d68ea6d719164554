# ruff: noqa: E402  (the search path is mended before the package is imported)
"""How exact the solve is, on views with exact truth, with OpenCV's plain joint solve beside it.

    python benchmarks/calibration.py [--seeds 32] [--cases flat,bent,...] [--predict] [--json out.json]

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
from concurrent.futures import ProcessPoolExecutor
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Run as a script, this file's folder comes first, and this file would hide the package of its name.
sys.path[:] = [
    place for place in sys.path if os.path.abspath(place or ".") != os.path.dirname(os.path.abspath(__file__))
]

import cv2
import numpy as np

from calibration.bundle import rotation_vector
from calibration.errors import CalibrationError
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.rectify import swap_rig
from calibration.rig import Intrinsics, StereoRig
from calibration.solution import Solution
from calibration.solve import SolveOptions, solve
from calibration.synthetic import Scene, SceneOptions, flipped, make_scene, seen_points
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


def scene_of(case: str, seed: int) -> Scene:
    """Draw the scene of a case."""
    plain = SceneOptions()
    if case == "bent":
        shape = np.array(BENT[seed % len(BENT)][1]) * MM * (1 if seed // len(BENT) % 2 else -1)
        return make_scene(seed, dataclasses.replace(plain, shape=(*shape.tolist(), 0.0)))
    if case == "stretched":
        return make_scene(seed, dataclasses.replace(plain, shape=(0, 0, 0, 0.003), turned_share=0.4))
    if case == "jitter":
        return make_scene(seed, dataclasses.replace(plain, jitter_px=1.0))
    scene = make_scene(seed, plain)
    if case == "flipped":
        views = list(scene.views)
        views[seed % len(views)] = flipped(views[seed % len(views)], ("left", "right")[seed % 2])
        return dataclasses.replace(scene, views=tuple(views))
    if case == "swapped":
        return dataclasses.replace(
            scene, views=tuple(view.exchanged() for view in scene.views), rig=swap_rig(scene.rig)
        )
    return scene


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
    depth = [100 * _rms(_depth_share(rig, truth, z)) for z in DISTANCES]
    baseline = 100 * (rig.baseline_m / truth.baseline_m - 1)
    return [abs(baseline), float(turn), _rms(np.array(focal)), _rms(_rows(rig, truth, 1.0)), *depth]


def _rectified(rig: StereoRig, truth: StereoRig, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    R_left, _, _ = rotations(truth)
    points = raster_points(truth, distance)
    pixels = seen_points(truth, points @ R_left)
    turns = rotations(rig)[:2]
    sides = []
    for camera, R, px in zip((rig.left, rig.right), turns, pixels):
        rays = np.asarray(rays_of_pixels(camera, px)) @ R.T
        sides.append(rays[:, :2] / rays[:, 2:])
    return points, sides[0], sides[1]


def _depth_share(rig: StereoRig, truth: StereoRig, distance: float) -> np.ndarray:
    points, left, right = _rectified(rig, truth, distance)
    return rig.baseline_m / (left[:, 0] - right[:, 0]) / points[:, 2] - 1


def _rows(rig: StereoRig, truth: StereoRig, distance: float) -> np.ndarray:
    _, left, right = _rectified(rig, truth, distance)
    return (right[:, 1] - left[:, 1]) * rig.left.focal_px


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def trial(case: str, seed: int, *, opencv: bool = True) -> dict[str, Any]:
    """Solve one scene both ways."""
    cv2.setNumThreads(1)
    scene = scene_of(case, seed)
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


def _table(rows: list[dict[str, Any]]) -> None:
    print(f"{'':26s}" + "".join(f"{name:>11s}" for name in COLUMNS))
    for case in dict.fromkeys(row["case"] for row in rows):
        some = [row for row in rows if row["case"] == case]
        for who in ("ours", "opencv"):
            known = [row[who] for row in some if who in row]
            if known:
                rms = [_rms(np.array(column)) for column in zip(*known)]
                print(f"{case + ', ' + who:26s}" + "".join(f"{value:11.4f}" for value in rms))
        if case in FLOORS:
            print(f"{'   to reach':26s}" + "".join(f"{value:11.4f}" for value in FLOORS[case]))
        solved = [row for row in some if "ours" in row]
        told = f"   {len(some)} seeds, verdicts " + ", ".join(
            f"{v} {sum(row['verdict'] == v for row in some)}" for v in ("good", "usable", "bad")
        )
        if case == "swapped":
            told += f", swap found in {sum(row['swapped'] is True for row in some)}"
        if case == "jitter":
            told += f", flagged in {sum((row['sync'] or 9) > 1.5 for row in some)}"
        if case == "flipped":
            told += f", mended in {sum(row.get('mended', 0) > 0 for row in some)}"
        if case == "bent":
            shape = np.array([row["shape_error_mm"] for row in solved])
            told += f", bend off by {_rms(shape):.4f} mm (RMS), {np.abs(shape).max():.4f} mm (worst)"
        if case == "stretched":
            told += f", stretch found in {sum(bool(row['stretch']) for row in solved)}"
        if solved and case in ("flat", "bent", "flipped", "stretched"):
            ratio = np.array([[e / s for e, s in zip(row["ours"][4:], row["sigma"])] for row in solved])
            told += (
                "; depth error over predicted σ: RMS " + ", ".join(f"{_rms(c):.2f}" for c in ratio.T)
                + f", within 2σ {100 * (ratio <= 2).mean():.0f} %"
            )  # fmt: skip
        print(told + f"; {np.median([row.get('seconds', 0) for row in some]):.1f} s each")
    sys.stdout.flush()


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--cases", default="flat,bent,stretched,flipped,swapped,jitter")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", default="")
    chosen = parser.parse_args()
    cases = chosen.cases.split(",")
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(chosen.workers) as pool:
        for case in cases:
            seeds = range(chosen.first, chosen.first + chosen.seeds)
            found = list(pool.map(trial, [case] * len(seeds), seeds))
            _table(found)
            rows += found
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump(rows, file)


if __name__ == "__main__":
    main()
