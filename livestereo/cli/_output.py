"""One output for people and for scripts: results on stdout, everything else on stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: NaN and infinity become null, arrays lists, paths text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, pathlib.PurePath):
        return str(value)
    return value


class Output:
    """What a command says. With `json`, stdout gets exactly one JSON value; `quiet` silences notes."""

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self._said: set[str] = set()
        self._out = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
        self._err = Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())

    def result(self, value: Any) -> None:
        """Print the command's result for a script; does nothing without `json`. Call it once."""
        if self.json:
            sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def show(self, *renderables: RenderableType) -> None:
        """Print the result for a person, on stdout; does nothing with `json`."""
        if not self.json:
            for renderable in renderables:
                self._out.print(renderable)

    def say(self, text: str) -> None:
        """Tell something by the way, on stderr; silent with `quiet`."""
        if not self.quiet:
            self._err.print(Text(text))

    def say_once(self, text: str) -> None:
        """Tell something by the way that several parts of a command may come upon."""
        if text not in self._said:
            self._said.add(text)
            self.say(text)

    def notice(self, text: str) -> None:
        """Tell something the user cannot do without (a link to open), on stderr, also with `quiet`."""
        self._err.print(Text(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Tell something the user should know, on stderr, also with `quiet`."""
        self._err.print(Text("warning: ", style="yellow") + Text(text))

    def failure(self, what: str, fix: str, details: dict[str, Any]) -> None:
        """Tell a known failure; with `json` also as the command's one value."""
        with suppress(OSError):  # it may be stdout itself that cannot be written
            self.result({**details, "error": {"what": what, "fix": fix}})
        self._err.print(Text("error: ", style="bold red") + Text(f"{what} {fix}".strip()))

    @contextmanager
    def progress(self, text: str, total: int | None) -> Iterator[Any]:
        """Show a progress bar on stderr; gives a function `advance(n=1)`."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        hidden = self.quiet or not sys.stderr.isatty()
        with Progress(*columns, console=self._err, transient=True, disable=hidden) as bar:
            task = bar.add_task(text, total=total)
            yield lambda n=1: bar.advance(task, n)

    def track(self, items: Iterable[Any], text: str, total: int | None = None) -> Iterator[Any]:
        """Iterate with a progress bar."""
        with self.progress(text, total) as advance:
            for item in items:
                yield item
                advance()
