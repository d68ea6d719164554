"""Calibration of many kinds of rig from rendered pictures: is the verdict sensible, is σ honest, is the lens right?

    python benchmarks/calibration_rigs.py [--seeds 6] [--kinds "few;7x4;..."] [--write DIR] [--page FILE.md]

Each kind draws rigs and board poses by chance, renders both views, finds the board, and solves. Real depth errors at
1, 2 and 4 m, over what both cameras see of the central 60 % of the left view, are set against the σ that was told.
`--write` puts the pictures on disk instead, for runs of the program itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

import cv2
import numpy as np
from pages import put
from synthetic.board_scenes import depth_error_percent
from synthetic.drawn_boards import Look, render_board

from calibration.boards import Board, parse_board
from calibration.bundle import rotation, rotation_to
from calibration.detection import BoardDetector, Detection
from calibration.errors import CalibrationError
from calibration.lens import project_rays, rays_of_pixels
from calibration.rig import Array, Intrinsics, LensModel, StereoRig
from calibration.solve import SolveOptions, solve
from calibration.views import View

DISTANCES = (1.0, 2.0, 4.0)
PLAIN = Look()


@dataclass(frozen=True)
class Lens:
    """A kind of camera. distortion: drawn within 5 % of it, each."""

    size_wh: tuple[int, int] = (640, 480)
    focal_px: float = 600.0
    distortion: tuple[float, ...] = (-0.1, 0.05, 0.0005, -0.0005, 0.0)
    model: LensModel = "pinhole"


@dataclass(frozen=True)
class Kind:
    """A kind of rig and set of pictures.

    depth_m: of the board along its ray. area: part of the left picture (x0, y0, x1, y1, shares) for the board's middle.
    fault: what is wrong with the set: moved (right picture taken a moment later), same (one pose), facing (never
    tilted), shuffled (pairs do not belong together), wrong spec. partly: ChArUco may be cut off by the picture's rim.
    sensible: verdicts that are right, "refused" among them. lenses: models that are right (empty: any).
    """

    left: Lens = Lens()
    right: Lens | None = None
    board: str = "chessboard:9x6:25mm"
    views: tuple[int, int] = (16, 24)
    baseline_m: float = 0.08
    toe_in_deg: float = 1.0
    above: bool = False
    depth_m: tuple[float, float] = (0.3, 0.8)
    tilt_deg: float = 40.0
    area: tuple[float, float, float, float] = (0.1, 0.1, 0.9, 0.9)
    look: Look = PLAIN
    fault: str = ""
    moved_m: float = 0.0
    partly: bool = False
    sensible: tuple[str, ...] = ("good", "usable")
    lenses: tuple[str, ...] = ("pinhole",)


_WEBCAM = Lens()
_HD = Lens((1280, 720), 950.0, (-0.12, 0.08, 0.0006, -0.0005, -0.02))
_WIDE = Lens((640, 480), 330.0, (-0.30, 0.11, 0.0004, -0.0003, -0.018))
_TELE = Lens((1280, 960), 2000.0, (-0.05, 0.2, 0.0005, -0.0003, 0.0))
_FISH120 = Lens((640, 480), 300.0, (-0.02, 0.01, -0.006, 0.001), "fisheye")
_FISH150 = Lens((752, 480), 285.0, (0.03, -0.02, 0.008, -0.002), "fisheye")
_FISH165 = Lens((1280, 800), 440.0, (-0.03, 0.005, -0.003, 0.0005), "fisheye")
_RATIONAL = Lens((1280, 720), 610.0, (0.5, -2.6, 0.0005, -0.0002, 1.5, 0.38, -2.42, 1.43), "rational")
_ANY_WIDE = ("fisheye", "rational")

KINDS: dict[str, Kind] = {
    "webcams": Kind(),
    "7x6": Kind(board="chessboard:7x6:30mm"),
    "7x4": Kind(board="chessboard:7x4:30mm"),
    "8x6": Kind(board="chessboard:8x6:30mm", views=(12, 20)),
    "7x5": Kind(board="chessboard:7x5:30mm", views=(12, 20)),
    "narrow lens": Kind(left=_TELE, baseline_m=0.12, depth_m=(0.9, 2.0)),
    "wide lens": Kind(left=_WIDE, depth_m=(0.15, 0.5), lenses=("pinhole", *_ANY_WIDE)),
    "rational lens": Kind(left=_RATIONAL, depth_m=(0.2, 0.7), lenses=("pinhole", *_ANY_WIDE)),
    "fisheye 120": Kind(left=_FISH120, depth_m=(0.15, 0.45), lenses=_ANY_WIDE),
    "fisheye 150": Kind(left=_FISH150, baseline_m=0.12, depth_m=(0.2, 0.5), lenses=_ANY_WIDE),
    "fisheye 165": Kind(left=_FISH165, depth_m=(0.2, 0.5), lenses=("fisheye",)),
    "fisheye, 7x4": Kind(left=_FISH150, board="chessboard:7x4:30mm", depth_m=(0.2, 0.5), lenses=_ANY_WIDE),
    "fisheye, few": Kind(left=_FISH120, views=(7, 10), depth_m=(0.15, 0.45), lenses=_ANY_WIDE),
    "fisheye above": Kind(left=_FISH165, above=True, depth_m=(0.2, 0.5), lenses=("fisheye",)),
    "wide, toed out": Kind(left=_WIDE, toe_in_deg=-8.0, depth_m=(0.2, 0.5), lenses=("pinhole", *_ANY_WIDE)),
    "long, few": Kind(left=_TELE, baseline_m=0.25, views=(7, 9), depth_m=(1.2, 2.5)),
    "unequal": Kind(left=_HD, right=_WEBCAM, baseline_m=0.1),
    "unequal focal": Kind(left=_WEBCAM, right=Lens(focal_px=850.0)),
    "few": Kind(views=(8, 12)),
    "few, 7x4": Kind(views=(8, 10), board="chessboard:7x4:30mm"),
    "blurred": Kind(look=Look(blur_px=2.2, noise=4.0)),
    "dim": Kind(look=Look(blur_px=0.9, noise=5.0, light=0.25)),
    "far": Kind(depth_m=(1.4, 2.2), sensible=("good", "usable", "bad")),
    "one part": Kind(area=(0.4, 0.35, 0.65, 0.6), sensible=("good", "usable", "bad")),
    "toed in": Kind(baseline_m=0.3, toe_in_deg=25.0, depth_m=(0.45, 0.8)),
    "above each other": Kind(above=True),
    "hardly tilted": Kind(tilt_deg=8.0, sensible=("good", "usable", "bad")),
    "ChArUco": Kind(board="charuco:6x8:25mm:18mm:DICT_5X5_100", partly=True),
    "ChArUco, legacy": Kind(board="charuco:5x8:30mm:22mm:DICT_4X4_50", look=Look(legacy=True), partly=True),
    "ChArUco, inverted": Kind(board="charuco:5x7:30mm:22mm:DICT_4X4_50", look=Look(inverted=True), partly=True),
    "ChArUco, fisheye": Kind(
        left=_FISH150, board="charuco:6x8:30mm:22mm:DICT_5X5_100", partly=True, depth_m=(0.2, 0.5), lenses=_ANY_WIDE
    ),
    "circles": Kind(board="circles:4x11:18mm"),
    "moved 1 mm": Kind(fault="moved", moved_m=0.001, sensible=("usable", "bad", "refused")),
    "moved 5 mm": Kind(fault="moved", moved_m=0.005, sensible=("usable", "bad", "refused")),
    "moved 30 mm": Kind(fault="moved", moved_m=0.03, sensible=("bad", "refused")),
    "one pose": Kind(fault="same", sensible=("refused",)),
    "never tilted": Kind(tilt_deg=0.5, depth_m=(0.5, 0.55), sensible=("usable", "bad", "refused")),
    "shuffled": Kind(fault="shuffled", sensible=("bad", "refused")),
    "blurred away": Kind(look=Look(blur_px=6.0, noise=10.0), sensible=("usable", "bad", "refused")),
    "tiny": Kind(depth_m=(3.0, 5.0), sensible=("usable", "bad", "refused")),
}
FAULTY = {name for name, kind in KINDS.items() if "good" not in kind.sensible}


@dataclass(frozen=True)
class Set:
    """A drawn rig and the poses (R, t) of the board at the moments of the left and of the right picture."""

    kind: Kind
    rig: StereoRig
    board: Board
    shape: Array
    poses: tuple[tuple[tuple[Array, Array], tuple[Array, Array]], ...]
    seed: int

    def pictures(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Render all pairs."""
        rig, look = self.rig, self.kind.look
        pairs = []
        for i, (at_left, at_right) in enumerate(self.poses):
            right = (rig.R_right_left @ at_right[0], rig.R_right_left @ at_right[1] + rig.t_right_left_m)
            pairs.append(
                (
                    render_board(rig.left, self.board, [at_left], self.shape, look, seed=1000 * self.seed + 2 * i),
                    render_board(rig.right, self.board, [right], self.shape, look, seed=1000 * self.seed + 2 * i + 1),
                )
            )
        if self.kind.fault == "shuffled":
            return [(left, pairs[(i + 3) % len(pairs)][1]) for i, (left, _) in enumerate(pairs)]
        return pairs


