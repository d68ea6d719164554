"""Two films of a board: how far they are apart is found, and the corners between the pictures are right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic.board_films import NOISE_PX, make_film, pose_at

from calibration.projection import camera_vector, project
from livestereo.sync.lag import Film, FilmSide, film_lag, nearest, right_at
from livestereo.sync.offset import Offset, SyncRefused


@pytest.mark.parametrize(("lag_s", "fps"), [(0.0, (15, 15)), (-0.05, (30, 30)), (0.3, (15, 12)), (-3.2, (15, 15))])
def test_the_lag_is_found(lag_s: float, fps: tuple[float, float]) -> None:
    scene, film = make_film(2, lag_s=lag_s, fps=fps)
    lag = film_lag(film, scene.board.object_points(), (scene.rig.left, scene.rig.right))
    assert lag.shift_s == pytest.approx(lag_s, abs=0.0015)
    assert lag.uncertainty_s < 0.003


def test_corners_between_the_pictures_are_where_the_board_was() -> None:
    lag_s = 0.021
    scene, film = make_film(2, lag_s=lag_s)
    rig = scene.rig
    points = scene.board.object_points()
    off = []
    for t_s, found in zip(film.left.times_s, right_at(film, Offset(lag_s, 0.0, "board"))):
        if found is None:
            continue
        R, t = pose_at(scene, float(t_s))
        in_right = (points @ R.T + t) @ rig.R_right_left.T + rig.t_right_left_m
        truth = project(in_right, camera_vector(rig.right), "pinhole")
        off.append(np.sqrt(np.mean(np.sum((found.points_px - truth[found.ids]) ** 2, axis=1))))
    # Between two noisy pictures the noise is less than in one; where a hand starts and stops the cubic misses a little.
    assert len(off) > 0.9 * len(film.left.times_s)
    assert np.median(off) < 1.5 * NOISE_PX and np.percentile(off, 95) < 1.0


def test_the_nearest_picture_is_given() -> None:
    _, film = make_film(2, lag_s=0.0, fps=(15, 12))
    for t_s, k in zip(film.left.times_s, nearest(film, 0.1)):
        assert abs(film.right.times_s[k] - t_s - 0.1) == np.abs(film.right.times_s - t_s - 0.1).min()


def test_a_board_at_rest_tells_nothing() -> None:
    scene, film = make_film(2)
    rests = Film(*(FilmSide(side.times_s, (side.found[0],) * len(side.found)) for side in (film.left, film.right)))
    with pytest.raises(SyncRefused):
        film_lag(rests, scene.board.object_points(), (scene.rig.left, scene.rig.right))


def test_looks_far_apart_or_few_are_refused() -> None:
    scene, film = make_film(2, fps=(4, 4))
    lenses = scene.rig.left, scene.rig.right
    with pytest.raises(SyncRefused, match="too far apart"):
        film_lag(film, scene.board.object_points(), lenses)
    few = dataclasses.replace(
        film, left=FilmSide(film.left.times_s, (*film.left.found[:10], *(None,) * (len(film.left.found) - 10)))
    )
    with pytest.raises(SyncRefused, match="too seldom"):
        film_lag(few, scene.board.object_points(), lenses)
