"""record, verify, replay, export as a user runs them; and a recording that is killed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli_scenes import HEIGHT, WIDTH, pair_rig, run_command, run_json, write_pair

from calibration.rigfile import save_rig
from livestereo.takes.index import read_index
from livestereo.takes.manifest import FILES
from livestereo.takes.verify import verify

PAIRS = 4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(PAIRS):
        write_pair(folder, str(i), seed=i)
    save_rig(folder / "rig.json", pair_rig())
    return str(folder / "left*.png"), str(folder / "right*.png")


@pytest.fixture(scope="module")
def rig(pictures: tuple[str, str]) -> Path:
    return Path(pictures[0]).with_name("rig.json")


@pytest.fixture
def take(pictures: tuple[str, str], rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "take"
    code, told, err = run_json(
        capsys, "record", *pictures, "--rig", rig, "--num-disparities", 32, "--headless", "-o", folder
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
        code, told, err = run_json(capsys, "replay", take, "--bitexact", "--threads", threads)
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
        assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (2 * WIDTH, HEIGHT)
    elif form == "ply":
        head = (out / "000002.ply").read_bytes()[:400]
        assert head.startswith(b"ply\nformat binary_little_endian") and b"property uchar red" in head


def test_mcap_can_be_read_back(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader = pytest.importorskip("mcap.reader", reason="the extra mcap is not installed")
    out = tmp_path / "out.mcap"
    assert run_command(capsys, "export", take, "-o", out, "--as", "mcap")[0] == 0
    assert run_command(capsys, "export", take, "-o", tmp_path / "png", "--as", "png16")[0] == 0
    messages: dict[str, list[Any]] = {}
    with open(out, "rb") as file:
        for _, channel, message in reader.make_reader(file).iter_messages():
            messages.setdefault(channel.topic, []).append(json.loads(message.data))
    assert {topic: len(them) for topic, them in messages.items()} == {
        "/camera/calibration": PAIRS, "/camera/left": PAIRS, "/camera/depth": PAIRS,
    }  # fmt: skip
    for number, depth in enumerate(messages["/camera/depth"]):
        values = np.frombuffer(base64.b64decode(depth["data"]), "<u2").reshape(depth["height"], depth["width"])
        want = cv2.imread(str(tmp_path / "png" / f"{number:06d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(values, want)
    jpeg = np.frombuffer(base64.b64decode(messages["/camera/left"][0]["data"]), np.uint8)
    assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(("words", "told"), [
    (("verify", "no-such-take"), "not a take"),
    (("replay", "no-such-take"), "no-such-take"),
    (("export", "no-such-take", "-o", "x"), "no"),
    (("record", "demo"), "No take is named"),
    (("record", "demo", "-o", "x", "--raw", "gif"), "Unknown way to record"),
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
    code, out, err = run_command(capsys, "record", *pictures, "--rectified", "--headless", "-o", take)
    assert code == 1 and "exists already" in err and "No pair" not in out and verify(take).ok


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


def test_tum_and_png_tell_the_same_depth(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("tum", "png16"):
        assert run_command(capsys, "export", take, "-o", tmp_path / form, "--as", form)[0] == 0
    stamp, colour, again, depth = (tmp_path / "tum" / "associations.txt").read_text().split()[:4]
    assert stamp == again == "0.000000" and (tmp_path / "tum" / colour).is_file()
    five = cv2.imread(str(tmp_path / "tum" / depth), cv2.IMREAD_UNCHANGED).astype(int)
    mm = cv2.imread(str(tmp_path / "png16" / "000000.png"), cv2.IMREAD_UNCHANGED).astype(int)
    both = (five > 0) & (mm > 0)
    # Both are rounded: half a millimetre, and half of a fifth.
    assert both.mean() > 0.1 and np.abs(five[both] / 5 - mm[both]).max() <= 0.6
    camera = json.loads((tmp_path / "tum" / "camera.json").read_text())
    fx, fy, cx, cy = (camera[name] for name in ("fx", "fy", "cx", "cy"))
    assert camera["intrinsic_matrix"] == [fx, 0, 0, 0, fy, 0, cx, cy, 1]  # by columns, as Open3D reads it
    lines = (tmp_path / "tum" / "depth.txt").read_text().splitlines()
    assert lines[0].startswith("#") and len([line for line in lines if not line.startswith("#")]) == PAIRS


def test_middlebury_goes_round(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What we export scores perfectly against itself where the same matcher answers the same."""
    assert run_command(capsys, "export", take, "-o", tmp_path / "set", "--as", "middlebury", "--to", 0)[0] == 0
    code, out, err = run_command(capsys, "evaluate", tmp_path / "set" / "000000", "--num-disparities", 32, "--json")
    assert code == 0, err
    (score,) = json.loads(out)
    assert score["width"] == WIDTH and score["bad1"] == 0 and score["epe_px"] == 0


