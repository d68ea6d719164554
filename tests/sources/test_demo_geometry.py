"""The demo's rendering: rays, shapes and lenses are exact, and pictures agree with the truth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from livestereo.sources.demo.lens import Grid, make_rig, pixel_grid, project, turned
from livestereo.sources.demo.render import Painter, average, cast, reflect
from livestereo.sources.demo.shapes import Cone, Look, Quad, Ribbon, Sphere, place, turn_xyz

GREY = Look(np.full((4, 4, 3), 128, np.uint8))


def rays(*points: tuple[float, float]) -> Grid:
    return Grid(np.array([[p[0] for p in points]], np.float32), np.array([[p[1] for p in points]], np.float32))


def test_rays_undo_the_lens() -> None:
    rig = make_rig(3, (320, 240))
    for camera in (rig.left, rig.right):
        grid = pixel_grid(camera)
        u, v = project(camera, grid.x, grid.y)
        column, row = np.meshgrid(np.arange(320), np.arange(240))
        # float32 rays at a focal length of 276 px: 1e-4 px is what their rounding leaves
        assert np.abs(u - column).max() < 2e-4
        assert np.abs(v - row).max() < 2e-4


def test_rays_between_pixels_are_exact_to_a_thousandth() -> None:
    camera = make_rig(0, (160, 120)).left
    fine = pixel_grid(camera, 3)
    u, v = project(camera, fine.x, fine.y)
    column = (np.arange(480) + 0.5) / 3 - 0.5
    assert np.abs(u - column[None]).max() < 1e-3
    assert np.abs(v - ((np.arange(360) + 0.5) / 3 - 0.5)[:, None]).max() < 1e-3


def test_quad_is_met_where_it_is() -> None:
    quad = Quad(np.array([-1.0, -1, 2]), np.array([2.0, 0, 1]), np.array([0.0, 2, 0]), GREY)
    grid = rays((0.0, 0.0), (0.2, 0.1), (3.0, 0.0))
    seen = cast(place([quad], np.eye(3), np.zeros(3)), grid)
    # the plane z = 2.5 + x/2: at (0,0) z is 2.5; at x = 0.2 z, z = 2.5 + 0.1 z
    assert seen.q[0, 0] == pytest.approx(1 / 2.5, rel=1e-6)
    assert seen.q[0, 1] == pytest.approx(1 / (2.5 / 0.9), rel=1e-6)
    assert seen.q[0, 2] == 0
    assert seen.index[0].tolist() == [0, 0, -1]


def test_the_nearest_shape_wins_whatever_the_order() -> None:
    near = Quad(np.array([-1.0, -1, 1]), np.array([2.0, 0, 0]), np.array([0.0, 2, 0]), GREY)
    far = Quad(np.array([-2.0, -2, 3]), np.array([4.0, 0, 0]), np.array([0.0, 4, 0]), GREY)
    for order in ([near, far], [far, near]):
        seen = cast(place(order, np.eye(3), np.zeros(3)), rays((0.1, 0.1)))
        assert seen.q[0, 0] == pytest.approx(1.0)


def test_sphere_and_cone_lie_on_their_surfaces() -> None:
    ball = Sphere(0.5, GREY, centre=np.array([0.2, 0.1, 3.0]))
    cone = Cone(0.4, 0.2, 1.0, GREY, base=np.array([0.1, 0.6, 2.0]))
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 61, dtype=np.float32), np.linspace(-0.3, 0.3, 61, dtype=np.float32))
    R = turn_xyz(9, -14, 5)
    for shape in (ball, cone):
        placed = shape.at(R[None], np.array([[0.05, -0.02, 0.3]]))
        seen = cast([placed], Grid(x, y))
        hit = seen.q > 0
        assert hit.sum() > 100
        point = np.stack([x, y, np.ones_like(x)], -1)[hit] / seen.q[hit][:, None]
        own = (point - np.array([0.05, -0.02, 0.3])) @ R
        if shape is ball:
            assert np.allclose(np.linalg.norm(own - ball.centre, axis=1), 0.5, atol=1e-5)
        else:
            up = 0.6 - own[:, 1]
            assert (up > -1e-5).all()
            assert (up < 1 + 1e-5).all()
            assert np.allclose(np.hypot(own[:, 0] - 0.1, own[:, 2] - 2.0), 0.4 - 0.2 * up, atol=1e-5)


def test_bounds_hold_every_hit() -> None:
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.linspace(-1, 1, 81, dtype=np.float32), np.linspace(-1, 1, 81, dtype=np.float32))
    for _ in range(20):
        R, p = turn_xyz(*rng.uniform(-180, 180, 3)), rng.uniform((-0.5, -0.5, 1.2), (0.5, 0.5, 3))
        for shape in (
            Sphere(0.3, GREY), Cone(0.3, 0.1, 0.5, GREY), Ribbon(np.zeros(3), np.array([0.5, 0.2, 0.1]), 0.02, GREY),
            Quad(np.array([-0.3, -0.2, 0.0]), np.array([0.6, 0, 0.1]), np.array([0, 0.4, 0.0]), GREY),
        ):  # fmt: skip
            placed = shape.at(R[None], p[None])
            mask = placed.hit(x, y).mask
            box = placed.box
            assert box is not None
            assert (x[mask] >= box[0] - 1e-5).all()
            assert (x[mask] <= box[2] + 1e-5).all()
            assert (y[mask] >= box[1] - 1e-5).all()
            assert (y[mask] <= box[3] + 1e-5).all()


def test_a_pixel_is_the_mean_of_the_light_in_it() -> None:
    checker = np.kron(np.indices((16, 16)).sum(0) % 2, np.ones((2, 2))).astype(np.uint8)[..., None] * np.uint8(
        [[[255] * 3]]
    )
    quad = Quad(np.array([-2.0, -2, 1]), np.array([4.0, 0, 0]), np.array([0.0, 4, 0]), Look(checker))
    axis = np.linspace(-1.9, 1.9, 24, dtype=np.float32)  # far coarser than the squares: must come out grey
    x, y = np.meshgrid(axis, axis)
    seen = cast(place([quad], np.eye(3), np.zeros(3)), Grid(x, y), Painter(np.eye(3)))
    assert seen.colour is not None
    # Shrinking happens before squaring, so half black and half white is a quarter of the light.
    assert abs(float(average(seen.colour, 3).mean()) - 0.25) < 0.03
    assert average(seen.colour, 3).std() < 0.06


def test_what_a_mirror_shows_stands_behind_it() -> None:
    mirror = Quad(np.array([-1.0, -1, 2]), np.array([2.0, 0, 0]), np.array([0.0, 2, 0]), GREY)
    thing = Quad(np.array([0.3, 0.2, -1]), np.array([0.1, 0, 0]), np.array([0, 0.1, 0]), GREY)
    assert np.allclose(reflect(thing, mirror).corner, [0.3, 0.2, 5.0])


def test_rig_is_the_same_for_all_scenes_and_differs_by_seed() -> None:
    first, again, other = make_rig(0, (640, 480)), make_rig(0, (640, 480)), make_rig(1, (640, 480))
    assert np.array_equal(first.left.K, again.left.K)
    assert np.array_equal(first.R_right_left, again.R_right_left)
    assert not np.array_equal(first.left.K, other.left.K)
    assert 0.098 < first.baseline_m < 0.102
    assert first.left.focal_px != first.right.focal_px
    toe_in, _ = cv2.Rodrigues(first.R_right_left)
    assert 0.5 < np.degrees(np.linalg.norm(toe_in)) < 3


def test_a_bump_turns_the_right_camera_where_it_stands() -> None:
    rig = make_rig(0, (640, 480))
    bumped = turned(rig, 0.3)
    turn, _ = cv2.Rodrigues(bumped.R_right_left @ rig.R_right_left.T)
    assert np.degrees(np.linalg.norm(turn)) == pytest.approx(0.3, abs=1e-6)
    centre = -rig.R_right_left.T @ rig.t_right_left_m
    assert np.allclose(-bumped.R_right_left.T @ bumped.t_right_left_m, centre)
