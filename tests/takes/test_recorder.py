"""The recorder: everything in, or counted; pairs before depth; it stops before the disk is full."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from take_scenes import SIZE, disparity, live_info, pair

from calibration.rectify import identity_rectification
from livestereo.cli.record import end_gap
from livestereo.engine_recorders import Recorders
from livestereo.errors import TakeError
from livestereo.sinks.record_switch import RecordSwitch
from livestereo.sinks.recorder import AT_THE_END, Recorder
from livestereo.takes.index import read_index
from livestereo.takes.verify import verify
from livestereo.takes.writer import TakeRequest, TakeWriter
from livestereo.types import CaptureStats, Frame, MatchResult, RectifiedPair, StereoFrame, StereoResult


def test_the_recorder_writes_everything_it_is_given(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "take"))
    recorder.open(live_info())
    for seq in range(20):
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    recorder.close()
    assert recorder.manifest is not None and recorder.manifest.pairs == recorder.manifest.captured == 20
    assert end_gap(recorder, CaptureStats()) == []
    assert verify(tmp_path / "take").ok


def test_the_rate_of_a_live_take_is_measured(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "take", fps=5.0))
    recorder.open(live_info())
    for seq in (*range(10), *range(15, 25)):  # with a gap, which is no rate
        recorder.accept_pair(pair(seq, jpeg=True))
    recorder.close()
    assert recorder.manifest is not None and recorder.manifest.fps == pytest.approx(30, abs=0.1)


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


def result_of(frame: StereoFrame, seq: int) -> StereoResult:
    gray = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    at = identity_rectification(SIZE)
    return StereoResult(frame, RectifiedPair(frame, at, gray, gray), MatchResult(disparity(seq)), disparity(seq))


class Slow(TakeWriter):
    """Writes only when it is let."""

    go: threading.Event

    def write_pair(self, frame: StereoFrame) -> int:
        assert self.go.wait(60)
        return super().write_pair(frame)


def slow_writer() -> tuple[type[Slow], threading.Event]:
    event = threading.Event()
    return type("SlowHere", (Slow,), {"go": event}), event


def adds_up(recorder: Recorder) -> bool:
    manifest = recorder.manifest
    assert manifest is not None
    return manifest.captured == manifest.pairs + sum(manifest.lost.values())


def test_depth_gives_way_before_any_pair_does(tmp_path: Path) -> None:
    writer, go = slow_writer()
    one = len(pair(0, jpeg=True).left.encoded or b"") * 2
    recorder = Recorder(TakeRequest(tmp_path / "take"), queue_bytes=60 * one, make_writer=writer)
    recorder.open(live_info())
    for seq in range(40):
        frame = pair(seq, jpeg=True)
        recorder.accept_pair(frame)
        recorder.accept(result_of(frame, seq))
    go.set()
    recorder.close()
    manifest = recorder.manifest
    assert manifest is not None and manifest.pairs == 40 and manifest.lost == {}
    assert 0 < manifest.depth_pairs < 40 and manifest.thinned == 40 - manifest.depth_pairs
    assert adds_up(recorder) and verify(tmp_path / "take").ok
    thinned = [entry.pair for entry in read_index(tmp_path / "take").depths if entry.depth is None]
    assert len(thinned) == manifest.thinned, "each is told by number, so that it can be computed later"


def test_the_queue_counts_what_it_holds_and_holds_no_picture_whose_jpeg_is_stored(tmp_path: Path) -> None:
    writer, go = slow_writer()
    recorder = Recorder(TakeRequest(tmp_path / "take"), make_writer=writer)
    recorder.open(live_info())
    frames = [pair(seq, jpeg=True) for seq in range(5)]
    for frame in frames:
        recorder.accept_pair(frame)
    encoded = sum(len(f.encoded or b"") for frame in frames for f in (frame.left, frame.right))
    assert recorder.state().queue_bytes == encoded
    kept, _ = recorder._to_keep(frames[0])
    assert kept.left.image.shape == frames[0].left.image.shape
    assert kept.left.image.strides == (0, 0, 0), "a picture without memory of its own"
    go.set()
    recorder.close()


def test_filters_begin_anew_at_the_first_pair_and_behind_a_lost_one(tmp_path: Path) -> None:
    writer, go = slow_writer()
    one = len(pair(0, jpeg=True).left.encoded or b"") * 2
    recorder = Recorder(TakeRequest(tmp_path / "take"), queue_bytes=3 * one, make_writer=writer)
    recorder.open(live_info())
    asked = [recorder.accept_pair(pair(seq, jpeg=True)) for seq in range(10)]
    assert asked == [True] + [False] * 9
    go.set()
    with recorder._room:
        assert recorder._room.wait_for(lambda: recorder.state().queue_bytes == 0, 60)
    assert recorder.accept_pair(pair(10, jpeg=True)), "pairs before it are lost: depth must not depend on them"
    assert not recorder.accept_pair(pair(11, jpeg=True))
    recorder.close()
    assert recorder.manifest is not None and recorder.manifest.lost["queue"] > 0 and adds_up(recorder)


def test_a_defect_in_the_writer_is_told_and_every_pair_is_counted(tmp_path: Path) -> None:
    class Broken(TakeWriter):
        def write_pair(self, frame: StereoFrame) -> int:
            if frame.seq == 3:
                raise ZeroDivisionError("a defect")
            return super().write_pair(frame)

    recorder = Recorder(TakeRequest(tmp_path / "take"), make_writer=Broken)
    recorder.open(live_info())
    for seq in range(10):
        recorder.accept_pair(pair(seq, jpeg=True))
    with pytest.raises(TakeError, match="a defect"):
        recorder.close()
    manifest = recorder.manifest
    assert manifest is not None and manifest.pairs == 3 and manifest.captured == 10 and adds_up(recorder)
    assert verify(tmp_path / "take").ok


def test_a_run_that_only_records_ends_when_nothing_can_be_written(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "take"), free=lambda _: 10_000_000, reserve=5_000_000, ends_run=True)
    recorder.open(live_info())
    recorder._free = lambda _: 4_000_000
    recorder.accept_pair(pair(0, jpeg=True))
    with recorder._room:
        assert recorder._room.wait_for(lambda: recorder.stopped is not None, 60)
    with pytest.raises(TakeError, match=r"4 MiB are left at .*take"):
        recorder.accept_pair(pair(1, jpeg=True))
    recorder.close()
    assert adds_up(recorder) and verify(tmp_path / "take").ok


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "a" / "take"), free=lambda _: 1000, reserve=5000)
    with pytest.raises(TakeError, match="nearly full"):
        recorder.open(live_info())
    assert not (tmp_path / "a").exists()


def test_a_camera_that_sends_something_else_ends_the_take_and_is_named(tmp_path: Path) -> None:
    recorder = Recorder(TakeRequest(tmp_path / "take"))
    recorder.open(live_info())
    for seq in range(8):
        recorder.accept_pair(pair(seq, jpeg=seq < 5))
    recorder.close()
    manifest = recorder.manifest
    assert manifest is not None and manifest.pairs == 5 and adds_up(recorder)
    assert manifest.stopped is not None and "sends other pictures" in manifest.stopped
    assert verify(tmp_path / "take").ok


def test_a_camera_that_is_gone_when_the_take_ends_leaves_a_gap_with_a_name(tmp_path: Path) -> None:
    now = [50.0]
    recorder = Recorder(TakeRequest(tmp_path / "take"), clock=lambda: now[0])
    recorder.open(live_info())
    recorder.accept_pair(pair(0, jpeg=True))
    now[0] += 12.0
    recorder.close()
    assert [(g.after_pair, g.seconds, g.cause) for g in verify(tmp_path / "take").gaps] == [(0, 12.0, AT_THE_END)]
    gone = CaptureStats(state_left="slow", state_right="missing")
    assert end_gap(recorder, gone) == [
        "No pair came in the last 12.0 s of the take: left camera slow, right camera missing."
    ]


def test_bytes_of_a_turned_camera_are_stored_as_they_came(tmp_path: Path) -> None:
    from livestereo.frames import turn
    from livestereo.sources.take import TakeSource

    recorder = Recorder(TakeRequest(tmp_path / "take"))
    recorder.open(live_info())
    for seq in range(3):
        plain = pair(seq, jpeg=True)
        left = Frame(turn(plain.left.image, "90"), plain.left.t_s, seq, plain.left.encoded, "90")
        recorder.accept_pair(dataclasses.replace(plain, left=left))
    recorder.close()
    with TakeSource(tmp_path / "take") as source:
        frame = source.frame(2)
        assert frame is not None and frame.left.encoded == pair(2, jpeg=True).left.encoded
        np.testing.assert_array_equal(frame.left.image, turn(pair(2, jpeg=True).left.image, "90"))
        assert source.info.left_size_wh == SIZE[::-1] and source.info.right_size_wh == SIZE


def test_the_switch_closes_a_take_that_stopped_by_itself_before_another_begins(tmp_path: Path) -> None:
    made: list[Recorder] = []

    def make(_: Path) -> Recorder:
        folder = tmp_path / f"take{len(made)}"
        made.append(Recorder(TakeRequest(folder), free=lambda _: 10_000_000, reserve=5_000_000))
        return made[-1]

    switch = RecordSwitch(tmp_path, make)
    switch.open(live_info())
    assert switch.toggle().startswith("Recording into") and switch.recording
    assert switch.accept_pair(pair(0, jpeg=True)), "the depth of a take depends on nothing before it"
    made[0]._free = lambda _: 1000
    switch.accept_pair(pair(1, jpeg=True))
    with made[0]._room:
        assert made[0]._room.wait_for(lambda: made[0].stopped is not None, 60)
    assert not switch.recording and "nearly full" in (switch.state().stopped or "")
    assert switch.toggle().startswith("Recording into") and switch.recording and len(made) == 2
    assert made[0].manifest is not None and made[0].manifest.state == "complete" and adds_up(made[0])
    switch.close()
    assert made[1].manifest is not None and adds_up(made[1])
    assert not any("recorder" in thread.name for thread in threading.enumerate())


def test_a_take_begun_in_the_same_second_gets_a_name_of_its_own(tmp_path: Path) -> None:
    switch = RecordSwitch(tmp_path, lambda folder: Recorder(TakeRequest(folder)))
    switch.open(live_info())
    for _ in range(6):
        switch.toggle()
    switch.close()
    assert len(list(tmp_path.glob("take-*/take.json"))) == 3


def test_the_switch_closes_a_take_that_stopped_by_itself_at_once_and_goes_on_telling_why(tmp_path: Path) -> None:
    made: list[Recorder] = []

    def make(folder: Path) -> Recorder:
        made.append(Recorder(TakeRequest(folder), free=lambda _: 10_000_000, reserve=5_000_000))
        return made[-1]

    switch = RecordSwitch(tmp_path, make)
    switch.open(live_info())
    switch.toggle()
    switch.accept_pair(pair(0, jpeg=True))
    made[0]._free = lambda _: 1000
    switch.accept_pair(pair(1, jpeg=True))
    with made[0]._room:
        assert made[0]._room.wait_for(lambda: made[0].stopped is not None, 60)
    recorders = Recorders([switch])
    assert any("nearly full" in why for why in recorders.news()) and recorders.news() == []
    assert made[0].manifest is not None and made[0].manifest.state == "complete" and adds_up(made[0])
    assert "nearly full" in (switch.state().stopped or "") and switch.state().lost["disk"] >= 1
    assert not switch.accept_pair(pair(2, jpeg=True))
    told = recorders.told()
    assert told["recorder"] is None and told["recording_s"] is None and "nearly full" in told["stopped"]
    switch.toggle()
    told = recorders.told()
    assert told["stopped"] is None and told["recorder"].recording
    switch.close()


def test_a_pair_that_comes_while_the_take_is_closed_is_none_of_it(tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()

    class Switched(Recorder):
        """Its thread is switched away between a pair's arrival and the queue."""

        def _to_keep(self, frame: StereoFrame) -> tuple[StereoFrame, int]:
            if frame.seq == 5:
                inside.set()
                assert go.wait(60)
            return super()._to_keep(frame)

    recorder = Switched(TakeRequest(tmp_path / "take"))
    recorder.open(live_info())
    reader = threading.Thread(target=lambda: [recorder.accept_pair(pair(seq, jpeg=True)) for seq in range(6)])
    reader.start()
    assert inside.wait(60)
    recorder.close()
    go.set()
    reader.join(60)
    assert recorder.manifest is not None and recorder.manifest.pairs == recorder.manifest.captured == 5
    assert verify(tmp_path / "take").ok


def test_a_file_loses_no_pair_when_the_person_stops(tmp_path: Path) -> None:
    writer, go = slow_writer()
    one = len(pair(0, jpeg=True).left.encoded or b"") * 2
    waits = threading.Event()

    class Telling(Recorder):
        def _is_full(self, job: Any) -> bool:
            full = super()._is_full(job)
            if full:
                waits.set()
            return full

    recorder = Telling(TakeRequest(tmp_path / "take"), queue_bytes=2 * one, make_writer=writer)
    recorder.open(dataclasses.replace(live_info(), live=False))
    reader = threading.Thread(target=lambda: [recorder.accept_pair(pair(seq, jpeg=True)) for seq in range(9)])
    reader.start()
    assert waits.wait(60)
    closing = threading.Thread(target=recorder.close)
    closing.start()
    reader.join(60)  # it waits for room no longer, though nothing has been written yet
    go.set()
    closing.join(60)
    assert recorder.manifest is not None and recorder.manifest.pairs >= 1 and not recorder.manifest.lost
    assert adds_up(recorder) and verify(tmp_path / "take").ok
