"""`livestereo verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livestereo.cli._options import command
from livestereo.cli._output import Output
from livestereo.errors import TakeError
from livestereo.wording import counted

if TYPE_CHECKING:
    from livestereo.takes.verify import VerifyReport


@command
def verify(
    take: Annotated[Path, typer.Argument(metavar="TAKE", help="The folder of a take.", show_default=False)],
    repair: Annotated[
        bool, typer.Option("--repair", help="Rebuild the manifest from what is there; streams are never touched.")
    ] = False,
    *,
    output: Output,
) -> None:
    """Prove that a take is whole: counts, hashes, stamps and every frame.

    Example: `livestereo verify takes/kitchen`

    Ends with 1 when something is missing or damaged; after a crash `--repair` makes the take whole again.
    """
    from livestereo.takes.repair import repair as repair_take
    from livestereo.takes.verify import verify as verify_take

    with output.progress("reading every frame", _frames(take, repair=repair)) as advance:
        report = (repair_take if repair else verify_take)(take, advance)
    output.result(report.as_dict())
    _show(report, take, output)
    if not report.ok:
        raise SystemExit(1)


def _frames(take: Path, *, repair: bool) -> int | None:
    """Count what will be read; None where the manifest does not tell."""
    from livestereo.takes.manifest import load_manifest

    try:
        manifest = load_manifest(take)
    except TakeError:
        return None  # said, or mended, by what comes next
    streams = (manifest.left, manifest.right, manifest.disparity)
    count = sum(stream.frames for stream in streams if stream is not None)
    return None if manifest.state == "recording" or repair else count


def _show(report: VerifyReport, take: Path, output: Output) -> None:
    from rich.table import Table

    table = Table(title=str(take), title_justify="left", show_header=False, box=None)
    table.add_row("pairs", f"{report.pairs} written of {report.captured or report.pairs} captured")
    table.add_row("depth", f"{report.depth_pairs} recorded, {report.thinned} left out to be computed later")
    for cause, count in report.lost.items():
        table.add_row("lost", f"{counted(count, 'pair')}: {cause}")
    for gap in report.gaps:
        table.add_row("gap", f"{gap.seconds:.2f} s after pair {gap.after_pair}: {gap.cause}")
    for missing in report.missing:
        table.add_row("[red]missing", f"{missing.what}: {missing.frames}{_named(missing.numbers, missing.frames)}")
    for corrupt in report.corrupt:
        many = f"{counted(corrupt.frames, 'frame')} " if corrupt.frames > 1 or corrupt.numbers else ""
        where = _named(corrupt.numbers, corrupt.frames)
        table.add_row("[red]damaged", f"{corrupt.what}: {many}{corrupt.why}{where}")
    if report.left_out:
        table.add_row("left out", f"damaged pairs{_named(tuple(report.left_out[:20]), len(report.left_out))}")
    for note in report.notes:
        table.add_row("note", note)
    if report.ok:
        verdict = "[green]whole" + (", after the repair" if report.repaired else "")
    else:
        verdict = "[red]not whole" + ("" if report.repaired else "; `livestereo verify --repair` saves what is there")
    table.add_row("verdict", verdict)
    output.show(table)


def _named(numbers: tuple[int, ...], count: int) -> str:
    named = ", ".join(map(str, numbers))
    return f" ({named}{' …' if count > len(numbers) else ''})" if named else ""
