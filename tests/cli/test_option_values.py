"""A value that the program checks ends with 1 and one JSON value, whichever command is given it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_json

FILES = ("left.png", "right.png")


@pytest.mark.parametrize(
    "words",
    [
        ("depth", *FILES, "--frames", 0),
        ("effect", *FILES, "--as", "fog", "--frames", 0),
        ("effect", *FILES, "--as", "fog", "--duration", "nan"),
        ("effect", *FILES, "--as", "wiggle", "--frame-ms", 1),
        ("evaluate", "demo", "--frames", -1),
        ("measure", *FILES, "--point", "3,3", "--pair", -1),
        ("bench", "--seconds", 0),
        ("bench", "--seconds", "inf"),
        ("bench", "--rounds", 0),
        ("bench", "--pairs", 0),
        ("preview", "demo", "--headless", "--frames", 0),
    ],
    ids=lambda words: f"{words[0]} {words[-2]} {words[-1]}",
)
def test_a_number_that_cannot_be_is_told_and_ends_with_1(
    capsys: pytest.CaptureFixture[str], words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, found, _ = run_json(capsys, *words)
    assert code == 1
    assert f"{words[-2]} {words[-1]} is not possible" in found["error"]["what"] and "Give" in found["error"]["fix"]
