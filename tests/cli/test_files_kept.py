"""No output may replace a picture that is being read."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json

from livestereo.__main__ import _speak_any_language
from livestereo.cli._output import Output
from livestereo.errors import SourceError
from livestereo.imageio import OutputError, reading, write_picture
from livestereo.sources.files import is_picture


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures, 12 px apart, in the working folder."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (120, 260)).astype(np.float32), (0, 0), 1.5)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    for name, x in (("left", 0), ("right", 12)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), wide[:, x : x + 240])
    (tmp_path / "link.png").symlink_to("left.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("out", ["left.png", "./right.png", "link.png", "."])
def test_depth_does_not_replace_the_photos(pair: Path, capsys: pytest.CaptureFixture[str], out: str) -> None:
    before = {name: (pair / name).read_bytes() for name in ("left.png", "right.png")}
    code, result, _ = run_json(capsys, "depth", "left.png", "right.png", "--rectified", "-o", out)
    assert code == 1 and "would be lost" in result["error"]["what"]
    assert {name: (pair / name).read_bytes() for name in before} == before
    assert run_command(capsys, "depth", "left.png", "right.png", "--rectified", "-o", "depth.png")[0] == 0


def test_what_is_no_longer_read_may_be_replaced(pair: Path) -> None:
    picture = np.zeros((4, 4), np.uint8)
    with reading([pair / "left.png"]), pytest.raises(OutputError, match="would be lost"):
        write_picture(pair / "left.png", picture)
    write_picture(pair / "left.png", picture)
    assert cv2.imread(str(pair / "left.png")).shape[:2] == (4, 4)


def test_a_link_to_nothing_is_told_as_one(pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair / "dead.png").symlink_to("gone.png")
    code, result, _ = run_json(capsys, "depth", "dead.png", "right.png")
    assert code == 1 and "link to gone.png" in result["error"]["what"]


def test_a_name_that_is_no_text_is_told(pair: Path) -> None:
    """OpenCV would end the program with a segmentation fault."""
    path = pair / "left\udcff.png"
    try:
        path.write_bytes((pair / "left.png").read_bytes())
    except (OSError, UnicodeEncodeError):
        pytest.skip("this file system has no such names")
    with pytest.raises(SourceError, match="Rename the file"):
        is_picture(path)


def test_a_terminal_without_our_letters_gets_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    _speak_any_language()
    Output().show("1 σ")
    sys.stdout.flush()
    assert raw.getvalue().rstrip() == b"1 \\u03c3"


def test_closed_streams_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    _speak_any_language()
    for stream in (sys.stdout, sys.stderr):
        assert stream is not None and stream.name == os.devnull and stream.writable()
    Output().show("nobody listens")
    Output().say("nor here")


def test_a_full_disk_behind_stdout_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    output = Output(json=True)
    stdout, sys.stdout = sys.stdout, Full()
    try:
        output.failure("What happened.", "What to do.", {})
    finally:
        sys.stdout = stdout
    assert "What happened. What to do." in capsys.readouterr().err
