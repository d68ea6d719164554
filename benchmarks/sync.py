"""When the cameras really expose: measured skew against the simulated rig's truth, the phase search, pairing.

    python benchmarks/sync.py                 # every table, to stdout as Markdown
    python benchmarks/sync.py board --trials 10
    python benchmarks/sync.py phase --trials 1000

Parts: board, flash, motion (rendered, 320x240, rolling shutters, true skew 0 to 16 ms at 30 fps, each trial with
another scene, readout, delivery jitter and stamp bias), phase and pairing (stamps only).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

# This folder holds a calibration.py, and the tests a folder of that name: the package must stand before both.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from synthetic.free_running import arrivals, make_stream, score_pairs
from synthetic.start_delay import search_once

from calibration.detection import BoardDetector
from livestereo.sources.demo import open_demo
from livestereo.sources.pairing import Paired, Pairer
from livestereo.sync import SyncRecorder, SyncRefused
from livestereo.sync.board import board_offset
from livestereo.sync.crossing import crossing_offset
from livestereo.sync.flash import flash_offset
from livestereo.sync.motion import motion_offset

SECONDS = 12.0
FLOORS_MS = {"board": 0.5, "flash": 0.5, "motion": 3.0}


class Quick:
    def __init__(self, detector: BoardDetector) -> None:
        self.detector = detector

    def detect(self, gray):
        return self.detector.detect(gray, quick=True)


def one_trial(kind: str, seed: int) -> list[tuple[str, float, float, bool]]:
    """(way, error ms, stated uncertainty ms, refused) of one recording, by each way to measure it."""
    rng = np.random.default_rng((seed, 99))
    readout = rng.uniform(8, 28)
    other = readout * (1.0 if rng.random() < 0.6 else rng.uniform(0.85, 1.15))  # of one model, or of another
    phase, jitter, bias = rng.uniform(0, 16), rng.uniform(0, 3), rng.uniform(-5, 5)
    exposure = rng.uniform(3, 12)
    scene = "board" if kind == "board" else "room"
    word = (
        f"demo:{scene},seed={seed % 1000},size=320x240,phase={phase:.3f}ms,jitter={jitter:.2f}ms,bias={bias:.2f}ms,"
        f"readout={readout:.2f}ms/{other:.2f}ms,exposure={exposure:.1f}ms" + (",flash" if kind == "flash" else "")
    )
    with open_demo(word) as source:
        detector = Quick(BoardDetector(source.board)) if kind == "board" else None
        recorder = SyncRecorder(detector=detector)
        for _ in range(int(SECONDS * 30)):
            recorder.add(source.read())
        points = source.board.object_points() if kind == "board" else None
        rig = source.stereo_rig
    recording = recorder.recording((30.0, 30.0))
    known, unknown = (readout / 1e3, other / 1e3), (None, None)
    ways = {
        "board": {
            "board, with the rig": lambda: board_offset(recording, points, rig, unknown),
            "board, no rig": lambda: board_offset(recording, points, None, unknown),
        },
        "flash": {
            "flash, `--readout` given": lambda: flash_offset(recording, known),
            "flash, row time estimated": lambda: flash_offset(recording, unknown),
        },
        "motion": {
            "motion across the rows, with the rig": lambda: crossing_offset(recording, rig, unknown),
            "the same, `--readout` given": lambda: crossing_offset(recording, rig, known),
            "motion across the rows, no rig": lambda: crossing_offset(recording, None, unknown),
            "motion, correlated": lambda: motion_offset(recording),
        },
    }[kind]
    out = []
    for way, offset_of in ways.items():
        try:
            offset = offset_of()
        except SyncRefused as refused:
            print(f"  {way} {word}: {refused.what}", file=sys.stderr)
            out.append((way, np.nan, np.nan, True))
            continue
        error = ((recording.stamp_skew_s - offset.shift_s) * 1e3 - phase + 50 / 3) % (100 / 3) - 50 / 3
        out.append((way, error, offset.uncertainty_s * 1e3, False))
        print(f"  {way} {word}: {error:+.3f} ± {offset.uncertainty_s * 1e3:.3f}", file=sys.stderr)
    return out


def skew_table(kinds: list[str], trials: int) -> None:
    print("| way | measured / trials | median error | 95 % of errors | worst | median stated ± | truth inside ± |")
    print("|---|---|---|---|---|---|---|")
    for kind in kinds:
        rows: dict[str, list[tuple[float, float, bool]]] = {}
        for seed in range(trials):
            for way, error, unsure, refused in one_trial(kind, seed):
                rows.setdefault(way, []).append((error, unsure, refused))
        for way, got in rows.items():
            told = np.array([(abs(e), u) for e, u, refused in got if not refused]).reshape(-1, 2)
            if len(told) == 0:
                print(f"| {way} | 0 / {len(got)} | | | | | |")
                continue
            errors, unsure = told.T
            print(
                f"| {way} | {len(told)} / {len(got)} | {np.median(errors):.2f} ms | {np.percentile(errors, 95):.2f} ms "
                f"| {errors.max():.2f} ms | {np.median(unsure):.2f} ms | {100 * np.mean(errors <= unsure):.0f} % |",
                flush=True,
            )


def phase_table(trials: int) -> None:
    print("| start delay | stamps' jitter | openings | truly within ±4 ms in so many | median |")
    print("|---|---|---|---|---|")
    for spread, most in ((0.003, 4), (None, 12)):
        for jitter in (0.002, 0.005):
            rng = np.random.default_rng(1)
            done = [search_once(rng, start_s=spread, jitter_s=jitter) for _ in range(trials)]
            share = np.mean([ok and n <= most and abs(true) <= 0.004 for n, ok, true in done])
            named = "uniform" if spread is None else f"σ {spread * 1e3:g} ms"
            middle = np.median([n for n, _, _ in done])
            print(
                f"| {named} | σ {jitter * 1e3:g} ms | ≤ {most} | {100 * share:.1f} % of {trials} | {middle:.0f} |",
                flush=True,
            )


def pairing_table(frames: int, phases: int) -> None:
    print("| rates | pairs judged | right | right, worst phase | nearest stamps alone | every frame accounted for |")
    print("|---|---|---|---|---|---|")
    for fps in ((30.0, 30.0), (30.0, 25.0), (30.0, 15.0)):
        ours, naive = [], []
        whole = True
        for seed in range(phases):
            rng = np.random.default_rng((seed, 7))
            left = make_stream(rng, fps[0], frames, 1.0 + seed / phases / fps[0])
            other = make_stream(rng, fps[1], int(frames * fps[1] / fps[0]), 1.0 + rng.random() / fps[1])
            pairer: Pairer[tuple[int, int]] = Pairer(0.5 / min(fps), fps=fps)
            made: dict[int, int] = {}
            dropped = offered = 0
            for stamp, side, index in arrivals(left, other):
                offered += 1
                for event in pairer.offer(side, stamp, (side, index)):
                    if isinstance(event, Paired):
                        made[event.left[1]] = event.right[1]
                    else:
                        dropped += 1
            whole &= offered == 2 * len(made) + dropped + pairer.waiting and len(set(made.values())) == len(made)
            bound, from_s = 0.5 / min(fps), left.stamp_s[0] + 2.0
            ours.append(score_pairs(made, left, other, bound, from_s))
            naive.append(score_pairs(nearest(left.stamp_s, other.stamp_s, bound), left, other, bound, from_s))
        shares = [f"{100 * right / judged:.2f} %" for right, judged in map(together, (ours, naive))]
        worst = min(score.share for score in ours)
        print(
            f"| {fps[0]:g}/{fps[1]:g} | {together(ours)[1]} | {shares[0]} | {100 * worst:.2f} % | {shares[1]} "
            f"| {'yes' if whole else 'NO'} |",
            flush=True,
        )


def together(scores) -> tuple[int, int]:
    """(right, judged) of several runs."""
    return sum(s.right for s in scores), sum(s.right + s.wrong + s.missed for s in scores)


def nearest(left_s, right_s, bound_s: float) -> dict[int, int]:
    """Mutual nearest stamps within the bound: what most programs do."""
    to_right = nearest_of(left_s, right_s)
    to_left = nearest_of(right_s, left_s)
    return {
        i: int(j) for i, j in enumerate(to_right) if to_left[j] == i and abs(left_s[i] - right_s[j]) <= bound_s
    }  # fmt: skip


def nearest_of(a, b):
    at = np.clip(np.searchsorted(b, a), 1, len(b) - 1)
    return at - (np.abs(a - b[at - 1]) < np.abs(a - b[at]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=["board", "flash", "motion", "phase", "pairing"])
    parser.add_argument("--trials", type=int, help="20 of the rendered ones, 1000 of the phase search, 10 phases")
    options = parser.parse_args()
    rendered = [part for part in options.parts if part in FLOORS_MS]
    if rendered:
        skew_table(rendered, options.trials or 20)
    if "phase" in options.parts:
        phase_table(options.trials or 1000)
    if "pairing" in options.parts:
        pairing_table(10_000, options.trials or 10)


if __name__ == "__main__":
    main()
