"""The demo as a source: the same bytes for the same words, truth that a matcher confirms, faults as they were asked."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import cv2
import numpy as np
import pytest

from calibration.rectify import make_rectification
from livestereo.errors import LiveStereoError, NoFrameYet, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.demo import DemoSource, Surface, open_demo
from livestereo.sources.demo.faults import Faults, Outage
from livestereo.types import Reason

SMALL = "size=320x240"


def sgbm(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """Plain StereoSGBM 3WAY, block 3, with room on the left."""
    matcher = cv2.StereoSGBM.create(0, count, 3, 72, 288, 1, 0, 10, 200, 1, cv2.STEREO_SGBM_MODE_SGBM_3WAY)
    padded = [cv2.copyMakeBorder(p, 0, 0, count, 0, cv2.BORDER_REPLICATE) for p in (left, right)]
    disparity = matcher.compute(*padded)[:, count:].astype(np.float32) / 16
    disparity[disparity < 0] = np.nan
    return disparity


def rectified_gray(source: DemoSource, seq: int) -> tuple[np.ndarray, np.ndarray]:
    rectification = make_rectification(source.stereo_rig)
    pair = source.frame(seq)
    left = rectification.apply(pair.left.image, "left")
    right = rectification.apply(pair.right.image, "right")
    return cv2.cvtColor(left, cv2.COLOR_BGR2GRAY), cv2.cvtColor(right, cv2.COLOR_BGR2GRAY)


def test_same_words_same_bytes() -> None:
    pictures = []
    for _ in range(2):
        with open_demo(f"demo:room,seed=4,{SMALL}") as source:
            source.read()
            pair = source.read()
            assert pair is not None
            pictures.append((pair.left.image.tobytes(), pair.right.image.tobytes(), pair.left.encoded))
    assert pictures[0] == pictures[1]
    with open_demo(f"demo:room,seed=5,{SMALL}") as source:
        assert source.frame(1).left.image.tobytes() != pictures[0][0]


def test_read_is_frame_by_number_and_info_tells() -> None:
    with open_source([f"demo:room,seed=4,{SMALL},count=3"], SourceRequest()) as source:
        seqs = [pair.seq for pair in iter(lambda: source.read(1.0), None)]
        info = source.info
        assert seqs == [0, 1, 2]
        assert source.read(1.0) is None
        assert (info.live, info.count, info.left_size_wh, info.right_size_wh) == (False, 3, (320, 240), (320, 240))
        assert info.rig is not None
        assert info.rig.rig.left.size_wh == (320, 240)
        assert info.truth is source


def test_encoded_bytes_are_the_picture() -> None:
    with open_demo(f"demo:room,seed=4,{SMALL}") as source:
        frame = source.frame(0).right
        assert frame.encoded is not None
        decoded = cv2.imdecode(np.frombuffer(frame.encoded, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(decoded, frame.image)


def test_two_different_cameras() -> None:
    with open_demo(f"demo:room,seed=4,{SMALL}") as source:
        pair = source.frame(0)
        left, right = pair.left.image.mean(axis=(0, 1)), pair.right.image.mean(axis=(0, 1))
    assert right.mean() < left.mean() - 3  # gain and vignetting
    assert right[0] / right[2] > 1.02 * left[0] / left[2]  # white balance: the right one is bluer


def test_room_is_as_hard_as_life() -> None:
    with open_demo("demo:room") as source:
        truth = source.truth(0)
        left, right = rectified_gray(source, 0)
    found = sgbm(left, right, 128)
    known = np.isfinite(truth.disparity_px)
    answered = known & np.isfinite(found)
    bad = np.abs(found - truth.disparity_px)[answered] > 2
    assert 0.70 <= answered.sum() / known.sum() <= 0.92
    assert 0.03 <= bad.mean() <= 0.08


def test_truth_is_right_to_a_twentieth_of_a_pixel() -> None:
    # Where a matcher is sure, its mean over many pixels is the truth: it locks to whole pixels both ways alike.
    with open_demo("demo:clean") as source:
        truth = source.truth(5)
        left, right = rectified_gray(source, 5)
        z_axis = source.truth(5).depth_m
    found = sgbm(left, right, 128)
    error = (found - truth.disparity_px)[truth.visible & np.isfinite(found)]
    close = error[np.abs(error) < 1]
    assert len(close) > 0.8 * truth.visible.sum()
    assert abs(close.mean()) < 0.05
    rig = make_rectification(source.stereo_rig, maps=False)
    again = rig.focal_px * rig.baseline_m / z_axis - rig.doffs_px
    assert np.allclose(again[truth.visible], truth.disparity_px[truth.visible], rtol=1e-5)


def test_truth_warps_the_right_picture_onto_the_left() -> None:
    # Independent of any matcher: the right picture, fetched at x − d, is the left one where both see it.
    with open_demo("demo:clean,size=320x240") as source:
        truth = source.truth(0)
        left, right = rectified_gray(source, 0)
    x, y = np.meshgrid(np.arange(left.shape[1], dtype=np.float32), np.arange(left.shape[0], dtype=np.float32))
    fetched = cv2.remap(right, x - np.nan_to_num(truth.disparity_px, nan=-1e4), y, cv2.INTER_LINEAR)
    inside = cv2.erode(truth.visible.astype(np.uint8), np.ones((5, 5))) > 0
    difference = np.abs(fetched.astype(float) * left[inside].mean() / fetched[inside].mean() - left)[inside]
    shifted = np.abs(np.roll(fetched, 2, 1).astype(float) - left)[inside]
    assert np.median(difference) < 3  # interpolation twice and two lenses
    assert np.median(difference) < 0.5 * np.median(shifted)
    hidden = cv2.erode((truth.occluded & ~truth.out_of_view).astype(np.uint8), np.ones((3, 3))) > 0
    assert hidden.sum() > 50
    assert np.median(np.abs(fetched.astype(float) - left)[hidden]) > 2 * np.median(difference)


def test_truth_has_every_kind_of_hardness() -> None:
    with open_demo("demo:room") as source:
        truth = source.truth(0)
    share = {kind: float((truth.surface == kind).mean()) for kind in Surface}
    assert share[Surface.BLANK] > 0.03
    assert share[Surface.REPEATED] > 0.03
    assert share[Surface.GLOSSY] > 0.005
    assert truth.moving.mean() > 0.005
    assert 0.02 < truth.occluded.mean() < 0.15
    ranges = truth.range_class(0, 128)
    assert (ranges == Reason.TOO_NEAR).mean() > 0.005
    assert np.nanmax(truth.depth_m) > 7.5
    assert (truth.range_class(4, 128) == Reason.TOO_FAR).mean() > 0.01


def test_raw_truth_lies_under_the_raw_picture() -> None:
    with open_demo(f"demo:room,{SMALL}") as source:
        truth = source.truth(0)
        rig = make_rectification(source.stereo_rig)
    # A rectified pixel's depth along the rectified axis follows from the raw depth at the place it comes from.
    u, v = np.meshgrid(np.arange(40, 280, 20), np.arange(40, 200, 20))
    places = np.stack([u.ravel(), v.ravel()], -1)
    raw = np.rint(rig.unrectify_points(places, "left")).astype(int)
    a = truth.depth_m[places[:, 1], places[:, 0]]
    b = truth.raw_depth_m[raw[:, 1], raw[:, 0]]
    # The axes are a degree apart: depths differ by x·sin; and pixels at edges fall on another thing.
    assert np.median(np.abs(a / b - 1)) < 0.02


def test_truth_in_another_rectification_is_what_matches_there() -> None:
    with open_demo("demo:clean") as source:
        exact = source.stereo_rig
        turn = cv2.Rodrigues(np.radians([0.02, 0.05, -0.03]))[0]
        other = make_rectification(
            dataclasses.replace(
                exact, R_right_left=turn @ exact.R_right_left, t_right_left_m=1.01 * exact.t_right_left_m
            )
        )
        truth, own = source.truth(0, other), source.truth(0)
        pair = source.frame(0)
        grey = [
            cv2.cvtColor(other.apply(frame.image, side), cv2.COLOR_BGR2GRAY)
            for frame, side in ((pair.left, "left"), (pair.right, "right"))
        ]
    found = sgbm(grey[0], grey[1], 128)
    error = (found - truth.disparity_px)[truth.visible & np.isfinite(found)]
    assert abs(np.median(error)) < 0.1
    # 0.05 degrees of yaw are 0.5 px: the exact rig's truth does not hold there.
    assert abs(np.median((found - own.disparity_px)[own.visible & np.isfinite(found)])) > 0.2


def test_board_is_where_it_is_said_to_be() -> None:
    with open_demo("demo:board") as source:
        for seq in (12, 60, 300):
            pair = source.frame(seq - seq % 48 + 12)
            pose = source.board_pose(pair.seq)
            points = source.board.object_points()
            rig = source.stereo_rig
            for frame, camera, R, t in (
                (pair.left, rig.left, np.eye(3), np.zeros(3)),
                (pair.right, rig.right, rig.R_right_left, rig.t_right_left_m),
            ):
                seen = (points @ pose.R.T + pose.t) @ R.T + t
                true, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), camera.K, camera.distortion)
                true = true.reshape(-1, 2)
                gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
                ok, corners = cv2.findChessboardCorners(gray, (9, 6))
                assert ok
                corners = cv2.cornerSubPix(gray, corners, (5, 5), (-1, -1), (3, 30, 0.01)).reshape(-1, 2)
                error = min(np.sqrt(((c - true) ** 2).sum(1).mean()) for c in (corners, corners[::-1]))
                assert error < 0.15  # noise, JPEG and blur; a wrong pixel convention would be 0.5


def test_board_goes_once_round_and_stands_still_in_between() -> None:
    source = open_demo("demo:board")
    assert source.count is not None
    poses = [source.board_pose(seq) for seq in range(source.count)]
    still = [np.array_equal(a.t, b.t) for a, b in pairwise(poses)]
    assert 0.4 < np.mean(still) < 0.8
    turned = [abs(np.degrees(np.arctan2(p.R[1, 0], p.R[0, 0]))) for p in poses]
    assert max(turned) > 75
    distances = [p.t[2] for p in poses]
    assert max(distances) > 1.8 * min(distances)
    assert open_demo("demo:board,live").count is None


@pytest.mark.parametrize("spec", ["charuco:7x5:30mm:22mm:DICT_5X5_100", "circles:4x11:20mm"])
def test_other_boards_are_found(spec: str) -> None:
    with open_demo(f"demo:board,board={spec}") as source:
        gray = cv2.cvtColor(source.frame(12).left.image, cv2.COLOR_BGR2GRAY)
    if spec.startswith("charuco"):
        _, ids, _, _ = cv2.aruco.CharucoDetector(source.board.aruco_board()).detectBoard(gray)
        assert ids is not None
        assert len(ids) == 24
    else:
        found, _ = cv2.findCirclesGrid(gray, (4, 11), flags=cv2.CALIB_CB_ASYMMETRIC_GRID)
        assert found


def test_plane_is_at_its_distance() -> None:
    source = open_demo(f"demo:plane,distance=1.25m,{SMALL}")
    truth = source.truth(0)
    assert np.nanmax(np.abs(truth.depth_m - 1.25)) < 1e-5
    assert np.isfinite(truth.depth_m).mean() > 0.95
    tilted = open_demo(f"demo:plane,distance=2m,tilt=20deg,{SMALL}").truth(0).depth_m
    assert np.nanmin(tilted) < 1.85
    assert np.nanmax(tilted) > 2.15


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


@pytest.mark.parametrize(
    "text",
    [
        "demo:kitchen", "demo:room,phase=8", "demo:room,phase", "demo:room,drop=200%", "demo:room,unplug=left@5s",
        "demo:room,unplug=middle@5s+1s", "demo:room,expose=right*0", "demo:room,blur=left*2", "demo:room,bump=0.3@5s",
        "demo:room,seed=-1", "demo:room,seed=x", "demo:room,swap=yes", "demo:room,colour=red", "demo:room,size=9x9",
        "demo:room,size=99999x9", "demo:plane,distance=3", "demo:plane,tilt=80deg", "demo:board,board=chess:9x6",
        "demo:room,readout=1ms/2ms/3ms", "demo:room,light=sun", "demo:room,jitter=-3ms", "demo:room,drift=5ms",
    ],
)  # fmt: skip
def test_wrong_words_are_told(text: str) -> None:
    from calibration.errors import CalibrationError

    with pytest.raises((LiveStereoError, CalibrationError)) as caught:
        open_demo(text)
    assert caught.value.fix


def test_all_words_of_the_contract_are_understood() -> None:
    source = open_demo(
        "demo:room,seed=1,phase=8ms,jitter=3ms,drift=5ms/min,drop=2%,unplug=left@5s+3s,freeze=right@8s+1s,"
        "expose=right*1.25+8,blur=left*2px,swap,bump=0.3deg@5s,flash,readout=20ms,live"
    )
    faults = source.faults
    assert (faults.phase_s, faults.jitter_s, faults.drop, faults.swap, faults.live) == (0.008, 0.003, 0.02, True, True)
    assert faults.drift == pytest.approx(0.005 / 60)
    assert faults.unplug == (Outage("left", 5, 3),)
    assert faults.freeze == (Outage("right", 8, 1),)
    assert (faults.expose[0].gain, faults.expose[0].offset, faults.blur[0].sigma_px) == (1.25, 8, 2)
    assert (faults.bump_deg, faults.bump_s, faults.flash, faults.readout_s) == (0.3, 5, True, (0.02, 0.02))
    other = open_demo("demo:room,exposure=10ms,light=torch").faults
    assert (other.exposure_s, other.light, other.flash) == (0.01, "torch", True)
    assert open_demo("demo").scene_name == "room"


def test_reading_before_opening_is_told() -> None:
    with pytest.raises(SourceError):
        open_demo("demo").read()
