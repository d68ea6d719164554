"""Folders of outputs are made, and one that cannot be is told before the work begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import pair_rig, run_json, write_pair

from calibration.rigfile import save_rig
from livestereo.cli import _setup


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_rig("old.json", pair_rig())


def test_folders_are_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board, rig = Path("a/b/board.svg"), Path("c/d/rig.yaml")
    assert run_json(capsys, "board", "chessboard:9x6:25mm", "-o", board)[0] == 0 and board.is_file()
    assert run_json(capsys, "convert", "old.json", rig, "--to", "opencv")[0] == 0 and rig.is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("check", "left.png", "right.png", "--rig", "old.json", "--repair", "-o", "file/rig.json"),
        ("calibrate", "left.png", "right.png", "--board", "chessboard:9x6:25mm", "-o", "file/rig.json"),
        ("calibrate", "left.png", "right.png", "--board", "chessboard:9x6:25mm", "--report", "file/rig.html"),
        ("measure", "left.png", "right.png", "--rectified", "--point", "9,9", "--save", "file/x.png"),
        ("depth", "left.png", "right.png", "--rectified", "-o", "file/x.png"),
        ("effect", "left.png", "right.png", "--rectified", "--as", "fog", "-o", "file/x.png"),
        ("quality", "left.png", "right.png", "--rectified", "--report", "file/x.html"),
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    write_pair(tmp_path)
    Path("file").touch()
    monkeypatch.setattr(_setup.Opened, "rectification_for", lambda *given: pytest.fail("it has begun"))
    code, found, _ = run_json(capsys, *words)
    assert code == 1 and "file is not a folder" in found["error"]["what"]
