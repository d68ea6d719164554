"""Effects of photos too large for the most careful matching at their own size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_json, write_pair

from livestereo import trust
from livestereo.cli import _effect_run
from livestereo.settings import Settings


def test_large_photos_are_matched_at_half_size_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("effect", left, right, "--rectified", "--as", "fog", "-o")
    code, _, err = run_json(capsys, *words, tmp_path / "plain.png")
    assert code == 0 and "half size" not in err
    monkeypatch.setattr(_effect_run, "LARGE_PX", 1000)
    monkeypatch.setattr(trust, "MOST_PX", 10_000)
    code, _, err = run_json(capsys, *words, tmp_path / "large.png")
    assert code == 0 and "half size" in err
    plain, large = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("plain", "large"))
    assert plain.shape == large.shape
    assert np.median(np.abs(plain.astype(int) - large)) <= 4


def test_without_memory_for_the_careful_matching_the_preset_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Settings()
    assert _effect_run._careful(plain, (4000, 3000)).preset == "quality"
    assert _effect_run._careful(plain, (4000, 3000)).scale == 0.5
    assert _effect_run._careful(plain, (640, 480)).scale == 1
    monkeypatch.setattr(_effect_run, "available_bytes", lambda: 1 << 28)
    stays = _effect_run._careful(plain, (4000, 3000))
    assert stays.preset == plain.preset and stays.mode == plain.mode and stays.scale == 0.5
