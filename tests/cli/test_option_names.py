"""Each option of a command has a name of its own: of two with one name, only the last would work."""

from __future__ import annotations

from collections import Counter

import pytest
import typer

from livestereo.cli._options import SourceOptions, command
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
