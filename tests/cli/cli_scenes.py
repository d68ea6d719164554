"""Pairs on disk with exact truth, and a way to run a command as a user does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.rig import Intrinsics, StereoRig
from calibration.rigfile import RigFile
from livestereo.cli.app import run

WALL_PX, SQUARE_PX = 8, 24
WIDTH, HEIGHT = 240, 160


def write_pair(folder: Path, name: str = "", seed: int = 0, rise_px: int = 0) -> tuple[Path, Path, np.ndarray]:
    """A textured wall and a square before it; gives left, right and the true disparity."""
    rng = np.random.default_rng(seed)

    def texture(h: int, w: int, level: int) -> np.ndarray:
        noise = cv2.GaussianBlur(rng.normal(0, 1, (h, w, 3)).astype(np.float32), (0, 0), 1.1)
        return np.clip(level + 40 * noise / noise.std(), 0, 255).astype(np.uint8)

    wall, square = texture(HEIGHT, WIDTH + WALL_PX, 130), texture(70, 80, 90)
    truth = np.full((HEIGHT, WIDTH), WALL_PX, np.float32)
    truth[50:120, 90:170] = SQUARE_PX
    left = wall[:, :WIDTH].copy()
    left[50:120, 90:170] = square
    right = wall[:, WALL_PX:].copy()
    right[50:120, 90 - SQUARE_PX : 170 - SQUARE_PX] = square
    right = np.roll(right, rise_px, axis=0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"left{name}.png", folder / f"right{name}.png"
    for path, image in zip(paths, (left, right)):
        assert cv2.imwrite(str(path), image)
    return *paths, truth


def pair_rig() -> RigFile:
    """The rig of `write_pair`: f = 200 px, 80 mm apart."""
    K = [[200, 0, (WIDTH - 1) / 2], [0, 200, (HEIGHT - 1) / 2], [0, 0, 1]]
    camera = Intrinsics(np.array(K, float), np.zeros(5), "pinhole", (WIDTH, HEIGHT))
    return RigFile(rig=StereoRig(camera, camera, np.eye(3), np.array([-0.08, 0, 0])))


def run_command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run a command line; gives exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as left:
        run([str(word) for word in words])
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    """Run a command line with --json; gives exit code, the one value, stderr."""
    code, out, err = run_command(capsys, *words, "--json")
    return code, json.loads(out), err
