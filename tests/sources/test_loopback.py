"""The real `cv2.VideoCapture` against two cameras on loopback, with everything that goes wrong with cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from fakes.mjpeg_server import MjpegServer, frame_number, stamp_jpeg

from livestereo.errors import NoFrameYet, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.cameras import LiveSource
from livestereo.types import StereoFrame

FPS = 50.0
PATIENCE_S = 20.0  # only a broken program takes so long


def jpegs(size: tuple[int, int], seed: int) -> Callable[[int], bytes]:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    image = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    made = [cv2.imencode(".jpg", np.roll(image, 3 * k, axis=1))[1].tobytes() for k in range(16)]
    return lambda number: made[number % 16]


SMALL, OTHER = jpegs((160, 120), 0), jpegs((96, 64), 1)


@pytest.fixture
def servers() -> Iterator[tuple[MjpegServer, MjpegServer]]:
    start = time.monotonic()
    with (
        MjpegServer(SMALL, FPS, start_s=start) as left,
        MjpegServer(SMALL, FPS, phase_s=0.006, start_s=start) as right,
    ):
        yield left, right


def open_both(servers: tuple[MjpegServer, MjpegServer], **request: object) -> LiveSource:
    source = open_source([server.url for server in servers], SourceRequest(**request))
    assert isinstance(source, LiveSource)
    return source


def read_until(source: LiveSource, done: Callable[[StereoFrame | None], bool]) -> list[StereoFrame]:
    """Read until `done` says so of a pair, or of None where none came."""
    frames: list[StereoFrame] = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            frame = source.read(0.05)
        except NoFrameYet:
            frame = None
        if frame is not None:
            frames.append(frame)
        stats = source.stats()
        assert stats.offered == 2 * stats.paired + sum(stats.dropped.values()) + stats.waiting
        if done(frame):
            return frames
    raise AssertionError(f"never happened; {source.stats()}")


def take(source: LiveSource, count: int) -> list[StereoFrame]:
    left = iter(range(1, 10**6))
    return read_until(source, lambda frame: frame is not None and next(left) >= count)


def state(source: LiveSource, side: str, wanted: str) -> bool:
    return getattr(source.stats(), f"state_{side}") == wanted


def test_the_cameras_own_bytes_arrive_untouched_and_paired(servers) -> None:
    with open_both(servers) as source:
        frames = take(source, 60)
        neighbours = 0
        for frame in frames:
            left, right = frame.left.encoded, frame.right.encoded
            assert left is not None and right is not None
            number = frame_number(left)
            assert left == stamp_jpeg(SMALL(number), number)
            neighbours += frame_number(right) - number in (-1, 0)  # 6 ms later, or 14 ms earlier
        assert neighbours > 30  # a busy test machine delays some
        assert frames[-1].left.image.shape == (120, 160, 3)
        shown = cv2.imdecode(np.frombuffer(frames[-1].left.encoded, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(frames[-1].left.image, shown)
        assert source.info.left_size_wh == (160, 120)
    assert not [t for t in threading.enumerate() if t.name.startswith("livestereo")]


def test_a_stall_is_named_and_ends(servers) -> None:
    with open_both(servers) as source:
        take(source, 10)
        servers[1].faults.stalled = True
        read_until(source, lambda _: state(source, "right", "stalled") or state(source, "right", "missing"))
        servers[1].faults.stalled = False
        frames = read_until(source, lambda frame: frame is not None and frame.gap is not None)
        assert "right camera" in (frames[-1].gap or "")


def test_a_frozen_camera_is_named_and_makes_no_pairs(servers) -> None:
    with open_both(servers) as source:
        take(source, 10)
        servers[0].faults.frozen = True
        read_until(source, lambda _: state(source, "left", "frozen"))
        read_until(source, lambda frame: frame is None and source.stats().dropped["camera"] > 0)
        servers[0].faults.frozen = False
        read_until(source, lambda frame: frame is not None and state(source, "left", "ok"))


def test_jpegs_cut_in_half_are_dropped_alone(servers) -> None:
    servers[0].faults.cut_every = 5
    with open_both(servers) as source:
        frames = take(source, 40)
        assert source.stats().dropped["camera"] >= 5
        assert all(frame_number(frame.left.encoded or b"") % 5 for frame in frames)


def test_another_size_never_reaches_the_reader(servers) -> None:
    with open_both(servers) as source:
        take(source, 10)
        servers[1].faults.frames = OTHER
        frames = read_until(source, lambda _: state(source, "right", "wrong size"))
        servers[1].faults.frames = None
        frames += read_until(source, lambda frame: frame is not None and state(source, "right", "ok"))
        assert {frame.right.image.shape for frame in frames} <= {(120, 160, 3)}


def test_a_camera_that_goes_and_returns(servers) -> None:
    with open_both(servers) as source:
        take(source, 10)
        servers[0].disconnect()
        read_until(source, lambda _: state(source, "left", "missing"))
        assert state(source, "right", "ok")
        servers[0].come_back()
        frames = read_until(source, lambda frame: frame is not None)
        assert source.stats().reconnects == 1
        assert "left camera lost" in (frames[-1].gap or "")


def test_a_camera_that_is_not_there(servers) -> None:
    servers[1].disconnect()
    with pytest.raises(SourceError, match="Nothing answers"), open_both(servers):
        pass


def test_side_by_side_from_one_network_camera() -> None:
    with MjpegServer(SMALL, FPS) as server, open_source([server.url], SourceRequest(side_by_side=True)) as source:
        frame = source.read(5.0)
        assert frame is not None and frame.left.image.shape == (120, 80, 3) and frame.skew_s == 0


def test_a_password_is_neither_shown_nor_stored() -> None:
    with MjpegServer(SMALL, FPS) as left, MjpegServer(SMALL, FPS) as right:
        urls = [server.url.replace("http://", "http://me:secret@") for server in (left, right)]
        with open_source(urls) as source:
            assert "secret" not in repr(source.info) and "me:***@" in source.info.left_id
