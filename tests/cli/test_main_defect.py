"""A defect of the program while threads still work: told as a traceback, and left with 1 instead of an abort."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

import livestereo.__main__ as program
import livestereo.cli.app


def test_a_defect_beside_busy_threads_is_told_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> NoReturn:
        raise TypeError("a defect")

    def leave(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(livestereo.cli.app, "run", broken)
    monkeypatch.setattr(program, "_still_busy", lambda: True)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit) as left:
        program._run()
    assert left.value.code == 1
    told = capsys.readouterr().err
    assert "Traceback" in told and "TypeError: a defect" in told
    monkeypatch.setattr(program, "_still_busy", lambda: False)
    with pytest.raises(TypeError, match="a defect"):
        program._run()
