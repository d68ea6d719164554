"""Each option of a command has a name of its own: of two with one name, only the last would work."""

from __future__ import annotations

import subprocess
import sys
import typing
from collections import Counter
from pathlib import Path
from typing import Annotated, Optional

import pytest
import typer
from cli_scenes import run_command

from livestereo.cli._options import SourceOptions, _hints, command
from livestereo.cli.app import COMMANDS, build_app


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_options_of_a_command_share_a_name(name: str) -> None:
    shown = typer.main.get_group(build_app((name, "devices"))).commands[name]
    names = Counter(word for one in shown.params for word in (*one.opts, *one.secondary_opts))
    assert [word for word, count in names.items() if count > 1] == []


def test_an_option_that_would_hide_another_is_refused() -> None:
    def some(source: SourceOptions, shift: float = 0.0) -> None:
        """Take two options of one name."""

    with pytest.raises(TypeError, match="shift"):
        command(some)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_help_that_cannot_be_written_is_one_message() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "livestereo", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("error: The system refused: No space left on device")


def test_an_option_is_found_under_the_optional_that_python_3_10_adds() -> None:
    class Some:
        out: Optional[Annotated[Path | None, typer.Option("-o")]] = None  # noqa: UP045  as 3.10 makes of `X = None`
        size: Optional[int] = None  # noqa: UP045

    assert typing.get_origin(_hints(Some)["out"]) is Annotated
    assert _hints(Some)["size"] == Optional[int]  # noqa: UP045


def test_an_option_without_its_value_does_not_swallow_the_next_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "record", "demo", "--raw", "-o", "take")
    assert code == 1 and "--raw has no value: -o follows it" in err
