"""The demo as a source: the same bytes for the same words, truth that a matcher confirms, faults as they were asked."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import cv2
import numpy as np
import pytest

from calibration.rectify import make_rectification
from livestereo.errors import LiveStereoError, SourceError
from livestereo.sources import SourceRequest, open_source
from livestereo.sources.demo import DemoSource, Surface, open_demo
from livestereo.sources.demo.faults import Outage
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
