from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from effect_scenes import SQUARE, SQUARE_M, SQUARE_PX, WALL_M, WALL_PX, H, W, scene

from livestereo.errors import SettingsError
from livestereo.render.effects import EffectSettings, apply_effect
from livestereo.render.effects.fill import fill_disparity, rows_filled
from livestereo.render.effects.focus import (
    Lens,
    aperture_of,
    defocus,
    layer_radii,
    lens_of_aperture,
    lens_of_blur,
    spread,
)
from livestereo.render.effects.fog import KOSCHMIEDER, Layer, fog, transmission, wisps_of
from livestereo.render.effects.light import to_linear, to_srgb
from livestereo.render.effects.settings import depth_at


def test_light_goes_to_linear_and_back() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_srgb(to_linear(ramp)), ramp)
    assert to_linear(np.uint8([[188]]))[0, 0] == pytest.approx(0.503, abs=0.002)  # sRGB 188 is half of the light
    assert to_srgb(np.float32([[-1.0, 5.0]])).tolist() == [[0, 255]]


def test_fog_is_the_formula_in_linear_light() -> None:
    s = scene()
    air = np.float32([0.5, 0.6, 0.7])
    got = to_linear(fog(s, 4.0, airlight=air))
    for at, depth in (((60, 80), SQUARE_M), ((10, 10), WALL_M)):
        through = np.exp(-KOSCHMIEDER / 4.0 * depth)
        want = to_linear(s.left)[at] * through + air * (1 - through)
        assert got[at] == pytest.approx(want, abs=0.006)  # one step of 8-bit sRGB near 0.6


def test_at_the_visibility_two_percent_of_contrast_is_left() -> None:
    s = scene()
    tau = transmission(s.depth_m, KOSCHMIEDER / WALL_M, None, s, None)
    assert np.exp(-tau[10, 10]) == pytest.approx(0.02, rel=1e-3)


def test_water_takes_red_first_and_smoke_lies_low() -> None:
    s = scene()
    water = to_linear(fog(s, 3.0, medium="water", airlight=np.zeros(3, np.float32)))
    left = to_linear(s.left)
    kept = (water[5:30, 5:30] / np.maximum(left[5:30, 5:30], 1e-4)).mean(axis=(0, 1))
    assert kept[2] < 0.5 * min(kept[0], kept[1])
    # In a layer above a base 0.7 m below the camera, the floor row is thicker than the row at the top.
    layer = Layer(base_m=0.7, scale_m=0.3)
    tau = transmission(s.depth_m, 1.0, layer, s, None)
    assert tau[H - 1, 5] > 3 * tau[0, 5]
    rising = transmission(s.depth_m, 1.0, Layer(base_m=-0.7, scale_m=0.3, rising=True), s, None)
    assert rising[0, 5] > 3 * rising[H - 1, 5]


def test_the_layer_s_closed_form_is_the_integral_along_the_ray() -> None:
    s = scene()
    layer = Layer(base_m=0.5, scale_m=0.4)
    tau = transmission(s.depth_m, 0.8, layer, s, None)
    v, u = 100, 20
    slope = (v - 59.5) / 160
    steps = (np.arange(4000) + 0.5) / 4000 * WALL_M
    height = 0.5 - steps * slope  # above the base; y points down
    want = 0.8 * np.mean(np.exp(-height / 0.4)) * WALL_M
    assert tau[v, u] == pytest.approx(want, rel=1e-3)


def test_wisps_are_even_on_the_whole_and_drift_round() -> None:
    still, moved = wisps_of(40, 60), wisps_of(40, 60, drift=1.0)
    assert still.mean() == pytest.approx(1, abs=0.25)
    np.testing.assert_allclose(still, moved)
    assert np.abs(still - wisps_of(40, 60, drift=0.5)).mean() > 0.05


def test_what_is_in_focus_stays_as_it_is_and_takes_no_light_from_behind() -> None:
    s = scene()
    image = defocus(s, Lens(focus_px=SQUARE_PX, gain=0.5, largest_px=12))
    inner = (slice(43, 87), slice(63, 107))  # a pixel of softened outline apart
    assert np.abs(image[inner].astype(int) - s.left[inner]).max() <= 2
    assert image[5:30, 5:150, 0].std() < 0.5 * s.left[5:30, 5:150, 0].std(), "the wall is blurred"


