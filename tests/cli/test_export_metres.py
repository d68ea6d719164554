"""Formats that hold depth in 16 bits tell what they cannot hold, and every one tells what is no metres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_scenes import pair_rig, run_command, run_json, write_pair

from calibration.rig import StereoRig
from calibration.rigfile import RigFile, save_rig


def record(capsys: pytest.CaptureFixture[str], folder: Path, *options: object) -> Path:
    write_pair(folder / "in")
    take = folder / "take"
    pictures = (folder / "in" / "left*.png", folder / "in" / "right*.png")
    code, _, err = run_command(
        capsys, "record", *pictures, *options, "--num-disparities", 32, "--headless", "-o", take
    )  # fmt: skip
    assert code == 0, err
    return take


@pytest.mark.parametrize(
    ("form", "name"),
    [("csv", "x.csv"), ("ply", "x"), ("middlebury", "x"), ("mp4", "x.mp4"), ("png16", "x"), ("tum", "x")],
)
def test_relative_depth_is_told(form: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = record(capsys, tmp_path, "--rectified")
    code, told, err = run_json(capsys, "export", take, "-o", tmp_path / name, "--as", form)
    assert code == 0 and told["metric"] is False and "Depth is relative" in err
    assert ("beyond 13.1, the most" in err) == (form == "tum")  # the wall is 25 baselines away


@pytest.mark.parametrize(("form", "most"), [("tum", "13.1 m"), ("png16", "65.5 m")])
def test_depth_beyond_the_end_of_a_format_is_told(
    form: str, most: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = pair_rig().rig
    for baseline_m, far in ((0.08, False), (8.0, True)):  # the wall at 2 m, or at 200 m
        folder = tmp_path / str(baseline_m)
        folder.mkdir()
        wide = StereoRig(rig.left, replace(rig.right), rig.R_right_left, rig.t_right_left_m * baseline_m / 0.08)
        save_rig(folder / "rig.json", RigFile(rig=wide))
        take = record(capsys, folder, "--rig", folder / "rig.json")
        code, told, err = run_json(capsys, "export", take, "-o", folder / "out", "--as", form)
        assert code == 0 and told["metric"] is True and "relative" not in err
        assert (f"beyond {most}" in err) == far
