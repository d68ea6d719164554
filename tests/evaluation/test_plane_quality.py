"""Quality of a plane: against noise that the test put there itself, and against the demo's exact truth."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli.cli_scenes import run_command, run_json, write_pair

from calibration.rectify import Rectification, make_rectification
from calibration.rigfile import Covariance, RigFile
from livestereo.cli._build import build_pipeline
from livestereo.cli._quality_panel import QualityPanel
from livestereo.errors import LiveStereoError
from livestereo.evaluation import quality_words
from livestereo.evaluation.plane_quality import NoPlane, Quality, QualityMeter
from livestereo.evaluation.quality_report import write_quality_report
from livestereo.render.layout import arrange
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.types import F32, CaptureStats, Frame, MatchResult, RectifiedPair, StereoFrame, StereoResult

FOCAL_PX, BASELINE_M = 500.0, 0.1
WIDTH, HEIGHT = 240, 180


def result_of(disparity: F32, *, turns: int = 0, metric: bool = True, sigma_px: float | None = None) -> StereoResult:
    height, width = disparity.shape
    at = Rectification(
        (width, height), FOCAL_PX, width / 2, height / 2, BASELINE_M, roi=(0, 0, width, height),
        display_turns=turns, metric=metric,
    )  # fmt: skip
    gray = np.zeros((height, width), np.uint8)
    frame = StereoFrame(Frame(gray, 0.0, 0), Frame(gray, 0.0, 0), 0)
    match = MatchResult(disparity)
    full = dataclasses.replace(match, sigma_px=None if sigma_px is None else np.full_like(disparity, sigma_px))
    depth = (FOCAL_PX * BASELINE_M / disparity).astype(np.float32)
    return StereoResult(frame, RectifiedPair(frame, at, gray, gray), match, depth, explain=lambda _: full)


def plane_px(distance_m: float, slope: float = 0.0) -> F32:
    """Exact disparity of a plane that is `distance_m` away along the axis and turned about the vertical."""
    x = (np.arange(WIDTH) - WIDTH / 2) / FOCAL_PX
    d = FOCAL_PX * BASELINE_M / distance_m * (1 + slope * x)
    return np.broadcast_to(d, (HEIGHT, WIDTH)).astype(np.float32)


def judged(frames: list[F32], **more: Any) -> Quality:
    meter = QualityMeter((0, 0, WIDTH, HEIGHT), frames=len(frames))
    for frame in frames:
        meter.accept(result_of(frame))
    return meter.quality(**more)


def test_a_disparity_that_shows_no_depth_fills_nothing() -> None:
    # Half of the picture is not shifted at all, as where one picture was given twice.
    flat = plane_px(1.0).copy()
    flat[:, : WIDTH // 2] = 0.0
    with np.errstate(divide="ignore"):
        assert judged([flat]).fill_percent == pytest.approx(50.0, abs=1.0)


@pytest.mark.parametrize("slope", [0.0, 0.6])
def test_known_noise_holes_and_offset_come_out_within_a_percent(slope: float) -> None:
    rng = np.random.default_rng(1)
    true = plane_px(2.0, slope)
    fixed = rng.normal(0, 0.06, true.shape)
    frames = []
    for _ in range(12):
        frame = (true + fixed + rng.normal(0, 0.08, true.shape)).astype(np.float32)
        frame[rng.random(true.shape) < 0.1] = np.nan
        far_off = rng.random(true.shape) < 0.01
        frame[far_off] += 8
        frames.append(frame)
    found = judged(frames, distance_m=2.0 / 1.03)
    steepness = FOCAL_PX * BASELINE_M / true.astype(np.float64) ** 2
    assert found.fill_percent == pytest.approx(90, rel=0.01)
    assert found.plane_rms_subpixel_px == pytest.approx(math.hypot(0.06, 0.08), rel=0.01)
    assert found.plane_rms_mm == pytest.approx(1000 * 0.1 * math.sqrt(np.mean(steepness**2)), rel=0.01)
    assert found.temporal_noise_mm == pytest.approx(1000 * 0.08 * math.sqrt(np.mean(steepness**2)), rel=0.01)
    assert found.z_accuracy_percent == pytest.approx(3.0, abs=0.03)
    assert found.outlier_percent == pytest.approx(1.0, abs=0.2)
    assert found.tilt_deg == pytest.approx(math.degrees(math.atan(slope)), abs=0.1)
    assert not found.moved


def test_what_a_matcher_leans_towards_whole_pixels_is_no_error_of_the_distance() -> None:
    rng = np.random.default_rng(3)
    left = cv2.normalize(cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 2), None, 20, 235, cv2.NORM_MINMAX)
    true_px, matched_px = 26.3, 26.05
    right = cv2.warpAffine(
        left,
        np.array([[1, 0, -true_px], [0, 1, 0]]),
        (WIDTH, HEIGHT),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_WRAP,
    )
    result = result_of(np.full((HEIGHT, WIDTH), matched_px, np.float32))
    pair = dataclasses.replace(result.pair, left_gray=left.astype(np.uint8), right_gray=right.astype(np.uint8))
    meter = QualityMeter((60, 20, WIDTH - 80, HEIGHT - 40))
    meter.accept(dataclasses.replace(result, pair=pair))
    distance_m = FOCAL_PX * BASELINE_M / true_px
    assert abs(meter.quality(distance_m=distance_m).z_accuracy_percent) < 0.15  # 0.04 px; the matcher's own is 0.96 %


def test_the_demo_plane_against_its_exact_truth() -> None:
    meter = QualityMeter(frames=10)
    errors, depths, truth = [], [], None
    with open_source(["demo:plane,tilt=12deg,seed=2"]) as source:
        rig_file = source.info.rig
        at = make_rectification(rig_file.rig)
        pipeline = build_pipeline(resolve_settings("balanced", {"threads": 1}), at)
        for _ in range(10):
            result = pipeline.process(source.read(1.0))
            truth = source.info.truth.truth(result.frame.seq)
            meter.accept(result)
            x, y, w, h = meter.roi or (0, 0, 0, 0)
            errors.append((result.disparity_px - truth.disparity_px)[y : y + h, x : x + w].astype(np.float64))
            depths.append(result.depth_m[y : y + h, x : x + w].astype(np.float64))
    found = meter.quality(distance_m=1.5, rig_file=rig_file)
    error, depth = np.stack(errors), np.stack(depths)
    assert truth is not None
    seen = truth.visible[y : y + h, x : x + w]
    assert found.fill_percent == pytest.approx(100 * np.isfinite(depth)[:, seen].mean(), rel=0.01)
    assert found.fill_percent == pytest.approx(100 * seen.mean(), rel=0.01)
    # What the matcher gets wrong at every pixel of the true plane, without the part that shifts or tilts it whole:
    # that part is the plane's own distance and direction, which are told apart.
    rows, columns = np.mgrid[0:h, 0:w]
    A = np.stack([np.ones(h * w), columns.ravel(), rows.ravel()], axis=1)
    rests = []
    for one in error.reshape(len(error), -1):
        ok = np.isfinite(one) & (np.abs(one) < 1)
        rests.append(one[ok] - A[ok] @ np.linalg.lstsq(A[ok], one[ok], rcond=None)[0])
    assert found.plane_rms_subpixel_px == pytest.approx(float(np.concatenate(rests).std()), rel=0.01)
    around = np.where(np.abs(error) < 1, depth - truth.depth_m[y : y + h, x : x + w], np.nan)
    noise = 1000 * math.sqrt(float(np.nanmean(np.nanvar(around, axis=0, ddof=1))))
    assert found.temporal_noise_mm == pytest.approx(noise, rel=0.01)
    true_z = float(np.nanmedian(truth.depth_m[y : y + h, x : x + w]))
    assert abs(found.z_accuracy_percent) < 1
    assert found.distance_m == pytest.approx(1.5, rel=0.01) and true_z == pytest.approx(1.5, rel=0.05)
    assert found.tilt_deg == pytest.approx(12, abs=0.3)
    # A prediction that is loose says so.
    loose = found.plane_rms_mm < 0.5 * found.predicted.rms_mm
    assert any("times as good as predicted" in s for s in quality_words.sentences(found)) == loose


def test_the_prediction_has_a_part_of_matching_and_a_part_of_the_rig() -> None:
    with open_source(["demo:plane"]) as source:
        rig = source.info.rig.rig
    at = make_rectification(rig)
    d = np.full(at.size_wh[::-1], at.focal_px * at.baseline_m / 1.5, np.float32)
    names = ("rotation.y", "translation.x", "left.k1")
    sigmas = np.array([1e-3, 0.0, 0.02])
    covariance = Covariance(parameters=names, matrix=tuple(map(tuple, np.diag(sigmas**2).tolist())))
    rig_file = RigFile(rig=rig, covariance=covariance)
    gray = np.zeros(d.shape, np.uint8)
    frame = StereoFrame(Frame(gray, 0.0, 0), Frame(gray, 0.0, 0), 0)
    full = MatchResult(d, sigma_px=np.full_like(d, 0.2))
    depth = (at.focal_px * at.baseline_m / d).astype(np.float32)
    result = StereoResult(frame, RectifiedPair(frame, at, gray, gray), MatchResult(d), depth, explain=lambda _: full)
    meter = QualityMeter(frames=1)
    meter.accept(result)
    predicted = meter.quality(rig_file=rig_file).predicted
    assert not predicted.assumed and predicted.match_px == pytest.approx(0.2)
    # δz = z²·δd/(f·B)
    assert predicted.match_mm == pytest.approx(1000 * 1.5**2 * 0.2 / (at.focal_px * at.baseline_m), rel=1e-3)
    # Yaw by δ moves the right pixel by f·δ in the middle: δz/z = f·δ/d.
    assert predicted.rig_z_percent == pytest.approx(100 * at.focal_px * 1e-3 / d[0, 0], rel=0.1)
    assert predicted.bend_mm > 0.5, "a wrong k1 bends the plane"
    assert predicted.rms_mm == pytest.approx(math.hypot(predicted.match_mm, predicted.bend_mm))
    exact = QualityMeter(frames=1)
    exact.accept(result)
    assert math.isnan(exact.quality().predicted.rig_z_percent), "without a covariance the rig's part is unknown"


def test_one_pair_a_moved_plane_and_no_metres_are_told() -> None:
    rng = np.random.default_rng(2)
    noisy = [(plane_px(2.0) + rng.normal(0, 0.1, (HEIGHT, WIDTH))).astype(np.float32) for _ in range(3)]
    one = judged(noisy[:1])
    assert math.isnan(one.temporal_noise_mm) and any("One pair only" in s for s in quality_words.sentences(one))
    assert math.isnan(one.z_accuracy_percent)
    moved = judged([noisy[0], noisy[1] + np.float32(1.0), noisy[2]])
    assert moved.moved and math.isnan(moved.temporal_noise_mm)
    assert any("moved" in s for s in quality_words.sentences(moved))
    assert moved.plane_rms_subpixel_px == pytest.approx(0.1, rel=0.02), "each pair has a plane of its own"
    meter = QualityMeter((0, 0, WIDTH, HEIGHT), frames=3)
    for frame in noisy:
        meter.accept(result_of(frame, metric=False))
    relative = meter.quality(distance_m=2.0)
    assert math.isnan(relative.plane_rms_mm) and math.isnan(relative.z_accuracy_percent)
    assert relative.plane_rms_subpixel_px == pytest.approx(0.1, rel=0.02)
    assert any("--rig" in s for s in quality_words.sentences(relative))


def test_verdicts_follow_the_prediction() -> None:
    rng = np.random.default_rng(3)

    def verdict(noise_px: float, **more: Any) -> str:
        frames = [(plane_px(2.0) + rng.normal(0, noise_px, (HEIGHT, WIDTH))).astype(np.float32) for _ in range(4)]
        return quality_words.verdict(judged(frames, **more))

    assert verdict(0.1) == "good"  # 0.25 px are assumed
    assert verdict(0.4) == "usable"
    assert verdict(0.1, distance_m=2.4) == "bad"


def test_no_plane_is_told() -> None:
    rng = np.random.default_rng(4)
    with pytest.raises(NoPlane, match="no plane"):
        judged([rng.uniform(5, 60, (HEIGHT, WIDTH)).astype(np.float32)])
    with pytest.raises(NoPlane, match="too little") as told:
        judged([np.full((HEIGHT, WIDTH), np.nan, np.float32)])
    assert told.value.details["fill_percent"] == 0 and told.value.details["plane_rms_mm"] is None
    meter = QualityMeter((200, 0, 100, 50))
    with pytest.raises(LiveStereoError, match="does not lie in the picture"):
        meter.accept(result_of(plane_px(2.0)))
    with pytest.raises(NoPlane):
        QualityMeter().quality()


def test_the_region_is_of_the_picture_as_displayed() -> None:
    d = plane_px(2.0).copy()
    d[:, : WIDTH // 2] = np.nan
    # A quarter turn brings the right half of the array to the top of the picture.
    meter = QualityMeter((10, 10, 100, 80))
    meter.accept(result_of(d, turns=1))
    assert meter.quality().fill_percent == 100


def test_the_page_says_all_and_asks_nobody(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    meter = QualityMeter((0, 0, WIDTH, HEIGHT), frames=3)
    for _ in range(3):
        meter.accept(result_of((plane_px(2.0) + rng.normal(0, 0.1, (HEIGHT, WIDTH))).astype(np.float32)))
    found = meter.quality(distance_m=2.0, maps=True)
    assert meter.newest is not None
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame = StereoFrame(Frame(image, 0.0, 0), Frame(image, 0.0, 0), 0)
    newest = dataclasses.replace(meter.newest, pair=dataclasses.replace(meter.newest.pair, frame=frame))
    path = tmp_path / "quality.html"
    write_quality_report(path, found, newest, source="a <wall>")
    page = path.read_text(encoding="utf-8")
    assert "a &lt;wall&gt;" in page and "http" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/jpeg") == 6
    for row in quality_words.rows(found):
        assert row.value in page


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("quality", "demo:plane", "--frames", 4, "--distance", 1.5, "--headless")
    code, found, _ = run_json(capsys, *words, "--report", "q.html")
    assert code == 0 and found["fill_percent"] > 99 and abs(found["z_accuracy_percent"]) < 1
    assert found["plane_rms_mm"] > 0 and found["temporal_noise_mm"] > 0 and found["predicted_rms_mm"] > 0
    assert found["verdict"] == "good" and found["pairs"] == 4 and Path("q.html").stat().st_size > 20_000
    code, out, _ = run_command(capsys, *words)
    assert code == 0 and "Verdict: good" in out
    code, out, err = run_command(capsys, "quality", "demo", "--frames", 1, "--json")
    assert code == 1 and json.loads(out)["plane_rms_mm"] is None and "no plane" in err
    left, right, _ = write_pair(tmp_path)
    code, found, err = run_json(capsys, "quality", left, right, "--rectified", "--roi", "90,10,100,30")
    assert code == 0 and found["plane_rms_mm"] is None and found["temporal_noise_mm"] is None
    assert found["plane_rms_subpixel_px"] < 0.2 and any("--rig" in s for s in found["findings"])
    assert run_command(capsys, "quality", left, right, "--rectified", "--roi", "1,2")[0] == 1
    assert run_command(capsys, "quality", "demo:plane", "--distance", 0)[0] == 1


@pytest.mark.parametrize("size_wh", [(320, 240), (1280, 548)])
def test_the_panel_shows_figures_or_why_there_are_none(size_wh: tuple[int, int]) -> None:
    class Source:
        rig_file = None

    rng = np.random.default_rng(6)
    meter = QualityMeter((20, 20, 200, 140), frames=3)
    panel = QualityPanel(meter, Source(), 2.0)
    layout = arrange(size_wh, (WIDTH, HEIGHT), ("left", "depth"))

    def drawn() -> np.ndarray:
        canvas = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
        panel.draw(canvas, layout=layout)
        return canvas

    waiting = drawn()
    result = result_of((plane_px(2.0) + rng.normal(0, 0.1, (HEIGHT, WIDTH))).astype(np.float32))
    meter.accept(result)
    assert panel.observe(result.frame, result, CaptureStats()) == ()
    found = drawn()
    meter.accept(result_of(rng.uniform(5, 60, (HEIGHT, WIDTH)).astype(np.float32)))
    panel.observe(result.frame, result, CaptureStats())
    trouble = drawn()
    assert waiting.any() and (found != waiting).any() and (trouble != found).any()
    assert not found[layout.bar.y :].any() if layout.bar else True, "the bar stays free"
