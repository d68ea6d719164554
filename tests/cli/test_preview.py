"""`preview` and `demo` with no display, as scripts use them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import pytest
from cli_scenes import run_json

pytestmark = pytest.mark.slow
LIMIT_S = 200.0
SMALL = ("--size", "160x120", "--num-disparities", "32")
KEYS = {
    "pairs", "fps", "capture_fps", "latency_ms", "skew_ms", "dropped", "fill_percent", "stage_ms", "reconnects",
    "findings", "warnings", "disparity_sha256", "settings",
}  # fmt: skip


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    return subprocess.Popen(
        [sys.executable, "-m", "livestereo", *words], env=env, cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    process = start(folder, *words)
    out, err = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def test_figures_for_scripts(tmp_path: Path) -> None:
    first: dict[str, Any] | None = None
    for workers in ("1", "2"):
        code, out, err = run(
            tmp_path, "preview", "demo:clean", *SMALL, "--headless", "--frames", "12", "--json", "--workers", workers
        )
        assert code == 0, err
        figures = json.loads(out)
        assert set(figures) >= KEYS
        assert figures["pairs"] == 12 and set(figures["latency_ms"]) == {"p50", "p95"}
        assert set(figures["dropped"]) == {"camera", "pairing", "busy", "disk"} and not any(figures["dropped"].values())
        # A well-textured room: most of the picture has an answer.
        assert figures["fill_percent"] > 50
        first = first or figures
        assert figures["disparity_sha256"] == first["disparity_sha256"]


def test_ctrl_c_prints_the_summary_and_ends_with_0(tmp_path: Path) -> None:
    process = start(tmp_path, "preview", "demo:clean", *SMALL, "--web", "0")
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            with urllib.request.urlopen(f"{found.group(0)}state", timeout=LIMIT_S):
                break  # it answers: the run has begun
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "pairs" in out or "No pair" in out


def test_a_port_in_use_is_one_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, err = run(
            tmp_path, "preview", "demo:clean", *SMALL, "--headless", "--web", port, "--frames", "3", "--json"
        )
    assert code == 1 and "in use" in err
    assert "in use" in json.loads(out)["error"]["what"]


@pytest.mark.parametrize("where", ["x", "99999", "host:"])
def test_a_wrong_address_is_one_message(tmp_path: Path, where: str) -> None:
    code, _, err = run(tmp_path, "preview", "demo:clean", *SMALL, "--headless", "--web", where, "--frames", "3")
    assert code == 1 and "--web 8080" in err


@pytest.mark.parametrize(
    "words", [("--frames", "0"), ("--frames", "-3"), ("--duration", "0"), ("--duration", "nan"), ("--duration", "-1")]
)
def test_a_run_that_could_never_do_anything_is_refused(
    words: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, result, err = run_json(capsys, "preview", "demo:clean", "--headless", *words)
    assert code == 1 and " ".join(words) in result["error"]["what"] and result["error"]["fix"]
    assert "Traceback" not in err


def test_a_wrong_address_of_the_3d_view_names_its_own_option(capsys: pytest.CaptureFixture[str]) -> None:
    code, result, _ = run_json(capsys, "preview", "demo:clean", "--headless", "--view3d", "--view3d-at", "x")
    assert code == 1 and "--view3d-at" in result["error"]["fix"]


def test_demo_leaves_files_that_show_it(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "demo", "clean", *SMALL, "--frames", "10", "--json")
    assert code == 0, err
    assert "no display" in err
    figures = json.loads(out)
    folder = tmp_path / "demo-out"
    assert {path.name for path in folder.iterdir()} == {
        "preview.mp4", "depth.png", "left.png", "cloud.ply", "statistics.json",
    }  # fmt: skip
    assert figures["pairs"] == 10
    # The clean room is matched to a few percent of depth even at this size.
    assert figures["truth"]["median_error_percent"] < 5
    assert json.loads((folder / "statistics.json").read_text())["pairs"] == 10
    film = cv2.VideoCapture(str(folder / "preview.mp4"))
    frames = 0
    while film.read()[0]:
        frames += 1
    assert frames == 10
    assert (folder / "cloud.ply").read_bytes().startswith(b"ply")
    depth = cv2.imread(str(folder / "depth.png"))
    assert depth is not None and depth.shape == (120, 160, 3)


def test_demo_that_cannot_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "demo-out").write_text("in the way")
    code, _, err = run(tmp_path, "demo", "clean", *SMALL, "--frames", "3")
    assert code == 1 and "demo-out is not a folder" in err
