"""What is told of a pixel against what is really there, on scenes that nothing was fitted on."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import cv2
import numpy as np
import pytest

from calibration.point_error import triangulate
from calibration.rectify import make_rectification
from calibration.rigfile import Covariance
from livestereo.cli._build import build_pipeline
from livestereo.honesty import explain
from livestereo.honesty.rig import rig_part
from livestereo.settings import resolve_settings
from livestereo.smaller import smaller, step_for
from livestereo.sources import open_source
from livestereo.sources.demo.truth import DemoTruth
from livestereo.types import Reason, StereoResult

COVARIANCE = Covariance.of(
    ("left.fx", "right.fx", "rotation.y", "translation.x"), np.diag([0.5, 0.5, 3e-4, 2e-4]) ** 2
)  # fmt: skip


@lru_cache(maxsize=4)
def room(
    preset: str = "balanced", low: int = 0, count: int = 112, covariance: bool = False
) -> tuple[StereoResult, DemoTruth]:
    """A pair of the demo's room with its truth."""
    with open_source(["demo:room,seed=31,size=480x360"]) as source:
        frame = source.read(1.0)
        rig, scene = source.info.rig, source.info.truth
        assert frame is not None and rig is not None
        truth = scene.truth(frame.seq)
    rig = rig.model_copy(update={"covariance": COVARIANCE}) if covariance else rig
    settings = resolve_settings(preset, {"min_disparity": low, "num_disparities": count})
    pipeline = build_pipeline(settings, make_rectification(rig.rig, metric=True), rig_file=rig)
    return pipeline.process(frame), truth


def array(values: np.ndarray | None) -> np.ndarray:
    assert values is not None
    return values