def test_a_blurred_wall_takes_no_colour_from_a_sharp_square() -> None:
    s = scene()
    image = defocus(s, Lens(SQUARE_PX, 0.5, 12))
    beside = image[50:80, 112:116].astype(float).mean(axis=(0, 1))
    far = image[50:80, 135:155].astype(float).mean(axis=(0, 1))
    # The square is red (190 against 60): a bleed of 10 % would be 13 levels.
    assert abs(beside[2] - far[2]) < 8
    plain = cv2.blur(s.left, (17, 17))[50:80, 112:116].astype(float).mean(axis=(0, 1))
    assert plain[2] - far[2] > 20, "a plain blur would bleed, or this test proves nothing"


def test_a_blurred_square_spreads_over_a_sharp_wall() -> None:
    s = scene()
    image = defocus(s, Lens(WALL_PX, 0.5, 12))
    assert np.abs(image[5:25, 5:150].astype(int) - s.left[5:25, 5:150]).max() <= 2, "the wall is sharp"
    # Disc of radius 8: four pixels outside, some of the square's red is seen; far outside none.
    assert image[50:80, 112:114, 2].mean() > s.left[50:80, 112:114, 2].mean() + 10
    assert abs(image[50:80, 125:150, 2].astype(float).mean() - s.left[50:80, 125:150, 2].mean()) < 1.5


def test_the_circle_of_confusion_is_that_of_a_thin_lens() -> None:
    s = scene()
    aperture, focus = 0.05, SQUARE_M
    lens = lens_of_aperture(s, focus, aperture)
    diameter = aperture * 160 * abs(1 / WALL_M - 1 / focus)  # D · f_px · |1/Z − 1/Zf|
    assert 2 * lens.gain * abs(WALL_PX - lens.focus_px) == pytest.approx(diameter)
    assert aperture_of(s, lens) == pytest.approx(aperture)


def test_a_subject_with_depth_is_sharp_as_a_whole_and_the_background_blurred_as_asked() -> None:
    s = scene()
    lens = lens_of_blur(s, SQUARE_M, 6.0)
    assert 1 < lens.sharp_px < 0.5 * (SQUARE_PX - WALL_PX)
    # The wall is the far background: its radius is what was asked for, whatever stays sharp on the way.
    assert (SQUARE_PX - WALL_PX - lens.sharp_px) * lens.gain == pytest.approx(6.0)
    # Rounded things: their disparity runs to the rim of the sharp zone.
    rounded = s.shifted_px.copy()
    rounded[SQUARE] += np.linspace(-0.95, 0.95, 50, dtype=np.float32) * np.float32(lens.sharp_px)
    image = defocus(replace(s, disparity_px=rounded), lens)
    inside = (slice(45, 85), slice(65, 105))
    np.testing.assert_allclose(image[inside].astype(int), s.left[inside], atol=2)
    # No depth to speak of: noise of half a pixel is not seen.
    flat = np.full((H, W), WALL_PX, np.float32)
    noise = np.random.default_rng(0).uniform(-0.45, 0.45, (H, W)).astype(np.float32)
    noisy = replace(s, disparity_px=flat + noise)
    np.testing.assert_allclose(defocus(noisy, lens_of_blur(noisy, WALL_M, 6.0)).astype(int), s.left, atol=2)
    assert lens_of_aperture(s, SQUARE_M, 0.01).sharp_px == 0


def test_a_point_of_light_becomes_a_disc_of_that_radius() -> None:
    s = scene()
    dark = np.zeros((H, W, 3), np.uint8)
    dark[20, 30] = 255
    image = defocus(replace(s, left=dark), Lens(SQUARE_PX, 6 / 16, 12))  # radius 6 on the wall
    lit = to_linear(image)[:, :, 0]
    rows, columns = np.nonzero(lit > 0.3 * lit.max())
    assert rows.min() == pytest.approx(14, abs=1.5) and rows.max() == pytest.approx(26, abs=1.5)
    assert columns.min() == pytest.approx(24, abs=1.5) and columns.max() == pytest.approx(36, abs=1.5)
    assert lit.sum() == pytest.approx(1, rel=0.25)  # blur keeps the light (8 bits cut some of it)


def test_layers_cover_the_range_in_growing_steps() -> None:
    radii = layer_radii(-11.0, 4.0, 10)
    assert radii == sorted(radii) and 0.0 in radii
    assert radii[0] == pytest.approx(-11, abs=0.4) and radii[-1] == pytest.approx(4, abs=0.4)
    assert len(layer_radii(-40, 40, 3)) <= 7


