"""Whether the depth of a take is used or computed again, and that what is computed does not depend on the run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli_scenes import pair_rig, run_command, run_json, write_pair

from calibration.rig import StereoRig
from calibration.rigfile import RigFile, save_rig
from livestereo.takes.manifest import load_manifest, save_manifest

DEMO = "demo:room,size=160x120"


def _edit_index(take: Path, change: Any) -> None:
    """Change lines of the index; the take says no more what the index was."""
    path = take / "frames.jsonl"
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _median_mm(folder: Path) -> float:
    depth = cv2.imread(str(folder / "000000.png"), cv2.IMREAD_UNCHANGED)
    return float(np.median(depth[depth > 0]))


@pytest.fixture
def take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    write_pair(tmp_path / "in")
    save_rig(tmp_path / "rig.json", pair_rig())
    code, _, err = run_json(
        capsys, "record", tmp_path / "in" / "left*.png", tmp_path / "in" / "right*.png", "--rig",
        tmp_path / "rig.json", "--headless", "-o", tmp_path / "take",
    )  # fmt: skip
    assert code == 0, err
    return tmp_path / "take"


def test_an_export_with_another_rig_computes_depth_again(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = pair_rig().rig
    K = rig.right.K.copy()
    K[0, 2] += 6  # a camera that aims elsewhere: what is 8 px by the first rig is 14 px by this one
    other = StereoRig(rig.left, replace(rig.right, K=K), rig.R_right_left, 2 * rig.t_right_left_m)
    save_rig(tmp_path / "other.json", RigFile(rig=other))
    for name, more in (("own", ()), ("other", ("--rig", tmp_path / "other.json"))):
        code, _, err = run_command(capsys, "export", take, "-o", tmp_path / name, "--as", "png16", *more)
        assert code == 0, err
        assert ("computed again" in err) == bool(more)
    # depth of the wall: focal length × twice the baseline / 14 px, after focal length × baseline / 8 px
    assert _median_mm(tmp_path / "other") / _median_mm(tmp_path / "own") == pytest.approx(16 / 14, rel=0.05)


@pytest.mark.parametrize("given", [("--num-disparities", 16), ("--preset", "quality"), ("--rectified",)])
def test_an_export_with_options_about_depth_computes_it_again(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[Any, ...]
) -> None:
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "out.csv", *given)
    assert code == 0 and "computed again" in err, err


def test_an_export_on_other_threads_uses_the_recorded_depth(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "out", "--as", "png16", "--threads", 1)
    assert code == 0 and "computed again" not in err, err


def test_depth_left_out_of_a_smoothed_take_comes_out_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take = tmp_path / "take"
    code, told, err = run_json(capsys, "record", DEMO, "--temporal", "--frames", 10, "--headless", "-o", take)
    assert code == 0, err
    _edit_index(take, lambda line: {**line, "depth": None} if line.get("pair") in range(3, 8) and "depth" in line
                else line)  # fmt: skip
    for _ in range(2):
        code, again, err = run_json(capsys, "replay", take, "--headless")
        assert code == 0 and again["disparity_sha256"] == told["disparity_sha256"], err


def test_a_proof_has_the_keys_of_every_replay(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, proved, err = run_json(capsys, "replay", take, "--bitexact", "--headless")
    assert code == 0 and proved["depth_bitexact"] is True and "not damage" not in err
    played = run_json(capsys, "replay", take, "--headless")[1]
    assert set(played) <= set(proved) and proved["fps"] is None
    assert played["settings"].keys() >= proved["settings"].keys() and proved["settings"]["matcher"]


def test_other_versions_that_give_the_same_depth_are_no_matter(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = load_manifest(take)
    manifest.versions["numpy"] = "0.1"
    save_manifest(take, manifest)
    code, _, err = run_command(capsys, "replay", take, "--bitexact")
    assert code == 0 and "Other versions" not in err


def test_one_pair_is_not_called_pairs(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("record", take, "-o", tmp_path / "again", "--headless"), ("replay", take, "-o", tmp_path / "b")):
        code, out, err = run_command(capsys, *words)
        assert code == 0 and "1 pair" in err and not re.search(r"(?<![\d.])1 pairs\b", out + err)
    out = run_command(capsys, "export", take, "-o", tmp_path / "out", "--as", "png16")[1]
    assert "1 pair as" in out
