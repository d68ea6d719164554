"""Lenses, relative pose and a first offset from the board's views alone, where no calibration is given."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.offset import Array, SyncRefused, hermite
from livestereo.sync.recording import Recording, SideTrack

VIEWS = 24
LEAST_CORNERS = 8
SEARCH_S = 0.3


@dataclass(frozen=True)
class _Poses:
    """The board as one camera saw it: times (n,), rotation vectors and translations (n,6)."""

    times: Array
    poses: Array


def rig_from_views(recording: Recording, object_points: Array) -> tuple[StereoRig, float]:
    """(rig, shift in seconds): good enough to start from; lengths are in the board's unit.

    Raises:
        SyncRefused: the views do not carry it.
    """
    lenses = [_lens(track, object_points) for track in (recording.left, recording.right)]
    left, right = (
        _poses(track, times, lens, object_points)
        for track, times, lens in zip((recording.left, recording.right), recording.times_s, lenses)
    )
    step = max(recording.period_s) / 4
    best: tuple[float, float, Array, Array] | None = None
    for shift in np.arange(-SEARCH_S, SEARCH_S + step, step):
        others = hermite(right.times, right.poses, left.times + shift)
        good = np.isfinite(others).all(axis=1)
        if np.count_nonzero(good) < max(10, 0.3 * len(others)):
            continue
        turns, moves = _relative(left.poses[good], others[good])
        cost = float(np.median(np.linalg.norm(moves - np.median(moves, axis=0), axis=1)))
        if best is None or cost < best[0]:
            best = cost, float(shift), np.median(turns, axis=0), np.median(moves, axis=0)
    if best is None:
        raise SyncRefused(
            "The board was not seen by both cameras for long enough at a time.", "Keep all of it in both pictures."
        )
    _, shift, turn, move = best
    return StereoRig(lenses[0], lenses[1], np.asarray(cv2.Rodrigues(turn)[0], np.float64), move), shift


def _lens(track: SideTrack, object_points: Array) -> Intrinsics:
    """Focal length and one distortion term from some views in different places."""
    seen = [c for c in track.corners if c is not None and len(c.ids) >= LEAST_CORNERS]
    if len(seen) < LEAST_CORNERS:
        raise SyncRefused("The board was seen too seldom.", "Keep all of it in both pictures.")
    centres = np.array([c.points_px.mean(axis=0) for c in seen])
    chosen = [0]
    distance = np.linalg.norm(centres - centres[0], axis=1)
    while len(chosen) < min(VIEWS, len(seen)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(centres - centres[chosen[-1]], axis=1))
    width, height = track.size_wh
    focal = 0.9 * width
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    flags = (
        cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_ASPECT_RATIO | cv2.CALIB_ZERO_TANGENT_DIST
        | cv2.CALIB_FIX_PRINCIPAL_POINT | cv2.CALIB_FIX_K2 | cv2.CALIB_FIX_K3
    )  # fmt: skip
    _, K, distortion, _, _ = cv2.calibrateCamera(
        [object_points[seen[at].ids].astype(np.float32) for at in chosen],
        [seen[at].points_px.astype(np.float32).reshape(-1, 1, 2) for at in chosen],
        (width, height), K, np.zeros(5), flags=flags,
    )  # fmt: skip
    return Intrinsics(
        np.asarray(K, np.float64), np.asarray(distortion, np.float64).reshape(-1)[:5], "pinhole", track.size_wh
    )


def _poses(track: SideTrack, times: Array, lens: Intrinsics, object_points: Array) -> _Poses:
    kept, poses = [], []
    for t_s, corners in zip(times, track.corners):
        if corners is None or len(corners.ids) < LEAST_CORNERS:
            continue
        found, turn, move = cv2.solvePnP(
            object_points[corners.ids], corners.points_px.astype(np.float64), lens.K, lens.distortion,
            flags=cv2.SOLVEPNP_IPPE,
        )  # fmt: skip
        if found:
            kept.append(t_s)
            poses.append(np.concatenate([turn.reshape(3), move.reshape(3)]))
    return _Poses(np.asarray(kept), np.asarray(poses).reshape(-1, 6))


def _relative(left: Array, right: Array) -> tuple[Array, Array]:
    """Rotation vectors and translations (n,3) from the left camera to the right one, one for each view."""
    turns, moves = [], []
    for a, b in zip(left, right):
        R = cv2.Rodrigues(b[:3])[0] @ cv2.Rodrigues(a[:3])[0].T
        turns.append(cv2.Rodrigues(R)[0].reshape(3))
        moves.append(b[3:] - R @ a[3:])
    return np.asarray(turns), np.asarray(moves)
