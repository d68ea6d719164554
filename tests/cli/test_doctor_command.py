"""The doctor where a camera does not start."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from cli_scenes import pair_rig, run_command, run_json, write_pair

from calibration.rigfile import save_rig
from livestereo.cli import _setup
from livestereo.errors import CameraRefused
from livestereo.sources.capture import Camera
from livestereo.sources.devices import why_not_open


@pytest.mark.parametrize(("number", "check"), [(errno.ENOSPC, "bandwidth"), (errno.EACCES, "permission")])
def test_a_camera_that_does_not_start_is_a_finding(
    number: int, check: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = Camera("2", "/dev/video2", 200, "usb:046d-0825@1-3")

    def refuse(pictures: object, request: object) -> None:
        raise why_not_open(camera, lambda path: number)

    monkeypatch.setattr(_setup, "open_source", refuse)
    code, found, _ = run_json(capsys, "doctor", "0", "2")
    assert code == 0
    assert found[0]["check"] == check and not found[0]["ok"]


def test_a_camera_that_is_in_use_is_told_as_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = Camera("2", "/dev/video2", 200, "usb:046d-0825@1-3")
    refused = why_not_open(camera, lambda path: errno.EBUSY)
    assert isinstance(refused, CameraRefused) and refused.check == ""

    def refuse(pictures: object, request: object) -> None:
        raise refused

    monkeypatch.setattr(_setup, "open_source", refuse)
    code, _, told = run_command(capsys, "doctor", "0", "2")
    assert code == 1
    assert "in use by another program" in told and "fuser /dev/video2" in told


def test_pictures_of_different_scenes_are_told_without_a_rig(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path, seed=1)
    _, other, _ = write_pair(tmp_path, "_other", seed=2)
    assert _vertical(run_json(capsys, "doctor", left, right)[1])["ok"]
    told = _vertical(run_json(capsys, "doctor", left, other)[1])
    assert not told["ok"] and "cannot be told" in told["what"] and "two different scenes" in told["what"]


def test_pictures_that_do_not_show_whether_the_rig_fits_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, _, _ = write_pair(tmp_path, seed=1)
    _, other, _ = write_pair(tmp_path, "_other", seed=2)
    save_rig(tmp_path / "rig.json", pair_rig())
    told = _vertical(run_json(capsys, "doctor", left, other, "--rig", tmp_path / "rig.json")[1])
    assert not told["ok"] and told["what"].startswith("Whether the rig fits cannot be told.")


def _vertical(found: Any) -> dict[str, Any]:
    (one,) = [finding for finding in found if finding["check"] == "vertical"]
    return dict(one)
