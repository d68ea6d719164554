"""A settings file that is used is named, and what it takes from a preset is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_command, write_pair

from livestereo.cli import _setup
from livestereo.errors import SourceError
from livestereo.sources.request import SourceRequest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_file_here_is_named_once_and_what_it_takes_from_a_preset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("depth", left, right, "--rectified", "-o", "depth.png")
    file = tmp_path / "livestereo.toml"
    file.write_text("[presets.desk]\nmedian = 3\n")
    assert "livestereo.toml" not in run_command(capsys, *words)[2], "it has no part in these settings"
    file.write_text("median = 5\n" + file.read_text())
    code, _, err = run_command(capsys, *words, "--preset", "desk")
    assert code == 0 and err.count("Using ./livestereo.toml") == 1
    assert err.count("livestereo.toml sets median at its top level") == 1
    for other in (("preview", "demo", "--headless", "--frames", 1), ("measure", left, right, "--point", "99,80")):
        err = run_command(capsys, *other, "--preset", "desk")[2]
        assert "livestereo.toml sets median at its top level" in err, other[0]
    assert "livestereo.toml" not in run_command(capsys, *words, "--preset", "desk", "--quiet")[2]
    err = run_command(capsys, *words, "--config", file)[2]
    assert "Using" not in err


@pytest.mark.parametrize("command", ["preview", "record", "depth", "effect", "measure", "quality", "demo"])
def test_the_bound_on_skew_comes_from_the_file_where_no_option_gives_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    asked: list[SourceRequest] = []

    def refuse(pictures: object, request: SourceRequest) -> None:
        asked.append(request)
        raise SourceError("Seen.", "")

    monkeypatch.setattr(_setup, "open_source", refuse)
    Path("livestereo.toml").write_text("max_skew_ms = 7\n")
    more = {"record": ["-o", "take"], "effect": ["--as", "fog"], "measure": ["--point", "9,9"]}.get(command, [])
    words = [command, *([] if command == "demo" else ["demo"]), *more]
    headless = ["--headless"] if command in ("preview", "record", "demo") else []
    for flag, wanted_s in (([], 0.007), (["--max-skew", "3"], 0.003)):
        assert run_command(capsys, *words, *headless, *flag)[0] == 1
        assert asked[-1].max_skew_s == pytest.approx(wanted_s)
