"""Depth that is mostly wrong is told, with its cause; what is likelier wrong than right is in no cloud."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import HEIGHT, WIDTH, pair_rig, run_command, run_json, write_pair

from calibration.rigfile import save_rig
from livestereo.imageio import read_pfm


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", "")
    save_rig(tmp_path / "rig.json", pair_rig())


def half_blank(folder: Path) -> tuple[Path, Path]:
    """The pair of `write_pair` with its lower part painted over, and noise of its own on each side."""
    left, right, _ = write_pair(folder)
    rng = np.random.default_rng(4)
    for path in (left, right):
        image = cv2.imread(str(path))
        image[60:] = 120
        cv2.imwrite(str(path), np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8))
    return left, right


def test_a_pair_in_order_is_told_without_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    code, found, err = run_json(capsys, "depth", left, right, "-o", "d.png")
    assert code == 0 and found["warnings"] == [] and "wrong" not in err


def test_exchanged_pictures_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    code, found, err = run_json(capsys, "depth", right, left, "-o", "d.png", "--min-depth", "0.4", "--max-depth", "9")
    assert code == 0 and len(found["warnings"]) == 1
    assert "probably wrong" in err and "--swap" in found["warnings"][0]
    code, found, _ = run_json(
        capsys, "effect", right, left, "--as", "fog", "-o", "f.png", "--min-depth", "0.4", "--max-depth", "9"
    )
    assert code == 0 and "--swap" in found["warnings"][0]


def test_rows_that_are_off_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path, rise_px=4)
    code, found, _ = run_json(capsys, "depth", left, right, "-o", "d.png")
    assert code == 0 and "rows are off by 4" in found["warnings"][0]


def test_a_range_that_leaves_the_scene_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    code, found, _ = run_json(capsys, "depth", left, right, "-o", "d.png", "--min-depth", "0.5", "--max-depth", "1")
    assert code == 0 and "farther" in found["warnings"][0] and "--max-depth" in found["warnings"][0]


def test_what_is_infinitely_far_is_too_far_and_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, _, _ = write_pair(tmp_path)
    image = cv2.imread(str(left))
    image[60:] = np.roll(image[60:], 8, axis=1)  # the lower part 8 px nearer than infinity
    cv2.imwrite("near.png", image)
    code, found, _ = run_json(
        capsys, "depth", "near.png", left, "--disparity", "d.pfm", "--confidence", "c.pfm", "--reasons", "r.png"
    )
    assert code == 0
    disparity, confidence, reason = read_pfm(Path("d.pfm")), read_pfm(Path("c.pfm")), cv2.imread("r.png", -1)
    infinite = np.isfinite(disparity) & (disparity <= 0)
    assert infinite[:50].mean() > 0.5
    assert (reason[infinite] == 7).all() and np.isnan(confidence[infinite]).all()
    row = found["pairs"][0]
    assert row["reasons_percent"]["too_far"] >= 100 * infinite.mean()
    assert 100 * np.isfinite(confidence).mean() == pytest.approx(row["density_percent"], abs=0.1)


def test_guesses_on_a_blank_wall_are_in_no_cloud_and_no_mesh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = half_blank(tmp_path)
    words = ("depth", left, right, "--disparity", "d.pfm", "--confidence", "c.pfm", "--cloud", "c.ply")
    code, found, err = run_json(capsys, *words, "--mesh", "m.ply", "--preset", "balanced")
    assert code == 0
    disparity, confidence = read_pfm(Path("d.pfm")), read_pfm(Path("c.pfm"))
    known = np.isfinite(confidence)
    assert (known <= np.isfinite(disparity)).all()
    guessed = known & (confidence < 0.5)
    assert guessed.sum() > 300, "the scene shows what is tested"
    share = found["pairs"][0]["left_out_percent"]
    assert share == pytest.approx(100 * guessed.sum() / known.sum())
    assert "Left out of cloud and mesh" in err
    vertices = int(Path("c.ply").read_bytes()[:400].split(b"element vertex ")[1].split()[0])
    assert vertices <= known.sum() - guessed.sum()


def test_a_measurement_in_doubtful_depth_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    words = ("measure", right, left, "--min-depth", "0.4", "--max-depth", "9", "--point", f"{WIDTH // 2},{HEIGHT // 2}")
    assert "--swap" in run_command(capsys, *words)[2]


def test_what_wls_fills_in_is_a_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    for path in (left, right):
        image = cv2.imread(str(path))
        image[60:, 60:] = 120
        cv2.imwrite(str(path), image)
    words = ("depth", left, right, "--wls", "--disparity", "d.pfm", "--confidence", "c.pfm", "--sigma", "s.pfm")
    assert run_command(capsys, *words)[0] == 0
    disparity, confidence, sigma = (read_pfm(Path(name)) for name in ("d.pfm", "c.pfm", "s.pfm"))
    blank = np.zeros(disparity.shape, bool)
    blank[80:-20, 100:-40] = True
    filled = blank & np.isfinite(disparity)
    assert filled.sum() > 3000, "the scene shows what is tested"
    guess = filled & (confidence <= 0.42 + 1e-6)
    assert guess.sum() > 0.9 * filled.sum() and (sigma[guess] >= 3).all()
    seen = np.isfinite(disparity[10:50, 40:-20])
    assert confidence[10:50, 40:-20][seen].mean() > 0.9, "what was matched is as sure as before"
