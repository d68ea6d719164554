"""Scores honest depth: σ, confidence and hole reasons against the truth, on real pictures and on the demo.

    python benchmarks/honesty.py [--presets balanced,quality,fast,turbo] [--seeds 0-4] [--real fast,turbo] [--write]

What is scored was fitted on other scenes, the rendered heaps of `benchmarks/honesty_fit.py`. `--write` puts the tables
into `benchmarks/honesty.md`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as fast, and processor time is then what is used
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from calibration.rectify import make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.cli._setup import rectification_without_rig
from livestereo.evaluation.formats import load_truth
from livestereo.honesty.holes import CLIPPED
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.sources.demo.truth import DemoTruth
from livestereo.span import with_span
from livestereo.types import F32, Reason, StereoResult

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
# Left, right, truth, value / px, step of the truth in px.
SETS: dict[str, tuple[str, str, str, float | None, float]] = {
    "cones": (
        "pandora_cones/left.png", "pandora_cones/right.png", "pandora_cones/Cones_LEFT_GT.tif", None, 0.25,
    ),
    "aloe": ("opencv_aloe/aloeL.jpg", "opencv_aloe/aloeR.jpg", "opencv_aloe/aloeGT.png", None, 1.0),
    "motorcycle": (
        "skimage_motorcycle/motorcycle_left.png", "skimage_motorcycle/motorcycle_right.png",
        "skimage_motorcycle/motorcycle_disp.npz", None, 0.0,
    ),
    "tsukuba": ("tsukuba_gt/tsukuba_l.png", "tsukuba_gt/tsukuba_r.png", "tsukuba_gt/groundtruth.png", 16.0, 1.0),
}  # fmt: skip
SCORED_REASONS = (
    Reason.OCCLUDED, Reason.OUT_OF_VIEW, Reason.TOO_NEAR, Reason.TOO_FAR, Reason.NO_TEXTURE, Reason.REPEATED_TEXTURE,
    Reason.SATURATED,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A result with its truth; step_px: of the truth. scene: of the demo. low, count: disparities searched."""

    name: str
    result: StereoResult
    truth: F32
    step_px: float
    low: int
    count: int
    scene: DemoTruth | None = None


def real_cases(preset: str) -> Iterator[Case]:
    for name, (left, right, truth, scale, step) in SETS.items():
        if not (DATA / left).is_file():
            print(f"{name}: not here, left out", file=sys.stderr)
            continue
        with open_source([str(DATA / left), str(DATA / right)]) as source:
            frame = source.read(1.0)
        assert frame is not None
        rectification = rectification_without_rig(frame, rectified=True)
        grays: Any = [cv2.cvtColor(f.image, cv2.COLOR_BGR2GRAY) for f in (frame.left, frame.right)]
        pipeline = build_pipeline(resolve_settings(preset), with_span(rectification, *grays))
        settings: Any = pipeline.settings
        yield Case(
            name, pipeline.process(frame), load_truth(DATA / truth, scale), step, settings.min_disparity,
            settings.num_disparities,
        )  # fmt: skip


def demo_cases(preset: str, seeds: range, **changes: Any) -> Iterator[Case]:
    for seed in seeds:
        with open_source([f"demo:room,seed={seed}"]) as source:
            rig: Any = source.info.rig
            pipeline = build_pipeline(
                resolve_settings(preset, changes), make_rectification(rig.rig, metric=True), rig_file=rig
            )
            settings: Any = pipeline.settings
            frame: Any = source.read(1.0)
            truth = source.info.truth.truth(frame.seq)
        yield Case(
            f"demo {seed}", pipeline.process(frame), truth.disparity_px, 0.0, settings.min_disparity,
            settings.num_disparities, truth,
        )  # fmt: skip


def sparsification_gap(error: Any, sigma: Any) -> float:
    """Share of the gap closed: (A_random − A) / (A_random − A_oracle).

    A is the mean over all shares of the mean error of that share of surest pixels; random keeps the mean error, the
    oracle sorts by the error itself.
    """

    def area(order: Any) -> float:
        return float((np.cumsum(error[order]) / np.arange(1, len(error) + 1)).mean())

    random = float(error.mean())
    return (random - area(np.argsort(sigma, kind="stable"))) / (random - area(np.argsort(error)))


