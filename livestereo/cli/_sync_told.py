"""What `sync` prints, and what it stores in the rig file."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from calibration.rigfile import RigFile, Timing, load_rig, save_rig
from livestereo.cli._options import RigOptions
from livestereo.cli._setup import carries_rig
from livestereo.errors import RigError
from livestereo.skew import skew_depth_error_m
from livestereo.sync import SyncResult
from livestereo.types import SourceInfo

DISTANCES_M = (1.0, 2.0, 4.0)
METHODS = {"board": "by the board", "flash": "by flashes", "motion": "by motion"}


def figures(result: SyncResult, pairs: int, rig_file: RigFile | None) -> dict[str, Any]:
    """Give the result for a script."""
    return {
        "skew_ms": _ms(result.skew_s),
        "uncertainty_ms": _ms(result.uncertainty_s),
        "method": result.method,
        "drift_ms_per_min": result.drift * 6e4,
        "stamp_bias_ms": _ms(result.stamp_bias_s),
        "drift_uncertainty_ms_per_min": result.drift_uncertainty * 6e4,
        "stamp_bias_uncertainty_ms": _ms(result.stamp_bias_uncertainty_s),
        "stamp_skew_ms": _ms(result.stamp_skew_s),
        "pair_skew_ms": _ms(result.pair_skew_s),
        "readout_ms": None if result.readout_s is None else [_ms(value) for value in result.readout_s],
        "readout_known": result.readout_known,
        "worst_row_skew_ms": None if result.worst_row_skew_s is None else _ms(result.worst_row_skew_s),
        "depth_error_m": _depth_errors(result, rig_file),
        "pairs": pairs,
        "notes": list(result.notes),
        "saved": None,
    }


def _ms(seconds: float) -> float:
    return seconds * 1e3


def _depth_errors(result: SyncResult, rig_file: RigFile | None) -> dict[str, float] | None:
    """By distance, of something that walks sideways at 1 m/s."""
    if rig_file is None or not rig_file.metric:
        return None
    worst = result.skew_s if result.worst_row_skew_s is None else result.worst_row_skew_s
    return {f"{d:g}m": skew_depth_error_m(worst, d, rig_file.rig.baseline_m) for d in DISTANCES_M}


def table(result: SyncResult, pairs: int, rig_file: RigFile | None, info: SourceInfo) -> Sequence[RenderableType]:
    """Lay the result out for a person."""
    rows = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows.add_column(style="dim")
    rows.add_column()
    side = "right" if result.skew_s > 0 else "left"
    differs = abs(result.skew_s) > result.uncertainty_s
    later = f"the {side} camera exposes later" if differs else "no difference that can be told"
    rows.add_row(
        "skew",
        f"[bold]{_signed(result.skew_s)} ms[/bold] ± {result.uncertainty_s * 1e3:.2f} ms: {later} "
        f"({METHODS[result.method]}, {pairs} pairs)",
    )
    if math.isfinite(result.drift):
        rows.add_row("drift", f"{result.drift * 6e4:+.2f} ± {result.drift_uncertainty * 6e4:.2f} ms per minute")
    else:
        rows.add_row("drift", "the two rates differ: the skew goes round")
    if info.live or info.truth is not None:
        rows.add_row(
            "stamp bias",
            f"{_signed(result.stamp_bias_s)} ± {result.stamp_bias_uncertainty_s * 1e3:.2f} ms (the stamps alone say "
            f"{_signed(result.stamp_skew_s)} ms)",
        )
    else:
        rows.add_row("time shift", f"{_signed(result.stamp_bias_s)} ms: pair the films by it with --shift "
                     f"{result.stamp_bias_s * 1e3:.1f}")  # fmt: skip
    if result.readout_s is not None:
        known = "as given or settled" if result.readout_known else "assumed"
        left, right = (value * 1e3 for value in result.readout_s)
        rows.add_row("shutters roll", f"{left:.1f} | {right:.1f} ms from first row to last ({known})")
    if result.worst_row_skew_s is not None and abs(result.worst_row_skew_s - result.skew_s) > 5e-5:
        rows.add_row("worst row", f"{_signed(result.worst_row_skew_s)} ms")
    errors = _depth_errors(result, rig_file)
    if errors is not None:
        told = ", ".join(f"{value * 1e3:.0f} mm at {distance[:-1]} m" for distance, value in errors.items())
        rows.add_row("costs in depth", f"{told}, for what moves sideways at 1 m/s")
    return (rows,)


def _signed(seconds: float) -> str:
    return f"{seconds * 1e3:+.2f}".replace("-", "−")


def where_to_save(pictures: Sequence[str], options: RigOptions) -> Path:
    """Find the rig file to store in, and see before measuring that it can be.

    Raises:
        RigError: there is none, or it may not be written.
    """
    path = options.rig
    if path is None:
        if carries_rig(pictures):
            raise RigError(
                "--save needs a rig file of its own: the one that this source carries is not changed.",
                "Name one with --rig.",
            )
        path = Path("rig.json")
    if not path.is_file():
        raise RigError(
            f"--save stores the stamp bias in the rig file, and there is no {path}.",
            "Name it with --rig, or make one with `livestereo calibrate`.",
        )
    if not os.access(path, os.W_OK) or path.stat().st_mode & 0o222 == 0:
        raise RigError(f"{path} may not be written.", "Make it writable, or measure without --save.")
    return path


def save_bias(path: Path, result: SyncResult, info: SourceInfo) -> None:
    """Store the stamp bias, and how it was measured, in a rig file; all else in it stays as it is.

    Raises:
        CalibrationError: it cannot be read or written.
    """
    old = load_rig(path)
    known = result.readout_known and result.readout_s is not None
    timing = Timing(
        method=result.method,
        uncertainty_ms=round(_ms(result.stamp_bias_uncertainty_s), 4),
        stamps=str(info.capture.get("stamps", "")),
        readout_ms=(round(_ms(result.readout_s[0]), 3), round(_ms(result.readout_s[1]), 3))
        if known and result.readout_s is not None
        else old.timing.readout_ms,
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    save_rig(path, old.model_copy(update={"stamp_bias_ms": round(_ms(result.stamp_bias_s), 4), "timing": timing}))