def test_colours_spread_into_what_has_none_and_stay_where_they_are() -> None:
    colour = np.zeros((40, 50, 4), np.float32)
    colour[:, :20] = (0.2, 0.4, 0.6, 1)
    colour[:, 45:] = (0.8, 0.1, 0.1, 1)
    got = spread(colour)
    np.testing.assert_allclose(got[:, :20], np.broadcast_to((0.2, 0.4, 0.6), (40, 20, 3)), atol=1e-5)
    assert np.abs(got[20, 24] - (0.2, 0.4, 0.6)).max() < 0.1
    assert np.abs(got[20, 42] - (0.8, 0.1, 0.1)).max() < 0.15


def test_the_quick_way_looks_like_the_careful_one() -> None:
    lens = Lens(SQUARE_PX, 0.5, 12)
    assert cv2.PSNR(defocus(scene(), lens), defocus(scene(quick=True), lens)) > 28


def test_miniature_is_focus_with_stronger_colours() -> None:
    image = apply_effect("miniature", scene(), EffectSettings(focus_m=SQUARE_M)).image
    before, after = (cv2.cvtColor(i[SQUARE], cv2.COLOR_BGR2HSV)[:, :, 1].mean() for i in (scene().left, image))
    assert after > 1.05 * before


def test_holes_are_filled_from_the_farther_side() -> None:
    d = np.full((20, 40), 8, np.float32)
    d[:, 25:] = 24
    d[:, 12:25] = np.nan
    filled, hidden = rows_filled(d)
    assert (filled[:, 12:25] == 8).all()
    assert hidden[:, 12:25].all(), "13 px beside a step of 16 px are occluded"
    d[:5] = np.nan
    assert np.isfinite(rows_filled(d)[0]).all()
    assert (fill_disparity(np.full((20, 40), np.nan, np.float32), np.zeros((20, 40, 3), np.uint8)) == 0).all()


@pytest.mark.parametrize("quick", [False, True])
def test_filling_moves_the_depth_edge_onto_the_picture_s_edge(quick: bool) -> None:
    image = np.full((80, 120, 3), (200, 180, 60), np.uint8)
    image[:, 60:] = (40, 60, 200)
    d = np.full((80, 120), 8, np.float32)
    d[:, 56:] = 24  # four pixels too far, as block matching has it
    filled = fill_disparity(d, image, quick=quick)
    assert (np.abs(filled[10:70, :56] - 8) < 0.5).all()
    assert (np.abs(filled[10:70, 62:] - 24) < 0.5).all()
    assert np.mean(np.abs(filled[10:70, 56:60] - 8) < 0.5) > 0.6


def test_an_unknown_focus_point_takes_the_nearest_known_and_says_so() -> None:
    s = scene()
    known = s.known.copy()
    known[:, :30] = False
    depth, note = depth_at(replace(s, known=known), 20, 60)
    assert depth == pytest.approx(WALL_M)
    assert "unknown at 20,60" in note and "30,60" in note
    assert depth_at(s, 80, 60) == (pytest.approx(SQUARE_M), "")
    with pytest.raises(SettingsError, match="outside the picture"):
        depth_at(s, W, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"medium": "soup"}, {"visibility_m": 0.0}, {"focus_m": 1.0, "focus_at": (1, 2)}, {"near_m": 3.0, "far_m": 2.0},
        {"between": -1}, {"reach": 0.0}, {"glasses": "x"}, {"layout": "x"}, {"aperture": float("nan")},
        {"near_m": float("nan")}, {"shift_px": float("nan")},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        EffectSettings(**wrong)  # type: ignore[arg-type]


def test_a_chance_patch_in_a_large_hole_does_not_fill_it() -> None:
    guide = np.full((120, 160, 3), 90, np.uint8)
    disparity = np.full((120, 160), 20.0, np.float32)
    disparity[:, 70:] = np.nan
    disparity[50:54, 110:114] = 3.0  # far, by chance, on a wall without texture
    disparity[:, 158:] = 1.0  # repeated pixels at the rim
    for quick in (False, True):
        filled = fill_disparity(disparity, guide, quick=quick)
        assert np.abs(filled[:, 80:] - 20).max() < 0.5
    lonely = np.full((120, 160), np.nan, np.float32)
    lonely[50:54, 110:114] = 3.0
    assert np.allclose(fill_disparity(lonely, guide), 3.0), "better than nothing where nothing else is known"
