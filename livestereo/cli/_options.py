"""Options that several commands share, declared once, as groups that a command takes as one parameter.

    @command
    def preview(pictures: Pictures, source: SourceOptions, rig: RigOptions, out: OutputOptions) -> None:

`command` spreads the fields of each group into options of the command line, gathers them again,
opens the `Output`, and turns known errors into messages.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from livestereo.cli._errors import report_errors
from livestereo.cli._output import Output

Option = typer.Option
Pictures = Annotated[
    list[str],
    typer.Argument(metavar="LEFT [RIGHT]", show_default=False, help="Two cameras, files, patterns in quotes, URLs, a take, or `demo`."),
]
OptionalPictures = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LEFT [RIGHT]]", show_default=False, help="Two cameras, files, patterns in quotes, URLs, a take, or `demo`."),
]  # fmt: skip
_SOURCE, _RIG, _MATCH, _RUN, _OUT = "Source", "Rig", "Depth", "Run", "Output"


@dataclasses.dataclass(frozen=True)
class SourceOptions:
    """How pictures are taken from the source."""

    side_by_side: Annotated[bool, Option("--side-by-side", rich_help_panel=_SOURCE, help="LEFT carries both views, left | right.")] = False
    top_bottom: Annotated[bool, Option("--top-bottom", rich_help_panel=_SOURCE, help="LEFT carries both views, left above right.")] = False
    size: Annotated[str | None, Option("--size", metavar="WxH[,WxH]", rich_help_panel=_SOURCE, help="Picture size to ask the cameras for; one for both or one for each.")] = None
    fps: Annotated[str | None, Option("--fps", metavar="N[,N]", rich_help_panel=_SOURCE, help="Rate to ask the cameras for.")] = None
    fourcc: Annotated[str | None, Option("--fourcc", metavar="MJPG[,…]", rich_help_panel=_SOURCE, help="Pixel format to ask the cameras for; MJPG if left out.")] = None
    exposure: Annotated[str | None, Option("--exposure", metavar="auto|locked|MS", rich_help_panel=_SOURCE, help="Automatic, locked as it is now, or so many milliseconds.")] = None
    swap: Annotated[bool, Option("--swap", rich_help_panel=_SOURCE, help="Exchange left and right.")] = False
    flip: Annotated[str | None, Option("--flip", metavar="A[,B]", rich_help_panel=_SOURCE, help="none, h, v, 180, 90 or 270; one for both or one for each.")] = None
    max_skew: Annotated[float | None, Option("--max-skew", metavar="MS", rich_help_panel=_SOURCE, help="Drop pairs whose exposures are further apart.")] = None
    allow_missing: Annotated[bool, Option("--allow-missing", rich_help_panel=_SOURCE, help="Skip pictures whose partner is missing.")] = False


@dataclasses.dataclass(frozen=True)
class RigOptions:
    """Which calibration applies."""

    rig: Annotated[Path | None, Option("--rig", metavar="FILE", rich_help_panel=_RIG, help="Rig file; ./rig.json is used if it is there.")] = None
    scale_rig: Annotated[bool, Option("--scale-rig", rich_help_panel=_RIG, help="Scale a rig that was made at another picture size.")] = False
    rectified: Annotated[bool, Option("--rectified", rich_help_panel=_RIG, help="The pictures are rectified already.")] = False


@dataclasses.dataclass(frozen=True)
class MatchOptions:
    """How depth is computed."""

    preset: Annotated[str | None, Option("--preset", metavar="NAME", rich_help_panel=_MATCH, help="balanced, quality, fast, turbo, or one of your own.")] = None
    matcher: Annotated[str | None, Option("--matcher", metavar="sgbm|bm|sgm", rich_help_panel=_MATCH, help="The matcher.")] = None
    mode: Annotated[str | None, Option("--mode", metavar="sgbm|3way|hh|hh4", rich_help_panel=_MATCH, help="Mode of StereoSGBM.")] = None
    min_depth: Annotated[float | None, Option("--min-depth", metavar="M", rich_help_panel=_MATCH, help="Nearest depth of interest, metres.")] = None
    max_depth: Annotated[float | None, Option("--max-depth", metavar="M", rich_help_panel=_MATCH, help="Farthest depth of interest, metres.")] = None
    num_disparities: Annotated[int | None, Option("--num-disparities", metavar="N", rich_help_panel=_MATCH, help="Disparity range, pixels of the full-size picture.")] = None
    min_disparity: Annotated[int | None, Option("--min-disparity", metavar="N", rich_help_panel=_MATCH, help="Smallest disparity, pixels of the full-size picture.")] = None
    block_size: Annotated[int | None, Option("--block-size", metavar="N", rich_help_panel=_MATCH, help="Block size of the matcher, odd.")] = None
    wls: Annotated[bool | None, Option("--wls/--no-wls", rich_help_panel=_MATCH, help="Fill and smooth with the WLS filter.")] = None
    temporal: Annotated[bool | None, Option("--temporal/--no-temporal", rich_help_panel=_MATCH, help="Smooth over time where nothing moves.")] = None
    holes: Annotated[bool | None, Option("--fill-holes/--no-fill-holes", rich_help_panel=_MATCH, help="Fill holes by kind.")] = None
    config: Annotated[Path | None, Option("--config", metavar="FILE", rich_help_panel=_MATCH, help="Settings file (TOML); ./livestereo.toml is used if it is there.")] = None
    threads: Annotated[int | None, Option("--threads", metavar="N", rich_help_panel=_MATCH, help="Threads of each matcher; chosen from the cores if left out.")] = None
    workers: Annotated[int | None, Option("--workers", metavar="N", rich_help_panel=_MATCH, help="Pairs matched at the same time; chosen from the cores if left out.")] = None


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How long a run goes on and where it shows."""

    frames: Annotated[int | None, Option("--frames", metavar="N", rich_help_panel=_RUN, help="Stop after so many pairs.")] = None
    duration: Annotated[float | None, Option("--duration", metavar="S", rich_help_panel=_RUN, help="Stop after so many seconds.")] = None
    headless: Annotated[bool, Option("--headless", rich_help_panel=_RUN, help="No window.")] = False
    save_dir: Annotated[Path, Option("--save-dir", metavar="DIR", rich_help_panel=_RUN, help="Where the keys s and r save.")] = Path("livestereo-out")


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What is printed."""

    json: Annotated[bool, Option("--json", rich_help_panel=_OUT, help="Print one JSON value on stdout and nothing else there.")] = False
    quiet: Annotated[bool, Option("--quiet", rich_help_panel=_OUT, help="Only results, warnings and errors.")] = False
    verbose: Annotated[bool, Option("-v", "--verbose", rich_help_panel=_OUT, help="More of what happens; tracebacks of errors.")] = False

    def open(self) -> Output:
        """Make the output that these options ask for."""
        return Output(json=self.json, quiet=self.quiet, verbose=self.verbose)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Spread option groups into options; a parameter of type `Output` gets the opened output.

    Every command gets --json, --quiet and -v. Known errors end in one message and exit code 1.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    groups: dict[str, type[Any]] = {}
    spread: dict[str, inspect.Parameter] = {}
    output_name = ""
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if kind is Output:
            output_name = parameter.name
        elif dataclasses.is_dataclass(kind):
            groups[parameter.name] = typing.cast("type[Any]", kind)
        else:
            spread[parameter.name] = parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY)
    for group in (*groups.values(), OutputOptions):
        group_hints = typing.get_type_hints(group, include_extras=True)
        for field in dataclasses.fields(group):
            spread[field.name] = inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=group_hints[field.name]
            )

    @wraps(function)
    def run(**given: Any) -> None:
        output = OutputOptions(**{f.name: given.pop(f.name) for f in dataclasses.fields(OutputOptions)}).open()
        for name, group in groups.items():
            given[name] = group(**{f.name: given.pop(f.name) for f in dataclasses.fields(group)})
        if output_name:
            given[output_name] = output
        with report_errors(output):
            function(**given)

    del run.__wrapped__  # type: ignore[attr-defined]  # the options are those of `spread`, not of `function`
    run.__signature__ = inspect.Signature(list(spread.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in spread.items()}
    return run
