from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_scenes import HEIGHT, SQUARE_PX, WALL_PX, WIDTH, pair_rig, run_command, run_json, write_pair

from livestereo.imageio import read_pfm
from livestereo.matchers.sgm_compile import sgm_available


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", "")


def test_one_pair_gives_every_kind_of_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, truth = write_pair(tmp_path)
    code, found, err = run_json(
        capsys, "depth", left, right, "--rectified", "-o", "out/depth.png", "--style", "turbo",
        "--cloud", "out/c.ply", "--disparity", "out/d.pfm", "--mesh", "out/m.obj",
    )  # fmt: skip
    assert code == 0
    row = found["pairs"][0]
    assert (row["name"], row["width"], row["height"]) == ("left", WIDTH, HEIGHT)
    assert row["files"] == ["out/depth.png", "out/d.pfm", "out/c.ply", "out/m.obj"]
    assert all((tmp_path / file).stat().st_size > 1000 for file in row["files"])
    assert "relative" in err
    disparity = read_pfm(tmp_path / "out/d.pfm")
    known = np.isfinite(disparity)
    assert row["density_percent"] == pytest.approx(100 * known.mean())
    assert known.mean() > 0.8
    assert np.mean(np.abs(disparity - truth)[known] < 0.5) > 0.97
    assert row["min_m"] < row["median_m"] < row["max_m"]


def test_how_sure_it_is_as_files_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, truth = write_pair(tmp_path)
    code, found, _ = run_json(
        capsys, "depth", left, right, "--rectified", "--disparity", "d.pfm", "--sigma", "s.pfm", "--depth-sigma",
        "z.tiff", "--confidence", "c.png", "--reasons", "r.png",
    )  # fmt: skip
    assert code == 0
    row = found["pairs"][0]
    assert row["files"] == ["d.pfm", "s.pfm", "z.tiff", "c.png", "r.png"]
    disparity, sigma = read_pfm(tmp_path / "d.pfm"), read_pfm(tmp_path / "s.pfm")
    known = np.isfinite(disparity)
    assert np.array_equal(np.isfinite(sigma), known)
    assert np.mean((np.abs(disparity - truth) <= 2 * sigma)[known]) > 0.9
    reasons = cv2.imread("r.png", cv2.IMREAD_UNCHANGED)
    assert np.array_equal(reasons == 0, known)
    assert np.array_equal(cv2.imread("c.png", cv2.IMREAD_UNCHANGED) == 0, ~known)
    assert row["sigma_median_px"] == pytest.approx(float(np.median(sigma[known])), rel=1e-5)
    assert row["sigma_of"] == "matching alone"
    assert sum(row["reasons_percent"].values()) == pytest.approx(100 * float((~known).mean()))


def test_black_pictures_are_infinitely_far_and_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not sgm_available():
        pytest.skip("numba is not installed")
    for side in ("left", "right"):
        cv2.imwrite(str(tmp_path / f"{side}.png"), np.zeros((96, 128, 3), np.uint8))
    words = ("depth", tmp_path / "left.png", tmp_path / "right.png", "--rectified", "--preset", "fast")
    code, _, err = run_command(capsys, *words, "--sigma", tmp_path / "s.pfm")
    assert code == 0 and "Traceback" not in err
    assert "σ: " not in err and "too far 100.0 %" in err  # disparity is 0 all over


def test_gray_depth_is_brighter_where_it_is_nearer_and_black_where_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path)
    assert run_command(capsys, "depth", left, right, "--rectified", "-o", "d.png", "--disparity", "d.tiff")[0] == 0
    gray = cv2.imread("d.png", cv2.IMREAD_UNCHANGED)
    disparity = cv2.imread("d.tiff", cv2.IMREAD_UNCHANGED)
    assert gray.ndim == 2 and gray.dtype == np.uint8
    assert np.array_equal(gray == 0, np.isnan(disparity))
    assert gray[85, 130] > 200 > 60 > gray[20, 200] > 0


def test_a_rig_makes_depth_metric_and_millimetres_possible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from calibration.rigfile import save_rig

    save_rig(tmp_path / "rig.json", pair_rig())
    left, right, _ = write_pair(tmp_path)
    code, found, err = run_json(capsys, "depth", left, right, "-o", "mm.png", "--style", "mm16")
    assert code == 0, err
    assert "./rig.json" in err
    mm = cv2.imread("mm.png", cv2.IMREAD_UNCHANGED)
    assert mm.dtype == np.uint16
    # f·B/d: 200 px · 80 mm / 8 px = 2000 mm and / 24 px = 667 mm; 0.25 px of 8 is 3 %.
    assert mm[20, 200] == pytest.approx(2000, rel=0.03)
    assert mm[85, 130] == pytest.approx(667, rel=0.02)
    assert found["pairs"][0]["metric"] is True


