"""An interrupt ends every command with 130, and what is left half done is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from cli_scenes import run_command

from livestereo import __main__ as program
from livestereo import interrupts
from livestereo.cli import _effect_run, _setup


def test_an_interrupt_while_a_class_is_made_is_one_like_any_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__ on 'lazy' instance") from interrupt

    monkeypatch.setattr(program, "_run", run)
    monkeypatch.setattr(interrupts, "listen", lambda: None)
    with pytest.raises(SystemExit) as left:
        program.main()
    assert left.value.code == 130 and capsys.readouterr().err == "Interrupted.\n"


def test_an_interrupt_that_an_import_lost_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "_heard", [2])
    for words in (("record", "demo", "--frames", 2, "-o", tmp_path / "take"), ("devices",)):
        code, _, err = run_command(capsys, *words)
        assert code == 130 and "Traceback" not in err
    assert not (tmp_path / "take").exists()


@pytest.mark.parametrize("command", ["preview", "record", "replay"])
def test_an_interrupt_before_the_first_pair_is_an_orderly_end_and_a_second_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    take = tmp_path / "take"
    source: object = "demo"
    if command == "replay":
        source = take
        assert run_command(capsys, "record", "demo", "--size", "160x120", "--frames", 2, "-o", take)[0] == 0
    words = (command, source, "--headless", "--json", *(("-o", take) if command == "record" else ()))
    for times, wanted in ((1, 0), (2, 130)):
        heard: list[int] = []
        monkeypatch.setattr(interrupts, "_heard", heard)

        def interrupted(*given: object, heard: list[int] = heard, times: int = times) -> None:
            heard.extend([2] * times)
            raise KeyboardInterrupt

        monkeypatch.setattr(_setup, "open_source", interrupted)
        code, out, err = run_command(capsys, *words)
        assert code == wanted and "Traceback" not in err
        assert (json.loads(out)["pairs"] == 0) if times == 1 else out == ""
    if command == "record":
        assert not take.exists()


def test_an_interrupt_of_a_proof_is_no_orderly_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = tmp_path / "take"
    assert run_command(capsys, "record", "demo", "--size", "160x120", "--frames", 2, "-o", take)[0] == 0

    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_setup, "open_source", interrupted)
    assert run_command(capsys, "replay", take, "--bitexact", "--json")[:2] == (130, "")


def test_other_errors_are_not_taken_for_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(program, "_run", run)
    monkeypatch.setattr(interrupts, "listen", lambda: None)
    with pytest.raises(RuntimeError, match="broken"):
        program.main()


def test_a_film_that_was_interrupted_is_kept_as_far_as_it_came_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take, out = tmp_path / "take", tmp_path / "fog.mp4"
    assert run_command(capsys, "record", "demo", "--size", "160x120", "--frames", 4, "-o", take)[0] == 0
    make, made = _effect_run.EffectRun._make, []

    def interrupted(self: Any, result: Any, *, still: bool) -> Any:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(result)
        return make(self, result, still=still)

    monkeypatch.setattr(_effect_run.EffectRun, "_make", interrupted)
    code, _, err = run_command(capsys, "effect", take, "--as", "fog", "-o", out)
    assert code == 130 and "ends after 3 pictures" in err
    film = cv2.VideoCapture(str(out))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 3
