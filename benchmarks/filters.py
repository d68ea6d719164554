"""What each filter costs and gains, on real pictures with truth and on rendered rooms with exact truth.

    python benchmarks/filters.py [FILE.md]

One thread; each row is the mean over all pictures. Cost is processor time at the pictures' own size, told per
megapixel. Noise over time is that of 8 pairs of one scene, each with noise of its own (σ 3 gray levels). Real pictures
are read from ../shared/data; sets that are not there are left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sgm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calibration.rectify import identity_rectification, make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.settings import resolve_settings
from livestereo.sources.demo import DemoSource
from livestereo.types import F32, U8, Frame, StereoFrame

ROOMS = (0, 1, 2)
PAIRS = 8
NONE: dict[str, Any] = {"median": 0, "speckle_size": 0}
ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("none", NONE),
    ("median 3", {**NONE, "median": 3}),
    ("median 5", {**NONE, "median": 5}),
    ("speckle 100", {**NONE, "speckle_size": 100}),
    ("speckle 200", {**NONE, "speckle_size": 200}),
    ("median 5, speckle 100", {"median": 5, "speckle_size": 100}),
    ("median 5, speckle 200", {"median": 5, "speckle_size": 200}),
    ("the same, temporal", {"median": 5, "speckle_size": 200, "temporal": True}),
    ("the same, holes", {"median": 5, "speckle_size": 200, "holes": True}),
    ("the same, WLS", {"median": 5, "speckle_size": 200, "wls": True}),
)


@dataclass(frozen=True)
class Scene:
    """A rectified gray pair with its truth, px, 0 where there is none; only what both cameras see counts as `seen`."""

    name: str
    left: U8
    right: U8
    truth: F32
    count: int


def scenes() -> Iterator[Scene]:
    for name, left, right, truth, count in sgm.with_truth():
        if name != "tsukuba":
            yield Scene(name, left, right, truth, count)
    for seed in ROOMS:
        with DemoSource("room", seed) as demo:
            at = make_rectification(demo.rig.rig)
            frame, truth = demo.frame(3), demo.truth(3, at).disparity_px
            left, right = (
                at.apply(np.asarray(cv2.cvtColor(one.image, cv2.COLOR_BGR2GRAY), np.uint8), side)
                for one, side in ((frame.left, "left"), (frame.right, "right"))
            )
            yield Scene(f"room {seed}", left, right, np.where(np.isfinite(truth), truth, 0).astype(np.float32), 128)


def noisy(picture: U8, rng: np.random.Generator) -> U8:
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).round().astype(np.uint8)


def frame_of(left: U8, right: U8, number: int) -> StereoFrame:
    return StereoFrame(Frame(left, number / 30, number), Frame(right, number / 30, number), number)


def measure(scene: Scene, preset: str, changes: dict[str, Any]) -> list[float]:
    """Give density, bad2 of estimates, bad2 filled, EPE of good estimates, noise over time, ms per megapixel."""
    settings = resolve_settings(preset, {"num_disparities": scene.count, **changes})
    height, width = scene.left.shape
    pipeline = build_pipeline(settings, identity_rectification((width, height)))
    found = pipeline.process(frame_of(scene.left, scene.right, 0)).disparity_px
    known = scene.truth > 0
    have = known & np.isfinite(found)
    error = np.abs(found - scene.truth)
    pipeline.reset()
    rng = np.random.default_rng(0)
    seen, taken = [], []
    for number in range(PAIRS):
        frame = frame_of(noisy(scene.left, rng), noisy(scene.right, rng), number)
        start = time.thread_time()
        seen.append(pipeline.process(frame).disparity_px)
        taken.append(time.thread_time() - start)
    pipeline.close()
    spread = np.std(np.stack(seen[PAIRS // 2 :]), axis=0)
    return [
        100 * have.sum() / known.sum(),
        100 * float((error[have] > 2).mean()),
        100 * float((np.abs(sgm.filled(found) - scene.truth)[known] > 2).mean()),
        float(error[have & (error <= 2)].mean()),
        float(np.nanmedian(spread)),
        1e9 * float(np.median(taken)) / scene.left.size,
    ]


def main() -> None:
    cv2.setNumThreads(1)
    every = list(scenes())
    lines = [
        "# Filters: cost and gain",
        "",
        f"Made by `python benchmarks/filters.py`, one thread; means over {', '.join(scene.name for scene in every)}.",
        "Bad: off by more than 2 px, percent. Filled: over all pixels with truth, holes filled along the row with the "
        "smaller neighbour. Error: mean of the good ones. Noise: spread of a pixel's disparity over time.",
    ]
    for preset, title in (("balanced", "StereoSGBM 3WAY (`balanced`)"), ("fast", "`sgm` (`fast`)")):
        lines += ["", f"## {title}", ""]
        lines += [
            "| filters | density % | bad % | bad filled % | error px | noise px | ms/Mpx |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, changes in ROWS:
            mean = np.mean([measure(scene, preset, changes) for scene in every], axis=0)
            cells = (
                f"{mean[0]:.1f}",
                *(f"{v:.2f}" for v in mean[1:3]),
                *(f"{v:.3f}" for v in mean[3:5]),
                f"{mean[5]:.1f}",
            )
            lines.append(f"| {name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
