"""Takes of pictures with depth on both sides of no disparity, where no rig tells where infinity lies."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import HEIGHT, SQUARE_PX, WALL_PX, WIDTH, run_command, run_json, write_pair

from calibration.rectify import Rectification
from livestereo.takes.manifest import load_manifest
from livestereo.takes.relative import relative_of, with_relative

SHIFT = 16  # the wall is then at -8 px, the square at +8


def shifted_sets(folder: Path) -> list[str]:
    """Three pairs whose right pictures were shifted."""
    for number in range(3):
        for path, columns in zip(write_pair(folder, str(number), seed=number), (slice(SHIFT, None), slice(0, -SHIFT))):
            assert cv2.imwrite(str(path), cv2.imread(str(path))[:, columns])
    return [str(folder / "left*.png"), str(folder / "right*.png")]


@pytest.mark.parametrize("least", [None, -16])
def test_what_is_exported_reaches_as_far_as_what_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], least: int | None
) -> None:
    pictures = shifted_sets(tmp_path / "in")
    take = tmp_path / "take"
    asked = ["--rectified", "--min-disparity", least, "--num-disparities", 48] if least is not None else []
    code, found, err = run_json(capsys, "record", *pictures, *asked, "--headless", "-o", take)
    assert code == 0, err
    assert found["fill_percent"] > 70
    assert load_manifest(take).relative["doffs_px"] > SHIFT - WALL_PX
    assert run_command(capsys, "verify", take)[0] == 0
    assert run_command(capsys, "replay", take, "--bitexact", "--headless")[0] == 0
    kept = load_manifest(take)
    (take / "take.json").unlink()
    assert run_command(capsys, "verify", take, "--repair")[0] == 0
    assert (load_manifest(take).relative, load_manifest(take).rectified) == (kept.relative, True)
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "clouds", "--as", "ply")
    assert code == 0, err
    head = (tmp_path / "clouds" / "000000.ply").read_bytes()[:400]
    count = re.search(rb"element vertex (\d+)", head)
    assert count is not None and int(count[1]) > 0.65 * HEIGHT * (WIDTH - SHIFT)


def test_only_what_no_rig_tells_is_kept() -> None:
    plain = Rectification(size_wh=(320, 240), focal_px=280, cx_px=160, cy_px=120, baseline_m=1, metric=False)
    assert relative_of(plain) == {}
    found = Rectification(
        size_wh=(320, 240), focal_px=280, cx_px=160, cy_px=120, baseline_m=1, metric=False, doffs_px=12.5,
        min_disparity_px=-11, disparity_span_px=SQUARE_PX,
    )  # fmt: skip
    kept = relative_of(found)
    assert kept and relative_of(with_relative(plain, kept)) == kept
    metric = Rectification(size_wh=(320, 240), focal_px=280, cx_px=160, cy_px=120, baseline_m=0.1, doffs_px=3.0)
    assert relative_of(metric) == {} and with_relative(metric, kept) is metric
    assert np.isclose(with_relative(plain, {"doffs_px": 4.0}).doffs_px, 4)
