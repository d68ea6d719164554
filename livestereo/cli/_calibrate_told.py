"""What `calibrate` says of a solution, to a person and to a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from calibration.solution import Solution, SolveReport
    from livestereo.cli._calibrate_files import Collected
    from livestereo.cli.calibrate import Plan


def figures_of(solution: Solution, collected: Collected, plan: Plan) -> dict[str, Any]:
    """Give the JSON object of the command."""
    result = solution.report.figures()
    result["pairs"] = collected.looked
    result["shift_ms"] = None if collected.shift_s is None else collected.shift_s * 1000
    result["rig"] = str(plan.out)
    result["report"] = None if plan.report is None else str(plan.report)
    if plan.goal is not None:
        percent = result["depth_error_percent"].get(f"{plan.goal[1]:g}m")
        met = percent is not None and percent <= plan.goal[0]
        result["goal_met"] = met
        if not met:
            told = "unknown" if percent is None or percent != percent else f"{percent:.2f} %"
            result["warnings"] = [
                *result["warnings"],
                f"The goal of {plan.goal[0]:g} % at {plan.goal[1]:g} m is not met: the predicted error is {told}.",
            ]
    return result


def tables_of(report: SolveReport, result: dict[str, Any], plan: Plan) -> list[Any]:
    """Give what is shown to a person: the verdict, its reasons, the figures, what was left out."""
    style = {"good": "bold green", "usable": "bold yellow", "bad": "bold red"}[report.verdict]
    head = Text.assemble("The calibration is ", (report.verdict, style), ".")
    unit = "mm" if report.metric else "squares"
    scale = 1000 if report.metric else 1
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("pairs", f"{report.views_used} used, {len(report.views_rejected)} left out")
    table.add_row("corners off by (RMS)", f"{report.rms_px:.3f} px")
    heldout = report.heldout_vertical_rms_px
    table.add_row("row error on held-out pairs", f"{heldout:.3f} px" if heldout == heldout else "too few pairs to tell")
    table.add_row("baseline", f"{report.baseline_m * scale:.2f} {unit}")
    near, far = report.distance_m
    if near == near:
        # What shows a person that the squares were named ten times too small.
        table.add_row("board's distance", f"{near:.2f} to {far:.2f} {'m' if report.metric else 'squares'}")
    table.add_row("focal length", f"{report.focal_left_px:.1f} px left, {report.focal_right_px:.1f} px right")
    table.add_row("cameras turned", f"{report.rotation_deg:.2f}°, toe-in {report.toe_in_deg:.2f}°")
    table.add_row("lens model", report.lens_model)
    if report.metric:
        table.add_row("board bent by", f"{report.board_bend_mm:.2f} mm")
    table.add_row("pairs against single cameras", f"{report.sync_ratio:.2f} (1 is synchronous)")
    errors = ", ".join(f"{v:.2f} % at {k.replace('m', ' m')}" for k, v in report.depth_error_percent.items() if v == v)
    if errors:
        table.add_row("depth error (1 σ)", errors)
    rejected = [Text(f"left out: {view['name']}: {view['why']}") for view in result["views_rejected"][:8]]
    if len(result["views_rejected"]) > 8:
        rejected.append(Text(f"… and {len(result['views_rejected']) - 8} more"))
    reasons = [Text(f"  {reason}") for reason in report.reasons]
    written = f"Rig: {plan.out}" + (f", report: {plan.report}" if plan.report else "")
    return [head, *reasons, table, *rejected, Text(written)]
