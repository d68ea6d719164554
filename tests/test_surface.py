from __future__ import annotations

import numpy as np

from livestereo import surface

H, W, F = 60, 80, 100.0
CX, CY = (W - 1) / 2, (H - 1) / 2


def plane_disparity(normal: tuple[float, float, float], distance: float) -> np.ndarray:
    """Disparity (f·B = 100) of the plane n·P = −distance seen by a camera in its middle."""
    v, u = np.mgrid[:H, :W]
    ray = np.stack([(u - CX) / F, (v - CY) / F, np.ones((H, W))], axis=2)
    depth = -distance / (ray @ np.array(normal))
    return (100.0 / depth).astype(np.float32)


def test_normals_of_a_noisy_plane() -> None:
    n = np.array([0.3, -0.5, -0.8]) / np.linalg.norm([0.3, -0.5, -0.8])
    rng = np.random.default_rng(0)
    disparity = plane_disparity(tuple(n), 4.0) + rng.normal(0, 0.1, (H, W)).astype(np.float32)
    got = surface.normals_from_disparity(disparity, F, CX, CY)
    inner = got[8:-8, 8:-8].reshape(-1, 3)
    angle = np.degrees(np.arccos(np.clip(inner @ n, -1, 1)))
    # 0.1 px of noise over a 9x9 window: slope error about 0.1/sqrt(9·60)/… ≈ 0.003 px/px, times f/d = 4 → 0.7°.
    assert np.median(angle) < 2.0
    assert np.allclose(np.linalg.norm(inner, axis=1), 1, atol=1e-5)


def test_normals_honour_doffs() -> None:
    n = np.array([0.0, -0.6, -0.8])
    disparity = plane_disparity(tuple(n), 4.0)
    shifted = surface.normals_from_disparity(disparity - 7, F, CX, CY, doffs_px=7)
    assert np.abs(shifted[10:-10, 10:-10] - n).max() < 0.01


def test_pixels_between_two_surfaces_fly_and_the_surfaces_stay() -> None:
    disparity = np.full((40, 60), 10, np.float32)
    disparity[:, 30:] = 30
    disparity[:, 30] = 20  # what a matching window that sees both answers
    disparity[5, 5] = 25  # a lone point in the air
    flying = surface.flying_pixels(disparity)
    assert flying[2:-2, 30].all()
    assert flying[5, 5]
    assert not flying[:, :28].any() or flying[:, :28].sum() == 1
    assert not flying[2:-2, 33:-2].any()


def test_a_wire_three_pixels_wide_and_a_steep_floor_do_not_fly() -> None:
    wire = np.full((40, 60), 10, np.float32)
    wire[:, 20:23] = 30
    assert not surface.flying_pixels(wire)[2:-2].any()
    floor = np.repeat(np.arange(40, dtype=np.float32)[:, None] * 0.8, 60, axis=1)
    assert not surface.flying_pixels(floor)[2:-2, 2:-2].any()


def test_invalid_pixels_never_fly_and_are_never_outliers() -> None:
    disparity = np.full((20, 20), np.nan, np.float32)
    disparity[10, 10] = 4
    assert surface.flying_pixels(disparity).sum() == 1
    assert not surface.statistical_outliers(np.full((20, 20), np.nan, np.float32)).any()


def test_outliers_are_the_sparse_points() -> None:
    disparity = np.full((60, 60), 12, np.float32) + np.random.default_rng(1).normal(0, 0.1, (60, 60)).astype(np.float32)
    disparity[30:, 30:] = np.nan
    disparity[45:47, 45:47] = 30  # four points with nothing around them
    found = surface.statistical_outliers(disparity)
    assert found[45:47, 45:47].all()
    assert found[:29, :29].mean() < 0.01


def test_smoothing_lowers_noise_and_keeps_the_edge() -> None:
    rng = np.random.default_rng(2)
    truth = np.where(np.arange(80)[None, :] < 40, 10.0, 14.0).repeat(60, axis=0).astype(np.float32)
    noisy = truth + rng.normal(0, 0.2, truth.shape).astype(np.float32)
    noisy[20:25, 20:25] = np.nan
    smooth = surface.smooth_disparity(noisy)
    assert np.isnan(smooth).sum() == 25
    assert np.nanstd(smooth - truth) < 0.1  # half the noise at least
    assert np.nanmax(np.abs(smooth[:, 38:42] - truth[:, 38:42])) < 0.7, "no value between the two surfaces"
