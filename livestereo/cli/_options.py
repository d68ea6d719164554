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

from livestereo.cli._choices import check_duration, within
from livestereo.cli._errors import report_errors
from livestereo.cli._output import Output
from livestereo.errors import SettingsError
from livestereo.interrupts import raise_if_heard

_PICTURES_HELP = "Two cameras, files, patterns in quotes, URLs, a take, or `demo`."
Pictures = Annotated[
    list[str],
    typer.Argument(metavar="LEFT [RIGHT]", show_default=False, help=_PICTURES_HELP),
]
OptionalPictures = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LEFT [RIGHT]]", show_default=False, help=_PICTURES_HELP),
]


def _panel(title: str) -> Callable[..., Any]:
    def option(text: str, *names: str, metavar: str | None = None) -> Any:
        return typer.Option(*names, metavar=metavar, help=text, rich_help_panel=title)

    return option


_source, _rig, _match, _run, _out = (_panel(t) for t in ("Source", "Rig", "Depth", "Run", "Output"))


@dataclasses.dataclass(frozen=True)
class SourceOptions:
    """How pictures are taken from the source."""

    side_by_side: Annotated[bool, _source("LEFT carries both views, left | right.", "--side-by-side")] = False
    top_bottom: Annotated[bool, _source("LEFT carries both views, left above right.", "--top-bottom")] = False
    size: Annotated[
        str | None,
        _source("Picture size to ask the cameras for; one for both or one for each.", "--size", metavar="WxH[,WxH]"),
    ] = None
    fps: Annotated[str | None, _source("Rate to ask the cameras for.", "--fps", metavar="N[,N]")] = None
    fourcc: Annotated[
        str | None, _source("Pixel format to ask the cameras for; MJPG if left out.", "--fourcc", metavar="MJPG[,…]")
    ] = None
    exposure: Annotated[
        str | None,
        _source("Automatic, locked as it is now, or so many milliseconds.", "--exposure", metavar="auto|locked|MS"),
    ] = None
    swap: Annotated[
        bool | None, _source("Exchange left and right; what the rig says if left out.", "--swap/--no-swap")
    ] = None
    flip: Annotated[
        str | None, _source("none, h, v, 180, 90 or 270; one for both or one for each.", "--flip", metavar="A[,B]")
    ] = None
    max_skew: Annotated[
        float | None, _source("Drop pairs whose exposures are further apart.", "--max-skew", metavar="MS")
    ] = None
    shift: Annotated[
        float | None,
        _source(
            "Stamp bias: the right side really is so much later than its stamps say, as `sync` measures it; "
            "what the rig says if left out. Films are paired by it.",
            "--shift", metavar="MS",
        ),
    ] = None  # fmt: skip
    allow_missing: Annotated[bool, _source("Skip pictures whose partner is missing.", "--allow-missing")] = False


@dataclasses.dataclass(frozen=True)
class PhaseOptions:
    """Whether live cameras are brought into phase first."""

    phase_search: Annotated[
        float | None,
        _source(
            "Open the right camera again and again until both expose within so many milliseconds.",
            "--phase-search", metavar="MS",
        ),
    ] = None  # fmt: skip


@dataclasses.dataclass(frozen=True)
class RigOptions:
    """Which calibration applies."""

    rig: Annotated[Path | None, _rig("Rig file; ./rig.json is used if it is there.", "--rig", metavar="FILE")] = None
    scale_rig: Annotated[bool, _rig("Scale a rig that was made at another picture size.", "--scale-rig")] = False
    rectified: Annotated[bool, _rig("The pictures are rectified already.", "--rectified")] = False


