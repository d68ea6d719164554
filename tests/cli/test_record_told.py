"""What the JSON of a recording says where it ends with an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_scenes import run_json

from livestereo.codecs import H264Writer


def test_a_run_without_depth_has_no_fill_though_it_ends_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, count in (("left.mp4", 12), ("right.mp4", 5)):
        with H264Writer(tmp_path / name, (64, 48), 10.0, fragmented=False) as film:
            for number in range(count):
                film.write(np.full((48, 64, 3), 20 * number, np.uint8), number / 10)
    code, told, err = run_json(
        capsys, "record", tmp_path / "left.mp4", tmp_path / "right.mp4", "--rectified", "--only", "raw", "--headless",
        "-o", tmp_path / "take",
    )  # fmt: skip
    assert code == 1 and "ends after 5 frames" in told["error"]["what"], err
    assert told["written"] == 5 and told["dropped"]["pairing"] == 7
    assert told["fill_percent"] is None and told["disparity_sha256"] is None and told["stage_ms"] == {}