def sigma_row(case: Case) -> dict[str, Any]:
    sigma_all: Any = case.result.sigma_px
    use = np.isfinite(case.result.disparity_px) & np.isfinite(case.truth)
    error = np.abs(case.result.disparity_px - case.truth)[use].astype(np.float64)
    sigma = sigma_all[use].astype(np.float64)
    confidence: Any = case.result.confidence
    within = error <= 2 * np.hypot(sigma, case.step_px / np.sqrt(12))
    order = np.argsort(sigma, kind="stable")
    bad = error > 2
    return {
        "set": case.name,
        "within 2σ %": 100 * within.mean(),
        "each fifth %": " ".join(f"{100 * within[part].mean():.0f}" for part in np.array_split(order, 5)),
        "median σ px": float(np.median(sigma)),
        "bad2 %": 100 * bad.mean(),
        "bad2 of surer half %": 100 * bad[order[: len(order) // 2]].mean(),
        "gap closed %": 100 * sparsification_gap(error, sigma),
        "RMS error/σ": float(np.sqrt(np.mean((error / sigma) ** 2))),
        "sure / right to 1 px %": f"{100 * confidence[use].mean():.0f} / {100 * (error <= 1).mean():.0f}",
    }


def reason_counts(case: Case) -> dict[Reason, list[int]]:
    """By reason: pixels that are it and were told, that were told, that are it; of holes inside the region.

    Then the same three, of those whose eight neighbours' true reason is theirs.
    """
    assert case.scene is not None and case.result.reason is not None
    why = case.scene.reasons(case.low, case.count)
    # The scene knows nothing of exposure: what its surface explains is saturated where the picture is clipped.
    clipped = case.result.pair.left_gray >= CLIPPED
    why[clipped & np.isin(why, (Reason.UNKNOWN, Reason.NO_TEXTURE, Reason.REPEATED_TEXTURE))] = Reason.SATURATED
    told = case.result.reason
    count = (why != Reason.NONE) & (told != Reason.NONE) & (told != Reason.OUTSIDE_ROI)
    square = np.ones((3, 3), np.uint8)
    inner = count & (cv2.erode(why, square) == cv2.dilate(why, square))
    return {
        one: [
            int((a & where).sum())
            for where in (count, inner) for a in ((why == one) & (told == one), told == one, why == one)
        ]
        for one in SCORED_REASONS
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    def text(value: Any) -> str:
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join([*lines, *("| " + " | ".join(text(v) for v in row.values()) + " |" for row in rows)])


def times() -> str:
    """What explaining costs at 640x480: processor time, the least of seven; less by the clock with free cores."""
    case = next(demo_cases("balanced", range(1)))
    least: dict[str, float] = {}
    rows, columns = np.nonzero(np.isnan(case.result.disparity_px[100:300, 100:500]))
    hole = int(columns[0]) + 100, int(rows[0]) + 100
    for _ in range(7):
        for name, work in (
            ("σ and confidence, whole picture", lambda r: r.sigma_px),
            ("reasons, whole picture", lambda r: r.reason),
            ("all three, whole picture", lambda r: (r.sigma_px, r.reason)),
            ("one pixel with depth", lambda r: r.facts(300, 200)),
            ("one hole", lambda r: r.facts(*hole)),
        ):
            fresh = StereoResult(
                case.result.frame, case.result.pair, case.result.match, case.result.depth_m, explain=case.result.explain
            )
            start = time.process_time()
            work(fresh)
            least[name] = min(least.get(name, 9e9), 1000 * (time.process_time() - start))
    return table([{"at 640x480": name, "CPU ms": f"{value:.0f}"} for name, value in least.items()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", default="balanced")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--real", default="", help="presets of which only the real pictures are scored")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    parts = []
    for preset in given.presets.split(","):
        rows, pooled = [], []
        for case in [*real_cases(preset), *demo_cases(preset, seeds)]:
            rows.append(sigma_row(case))
            if case.scene is not None:
                pooled.append(reason_counts(case))
        parts += [f"## σ, preset `{preset}`", table(rows)]
        # A narrower range, so that things are too near and too far.
        depths = {"min_depth": 0.9, "max_depth": 3.5}
        narrow = [reason_counts(c) for c in demo_cases(preset, seeds, **depths)]
        for title, counts in (("whole range", pooled), ("0.9 to 3.5 m", narrow)):
            lines = []
            for one in SCORED_REASONS:
                both, told, there, both_in, told_in, there_in = (sum(c[one][i] for c in counts) for i in range(6))
                if there < 100 * len(counts):
                    continue
                lines.append({
                    "hole": one.name.lower().replace("_", " "), "pixels": there,
                    "precision %": 100 * both / max(told, 1), "recall %": 100 * both / max(there, 1),
                    "inside precision %": 100 * both_in / max(told_in, 1),
                    "inside recall %": 100 * both_in / max(there_in, 1),
                })  # fmt: skip
            parts += [f"## Reasons of holes, demo, {title}, preset `{preset}`", table(lines)]
    for preset in filter(None, given.real.split(",")):
        parts += [f"## σ, real pictures, preset `{preset}`", table([sigma_row(case) for case in real_cases(preset)])]
    if given.times:
        parts += ["## Cost", times()]
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        page = ROOT / "benchmarks" / "honesty.md"
        head = page.read_text().partition("<!-- tables -->")[0]
        page.write_text(f"{head}<!-- tables -->\n\n{text}\n")


if __name__ == "__main__":
    main()
