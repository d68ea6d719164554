"""record, verify, replay, export as a user runs them; and a recording that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import run_command, run_json, write_pair

from livestereo.takes.index import read_index
from livestereo.takes.verify import verify

PAIRS = 4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(PAIRS):
        write_pair(folder, str(i), seed=i)
    return str(folder / "left*.png"), str(folder / "right*.png")


@pytest.fixture
def take(pictures: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "take"
    code, told, err = run_json(
        capsys, "record", *pictures, "--rectified", "--num-disparities", 32, "--headless", "-o", folder
    )
    assert code == 0, err
    assert told["pairs"] == told["captured"] == told["written"] == told["depth_written"] == PAIRS
    return folder


def test_a_recorded_take_is_whole_and_gives_its_depth_again_bit_for_bit(
    take: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, _ = run_json(capsys, "verify", take)
    assert code == 0 and told["ok"] and told["pairs"] == PAIRS and told["depth_bitexact"] is None
    for threads in (1, 2):
        code, told, err = run_json(capsys, "replay", take, "--bitexact")
        assert code == 0 and told["equal"] == told["pairs"] == PAIRS, (threads, err)
    assert run_json(capsys, "verify", take)[1]["depth_bitexact"] is True


def test_a_changed_disparity_is_found_by_bitexact(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # settings that give other depth than was recorded stand for a disparity that does not come from its settings
    manifest = json.loads((take / "take.json").read_text())
    lines = [json.loads(line) for line in (take / "frames.jsonl").read_text().splitlines()]
    for line in lines:
        if "settings" in line:
            line["settings"]["block_size"] = 9
    (take / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (take / "take.json").write_text(json.dumps(manifest))
    code, told, _ = run_json(capsys, "replay", take, "--bitexact")
    assert code == 1 and told["equal"] < PAIRS and told["different"] and "error" in told


def test_a_take_is_computed_again_into_another(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = tmp_path / "again"
    code, told, err = run_json(capsys, "replay", take, "-o", again, "--matcher", "bm", "--num-disparities", 32)
    assert code == 0 and told["settings"]["matcher"] == "bm", err
    assert verify(again).ok
    left = [entry.left_us for entry in read_index(take).pairs]
    assert [entry.left_us for entry in read_index(again).pairs] == left
    code, _, err = run_command(capsys, "replay", take, "-o", again)
    assert code == 1 and "exists already" in err
    code, _, err = run_command(capsys, "replay", take, "-o", take, "--overwrite")
    assert code == 1 and "into itself" in err


def test_a_take_is_a_source_for_other_commands(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, err = run_json(capsys, "preview", take, "--headless", "--num-disparities", 32)
    assert code == 0 and told["pairs"] == PAIRS, err


@pytest.mark.parametrize(("form", "name"), [
    ("png16", "out"), ("tum", "out"), ("ply", "out"), ("middlebury", "out"), ("csv", "out.csv"), ("mp4", "out.mp4"),
])  # fmt: skip
def test_exports(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, name: str) -> None:
    out = tmp_path / name
    code, told, err = run_json(capsys, "export", take, "-o", out, "--as", form, "--every", 2)
    assert code == 0 and told["pairs"] == 2, err
    assert not list(tmp_path.glob(".out*")), "nothing half-made is left"
    if form == "png16":
        depth = cv2.imread(str(out / "000000.png"), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16 and (depth > 0).mean() > 0.5
    elif form == "tum":
        row = (out / "associations.txt").read_text().split()
        assert len(row) == 8 and (out / row[1]).is_file() and (out / row[3]).is_file()
    elif form == "csv":
        rows = out.read_text().splitlines()
        assert len(rows) == 3 and rows[0].startswith("pair,seq,t_s")
    elif form == "middlebury":
        assert {p.name for p in (out / "000002").iterdir()} == {"im0.png", "im1.png", "disp0.pfm", "calib.txt"}
    elif form == "mp4":
        video = cv2.VideoCapture(str(out))
        assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 2


def test_mcap_can_be_read_back(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader = pytest.importorskip("mcap.reader", reason="the extra mcap is not installed")
    out = tmp_path / "out.mcap"
    assert run_command(capsys, "export", take, "-o", out, "--as", "mcap")[0] == 0
    with open(out, "rb") as file:
        topics = [channel.topic for _, channel, _ in reader.make_reader(file).iter_messages()]
    assert topics.count("/camera/depth") == PAIRS


@pytest.mark.parametrize(("words", "told"), [
    (("verify", "no-such-take"), "not a take"),
    (("replay", "no-such-take"), "no-such-take"),
    (("export", "no-such-take", "-o", "x"), "no"),
    (("record", "demo"), "No take is named"),
    (("record", "demo", "-o", "x", "--raw", "gif"), "no way to record"),
])  # fmt: skip
def test_bad_input_is_told_in_one_message(
    words: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run_command(capsys, *words)
    assert code == 1 and told in err and "Traceback" not in err


def test_an_existing_take_is_refused(take: Path, pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "record", *pictures, "--rectified", "--headless", "-o", take)
    assert code == 1 and "exists already" in err and verify(take).ok


def test_an_export_that_fails_leaves_nothing(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "x.mp4", "--as", "mp4", "--from", 99)
    assert code == 1 and "No pair lies" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    code, _, err = run_command(capsys, "export", take, "-o", tmp_path / "full", "--as", "png16")
    assert code == 1 and "not empty" in err and (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_killed_recording_opens_loses_little_and_is_repaired(tmp_path: Path) -> None:
    """A real process, killed in the middle: what it had written is there, and `--repair` makes it whole."""
    folder = tmp_path / "take"
    command = [
        sys.executable, "-m", "livestereo", "record", "demo:plane,live", "--size", "320x240", "--headless",
        "-o", str(folder),
        "--only", "raw", "--no-preview", "--duration", "60", "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    index = folder / "frames.jsonl"
    try:
        while process.poll() is None and (not index.exists() or index.stat().st_size < 6000):
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
    assert index.exists(), err.decode()
    written = len(read_index(folder).pairs)
    before = verify(folder)
    assert not before.ok and before.state == "recording"
    from livestereo.takes.repair import repair

    after = repair(folder)
    assert after.ok
    # one second at 30 pairs per second
    assert written - 30 <= after.pairs <= written
    assert after.captured == after.pairs + sum(after.lost.values())
