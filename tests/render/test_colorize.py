from __future__ import annotations

import math

import numpy as np
import pytest

from livestereo.errors import SettingsError
from livestereo.render.colorize import (
    COLORMAPS,
    HATCH_BGR,
    HOLE_BGR,
    REASON_BGR,
    DepthRange,
    automatic_range,
    colorize_depth,
    colorize_reason,
    colorize_unit,
    colormap_lut,
    position,
)
from livestereo.types import Reason


def slow_colour(depth: float, near: float, far: float, colormap: str, scale: str) -> np.ndarray:
    """The readable twin of the table: one depth, by the definition."""
    if scale == "log":
        t = math.log(far / depth) / math.log(far / near)
    elif scale == "inverse":
        t = (1 / depth - 1 / far) / (1 / near - 1 / far)
    else:
        t = (far - depth) / (far - near)
    return colormap_lut(colormap)[round(min(1.0, max(0.0, t)) * 255)]


@pytest.mark.parametrize("scale", ["log", "inverse"])
def test_table_agrees_with_the_definition(scale: str) -> None:
    depths = np.random.default_rng(0).uniform(0.2, 12, 500).astype(np.float32)
    shown = colorize_depth(depths[None], 0.3, 8.0, "viridis", scale=scale, hatched=False)[0].astype(int)  # type: ignore[arg-type]
    lut = colormap_lut("viridis").astype(int)
    for depth, bgr in zip(depths, shown):
        index = int(np.argmin(np.abs(lut - bgr).sum(axis=1)))
        wanted = int(np.argmin(np.abs(lut - slow_colour(float(depth), 0.3, 8.0, "viridis", scale)).sum(axis=1)))
        # The table knows depth to 1/256, which is at most 2 of the 255 steps of a range of 27 : 1.
        assert abs(index - wanted) <= 2


def test_near_is_bright_and_far_is_dark_in_every_map_that_is_uniform() -> None:
    for name in ("viridis", "cividis", "inferno", "magma", "plasma", "gray"):
        near, far = (colorize_depth(np.array([[d]], np.float32), 0.5, 5, name)[0, 0] for d in (0.5, 5.0))
        assert near.astype(int).sum() > far.astype(int).sum() + 100, name


def test_lightness_grows_evenly_in_the_default_map() -> None:
    # Perceptually uniform: each step changes lightness L* (CIE 1976) by about the same amount, in one direction.
    rgb = colormap_lut("viridis")[:, ::-1].astype(np.float64) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    lightness = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
    steps = np.diff(lightness[::15])
    assert (steps > 0).all()
    assert steps.max() < 3 * steps.min()


def test_outside_the_range_takes_the_colour_of_the_nearer_end() -> None:
    row = colorize_depth(np.array([[0.01, 0.5, 5.0, 500.0]], np.float32), 0.5, 5.0)[0]
    assert np.array_equal(row[0], row[1]) or np.abs(row[0].astype(int) - row[1]).max() <= 3
    assert np.abs(row[2].astype(int) - row[3]).max() <= 3


def test_holes_look_like_nothing_that_is_known() -> None:
    depth = np.full((16, 16), np.nan, np.float32)
    shown = colorize_depth(depth, 0.5, 5.0)
    assert {tuple(int(c) for c in p) for p in shown.reshape(-1, 3)} == {HOLE_BGR, HATCH_BGR}
    for name in COLORMAPS:
        lut = colormap_lut(name).astype(int)
        for hole in (HOLE_BGR, HATCH_BGR):
            # Far enough from every colour of every map but the darkest of inferno and magma, which are nearly black.
            distance = np.abs(lut - np.array(hole)).sum(axis=1)
            assert distance[40:].min() > 30, name


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_what_is_no_depth_is_a_hole(bad: float) -> None:
    shown = colorize_depth(np.array([[bad]], np.float32), 0.5, 5.0, hatched=False)
    assert tuple(int(c) for c in shown[0, 0]) == HOLE_BGR


def test_the_input_stays_as_it_is_and_may_be_a_view() -> None:
    depth = np.full((8, 20), 2.0, np.float32)
    view = depth[:, ::2]
    before = depth.copy()
    assert colorize_depth(view, 0.5, 5).shape == (8, 10, 3)
    assert np.array_equal(depth, before)


@pytest.mark.parametrize(("near", "far"), [(0, 1), (2, 1), (1, 1), (1, math.inf), (math.nan, 1)])
def test_impossible_ranges_are_refused(near: float, far: float) -> None:
    with pytest.raises(SettingsError):
        DepthRange(near, far)
    with pytest.raises(SettingsError):
        colorize_depth(np.ones((2, 2), np.float32), near, far)


def test_unknown_colour_map_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="viridis"):
        colorize_depth(np.ones((2, 2), np.float32), 1, 2, "rainbow")


def test_linear_scale_is_linear() -> None:
    t = position(np.array([1.0, 2.0, 3.0]), 1.0, 3.0, "linear")
    assert t.tolist() == [1.0, 0.5, 0.0]


def test_confidence_is_hatched_where_unknown() -> None:
    shown = colorize_unit(np.array([[0.0, 1.0, np.nan]], np.float32))
    assert not np.array_equal(shown[0, 0], shown[0, 1])
    assert tuple(int(c) for c in shown[0, 2]) in (HOLE_BGR, HATCH_BGR)


def test_reasons_are_told_apart() -> None:
    codes = np.array([[int(r) for r in Reason]], np.uint8)
    shown = colorize_reason(codes)
    assert len({tuple(int(c) for c in p) for p in shown[0]}) == len(Reason)
    assert tuple(int(c) for c in shown[0, int(Reason.OCCLUDED)]) == REASON_BGR[Reason.OCCLUDED]


def test_reason_codes_from_a_newer_version_do_not_crash() -> None:
    assert colorize_reason(np.array([[200]], np.uint8)).shape == (1, 1, 3)


def test_automatic_range_covers_what_is_there() -> None:
    depth = np.random.default_rng(1).uniform(1.0, 3.0, (120, 160)).astype(np.float32)
    depth[0, 40:80] = 90.0  # 0.3 % of outliers must not widen it
    depth[:, :40] = np.nan
    found = automatic_range(depth)
    assert found is not None
    # 2 % are cut at each end of a uniform range of 2 m: 4 cm, and as much again for the sample.
    assert found.near_m == pytest.approx(1.04, abs=0.05)
    assert found.far_m == pytest.approx(2.98, abs=0.08)


def test_automatic_range_of_nothing_is_unknown_and_of_a_plane_is_not_empty() -> None:
    assert automatic_range(np.full((100, 100), np.nan, np.float32)) is None
    flat = automatic_range(np.full((100, 100), 2.0, np.float32))
    assert flat is not None and flat.near_m < 2.0 < flat.far_m


@pytest.mark.parametrize("hatched", [True, False])
@pytest.mark.parametrize("size_wh", [(37, 19), (64, 48), (1, 1)])
def test_compiled_colours_are_the_same(
    hatched: bool, size_wh: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(4)
    depth = rng.uniform(-0.5, 9.0, size_wh[::-1]).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = np.nan
    depth.ravel()[:1] = np.inf
    painted = {}
    for compiled in (True, False):
        monkeypatch.setattr("livestereo.render.colorize.numba_loaded", lambda compiled=compiled: compiled)
        painted[compiled] = colorize_depth(depth, 0.5, 5.0, "turbo", hatched=hatched)
    np.testing.assert_array_equal(painted[True], painted[False])
