"""The shell can complete commands and options."""

from __future__ import annotations

import pytest
from cli_scenes import run_command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_LIVESTEREO_COMPLETE", f"source_{shell}")
    code, out, _ = run_command(capsys)
    assert code == 0 and "_LIVESTEREO_COMPLETE" in out and "complete" in out


def test_commands_and_options_are_completed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_LIVESTEREO_COMPLETE", "complete_bash")
    for words, last, wanted in (("livestereo de", 1, "devices"), ("livestereo depth --clo", 2, "--cloud")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(last))
        code, out, _ = run_command(capsys)
        assert code == 0 and wanted in out.split()


def test_help_lists_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "--help")
    assert code == 0 and "--install-completion" in out and "--show-completion" in out
