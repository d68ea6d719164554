"""Where effects are looked at closest: between two views, beside the picture, and where a thing meets the scene."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from effect_scenes import RECT, WALL_M, WALL_PX, H, W, scene, texture, view

from livestereo.render.effects import EffectScene
from livestereo.render.effects.fill import fill_disparity
from livestereo.render.effects.occlude import Sphere, automatic_spheres, insert
from livestereo.render.effects.views import view_between


def test_a_thing_without_depth_makes_no_ghost_between_the_views() -> None:
    # The square was not measured: its place says "wall", so the two pictures disagree there.
    unmeasured = replace(scene(), disparity_px=np.full((H, W), WALL_PX, np.float32))
    seen = view_between(unmeasured, 0.25, view(1))
    # The right picture alone has the square here; a blend would show a quarter of it before the wall.
    columns = np.arange(46, 56)
    wall = view(0)[45:85][:, columns + WALL_PX // 4]
    assert np.abs(seen[45:85][:, columns].astype(int) - wall).max() <= 8


def test_beside_the_left_picture_the_right_one_is_not_smeared_along_a_near_thing() -> None:
    rng = np.random.default_rng(4)
    wall = rng.integers(60, 200, (H, W + 16, 1)).astype(np.uint8).repeat(3, axis=2)
    wall = cv2.GaussianBlur(wall, (0, 0), 1.5)
    near = texture(6, 50, 70, (40, 190, 50))

    def seen_from(t: float) -> np.ndarray:
        image = wall[:, round(8 * t) : round(8 * t) + W].copy()
        x = 100 - round(40 * t)
        shown = near[:, : W - x]
        image[40:90, x : x + shown.shape[1]] = shown
        return image

    disparity = np.full((H, W), 8, np.float32)
    disparity[40:90, 100:] = 40
    made = EffectScene(seen_from(0), seen_from(1), disparity, np.ones((H, W), bool), RECT)
    got, want = view_between(made, 0.5, made.right), seen_from(0.5)
    beside = (slice(48, 82), slice(152, 158))
    assert cv2.PSNR(got[beside], want[beside]) > 35  # smeared: 26


def test_a_small_surface_between_holes_stays_and_chance_on_a_blank_wall_does_not() -> None:
    guide = np.full((H, W, 3), 90, np.uint8)
    leaf, chance = (slice(30, 36), slice(40, 46)), (slice(80, 86), slice(100, 106))
    measured = np.full((H, W), 8, np.float32)
    for patch in (leaf, chance):
        rows, columns = patch
        measured[rows.start - 6 : rows.stop + 6, columns.start - 6 : columns.stop + 6] = np.nan
        measured[patch] = 20
        guide[patch] = 230
    sure = measured.copy()
    sure[chance][::3] = 20
    sure[80:86:2, 100:106] = np.nan
    sure[80:86, 100:106:2] = np.nan  # a quarter of it is trusted
    filled = fill_disparity(sure, guide, measured_px=measured)
    assert abs(filled[33, 43] - 20) < 1
    assert np.abs(filled[chance] - 8).max() < 1


def test_the_seam_of_a_ball_in_a_noisy_wall_is_one_line() -> None:
    rng = np.random.default_rng(2)
    noisy = replace(scene(), disparity_px=(scene().disparity_px + rng.normal(0, 0.3, (H, W))).astype(np.float32))
    made = insert(noisy, [Sphere("ball", 120, 60, WALL_M + 0.3, 0.4, (0, 0, 255))], shadows=False)
    changed = (np.abs(made.image.astype(int) - noisy.left).max(axis=2) > 40).astype(np.uint8)
    count = cv2.connectedComponents(changed, connectivity=8)[0]
    assert count - 1 <= 2  # decided by the noise of each pixel: 8


def test_spheres_chosen_by_the_program_do_not_lie_in_a_surface() -> None:
    for ball in automatic_spheres(scene()):
        assert isinstance(ball, Sphere)
        shifted = 16 / ball.depth_m
        x, y = int(ball.u), int(ball.v)
        around = scene().disparity_px[max(0, y - 8) : y + 8, max(0, x - 8) : x + 8]
        assert np.mean(np.abs(around - shifted) < 1.5) < 0.9


def test_a_blank_surface_that_stands_out_is_filled_whole_and_what_is_beside_it_stays_behind() -> None:
    rng = np.random.default_rng(8)
    guide = rng.integers(90, 160, (240, 320, 1)).astype(np.uint8).repeat(3, axis=2)
    disparity = np.full((240, 320), 6, np.float32)
    board = (slice(60, 200), slice(90, 230))  # one colour: known along its outline alone, and there not everywhere
    guide[board] = (30, 30, 34)
    disparity[board] = 20
    disparity[68:192, 98:222] = np.nan
    disparity[100:160, 90:98] = np.nan
    disparity[100:160, 222:260] = np.nan  # its rows end on the wall at the right, and at the left
    disparity[100:160, 84:98] = np.nan
    filled = fill_disparity(disparity, guide)
    assert np.abs(filled[board] - 20).max() < 1  # by rows: 6 in the rows that end on the wall
    assert np.abs(filled[100:160, 240:] - 6).max() < 1
    assert np.abs(filled[:50] - 6).max() < 0.5


def test_a_shadow_falls_on_what_was_measured_and_not_on_what_was_guessed() -> None:
    wall = replace(scene(), disparity_px=np.full((H, W), WALL_PX, np.float32))
    ball = [Sphere("ball", 80, 60, WALL_M - 0.25, 0.2, (0, 0, 255))]
    around = np.hypot(*np.mgrid[-60:60, -80:80]) > 26  # beside the ball itself

    def darker(known: np.ndarray) -> np.ndarray:
        made = insert(replace(wall, known=known), ball).image.astype(int)
        return np.asarray((wall.left - made).max(axis=2) * around)

    assert darker(np.ones((H, W), bool)).max() > 25
    assert darker(np.zeros((H, W), bool)).max() <= 1
