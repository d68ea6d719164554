"""`livestereo check`: does an old rig file still fit?"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from livestereo import __version__
from livestereo.cli._options import Pictures, RigOptions, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import IncompleteSource, NoFrameYet, RigError, SettingsError
from livestereo.wording import counted

if TYPE_CHECKING:
    from calibration.boards import Board
    from calibration.recheck import CheckReport, Recheck
    from calibration.rigfile import RigFile
    from livestereo.cli._setup import Opened
    from livestereo.types import StereoFrame

_panel = "Check"
# Pairs looked at: a board must be shown at many places, any scene says what it can in a few.
_SCENES, _BOARDS, _LIVE = 12, 60, 12
_LIVE_GAP_S = 0.4
_LIVE_PATIENCE_S = 30.0
_COLOURS = {"good": "green", "usable": "yellow", "bad": "red"}


@command
def check(
    pictures: Pictures,
    source: SourceOptions,
    rig: RigOptions,
    run: RunOptions,
    output: Output,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", metavar="SPEC", rich_help_panel=_panel, help="Judge by views of this board, and its scale too."
        ),
    ] = None,
    distance: Annotated[
        float | None,
        typer.Option(
            "--distance",
            metavar="M",
            rich_help_panel=_panel,
            help="A flat surface fills the view, so many metres straight ahead of the left lens: settles yaw.",
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", rich_help_panel=_panel, help="Write a repaired rig beside the old one.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", rich_help_panel=_panel, help="Name of the repaired rig."),
    ] = None,
) -> None:
    """See whether an old rig file still fits, from views of a board or from any scene.

    Example: `livestereo check 0 2 --rig rig.json`, then `--repair` if the cameras were bumped.

    Says which camera turned and how, and what no scene can show: the baseline, and how much yaw may hide.
    """
    from calibration.boards import parse_board
    from livestereo.cli._setup import open_pictures
    from livestereo.imageio import make_place

    spec = None if board is None else parse_board(board)
    if distance is not None and not 0.05 < distance < 1000:
        raise SettingsError(f"--distance must be in metres, as 2.00, is {distance:g}.", "Measure from the left lens.")
    path = _repaired_path(out, rig.rig)
    if repair:
        make_place(path)
    with open_pictures(pictures, source, rig, output) as opened:
        if opened.rig_file is None:
            raise RigError("There is no rig to check.", "Name it with --rig, or make one with `livestereo calibrate`.")
        gathered = _gather(opened, spec, run, rig.scale_rig, output)
    judge = gathered.judge
    report = judge.report(distance)
    warnings = [*gathered.warnings, *report.warnings]
    result = _figures(report, warnings)
    output.show(_table(report, judge))
    for warning in warnings:
        output.warn(warning)
    if repair:
        result["repaired"] = _repair(judge, report, path, result, output)
    if gathered.incomplete is not None:
        raise IncompleteSource(gathered.incomplete.what, gathered.incomplete.fix, result)
    output.result(result)


@dataclasses.dataclass
class _Gathered:
    judge: Recheck
    warnings: list[str]
    incomplete: IncompleteSource | None


def _gather(opened: Opened, board: Board | None, run: RunOptions, scale: bool, output: Output) -> _Gathered:
    """Read pairs and give them to the judge."""
    from calibration.recheck import Recheck
    from livestereo.cli._setup import check_size
    from livestereo.timing import monotonic

    info, rig_file = opened.source.info, opened.rig_file
    assert rig_file is not None
    warnings = _other_cameras(rig_file, opened)
    wanted = run.frames or (_LIVE if info.live else _BOARDS if board is not None else _SCENES)
    # Of a film or a set, pairs from its whole length.
    stride = 1 if info.live or info.count is None or run.frames else max(1, info.count // wanted)
    end_s = monotonic() + (run.duration or _LIVE_PATIENCE_S)
    judge: Recheck | None = None
    incomplete: IncompleteSource | None = None
    index, next_s = 0, float("-inf")
    with output.progress("looking", wanted) as advance:
        while judge is None or judge.looked < wanted:
            if (info.live or run.duration is not None) and monotonic() > end_s:
                break
            try:
                frame = opened.source.read(0.5)
            except NoFrameYet:
                continue
            except IncompleteSource as error:
                incomplete = error
                break
            if frame is None:
                break
            index += 1
            if (index - 1) % stride or (info.live and frame.t_s < next_s):
                continue
            next_s = frame.t_s + _LIVE_GAP_S
            if judge is None:
                judge = Recheck(check_size(rig_file, frame, scale=scale, output=output), board=board)
            judge.add(*_gray(frame))
            advance(1)
    if judge is None:
        if incomplete is not None:
            raise incomplete
        raise RigError("The source gave no pair to check the rig on.", "Is the camera there? See `livestereo devices`.")
    return _Gathered(judge, warnings, incomplete)


def _gray(frame: StereoFrame) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    return [np.asarray(cv2.cvtColor(side.image, cv2.COLOR_BGR2GRAY), np.uint8) for side in (frame.left, frame.right)]


def _other_cameras(rig_file: RigFile, opened: Opened) -> list[str]:
    """Tell cameras that are not those of the rig by their stable ids."""
    info = opened.source.info
    then = (rig_file.cameras.left.id, rig_file.cameras.right.id)
    now = (info.left_id, info.right_id)
    if not all(name.startswith("usb:") for name in (*then, *now)) or then == now:
        return []
    if then == now[::-1]:
        return ["The two cameras are those of the rig, exchanged: use --swap."]
    other = [side for side, a, b in zip(("left", "right"), then, now) if a != b]
    return [f"The {' and the '.join(other)} camera is not the one that the rig was made with."]


def _figures(report: CheckReport, warnings: list[str]) -> dict[str, Any]:
    drift, settled = report.drift, report.settled
    return {
        "vertical_rms_px": report.vertical.rms_px,
        "vertical_median_px": report.vertical.median_px,
        "depth_scale_percent": settled.scale_percent if settled is not None and report.by_board else None,
        "rotation_drift_deg": None if drift is None else drift.rotation_deg,
        "swapped": report.vertical.swapped,
        "verdict": report.verdict,
        "warnings": warnings,
        "pairs": report.looked,
        "views": report.views,
        "matches": report.vertical.count,
        "vertical_left_px": None if drift is None else drift.left_px,
        "drift_deg": None if drift is None else drift.angles_deg,
        "sigma_deg": None if drift is None else drift.sigma_deg,
        "focal_percent": None if drift is None else 100 * drift.focal,
        "pattern": [] if drift is None else list(drift.pattern),
        "yaw_resolved": None if drift is None else drift.yaw_resolved,
        "distance_error_percent": settled.scale_percent if settled is not None and not report.by_board else None,
        "hidden_depth_percent": {f"{d:g}m": value for d, value in report.hidden_depth_percent.items()} or None,
        "repaired": None,
    }


def _table(report: CheckReport, judge: Recheck) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    kind = ("board view", "board views") if report.by_board else ("pair of the scene", "pairs of the scene")
    looked = counted(report.looked, "pair")
    table.add_row("looked at", f"{looked}, {counted(report.views, *kind)} used, {report.vertical.count} points")
    vertical = report.vertical
    table.add_row(
        "vertical error", f"median {vertical.median_px or 0:.2f} px, rms {vertical.rms_px or 0:.2f} px (good below 0.6)"
    )
    drift = report.drift
    if drift is not None:
        sigma = drift.sigma_deg
        turned = ", ".join(f"{name} {angle:+.3f}° ± {sigma[name]:.3f}°" for name, angle in drift.angles_deg.items())
        table.add_row("turned since", turned)
        table.add_row("if turned back", f"median vertical error {drift.left_px:.2f} px")
    settled = report.settled
    if settled is not None:
        what = "scale by the board" if report.by_board else "at the measured distance"
        table.add_row(what, f"depth {settled.scale_percent:+.2f} % ± {settled.sigma_percent:.2f} %")
    if report.hidden_depth_percent:
        seen = drift is not None and drift.yaw_clear
        label = "depth error by yaw, if left" if seen else "depth error that yaw may hide"
        table.add_row(label, _by_distance(report.hidden_depth_percent) + (" (settled)" if settled is not None else ""))
        if settled is None:
            unseen = "No scene shows the baseline" if seen else "No scene shows the baseline, and hardly any shows yaw"
            table.add_row("", f"{unseen}: use --board or --distance.")
    table.add_row("verdict", Text(report.verdict, style=f"bold {_COLOURS[report.verdict]}"))
    return table


def _by_distance(percent: dict[float, float]) -> str:
    return ", ".join(f"{value:.1f} % at {d:g} m" for d, value in percent.items())


def _repaired_path(out: Path | None, old: Path | None) -> Path:
    if out is not None:
        return out
    old = old or Path("rig.json")
    return old.with_name(f"{old.stem}-repaired{old.suffix or '.json'}")


def _repair(
    judge: Recheck, report: CheckReport, path: Path, result: dict[str, Any], output: Output
) -> dict[str, Any] | None:
    from calibration.errors import CalibrationError
    from calibration.repair import repair_rig
    from calibration.rigfile import save_rig

    made_by = {
        "program": "livestereo", "version": __version__, "command": "check --repair",
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }  # fmt: skip
    try:
        save_rig(path, judge.repaired(report, made_by=made_by))
    except CalibrationError as error:
        raise CalibrationError(error.what, error.fix, result) from None
    assert report.drift is not None
    made = repair_rig(judge.rectification, report.drift)
    pitch, yaw, roll = (float(v) for v in made.changed_deg)
    metric = judge.rectification.metric
    after = {d: made.depth_sigma_percent(d) for d in report.hidden_depth_percent} if metric else {}
    depth = {f"{d:g}m": value for d, value in after.items()} or None
    left = "left as it was: these pictures do not show it well enough" if yaw == 0 else f"{yaw:+.3f}°"
    output.show(f"repaired: pitch {pitch:+.3f}°, roll {roll:+.3f}°, yaw {left}; wrote {path}")
    if after:
        output.show(f"depth error that a yaw may still cause (1 σ): {_by_distance(after)}")
    return {
        "path": str(path), "pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll, "depth_sigma_percent": depth,
    }  # fmt: skip
