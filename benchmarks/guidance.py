"""Does it help to hold the board where the guide asks for it?

    python benchmarks/guidance.py [--seeds 12] [--speed]

From six views drawn by chance, views are added one by one: where the guide asks (seen with 0.1 px of noise), or drawn
by chance over the whole of both pictures. Printed: RMS over rigs of the true depth error at 2 m, percent, and what the
quick solution predicted.

--speed: instead, decisions per second of the live loop at 640x480 with its window drawn and solutions computed beside,
on pictures of a moving board and on pictures of a room without one.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

import numpy as np
from synthetic.board_scenes import Scene, SceneOptions, depth_error_percent, make_scene

from calibration.advice import Goal, advise, list_needs
from calibration.boards import parse_board
from calibration.next_pose import view_of
from calibration.session import Session
from calibration.solve import SolveOptions, solve
from calibration.views import View, coverage
from livestereo.guided import Capture, Moment
from livestereo.render.guide_view import GuidePicture, canvas_size, draw_guide
from livestereo.sources.demo.options import open_demo
from livestereo.types import CaptureStats, SourceInfo, StereoFrame

QUICK = SolveOptions(lens="pinhole", bend=False, stretch=False, heldout=False)
START, COUNTS = 6, (6, 8, 10, 12, 16)


def asked_for(scene: Scene, views: list[View], rng: np.random.Generator) -> View:
    """Give the view that the guide asks for next, with noise."""
    left, right = (coverage([getattr(v, side) for v in views], scene.board) for side in ("left", "right"))
    needs = list_needs(views, scene.board, left, right, min_views=12)
    advice = advise(solve(views, scene.board, QUICK), views, scene.board, Goal(1.0, 2.0), needs)
    assert advice.pose is not None
    seen = view_of(scene.board, scene.rig, advice.pose)
    assert seen.left is not None and seen.right is not None
    sides = [
        dataclasses.replace(s, points_px=s.points_px + rng.normal(0, 0.1, s.points_px.shape).astype(np.float32))
        for s in (seen.left, seen.right)
    ]
    return View(f"asked{len(views)}", *sides)


class Replay:
    """Ready frames as a live source: read as fast as they are asked for, stamped thirty a second."""

    def __init__(self, frames: list[StereoFrame]) -> None:
        self.info = SourceInfo("frames", live=True, fps=30.0)
        self._frames = iter(frames)

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self, timeout_s: float) -> StereoFrame | None:
        return next(self._frames, None)

    def stats(self) -> CaptureStats:
        return CaptureStats()


class Drawn:
    """A window without a screen: draws all, shows nothing, and keeps the time of every decision."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def show(self, frame: StereoFrame, moment: Moment) -> None:
        picture = GuidePicture(
            frame.left.image, frame.right.image, moment.found_left, moment.found_right, moment.step, moment.goal, "m",
            moment.flash, moment.busy, moment.message,
        )  # fmt: skip
        draw_guide(picture, canvas_size((640, 480), (640, 480), (1920, 1080)))
        self.times.append(time.perf_counter())

    def pressed(self) -> list[str]:
        return []


def speed() -> None:
    board = parse_board("chessboard:9x6:25mm")
    print(f"{'pictures':28s} decisions/s   slowest tenth   processor time of one, with the solutions beside")
    for name, demo, count in (
        ("board on its tour", "demo:board,fps=10", 240),
        ("a room without a board", "demo:room", 60),
    ):
        with open_demo(demo) as source:
            frames = [frame for _ in range(count) if (frame := source.read()) is not None]
        window = Drawn()
        with tempfile.TemporaryDirectory() as folder:
            capture = Capture(board, Session(Path(folder), board), Goal(1.0, 2.0), until_goal=False)
            begin = time.process_time()
            captured = capture.run(Replay(frames), window=window)
            busy_ms = 1000 * (time.process_time() - begin) / len(frames)
        gaps = np.diff(window.times)
        slow = 1 / np.mean(np.sort(gaps)[-len(gaps) // 10 :])
        rate = f"{len(gaps) / gaps.sum():11.1f}   {slow:13.1f}   {busy_ms:8.0f} ms"
        print(f"{name:28s} {rate}   {len(captured.views)} views", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--speed", action="store_true")
    args = parser.parse_args()
    if args.speed:
        speed()
        return
    errors: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for seed in range(args.seeds):
        scene = make_scene(seed, SceneOptions(views=max(COUNTS)))
        rng = np.random.default_rng(seed)
        guided = list(scene.views[:START])
        while len(guided) < max(COUNTS):
            guided.append(asked_for(scene, guided, rng))
        for who, views in (("guided", guided), ("chance", list(scene.views))):
            for count in COUNTS:
                solution = solve(views[:count], scene.board, QUICK)
                told = solution.report.depth_error_percent["2m"]
                errors.setdefault((who, count), []).append((depth_error_percent(solution.rig, scene.rig, 2.0), told))
    print("views   " + "".join(f"{count:>16d}" for count in COUNTS))
    for who in ("guided", "chance"):
        rms = [np.sqrt(np.mean(np.square(errors[who, count]), axis=0)) for count in COUNTS]
        print(f"{who:8s}" + "".join(f"  {true:5.3f} % ({told:5.3f})" for true, told in rms), flush=True)


if __name__ == "__main__":
    main()