@dataclasses.dataclass(frozen=True)
class MatchOptions:
    """How depth is computed."""

    preset: Annotated[
        str | None, _match("balanced, quality, fast, turbo, or one of your own.", "--preset", metavar="NAME")
    ] = None
    matcher: Annotated[str | None, _match("The matcher.", "--matcher", metavar="sgbm|bm|sgm")] = None
    mode: Annotated[str | None, _match("Mode of StereoSGBM.", "--mode", metavar="sgbm|3way|hh|hh4")] = None
    min_depth: Annotated[float | None, _match("Nearest depth of interest, metres.", "--min-depth", metavar="M")] = None
    max_depth: Annotated[float | None, _match("Farthest depth of interest, metres.", "--max-depth", metavar="M")] = None
    num_disparities: Annotated[
        int | None, _match("Disparity range, pixels of the full-size picture.", "--num-disparities", metavar="N")
    ] = None
    min_disparity: Annotated[
        int | None, _match("Smallest disparity, pixels of the full-size picture.", "--min-disparity", metavar="N")
    ] = None
    block_size: Annotated[int | None, _match("Block size of the matcher, odd.", "--block-size", metavar="N")] = None
    wls: Annotated[bool | None, _match("Fill and smooth with the WLS filter.", "--wls/--no-wls")] = None
    temporal: Annotated[bool | None, _match("Smooth over time where nothing moves.", "--temporal/--no-temporal")] = None
    holes: Annotated[bool | None, _match("Fill holes by kind.", "--fill-holes/--no-fill-holes")] = None
    config: Annotated[
        Path | None,
        _match("Settings file (TOML); ./livestereo.toml is used if it is there.", "--config", metavar="FILE"),
    ] = None
    threads: Annotated[
        int | None, _match("Threads of each matcher; chosen from the cores if left out.", "--threads", metavar="N")
    ] = None
    workers: Annotated[
        int | None,
        _match("Pairs matched at the same time; chosen from the cores if left out.", "--workers", metavar="N"),
    ] = None


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How long a run goes on and where it shows."""

    frames: Annotated[int | None, _run("Stop after so many pairs.", "--frames", metavar="N")] = None
    duration: Annotated[float | None, _run("Stop after so many seconds.", "--duration", metavar="S")] = None
    headless: Annotated[bool, _run("No window.", "--headless")] = False
    save_dir: Annotated[Path, _run("Where the keys s and r save.", "--save-dir", metavar="DIR")] = Path(
        "livestereo-out"
    )

    def __post_init__(self) -> None:
        within("--frames", self.frames, 1)
        check_duration(self.duration)


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What is printed."""

    json: Annotated[bool, _out("Print one JSON value on stdout and nothing else there.", "--json")] = False
    quiet: Annotated[bool, _out("Only results, warnings and errors.", "--quiet")] = False
    verbose: Annotated[bool, _out("More of what happens; tracebacks of errors.", "-v", "--verbose")] = False

    def open(self) -> Output:
        """Make the output that these options ask for."""
        return Output(json=self.json, quiet=self.quiet, verbose=self.verbose)


def _hints(of: Any) -> dict[str, Any]:
    """Give the annotations of a function or class. Python 3.10 wraps one whose default is None in another Optional,
    under which typer would not find the option.
    """
    found = typing.get_type_hints(of, include_extras=True)
    for name, hint in found.items():
        first = next(iter(typing.get_args(hint)), None)
        if typing.get_origin(hint) is typing.Union and typing.get_origin(first) is Annotated:
            found[name] = first
    return found


def _option_names(spread: dict[str, inspect.Parameter]) -> dict[str, list[str]]:
    """Give the names of each option of the command line, as they are written; arguments have none."""
    names: dict[str, list[str]] = {}
    for name, parameter in spread.items():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(info, typer.models.OptionInfo):
                # typer takes the first name for a default, and puts that right later.
                words = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
                names[name] = [part for word in words for part in word.split("/") if part.startswith("-")]
    return names


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Spread option groups into options; a parameter of type `Output` gets the opened output.

    Every command gets --json, --quiet and -v. Known errors end in one message and exit code 1.

    Raises:
        TypeError: two options bear the same name.
    """
    hints = _hints(function)
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
        group_hints = _hints(group)
        for field in dataclasses.fields(group):
            if field.name in spread:  # only one of them would work
                raise TypeError(f"Two options of {function.__name__} are called {field.name}.")
            spread[field.name] = inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=group_hints[field.name]
            )

    names = _option_names(spread)
    known = {word for words in names.values() for word in words}

    @wraps(function)
    def run(**given: Any) -> None:
        swallowed = next(((name, str(given[name])) for name in names if str(given[name]) in known), None)
        output = OutputOptions(**{f.name: given.pop(f.name) for f in dataclasses.fields(OutputOptions)}).open()
        if output_name:
            given[output_name] = output
        with report_errors(output):
            if swallowed is not None:
                option = names[swallowed[0]][-1]
                raise SettingsError(f"{option} has no value: {swallowed[1]} follows it.", f"Write one after {option}.")
            for name, group in groups.items():
                given[name] = group(**{f.name: given.pop(f.name) for f in dataclasses.fields(group)})
            raise_if_heard()
            function(**given)

    del run.__wrapped__  # the options are those of `spread`, not of `function`
    described: Any = run  # what typer reads is no attribute that functions are known to have
    described.__signature__ = inspect.Signature(list(spread.values()))
    run.__annotations__ = {name: parameter.annotation for name, parameter in spread.items()}
    return run