def test_only_an_export_is_ever_replaced(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    for more in ((), ("--overwrite", "--to", 0)):
        assert run_command(capsys, "export", take, "-o", out, "--as", "png16", *more)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "camera.json"]
    (out / "holiday.jpg").write_bytes(b"mine")
    code, _, err = run_command(capsys, "export", take, "-o", out, "--as", "png16", "--overwrite")
    assert code == 1 and "holiday.jpg" in err and (out / "holiday.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "words",
    [
        ("export", "--as", "csv", "take.json"), ("export", "--as", "mp4", "preview.mp4"),
        ("export", "--as", "mcap", "frames.jsonl"), ("effect", "--as", "fog", "left.mkv"),
        ("export", "--as", "csv", "mine.csv"), ("export", "--as", "ply", "--overwrite", ""),
    ],
)  # fmt: skip
def test_no_output_replaces_what_was_recorded(
    take: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, _, err = run_command(capsys, words[0], take, *words[1:-1], "-o", take / words[-1])
    told = "would be lost" if words[0] == "effect" else "leaves a take as it was"
    assert code == 1 and told in err and verify(take).ok
    assert {path.name for path in take.iterdir()} <= FILES


def test_a_stopped_export_leaves_nothing(
    take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from livestereo.takes.export import Mp4, Png16

    for kind, form, name in ((Png16, "png16", "out"), (Mp4, "mp4", "out.mp4")):
        for error, wanted in ((KeyboardInterrupt(), 130), (OSError(28, "No space left on device"), 1)):
            before, count = kind.add, iter(range(9))

            def add(self: Any, item: Any, before: Any = before, count: Any = count, error: Any = error) -> None:
                if next(count) == 2:
                    raise error
                before(self, item)

            with monkeypatch.context() as patch:
                patch.setattr(kind, "add", add)
                code, _, err = run_command(capsys, "export", take, "-o", tmp_path / name, "--as", form)
            assert code == wanted and "Traceback" not in err
            assert sorted(path.name for path in tmp_path.iterdir()) == ["take"]


def test_a_take_of_raw_pictures_needs_no_rig_and_depth_comes_later(
    pictures: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dark = tmp_path / "dark"
    dark.mkdir()
    for side in ("left", "right"):  # nothing in them that a rectification could be found from
        cv2.imwrite(str(dark / f"{side}0.png"), np.full((HEIGHT, WIDTH, 3), 30, np.uint8))
    code, told, err = run_json(
        capsys, "record", dark / "left*.png", dark / "right*.png", "--only", "raw", "--headless", "-o", tmp_path / "d"
    )
    assert code == 0 and told["written"] == 1 and told["fill_percent"] is None and told["thinned"] == 0, err
    raw, full = tmp_path / "raw", tmp_path / "full"
    options = ("--rectified", "--headless")
    assert run_command(capsys, "record", *pictures, *options, "--only", "raw", "-o", raw)[0] == 0
    assert not (raw / "disparity.mkv").exists() and verify(raw).ok
    code, told, err = run_json(capsys, "replay", raw, "-o", full, "--num-disparities", 32)
    assert code == 0 and told["depth_written"] == PAIRS, err
    assert run_json(capsys, "replay", full, "--bitexact")[1]["equal"] == PAIRS


def test_a_take_of_depth_alone_is_played_and_exported(
    pictures: tuple[str, str], rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "depth"
    options = ("--rig", rig, "--num-disparities", 32, "--headless")
    assert run_command(capsys, "record", *pictures, *options, "--only", "depth", "-o", folder)[0] == 0
    assert not (folder / "left.mkv").exists() and verify(folder).ok
    code, told, err = run_json(capsys, "replay", folder, "--headless")
    assert code == 0 and told["pairs"] == PAIRS and told["fill_percent"] > 50 and told["findings"] == []
    assert "Not in this take: left, right" in err
    assert run_command(capsys, "export", folder, "-o", tmp_path / "png", "--as", "png16")[0] == 0
    code, _, err = run_command(capsys, "export", folder, "-o", tmp_path / "ply", "--as", "ply")
    assert code == 1 and "no left pictures" in err
    code, _, err = run_command(capsys, "preview", folder, "--headless")
    assert code == 1 and "depth cannot be computed" in err


def test_a_take_without_its_right_stream_plays_what_it_has(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (take / "right.mkv").unlink()
    code, told, err = run_json(capsys, "replay", take, "--headless")
    assert code == 0 and told["pairs"] == PAIRS and told["fill_percent"] > 50
    assert "Not in this take: right. What is there: left, depth." in err


def test_lossy_raw_is_told_and_not_proved(
    pictures: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "take"
    options = ("--rectified", "--num-disparities", 32, "--headless", "--raw", "h264")
    code, _, err = run_command(capsys, "record", *pictures, *options, "-o", folder)
    assert code == 0 and "lossy" in err and verify(folder).ok
    code, _, err = run_command(capsys, "replay", folder, "--bitexact")
    assert code == 1 and "lossy" in err


def test_other_versions_are_no_damage(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from livestereo.takes.manifest import load_manifest, save_manifest

    manifest = load_manifest(take)
    manifest.versions["numpy"] = "0.1"
    save_manifest(take, manifest)
    lines = (take / "frames.jsonl").read_text().replace('"block_size":null', '"block_size":9')
    (take / "frames.jsonl").write_text(lines)
    code, told, err = run_json(capsys, "replay", take, "--bitexact")
    assert code == 0 and told["equal"] < told["pairs"] == PAIRS and told["different"]
    assert "numpy 0.1" in err and "not damage" in err
    assert load_manifest(take).depth_bitexact is None, "nothing was proved either way"


@pytest.mark.parametrize("words", [
    ("replay", "TAKE", "--bitexact", "--matcher", "bm"), ("replay", "TAKE", "--bitexact", "-o", "x"),
    ("record", "TAKE", "-o", "TAKE", "--overwrite"), ("replay", "TAKE", "-o", "TAKE", "--overwrite"),
])  # fmt: skip
def test_what_would_harm_a_take_or_prove_nothing_is_refused(
    take: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_command(capsys, *(take if word == "TAKE" else word for word in words))
    assert code == 1 and "Traceback" not in err and verify(take).ok


def test_a_take_is_overwritten_only_on_demand_and_nothing_else_with_it(
    take: Path, pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    again = ("record", *pictures, "--rectified", "--headless", "--only", "raw", "-o", take, "--overwrite")
    (take / "notes.txt").write_text("mine")
    code, _, err = run_command(capsys, *again)
    assert code == 1 and "notes.txt" in err and (take / "notes.txt").read_text() == "mine"
    (take / "notes.txt").unlink()
    assert run_command(capsys, *again)[0] == 0
    assert verify(take).ok and not (take / "disparity.mkv").exists()


def test_a_real_disk_that_fills_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        count = 30  # far more than fits, however fast the writer is
        for i in range(count):
            write_pair(tmp_path / "p", f"{i:02d}", seed=i)
        words = ("record", tmp_path / "p" / "left*.png", tmp_path / "p" / "right*.png", "--rectified", "--headless")
        (disk / "other").write_bytes(bytes(5 << 20))
        code, told, err = run_json(capsys, *words, "-o", disk / "take", "--only", "raw")
        assert code == 1 and "nearly full" in told["error"]["what"] and str(disk) in err
        assert told["captured"] == told["written"] + sum(told["lost"].values())
        assert 0 < told["written"] < count and verify(disk / "take").ok
        (disk / "other2").write_bytes(bytes(max(0, shutil.disk_usage(disk).free - (100 << 10))))
        code, _, err = run_command(capsys, *words, "-o", disk / "take2", "--only", "raw")
        assert code == 1 and "nearly full" in err and not (disk / "take2").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_replay_tells_recorded_depth_that_cannot_be_read(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "missing or damaged" not in run_command(capsys, "replay", take, "--headless")[2]
    stream = take / "disparity.mkv"
    stream.write_bytes(stream.read_bytes()[: stream.stat().st_size // 2])
    code, _, err = run_command(capsys, "replay", take, "--headless")
    assert code == 0 and "missing or damaged; it was computed again" in err
