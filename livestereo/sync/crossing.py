"""The offset from whatever moves across the epipolar lines: as with the board, but by points of the scene itself.

For a pair, the right point is moved on by its own speed to the moment of the left one's row, and the epipolar residual
(Sampson) says how far the two rays miss. Offset and relative pose are solved together; what stands still pins the pose.
The offset must be smaller than about a frame, because points are found in the pairs as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.epipolar import angles, direction, normalised, sampson
from livestereo.sync.offset import Array, Offset, SyncRefused, jackknife, t95, time_blocks
from livestereo.sync.recording import Recording

LEAST_POINTS = 300
LEAST_CROSSING_PX = 0.4  # px per frame across the epipolar lines, for a point to count as moving
LEAST_MOVING = 120
GATE = 4.0  # spreads beyond which a point was matched wrongly
ROUNDS = 15
BLOCKS = 10
ASSUMED_READOUT = 0.75  # share of the period, where it is not given
ASSUMED_FOCAL = 0.83  # share of the width, where no rig is given
MOST_UNCERTAIN = 0.09  # of the period: 3 ms at 30 pictures per second
SYSTEMATIC = 0.015  # of the period; twice that where row times are assumed, and where nothing stands still
UNEQUAL = 0.08  # standard deviation of the row times' difference, a share of them, where they are not given
ALL_MOVES = 0.7  # share of moving points from which nothing pins the pose: cameras that are carried about
FARTHEST_S = 0.018  # half a period of 30 fps and a little: farther is another pair
MOST_MISSED_PX = 0.8
GUESSED = 1.5


@dataclass(frozen=True)
class _Data:
    """Points of all pairs, normalised: left, right (n,2), velocity (n,2) per second, gap_s (n,) from the right row's
    moment to the left one's with no offset, moments (n,), shares (n,) of the left readout, pixel: its size.
    """

    left: Array
    right: Array
    velocity: Array
    gap_s: Array
    moments: Array
    shares: Array
    pixel: float

    def only(self, keep: NDArray[np.bool_]) -> _Data:
        """Some of the points."""
        return _Data(
            self.left[keep], self.right[keep], self.velocity[keep], self.gap_s[keep], self.moments[keep],
            self.shares[keep], self.pixel,
        )  # fmt: skip


def crossing_offset(
    recording: Recording, rig: StereoRig | None = None, readout_s: Sequence[float | None] = (None, None)
) -> Offset:
    """Measure by points that move across the epipolar lines.

    Raises:
        SyncRefused: too few points move so.
    """
    guessed = rig is None
    rig = rig or _assumed(recording)
    data = _data(recording, rig, readout_s)
    x = np.array([*cv2.Rodrigues(rig.R_right_left)[0].reshape(3), *angles(rig.t_right_left_m), 0.0])
    if guessed:
        x = _pose_first(data, x)
    x = _scan(data, x)
    for _ in range(ROUNDS):
        step = _Linear.at(data, x).step()
        x = x + np.clip(step, -0.02, 0.02)
        if abs(step[5]) < 1e-6 and np.abs(step[:5]).max() < 1e-6:
            break
    linear = _Linear.at(data, x)
    least = LEAST_CROSSING_PX / recording.period_s[1] * data.pixel
    moving = int(np.count_nonzero(np.abs(linear.jacobian[:, 5]) > least))
    if moving < LEAST_MOVING:
        raise SyncRefused(
            "Too little moves up and down in the pictures to compare the cameras by.",
            "Wave a hand or a book up and down before both, or use --board or a flash.",
        )
    if abs(x[5] + float(np.median(data.gap_s))) > FARTHEST_S or _unlike(linear, least, data.pixel):
        raise SyncRefused(
            "What moves does not fit together within a frame: the two sides are farther apart than that.",
            "Films: shift them together first (--shift), or use --board.",
        )
    error, used = jackknife(lambda keep: float(x[5] + linear.step(keep)[5]), time_blocks(linear.moments, BLOCKS))
    uncertainty = t95(used - 1) * error * (GUESSED if guessed else 1.0)
    period = max(recording.period_s)
    systematic = SYSTEMATIC * period * (2 if None in readout_s else 1)
    systematic *= 2 if moving > ALL_MOVES * len(linear.residuals) else 1
    uncertainty = float(np.hypot(uncertainty, systematic))
    if not uncertainty < MOST_UNCERTAIN * period:
        raise SyncRefused(
            f"What moves up and down leaves the offset uncertain by {uncertainty * 1e3:.1f} ms.",
            "Wave a hand or a book up and down, longer and faster, or use --board or a flash.",
        )
    # Row times that are assumed equal may differ a little, and that counts at the rows where things moved.
    if None in readout_s:
        share = float(np.median(linear.shares[np.abs(linear.jacobian[:, 5]) > least]))
        uncertainty = float(np.hypot(uncertainty, 2 * share * UNEQUAL * ASSUMED_READOUT * period))
    return Offset(float(x[5]), uncertainty, "motion", notes=(f"{moving} points moved across the rows.",))


def _unlike(linear: _Linear, least: float, pixel: float) -> bool:
    """What moves misses much more than what stands still: no offset explains it."""
    moves = np.abs(linear.jacobian[:, 5]) > least
    missed = [float(np.median(np.abs(linear.residuals[some]))) / pixel for some in (moves, ~moves) if some.any()]
    return missed[0] > max(MOST_MISSED_PX, 4 * missed[-1])


def _assumed(recording: Recording) -> StereoRig:
    lenses = []
    for side in (recording.left, recording.right):
        w, h = side.size_wh
        K = np.array([[ASSUMED_FOCAL * w, 0, (w - 1) / 2], [0, ASSUMED_FOCAL * w, (h - 1) / 2], [0, 0, 1]])
        lenses.append(Intrinsics(K, np.zeros(5), "pinhole", side.size_wh))
    return StereoRig(lenses[0], lenses[1], np.eye(3), np.array([-1.0, 0.0, 0.0]))


def _data(recording: Recording, rig: StereoRig, readout_s: Sequence[float | None]) -> _Data:
    left, right, velocity, gap, moments, shares = [], [], [], [], [], []
    tl, tr = recording.times_s
    R = [
        given if given is not None else ASSUMED_READOUT * period
        for given, period in zip(readout_s, recording.period_s)
    ]  # fmt: skip
    for found in recording.points:
        k = found.index
        if k == 0 or k + 1 >= len(tr) or tr[k + 1] - tr[k - 1] > 3.2 * recording.period_s[1]:
            continue
        a, b = normalised(found.left, rig.left), normalised(found.right, rig.right)
        ahead = normalised(found.right + found.velocity, rig.right)
        left.append(a)
        right.append(b)
        velocity.append((ahead - b) / ((tr[k + 1] - tr[k - 1]) / 2))
        shares.append(recording.left.row_share(found.left))
        rows = shares[-1] * R[0] - recording.right.row_share(found.right) * R[1]
        gap.append(tl[k] - tr[k] + rows)
        moments.append(np.full(len(a), tl[k]))
    if sum(map(len, left)) < LEAST_POINTS:
        raise SyncRefused(
            "Too little moves in the pictures to compare the cameras by motion.",
            "Wave a hand or a book up and down before both, or use --board or a flash.",
        )
    pixel = 1 / float(np.sqrt(rig.left.focal_px * rig.right.focal_px))
    return _Data(
        np.concatenate(left), np.concatenate(right), np.concatenate(velocity), np.concatenate(gap),
        np.concatenate(moments), np.concatenate(shares), pixel,
    )  # fmt: skip


def _residuals(data: _Data, x: Array) -> Array:
    rotation = np.asarray(cv2.Rodrigues(x[:3].reshape(3, 1))[0], np.float64)
    right = data.right + data.velocity * (data.gap_s + x[5])[:, None]
    return sampson(rotation, direction(x[3], x[4]), data.left, right)


def _pose_first(data: _Data, x: Array) -> Array:
    """A pose from the points that stand still, where only lenses were assumed."""
    still = np.linalg.norm(data.velocity, axis=1) < np.percentile(np.linalg.norm(data.velocity, axis=1), 40)
    few = data.only(still)
    for _ in range(ROUNDS):
        step = _Linear.at(few, x).step()
        step[5] = 0.0
        x = x + np.clip(step, -0.05, 0.05)
    return x


def _scan(data: _Data, x: Array) -> Array:
    """The offset on a coarse grid at which moving points miss least."""
    fast = np.abs(data.velocity[:, 1]) > np.percentile(np.abs(data.velocity[:, 1]), 60)
    few = data.only(fast)
    centre = -float(np.median(data.gap_s))
    best = x
    lowest = np.inf
    for shift in centre + np.arange(-0.02, 0.0201, 0.001):
        tried = x.copy()
        tried[5] = shift
        r = _residuals(few, tried)
        cost = float(np.mean(np.minimum(np.abs(r - np.median(r)), 4 * data.pixel)))
        if cost < lowest:
            best, lowest = tried, cost
    return best


@dataclass(frozen=True)
class _Linear:
    """J · step = −r with robust weights, of the points that were matched rightly."""

    jacobian: Array
    residuals: Array
    weights: Array
    moments: Array
    shares: Array

    @classmethod
    def at(cls, data: _Data, x: Array) -> _Linear:
        """Linearise about x (ω (3), direction (2), offset)."""
        r = _residuals(data, x)
        jacobian = np.empty((len(r), 6))
        for at, small in enumerate([1e-5] * 5 + [1e-4]):
            moved = x.copy()
            moved[at] += small
            jacobian[:, at] = (_residuals(data, moved) - r) / small
        spread = max(1.4826 * float(np.median(np.abs(r))), 0.1 * data.pixel)
        good = np.isfinite(r) & np.isfinite(jacobian).all(axis=1) & (np.abs(r) < max(GATE * spread, 2 * data.pixel))
        size = np.maximum(np.abs(r[good]), 1e-15)
        return cls(jacobian[good], r[good], np.minimum(1.0, 1.5 * spread / size), data.moments[good], data.shares[good])

    def step(self, keep: NDArray[np.bool_] | None = None) -> Array:
        """Least-squares step (6,)."""
        J, r, w = self.jacobian, self.residuals, self.weights
        if keep is not None:
            J, r, w = J[keep], r[keep], w[keep]
        normal = (J * w[:, None]).T @ J
        # What the points do not show (the direction of a baseline, say) stays as it is.
        normal += np.diag(1e-6 * np.maximum(np.diag(normal), 1e-12))
        return -np.asarray(np.linalg.lstsq(normal, (J * w[:, None]).T @ r, rcond=1e-12)[0])
