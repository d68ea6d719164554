"""How many clouds per second reach a browser beside a running preview, in headless Chromium (software WebGL).

    python -m benchmarks.view3d [--preset balanced] [--seconds 30]

Needs Chromium and playwright. The browser draws on the same processor, which a graphics card would take from it.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

FLAGS = [
    "--no-sandbox", "--no-first-run", "--disable-background-networking", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]  # fmt: skip
FIGURES = re.compile(r"([\d.]+) k points, ([\d.]+) clouds per second")
WARM_UP_S = 8.0


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium.")
    with tempfile.TemporaryDirectory() as folder:
        program = subprocess.Popen(
            [sys.executable, "-m", "livestereo", "preview", "demo:room,live", "--preset", given.preset, "--view3d",
             "--headless", "--json", "--save-dir", folder],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert program.stderr is not None
            link = next(found[0] for line in program.stderr if (found := re.search(r"http://\S+", line)))
            with sync_playwright() as running:
                browser = running.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(180_000)  # the first pair of `fast` may wait for a compiler
                page.goto(link)
                page.wait_for_selector("text=clouds per second")
                page.wait_for_timeout(1000 * WARM_UP_S)
                seen = []
                end = time.monotonic() + given.seconds
                while time.monotonic() < end:
                    page.wait_for_timeout(1000)
                    shown = FIGURES.search(page.inner_text("body"))
                    if shown:
                        seen.append((float(shown[1]), float(shown[2])))
                browser.close()
        finally:
            program.send_signal(signal.SIGINT)
            out, _ = program.communicate(timeout=60)
    points, rates = np.array(seen).T
    print(
        f"{np.median(points):.0f} 000 points: {np.median(rates):.1f} clouds per second (median of {len(seen)} seconds, "
        f"slowest {rates.min():.1f}; floor 5), beside {json.loads(out)['fps']:.1f} pairs per second ({given.preset})"
    )


if __name__ == "__main__":
    main()