def test_sets_go_into_folders_named_by_the_left_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in (1, 2, 10):
        write_pair(tmp_path / "in", f"_{i}", seed=i)
    code, found, _ = run_json(
        capsys, "depth", "in/left_*.png", "in/right_*.png", "--rectified", "-o", "out", "--disparity", "raw",
        "--frames", "2",
    )  # fmt: skip
    assert code == 0
    assert [row["name"] for row in found["pairs"]] == ["left_1", "left_2"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["left_1.png", "left_2.png"]
    assert sorted(p.name for p in (tmp_path / "raw").iterdir()) == ["left_1.pfm", "left_2.pfm"]
    code, _, err = run_command(capsys, "depth", "in/left_*.png", "in/right_*.png", "--rectified", "-o", "all.png")
    assert code == 1 and "more than one pair" in err and not Path("all.png").exists()


def test_a_picture_that_is_cut_is_told_after_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in (1, 2, 3):
        write_pair(tmp_path / "in", f"_{i}", seed=i)
    bad = tmp_path / "in" / "left_2.png"
    bad.write_bytes(bad.read_bytes()[:100])
    code, found, _ = run_json(capsys, "depth", "in/left_*.png", "in/right_*.png", "--rectified", "-o", "out")
    assert code == 1
    assert [row["name"] for row in found["pairs"]] == ["left_1", "left_3"]
    assert "left_2" in found["error"]["what"]


def test_photos_that_are_not_rectified_are_rectified_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path, rise_px=4)
    code, found, err = run_json(capsys, "depth", left, right, "-o", "d.png")
    assert code == 0 and "No rig: rectified from" in err and "vertical error 4.00 px" in err and "relative" in err
    row = found["pairs"][0]
    # As they came, hardly a row fits; put right, the square lies before the wall as its disparity says.
    assert row["metric"] is False and row["density_percent"] > 80
    assert row["p1_m"] / row["median_m"] == pytest.approx(WALL_PX / SQUARE_PX, rel=0.15)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--num-disparities", "256"], "wide"),
        (["--num-disparities", "50"], "num"),
        (["--style", "mauve"], "style"),
        (["--style", "mm16"], "relative"),
        (["-o", "d.jpg", "--style", "mm16"], "16-bit"),
        (["--disparity", "d.png"], "float disparity"),
        (["--cloud", "c.obj"], "point cloud"),
        (["--mesh", "m.stl"], "mesh"),
        (["--mesh", "c.ply", "--cloud", "./c.ply"], "write over each other"),
        (["-o", "depth"], "ending"),
        (["-o", "left.png/depth.png"], "folder"),
        (["--near", "3", "--far", "2"], "range"),
        (["--min-depth", "1"], "metres"),
        (["--rig", "none.json"], "rig file"),
    ],
)
def test_bad_input_ends_with_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    left, right, _ = write_pair(tmp_path)
    code, _, err = run_command(capsys, "depth", left, right, "--rectified", *words)
    assert code == 1
    assert why in err
    assert "Traceback" not in err and len(err.splitlines()) <= 6


def test_sizes_that_differ_and_files_that_are_no_pictures_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, _ = write_pair(tmp_path)
    cv2.imwrite(str(right), cv2.resize(cv2.imread(str(right)), (200, 150)))
    code, _, err = run_command(capsys, "depth", left, right, "--rectified", "-o", "d.png")
    assert code == 1 and "240x160" in err and "200x150" in err
    (tmp_path / "words.txt").write_text("no picture")
    assert run_command(capsys, "depth", "words.txt", "words.txt", "-o", "d.png")[0] == 1
    assert run_command(capsys, "depth", "missing.png", "missing2.png", "-o", "d.png")[0] == 1
    assert not Path("d.png").exists()


