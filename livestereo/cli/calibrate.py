"""The command `calibrate`: views of a board in, a rig file and the proof of it out."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from livestereo import __version__
from livestereo.cli._calibrate_told import figures_of, tables_of
from livestereo.cli._camera_state import camera_state
from livestereo.cli._options import Pictures, RunOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import IncompleteSource, SettingsError

if TYPE_CHECKING:
    from calibration.boards import Board
    from calibration.rig import LensModel
    from calibration.rigfile import RigFile
    from calibration.solution import Solution
    from calibration.solve import SolveOptions
    from livestereo.cli._calibrate_files import Collected
    from livestereo.frames import Flip
    from livestereo.sources.request import SourceRequest
    from livestereo.types import SourceInfo

_panel = "Calibration"
# How the time of a solve is shared between its stages, roughly, in steps of the progress bar.
SOLVE_STEPS, HELDOUT_STEPS = 8, 5


@command
def calibrate(
    pictures: Pictures,
    source: SourceOptions,
    run: RunOptions,
    output: Output,
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="SPEC",
            rich_help_panel=_panel,
            help="chessboard:9x6:25mm, charuco:5x7:30mm:22mm:DICT_5X5_100, circles:4x11:20mm.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", rich_help_panel=_panel, help="Rig file to write.")
    ] = Path("rig.json"),
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE.html", rich_help_panel=_panel, help="Report page to write."),
    ] = None,
    measured: Annotated[
        str | None,
        typer.Option(
            "--measured",
            metavar="AxBmm",
            rich_help_panel=_panel,
            help="Measured lengths of the printed 100 mm rulers, across x down.",
        ),
    ] = None,
    lens_model: Annotated[
        str,
        typer.Option(
            "--lens-model",
            metavar="NAME",
            rich_help_panel=_panel,
            help="pinhole, rational, fisheye, or auto: chosen by views that were held out.",
        ),
    ] = "auto",
    goal: Annotated[
        str | None,
        typer.Option(
            "--goal", metavar="1%@2m", rich_help_panel=_panel, help="Depth error to reach; live capture ends there."
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="M[,M…]", rich_help_panel=_panel, help="More distances to predict the error at."),
    ] = None,
    auto: Annotated[
        bool, typer.Option("--auto", rich_help_panel=_panel, help="Take views without a window, by the guide's rules.")
    ] = False,
    guide: Annotated[
        bool,
        typer.Option(
            "--guide", rich_help_panel=_panel, help="Guide through a video in the window, as through live pictures."
        ),
    ] = False,
    session: Annotated[
        Path | None,
        typer.Option("--session", metavar="DIR", rich_help_panel=_panel, help="Keep the raw pairs here, and go on."),
    ] = None,
) -> None:
    """Calibrate two cameras from views of a printed board.

    Example: livestereo calibrate 0 2 --board chessboard:9x6:25mm -o rig.json --report report.html

    From cameras with guidance, or from pictures and videos: 'left*.png' 'right*.png'. Bad views are left out and named;
    cameras that are exchanged, turned or do not fire together are found. The verdict and the predicted depth error say
    what the calibration is worth.
    """
    from calibration.boards import parse_board, parse_measured
    from calibration.solve import SolveOptions
    from livestereo.cli._setup import make_request
    from livestereo.imageio import make_place, reading, refuse_source
    from livestereo.sources import open_source

    spec = parse_board(board)
    if measured is not None:
        spec = spec.with_measured(parse_measured(measured))
    if lens_model not in _LENSES:
        raise SettingsError(f"Unknown lens model {lens_model!r}.", "Give auto, pinhole, rational or fisheye.")
    wanted = _parse_goal(goal)
    distances = (1.0, 2.0, 4.0, *_parse_distances(at))
    options = SolveOptions(
        lens=_LENSES[lens_model],
        depths_m=tuple(dict.fromkeys(distances if wanted is None else (*distances, wanted[1]))),
    )
    for path in (out, report):
        if path is not None:
            make_place(path)
    plan = Plan(spec, options, out, report, wanted, auto, guide, session, run)
    request = make_request(source)
    with open_source(pictures, request) as opened:
        with reading(opened.info.files):
            refuse_source(out)
            refuse_source(report or out)
        for note in opened.info.notes:
            output.say(note)
        guided = _guided(opened.info, plan, output)
        if guided:
            from livestereo.cli._calibrate_live import collect_live

            collected = collect_live(opened, plan, output)
        else:
            collected = _collect(opened, plan, output)
        info = opened.info
    if not guided:
        plan, collected = _with_whole_board(plan, collected, pictures, request, output)
    finish(collected, plan, info, request, output)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What was asked for. goal: (percent, distance in metres) or None."""

    board: Board
    options: SolveOptions
    out: Path
    report: Path | None
    goal: tuple[float, float] | None
    auto: bool
    guide: bool
    session: Path | None
    run: RunOptions


