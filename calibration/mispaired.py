"""Pairs that do not fit the others: was a picture put to the wrong partner, or a camera moved on the way?

Each camera alone knows where the board was in each of its own pictures. If a left picture fits the right picture of
another pair, the two were mixed up; if the first pairs agree on one rig and the later ones on another, a camera was
moved or zoomed between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.bundle import Array
from calibration.solve_start import disagreement, mean_rotation, relative_pose

# So many pairs further on a partner is looked for.
_MOST_OFF = 5
# Two pictures belong together that agree with the rig to this, radians; the share of them that tells.
_FITS, _MOST = 0.05, 0.7
_LEAST_PAIRS = 4
# Both parts of a set agree within themselves so much better than with each other.
_APART, _LEAST_STEP = 4.0, 0.004


@dataclass(frozen=True)
class Poses:
    """Of one camera alone: R (n,3,3), t (n,3) of the board, by the number of the pair, view_of (n,)."""

    view_of: NDArray[np.intp]
    R: Array
    t: Array

    def of(self, views: Sequence[int]) -> tuple[Array, Array]:
        """Give those of some pairs."""
        rows = np.searchsorted(self.view_of, views)
        return self.R[rows], self.t[rows]


def shift_of_all(middle: Array, left: Poses, right: Poses, *, both_orders: bool) -> int:
    """Give by how many pairs the right pictures are late against the left ones, where another pairing makes (nearly)
    all agree; 0 where none does. middle (3,): centre of the board."""
    best = (0.0, 0)
    for shift in sorted(range(-_MOST_OFF, _MOST_OFF + 1), key=abs):
        pairs = sorted(set(left.view_of.tolist()) & {int(v) - shift for v in right.view_of})
        if shift == 0 or len(pairs) < _LEAST_PAIRS:
            continue
        found = relative_pose(middle, *left.of(pairs), *right.of([v + shift for v in pairs]), both_orders=both_orders)
        share = float(found.agree.mean())
        if share > best[0]:
            best = share, shift
    return best[1] if best[0] >= _MOST else 0


def true_partners(
    middle: Array, left: Poses, right: Poses, R: Array, t: Array, strays: Sequence[int]
) -> dict[int, int]:
    """Give, for pairs that do not fit the rig R, t, whose right picture fits the left one. middle (3,): as above; a
    wrong partner may have had its corners numbered from the other end."""
    found = {}
    turn = np.diag([-1.0, -1.0, 1.0])
    for v in strays:
        near = [w for w in range(v - _MOST_OFF, v + _MOST_OFF + 1) if w != v and w in right.view_of]
        if v not in left.view_of or not near:
            continue
        (Rl, tl), (Rr, tr) = left.of([v]), right.of(near)
        Rl, tl = np.broadcast_to(Rl, Rr.shape), np.broadcast_to(tl, tr.shape)
        turned = Rr @ turn, tr + Rr @ (middle - turn @ middle)
        off = np.minimum(_off(Rl, tl, Rr, tr, R, t), _off(Rl, tl, *turned, R, t))
        if off.min() < _FITS:
            found[v] = near[int(off.argmin())]
    return found


def broken_after(left: Poses, right: Poses, pairs: Sequence[int]) -> int | None:
    """Give the pair after which the cameras stand otherwise to each other; None where they never do."""
    if len(pairs) < 2 * _LEAST_PAIRS:
        return None
    (Rl, tl), (Rr, tr) = left.of(pairs), right.of(pairs)
    R = Rr @ Rl.transpose(0, 2, 1)
    t = tr - np.einsum("vij,vj->vi", R, tl)
    distance = float(np.median(np.linalg.norm(tl, axis=1)))

    def spread(part: slice) -> tuple[Array, Array, Array]:
        own = mean_rotation(R[part]), np.median(t[part], axis=0)
        return *own, disagreement(R[part][:, None], t[part][:, None], *own, distance)[:, 0]

    best: tuple[float, int, float, float] | None = None
    for k in range(_LEAST_PAIRS, len(pairs) - _LEAST_PAIRS + 1):
        first, second = spread(slice(0, k)), spread(slice(k, None))
        off = np.concatenate([first[2], second[2]])
        # One pair that fits nothing must not decide where the break is.
        within = float(np.mean(np.minimum(off, 5 * np.median(off))))
        worst = float(np.percentile(off, 80))
        step = float(disagreement(second[0][None, None], second[1][None, None], first[0], first[1], distance)[0, 0])
        if best is None or within < best[0]:
            best = within, k, worst, step
    assert best is not None
    _, k, worst, step = best
    return pairs[k - 1] if step > max(_APART * worst, _LEAST_STEP) else None


def _off(Rl: Array, tl: Array, Rr: Array, tr: Array, R: Array, t: Array) -> Array:
    own = Rr @ Rl.transpose(0, 2, 1)
    shift = tr - np.einsum("vij,vj->vi", own, tl)
    return disagreement(own[:, None], shift[:, None], R, t, float(np.median(np.linalg.norm(tl, axis=1))))[:, 0]
