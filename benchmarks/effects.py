"""How fast the effects of the window are: each at 640x480, on the demo scene, after the matcher's own time.

    python -m benchmarks.effects > benchmarks/effects.md

Times are processor time of one thread (OpenCV is held to it), so that other work on the computer does not count;
medians over the pictures of a moving scene.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # before this folder, whose files bear names of packages

from calibration.rectify import make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.render.effects.live import EFFECTS
from livestereo.settings import resolve_settings
from livestereo.sources import open_source

FLOOR_PER_S = 15.0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=25)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    results, matching = [], []
    with open_source(["demo:room"]) as source:
        pipeline = build_pipeline(resolve_settings("balanced", {}), make_rectification(source.info.rig.rig))
        for number in range(given.frames + 2):
            frame = source.read(1.0)
            begin = time.thread_time()
            result = pipeline.process(frame)
            if number >= 2:
                matching.append(time.thread_time() - begin)
                results.append(result)
    print("# Effects in the window, 640x480\n\nWritten by `python -m benchmarks.effects > benchmarks/effects.md`; "
          "processor time of one thread, demo scene.\n")  # fmt: skip
    print(f"Depth itself (preset `balanced`): {1000 * np.median(matching):.0f} ms. It runs beside the effect.\n")
    print("| effect | ms | per second |\n|---|---|---|")
    for name, make in EFFECTS.items():
        spent, effect = [], make()
        effect(results[0], None)
        for result in results:
            begin = time.thread_time()
            effect(result, None)
            spent.append(time.thread_time() - begin)
        median = float(np.median(spent))
        print(f"| {name} | {1000 * median:.1f} | {1 / median:.0f}{'' if 1 / median >= FLOOR_PER_S else ' (short)'} |")


if __name__ == "__main__":
    main()
