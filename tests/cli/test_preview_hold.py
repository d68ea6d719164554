"""Whether what is looked at stays after its last pair, when no terminal started the program."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli_scenes import run_command

from livestereo.cli import _live
from livestereo.errors import LiveStereoError


@pytest.mark.parametrize(
    ("pairs", "words", "stays"),
    [
        (1, ("--web", "0"), True), (1, ("--web", "0", "--json"), False), (1, ("--web", "0", "--frames", "1"), False),
        (1, (), False), (3, ("--web", "0"), False),
    ],
)  # fmt: skip
def test_one_pair_stays_while_somebody_looks(
    pairs: int, words: tuple[str, ...], stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    texture = np.random.default_rng(3).integers(0, 255, (120, 190, 3), np.uint8)
    for i in range(pairs):
        cv2.imwrite(str(tmp_path / f"l{i}.png"), texture[:, :160])
        cv2.imwrite(str(tmp_path / f"r{i}.png"), texture[:, 10:170])
    held: list[bool] = []

    def refuse(*given: Any, hold: bool, **more: Any) -> None:
        held.append(hold)
        raise LiveStereoError("Seen.")

    monkeypatch.setattr(_live, "run", refuse)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, _, err = run_command(
        capsys, "preview", tmp_path / "l*.png", tmp_path / "r*.png", "--rectified", "--headless", *words
    )
    assert code == 1 and "Seen." in err
    assert held == [stays]
