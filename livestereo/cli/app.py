"""The command `livestereo`: commands in the order a new user needs them, imported when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, Any

import typer

from livestereo import __version__

# In the order a new user needs them. Module livestereo.cli.<name> holds a function <name>.
COMMANDS = (
    "demo", "devices", "board", "calibrate", "check", "convert", "sync", "preview", "record", "replay",
    "verify", "export", "depth", "effect", "measure", "evaluate", "quality", "doctor", "bench",
)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"livestereo {__version__}")
        raise typer.Exit()


def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Live stereo depth from any two cameras.

    Start with `livestereo demo`, then `devices`, `board`, `calibrate`, `preview`.
    """


def build_app(names: tuple[str, ...] = COMMANDS) -> typer.Typer:
    """Build the command line with these commands; only their modules are imported."""
    app = typer.Typer(
        name="livestereo", rich_markup_mode="markdown", pretty_exceptions_enable=False,
        no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.callback()(_about)
    for name in names:
        function: Any = getattr(importlib.import_module(f"livestereo.cli.{name}"), name)
        app.command(name=name, no_args_is_help=False)(function)
    return app


def run(args: list[str] | None = None) -> None:
    """Run the command line; always leaves by SystemExit."""
    words = sys.argv[1:] if args is None else args
    named = tuple(word for word in words if not word.startswith("-"))[:1]
    # One command named: import that alone, so that a start costs no more than it needs.
    names = named if named and named[0] in COMMANDS else COMMANDS
    # Patterns such as 'left*.png' are ours to resolve, on Windows too.
    try:
        build_app(names)(args=words, prog_name="livestereo", windows_expand_args=False)
    except OSError as error:  # help that cannot be written; commands tell of their own
        from livestereo.cli._errors import report_errors
        from livestereo.cli._output import Output

        with report_errors(Output()):
            raise error
