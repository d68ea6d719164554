"""Is the predicted depth error honest on real pictures? Random half-and-half solves must differ by what they predict.

    python benchmarks/calibration_halves.py [--splits 20] [--data ../shared/data] [--page FILE.md]

Each set's pairs are parted at random into two halves; each half is solved by itself; depth at 1 and 2 m under the two
rigs (RMS over a 9x7 raster on the central 60 % of the view) is held against hypot(σ of one, σ of the other).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

import cv2
import numpy as np
from pages import put
from synthetic.board_scenes import depth_error_percent

from calibration.boards import parse_board
from calibration.detection import BoardDetector
from calibration.errors import CalibrationError
from calibration.solution import Solution
from calibration.solve import SolveOptions, solve
from calibration.uncertainty import predict_depth_error
from calibration.views import View

DISTANCES = (1.0, 2.0)
SETS = {
    "opencv_leftright": ("opencv_leftright/left[0-9]*.jpg", "opencv_leftright/right[0-9]*.jpg"),
    "stereopi_tutorial": ("stereopi_tutorial/pairs/left_*.png", "stereopi_tutorial/pairs/right_*.png"),
}
BOARD = parse_board("chessboard:9x6:25mm")


def views_of(data: Path, patterns: tuple[str, str]) -> list[View]:
    """Find the board in a set's pairs."""
    detector = BoardDetector(BOARD)
    files = [sorted(data.glob(pattern)) for pattern in patterns]
    views = []
    for pair in zip(*files):
        found = [detector.detect(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)) for path in pair]
        views.append(View(pair[0].name, found[0], found[1]))
    return views


def splits_of(name: str, views: list[View], count: int) -> list[dict[str, Any]]:
    """Solve both halves of each split."""
    rows = []
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(len(views))
        halves: list[Solution] = []
        try:
            for part in (order[: len(views) // 2], order[len(views) // 2 :]):
                halves.append(solve([views[i] for i in sorted(part)], BOARD, SolveOptions(heldout=False)))
        except CalibrationError as error:
            rows.append({"set": name, "seed": seed, "refused": error.what})
            continue
        a, b = halves
        sigma = [[e.percent for e in predict_depth_error(h.rig, h.report.covariance, DISTANCES)] for h in halves]
        rows.append(
            {
                "set": name, "seed": seed,
                "difference": [depth_error_percent(a.rig, b.rig, z) for z in DISTANCES],
                "sigma": np.hypot(*np.array(sigma)).tolist(),
                "lens": [h.report.lens_model for h in halves],
                "bend_mm": [h.report.board_bend_mm for h in halves],
                "inflation": [h.report.covariance.inflation for h in halves],
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--json", default="")
    parser.add_argument("--page", type=Path, help="page whose table to replace")
    chosen = parser.parse_args()
    lines = [
        "| set | at | difference, RMS | predicted, RMS | difference over predicted, RMS | within 2 |",
        "|---|---|---|---|---|---|",
    ]
    rows: list[dict[str, Any]] = []
    for name, patterns in SETS.items():
        views = views_of(chosen.data, patterns)
        if not views:
            lines.append(f"| {name} | not in {chosen.data} | | | | |")
            continue
        found = splits_of(name, views, chosen.splits)
        rows += found
        solved = [row for row in found if "sigma" in row]
        for i, distance in enumerate(DISTANCES):
            off = np.array([row["difference"][i] for row in solved])
            told = np.array([row["sigma"][i] for row in solved])
            ratio = off / told
            lines.append(
                f"| {name}, {len(solved)} of {len(found)} splits | {distance:g} m | {_rms(off):.3f} % "
                f"| {_rms(told):.3f} % | {_rms(ratio):.2f} | {100 * (ratio <= 2).mean():.0f} % |"
            )
    print("\n".join(lines))
    if chosen.page:
        put(chosen.page, "halves", lines)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(rows), encoding="utf-8")


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    main()
