"""`livestereo doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livestereo.cli._options import (
    MatchOptions,
    OptionalPictures,
    RigOptions,
    RunOptions,
    SourceOptions,
    command,
)
from livestereo.cli._output import Output

if TYPE_CHECKING:
    from livestereo.cli._setup import Opened
    from livestereo.diagnosis.evidence import Evidence
    from livestereo.types import Finding, StereoFrame

LOOKS = 8
# Pictures that nothing brings together leave no depth at all; what may be the cause of it comes before.
NOT_TOGETHER, FIT_UNKNOWN = 0.75, 0.3
OF_THE_COMPUTER = frozenset({"display", "opencv", "packages", "permission"})


@command
def doctor(
    source: SourceOptions,
    rig: RigOptions,
    match: MatchOptions,
    run: RunOptions,
    output: Output,
    pictures: OptionalPictures = None,
) -> None:
    """Find out why depth is bad, or why it does not run.

    Example: `livestereo doctor 0 2 --rig rig.json`

    Without pictures only the computer is looked at. Every finding is measured; what failed comes first, worst first.
    """
    from livestereo.cli._setup import open_pictures
    from livestereo.diagnosis.environment import environment
    from livestereo.diagnosis.examine import in_order
    from livestereo.errors import CameraRefused
    from livestereo.types import Finding

    found = environment()
    looked = ""
    if pictures:
        try:
            with open_pictures(pictures, source, rig, output) as opened:
                found += _look(opened, match, run, output)
                looked = opened.source.info.name
        except CameraRefused as refused:
            if not refused.check:
                raise
            # What keeps a camera from starting is an answer, not a failure to find one.
            found = [f for f in found if f.check != refused.check]
            found.append(Finding(refused.check, refused.what, refused.fix, 1.0))
    ordered = in_order(found)
    output.result(
        [{"check": f.check, "ok": f.ok, "severity": f.severity, "what": f.what, "fix": f.fix} for f in ordered]
    )
    _show(ordered, looked, output)


def _look(opened: Opened, match: MatchOptions, run: RunOptions, output: Output) -> list[Finding]:
    """Look at some pairs of the source."""
    from calibration.errors import CalibrationError
    from livestereo.cli._build import build_pipeline, settings_from
    from livestereo.diagnosis.evidence import Evidence
    from livestereo.diagnosis.examine import examine, in_order
    from livestereo.errors import IncompleteSource, LiveStereoError, NoFrameYet, SourceError
    from livestereo.timing import monotonic

    frames: list[StereoFrame] = []
    wanted = max(1, run.frames or LOOKS)
    patience = monotonic() + (run.duration or 8.0)
    # Live pairs are taken some way apart, so that what moves has time to move.
    gap_s = 0.25 if opened.source.info.live else 0.0
    next_s = 0.0
    while len(frames) < wanted and (monotonic() < patience or not opened.source.info.live):
        try:
            frame = opened.source.read(0.5)
        except NoFrameYet:
            continue
        except IncompleteSource as error:
            output.warn(str(error))
            break
        if frame is None:
            break
        if frame.t_s >= next_s:
            frames.append(frame)
            next_s = frame.t_s + gap_s
    if not frames:
        raise SourceError("No pair came.", "See `livestereo devices`; is another program using a camera?")
    rectification = None
    settings: dict[str, Any] = {}
    warnings: list[Finding] = []
    if opened.rig_file is not None or opened.rig_options.rectified:
        try:
            rectification = opened.rectification_for(frames[-1])
            values: Any = build_pipeline(settings_from(match, opened.output), rectification).settings
            settings = values.model_dump() if values is not None else {}
        except (LiveStereoError, CalibrationError) as error:
            warnings.append(_as_finding(error))
    elif not opened.source.info.rectified:
        warnings += _without_rig(opened, frames)
    evidence = Evidence(
        frames, opened.source.info, opened.source.stats(), opened.rig_file, rectification, settings=settings
    )
    return in_order([*warnings, *_unknown_fit(evidence), *examine(evidence)])


def _without_rig(opened: Opened, frames: list[StereoFrame]) -> list[Finding]:
    """Tell whether what the pictures show brings their rows together, which all commands need without a rig."""
    from calibration.errors import CalibrationError
    from livestereo.errors import LiveStereoError
    from livestereo.types import Finding

    trouble: LiveStereoError | CalibrationError | None = None
    for frame in (frames[-1], frames[0]):
        try:
            opened.rectification_for(frame)
        except (LiveStereoError, CalibrationError) as error:
            trouble = error
        else:
            return [Finding("vertical", "What the pictures show brings their rows together, without a rig.", ok=True)]
    assert trouble is not None
    return [Finding("vertical", trouble.what, trouble.fix, NOT_TOGETHER)]


def _unknown_fit(evidence: Evidence) -> list[Finding]:
    """Tell where the pictures do not show whether the rig fits."""
    from calibration.quality import why_unknown
    from livestereo.types import Finding

    if evidence.rig_file is None or evidence.rectification is None or evidence.rectified_points is not None:
        return []
    why = why_unknown(evidence.matches, *evidence.grays) or "Hardly a matched point lies in both rectified pictures."
    return [
        Finding(
            "vertical", f"Whether the rig fits cannot be told. {why}",
            "Point both cameras at one bright scene with texture.", FIT_UNKNOWN,
        )
    ]  # fmt: skip


def _as_finding(error: Any) -> Finding:
    from livestereo.types import Finding

    check = "disparity_range" if "disparit" in error.what else "wrong_rig"
    return Finding(check, error.what, error.fix, 0.97)


def _show(found: list[Finding], looked: str, output: Output) -> None:
    from rich.table import Table

    failed = [f for f in found if not f.ok]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for f in failed:
        colour = "red" if f.severity >= 0.7 else "yellow"
        table.add_row(
            f"[{colour}]✗[/{colour}]", f.check.replace("_", " "), f"{f.what}\n[dim]{f.fix}[/dim]" if f.fix else f.what
        )
    for f in found:
        if f.ok:
            table.add_row("[green]✓[/green]", f.check.replace("_", " "), f"[dim]{f.what}[/dim]")
    of_computer = sum(f.check in OF_THE_COMPUTER for f in failed)
    told = [_count(len(failed) - of_computer, f"in {looked}")] if looked else []
    if of_computer or not looked:
        told.append(_count(of_computer if looked else len(failed), "on this computer"))
    head = " ".join(told)
    output.show(head, table)


def _count(number: int, where: str) -> str:
    if number == 0:
        return f"Nothing wrong was found {where}."
    return f"{number} finding{'s' if number > 1 else ''} {where}."
