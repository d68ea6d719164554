"""Faults made in clean pictures, and whether the doctor names them: `python benchmarks/doctor.py [--quick]`.

Each fault is made at two strengths in real pairs (where `../shared/data` is there) and in the rendered room. Right
means that its check is first or second of the failed ones. Clean pairs must give no fault of rig or capture.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# The folder of this file holds a calibration.py, which must not stand before the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from doctor_faults import FAULTS
from doctor_sets import demo_set, real_sets

from livestereo.diagnosis.evidence import Evidence
from livestereo.diagnosis.examine import examine

SCENE_CHECKS = {"texture", "repetition", "baseline"}


def failed(e: Evidence) -> list[str]:
    return [finding.check for finding in examine(e) if not finding.ok]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="faults in two real sets and one rendered one")
    parser.add_argument("--only", nargs="*", default=[], help="faults of these checks alone, and no clean sets")
    parser.add_argument("--clean", action="store_true", help="no faults")
    options = parser.parse_args()
    real = list(real_sets())
    rendered = [demo_set("room", seed) for seed in range(1, 7)] + [demo_set("clean", 1), demo_set("plane", 1)]
    alarms = 0
    if not options.only:
        print("| clean set | named |\n|---|---|")
    for clean in [] if options.only else [*real, *rendered]:
        found = [finding for finding in examine(clean.evidence) if not finding.ok]
        alarms += any(finding.check not in SCENE_CHECKS for finding in found)
        told = "; ".join(f"{finding.check}: {finding.what}" for finding in found)
        print(f"| {clean.name} | {told or 'nothing'} |", flush=True)
    if not options.only:
        print(f"\n{alarms} false alarms in {len(real) + len(rendered)} clean sets")
    if options.clean:
        return 0
    # Every other real set carries the faults (small rooms, a corridor, a drive, studio pairs), and two rendered rooms.
    chosen = real[::2] if not options.quick else real[:2]
    carriers = [*chosen, *rendered[: 1 if options.quick else 2]]
    print("\n| fault | check | strong | weak | missed |\n|---|---|---|---|---|")
    right = total = 0
    for words, check, strong, weak in FAULTS:
        if options.only and check not in options.only:
            continue
        cells, missed = [], []
        for fault in (strong, weak):
            good = 0
            for clean in carriers:
                named = failed(fault(clean.evidence))
                hit = check in named[:2]
                good += hit
                if not hit:
                    missed.append(f"{clean.name}: {', '.join(named[:3]) or 'nothing'}")
            cells.append(f"{good}/{len(carriers)}")
            right, total = right + good, total + len(carriers)
        print(f"| {words} | {check} | {cells[0]} | {cells[1]} | {'; '.join(missed)} |", flush=True)
    print(f"\n{right} of {total} right ({100 * right / max(total, 1):.1f} %)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
