from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from effect_scenes import RECT, SQUARE, SQUARE_M, SQUARE_PX, WALL_M, WALL_PX, H, W, result, scene, view

from livestereo.errors import SettingsError
from livestereo.imageio import OutputError
from livestereo.mpo import write_mpo
from livestereo.render.effects import EFFECTS, EffectScene, EffectSettings, LiveEffect, apply_effect, choose, scene_of
from livestereo.render.effects.cutout import checkerboard, cutout, over, split_depth
from livestereo.render.effects.occlude import Card, Sphere, automatic_spheres, insert
from livestereo.render.effects.stereo3d import anaglyph, shifted_views, side_by_side
from livestereo.render.effects.views import matched_right, view_between, warped_disparity, wiggle


def test_anaglyph_gives_red_to_the_left_eye_and_cyan_to_the_right() -> None:
    white, black = np.full((4, 4, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    for glasses in ("colour", "half-colour", "gray"):
        only_left = anaglyph(white, black, glasses)[0, 0]
        assert only_left.tolist() == [0, 0, 255], glasses
        assert anaglyph(black, white, glasses)[0, 0].tolist() == [255, 255, 0], glasses
    dubois = anaglyph(white, white, "dubois")[0, 0]
    assert dubois.min() > 245  # white stays white
    assert anaglyph(white, black, "dubois")[0, 0, :2].max() < 10


def test_zero_parallax_puts_the_square_on_the_screen() -> None:
    left, right = shifted_views(view(0), view(1), SQUARE_PX)
    assert left.shape == right.shape == (H, W - SQUARE_PX, 3)
    at = (slice(40, 90), slice(60 - SQUARE_PX, 110 - SQUARE_PX))
    np.testing.assert_array_equal(left[at], right[at])
    back = shifted_views(view(0), view(1), -5)
    assert back[0].shape == (H, W - 5, 3)


def test_side_by_side_keeps_order_and_width() -> None:
    left, right = np.full((4, 10, 3), 10, np.uint8), np.full((4, 10, 3), 200, np.uint8)
    assert side_by_side(left, right)[0, :, 0].tolist() == [10] * 10 + [200] * 10
    assert side_by_side(left, right, "cross")[0, :, 0].tolist() == [200] * 10 + [10] * 10
    assert side_by_side(left, right, "half")[0, :, 0].tolist() == [10] * 5 + [200] * 5


def test_mpo_holds_two_jpegs_and_an_index_that_finds_them(tmp_path: Path) -> None:
    data = write_mpo(tmp_path / "s.mpo", view(0), view(1), baseline_m=0.1).read_bytes()
    mark = data.index(b"MPF\x00") + 4
    assert data[mark : mark + 4] == b"II*\x00"
    entries = struct.unpack_from("<H", data, mark + 8)[0]
    tags = {e[0]: e for e in (struct.unpack_from("<HHII", data, mark + 10 + 12 * i) for i in range(entries))}
    assert tags[0xB001][3] == 2
    table = mark + tags[0xB002][3]
    (_, first_size, first_at, *_), (_, second_size, second_at, *_) = (
        struct.unpack_from("<IIIHH", data, table + 16 * i) for i in range(2)
    )
    assert first_at == 0 and first_size + second_size == len(data)
    parts = data[:first_size], data[mark + second_at : mark + second_at + second_size]
    for part, want in zip(parts, (view(0), view(1))):
        assert part[:2] == b"\xff\xd8" and part[-2:] == b"\xff\xd9"
        assert cv2.PSNR(cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR), want) > 32
    with pytest.raises(OutputError):
        write_mpo(tmp_path / "s.png", view(0), view(1))


def test_disparity_seen_from_the_right_is_the_square_moved_before_the_wall() -> None:
    at_right = warped_disparity(scene().disparity_px, 1.0)
    assert (at_right[45:85, 38:84] == SQUARE_PX).all()
    assert (at_right[:, 90:150] == WALL_PX).all(), "what the square hid is filled from the wall"
    assert np.isfinite(at_right).all()


@pytest.mark.parametrize("quick", [False, True])
def test_the_view_in_the_middle_is_the_true_one(quick: bool) -> None:
    got, want = view_between(scene(quick), 0.5, view(1)), view(0.5)
    inner = (slice(2, -2), slice(12, -12))  # the borders only one camera has seen
    assert cv2.PSNR(got[inner], want[inner]) > (24 if quick else 30)
    # Neither of the true pictures passes for it.
    assert cv2.PSNR(view(0)[inner], want[inner]) < 18


def test_the_ends_are_the_true_pictures() -> None:
    s = scene()
    np.testing.assert_array_equal(view_between(s, 0.0), view(0))
    np.testing.assert_array_equal(view_between(s, 1.0, view(1)), view(1))


def test_right_takes_the_left_one_s_exposure() -> None:
    s = scene()
    darker = replace(s, right=(s.right * 0.8).astype(np.uint8))
    assert np.median(matched_right(darker)) == pytest.approx(np.median(s.left), abs=3)


def test_wiggle_swings_there_and_back_with_the_pivot_still() -> None:
    frames = wiggle(scene(), between=3, pivot=float(SQUARE_PX))
    assert len(frames) == 8  # 0, 3 between, 1, 3 between
    assert len({f.shape for f in frames}) == 1
    cut = W - frames[0].shape[1]
    np.testing.assert_array_equal(frames[0], view(0)[:, cut:])
    square = (slice(45, 85), slice(65 - cut, 105 - cut))
    for frame in frames:
        assert cv2.PSNR(frame[square], frames[0][square]) > 30, "the square stands still"
    assert cv2.PSNR(frames[4][:30], frames[0][:30]) < 20, "the wall swings"


def brute_force_visible(ball: Sphere, others: list[Sphere]) -> bool:
    """Straight from the definition: some pixel whose ray meets the ball before the scene and every other ball."""
    s = scene()
    v, u = np.mgrid[:H, :W]
    ray = np.stack([(u - 79.5) / 160, (v - 59.5) / 160, np.ones((H, W))], axis=2)

    def hit(b: Sphere) -> np.ndarray:
        c = np.array([(b.u - 79.5) / 160, (b.v - 59.5) / 160, 1]) * b.depth_m
        a, k = (ray * ray).sum(2), ray @ c
        under = k * k - a * (c @ c - b.radius_m**2)
        with np.errstate(invalid="ignore"):
            return np.where(under >= 0, (k - np.sqrt(np.maximum(under, 0))) / a, np.inf)

    front = np.minimum.reduce([s.depth_m.astype(float), *(hit(o) for o in others)])
    return bool((hit(ball) < front - 1e-6).any())


def test_what_is_drawn_and_what_is_culled_is_what_a_ray_per_pixel_says() -> None:
    rng = np.random.default_rng(3)
    for round_ in range(12):
        balls = [
            Sphere(f"s{i}", *(rng.uniform(*r) for r in ((-30, W + 30), (-30, H + 30), (0.3, 3), (0.03, 0.2))))
            for i in range(8)
        ]
        made = insert(scene(), list(balls), shadows=False)
        culled = {name for name, _ in made.culled}
        assert culled | set(made.drawn) == {b.name for b in balls}
        for ball in balls:
            seen = brute_force_visible(ball, [b for b in balls if b is not ball and b.name in made.drawn])
            if seen != (ball.name in made.drawn):
                # Only a sliver of less than half a pixel may be judged either way.
                assert made.share.get(ball.name, 0.0) < 0.02, (round_, ball)


def test_each_reason_for_culling() -> None:
    things = [
        Sphere("before", 85, 65, 0.4, 0.05),
        Sphere("between", 85, 65, 1.2, 0.1),  # behind the square, smaller than it
        Sphere("beyond", 20, 20, 5.0, 0.3),  # behind the wall
        Sphere("beside", -200, 60, 1.0, 0.05),
        Sphere("at the camera", 80, 60, 0.05, 0.2),
        Card(
            "card", 85, 65, 0.41, 0.05, np.full((8, 8, 3), 90, np.uint8)
        ),  # inside the first ball's outline, behind it
    ]
    made = insert(scene(), things)
    assert made.drawn == ("before",)
    assert dict(made.culled) == {
        "between": "hidden", "beyond": "hidden", "beside": "outside the view",
        "at the camera": "behind the camera", "card": "hidden",
    }  # fmt: skip


def test_a_culled_thing_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from livestereo.render.effects import occlude

    shaded: list[str] = []
    real = occlude._shaded
    monkeypatch.setattr(occlude, "_shaded", lambda s, ball, *rest: (shaded.append(ball.name), real(s, ball, *rest))[1])
    insert(scene(), [Sphere("seen", 20, 20, 1.0, 0.1), Sphere("hidden", 85, 65, 1.2, 0.1)])
    assert shaded == ["seen"]


def test_a_ball_behind_the_square_is_cut_by_it() -> None:
    ball = Sphere("ball", 110, 65, 1.2, 0.12, (0, 255, 0))  # half behind the square's right edge
    made = insert(scene(), [ball], shadows=False)
    before = scene().left
    assert np.abs(made.image[50:80, 100:107].astype(int) - before[50:80, 100:107]).max() <= 2
    assert made.image[65, 118, 1] > made.image[65, 118, 2], "green where it looks out"
    assert 0.3 < made.share["ball"] < 0.7


def test_cards_keep_their_transparency_and_place() -> None:
    picture = np.zeros((20, 20, 4), np.uint8)
    picture[:, 10:] = (255, 255, 255, 255)
    made = insert(scene(), [Card("half", 30, 30, 1.0, 20 / 160, picture)])
    assert made.image[30, 36].min() > 250
    np.testing.assert_array_equal(made.image[25:35, 18:26], scene().left[25:35, 18:26])


def test_automatic_spheres_lie_in_the_picture_and_are_seen() -> None:
    made = insert(scene(), automatic_spheres(scene()))
    assert made.drawn and not made.culled


def test_cutout_keeps_the_square_and_its_own_colours() -> None:
    s = scene()
    split = split_depth(s)
    assert SQUARE_M < split < WALL_M
    bgra = cutout(s, 0.0, split)
    alpha = bgra[:, :, 3].astype(float) / 255
    assert alpha[45:85, 65:105].min() > 0.99 and alpha[:30].max() < 0.01
    rim = (alpha > 0.1) & (alpha < 0.9)
    assert 0 < rim.sum() < 1200  # a rim of a few pixels around 200
    # The wall is blue (150), the square is not (50): no blue shines through at the rim.
    assert bgra[rim][:, 0].mean() < 90
    laid = over(bgra, np.full((H, W, 3), 255, np.uint8))
    assert laid[:30].min() > 250
    np.testing.assert_allclose(laid[45:85, 65:105], s.left[45:85, 65:105], atol=2)


def test_live_effects_give_pictures_of_the_left_one_s_size() -> None:
    for name, make in EFFECTS.items():
        image = make()(result(3, 0.2))
        assert image.shape == (H, W, 3) and image.dtype == np.uint8, name
    assert {"fog", "focus", "miniature", "anaglyph", "sbs", "wiggle", "occlude", "cutout"} <= set(EFFECTS)


def test_live_effects_are_turned_upright() -> None:
    assert LiveEffect("focus")(result(turns=1)).shape == (W, H, 3)


def test_live_choices_move_slowly_at_any_rate_and_start_afresh_after_a_jump_back() -> None:
    far = choose(scene(), EffectSettings(focus_m=WALL_M))
    near = choose(scene(), EffectSettings(focus_m=SQUARE_M))
    after: list[float] = []
    for pairs in (30, 3):  # in one second
        effect = LiveEffect("focus")
        assert effect.steady(far, 10, 0.0).focus_m == pytest.approx(WALL_M)
        first = effect.steady(near, 11, 0.033).focus_m
        assert SQUARE_M < first < WALL_M and first > 0.8 * WALL_M
        for i in range(pairs):
            after.append(effect.steady(near, 12 + i, 0.033 + (i + 1) / pairs).focus_m)
        assert after[-1] < 1.12 * SQUARE_M
        assert effect.steady(near, 2, 0.0).focus_m == pytest.approx(SQUARE_M)
    assert after[29] == pytest.approx(after[-1], rel=0.01)


def test_a_new_focus_while_paused_is_there_at_once() -> None:
    effect, fresh = LiveEffect("focus"), LiveEffect("focus")
    effect(result(seq=4, t_s=1.0), EffectSettings(focus_m=WALL_M))
    seen = effect(result(seq=4, t_s=1.0), EffectSettings(focus_m=SQUARE_M))
    np.testing.assert_array_equal(seen, fresh(result(seq=4, t_s=1.0), EffectSettings(focus_m=SQUARE_M)))
    np.testing.assert_array_equal(seen, effect(result(seq=4, t_s=1.0), EffectSettings(focus_m=SQUARE_M)))


def test_each_window_has_effects_of_its_own() -> None:
    shown = []
    for before in ((), (EffectSettings(focus_m=WALL_M),)):
        for settings in before:  # what one window saw
            EFFECTS["focus"]()(result(seq=4, t_s=1.0), settings)
        shown.append(EFFECTS["focus"]()(result(seq=5, t_s=1.01), EffectSettings(focus_m=SQUARE_M)))
    np.testing.assert_array_equal(*shown)


def test_live_effects_work_with_holes_and_with_nothing_known() -> None:
    d = np.full((H, W), np.nan, np.float32)
    for name in EFFECTS:
        assert EFFECTS[name]()(result(0, 0.0, d)).shape == (H, W, 3)


def test_sbs_keeps_both_views_for_formats_that_want_them() -> None:
    made = apply_effect("sbs", scene(), EffectSettings(shift_px=0))
    np.testing.assert_array_equal(made.views[0], view(0))
    assert made.image.shape == (H, 2 * W, 3)
    assert checkerboard(8, 6).shape == (6, 8, 3)
    assert (scene().left[SQUARE] == view(0)[SQUARE]).all()


def test_what_a_near_thing_at_the_rim_uncovers_is_not_smeared() -> None:
    # A leaf that comes steeply nearer towards the rim of the left picture: the two cameras see other parts of it.
    disparity = np.full((H, W), 8, np.float32)
    disparity[:, W - 30 :] = 24 + 1.25 * np.arange(30, dtype=np.float32)
    rng = np.random.default_rng(5)
    left, right = (rng.integers(0, 255, (H, W, 3), np.uint8) for _ in range(2))
    seen = view_between(EffectScene(left, right, disparity, np.ones((H, W), bool), RECT), 0.5, right)
    rim = seen[:, W - 8 :].astype(int)
    # A smear repeats the last pixel of the left picture along the row.
    assert np.mean(np.abs(np.diff(rim, axis=1)).max(axis=2) <= 1) < 0.02


def test_depth_that_is_likelier_wrong_is_left_out_of_photos() -> None:
    disparity = np.full((H, W), 8, np.float32)
    disparity[30:60, 20:50] = 1  # a patch of mismatches on the wall, far behind it
    doubted = np.where(disparity == 1, np.float32(0.2), np.float32(0.9))
    told = replace(result(disparity=disparity), explain=lambda r: replace(r.match, confidence=doubted))
    careful = scene_of(told)
    assert np.abs(careful.disparity_px - 8).max() < 0.5 and not careful.known[45, 35]
    assert scene_of(told, quick=True).known[45, 35]
    # Where nearly everything is doubted, nothing is left out.
    unsure = replace(told, explain=lambda r: replace(r.match, confidence=0.4 * doubted))
    assert scene_of(unsure).known.all()


def test_a_shift_that_leaves_little_of_the_picture_is_refused() -> None:
    half = scene().left.shape[1] // 2
    assert choose(scene(), EffectSettings(shift_px=-half)).shift_px == -half
    with pytest.raises(SettingsError, match="more than half"):
        choose(scene(), EffectSettings(shift_px=half + 1))


def test_a_cutout_that_cuts_nothing_tells_what_depths_there_are() -> None:
    for near_m, far_m, told in ((100.0, None, "all is transparent"), (0.0, 1e9, "nothing was cut away")):
        (note,) = apply_effect("cutout", scene(), EffectSettings(near_m=near_m, far_m=far_m)).notes
        assert told in note and f"from {SQUARE_M:.3g} to {WALL_M:.3g} m" in note and "--near" in note
    assert not apply_effect("cutout", scene(), EffectSettings(far_m=1.0)).notes


def test_a_blur_wider_than_the_picture_is_limited_to_it() -> None:
    wide = apply_effect("focus", scene(), EffectSettings(blur_px=1e6))
    assert wide.notes == (f"A blur of 1e+06 px is wider than the picture: {scene().left.shape[1] // 2} px is used.",)
    np.testing.assert_array_equal(
        wide.image, apply_effect("focus", scene(), EffectSettings(blur_px=scene().left.shape[1] // 2)).image
    )
