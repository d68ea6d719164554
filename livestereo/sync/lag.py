"""How far two films of a board are apart in time, and what the right camera saw when the left one did.

Films that were not started together, or whose cameras do not fire together, show a moving board at two places. Where
each camera's lens is known from its own views, every film alone gives the board's path; the lag is where the two paths
become one rigid rig. It is searched over seconds, then measured as `sync --board` does.

    lag = film_lag(film, object_points, lenses)        # Offset, or raises SyncRefused
    found = right_at(film, lag)                        # the right corners at the moment of each left picture
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from calibration.detection import Detection
from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.board import board_offset
from livestereo.sync.offset import Array, Offset, SyncRefused, hermite
from livestereo.sync.paths import LEAST_CORNERS, LEAST_LOOKS, best_shift, path_of, reach_of
from livestereo.sync.recording import Recording, SideTrack

# A path is read between looks no further apart than this: a hand changes its mind in less than half a second.
MOST_STEP_S = 0.12


@dataclass(frozen=True)
class FilmSide:
    """One film: times_s (n,), rising, of its looks at the board, and what was found in each, or None."""

    times_s: Array
    found: tuple[Detection | None, ...]


@dataclass(frozen=True)
class Film:
    """Both films, look by look. Corners bear the ids of the board."""

    left: FilmSide
    right: FilmSide

    @property
    def step_s(self) -> float:
        """Usual time from look to look, the longer one of both."""
        return max(float(np.median(np.diff(side.times_s))) for side in (self.left, self.right))


def film_lag(film: Film, object_points: Array, lenses: tuple[Intrinsics, Intrinsics]) -> Offset:
    """Measure the lag. object_points: (C,3) by id. lenses: of each camera, from its own views.

    Raises:
        SyncRefused: too few looks, looks too far apart, or motion that does not tell.
    """
    sides = film.left, film.right
    if min(sum(one is not None for one in side.found) for side in sides) < LEAST_LOOKS:
        raise SyncRefused("The board was seen too seldom.", "Keep all of it in both pictures.")
    if film.step_s > MOST_STEP_S:
        raise SyncRefused("The pictures are too far apart in time to follow the board.", "Take shorter films.")
    left, right = (path_of(side.times_s, side.found, object_points, lens) for side, lens in zip(sides, lenses))
    coarse = best_shift(left, right, reach_of(left), film.step_s / 4)
    rig = StereoRig(lenses[0], lenses[1], coarse.R, coarse.t)
    fine = board_offset(recording_of(film, coarse.shift_s), object_points, rig)
    return dataclasses.replace(fine, shift_s=fine.shift_s + coarse.shift_s)


def right_at(film: Film, lag: Offset) -> list[Detection | None]:
    """Give what the right camera saw at each left look, between its own looks; None where that is not known.

    Each corner at the moment when the left camera read its row: what is unsure of the readouts is unsure of the lag
    too, and both together are sure.
    """
    side = film.right
    template = next((one for one in side.found if one is not None), None)
    if template is None:
        return [None] * len(film.left.found)
    own, right = _places(film.left), _places(side)
    count = min(own.shape[1], right.shape[1])
    readout = lag.readout_s or (0.0, 0.0)
    heights = [next(one.size_wh[1] for one in s.found if one is not None) for s in (film.left, side)]
    shares_left = own[:, :count, 1] / heights[0]
    shares_right = right[nearest(film, lag.shift_s), :count, 1] / heights[1]
    later = np.nan_to_num(shares_left * readout[0] - shares_right * readout[1])
    at = (film.left.times_s + lag.shift_s)[:, None] + later
    between = np.stack([hermite(side.times_s, right[:, c], at[:, c]) for c in range(count)], axis=1)
    answer: list[Detection | None] = []
    for points in between:
        ids = np.flatnonzero(np.isfinite(points).all(axis=1)).astype(np.int32)
        known = len(ids) >= LEAST_CORNERS
        points_px = points[ids].astype(np.float32)
        answer.append(dataclasses.replace(template, points_px=points_px, ids=ids) if known else None)
    return answer


def nearest(film: Film, shift_s: float) -> list[int]:
    """Give the right look nearest in time to each left one."""
    wanted = film.left.times_s + shift_s
    after = np.clip(np.searchsorted(film.right.times_s, wanted), 1, len(film.right.times_s) - 1)
    before_is_nearer = wanted - film.right.times_s[after - 1] < film.right.times_s[after] - wanted
    return [int(k) for k in after - before_is_nearer]


def _places(side: FilmSide) -> Array:
    """Where each corner was in each look, (n,C,2) px, NaN where it was not found."""
    count = 1 + max((int(one.ids.max()) for one in side.found if one is not None and len(one)), default=0)
    places = np.full((len(side.found), count, 2), np.nan)
    for row, one in zip(places, side.found):
        if one is not None:
            row[one.ids] = one.points_px
    return places


def recording_of(film: Film, shift_s: float) -> Recording:
    """The films as `board_offset` takes them, the right one earlier by `shift_s`."""
    tracks, periods = [], []
    for side in (film.left, film.right):
        size = next(one.size_wh for one in side.found if one is not None)
        tracks.append(SideTrack("none", corners=list(side.found), size_wh=size))
        periods.append(float(np.median(np.diff(side.times_s))))
    times = film.left.times_s, film.right.times_s - shift_s
    return Recording(tracks[0], tracks[1], times, (periods[0], periods[1]), (0.0, 0.0), 0.0, 0.0, 0.0)
