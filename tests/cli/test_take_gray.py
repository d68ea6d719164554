"""Depth of JPEG cameras comes out of a take again, whichever way the pictures are stored and turned."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_command, run_json

PAIRS = 3
DEMO = ("demo:room", "--size", "160x120", "--frames", PAIRS, "--headless", "--num-disparities", 32)


@pytest.mark.parametrize("raw", ["auto", "ffv1"])
def test_depth_comes_out_again(raw: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "take"
    code, _, err = run_command(capsys, "record", *DEMO, "--raw", raw, "--no-preview", "-o", folder)
    assert code == 0, err
    code, told, err = run_json(capsys, "replay", folder, "--bitexact")
    assert code == 0 and told["equal"] == PAIRS, err


def test_depth_of_a_take_that_is_turned_once_more_comes_out_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, again = tmp_path / "take", tmp_path / "again"
    code, _, err = run_command(capsys, "record", *DEMO, "--flip", "180", "--no-preview", "-o", folder)
    assert code == 0, err
    code, _, err = run_command(capsys, "record", folder, "--flip", "180", "--headless", "--no-preview", "-o", again)
    assert code == 0, err
    code, told, err = run_json(capsys, "replay", again, "--bitexact")
    assert code == 0 and told["equal"] == PAIRS, err
