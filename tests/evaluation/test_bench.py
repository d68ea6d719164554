"""`bench`: what it measures is consistent, its JSON has every key, its page stands alone. No time is judged."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from livestereo.cli.app import run
from livestereo.evaluation.bench import BenchResult
from livestereo.evaluation.bench_report import write_bench_report

KEYS = {
    "naive_fps", "naive_3way_fps", "pipeline_fps", "matcher_fps", "latency_ms", "stage_ms", "peak_mib", "settings",
}  # fmt: skip


def pair(folder: Path) -> tuple[str, str]:
    wide = np.random.default_rng(0).integers(0, 256, (72, 140), dtype=np.uint8)
    wide = cv2.GaussianBlur(wide, (0, 0), 1.2)
    for name, start in (("left", 0), ("right", 8)):
        assert cv2.imwrite(str(folder / f"{name}.png"), wide[:, start : start + 128])
    return str(folder / "left.png"), str(folder / "right.png")


def bench(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run(["bench", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_command_measures_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "bench.html"
    code, out, _ = bench(
        capsys, *pair(tmp_path), "--rectified", "--num-disparities", "16", "--presets", "balanced", "--seconds", "0.2",
        "--rounds", "1", "--json", "--report", str(page),
    )  # fmt: skip
    assert code == 0
    got = json.loads(out)
    assert set(got) >= KEYS
    assert set(got["pipeline_fps"]) == {"balanced"}
    rates = [got["naive_fps"], got["naive_3way_fps"], got["pipeline_fps"]["balanced"], got["matcher_fps"]["balanced"]]
    assert all(rate > 0 for rate in rates)
    assert got["settings"]["num_disparities"] == 16
    assert {"p50", "p95"} <= set(got["latency_ms"]) and {"match", "rectify"} <= set(got["stage_ms"])
    text = page.read_text()
    assert "<svg" in text and "http" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--report", "x.txt"], "html"), (["--presets", " , "], "names nothing"), (["no.png"], "no.png")],
)
def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str], words: list[str], what: str) -> None:
    code, out, err = bench(capsys, *words)
    assert code == 1 and what in out + err and "Traceback" not in err


def test_the_page_shows_a_sweep(tmp_path: Path) -> None:
    rows = [
        {"preset": name, "width": w, "height": 48, "num_disparities": 16, "ms": ms, "ns_per_pixel_disparity": 0.2}
        for name, ms in (("fast", 1.0), ("balanced", 7.0))
        for w in (64, 128)
    ]
    result = BenchResult(
        naive_fps=8.0, naive_3way_fps=16.0, pipeline_fps={"fast": 60.0}, matcher_fps={"fast": 90.0}, latency_ms={},
        stage_ms={"match": 9.0}, peak_mib=120.0, settings={}, sweep=rows,
    )  # fmt: skip
    text = write_bench_report(tmp_path / "b.html", result, "<scene>").read_text()
    assert text.count("<svg") == 2 and "7.5 ×" in text and "&lt;scene&gt;" in text
