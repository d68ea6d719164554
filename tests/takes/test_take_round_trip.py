"""What is recorded comes back: bytes, stamps, disparity; and what is damaged is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from take_scenes import disparity, pair, picture, record

from livestereo.errors import TakeError
from livestereo.sources.take import TakeSource
from livestereo.takes import manifest as m
from livestereo.takes.index import read_index
from livestereo.takes.repair import repair
from livestereo.takes.verify import verify
from livestereo.takes.writer import MARGIN_PX, TakeRequest, TakeWriter


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
    with pytest.raises(TakeError, match="not a take"):
        TakeWriter(TakeRequest(tmp_path / "other", overwrite=True))
    TakeWriter(TakeRequest(tmp_path / "take", overwrite=True)).close(captured=0)


def test_a_newer_take_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "take", 2)
    path = tmp_path / "take" / m.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": [m.MAJOR + 1, 0]}))
    with pytest.raises(TakeError, match="newer"):
        verify(tmp_path / "take")


def test_the_offset_follows_the_matcher_and_what_lies_below_is_left_out_not_bent(tmp_path: Path) -> None:
    writer = TakeWriter(TakeRequest(tmp_path / "take"))
    for seq, low in ((0, -3.0), (1, 0.0), (2, -40.0), (3, 5.0)):
        frame = pair(seq, jpeg=True)
        writer.write_pair(frame)
        field = disparity(seq)
        field[np.isfinite(field)] += low - np.nanmin(field)
        writer.write_depth(frame, field, {"min_disparity": 0 if seq < 2 else -64})
    writer.close(captured=4)
    assert writer.manifest.disparity_offset == -MARGIN_PX
    assert writer.manifest.depth_pairs == 3 and writer.manifest.thinned == 1
    assert [(d.depth, d.pair) for d in read_index(tmp_path / "take").depths] == [(0, 0), (1, 1), (None, 2), (2, 3)]
    assert read_index(tmp_path / "take").take["disparity_offset"] == -MARGIN_PX
    with TakeSource(tmp_path / "take") as source:
        assert np.nanmin(source.disparity(0)) == -3.0 and source.disparity(2) is None
    assert verify(tmp_path / "take").ok
