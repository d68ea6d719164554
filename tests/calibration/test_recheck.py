"""An old rig against new pictures: what moved, what cannot be seen, and the repair."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from synthetic.plane_views import make_scene, render_pair

from calibration.boards import parse_board
from calibration.drift import Drift, fit_drift
from calibration.errors import CalibrationError
from calibration.exchange import read_foreign
from calibration.framing import rotations
from calibration.lens import project_rays, rays_of_pixels
from calibration.matches import Matches
from calibration.recheck import Recheck
from calibration.rectify import Rectification, make_rectification
from calibration.repair import repair_file, repair_rig
from calibration.rig import Array, Intrinsics, StereoRig
from calibration.rigfile import Covariance, RigFile, format_rig, parse_rig
from calibration.settle import settle_by_board, settle_by_distance
from calibration.watch import DriftMonitor

SIZE = (640, 480)


def turn(*degrees: float) -> Array:
    return np.asarray(cv2.Rodrigues(np.radians(degrees))[0], dtype=np.float64)


def make_rig(size: tuple[int, int] = SIZE) -> StereoRig:
    w, h = size
    f = 0.94 * w
    K = np.array([[f, 0, w / 2 + 3], [0, f, h / 2 - 5], [0, 0, 1]])
    left = Intrinsics(K, np.array([-0.2, 0.05, 1e-4, -2e-4, 0]), "pinhole", size)
    right = Intrinsics(K * [[1.005], [1.005], [1]], np.array([-0.19, 0.05, 0, 0, 0]), "pinhole", size)
    R = turn(0.2, 0.8, -0.3)
    return StereoRig(left, right, R, -R @ np.array([0.06, 3e-4, -3e-4]))


def bumped(rig: StereoRig, *degrees: float) -> StereoRig:
    bump = turn(*degrees)
    return dataclasses.replace(rig, R_right_left=bump @ rig.R_right_left, t_right_left_m=bump @ rig.t_right_left_m)


def project(true: StereoRig, points: Array) -> tuple[Array, Array]:
    in_right = points @ true.R_right_left.T + true.t_right_left_m
    return project_rays(true.left, points), project_rays(true.right, in_right)


def matches(
    made: Rectification, true: StereoRig, count: int = 400, noise: float = 0.1, seed: int = 0
) -> tuple[Array, Array]:
    """Places in the old rectified pictures of points seen through the true rig, 5 % of them wrong."""
    rng = np.random.default_rng(seed)
    size = np.array(SIZE) - 1.0
    rays = rays_of_pixels(true.left, rng.uniform([0, 0], size, (3 * count, 2)))
    left, right = project(true, rays / rays[:, 2:] / rng.uniform(1 / 6, 1 / 0.7, len(rays))[:, None])
    inside = np.flatnonzero(((right >= 0) & (right <= size)).all(1))[:count]
    left, right = (px[inside] + rng.normal(0, noise, (len(inside), 2)) for px in (left, right))
    right[: count // 20] += rng.uniform(-20, 20, (count // 20, 2))
    return made.rectify_points(left, "left"), made.rectify_points(right, "right")


@pytest.fixture(scope="module")
def old() -> Rectification:
    return make_rectification(make_rig(), maps=False)


def drift_of(old: Rectification, *degrees: float, seed: int = 0, noise: float = 0.1, count: int = 400) -> Drift:
    assert old.rig is not None
    return fit_drift(old, *matches(old, bumped(old.rig, *degrees), count, noise, seed))


@pytest.mark.parametrize(
    ("degrees", "name", "words"),
    [
        ((0.3, 0, 0), "pitch", "tilted down by 0.30°"),
        ((-0.3, 0, 0), "pitch", "tilted up by 0.30°"),
        ((0, 0, 0.3), "roll", "rolled anticlockwise by 0.30°"),
        ((0, 0.45, 0), "yaw", "turned to the left by 0.4"),
    ],
)
def test_each_turn_is_told_by_name_and_direction(
    degrees: tuple[float, float, float], name: str, words: str, old: Rectification
) -> None:
    drift = drift_of(old, *degrees, count=1500)
    assert drift.pattern == (name,)
    assert words in drift.words()[0]
    assert drift.rotation_deg == pytest.approx(np.linalg.norm(degrees), rel=0.08)


def test_directions_are_those_a_person_sees(old: Rectification) -> None:
    """A camera tilted down shows things higher; turned left, further right; rolled anticlockwise, turned clockwise."""
    assert old.rig is not None
    ahead, above = np.array([[0.0, 0, 2]]), np.array([[0.0, -0.3, 2]])
    before, before_above = (project(old.rig, p)[1][0] for p in (ahead, above))
    assert project(bumped(old.rig, 0.3, 0, 0), ahead)[1][0][1] < before[1]
    assert project(bumped(old.rig, 0, 0.3, 0), ahead)[1][0][0] > before[0]
    rolled = bumped(old.rig, 0, 0, 2)
    upright = project(rolled, above)[1][0] - project(rolled, ahead)[1][0]
    assert upright[0] > (before_above - before)[0]


def test_zoom_is_told_and_not_repaired_by_turning(old: Rectification) -> None:
    assert old.rig is not None
    right = old.rig.right
    K = right.K.copy()
    K[:2, :2] *= 1.012
    drift = fit_drift(old, *matches(old, dataclasses.replace(old.rig, right=dataclasses.replace(right, K=K))))
    assert drift.pattern[0] == "focal" and drift.focal == pytest.approx(np.log(1.012), rel=0.03)
    assert "autofocus" in drift.words()[0]


def test_a_good_rig_shows_no_drift(old: Rectification) -> None:
    for seed in range(10):
        drift = drift_of(old, 0, 0, 0, seed=seed)
        assert not drift.pattern and drift.rotation_deg < 0.01
        assert drift.median_px == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_bumps_are_repaired_and_depth_never_gets_worse_than_stated(noise: float, old: Rectification) -> None:
    assert old.rig is not None
    rng = np.random.default_rng(5)
    in_sigma = []
    for seed in range(16):
        degrees = rng.uniform(-0.5, 0.5, 3)
        true = bumped(old.rig, *degrees)
        drift = fit_drift(old, *matches(old, true, 400, noise, seed))
        repair = repair_rig(old, drift)
        truth = np.degrees(cv2.Rodrigues(old.R_rect_right @ turn(*degrees) @ old.R_rect_right.T)[0].ravel())
        error = np.degrees(drift.turn) - truth
        assert abs(error[0]) <= 0.02 and abs(error[2]) <= 0.02
        growth = depth_error(repair.rig, true) - depth_error(old.rig, true)
        assert growth <= repair.depth_sigma_percent(2.0)
        in_sigma.append(error[1] / drift.sigma_deg["yaw"])
        # Yaw is touched only where it is known to 0.2 px.
        resolved = np.radians(drift.sigma_deg["yaw"]) * old.focal_px < 0.2
        assert resolved or repair.changed_deg[1] == 0
    assert 0.4 < np.sqrt(np.mean(np.square(in_sigma))) < 1.4  # σ is honest, on the careful side


def depth_error(used: StereoRig, true: StereoRig) -> float:
    """RMS depth error at 2 m over the middle of the view, percent."""
    R_left, R_right, _ = rotations(used)
    x, y = np.meshgrid(np.linspace(130, 510, 5), np.linspace(100, 380, 4))
    rays = rays_of_pixels(true.left, np.column_stack([x.ravel(), y.ravel()]))
    left = rays @ R_left.T
    points = rays * (2 / left[:, 2])[:, None]
    right = rays_of_pixels(used.right, project(true, points)[1]) @ R_right.T
    depth = used.baseline_m / (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    return float(100 * np.sqrt(np.mean((depth / 2 - 1) ** 2)))


def test_hidden_yaw_is_stated_where_the_scene_does_not_show_it(old: Rectification) -> None:
    drift = drift_of(old, 0.1, 0.3, 0, noise=0.5, count=60)
    assert not drift.yaw_resolved and not drift.yaw_clear
    # 0.1° at 6 cm and 2 m is 5.8 %: what may hide is at least the prior's share of that.
    repair = repair_rig(old, drift)
    assert repair.depth_sigma_percent(2.0) > 4
    assert repair.changed_deg[1] == 0


def test_a_repaired_file_keeps_the_rest_and_knows_its_doubt(old: Rectification) -> None:
    assert old.rig is not None
    names = ["left.fx", "rotation.x", "rotation.y", "rotation.z"]
    rig_file = RigFile(
        rig=old.rig, covariance=Covariance.of(names, np.diag([1.0, 1e-8, 1e-8, 1e-8])), summary={"rms_px": 0.2}
    )
    drift = drift_of(old, 0.2, 0, 0.3)
    again = parse_rig(format_rig(repair_file(rig_file, old, drift, made_by={"command": "check --repair"})))
    assert again.made_by.command == "check --repair" and again.summary["rms_px"] == 0.2
    assert again.summary["repaired"]["roll_deg"] == pytest.approx(0.3, abs=0.01)
    assert again.covariance is not None
    sigma = np.sqrt(np.diag(again.covariance.array))
    assert sigma[0] == 1.0 and sigma[2] > 2e-4 > sigma[1]  # yaw is what is left to know
    assert again.rig.baseline_m == pytest.approx(old.rig.baseline_m, rel=1e-12)


def test_one_measured_distance_settles_yaw(old: Rectification) -> None:
    assert old.rig is not None
    true = bumped(old.rig, 0, 0.4, 0)
    rng = np.random.default_rng(0)
    # A wall at 2.00 m, a little oblique, straight ahead of the left camera's rectified view.
    w, h = old.size_wh
    px = rng.uniform([0, 0], [w, h], (300, 2))
    plane = np.column_stack([(px - [old.cx_px, old.cy_px]) / old.focal_px, np.ones(300)])
    ahead = np.array([((w - 1) / 2 - old.cx_px) / old.focal_px, ((h - 1) / 2 - old.cy_px) / old.focal_px])
    z = 2.0 / (1 + 0.2 * (plane[:, 0] - ahead[0]) - 0.1 * (plane[:, 1] - ahead[1]))
    left, right = project(true, plane * z[:, None] @ old.R_rect_left)
    left, right = old.rectify_points(left, "left"), old.rectify_points(right, "right")
    left, right = (p + rng.normal(0, 0.1, p.shape) for p in (left, right))
    settled = settle_by_distance(old, left, right, 2.0)
    value, sigma = np.degrees(settled.yaw)
    assert value == pytest.approx(0.4, abs=3 * sigma) and sigma < 0.02
    assert settled.scale_percent > 15
    drift = fit_drift(old, left, right, yaw=settled.yaw)
    assert drift.yaw_clear and drift.angles_deg["yaw"] == pytest.approx(0.4, abs=0.03)
    with pytest.raises(CalibrationError, match="not flat"):
        settle_by_distance(old, *matches(old, true), 2.0)


def test_a_board_tells_yaw_from_baseline(old: Rectification) -> None:
    assert old.rig is not None
    board = parse_board("chessboard:9x6:25mm").object_points().reshape(-1, 3).astype(np.float64)
    board = board - board.mean(0)
    rng = np.random.default_rng(1)

    def views(true: StereoRig) -> list[tuple[Array, Array, Array]]:
        found = []
        for distance in (0.35, 0.5, 0.8, 1.2):
            placed = board @ turn(rng.uniform(-25, 25), rng.uniform(-25, 25), 10).T + [0.02, 0.01, distance]
            pixels = [px + rng.normal(0, 0.05, px.shape) for px in project(true, placed)]
            found.append((old.rectify_points(pixels[0], "left"), old.rectify_points(pixels[1], "right"), board))
        return found

    settled = settle_by_board(old, views(bumped(old.rig, 0, 0.3, 0)))
    value, sigma = np.degrees(settled.yaw)
    assert value == pytest.approx(0.3, abs=3 * sigma) and sigma < 0.06
    longer = dataclasses.replace(old.rig, t_right_left_m=old.rig.t_right_left_m * 1.02)
    settled = settle_by_board(old, views(longer))
    assert settled.scale_percent == pytest.approx(-2, abs=0.15)  # a longer baseline than the rig knows: all too near


def test_the_monitor_warns_of_a_bump_that_stays_and_not_of_one_look(old: Rectification) -> None:
    assert old.rig is not None
    monitor = DriftMonitor(old)
    good = Matches(*matches(old, old.rig), np.full(400, 0.1), 450)
    off = Matches(*matches(old, bumped(old.rig, 0.3, 0, 0)), np.full(400, 0.1), 450)
    for _ in range(6):
        state = monitor.observe_matches(good)
        assert not state.bumped and state.vertical_px is not None and state.vertical_px < 0.2
    assert not monitor.observe_matches(off).bumped
    assert not monitor.observe_matches(good).bumped
    states = [monitor.observe_matches(off) for _ in range(12)]
    assert states[-1].bumped and "tilted down" in states[-1].words[0]
    monitor.reset()
    assert not monitor.observe_matches(good).bumped
    exchanged = Matches(off.right_px, off.left_px, off.sigma_px, 450)
    assert monitor.observe_matches(exchanged).swapped


def test_pictures_of_a_scene_from_beginning_to_end() -> None:
    small = make_rig((320, 240))
    true = bumped(small, 0.4, 0, -0.3)
    pictures = render_pair(make_scene(0), true)
    check = Recheck(RigFile(rig=small))
    assert check.add(*pictures)
    report = check.report()
    assert report.verdict == "bad" and report.drift is not None
    assert set(report.drift.pattern) >= {"pitch", "roll"} and len(report.warnings) >= 2
    assert report.hidden_depth_percent[2.0] > 0.1
    mended = check.repaired(report, made_by={"program": "livestereo"})
    again = Recheck(mended)
    again.add(*pictures)
    after = again.report()
    assert after.verdict == "good" and after.vertical.median_px is not None and after.vertical.median_px < 0.1
    exchanged = Recheck(RigFile(rig=small))
    exchanged.add(*pictures[::-1])
    told = exchanged.report()
    assert told.vertical.swapped and told.verdict == "bad" and "--swap" in told.warnings[0]
    with pytest.raises(CalibrationError, match="--swap"):
        exchanged.repaired(told, made_by={})


def test_nothing_to_see_is_said() -> None:
    small = RigFile(rig=make_rig((320, 240)))
    check = Recheck(small)
    blank = np.full((240, 320), 90, np.uint8)
    assert not check.add(blank, blank)
    with pytest.raises(CalibrationError, match="texture"):
        check.report()
    board = Recheck(small, board=parse_board("chessboard:9x6:25mm"))
    board.add(blank, blank)
    with pytest.raises(CalibrationError, match="none of 1 pairs"):
        board.report()


@pytest.mark.realdata
def test_a_published_fisheye_rig_fits_its_pictures(real_data: Callable[[str], Path]) -> None:
    folder = real_data("kimera_fisheye_pair") / "tests/data/ForStereoFrame"
    rig_file, _, form = read_foreign([folder / "left_sensor_fisheye.yaml", folder / "right_sensor_fisheye.yaml"])
    assert form == "euroc"
    check = Recheck(rig_file)
    pictures = [
        cv2.imread(str(folder / f"{side}_fisheye_img_0.png"), cv2.IMREAD_GRAYSCALE) for side in ("left", "right")
    ]
    assert check.add(*[np.asarray(picture, np.uint8) for picture in pictures])
    report = check.report()
    assert report.vertical.median_px is not None and report.vertical.median_px <= 0.2
    assert report.verdict == "good" and report.vertical.swapped is False
    assert json.dumps(report.hidden_depth_percent)
