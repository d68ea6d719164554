"""The format of an export may be left out: the name of what is made says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_command, run_json

from livestereo.imageio import OutputError


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("take") / "take"


@pytest.fixture(autouse=True)
def recorded(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not take.exists():
        assert run_command(capsys, "record", "demo", "--size", "160x120", "--frames", 2, "-o", take)[0] == 0


@pytest.mark.parametrize(("name", "form"), [
    ("film.mp4", "mp4"), ("FILM.MP4", "mp4"), ("pairs.csv", "csv"), ("clouds.ply", "ply"), ("depth", "png16"),
])  # fmt: skip
def test_the_name_says_the_format(
    name: str, form: str, take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, err = run_json(capsys, "export", take, "-o", tmp_path / name)
    assert (code, told["as"], told["pairs"]) == (0, form, 2), err
    assert (tmp_path / name).is_file() == (form in ("mp4", "csv"))


def test_a_named_format_counts_more(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run_json(capsys, "export", take, "-o", tmp_path / "left.mp4", "--as", "png16")
    assert (code, told["as"], (tmp_path / "left.mp4").is_dir()) == (0, "png16", True)


def test_a_view_needs_a_film(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "depth", "--view", "left")
    assert code == 1
    assert "Add --as mp4" in err
    assert not (tmp_path / "depth").exists()


def test_what_cannot_be_written_is_told_by_the_name_that_people_know(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        raise OutputError(f"{path} cannot be written: No space left on device.", "Is the disk full?")

    monkeypatch.setattr("livestereo.takes.export.write_picture", full)
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "depth")
    assert code == 1
    assert f"error: {tmp_path / 'depth' / '000000.png'} cannot be written" in err
    assert list(tmp_path.glob("*dept*")) == []