def draw(name: str, seed: int) -> Set:
    """Draw a rig and its board poses."""
    kind = KINDS[name]
    rng = np.random.default_rng([seed, sorted(KINDS).index(name)])
    board = parse_board(kind.board)
    lenses = kind.left, kind.right or kind.left
    cameras = tuple(_camera(lens, rng) for lens in lenses)
    across = np.array([0.0, 1.0, 0.0]) if kind.above else np.array([1.0, 0.0, 0.0])
    toe = np.radians(kind.toe_in_deg) + rng.normal(0, 0.004)
    R = rotation(np.array([-toe, 0, 0]) if kind.above else np.array([0, toe, 0])) @ rotation(rng.normal(0, 0.006, 3))
    centre = across + rng.normal(0, 0.015, 3)
    centre *= kind.baseline_m / np.linalg.norm(centre)
    rig = StereoRig(cameras[0], cameras[1], R, -R @ centre)
    poses: list[Any] = []
    for _ in range(20000):
        if len(poses) == rng_views(kind, seed):
            break
        pose = _pose(kind, rig, board, rng)
        if pose is not None:
            poses.append((pose, _later(kind, pose, rng)))
    if kind.fault == "same":
        poses = [poses[0]] * len(poses)
    # No printed board is flat.
    shape = np.array([*rng.normal(0, 0.0003, 3), 0.0])
    return Set(kind, rig, board, shape, tuple(poses), seed)


