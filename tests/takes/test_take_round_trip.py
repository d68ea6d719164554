"""What is recorded comes back: bytes, stamps, disparity; and what is damaged is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from livestereo.errors import TakeError
from livestereo.sinks.recorder import Recorder
from livestereo.sources.take import TakeSource
from livestereo.takes import manifest as m
from livestereo.takes.index import read_index
from livestereo.takes.repair import repair
from livestereo.takes.verify import verify
from livestereo.takes.writer import TakeRequest, TakeWriter
from livestereo.types import Frame, SourceInfo, StereoFrame

SIZE = (96, 64)


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8), (0, 0), 1.5)


def pair(seq: int, *, jpeg: bool) -> StereoFrame:
    sides = []
    for side in (0, 1):
        image = picture(2 * seq + side)
        encoded = None
        if jpeg:
            encoded = cv2.imencode(".jpg", image)[1].tobytes()
            image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        # stamps that no container in milliseconds could hold
        sides.append(Frame(image, 100.0 + seq / 30 + side * 0.000417, seq, encoded))
    return StereoFrame(sides[0], sides[1], seq, skew_s=0.000417, name=str(seq))


def disparity(seq: int) -> np.ndarray:
    rng = np.random.default_rng(1000 + seq)
    field = np.round(cv2.GaussianBlur(rng.random((SIZE[1], SIZE[0])).astype(np.float32) * 90 - 20, (0, 0), 2) * 16) / 16
    field[rng.random(field.shape) < 0.1] = np.nan
    return field.astype(np.float32)


def record(folder: Path, count: int = 12, *, jpeg: bool = True) -> TakeWriter:
    writer = TakeWriter(TakeRequest(folder))
    for seq in range(count):
        frame = pair(seq, jpeg=jpeg)
        writer.write_pair(frame)
        writer.write_depth(frame, disparity(seq))
    writer.close(captured=count)
    return writer


@pytest.mark.parametrize("jpeg", [True, False])
def test_raw_stamps_and_disparity_come_back_exactly(tmp_path: Path, jpeg: bool) -> None:
    record(tmp_path / "take", jpeg=jpeg)
    with TakeSource(tmp_path / "take") as source:
        assert source.reader.manifest.left is not None
        assert source.reader.manifest.left.codec == ("mjpeg" if jpeg else "ffv1")
        for seq in range(12):
            got, want = source.read(0), pair(seq, jpeg=jpeg)
            assert got is not None
            if not jpeg:
                # a JPEG is decoded by another library here: its bytes are compared in the next test
                np.testing.assert_array_equal(got.left.image, want.left.image)
                np.testing.assert_array_equal(got.right.image, want.right.image)
            # whole microseconds are kept
            assert abs((got.right.t_s - got.left.t_s) - 0.000417) < 1e-6
            assert abs(got.left.t_s - seq / 30) < 1e-6
            np.testing.assert_array_equal(source.disparity(seq), disparity(seq))
        assert source.read(0) is None


def test_camera_bytes_are_stored_untouched(tmp_path: Path) -> None:
    from livestereo.codecs import StreamReader

    record(tmp_path / "take")
    with StreamReader(tmp_path / "take" / m.RIGHT) as reader:
        assert list(reader.packets()) == [pair(seq, jpeg=True).right.encoded for seq in range(12)]


def test_any_pair_can_be_asked_for_in_any_order(tmp_path: Path) -> None:
    record(tmp_path / "take", jpeg=False)
    with TakeSource(tmp_path / "take") as source:
        for number in (7, 2, 11, 0, 5, 6, 3):
            frame = source.frame(number)
            assert frame is not None
            np.testing.assert_array_equal(frame.left.image, picture(2 * number))
            np.testing.assert_array_equal(source.disparity(number), disparity(number))


def test_a_whole_take_is_proved_whole(tmp_path: Path) -> None:
    record(tmp_path / "take")
    report = verify(tmp_path / "take")
    assert report.ok and report.pairs == 12 and not report.missing and not report.corrupt


def test_one_flipped_byte_is_found_and_named(tmp_path: Path) -> None:
    record(tmp_path / "take")
    path = tmp_path / "take" / m.RIGHT
    payload = pair(8, jpeg=True).right.encoded
    assert payload is not None
    data = bytearray(path.read_bytes())
    at = data.index(payload) + len(payload) // 2
    data[at] ^= 0x10
    path.write_bytes(data)
    report = verify(tmp_path / "take")
    assert not report.ok
    assert [(c.what, c.numbers) for c in report.corrupt] == [(m.RIGHT, (8,))]


@pytest.mark.parametrize("name", [m.LEFT, m.DISPARITY])
def test_a_missing_stream_is_named(tmp_path: Path, name: str) -> None:
    record(tmp_path / "take")
    (tmp_path / "take" / name).unlink()
    report = verify(tmp_path / "take")
    assert not report.ok and [(g.what, g.frames) for g in report.missing] == [(name, 12)]


def test_a_cut_recording_is_told_and_repaired(tmp_path: Path) -> None:
    folder = tmp_path / "take"
    record(folder)
    # As a kill leaves it: the manifest still says "recording", a stream is cut, the last line is not whole.
    manifest = json.loads((folder / m.MANIFEST).read_text())
    (folder / m.MANIFEST).write_text(json.dumps({**manifest, "state": "recording", "pairs": 0, "index_sha256": None}))
    left = (folder / m.LEFT).read_bytes()
    (folder / m.LEFT).write_bytes(left[: int(len(left) * 0.7)])
    lines = (folder / m.INDEX).read_text()
    (folder / m.INDEX).write_text(lines + '{"pair": 12, "seq"')
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != m.MANIFEST}
    assert not verify(folder).ok
    report = repair(folder)
    assert report.ok and 6 <= report.pairs <= 9
    assert report.captured == report.pairs + sum(report.lost.values()) == 12
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.name != m.MANIFEST} == before
    with TakeSource(folder) as source:
        assert source.info.count == report.pairs
        for number in range(report.pairs):
            assert source.frame(number) is not None


def test_gaps_and_losses_are_written_down(tmp_path: Path) -> None:
    writer = TakeWriter(TakeRequest(tmp_path / "take"))
    writer.write_pair(pair(0, jpeg=True))
    writer.note_lost("queue", 1)
    writer.note_gap("camera", 3.25)
    writer.write_pair(dataclasses.replace(pair(90, jpeg=True), gap="camera"))
    writer.note_thinned(pair(90, jpeg=True))
    manifest = writer.close(captured=3)
    assert manifest.lost == {"queue": 1}
    assert manifest.thinned == 2, "the pair whose depth came too late, and the one whose depth never came"
    report = verify(tmp_path / "take")
    assert report.ok
    assert [(g.after_pair, g.seconds, g.cause) for g in report.gaps] == [(0, 3.25, "camera")]
    assert [d.depth for d in read_index(tmp_path / "take").depths] == [None]


def test_a_folder_that_is_there_is_never_overwritten_by_accident(tmp_path: Path) -> None:
    record(tmp_path / "take")
    with pytest.raises(TakeError, match="exists already"):
        TakeWriter(TakeRequest(tmp_path / "take"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(TakeError, match="no take"):
        TakeWriter(TakeRequest(tmp_path / "other", overwrite=True))
    TakeWriter(TakeRequest(tmp_path / "take", overwrite=True)).close(captured=0)


def test_a_newer_take_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "take", 2)
    path = tmp_path / "take" / m.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": [m.MAJOR + 1, 0]}))
    with pytest.raises(TakeError, match="newer"):
        verify(tmp_path / "take")


def live_info() -> SourceInfo:
    return SourceInfo(name="fake", live=True, left_size_wh=SIZE, right_size_wh=SIZE, fps=30)


def test_the_recorder_writes_everything_it_is_given(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "take"))
    recorder.open(live_info())
    for seq in range(20):
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    recorder.close()
    assert recorder.manifest is not None and recorder.manifest.pairs == recorder.manifest.captured == 20
    assert verify(tmp_path / "take").ok


def test_a_full_queue_loses_whole_pairs_and_counts_them(tmp_path: Path) -> None:
    one = sum(len(f.encoded or b"") for f in (pair(0, jpeg=True).left, pair(0, jpeg=True).right))
    recorder = Recorder(TakeRequest(tmp_path / "take"), queue_bytes=2 * one)
    recorder.open(live_info())
    for seq in range(200):
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    manifest = recorder.manifest
    assert manifest is not None
    assert manifest.captured == 200 == manifest.pairs + manifest.lost.get("queue", 0)
    assert verify(tmp_path / "take").ok


def test_it_stops_by_itself_before_the_disk_is_full(tmp_path: Path) -> None:
    free = [10_000_000]

    def shrinking(_folder: Path) -> int:
        free[0] -= 1_000_000
        return free[0]

    recorder = Recorder(TakeRequest(tmp_path / "take"), free=shrinking, reserve=5_000_000)
    recorder.open(live_info())
    for seq in range(200):
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    manifest = recorder.manifest
    assert manifest is not None and manifest.stopped is not None and "nearly full" in manifest.stopped
    assert 0 < manifest.pairs < 200
    assert manifest.captured == manifest.pairs + sum(manifest.lost.values()) == 200
    assert verify(tmp_path / "take").ok


def test_a_disk_that_refuses_keeps_what_was_written(tmp_path: Path) -> None:
    class Refusing(TakeWriter):
        def write_pair(self, frame: StereoFrame) -> int:
            if frame.seq == 5:
                raise OSError(28, "No space left on device")
            return super().write_pair(frame)

    recorder = Recorder(TakeRequest(tmp_path / "take"), make_writer=Refusing)
    recorder.open(live_info())
    for seq in range(10):
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    manifest = recorder.manifest
    assert manifest is not None and manifest.stopped is not None and "No space left" in manifest.stopped
    assert manifest.pairs == 5 and manifest.lost == {"disk": 5} and manifest.captured == 10
    assert verify(tmp_path / "take").ok