def finish(collected: Collected, plan: Plan, info: SourceInfo, request: SourceRequest, output: Output) -> None:
    """Solve what was collected, write the rig and the report, say how good it is.

    Raises:
        CalibrationError: too few views, or no rig can be built on them.
        IncompleteSource: everything is written, but pictures were missing.
    """
    from calibration.rigfile import save_rig
    from calibration.solve import MIN_PAIRS, solve
    from livestereo.cli._calibrate_files import not_found
    from livestereo.cli._calibrate_lag import solve_films

    for note in collected.notes:
        output.say(note)
    error = not_found(collected, plan.board, MIN_PAIRS)
    if error is not None:
        raise error
    with output.progress("solving", SOLVE_STEPS + HELDOUT_STEPS) as advance:
        if len(collected.looks) and not request.splits:
            solution, collected = solve_films(collected, plan.board, plan.options, _steps(advance))
        else:
            solution = solve(collected.views, plan.board, plan.options, _steps(advance))
    # What the pictures showed of the board is told with the rest, on the page too.
    warnings = (*collected.notes, *collected.warnings, *solution.report.warnings)
    solution = dataclasses.replace(solution, report=dataclasses.replace(solution.report, warnings=warnings))
    rig_file = make_rig_file(solution, info, request)
    save_rig(plan.out, rig_file)
    if plan.report is not None:
        _write_report(plan, solution, collected)
    result = figures_of(solution, collected, plan)
    result["warnings"] = [*result["warnings"], *camera_state(info).warnings]
    output.show(*tables_of(solution.report, result, plan))
    for warning in result["warnings"]:
        if warning not in collected.notes:  # they were said before the solve
            output.warn(warning)
    if collected.incomplete is not None:
        raise IncompleteSource(collected.incomplete.what, collected.incomplete.fix, result)
    output.result(result)


def _steps(advance: Callable[[int], object]) -> Callable[[str, int, int], None]:
    """Make what the solve tells of its stages into steps of one bar."""
    reached = 0

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal reached
        now = SOLVE_STEPS + done * HELDOUT_STEPS // total if stage == "held-out" else done * SOLVE_STEPS // total
        if now > reached:
            advance(now - reached)
            reached = now

    return tell


def make_rig_file(solution: Solution, info: SourceInfo, request: SourceRequest) -> RigFile:
    """Put the rig, its covariance and how its pictures are taken into a rig file."""
    from calibration.rigfile import Camera, Cameras, Capture, Covariance, MadeBy, RigFile

    report = solution.report
    swap = request.swap != report.swapped
    flips = list(request.flip)
    # The solve saw left and right after the request's own swap; the rig stores turns by how pictures come.
    for side, found in enumerate(report.flip):
        index = 1 - side if request.swap else side
        flips[index] = _then(flips[index], found)
    names = [info.left_id, info.right_id]
    state = camera_state(info)
    controls = [dict(values) for values in state.controls]
    for values in controls:
        if values.get("focus_automatic_continuous"):
            values.pop("focus_absolute", None)  # where it stood when the camera was opened says nothing
    if report.swapped:
        names, controls = names[::-1], controls[::-1]
    sizes = [camera.size_wh for camera in (solution.rig.left, solution.rig.right)]
    raw = sizes[::-1] if swap else sizes
    raw = [(s[1], s[0]) if s and flip in ("90", "270") else s for s, flip in zip(raw, flips)]
    summary = {key: value for key, value in report.figures().items() if key not in ("views", "views_rejected")}
    return RigFile(
        rig=solution.rig,
        metric=report.metric,
        covariance=Covariance.of(report.covariance.names, report.covariance.matrix),
        cameras=Cameras(
            left=Camera(id=names[0], controls=controls[0]), right=Camera(id=names[1], controls=controls[1])
        ),
        capture=Capture(
            swap=swap, flip=(flips[0], flips[1]), size_wh=(raw[0], raw[1]) if raw[0] and raw[1] else None,
            autofocus=state.autofocus, zoom=state.zoom,
        ),
        made_by=MadeBy(
            program="livestereo", version=__version__, command="calibrate",
            time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        ),
        summary=_plain(summary),
    )  # fmt: skip


