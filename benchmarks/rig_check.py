"""Bump a rig, find it out from pictures of a scene, repair it: how well does that go?

    python benchmarks/rig_check.py [--bumps 100] [--rendered 100]

A rig's right camera is turned about its centre by up to 0.5° in pitch, roll and yaw. From matches of one scene seen
through the bumped rig and the *old* rig file, `check --repair` gives a new rig. Held against the truth: the error of
pitch and roll, and the error of depth at 2 m before and after (RMS over the central 60 % of the view), whose growth
must stay below the error that the repair states (1 σ).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

import cv2
import numpy as np
from synthetic.plane_views import make_scene, render_view

from calibration.drift import fit_drift
from calibration.framing import rotations
from calibration.lens import project_rays, rays_of_pixels
from calibration.matches import find_matches
from calibration.rectify import Rectification, make_rectification
from calibration.repair import repair_rig
from calibration.rig import Array, Intrinsics, StereoRig

AT_M = 2.0
BUMP_DEG = 0.5


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Errors of one bump. growth: of the depth error, in the repair's σ."""

    pitch_deg: float
    roll_deg: float
    yaw_changed: bool
    yaw_in_sigma: float
    before_percent: float
    after_percent: float
    sigma_percent: float

    @property
    def growth(self) -> float:
        return (self.after_percent - self.before_percent) / self.sigma_percent


def make_rig(width: int, focal: float, baseline: float) -> StereoRig:
    height = width * 3 // 4
    K = np.array([[focal, 0, width / 2 + 3], [0, focal, height / 2 - 5], [0, 0, 1]])
    left = Intrinsics(K, np.array([-0.2, 0.05, 1e-4, -2e-4, 0]), "pinhole", (width, height))
    right = Intrinsics(K * [[1.005], [1.005], [1]], np.array([-0.19, 0.05, 0, 0, 0]), "pinhole", (width, height))
    R = turn(np.array([0.2, 0.8, -0.3]))
    return StereoRig(left, right, R, -R @ np.array([baseline, 0.005 * baseline, -0.005 * baseline]))


def turn(degrees: Array) -> Array:
    return np.asarray(cv2.Rodrigues(np.radians(degrees))[0], dtype=np.float64)


def bumped(rig: StereoRig, bump: Array) -> StereoRig:
    return dataclasses.replace(rig, R_right_left=bump @ rig.R_right_left, t_right_left_m=bump @ rig.t_right_left_m)


