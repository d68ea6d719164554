"""The live source against cameras that the test drives frame by frame."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from fakes.captures import FakeCamera, FakeClock, opener

from livestereo.errors import NoFrameYet, SourceError
from livestereo.phase import Aim
from livestereo.sources.cameras import OPEN_S, LiveSource
from livestereo.sources.capture import Camera
from livestereo.sources.grammar import Word
from livestereo.sources.request import SourceRequest


class Rig:
    """Two fake cameras and the source that reads them. `feed` gives frames in step with the fake clock."""

    def __init__(self, count: int = 2, **request: object) -> None:
        self.clock = FakeClock()
        self.fakes = [FakeCamera(size=(64, 48)) for _ in range(count)]
        cameras = [Camera(f"cam{i}", i, 0, f"usb:{i}") for i in range(count)]
        self.by_target = dict(enumerate(self.fakes))
        self.source = LiveSource(
            cameras,
            SourceRequest(**request),
            open_capture=opener(self.by_target),
            open_controls_of=lambda path: contextlib.nullcontext(None),
            clock=self.clock,
        )
        self.step = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[LiveSource]:
        self.give_all()
        with self.source as source:
            self.settle()
            yield source
            for fake in self.fakes:
                fake.unplugged = True  # no grab is waited for at the end

    def give_all(self) -> None:
        for fake in self.fakes:
            fake.give()

    def settle(self, sides: tuple[int, ...] | None = None) -> None:
        """Wait until the readers have handed over what was given."""
        for side in sides if sides is not None else range(len(self.fakes)):
            assert self.fakes[side].taken.acquire(timeout=5)
        # The hand-over itself happens under the source's lock, right after the frame was taken.
        offered = self.source.stats().offered
        for _ in range(1000):
            now = self.source.stats().offered
            if now >= self.step_offered():
                return
            with self.source._changed:
                self.source._changed.wait(0.01)
        raise AssertionError(f"only {offered} frames arrived")

    def step_offered(self) -> int:
        return sum(fake._given for fake in self.fakes) * (2 if len(self.fakes) == 1 else 1)

    def feed(self, times: int = 1, sides: tuple[int, ...] | None = None, period_s: float = 1 / 30) -> None:
        for _ in range(times):
            self.clock.now_s += period_s
            for side in sides if sides is not None else range(len(self.fakes)):
                self.fakes[side].give()
            self.settle(sides)


def balanced(source: LiveSource) -> bool:
    stats = source.stats()
    return stats.offered == 2 * stats.paired + sum(stats.dropped.values()) + stats.waiting


def test_pairs_come_in_order_and_every_frame_is_accounted_for() -> None:
    rig = Rig()
    with rig.open() as source:
        assert source.info.live and source.info.left_size_wh == (64, 48)
        for number in range(40):
            frame = source.read(1.0)
            assert frame is not None and frame.seq == number and frame.left.seq == frame.right.seq
            assert balanced(source)
            rig.feed()
        assert source.stats().dropped == {"camera": 0, "pairing": 0, "busy": 0}
        assert source.stats().fps_left == pytest.approx(30, rel=0.05)
    assert all(fake.released == fake.opened for fake in rig.fakes)
    assert not [t for t in threading.enumerate() if t.name.startswith("livestereo")]


def test_no_frame_yet_is_not_the_end() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        with pytest.raises(NoFrameYet):
            source.read(0.0)


def test_a_slow_reader_gets_the_newest_pair_and_the_rest_is_counted() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        ages = []
        for _ in range(12):
            rig.feed(5)  # five frames a read: five times too slow
            frame = source.read(1.0)
            assert frame is not None
            ages.append(rig.clock.now_s - frame.t_s)
            assert balanced(source) and source.stats().waiting <= 2 * 8 + 4
        # One hiccup keeps every pair; from then on only the newest counts.
        assert max(ages[3:]) < 1.5 / 30
        assert source.stats().dropped["busy"] > 0


def test_one_hiccup_loses_nothing() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        rig.feed(5)
        got = [source.read(0.0) for _ in range(5)]
        assert [frame.left.seq for frame in got if frame] == [1, 2, 3, 4, 5]
        assert source.stats().dropped["busy"] == 0


def test_swap_and_flip_and_bias_reach_the_pair() -> None:
    rig = Rig(swap=True, flip=("180", "none"), stamp_bias_s=0.004)
    with rig.open() as source:
        frame = source.read(1.0)
        assert frame is not None
        assert source.info.left_id == "usb:1"
        # Both were given at the same moment: what is left is the known bias of left and right.
        assert frame.skew_s == pytest.approx(0.004)


def test_one_camera_that_carries_both_views() -> None:
    rig = Rig(count=1, side_by_side=True)
    with rig.open() as source:
        frame = source.read(1.0)
        assert frame is not None
        assert frame.left.image.shape == frame.right.image.shape == (48, 32, 3)
        assert frame.skew_s == 0 and source.info.left_size_wh == (32, 48)
        rig.feed(3)
        assert balanced(source) and source.stats().offered == 8


def test_a_lost_camera_is_opened_again_and_the_gap_is_named() -> None:
    rig = Rig()
    with rig.open() as source:
        for _ in range(30):
            source.read(1.0)
            rig.feed()
        source.read(1.0)
        rig.clock.now_s += 1 / 30
        rig.fakes[0].fail(3)  # three failed grabs in a row: gone
        while rig.fakes[0].opened < 2:
            rig.fakes[0].taken.acquire(timeout=0.01)
        rig.clock.now_s += 2.0
        rig.feed(25)  # the new clock needs no learning before it pairs
        frame = source.read(1.0)
        assert frame is not None and frame.gap is not None and "left camera lost" in frame.gap
        assert source.stats().reconnects == 1 and balanced(source)


def test_a_camera_that_comes_back_at_another_place_is_found_by_its_stable_id() -> None:
    rig = Rig()
    asked: list[str] = []

    def find_again(word: Word) -> Camera:
        asked.append(word.text)
        return Camera(word.text, 4, 0, word.text)  # the second camera is plugged in elsewhere: its index is another

    rig.source._find_again = find_again
    with rig.open() as source:
        rig.feed(5)
        rig.by_target[4] = rig.by_target.pop(1)
        rig.fakes[1].fail(3)
        while rig.fakes[1].opened < 2:
            rig.fakes[1].taken.acquire(timeout=0.01)
        rig.feed(25)
        assert asked == ["usb:1"]
        assert source.stats().reconnects == 1
        assert source.info.right_id == "usb:1"


def test_a_camera_that_stalls_is_named_while_it_does() -> None:
    rig = Rig()
    with rig.open() as source:
        for _ in range(20):
            source.read(1.0)
            rig.feed()
        rig.feed(30, sides=(1,))
        stats = source.stats()
        assert (stats.state_left, stats.state_right) == ("stalled", "ok")
        assert stats.missing_s == pytest.approx(1.0, abs=0.1) and balanced(source)


def test_one_frozen_camera_makes_no_pairs_but_two_still_pictures_do() -> None:
    rig = Rig()
    still = np.full((48, 64, 3), 77, np.uint8)
    with rig.open() as source:
        for _ in range(40):
            rig.clock.now_s += 1 / 30
            rig.fakes[0].give(still)
            rig.fakes[1].give()
            rig.settle()
        assert source.stats().state_left == "frozen" and source.stats().dropped["camera"] > 0
        assert balanced(source)
    rig = Rig()
    with rig.open() as source:
        for _ in range(40):
            rig.clock.now_s += 1 / 30
            for fake in rig.fakes:
                fake.give(still)
            rig.settle()
        # A test picture shown by both: told, but not thrown away.
        assert source.stats().state_left == "frozen" and source.stats().dropped["camera"] == 0


def test_a_frame_of_another_size_is_dropped_and_told() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        for _ in range(5):
            rig.clock.now_s += 1 / 30
            rig.fakes[0].give(np.zeros((24, 32, 3), np.uint8))
            rig.fakes[1].give()
            rig.settle()
        assert source.stats().state_left == "wrong size" and source.stats().dropped["camera"] == 5
        assert balanced(source)


def test_damaged_pictures_are_left_out_and_told_once() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        for _ in range(4):
            rig.clock.now_s += 1 / 30
            rig.fakes[0].give(np.zeros((0, 0, 3), np.uint8))
            rig.fakes[1].give()
            rig.settle()
        assert source.stats().dropped["camera"] == 4
        assert source.info.notes == ("Left camera sends damaged pictures: they are left out.",) == source.info.faults
        assert balanced(source)


def test_a_dying_thread_is_raised_by_read_with_its_cause() -> None:
    rig = Rig()
    with rig.open() as source:
        source.read(1.0)
        rig.fakes[1].die(RuntimeError("driver fell over"))
        with pytest.raises(SourceError) as told:
            for _ in range(50):
                with contextlib.suppress(NoFrameYet):
                    source.read(0.1)
        assert isinstance(told.value.__cause__, RuntimeError)


def test_a_camera_that_does_not_open_fails_at_once() -> None:
    rig = Rig()
    rig.fakes[1].opens = False
    rig.fakes[0].give()
    with pytest.raises(SourceError), rig.source:
        pass
    assert not [t for t in threading.enumerate() if t.name.startswith("livestereo")]


def test_differences_from_what_was_asked_are_told() -> None:
    rig = Rig(size=((1280, 720), (64, 48)), fps=(60.0, 30.0), fourcc=("MJPG", None))
    rig.fakes[0].refuses = {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48, cv2.CAP_PROP_FPS: 30.0}
    with rig.open() as source:
        notes = " ".join(source.info.notes)
        assert "cam0 gives 64x48, not the 1280x720" in notes and "30 pictures per second, not the 60" in notes
        assert "cam1" not in notes
    order = rig.fakes[0].set_order
    wanted = [cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FPS, cv2.CAP_PROP_BUFFERSIZE]
    assert [order.index(prop) for prop in wanted] == sorted(order.index(prop) for prop in wanted)


def test_another_camera_than_the_rig_was_made_with_is_told() -> None:
    for ids, said in ((("usb:0", "usb:9"), "right camera is usb:1"), (("usb:1", "usb:0"), "other way round")):
        rig = Rig(camera_ids=ids)
        with rig.open() as source:
            assert said in " ".join(source.info.notes)


def test_a_camera_can_be_opened_again_for_another_phase_and_is_no_reconnect() -> None:
    rig = Rig()
    with rig.open() as source:
        rig.feed(30)
        before = source.phase("right")
        assert before is not None and before.phase_s == pytest.approx(0.0, abs=1e-6)
        source.set_stamp_bias(0.004)
        again = source.phase("right")
        assert again is not None and again.phase_s == pytest.approx(0.004, abs=1e-6)
        mirrored = source.phase("left")
        assert mirrored is not None and mirrored.phase_s == pytest.approx(-0.004, abs=1e-6)
        source.reopen("right", 0.0, Aim(again.anchor_s + 0.01, again.period_s))
        rig.fakes[1].give()  # the grab that is waiting ends with it; then the camera is opened anew
        rig.settle((1,))
        assert source.phase("right") is None
        rig.feed(30)
        after = source.phase("right")
        assert after is not None and after.measured_s == pytest.approx(1.0, abs=0.1)
        assert rig.fakes[1].opened == 2
        assert source.stats().reconnects == 0


def test_a_camera_that_sends_only_damaged_pictures_is_not_called_silent() -> None:
    rig = Rig()
    rig.fakes[0].give()
    rig.fakes[1].give(np.zeros((0, 0, 3), np.uint8))

    def when_it_came() -> None:
        assert rig.fakes[1].taken.acquire(timeout=5)
        while rig.source.stats().dropped["camera"] == 0:
            with rig.source._changed:
                rig.source._changed.wait(0.01)
        rig.clock.now_s += OPEN_S + 1
        for fake in rig.fakes:
            fake.unplugged = True

    helper = threading.Thread(target=when_it_came)
    helper.start()
    with pytest.raises(SourceError, match="Only damaged pictures came from cam1"), rig.source:
        pass
    helper.join(5)


def test_the_rate_is_the_one_that_the_drivers_tell() -> None:
    rig = Rig()
    rig.fakes[1].props[cv2.CAP_PROP_FPS] = 15.0
    with rig.open() as source:
        assert source.info.fps == 15.0
    mad = Rig()
    for fake in mad.fakes:
        fake.props[cv2.CAP_PROP_FPS] = 90000.0
    with mad.open() as source:
        assert source.info.fps is None
