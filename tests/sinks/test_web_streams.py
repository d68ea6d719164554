from __future__ import annotations

import threading

from sink_scenes import make_result

from livestereo.sinks.web_streams import FrameSlots
from livestereo.types import StereoResult

WAIT_S = 10.0  # how long a test waits for a thread at most; nothing depends on it being reached


def numbered(view: str, result: StereoResult) -> bytes:
    return f"{view} {result.frame.seq}".encode()


def test_nothing_is_made_while_nobody_looks() -> None:
    slots = FrameSlots(numbered)
    slots.start()
    for seq in range(50):
        slots.offer(make_result(32, 24, seq=seq))
    assert slots.encoded == 0
    found = slots.wait("left", 0, WAIT_S)
    assert found == (1, b"left 49")
    for seq in range(50, 80):
        slots.offer(make_result(32, 24, seq=seq))
    assert slots.encoded == 1
    slots.close()


def test_only_the_view_that_is_looked_at_is_made_and_one_picture_serves_all() -> None:
    slots = FrameSlots(numbered)
    slots.start()
    results: list[object] = []
    clients = [
        threading.Thread(target=lambda: results.append(slots.wait("depth", 0, WAIT_S)), name=f"client-{i}")
        for i in range(8)
    ]
    for client in clients:
        client.start()
    slots.offer(make_result(32, 24, seq=3))
    for client in clients:
        client.join(WAIT_S)
    assert results == [(1, b"depth 3")] * 8
    assert slots.encoded == 1
    slots.close()


def test_a_late_client_gets_a_new_picture_not_an_old_one() -> None:
    slots = FrameSlots(numbered)
    slots.start()
    slots.offer(make_result(32, 24, seq=1))
    assert slots.wait("left", 0, WAIT_S) == (1, b"left 1")
    slots.offer(make_result(32, 24, seq=2))
    assert slots.wait("left", 0, WAIT_S) == (2, b"left 2")
    slots.close()


def test_while_paused_a_new_client_sees_the_picture_and_an_old_one_waits() -> None:
    slots = FrameSlots(numbered)
    slots.start()
    slots.offer(make_result(32, 24, seq=1))
    assert slots.wait("left", 0, WAIT_S) == (1, b"left 1")
    assert slots.wait("left", 0, WAIT_S) == (1, b"left 1")
    assert slots.wait("left", 1, 0.01) is None
    assert slots.encoded == 1
    slots.look_changed()
    assert slots.wait("left", 1, WAIT_S) == (2, b"left 1")
    slots.close()


def test_pictures_come_no_faster_than_allowed() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    slots = FrameSlots(numbered, max_fps=10, clock=clock)
    slots.start()
    slots.offer(make_result(32, 24, seq=1))
    assert slots.wait("left", 0, WAIT_S) is not None
    slots.offer(make_result(32, 24, seq=2))
    assert slots.wait("left", 1, 0.02) is None  # the clock stands still
    clock.now += 0.2
    slots.look_changed()  # anything that wakes the encoder
    assert slots.wait("left", 1, WAIT_S) is not None
    slots.close()


def test_closing_wakes_who_waits() -> None:
    slots = FrameSlots(numbered)
    slots.start()
    got: list[object] = []
    client = threading.Thread(target=lambda: got.append(slots.wait("left", 0, WAIT_S)))
    client.start()
    slots.close()
    client.join(WAIT_S)
    assert got == [None] and not client.is_alive()
    slots.close()


def test_a_picture_that_cannot_be_made_ends_the_stream_and_is_kept() -> None:
    def broken(view: str, result: StereoResult) -> bytes:
        raise ValueError("no such view")

    slots = FrameSlots(broken)
    slots.start()
    slots.offer(make_result(32, 24))
    assert slots.wait("left", 0, WAIT_S) is None
    assert isinstance(slots.failure, ValueError)
    slots.close()
