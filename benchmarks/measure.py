"""How exact `measure` is: random pairs of points in the demo scene, with a rig calibrated from the demo's own board.

    python -m benchmarks.measure [--pairs 200] [--seed 0] [--far 3] [--scene room]

The truth is that of the ray through the raw left pixel which the rectified pixel came from. A calibration from
`--views` board pairs is made first and kept in a temporary folder unless `--rig` names one.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

from calibration.rectify import make_rectification
from calibration.rig import StereoRig
from calibration.rigfile import RigFile, load_rig
from livestereo.cli._build import build_pipeline
from livestereo.measure import MeasureError, Ruler
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.sources.demo.lens import undistort
from livestereo.sources.demo.truth import DemoTruth
from livestereo.types import StereoResult


def calibrated(seed: int, views: int) -> RigFile:
    """Calibrate from the demo's board as a user does, through files."""
    import json
    import subprocess
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_source([f"demo:board,seed={seed}"]) as source:
            count = source.info.count or 900
            wanted = {round(i) for i in np.linspace(0, count - 1, views)}
            for number in range(count):
                frame = source.read(1.0)
                if frame is None:
                    break
                if number in wanted:
                    cv2.imwrite(str(folder / f"l{number:05d}.png"), frame.left.image)
                    cv2.imwrite(str(folder / f"r{number:05d}.png"), frame.right.image)
        words = ["calibrate", f"{folder}/l*.png", f"{folder}/r*.png", "--board", "chessboard:9x6:25mm"]
        done = subprocess.run(
            [sys.executable, "-m", "livestereo", *words, "-o", str(folder / "rig.json"), "--json"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        print("calibrated:", {key: found[key] for key in ("rms_px", "baseline_m", "views_used", "depth_error_percent")})
        return load_rig(folder / "rig.json")


def true_points(result: StereoResult, truth: DemoTruth, pixels: np.ndarray, rig: StereoRig) -> np.ndarray:
    """True positions (N,3) in the true left camera's frame of what rectified pixels (N,2) show; NaN if nothing."""
    map1, map2 = result.pair.rectification.maps["left"]
    # CV_16SC2 maps: whole pixels and 5 bits of fraction each way.
    u, v = pixels.T
    fraction = map2[v, u]
    raw = map1[v, u].astype(np.float64) + np.stack([fraction & 31, fraction >> 5], axis=1) / 32
    depth = truth.raw_depth_m
    nearest = np.rint(raw).astype(int)
    inside = (nearest >= 0).all(axis=1) & (nearest[:, 0] < depth.shape[1]) & (nearest[:, 1] < depth.shape[0])
    nearest = np.where(inside[:, None], nearest, 0)
    z = np.where(inside, depth[nearest[:, 1], nearest[:, 0]], np.nan)
    x, y = undistort(rig.left, raw[:, 0], raw[:, 1])
    return np.column_stack([x, y, np.ones(len(raw))]) * z[:, None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--far", type=float, default=3.0)
    parser.add_argument("--scene", default="room")
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--rig", type=Path)
    parser.add_argument("--frames", type=int, default=4, help="pairs of pictures to spread the points over")
    parser.add_argument("--preset", default="balanced")
    given = parser.parse_args()
    rig_file = load_rig(given.rig) if given.rig else calibrated(given.seed, given.views)
    rng = np.random.default_rng(given.seed + 100)
    rows = []
    with open_source([f"demo:{given.scene},seed={given.seed}"]) as source:
        exact = source.info.rig.rig
        rectification = dataclasses.replace(make_rectification(rig_file.rig))
        pipeline = build_pipeline(resolve_settings(given.preset, {}), rectification)
        for _ in range(given.frames):
            for _ in range(7):
                frame = source.read(1.0)
            result = pipeline.process(frame)
            truth = source.info.truth.truth(frame.seq)
            ruler = Ruler(result, rig_file)
            known = np.argwhere(np.isfinite(result.depth_m))[:, ::-1]
            known = known[true_points(result, truth, known, exact)[:, 2] < given.far]
            made = 0
            while made < given.pairs // given.frames:
                two = known[rng.choice(len(known), 2, replace=False)]
                points = true_points(result, truth, two, exact)
                if not np.isfinite(points).all() or np.linalg.norm(points[1] - points[0]) < 0.05:
                    continue
                try:
                    length = ruler.distance(tuple(two[0]), tuple(two[1]))
                except MeasureError:
                    continue
                true = float(np.linalg.norm(points[1] - points[0]))
                rows.append((true, length.distance_m - true, length.sigma_m, length.sigma_rig_m or 0.0))
                made += 1
    true, error, sigma, rig_sigma = np.array(rows).T
    print(f"{len(rows)} pairs of points up to {given.far:g} m, distances {true.min():.2f} to {true.max():.2f} m")
    print(f"within 2 sigma:     {100 * np.mean(np.abs(error) < 2 * sigma):.1f} %  (floor 90)")
    print(f"median error:       {100 * np.median(np.abs(error) / true):.2f} %  (floor 1)")
    print(f"median sigma:       {100 * np.median(sigma / true):.2f} %  (floor 1.5)")
    print(f"  of the rig alone: {100 * np.median(rig_sigma / true):.3f} %")
    inner = np.sort((error / sigma) ** 2)[: int(0.95 * len(error))]
    print(f"error / sigma: median {np.median(np.abs(error) / sigma) / 0.6745:.2f} (1 is exact), "
          f"RMS of the inner 95 % {np.sqrt(np.mean(inner)):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
