"""`livestereo sync` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json, write_pair

from calibration.rigfile import load_rig, save_rig
from livestereo.sources.demo import open_demo

FLASHES = "demo:room,size=160x120,seed=3,phase=9ms,jitter=1ms,bias=2ms,readout=20ms,exposure=8ms,flash"


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    path = tmp_path / "rig.json"
    save_rig(path, open_demo("demo:room,size=160x120").rig)
    return path


def film(path: Path, frames: int, seed: int = 0) -> Path:
    """A film in which next to nothing moves."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (160, 120))
    scene = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 255, (120, 160, 3)).astype(np.uint8), (0, 0), 3)
    for _ in range(frames):
        writer.write(scene)
    writer.release()
    return path


def test_flashes_give_the_skew_and_save_stores_the_bias(capsys, rig: Path) -> None:
    code, told, _ = run_json(
        capsys, "sync", FLASHES, "--duration", 8, "--readout", 20, "--rig", rig, "--save", "--json"
    )  # fmt: skip
    assert code == 0
    assert told["method"] == "flash"
    # Seven flashes; rows of 8 ms exposure are located to 1 % of 20 ms each.
    assert abs(told["skew_ms"] - 9.0) < max(0.5, told["uncertainty_ms"])
    assert abs(told["stamp_bias_ms"] + 2.0) < max(0.6, told["stamp_bias_uncertainty_ms"])
    assert {"skew_ms", "uncertainty_ms", "method", "drift_ms_per_min", "stamp_bias_ms"} <= set(told)
    stored = load_rig(rig)
    assert abs(stored.stamp_bias_ms - told["stamp_bias_ms"]) < 1e-3
    assert stored.timing.method == "flash"
    assert stored.timing.readout_ms is not None


def test_a_still_scene_is_refused_with_what_would_help(capsys, tmp_path: Path) -> None:
    left, right = film(tmp_path / "a.avi", 60), film(tmp_path / "b.avi", 60, seed=1)
    code, out, err = run_command(capsys, "sync", left, right, "--json")
    assert code == 1
    assert "Too little moves" in json.loads(out)["error"]["what"]
    assert "--board" in err


def test_a_board_that_is_not_there_is_told_first(capsys, tmp_path: Path) -> None:
    left, right = film(tmp_path / "a.avi", 60), film(tmp_path / "b.avi", 60, seed=1)
    code, _, err = run_command(capsys, "sync", left, right, "--board", "chessboard:9x6:25mm")
    assert code == 1
    assert "The board was found in 0 left and 0 right pictures of 60 pairs" in err


@pytest.mark.parametrize(
    ("demo", "frames_late"), [("phase=7.3ms", 0), ("phase=-6ms,readout=20ms,board=chessboard:7x5:30mm", 13)]
)
def test_films_of_a_board_need_no_rig(capsys, tmp_path: Path, demo: str, frames_late: int) -> None:
    """The right film shows everything later by its own frames, and by the phase."""
    count = 160
    with open_demo(f"demo:board,seed=9,size=320x240,{demo}") as source:
        spec = source.board.text
        pairs = [source.read() for _ in range(count + frames_late)]
    paths = tmp_path / "l.avi", tmp_path / "r.avi"
    pictures = [p.left.image for p in pairs[:count]], [p.right.image for p in pairs[frames_late:]]
    for path, images in zip(paths, pictures):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240))
        for image in images:
            writer.write(image)
        writer.release()
    code, told, err = run_json(capsys, "sync", *paths, "--board", spec, "--json")
    assert code == 0, err
    phase_ms = float(demo.split("phase=")[1].split("ms")[0])
    assert told["method"] == "board" and told["uncertainty_ms"] < 1
    # 320 px wide, JPEG: corners to 0.05 px, a thousand of them moving by 2 px a frame.
    assert abs(told["skew_ms"] - frames_late / 0.03 - phase_ms) < max(0.5, told["uncertainty_ms"])
    readout_ms = 20 if "readout" in demo else 0
    assert told["readout_ms"] == pytest.approx([readout_ms] * 2, abs=0.5)


def test_one_frame_is_too_few(capsys, tmp_path: Path) -> None:
    left, right = film(tmp_path / "a.avi", 1), film(tmp_path / "b.avi", 1, seed=1)
    code, _, err = run_command(capsys, "sync", left, right)
    assert code == 1
    assert "One pair says nothing of time" in err


def test_the_same_film_twice_is_told(capsys, tmp_path: Path) -> None:
    one = film(tmp_path / "a.avi", 60)
    other = tmp_path / "copy.avi"
    shutil.copy(one, other)
    code, _, err = run_command(capsys, "sync", one, other)
    assert code == 1
    assert "same pictures" in err


def test_photos_have_no_time(capsys, tmp_path: Path) -> None:
    for k in range(3):
        write_pair(tmp_path, str(k), seed=k)
    code, _, err = run_command(capsys, "sync", tmp_path / "left*.png", tmp_path / "right*.png", "--rectified")
    assert code == 1
    assert "Photos say nothing of when" in err


def test_save_is_refused_before_anything_is_measured(capsys, tmp_path: Path, rig: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rig.chmod(0o444)
    code, _, err = run_command(capsys, "sync", "0", "2", "--save", "--rig", rig)
    assert code == 1
    assert "may not be written" in err
    rig.unlink()
    code, _, err = run_command(capsys, "sync", "0", "2", "--save")
    assert code == 1
    assert "there is no rig.json" in err
    code, _, err = run_command(capsys, "sync", "demo", "--save")
    assert code == 1
    assert "--rig" in err


@pytest.mark.parametrize("text", ["x", "-1", "500", "20,20,20"])
def test_a_wrong_readout_is_told(capsys, text: str) -> None:
    code, _, _ = run_command(capsys, "sync", "demo", "--readout", text)
    assert code == 1
