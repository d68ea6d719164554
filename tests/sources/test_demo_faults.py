"""The demo's faults and its clock: each is as it was asked for, and none is there that was not."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from livestereo.errors import NoFrameYet, SourceError
from livestereo.sources import SourceRequest
from livestereo.sources.demo import DemoSource, open_demo
from livestereo.sources.demo import source as demo_source
from livestereo.sources.demo.faults import Faults, Outage

SMALL = "size=320x240"


def test_no_fault_gives_equal_stamps_and_no_skew() -> None:
    with open_demo(f"demo:room,seed=4,{SMALL}") as source:
        pair = source.frame(7)
    assert pair.left.t_s == pair.right.t_s == pytest.approx(7 / 30)
    assert pair.skew_s == 0
    assert source.exposures(7) == (7 / 30, 7 / 30)


def test_positive_phase_means_the_right_camera_is_later() -> None:
    with open_demo(f"demo:room,seed=4,{SMALL},phase=8ms") as source:
        pairs = [source.read() for _ in range(5)]
    for seq, pair in enumerate(pairs):
        assert pair is not None
        assert pair.skew_s == pytest.approx(0.008, abs=1e-9)
        left, right = source.exposures(seq)
        assert right - left == pytest.approx(0.008)


def test_moving_things_are_rendered_when_each_camera_exposes() -> None:
    with open_demo(f"demo:room,seed=4,{SMALL}") as on_time, open_demo(f"demo:room,seed=4,{SMALL},phase=10ms") as late:
        a, b = on_time.frame(20), late.read()
        while b is not None and b.seq < 20:
            b = late.read()
        assert b is not None
        assert np.array_equal(a.left.image, b.left.image)
        moved = (a.right.image.astype(int) != b.right.image.astype(int)).any(axis=2)
        assert moved.any()


def test_jitter_drop_and_drift_go_through_the_pairing_of_cameras() -> None:
    with open_demo(f"demo:plane,{SMALL},phase=5ms,jitter=4ms,drop=5%,drift=30ms/min") as source:
        pairs = [source.read() for _ in range(150)]
        counts = source.stats()
    assert all(pair is not None for pair in pairs)
    true = np.array([np.subtract(*source.exposures(seq)[::-1]) for seq in range(150)])
    # 30 ms in a minute are 0.5 ms in each second on top of the phase.
    assert true[100] == pytest.approx(0.005 + 0.0005 * source.exposures(100)[0], abs=2e-4)
    assert counts.offered == 2 * counts.paired + sum(counts.dropped.values()) + counts.waiting
    assert counts.dropped["pairing"] > 0
    late = [pair.skew_s - t for pair, t in zip(pairs, true) if pair is not None]
    assert np.std(late[60:]) < 0.002  # the learnt clocks take most of the 5.7 ms out


def test_unplugged_camera_leaves_a_gap_and_comes_back() -> None:
    with open_demo(f"demo:plane,{SMALL},unplug=left@1s+0.5s") as source:
        pairs = [source.read() for _ in range(40)]
        counts = source.stats()
    gaps = [(pair.seq, pair.gap) for pair in pairs if pair is not None and pair.gap]
    assert len(gaps) == 1
    assert "left camera lost" in str(gaps[0][1])
    assert gaps[0][0] == 30
    assert counts.reconnects == 1


def test_frozen_camera_repeats_its_picture() -> None:
    with DemoSource("room", 4, (320, 240), faults=Faults(freeze=(Outage("right", 0.1, 0.19),))) as source:
        pictures = [source.read() for _ in range(12)]
    same = [np.array_equal(a.right.image, b.right.image) for a, b in pairwise(p for p in pictures if p)]
    # exposures 3..8 lie within it and all show what the first of them saw
    assert same == [False, False, False, True, True, True, True, True, False, False, False]


def test_exposure_blur_and_swap() -> None:
    with (
        open_demo(f"demo:room,seed=4,{SMALL}") as plain,
        open_demo(f"demo:room,seed=4,{SMALL},expose=right*1.25+8,blur=left*2px") as faulty,
    ):
        a, b = plain.frame(0), faulty.frame(0)
    assert b.right.image.mean() > a.right.image.mean() + 12
    sharp = [cv2.Laplacian(cv2.cvtColor(p.left.image, cv2.COLOR_BGR2GRAY), cv2.CV_32F).var() for p in (a, b)]
    assert sharp[1] < 0.3 * sharp[0]
    with open_demo(f"demo:room,seed=4,{SMALL},swap") as swapped:
        c = swapped.frame(0)
    assert np.array_equal(c.left.image, a.right.image)
    with open_demo(f"demo:room,seed=4,{SMALL},swap", SourceRequest(swap=True)) as mended:
        assert np.array_equal(mended.frame(0).left.image, a.left.image)


def test_bump_shifts_the_right_picture_from_its_moment_on() -> None:
    with open_demo(f"demo:plane,{SMALL}") as plain, open_demo(f"demo:plane,{SMALL},bump=1deg@0.5s") as bumped:
        before = [np.array_equal(plain.frame(14).right.image, bumped.frame(14).right.image)]
        a, b = (cv2.cvtColor(s.frame(16).right.image, cv2.COLOR_BGR2GRAY) for s in (plain, bumped))
        left = np.array_equal(plain.frame(16).left.image, bumped.frame(16).left.image)
    assert before == [True]
    assert left
    shift, _ = cv2.phaseCorrelate(a.astype(np.float32), b.astype(np.float32), cv2.createHanningWindow((320, 240), 5))
    # 1 degree, most of it pitch: 0.84 · 276 px · 0.01745 = 4.1 px
    assert abs(shift[1]) == pytest.approx(4.1, abs=0.5)


def test_flash_lights_the_rows_that_are_open() -> None:
    with open_demo(f"demo:plane,{SMALL},flash,readout=20ms,exposure=4ms,phase=5ms") as source:
        starts = source.timeline.flashes(0, 3)
        assert len(starts) >= 2
        seen = 0
        for start in source.timeline.flashes(0, 20):
            for side in (0, 1):
                exposed = source.timeline.exposed_s(side, round((start - 0.01 - 0.005 * side) * 30))
                gain = source.timeline.flash_gain(side, exposed, 240)
                lit = np.flatnonzero(gain > 0) if gain is not None else np.array([])
                if len(lit) and lit[0] > 0 and lit[-1] < 239:  # whole within the frame
                    # A row is lit while it is open when the flash (1 ms) comes.
                    assert exposed + 0.020 * lit.mean() / 240 == pytest.approx(start + 0.0005, abs=2e-4)
                    assert len(lit) == pytest.approx(240 * (0.004 + 0.001) / 0.020, abs=2)
                    seen += 1
        assert seen > 5


def test_a_flash_is_seen_in_the_picture() -> None:
    with open_demo(f"demo:plane,{SMALL},light=torch,exposure=10ms") as source:
        start = source.timeline.flashes(0, 3)[0]
        during, before = int((start + 0.1) * 30), int(start * 30) - 2
        assert source.frame(during).left.image.mean() > 1.15 * source.frame(before).left.image.mean()


def test_rolling_shutter_shears_what_moves_sideways() -> None:
    whole = open_demo(f"demo:room,seed=4,{SMALL}").truth(0)
    rolled = open_demo(f"demo:room,seed=4,{SMALL},readout=100ms").truth(0)
    assert np.array_equal(
        whole.depth_m[~whole.moving & ~rolled.moving], rolled.depth_m[~whole.moving & ~rolled.moving], True
    )
    assert (whole.moving != rolled.moving).sum() > 20


def test_live_demo_follows_the_clock_and_gives_the_newest() -> None:
    now = [100.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    source = DemoSource("plane", 0, (160, 120), faults=Faults(live=True), clock=lambda: now[0], wait=wait)
    with source:
        first, second = source.read(1.0), source.read(1.0)
        assert first is not None
        assert second is not None
        assert second.left.t_s - first.left.t_s == pytest.approx(1 / 30)
        assert now[0] >= second.left.t_s
        now[0] += 0.5  # busy elsewhere: fifteen pairs come and go
        third = source.read(1.0)
        assert third is not None
        assert now[0] - third.left.t_s < 1 / 30 + 1e-6
        counts = source.stats()
        assert counts.dropped["busy"] == 28
        assert counts.offered == 2 * counts.paired + sum(counts.dropped.values()) + counts.waiting
        assert source.info.live


def test_a_live_demo_that_never_ends_keeps_the_truth_of_its_last_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_source, "KEPT_LIVE", 3)
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    with DemoSource("plane", 0, (160, 120), faults=Faults(live=True), clock=lambda: now[0], wait=wait) as source:
        given = [source.exposures(seq) for seq in range(5) if source.read(1.0) is not None]
        assert [source.exposures(seq) for seq in (2, 3, 4)] == given[2:]
        with pytest.raises(SourceError, match="long ago"):
            source.exposures(1)
        with pytest.raises(SourceError, match="not given pair 5 yet"):
            source.exposures(5)


def test_live_demo_says_when_nothing_has_come() -> None:
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    faults = Faults(live=True, unplug=(Outage("left", 0.05, 60),))
    with DemoSource("plane", 0, (160, 120), faults=faults, clock=lambda: now[0], wait=wait) as source:
        source.read(1.0)
        source.read(1.0)
        with pytest.raises(NoFrameYet):
            source.read(0.5)
        assert source.stats().state_left == "missing"


def test_the_worst_row_is_told_where_the_two_sensors_read_at_different_speeds() -> None:
    with open_demo(f"demo:plane,{SMALL},phase=4ms,readout=10ms/24ms") as source:
        source.read()
        assert source.stats().row_skew_s == pytest.approx(0.018, abs=1e-6)  # 4 ms at the first row, 14 more at the last
    turned = SourceRequest(flip=("none", "180"))
    with open_demo(f"demo:plane,{SMALL},phase=4ms,readout=10ms", turned) as source:
        source.read()
        # The upper row of the picture that hangs upside down is read last.
        assert source.stats().row_skew_s == pytest.approx(0.014, abs=1e-6)
    with open_demo(f"demo:plane,{SMALL},phase=4ms,readout=10ms") as source:
        source.read()
        assert source.stats().row_skew_s == pytest.approx(0.004, abs=1e-6)