@pytest.mark.parametrize("preset", ["balanced", "quality", "fast", "turbo"])
def test_sigma_is_honest(preset: str) -> None:
    result, truth = room(preset)
    sigma, confidence = array(result.sigma_px), array(result.confidence)
    known = np.isfinite(result.disparity_px)
    assert np.array_equal(np.isfinite(sigma), known) and np.array_equal(np.isfinite(confidence), known)
    use = known & np.isfinite(truth.disparity_px)
    error, s = np.abs(result.disparity_px - truth.disparity_px)[use], sigma[use]
    within = error <= 2 * s
    assert within.mean() >= 0.9
    order = np.argsort(s)
    # The floors of this project: each fifth by σ, and the surer half has few of the wrong ones.
    assert all(within[part].mean() >= 0.8 for part in np.array_split(order, 5))
    bad = error > 2
    assert bad[order[: len(order) // 2]].mean() <= bad.mean() / 4
    # Of those told to be right to a pixel with 0.9 and more, at least 0.93 are; a tenth of the doubtful ones is not.
    sure = confidence[use] >= 0.9
    assert (error[sure] <= 1).mean() > 0.93 > (error[~sure] <= 1).mean() + 0.1


def test_reasons_of_holes_are_the_true_ones() -> None:
    result, truth = room()
    why, told = truth.reasons(0, 112), array(result.reason)
    hole = np.isnan(result.depth_m)
    assert ((told == Reason.NONE) == ~hole).all()
    counted = hole & (told != Reason.OUTSIDE_ROI) & (why != Reason.NONE)
    for reason, least in ((Reason.OCCLUDED, 0.65), (Reason.OUT_OF_VIEW, 0.9)):
        both = (why == reason) & (told == reason) & counted
        assert both.sum() / ((why == reason) & counted).sum() > least, reason
        assert both.sum() / ((told == reason) & counted).sum() > least, reason
    x, y, w, h = result.pair.rectification.roi
    outside = np.ones(hole.shape, bool)
    outside[y : y + h, x : x + w] = False
    assert (told[outside] == Reason.OUTSIDE_ROI).all() and not (told[~outside] == Reason.OUTSIDE_ROI).any()


def test_what_the_range_leaves_out_is_too_near_or_too_far() -> None:
    result, truth = room(low=16, count=32)
    why, told = truth.reasons(16, 32), array(result.reason)
    counted = np.isnan(result.disparity_px) & (told != Reason.OUTSIDE_ROI)
    # Thin things too near are told less often than large ones: benchmarks/honesty.md has the figures.
    for reason, least in ((Reason.TOO_NEAR, 0.7), (Reason.TOO_FAR, 0.9)):
        there, named = (why == reason) & counted, (told == reason) & counted
        assert there.sum() > 1000  # of 172 800: else the scene does not show it
        assert (told[there] == reason).mean() > least, reason
        assert (why[named] == reason).mean() > 0.9, reason


def test_nothing_is_too_far_where_the_range_reaches_to_infinity() -> None:
    result = room()[0]
    told = array(result.reason) == Reason.TOO_FAR
    assert np.array_equal(told, np.isfinite(result.disparity_px) & np.isnan(result.depth_m)), "at infinity, no hole"


def test_one_pixel_is_told_as_in_the_whole_picture() -> None:
    whole, _ = room()
    rng = np.random.default_rng(3)
    height, width = whole.disparity_px.shape
    sigma, confidence, reason = array(whole.sigma_px), array(whole.confidence), array(whole.reason)
    for _ in range(25):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        facts = dataclasses.replace(whole).facts(x, y)  # a copy knows nothing of the whole picture yet
        if np.isnan(whole.disparity_px[y, x]):
            assert facts.reason == reason[y, x] and facts.sigma_px is None
        else:
            assert facts.sigma_px == pytest.approx(sigma[y, x], rel=1e-3) and facts.reason is Reason.NONE
            assert facts.confidence == pytest.approx(confidence[y, x], abs=1e-3)


def test_nothing_is_computed_before_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(explain, "of_answers", lambda scene: asked.append("answers"))
    monkeypatch.setattr(explain, "of_holes", lambda scene, seen: asked.append("holes"))
    result = dataclasses.replace(room()[0])
    assert result.analysis is not None and result.sigma_of == "matching alone" and asked == []


def test_the_rig_adds_its_part() -> None:
    alone, both = room()[0], room(covariance=True)[0]
    assert (alone.sigma_of, both.sigma_of) == ("matching alone", "matching and rig")
    at = both.pair.rectification
    known = np.isfinite(both.depth_m)
    factor = (both.depth_m**2 / (at.focal_px * at.baseline_m))[known]
    expected = np.hypot(array(both.sigma_px)[known], array(both.analysis.sigma_rig_px)[known]) * factor
    assert np.allclose(array(both.depth_sigma_m)[known], expected, rtol=1e-4)
    assert np.allclose(array(alone.depth_sigma_m)[known], array(alone.sigma_px)[known] * factor, rtol=1e-4)


def test_the_rigs_part_is_that_of_rigs_drawn_from_its_covariance() -> None:
    """Slow twin: draw rigs, triangulate the same two pixels with each, look at the spread of depth."""
    with open_source(["demo:room,seed=31,size=480x360"]) as source:
        rig_file = source.info.rig
    assert rig_file is not None
    rig, at = rig_file.rig, make_rectification(rig_file.rig)
    part = rig_part(rig_file.model_copy(update={"covariance": COVARIANCE}), at)
    assert part is not None
    rng = np.random.default_rng(0)
    for u, v, d in ((60.0, 50.0, 20.0), (240.0, 180.0, 40.0), (430.0, 300.0, 8.0)):
        z = at.focal_px * at.baseline_m / (d + at.doffs_px)
        point = z * np.array([(u - at.cx_px) / at.focal_px, (v - at.cy_px) / at.focal_px, 1.0]) @ at.R_rect_left
        right = rig.R_right_left @ point + rig.t_right_left_m
        a, b = point[:2] / point[2], right[:2] / right[2]
        found = []
        for _ in range(4000):
            fl, fr, turn, shift = rng.normal(0, np.sqrt(np.diag(COVARIANCE.array)))
            # A longer focal length makes the same pixel's direction flatter.
            left_way = a / np.array([1 + fl / rig.left.K[0, 0], 1])
            right_way = b / np.array([1 + fr / rig.right.K[0, 0], 1])
            R = cv2.Rodrigues(np.array([0.0, turn, 0.0]))[0] @ rig.R_right_left
            t = rig.t_right_left_m + np.array([shift, 0.0, 0.0])
            found.append(float(at.R_rect_left[2] @ triangulate(left_way[None], right_way[None], R, t)[0]))
        picture = np.full(at.size_wh[::-1], d, np.float32)
        told = float(part.sigma_px(picture)[int(v), int(u)]) * z / (d + at.doffs_px)
        # 4000 draws know a standard deviation to 1.1 %; lens distortion's small change of direction is left out.
        assert told == pytest.approx(float(np.std(found)), rel=0.08)


@pytest.mark.parametrize("step", [2, 3])
def test_a_result_in_fewer_pixels_is_explained_in_them(step: int) -> None:
    result, truth = room()
    small = smaller(result, step)
    height, width = (side // step for side in result.disparity_px.shape)
    assert small.pair.left.shape == (height, width, 3) and small.disparity_px.shape == (height, width)
    confidence = array(small.confidence)
    known = np.isfinite(small.disparity_px)
    assert np.array_equal(np.isfinite(confidence), known)
    true = truth.disparity_px[step // 2 : height * step : step, step // 2 : width * step : step] / step
    use = known & np.isfinite(true)
    right = np.abs(small.disparity_px - true)[use] <= 1
    assert confidence[use][right].mean() > confidence[use][~right].mean() + 0.3
    reason = array(small.reason)
    near = truth.reasons(0, 112)[step // 2 : height * step : step, step // 2 : width * step : step]
    out = ~known & (near == Reason.OUT_OF_VIEW)
    assert (reason[out] == Reason.OUT_OF_VIEW).mean() > 0.8


def test_as_few_pixels_as_are_asked_for() -> None:
    assert [step_for(pixels, 3_000_000) for pixels in (300_000, 3_000_000, 3_000_001, 12_000_001, 24_000_000)] == [
        1, 1, 2, 4, 4,
    ]  # fmt: skip
