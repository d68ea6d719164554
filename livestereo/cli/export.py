"""`livestereo export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from livestereo.cli._options import MatchOptions, RigOptions, SourceOptions, command
from livestereo.cli._output import Output
from livestereo.errors import SettingsError, TakeError
from livestereo.wording import counted

if TYPE_CHECKING:
    from livestereo.takes.reader import TakeReader

NAMED = {".mp4": "mp4", ".csv": "csv", ".mcap": "mcap", ".ply": "ply"}  # formats by how the name of OUT ends


@command
def export(
    take: Annotated[Path, typer.Argument(metavar="TAKE", help="The folder of a take.", show_default=False)],
    rig: RigOptions,
    match: MatchOptions,
    output: Output,
    out: Annotated[Path | None, typer.Option("-o", "--output", metavar="OUT", help="File or folder to make.")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="FORMAT",
            help="png16, ply, mp4, tum, csv, middlebury or mcap; left out: what the name of OUT says, else png16.",
        ),
    ] = None,
    start: Annotated[float, typer.Option("--from", metavar="S", help="Begin at this second of the take.")] = 0.0,
    to: Annotated[float | None, typer.Option("--to", metavar="S", help="End at this second.")] = None,
    every: Annotated[int, typer.Option("--every", metavar="N", help="Only every N-th pair.")] = 1,
    view: Annotated[str, typer.Option("--view", metavar="both|depth|left", help="What an mp4 shows.")] = "both",
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute all depth again, with the options given here.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that is there.")] = False,
) -> None:
    """Bring a take into other formats.

    Example: `livestereo export takes/kitchen -o kitchen.mp4 --as mp4`

    Recorded depth is used; where a pair has none, it is computed with the settings of the take. With --rig, --rectified
    or an option about depth all of it is computed again.
    """
    from livestereo.cli._choices import one_of
    from livestereo.cli._playback import TakePipeline, asks_again
    from livestereo.cli._setup import open_pictures
    from livestereo.render.film import FilmMaker, FilmView
    from livestereo.sinks.cloud import save_cloud
    from livestereo.takes.export import ExportContext, ExportItem, exporting
    from livestereo.takes.reader import require_pairs

    if out is None:
        raise SettingsError("No output is named.", "Add -o OUT.")
    form = form or NAMED.get(out.suffix.lower(), "png16")
    shown = one_of(view, get_args(FilmView), "view")
    if shown != "both" and form != "mp4":
        raise SettingsError(f"--view is for films, which {form} is not.", "Add --as mp4, or leave --view out.")
    if every < 1 or start < 0 or (to is not None and to < start):
        raise SettingsError("That part of the take does not exist.", "--from and --to are seconds, --every at least 1.")

    with open_pictures([str(take)], SourceOptions(), rig, output, partial=True) as opened:
        source: Any = opened.source
        reader: TakeReader = source.reader
        require_pairs(reader)
        again = recompute or asks_again(match, rig)
        _check_there(reader, form, view, recompute=again)
        chosen = _chosen(reader, start, to, every)
        if not chosen:
            last = reader.pairs[-1].left_us / 1e6
            raise SettingsError("No pair lies in that part of the take.", f"It ends at {last:.2f} s.")
        pictures_only = form == "mp4" and view == "left"
        playing = TakePipeline(opened, match, use_recorded=not again, needs_depth=not pictures_only)
        film = FilmMaker(shown)
        context = ExportContext(reader.manifest.fps / every, film, save_cloud)
        unreadable: list[int] = []
        written, metric = 0, True
        with exporting(form, out, context, overwrite=overwrite) as exporter:
            for number in output.track(chosen, f"export {form}", len(chosen)):
                result = playing.result(number)
                if result is None:
                    unreadable.append(number)
                    continue
                entry = reader.pairs[number]
                exporter.add(ExportItem(number, entry.left_us / 1e6, entry.skew_us / 1e6, entry.seq, entry.gap, result))
                written, metric = written + 1, result.pair.rectification.metric
            if written == 0:
                raise SettingsError("None of these pairs can be read.", "`livestereo verify` tells what is damaged.")
        if again and not pictures_only and reader.has_depth:
            output.say("All depth was computed again, as asked for; that of the take was not used.")
        for note in playing.notes():
            output.say(note)
        if not (metric or pictures_only):
            output.say("Depth is relative: without a rig file (--rig) nothing tells metres.")
        for warning in exporter.warnings():
            output.warn(warning)
        if unreadable:
            many = counted(len(unreadable), "pair")
            output.warn(f"Left out: {many} that cannot be read (the first is {unreadable[0]}).")
        output.result({"out": out, "as": form, "pairs": written, "unreadable": unreadable, "metric": metric})
        output.show(f"{out}: {counted(written, 'pair')} as {form}.")


def _check_there(reader: TakeReader, form: str, view: str, *, recompute: bool) -> None:
    """Refuse a format that shows what a take has lost, or never had.

    Raises:
        TakeError: a picture or the depth that it needs is not there.
    """
    from livestereo.takes.export import NEEDS

    needed = {"both": ("left",), "left": ("left",), "depth": ()}[view] if form == "mp4" else NEEDS.get(form, ())
    gone = [side for side in needed if not (reader.has_left if side == "left" else reader.has_right)]
    if gone:
        fix = "Give --view depth." if form == "mp4" else "Choose png16, csv, or mp4 with --view depth."
        raise TakeError(f"{reader.folder} has no {' and no '.join(gone)} pictures, which {form} shows.", fix)
    if not reader.has_raw and (recompute or not reader.has_depth) and not (form == "mp4" and view == "left"):
        raise TakeError(
            f"{reader.folder} lacks pictures, so its depth cannot be computed.", "`livestereo verify` tells more."
        )


def _chosen(reader: TakeReader, start: float, to: float | None, every: int) -> list[int]:
    end = float("inf") if to is None else to
    inside = [entry.pair for entry in reader.pairs if start <= entry.left_us / 1e6 <= end]
    return inside[::every]
