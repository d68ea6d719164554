"""Where neither a rig nor the pictures tell how two cameras stand, raw pictures are recorded; depth comes later."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json

PAIRS = 20  # more than wait while the first one is looked at


def films(folder: Path, right_wh: tuple[int, int]) -> list[str]:
    """Two short films of noise, the left one 160x120."""
    rng = np.random.default_rng(2)
    words = []
    for side, size in (("left", (160, 120)), ("right", right_wh)):
        path = folder / f"{side}.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, size)
        for _ in range(PAIRS):
            writer.write(rng.integers(0, 256, (*size[::-1], 3)).astype(np.uint8))
        writer.release()
        words.append(str(path))
    return words


@pytest.mark.parametrize("right_wh", [(80, 60), (160, 120)])
def test_raw_pictures_alone_are_recorded_and_it_is_told(
    right_wh: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take = tmp_path / "take"
    code, told, err = run_json(capsys, "record", *films(tmp_path, right_wh), "-o", take, "--headless")
    assert (code, told["written"], told["depth_written"], told["thinned"]) == (0, PAIRS, 0, 0), err
    assert told["fill_percent"] is None and err.count("warning") == 1
    assert "Only 0 points could be matched" in err and "replay TAKE --rig" in err
    assert run_command(capsys, "verify", take)[0] == 0
    assert run_command(capsys, "export", take, "--view", "left", "-o", tmp_path / "left.mp4")[0] == 0
    code, _, err = run_command(capsys, "replay", take, "--headless")
    assert code == 1 and "points could be matched" in err


def test_depth_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("record", *films(tmp_path, (80, 60)), "-o", tmp_path / "take", "--headless", "--only", "depth")
    code, _, err = run_command(capsys, *words)
    assert code == 1 and "points could be matched" in err
