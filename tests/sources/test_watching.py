"""Watchdog, stamp choice, pair queue, skew: the small pure parts of a live source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fakes.mjpeg_server import frame_number, stamp_jpeg

from livestereo.frames import LazyFrame
from livestereo.skew import row_skews_s, skew_depth_error_m, worst_row_skew_s
from livestereo.sources.capture import decode_jpeg, jpeg_size
from livestereo.sources.pairqueue import MOST_WAITING, PairQueue
from livestereo.sources.stamps import StampChoice
from livestereo.sources.watchdog import Watchdog
from livestereo.types import Frame, StereoFrame

SIZE = (64, 48)


def watch(dog: Watchdog, times: list[float], marks: list[int] | None = None) -> float:
    for index, t_s in enumerate(times):
        dog.saw(t_s, marks[index] if marks else index, SIZE)
    return times[-1]


def test_a_healthy_camera_and_one_that_halves_its_rate() -> None:
    dog = Watchdog(0.0, 30.0)
    dog.opened(0.0, 30.0)
    now = watch(dog, [k / 30 for k in range(1, 120)])
    assert dog.health(now).state == "ok" and dog.rate(now) == pytest.approx(30, rel=0.02)
    now = watch(dog, [now + k / 15 for k in range(1, 60)], list(range(1000, 1060)))
    assert dog.health(now).state == "slow" and dog.rate(now) == pytest.approx(15, rel=0.02)


def test_a_rate_that_nobody_told_is_learnt() -> None:
    dog = Watchdog(0.0)
    dog.opened(0.0, None)
    now = watch(dog, [k / 25 for k in range(1, 120)])
    now = watch(dog, [now + k / 12.5 for k in range(1, 60)], list(range(1000, 1060)))
    assert dog.health(now).state == "slow"


def test_stalled_missing_and_back() -> None:
    dog = Watchdog(0.0, 30.0)
    dog.opened(0.0, 30.0)
    now = watch(dog, [k / 30 for k in range(1, 60)])
    assert dog.health(now + 0.3).state == "ok"
    assert dog.health(now + 0.5).state == "stalled" and dog.health(now + 0.5).since_s == now
    dog.lost(now + 1.0)
    assert dog.health(now + 2.0).state == "missing" and dog.health(now + 2.0).since_s == now
    dog.opened(now + 3.0, 30.0)
    dog.saw(now + 3.1, 99999, SIZE)
    assert dog.health(now + 3.1).state == "ok"


def test_frozen_needs_the_same_bytes_for_a_while() -> None:
    dog = Watchdog(0.0, 30.0)
    dog.opened(0.0, 30.0)
    now = watch(dog, [k / 30 for k in range(1, 6)], [7] * 5)
    assert dog.health(now).state == "ok"
    now = watch(dog, [now + k / 30 for k in range(1, 20)], [7] * 19)
    assert dog.health(now).state == "frozen"


def test_a_wrong_size_is_refused_and_named() -> None:
    dog = Watchdog(0.0, 30.0)
    dog.opened(0.0, 30.0)
    assert dog.saw(0.1, 1, SIZE) and not dog.saw(0.2, 2, (32, 24))
    assert dog.health(0.2).state == "wrong size"
    assert dog.saw(0.3, 3, SIZE) and dog.health(0.3).state == "ok"


def test_driver_stamps_count_only_when_both_cameras_have_good_ones() -> None:
    choice = StampChoice(2)
    for k in range(30):
        t_s = 1 + k / 30
        assert choice.choose(0, t_s, t_s - 0.02) == (t_s, False)
        assert choice.choose(1, t_s, None) == (t_s, False)
    assert choice.label == "grab"
    choice = StampChoice(2)
    changes = 0
    for k in range(30):
        t_s = 1 + k / 30
        left, changed_left = choice.choose(0, t_s, t_s - 0.02)
        right, changed_right = choice.choose(1, t_s, t_s - 0.03)
        changes += changed_left + changed_right
    assert choice.label == "driver" and changes == 1
    assert (left, right) == (t_s - 0.02, t_s - 0.03)
    # One odd stamp is made good; stamps that stay odd end it.
    odd, changed = choice.choose(0, 3.0, 99.0)
    assert not changed and odd == pytest.approx(3.0 - 0.02, abs=0.003)
    assert any(choice.choose(0, 3.1 + k / 30, 99.0)[1] for k in range(5)) and choice.label == "grab"


@pytest.mark.parametrize("driver_s", [0.0, 5.0, -1.0])
def test_nominal_or_stuck_driver_stamps_are_never_trusted(driver_s: float) -> None:
    choice = StampChoice(1)
    assert not any(choice.choose(0, 100 + k / 30, driver_s)[1] for k in range(40))


def pair(number: int, gap: str | None = None) -> StereoFrame:
    frame = Frame(np.zeros((2, 2, 3), np.uint8), float(number), number)
    return StereoFrame(frame, frame, 0, gap=gap)


def test_the_queue_is_bounded_and_keeps_the_cause_of_a_gap() -> None:
    queue = PairQueue()
    queue.put(pair(0, gap="left camera lost"))
    for number in range(1, 20):
        queue.put(pair(number))
    assert len(queue) == MOST_WAITING and queue.lost == 20 - MOST_WAITING
    first = queue.take(0.0, 1 / 30)
    assert first.left.seq == 20 - MOST_WAITING and first.gap == "left camera lost" and first.seq == 0


def test_a_lazy_frame_is_made_once_and_when_looked_at() -> None:
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros((4, 4, 3), np.uint8)

    frame = LazyFrame(make, 1.5, 7, b"x")
    assert (frame.t_s, frame.seq, frame.encoded, made) == (1.5, 7, b"x", [])
    assert frame.image is frame.image and made == [1]


def test_jpeg_headers_are_read_without_decoding() -> None:
    for flag in (0, 1):
        data = cv2.imencode(".jpg", np.zeros((33, 47, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, flag])[1].tobytes()
        assert jpeg_size(data) == (47, 33) and jpeg_size(stamp_jpeg(data, 12)) == (47, 33)
        assert frame_number(stamp_jpeg(data, 12)) == 12
    assert jpeg_size(b"\xff\xd8\xff") is None and jpeg_size(b"") is None


def test_a_jpeg_that_is_broken_inside_becomes_gray() -> None:
    assert decode_jpeg(b"\xff\xd8\xff\xd9", (8, 6)).tolist() == np.full((6, 8, 3), 128).tolist()


def test_skew_as_depth_error() -> None:
    # The example worked by hand: 16.7 ms, 2 m, 6 cm, 1 m/s is 5 px of 18 px of disparity at f = 600 px: 28 %.
    assert skew_depth_error_m(-0.0167, 2.0, 0.06) == pytest.approx(0.557, abs=0.001)


def test_rows_differ_where_shutters_roll() -> None:
    assert row_skews_s(0.004, (0.02, 0.02)) == pytest.approx((0.004, 0.004))
    assert row_skews_s(0.004, (0.02, 0.03)) == pytest.approx((0.004, 0.014))
    # The left camera hangs upside down: its upright top row is read last.
    assert row_skews_s(0.0, (0.02, 0.02), ("180", "none")) == pytest.approx((-0.02, 0.02))
    assert worst_row_skew_s(0.004, (0.03, 0.02)) == pytest.approx(-0.006)
    assert worst_row_skew_s(0.004, (0.0, 0.0)) == pytest.approx(0.004)
