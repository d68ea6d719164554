"""Damage of every kind is named, repaired without touching a stream, and what is left is played."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from take_scenes import disparity, pair, picture, record

from livestereo.errors import TakeError
from livestereo.sources.request import SourceRequest
from livestereo.sources.take import TakeSource
from livestereo.takes import manifest as m
from livestereo.takes.reader import TakeReader
from livestereo.takes.repair import repair
from livestereo.takes.verify import VerifyReport, verify

COUNT = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takes") / "whole"
    record(folder, COUNT, jpeg=False)
    return folder


@pytest.fixture
def take(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "take"))


def edit_lines(take: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    path = take / m.INDEX
    lines = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def edit_manifest(take: Path, **changes: Any) -> None:
    path = take / m.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def flip_byte(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 0x40
    path.write_bytes(data)


def repaired(take: Path) -> VerifyReport:
    """Repair; the streams and the index must stay as they are, and the counts add up."""
    before = {p: hashlib.sha256(p.read_bytes()).digest() for p in take.iterdir() if p.name != m.MANIFEST}
    report = repair(take)
    assert {p: hashlib.sha256(p.read_bytes()).digest() for p in before} == before
    assert report.ok and report.captured == report.pairs + sum(report.lost.values()) == COUNT
    assert verify(take).ok, "what a repair has accepted is whole from then on"
    return report


def test_a_repair_of_a_whole_take_changes_nothing(take: Path) -> None:
    before = (take / m.MANIFEST).read_bytes()
    report = repair(take)
    assert report.ok and not report.repaired and "nothing was changed" in " ".join(report.notes)
    assert (take / m.MANIFEST).read_bytes() == before


def test_one_damaged_pair_in_the_middle_costs_only_itself(take: Path) -> None:
    flip_byte(take / m.LEFT, 0.5)
    report = verify(take)
    (found,) = report.corrupt
    assert found.what == m.LEFT and found.frames == 1
    (bad,) = found.numbers
    after = repaired(take)
    assert after.pairs == COUNT - 1 and after.lost == {"damaged": 1} and after.left_out == [bad]
    with TakeSource(take) as source:
        numbers = []
        while (frame := source.read(0)) is not None:
            np.testing.assert_array_equal(frame.right.image, picture(2 * frame.seq + 1))
            np.testing.assert_array_equal(source.disparity(frame.seq), disparity(frame.seq))
            numbers.append(frame.seq)
        assert numbers == [n for n in range(COUNT) if n != bad]
        source.seek(bad - 1)
        assert (again := source.read(0)) is not None and again.seq == bad - 1
        source.seek(bad)
        assert (ahead := source.read(0)) is not None and ahead.seq == bad + 1


def test_damaged_depth_costs_only_that_depth(take: Path) -> None:
    flip_byte(take / m.DISPARITY, 0.5)
    assert [c.what for c in verify(take).corrupt] == [m.DISPARITY]
    after = repaired(take)
    assert after.pairs == COUNT and after.depth_pairs == COUNT - 1 and after.thinned == 1
    with TakeReader(take) as reader:
        assert len(reader.pairs_with_depth()) == COUNT - 1
        for number in reader.pairs_with_depth():
            np.testing.assert_array_equal(reader.disparity(number), disparity(number))


@pytest.mark.parametrize("name", [m.LEFT, m.RIGHT, m.DISPARITY])
def test_a_stream_that_is_cut_is_named_and_the_rest_is_used(take: Path, name: str) -> None:
    path = take / name
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    report = verify(take)
    assert not report.ok and any(name in gone.what for gone in report.missing)
    after = repaired(take)
    used = after.depth_pairs if name == m.DISPARITY else after.pairs
    assert 5 <= used <= 8, "about six of ten"
    assert sum(after.lost.values()) == (0 if name == m.DISPARITY else COUNT - after.pairs)


@pytest.mark.parametrize("name", [m.LEFT, m.RIGHT])
def test_without_one_raw_stream_the_take_plays_the_other_and_its_depth(take: Path, name: str) -> None:
    (take / name).unlink()
    assert [(gone.what, gone.frames) for gone in verify(take).missing] == [(name, COUNT)]
    with pytest.raises(TakeError, match="One raw stream is not in"):
        TakeSource(take).__enter__()
    with TakeSource(take, SourceRequest(partial=True)) as source:
        side = "left" if name == m.LEFT else "right"
        assert any(f"Not in this take: {side}." in note for note in source.info.notes)
        for number in range(COUNT):
            frame = source.read(0)
            assert frame is not None
            there, gone = (frame.right, frame.left) if name == m.LEFT else (frame.left, frame.right)
            np.testing.assert_array_equal(there.image, picture(2 * number + (name == m.LEFT)))
            assert gone.image.shape == there.image.shape and not gone.image.any()
            np.testing.assert_array_equal(source.disparity(number), disparity(number))
    after = repaired(take)
    assert any(f"{name} is missing" in note for note in after.notes)


def test_without_its_disparity_a_take_still_gives_every_pair(take: Path) -> None:
    (take / m.DISPARITY).write_bytes(b"no video")
    assert [(bad.what, bad.why) for bad in verify(take).corrupt] == [(m.DISPARITY, "cannot be opened")]
    with TakeSource(take) as source:
        assert [source.read(0) is not None for _ in range(COUNT)] == [True] * COUNT
        assert source.disparity(3) is None and any("disparity" in note for note in source.info.notes)
    assert repaired(take).depth_pairs == 0


def test_lines_missing_from_the_index_are_named_and_nothing_is_shifted(take: Path) -> None:
    edit_lines(take, lambda lines: [line for line in lines if "left_us" not in line or line["pair"] not in (4, 7)])
    report = verify(take)
    assert [(gone.frames, gone.numbers) for gone in report.missing] == [(2, (4, 7))]
    assert [bad.why for bad in report.corrupt] == ["changed since the recording was closed"]
    after = repaired(take)
    assert after.left_out == [4, 7] and after.lost == {"damaged": 2}
    with TakeSource(take) as source:
        for number in (3, 5, 6, 8, 11, 5):
            frame = source.frame(number)
            assert frame is not None
            np.testing.assert_array_equal(frame.left.image, picture(2 * number))
            assert abs(frame.left.t_s - number / 30) < 1e-6
            np.testing.assert_array_equal(source.disparity(number), disparity(number))
        assert source.frame(4) is None


def test_a_line_that_cannot_be_read_is_named(take: Path) -> None:
    lines = (take / m.INDEX).read_text().splitlines()
    lines[5] = lines[5][:20]
    (take / m.INDEX).write_text("\n".join(lines) + "\n")
    assert any(bad.why == "lines cannot be read" and bad.numbers == (6,) for bad in verify(take).corrupt)


@pytest.mark.parametrize("changes", [{"pairs": COUNT - 2}, {"fps": 25.0}, {"settings": {"matcher": "bm"}}])
def test_an_edited_manifest_is_told(take: Path, changes: dict[str, Any]) -> None:
    edit_manifest(take, **changes)
    report = verify(take)
    assert not report.ok and (m.MANIFEST, "changed since it was saved") in [(c.what, c.why) for c in report.corrupt]
    assert repaired(take).pairs == COUNT


@pytest.mark.parametrize("text", ["", "{", "[1]", json.dumps({"format": m.FORMAT, "version": [1, 0], "pairs": -3})])
def test_a_manifest_that_cannot_be_read_is_made_anew(take: Path, text: str) -> None:
    before = m.load_manifest(take)
    (take / m.MANIFEST).write_text(text)
    with pytest.raises(TakeError):
        verify(take)
    assert repaired(take).pairs == COUNT
    after = m.load_manifest(take)
    for name in ("fps", "source", "created", "disparity_offset", "rectified", "versions"):
        assert getattr(after, name) == getattr(before, name), "the index tells it too"


def test_a_manifest_that_is_gone_is_made_anew_too(take: Path) -> None:
    (take / m.MANIFEST).unlink()
    with pytest.raises(TakeError, match="not a take"):
        verify(take)
    assert repaired(take).pairs == COUNT


def test_a_killed_take_whose_manifest_is_gone_is_saved(take: Path) -> None:
    lines = (take / m.INDEX).read_text()
    (take / m.INDEX).write_text(lines + '{"pair": 12, "se')
    (take / m.MANIFEST).unlink()
    assert repaired(take).pairs == COUNT


@pytest.mark.parametrize("changes", [{"version": [m.MAJOR + 1, 0]}, {"format": "something else"}])
def test_what_is_no_take_of_ours_is_refused_and_never_repaired(take: Path, changes: dict[str, Any]) -> None:
    edit_manifest(take, **changes)
    if "version" in changes:
        for act in (verify, repair):
            with pytest.raises(TakeError, match="newer"):
                act(take)
    else:
        with pytest.raises(TakeError, match="not the manifest"):
            verify(take)


def test_a_folder_that_is_no_take_is_refused(tmp_path: Path) -> None:
    for act in (verify, repair):
        with pytest.raises(TakeError, match="not a take"):
            act(tmp_path)
        with pytest.raises(TakeError, match="not a take"):
            act(tmp_path / "nowhere")


def test_an_unknown_key_of_the_same_version_is_kept(take: Path) -> None:
    manifest = m.load_manifest(take)
    values = {**manifest.model_dump(), "weather": "rain"}
    m.save_manifest(take, m.Manifest.model_validate(values))
    assert verify(take).ok
    m.save_manifest(take, m.load_manifest(take))
    assert json.loads((take / m.MANIFEST).read_text())["weather"] == "rain"


def test_a_jump_of_the_stamps_that_nobody_told_is_a_gap(tmp_path: Path) -> None:
    from livestereo.takes.writer import TakeRequest, TakeWriter

    writer = TakeWriter(TakeRequest(tmp_path / "take"))
    for seq in (0, 1, 2, 62, 63):  # two seconds are missing
        writer.write_pair(pair(seq, jpeg=True))
    writer.close(captured=5)
    report = verify(tmp_path / "take")
    assert report.ok and [(g.after_pair, round(g.seconds, 3), g.cause) for g in report.gaps] == [
        (2, 2.0, "pairs were lost")
    ]


def test_depth_that_a_crash_took_is_computed_again_in_silence(take: Path) -> None:
    """The line in the index is written and the last packet of the stream is not: what a killed program leaves."""
    edit_manifest(take, state="recording", pairs=0, own_sha256=None)
    path = take / m.DISPARITY
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    after = repaired(take)
    assert after.pairs == COUNT and after.depth_pairs < COUNT
    with TakeReader(take) as reader:
        assert reader.pairs_with_depth() == list(range(after.depth_pairs))
        assert reader.disparity(COUNT - 1) is None and not reader.unreadable_depth