def depth_error_percent(used: StereoRig, true: StereoRig) -> float:
    """RMS error of depth at AT_M, percent, over 9x7 points of the central 60 %, as the used rig measures it."""
    assert used.left.size_wh is not None
    w, h = used.left.size_wh
    R_left, R_right, _ = rotations(used)
    x, y = np.meshgrid(np.linspace(0.2, 0.8, 9) * (w - 1), np.linspace(0.2, 0.8, 7) * (h - 1))
    rays = rays_of_pixels(true.left, np.column_stack([x.ravel(), y.ravel()]))
    left = rays @ R_left.T
    points = rays * (AT_M / left[:, 2])[:, None]
    seen = project_rays(true.right, points @ true.R_right_left.T + true.t_right_left_m)
    right = rays_of_pixels(used.right, seen) @ R_right.T
    depth = used.baseline_m / (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    return float(100 * np.sqrt(np.mean((depth / AT_M - 1) ** 2)))


def judge(old: StereoRig, bump: Array, made: Rectification, left: Array, right: Array, sigma: Array | None) -> Outcome:
    drift = fit_drift(made, left, right, sigma_px=sigma)
    repair = repair_rig(made, drift)
    true = bumped(old, bump)
    axes = made.R_rect_right
    truth = cv2.Rodrigues(axes @ bump @ axes.T)[0].ravel()
    error = np.degrees(drift.turn - truth)
    return Outcome(
        float(error[0]), float(error[2]), drift.yaw_clear, float(error[1] / drift.sigma_deg["yaw"]),
        depth_error_percent(old, true), depth_error_percent(repair.rig, true), repair.depth_sigma_percent(AT_M),
    )  # fmt: skip


def by_points(
    seed: int, rig: StereoRig, made: Rectification, count: int, noise_px: float, wrong: float = 0.05
) -> Outcome:
    """Exact points of a scene between 0.7 and 6 m with noise per axis and picture, some of them wrong."""
    rng = np.random.default_rng(seed)
    bump = turn(rng.uniform(-BUMP_DEG, BUMP_DEG, 3))
    true = bumped(rig, bump)
    assert rig.left.size_wh is not None
    size = np.array(rig.left.size_wh) - 1.0
    pixels = rng.uniform([0, 0], size, (4 * count, 2))
    rays = rays_of_pixels(rig.left, pixels)
    points = rays / rays[:, 2:] / rng.uniform(1 / 6, 1 / 0.7, len(rays))[:, None]
    seen = project_rays(true.right, points @ true.R_right_left.T + true.t_right_left_m)
    inside = np.flatnonzero(((seen >= 0) & (seen <= size)).all(1))[:count]
    left = pixels[inside] + rng.normal(0, noise_px, (len(inside), 2))
    right = seen[inside] + rng.normal(0, noise_px, (len(inside), 2))
    bad = int(wrong * len(inside))
    right[:bad] += rng.uniform(-20, 20, (bad, 2))
    return judge(rig, bump, made, made.rectify_points(left, "left"), made.rectify_points(right, "right"), None)


def by_pictures(count: int, rig: StereoRig) -> list[Outcome]:
    """Rendered scenes, ten bumps to a scene."""
    made = make_rectification(rig)
    outcomes = []
    for seed in range(count):
        scene = make_scene(seed // 10)
        if seed % 10 == 0:
            left = made.apply(render_view(scene, rig.left, np.eye(3), np.zeros(3), noise=2.0, seed=seed), "left")
        bump = turn(np.random.default_rng(seed).uniform(-BUMP_DEG, BUMP_DEG, 3))
        true = bumped(rig, bump)
        raw = render_view(scene, true.right, true.R_right_left, true.t_right_left_m, noise=2.0, seed=seed + 1000)
        found = find_matches(left, made.apply(raw, "right"))
        outcomes.append(judge(rig, bump, made, found.left_px, found.right_px, found.sigma_px))
    return outcomes


def show(name: str, outcomes: list[Outcome]) -> None:
    column = {f.name: np.array([getattr(o, f.name) for o in outcomes]) for f in dataclasses.fields(Outcome)}
    growth = np.array([o.growth for o in outcomes])
    worst = {name: float(np.abs(column[name]).max()) for name in ("pitch_deg", "roll_deg")}
    middle = {name: float(np.median(column[name])) for name in ("before_percent", "after_percent", "sigma_percent")}
    print(
        f"{name:34s} {len(outcomes):4d}  {worst['pitch_deg']:7.4f}  {worst['roll_deg']:7.4f}"
        f"  {middle['before_percent']:6.2f}  {middle['after_percent']:6.2f}  {middle['sigma_percent']:6.2f}"
        f"  {growth.max():+7.2f}  {100 * column['yaw_changed'].mean():5.0f} %"
        f"  {np.sqrt(np.mean(column['yaw_in_sigma'] ** 2)):6.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bumps", type=int, default=100)
    parser.add_argument("--rendered", type=int, default=100)
    args = parser.parse_args()
    print("depth error at 2 m: median of the bumps, RMS over the view; growth: largest, in the repair's own σ")
    print(
        f"{'matches':34s} bumps  pitch °   roll °  before   after   stated   growth  yaw set  yaw/σ\n"
        f"{'':34s}         worst    worst       %       %    σ, %      σ (≤ 1)            rms"
    )
    vga, hd = make_rig(640, 600, 0.06), make_rig(1280, 950, 0.12)
    for name, rig, count, noise in (
        ("VGA 6 cm, 400 of 0.1 px", vga, 400, 0.1),
        ("VGA 6 cm, 400 of 0.2 px", vga, 400, 0.2),
        ("VGA 6 cm, 150 of 0.1 px", vga, 150, 0.1),
        ("VGA 6 cm, 1500 of 0.1 px", vga, 1500, 0.1),
        ("1280x960 12 cm, 400 of 0.2 px", hd, 400, 0.2),
        ("1280x960 12 cm, 1000 of 0.1 px", hd, 1000, 0.1),
    ):
        made = make_rectification(rig, maps=False)
        show(name, [by_points(seed, rig, made, count, noise) for seed in range(args.bumps)])
    if args.rendered:
        show("VGA 6 cm, rendered scenes", by_pictures(args.rendered, vga))


if __name__ == "__main__":
    main()