def rng_views(kind: Kind, seed: int) -> int:
    """Give the number of views, drawn once for a seed."""
    return int(np.random.default_rng([seed, 77]).integers(kind.views[0], kind.views[1] + 1))


def _camera(lens: Lens, rng: np.random.Generator) -> Intrinsics:
    w, h = lens.size_wh
    focal = lens.focal_px * (1 + rng.normal(0, 0.006))
    K = np.array(
        [
            [focal, 0, (w - 1) / 2 + rng.normal(0, 0.012 * w)],
            [0, focal * (1 + rng.normal(0, 0.0007)), (h - 1) / 2 + rng.normal(0, 0.012 * w)],
            [0, 0, 1],
        ]
    )
    distortion = np.array(lens.distortion)
    distortion *= 1 + rng.normal(0, 0.05 if lens.model != "rational" else 0.002, len(lens.distortion))
    return Intrinsics(K, distortion, lens.model, (w, h))


def _pose(kind: Kind, rig: StereoRig, board: Board, rng: np.random.Generator) -> tuple[Array, Array] | None:
    w, h = kind.left.size_wh
    x0, y0, x1, y1 = kind.area
    pixel = np.array([w * rng.uniform(x0, x1), h * rng.uniform(y0, y1)])
    ray = rays_of_pixels(rig.left, pixel[None])[0]
    if not np.isfinite(ray).all():
        return None
    tilt, about = np.radians(kind.tilt_deg) * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    roll = np.radians(rng.uniform(-15, 15)) + (np.pi / 2 if rng.random() < 0.25 else 0.0)
    R = rotation(tilt * np.array([np.cos(about), np.sin(about), 0])) @ rotation(np.array([0, 0, roll]))
    if kind.left.model == "fisheye":
        R = rotation_to(ray) @ R
    points = board.object_points()
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    t = rng.uniform(*kind.depth_m) * ray - R @ middle
    # The squares around the corners must be seen too.
    low, high = points.min(axis=0) - 1.1 * board.unit_m, points.max(axis=0) + 1.1 * board.unit_m
    rim = np.array([[x, y, 0.0] for x in np.linspace(low[0], high[0], 5) for y in np.linspace(low[1], high[1], 5)])
    shares = []
    in_left = rim @ R.T + t
    for camera, own in ((rig.left, in_left), (rig.right, in_left @ rig.R_right_left.T + rig.t_right_left_m)):
        size = np.array(camera.size_wh or (0, 0))
        px = project_rays(camera, own)
        with np.errstate(invalid="ignore"):
            shares.append(float(((px > 2).all(axis=1) & (px < size - 3).all(axis=1) & (own[:, 2] > 0.02)).mean()))
    return (R, t) if min(shares) >= (0.6 if kind.partly else 1.0) else None


def _later(kind: Kind, pose: tuple[Array, Array], rng: np.random.Generator) -> tuple[Array, Array]:
    if kind.fault != "moved":
        return pose
    return rotation(rng.normal(0, kind.moved_m, 3)) @ pose[0], pose[1] + rng.normal(0, kind.moved_m, 3)


