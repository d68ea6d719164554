"""A take where nothing may be written: on a read-only disk, say."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_scenes import run_command, run_json, write_pair

from calibration.errors import CalibrationError


def test_a_take_that_cannot_be_written_is_proved_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right, _ = write_pair(tmp_path)
    take = tmp_path / "take"
    words = ("record", left, right, "--rectified", "--num-disparities", 32, "--headless", "-o", take)
    assert run_command(capsys, *words)[0] == 0

    def refuse(path: Path, text: str) -> None:
        raise CalibrationError(f"{path} cannot be written: Read-only file system.", "Choose another place.")

    monkeypatch.setattr("livestereo.takes.manifest.write_atomically", refuse)
    code, told, err = run_json(capsys, "replay", take, "--bitexact")
    assert code == 0 and told["depth_bitexact"] is True and "does not remember" in err
    (take / "take.json").unlink()
    code, _, err = run_command(capsys, "verify", take, "--repair")
    assert code == 1 and "Read-only file system" in err and "repair the copy" in err