def _guided(info: SourceInfo, plan: Plan, output: Output) -> bool:
    """Whether views are taken by the guide: from cameras, always; from the demo, where a person can see it; from files
    and the demo, where it is asked for."""
    from livestereo import display

    if info.live or plan.auto or plan.guide or plan.session is not None:
        return True
    counted = plan.run.frames is not None or plan.run.duration is not None
    person = not (output.json or output.quiet or plan.run.headless or counted)
    return info.truth is not None and person and display.probe().ok


def _collect(opened: Any, plan: Plan, output: Output) -> Collected:
    from livestereo.cli._calibrate_files import collect

    frames = plan.run.frames
    total = frames if frames is not None else opened.info.count
    with output.progress("looking for the board", total) as advance:
        return collect(opened, plan.board, frames=frames, advance=advance)


def _with_whole_board(
    plan: Plan, collected: Collected, pictures: list[str], request: SourceRequest, output: Output
) -> tuple[Plan, Collected]:
    """Look again for the whole board, where the pictures show a larger one than was given."""
    from livestereo.cli._calibrate_files import larger_than_given
    from livestereo.sources import open_source

    whole = larger_than_given(collected, plan.board)
    if whole is None:
        return plan, collected
    told = f"The pictures show {whole.words}; the spec names {plan.board.columns} x {plan.board.rows}, a part of it. "
    again = dataclasses.replace(plan, board=whole)
    with open_source(pictures, request) as opened:
        found = _collect(opened, again, output)
    if found.found[2] * 2 < collected.found[2]:
        # The whole board is seldom in the picture: a part of it must do, and may not be the same part on both sides.
        collected.warnings = (*collected.warnings, told + "Show the whole board, and give it as it is.")
        return plan, collected
    found.warnings = (*found.warnings, told + f"It is read as what it is: next time give --board {whole.text}.")
    return again, found


def _write_report(plan: Plan, solution: Solution, collected: Collected) -> None:
    from calibration.report import Goal, write_report
    from livestereo.cli._calibrate_files import turned_pictures

    def pair(name: str) -> Any:
        found = collected.load_pair(name)
        if found is None:
            return None
        return turned_pictures(found, swapped=solution.report.swapped, flip=solution.report.flip)

    assert plan.report is not None
    goal = None if plan.goal is None else Goal(*plan.goal)
    write_report(
        plan.report, solution.rig, solution.report, pictures=pair, goal=goal, made_by=f"livestereo {__version__}",
        rig_path=str(plan.out),
    )  # fmt: skip


def _parse_goal(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%?\s*@\s*(\d+(?:\.\d*)?|\.\d+)\s*m?\s*", text)
    if match is None or not float(match[1]) > 0 or not float(match[2]) > 0:
        raise SettingsError(f"{text!r} is not a goal.", "Write the depth error and the distance: --goal 1%@2m.")
    return float(match[1]), float(match[2])


def _parse_distances(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        values = tuple(float(part.strip().removesuffix("m")) for part in text.split(","))
    except ValueError:
        values = (-1.0,)
    if not all(0 < value < 1000 for value in values):
        raise SettingsError(f"{text!r} is not a list of distances.", "Write metres, such as --at 0.5,3.")
    return values


_DEGREES = {"none": 0, "90": 90, "180": 180, "270": 270}
_LENSES: dict[str, LensModel | None] = {
    "auto": None, "pinhole": "pinhole", "rational": "rational", "fisheye": "fisheye",
}  # fmt: skip
_FLIP_BY: dict[int, Flip] = {0: "none", 90: "90", 180: "180", 270: "270"}


def _then(first: Flip, second: Flip) -> Flip:
    """One flip after another, where together they are one again."""
    if second == "none" or first == "none":
        return second if first == "none" else first
    if first == second and first in ("h", "v"):
        return "none"
    if first in _DEGREES and second in _DEGREES:
        return _FLIP_BY[(_DEGREES[first] + _DEGREES[second]) % 360]
    if {first, second} == {"h", "v"}:
        return "180"
    if {first, second} in ({"h", "180"}, {"v", "180"}):
        return "v" if "h" in (first, second) else "h"
    raise SettingsError(
        f"The right picture, turned by --flip {first}, is still turned ({second}).",
        "Find the flip that shows both pictures upright with `livestereo preview`, and give it.",
    )


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    from livestereo.cli._output import plain

    result: dict[str, Any] = plain(value)
    return result