def trial(name: str, seed: int) -> dict[str, Any]:
    """Render, detect and solve one set."""
    cv2.setNumThreads(1)
    drawn = draw(name, seed)
    detector = BoardDetector(drawn.board)
    start = time.process_time()
    views = []
    for i, pair in enumerate(drawn.pictures()):
        found: list[Detection | None] = [detector.detect(picture) for picture in pair]
        views.append(View(f"{i:02d}", found[0], found[1]))
    answer: dict[str, Any] = {
        "kind": name, "seed": seed, "drawn": len(views), "found": sum(view.both for view in views),
        "notes": list(detector.notes()), "detect_s": time.process_time() - start,
    }  # fmt: skip
    start = time.process_time()
    try:
        solution = solve(views, drawn.board, SolveOptions(heldout=False))
    except CalibrationError as error:
        return {**answer, "verdict": "refused", "what": error.what, "fix": error.fix}
    report = solution.report
    answer |= {
        "solve_s": time.process_time() - start, "verdict": report.verdict, "reasons": list(report.reasons),
        "warnings": list(report.warnings), "lens": report.lens_model, "rms": report.rms_px, "sync": report.sync_ratio,
        "used": report.views_used, "sigma": list(report.depth_error_percent.values()), "swapped": report.swapped,
        "flip": list(report.flip), "bend_mm": report.board_bend_mm,
        "baseline": 100 * (solution.rig.baseline_m / drawn.rig.baseline_m - 1),
        "focal": 100 * (solution.rig.left.focal_px / drawn.rig.left.focal_px - 1),
    }  # fmt: skip
    try:
        answer["error"] = [depth_error_percent(solution.rig, drawn.rig, z) for z in DISTANCES]
    except CalibrationError as error:
        answer["error"] = [float("nan")] * 3
        answer["what"] = error.what
    return answer


def row_of(name: str, found: list[dict[str, Any]]) -> str:
    """Format the line of one kind."""
    kind = KINDS[name]
    counts = {v: sum(one["verdict"] == v for one in found) for v in ("good", "usable", "bad", "refused")}
    solved = [one for one in found if "error" in one]
    right = sum(not kind.lenses or set(one["lens"].split(", ")) <= set(kind.lenses) for one in solved)
    verdicts = " ".join(f"{n} {v}" for v, n in counts.items() if n)
    sensible = sum(one["verdict"] in kind.sensible for one in found)
    cells = [name, f"{np.mean([one['found'] / max(one['drawn'], 1) for one in found]):.0%}", verdicts]
    cells += [f"{sensible}/{len(found)}", f"{right}/{len(solved)}" if kind.lenses else ""]
    if solved:
        error, sigma = (np.array([one[key][:3] for one in solved], float) for key in ("error", "sigma"))
        cells.append(" / ".join(f"{np.sqrt(np.nanmean(c**2)):.2f}" for c in error.T))
        ratio = error / sigma
        cells.append(f"{np.sqrt(np.nanmean(ratio**2)):.2f}")
        cells.append(f"{np.mean(ratio[np.isfinite(ratio)] <= 2):.0%}")
    else:
        cells += ["", "", ""]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Run the kinds and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--kinds", default="", help="some of: " + ", ".join(KINDS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", type=Path, help="write the pictures here instead of solving")
    parser.add_argument("--json", default="")
    parser.add_argument("--page", type=Path, help="page whose table to replace")
    chosen = parser.parse_args()
    names = [name.strip() for name in chosen.kinds.split(";")] if chosen.kinds else list(KINDS)
    if chosen.write:
        write(names, chosen.write, chosen.first)
        return
    lines = [
        "| kind | found | verdicts | sensible | lens right | depth error % at 1, 2, 4 m | over σ, RMS | within 2σ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(chosen.workers) as pool:
        for name in names:
            numbers = range(chosen.first, chosen.first + chosen.seeds)
            found = list(pool.map(trial, [name] * chosen.seeds, numbers))
            rows += found
            lines.append(row_of(name, found))
            print(lines[-1], flush=True)
    sound = [row for row in rows if "error" in row and row["kind"] not in FAULTY]
    ratio = np.array([np.array(row["error"], float) / np.array(row["sigma"][:3], float) for row in sound])
    known = ratio[np.isfinite(ratio)]
    told = (
        ""
        if not known.size
        else (
            f"{len(sound)} sets without a fault: depth error within 2σ in {100 * np.mean(known <= 2):.1f} %, "
            f"RMS of error over σ {np.sqrt(np.mean(known**2)):.2f}."
        )
    )
    print("\n" + told)
    if chosen.page:
        put(chosen.page, "rigs", [*lines, "", told])
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(rows), encoding="utf-8")


def write(names: list[str], folder: Path, seed: int) -> None:
    """Write each kind's pictures into a folder of its own, with the spec of the board beside them."""
    for name in names:
        drawn = draw(name, seed)
        own = folder / name.replace(" ", "_").replace(",", "")
        own.mkdir(parents=True, exist_ok=True)
        (own / "spec.txt").write_text(drawn.board.text, encoding="utf-8")
        for i, pair in enumerate(drawn.pictures()):
            for side, picture in zip(("left", "right"), pair):
                cv2.imwrite(str(own / f"{side}{i:02d}.png"), picture)


if __name__ == "__main__":
    main()
