"""Points, distances and heights against the demo's exact truth; what cannot be measured is refused with its reason."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli.cli_scenes import run_command, run_json

from calibration.rectify import make_rectification
from calibration.rigfile import Covariance, RigFile, save_rig
from livestereo import display
from livestereo.cli._build import build_pipeline
from livestereo.cli._options import RigOptions
from livestereo.cli._output import Output
from livestereo.cli._ruler import result_of_pair
from livestereo.cli._setup import Opened
from livestereo.measure import MeasureError, Ruler
from livestereo.refine import refine
from livestereo.settings import resolve_settings
from livestereo.sources import open_source
from livestereo.sources.demo import DemoTruth
from livestereo.types import F32, Frame, Reason, SourceInfo, StereoFrame, StereoResult


@pytest.fixture(scope="module")
def room() -> tuple[StereoResult, DemoTruth, RigFile]:
    with open_source(["demo:room,seed=6"]) as source:
        rig_file = source.info.rig
        pipeline = build_pipeline(resolve_settings("balanced", {"threads": 1}), make_rectification(rig_file.rig))
        frame = source.read(1.0)
        return pipeline.process(frame), source.info.truth.truth(frame.seq), rig_file


def position(result: StereoResult, depth_m: F32, u: int, v: int) -> np.ndarray:
    at = result.pair.rectification
    return float(depth_m[v, u]) * np.array([(u - at.cx_px) / at.focal_px, (v - at.cy_px) / at.focal_px, 1.0])


def with_covariance(rig_file: RigFile, **sigmas: float) -> RigFile:
    names = tuple(name.replace("_", ".") for name in sigmas)
    matrix = np.diag(np.array(list(sigmas.values())) ** 2)
    return rig_file.model_copy(update={"covariance": Covariance(parameters=names, matrix=matrix.tolist())})


def test_distances_are_true_within_their_uncertainty(room: tuple[StereoResult, DemoTruth, RigFile]) -> None:
    result, truth, _ = room
    ruler = Ruler(result)
    known = np.argwhere(np.isfinite(result.depth_m) & (truth.depth_m < 3))
    rng = np.random.default_rng(0)
    inside, relative, sigmas = [], [], []
    while len(inside) < 60:
        (v, u), (y, x) = known[rng.choice(len(known), 2, replace=False)]
        true = float(np.linalg.norm(position(result, truth.depth_m, u, v) - position(result, truth.depth_m, x, y)))
        if true < 0.05:
            continue
        found = ruler.distance((float(u), float(v)), (float(x), float(y)))
        inside.append(abs(found.distance_m - true) < 2 * found.sigma_m)
        relative.append(abs(found.distance_m - true) / true)
        sigmas.append(found.sigma_m / true)
    assert np.mean(inside) >= 0.85  # 90 % over many pictures (benchmarks/measure.py); 60 pairs of one scatter by 4 %
    assert np.median(relative) < 0.012 and np.median(sigmas) < 0.02


def test_a_refined_point_is_better_than_the_matcher(room: tuple[StereoResult, DemoTruth, RigFile]) -> None:
    result, truth, _ = room
    known = np.argwhere(np.isfinite(result.depth_m) & truth.visible & (truth.depth_m < 3))
    rng = np.random.default_rng(1)
    matched, refined = [], []
    for v, u in known[rng.choice(len(known), 80, replace=False)]:
        found = refine(result.disparity_px, result.pair.left_gray, result.pair.right_gray, int(u), int(v))
        assert found is not None and found.sigma_px >= 0.02
        matched.append(abs(result.disparity_px[v, u] - truth.disparity_px[v, u]))
        refined.append(abs(found.disparity_px - truth.disparity_px[v, u]))
    assert np.median(refined) < 0.65 * np.median(matched)


@pytest.mark.parametrize("disparity_px", [-150, -90, 150])
def test_a_point_is_refined_whatever_its_disparity(disparity_px: int) -> None:
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 255, (120, 900)).astype(np.uint8), (0, 0), 2)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    left, right = wide[:, 200:700], wide[:, 200 + disparity_px : 700 + disparity_px]
    found = refine(np.full(left.shape, disparity_px + 0.2, np.float32), left, right, 250, 60)
    assert found is not None
    assert found.disparity_px == pytest.approx(disparity_px, abs=0.02) and found.sigma_px < 0.2


def test_a_plane_and_heights_over_it() -> None:
    with open_source(["demo:plane,tilt=15deg,distance=1.2m"]) as source:
        rig_file = source.info.rig
        pipeline = build_pipeline(resolve_settings("balanced", {"threads": 1}), make_rectification(rig_file.rig))
        result = pipeline.process(source.read(1.0))
    ruler = Ruler(result, rig_file)
    plane = ruler.plane((160, 120, 320, 240))
    assert plane.share > 0.9 and abs(plane.offset_m) == pytest.approx(1.2 * math.cos(math.radians(15)), rel=0.01)
    assert float(plane.normal[2]) == pytest.approx(-math.cos(math.radians(15)), abs=0.005), "towards the camera"
    height = ruler.height((320.0, 240.0), plane)
    assert abs(height.distance_m) < 3 * height.sigma_m + 0.005
    length = ruler.range((320.0, 240.0))
    assert length.sigma_of == "matching alone" and length.sigma_rig_m is None


def test_the_rig_adds_its_part(room: tuple[StereoResult, DemoTruth, RigFile]) -> None:
    result, _, rig_file = room
    v, u = next(p for p in np.argwhere(np.isfinite(result.depth_m)) if abs(p[0] - 240) < 40 and abs(p[1] - 320) < 60)
    at = result.pair.rectification
    pixel = (float(u), float(v))
    alone = Ruler(result, rig_file).range(pixel)
    assert alone.sigma_rig_m is None
    # One part in a hundred of the baseline is one part in a hundred of every length.
    ruler = Ruler(result, with_covariance(rig_file, translation_x=0.01 * at.baseline_m))
    baseline = ruler.range(pixel)
    point = baseline.points[0]
    by_match = Ruler(result, rig_file).depth_sigma_m(point)
    assert ruler.depth_sigma_m(point) == pytest.approx(math.hypot(by_match, 0.01 * point.depth_m), rel=0.02)
    assert baseline.sigma_rig_m == pytest.approx(0.01 * baseline.distance_m, rel=0.02)
    assert baseline.sigma_m == pytest.approx(math.hypot(alone.sigma_match_m, baseline.sigma_rig_m or 0))
    # A yaw of δ moves the right pixel by about f·δ, so z by z·f·δ/d.
    yaw = Ruler(result, with_covariance(rig_file, rotation_y=1e-3)).range(pixel)
    shift = at.focal_px * 1e-3 / yaw.points[0].refined.disparity_px
    assert yaw.sigma_rig_m == pytest.approx(shift * yaw.distance_m, rel=0.1)


def test_holes_and_places_outside_are_refused(room: tuple[StereoResult, DemoTruth, RigFile]) -> None:
    result, _, _ = room
    hole = np.isnan(result.depth_m)
    v, u = np.argwhere(hole)[len(np.argwhere(hole)) // 2]
    reason = np.where(hole, np.uint8(Reason.NO_TEXTURE), np.uint8(0))
    full = dataclasses.replace(result.match, reason=reason)
    explained = dataclasses.replace(result, explain=lambda _: full)
    with pytest.raises(MeasureError, match="no texture") as told:
        Ruler(explained).point((float(u), float(v)))
    assert "nearest point with depth" in told.value.fix
    with pytest.raises(MeasureError, match="no sure partner"):
        Ruler(dataclasses.replace(result, explain=lambda r: r.match)).distance((float(u), float(v)), (320.0, 240.0))
    same = dataclasses.replace(
        result, match=dataclasses.replace(result.match, disparity_px=np.zeros_like(result.disparity_px)),
        depth_m=np.full_like(result.depth_m, np.nan), pair=dataclasses.replace(
            result.pair, left_gray=result.pair.left_gray * 0, right_gray=result.pair.right_gray * 0),
    )  # fmt: skip
    with pytest.raises(MeasureError, match="nothing is shifted there") as infinite:
        Ruler(same).point((320.0, 240.0))
    assert "No depth is known anywhere" in infinite.value.fix
    with pytest.raises(MeasureError, match="outside the picture"):
        Ruler(result).point((640.0, 3.0))
    with pytest.raises(MeasureError, match="too little depth"):
        Ruler(dataclasses.replace(result, match=dataclasses.replace(
            result.match, disparity_px=np.full_like(result.disparity_px, np.nan)))).plane()  # fmt: skip
    with pytest.raises(MeasureError, match="does not lie"):
        Ruler(result).plane((0, 0, 700, 10))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", "")
    display.probe.cache_clear()  # what an earlier test found holds no more
    words = ("measure", "demo:plane,distance=1m", "--size", "320x240")
    code, found, _ = run_json(capsys, *words, "--point", "160,120", "--point", "200,120", "--save", "m.png")
    assert code == 0 and len(found["points_m"]) == 2 and found["sigma_m"] > 0
    # 40 px at 1 m with a focal length of half the full size's.
    assert found["distance_m"] == pytest.approx(40 / 280, rel=0.05) and (tmp_path / "m.png").stat().st_size > 5000
    code, found, _ = run_json(capsys, *words, "--point", "160,120")
    assert code == 0 and found["kind"] == "point" and found["distance_m"] == pytest.approx(1.0, rel=0.02)
    with open_source(["demo:plane"]) as source:
        save_rig("rig.json", with_covariance(source.info.rig, translation_x=1e-3))
    code, found, _ = run_json(capsys, "measure", "demo:plane", "--rig", "rig.json", "--point", "320,240")
    assert code == 0 and found["sigma_rig_m"] == pytest.approx(1.5e-3 / 0.1, rel=0.05)
    code, _, err = run_command(capsys, *words, "--point", "1,120")
    assert code == 1 and "No depth is known at 1,120" in err
    code, flat, _ = run_command(capsys, *words, "--point", "160,120", "--plane")
    assert code == 0 and "no single flat surface" not in flat
    code, rough, _ = run_command(capsys, "measure", "demo:room", "--point", "320,200", "--plane")
    assert code == 0 and "no single flat surface" in rough
    for wrong in (("--point", "a"), ("--point", "1,2", "--plane-in", "1"), ("--pair", "3", "--plane")):
        assert run_command(capsys, *words, *wrong)[0] == 1
    code, _, err = run_command(capsys, *words)
    display.probe.cache_clear()
    assert code == 1 and "--point" in err, "no window to click in"


def test_a_film_has_one_geometry_whichever_pair_is_measured(
    room: tuple[StereoResult, DemoTruth, RigFile], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first pair is 4 rows off and tells that it must be rectified; the second one is level."""
    pair = room[0].pair
    level = StereoFrame(Frame(pair.left, 0.0, 1), Frame(pair.right, 0.0, 1), 1)
    lower = dataclasses.replace(level, right=Frame(np.roll(pair.right, 4, axis=0), 0.0, 0), seq=0)

    class Film:
        info = SourceInfo("film", live=False, fps=30.0)

        def __init__(self) -> None:
            self.frames = [lower, level]

        def read(self, timeout_s: float) -> StereoFrame | None:
            return self.frames.pop(0) if self.frames else None

    result_of_pair(Opened(Film(), None, RigOptions(), Output()), resolve_settings(), 1)  # type: ignore[arg-type]
    assert "rectified from" in capsys.readouterr().err