def test_photos_of_two_sizes_are_rectified_by_what_they_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right, truth = write_pair(tmp_path)
    for path, times in ((left, 3.0), (right, 2.0)):  # large enough for their texture to be matched in both
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), None, fx=times, fy=times))
    code, _, err = run_command(capsys, "depth", left, right, "-o", "d.png", "--disparity", "d.pfm")
    assert code == 0 and "differ in size" in err, err
    disparity = cv2.resize(
        cv2.imread("d.pfm", cv2.IMREAD_UNCHANGED), truth.shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    scale = cv2.imread("d.pfm", cv2.IMREAD_UNCHANGED).shape[1] / truth.shape[1]
    nearer_px = (known_median(disparity[70:100, 110:150]) - known_median(disparity[10:40, 60:220])) / scale
    assert abs(nearer_px - (SQUARE_PX - WALL_PX)) < 1.0


def known_median(disparity: np.ndarray) -> float:
    return float(np.median(disparity[np.isfinite(disparity)]))


def test_show_without_a_display_says_so_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from livestereo import display

    display.probe.cache_clear()
    left, right, _ = write_pair(tmp_path)
    code, _, err = run_command(capsys, "depth", left, right, "--rectified", "--show")
    assert code == 0 and "display" in err.lower()


@pytest.mark.realdata
def test_a_real_pair_is_as_accurate_as_the_floor(
    real_data: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data("tsukuba_gt")
    truth = cv2.imread(str(folder / "groundtruth.png"), cv2.IMREAD_GRAYSCALE) / np.float32(16)
    code, found, _ = run_json(
        capsys, "depth", folder / "tsukuba_l.png", folder / "tsukuba_r.png", "--rectified", "-o", "d.png",
        "--disparity", "d.pfm",
    )  # fmt: skip
    assert code == 0
    estimate = read_pfm(tmp_path / "d.pfm")
    known = (truth > 0) & np.isfinite(estimate)
    # The floor with the range given is 4.2 % at 97 %; here the range is found from the pictures.
    assert np.mean(np.abs(estimate - truth)[known] > 2) < 0.042
    assert known.sum() / (truth > 0).sum() > 0.96
    assert (WALL_PX, SQUARE_PX) == (8, 24) and found["pairs"][0]["metric"] is False


def test_an_empty_map_does_not_look_like_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, *_ = write_pair(tmp_path)
    code, _, err = run_command(capsys, "depth", left, left, "--rectified", "-o", "same.png")
    assert code == 0 and "left and right are the same picture" in err
    for side, level in (("a", 90), ("b", 91)):
        cv2.imwrite(f"{side}.png", np.full((120, 160), level, np.uint8))
    code, _, err = run_command(capsys, "depth", "a.png", "b.png", "--rectified", "-o", "flat.png")
    assert code == 0 and "livestereo doctor" in err


def test_a_range_of_colours_that_nothing_shows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from calibration.rigfile import save_rig

    save_rig(tmp_path / "rig.json", pair_rig())
    left, right, _ = write_pair(tmp_path)
    words = ("depth", left, right, "--far", "5")
    assert "not used, lengths" in run_command(capsys, *words, "-o", "d.png", "--style", "mm16")[2]
    assert "not used, no depth picture" in run_command(capsys, *words, "--disparity", "d.pfm")[2]
    assert "not used" not in run_command(capsys, *words, "-o", "d.png")[2]


@pytest.mark.parametrize("name", ["d.pfm", "d.tiff"])
def test_depth_in_metres_as_float(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    from calibration.rigfile import save_rig

    left, right, _ = write_pair(tmp_path)
    code, _, err = run_command(capsys, "depth", left, right, "--rectified", "-o", name, "--style", "metres")
    assert code == 1 and "Metres need a rig" in err
    save_rig(tmp_path / "rig.json", pair_rig())
    assert run_command(capsys, "depth", left, right, "-o", name, "--style", "metres", "--disparity", "x.pfm")[0] == 0
    metres = read_pfm(Path(name)) if name.endswith(".pfm") else cv2.imread(name, cv2.IMREAD_UNCHANGED)
    assert metres.dtype == np.float32
    expected = 200 * 0.08 / read_pfm(Path("x.pfm"))
    assert np.allclose(metres, expected, rtol=1e-5, equal_nan=True)
    code, _, err = run_command(capsys, "depth", left, right, "-o", "d.png", "--style", "metres")
    assert code == 1 and "float depth" in err


def test_the_range_of_a_depth_picture_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left, right, _ = write_pair(tmp_path)
    code, found, err = run_json(capsys, "depth", left, right, "--rectified", "-o", "d.png", "--near", "3")
    near, far = found["pairs"][0]["shown_range_m"]
    assert code == 0 and near == 3 and far > 3 and f"shows 3 to {far:.3g}." in err
