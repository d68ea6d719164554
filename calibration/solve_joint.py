"""The joint solve: both cameras, their relative pose, the board's shape and all poses at once, robustly.

Views whose two pictures do not show the board at one place (it moved between the exposures) are found by their
residual against that of each camera alone; they stop counting towards the relative pose, and still count towards
each camera's own lens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.bundle import RIGHT, Array, Fit, Observations, Prior, State, adjust, camera_names, residuals
from calibration.robust import Noise, corner_weights, robust_noise
from calibration.solve_start import CameraFit, gather, lens_priors, shape_priors
from calibration.views import View

Bools = NDArray[np.bool_]

BEND = ("board.bend_x", "board.bend_y", "board.twist")
STRETCH = "board.stretch"
POSE = tuple(f"{kind}.{axis}" for kind in ("rotation", "translation") for axis in "xyz")
# A view this many times noisier than the others counts by its own noise from here on.
_NOISY_VIEW = 1.4


@dataclass(frozen=True)
class Problem:
    """What is solved. seen: all corners; view index v + V is the right picture of view v where it stands apart.

    apart (V,): the two pictures of the view do not belong together. counted (V,2): pictures that count at all.
    """

    board: BoardModel
    views: tuple[View, ...]
    apart: Bools
    counted: Bools
    sizes: tuple[tuple[int, int], tuple[int, int]]

    @property
    def paired(self) -> Bools:
        """Views that count towards the relative pose (V,)."""
        has = np.array([view.both for view in self.views], dtype=bool)
        return np.asarray(has & ~self.apart & self.counted.all(axis=1))

    def observations(self) -> Observations:
        """Bring all corners into one table; pictures that do not count get weight 0."""
        seen = gather([(view.left, view.right) for view in self.views])
        weight = self.counted[seen.view, seen.side].astype(np.float64)
        total = len(self.views)
        view = np.where((seen.side == RIGHT) & self.apart[seen.view], seen.view + total, seen.view)
        order = np.argsort(view, kind="stable")
        return Observations(seen.points_px[order], seen.ids[order], view[order], seen.side[order], weight[order])

    def only(self, keep: Bools) -> Problem:
        """Give the problem with some of the views."""
        chosen = np.flatnonzero(keep)
        return dataclasses.replace(
            self, views=tuple(self.views[i] for i in chosen), apart=self.apart[keep], counted=self.counted[keep]
        )


@dataclass(frozen=True)
class Joint:
    """A joint solution of a problem. noise: of its corners; free: names that moved."""

    problem: Problem
    fit: Fit
    seen: Observations
    noise: Noise
    free: tuple[str, ...]
    fixed_intrinsics: bool = False

    @property
    def state(self) -> State:
        """Where it ended."""
        return self.fit.state

    @property
    def sigma_px(self) -> float:
        """σ of one coordinate from the weighted residuals and the degrees of freedom."""
        w = self.seen.weight
        squares = float(np.sum(w[:, None] * self.fit.residuals_px**2))
        poses = len(np.unique(self.seen.view[w > 0]))
        return float(np.sqrt(squares / max(2 * w.sum() - 6 * poses - len(self.free), 1.0)))


def start_state(problem: Problem, cameras: tuple[CameraFit, CameraFit], R: Array, t: Array, poses: Array) -> State:
    """Put the two cameras' own solutions together. poses: (V,3,4) board in the left camera's frame."""
    both = np.concatenate([poses, poses]) if problem.apart.any() else poses
    return State(
        (cameras[0].camera, cameras[1].camera),
        (cameras[0].model, cameras[1].model),
        R,
        t,
        (cameras[0].shape + cameras[1].shape) / 2,
        both[:, :, :3].copy(),
        both[:, :, 3].copy(),
    )


def fitted_poses(state: State, seen: Observations) -> State:
    """Give a state as many poses as there are views in the table: the right picture alone starts where its pair was."""
    need, have = seen.view_count, len(state.R)
    base = [v % have for v in range(need)]
    return state.with_poses(state.R[base], state.t[base])


def solve_joint(
    problem: Problem,
    start: State,
    *,
    fixed_intrinsics: bool = False,
    bend: bool = True,
    stretch: bool = False,
    rounds: int = 4,
    noise: Noise | None = None,
) -> Joint:
    """Solve everything at once from a start, weights and solution in turn."""
    board, seen = problem.board, problem.observations()
    base = seen.weight
    state = fitted_poses(start, seen)
    free = _free_names(state, fixed_intrinsics, bend, stretch)
    priors = _priors(problem, state)
    error = residuals(board, seen, state)
    if noise is None:
        # The start is rough: its residuals say nothing of single corners yet.
        fit = adjust(board, seen, state, free=free, priors=priors, noise_px=0.3, iterations=10)
        error, state = fit.residuals_px, fit.state
    for _ in range(rounds):
        noise = robust_noise(error, seen)
        weight = base * corner_weights(error, seen, noise) * view_weights(noise, seen)
        seen = dataclasses.replace(seen, weight=weight)
        fit = adjust(board, seen, state, free=free, priors=priors, noise_px=noise.sigma_px, iterations=12)
        moved = float(np.abs(fit.residuals_px - error).max(initial=0.0))
        error, state = fit.residuals_px, fit.state
        if moved < 1e-3:
            break
    assert noise is not None
    return Joint(problem, fit, seen, noise, free, fixed_intrinsics)


def view_weights(noise: Noise, seen: Observations) -> Array:
    """Let a view that is noisier than the others count by its own noise (M,)."""
    ratio = noise.view_sigma_px / noise.sigma_px / _NOISY_VIEW
    return np.asarray((1 / np.maximum(ratio, 1.0) ** 2)[seen.view, seen.side])


def _free_names(state: State, fixed: bool, bend: bool, stretch: bool) -> tuple[str, ...]:
    cameras = () if fixed else camera_names("left", state.models[0]) + camera_names("right", state.models[1])
    return cameras + POSE + (BEND if bend and not fixed else ()) + ((STRETCH,) if stretch and not fixed else ())


def _priors(problem: Problem, state: State) -> list[Prior]:
    left, right = problem.sizes
    return [
        *lens_priors("left", state.models[0], left),
        *lens_priors("right", state.models[1], right),
        *shape_priors(problem.board),
    ]


def pair_rms(joint: Joint, *, counted_only: bool = True) -> Array:
    """RMS distance of each view's corners (V,), both sides; NaN where it is not solved as a pair."""
    total = len(joint.problem.views)
    rows = (joint.seen.view < total) & ((joint.seen.weight > 0) | (not counted_only))
    squares = np.sum(joint.fit.residuals_px[rows] ** 2, axis=1)
    count = np.bincount(joint.seen.view[rows], minlength=total)[:total]
    summed = np.bincount(joint.seen.view[rows], weights=squares, minlength=total)[:total]
    return np.where(joint.problem.paired & (count > 0), np.sqrt(summed / np.maximum(count, 1)), np.nan)


def misfit_rms(joint: Joint) -> Array:
    """RMS distance (V,) that each pair has, or would have, under the solution, its pose fitted; NaN without a pair."""
    problem = joint.problem
    together = dataclasses.replace(
        problem, apart=np.zeros(len(problem.views), dtype=bool), counted=np.ones_like(problem.counted)
    )
    seen = together.observations()
    state = fitted_poses(joint.state.with_poses(*_left_poses(joint)), seen)
    error = adjust(problem.board, seen, state, free=(), iterations=10).residuals_px
    both = np.array([view.both for view in problem.views], dtype=bool)
    rms = np.full(len(both), np.nan)
    squares = np.bincount(seen.view, weights=np.sum(error**2, axis=1), minlength=len(both))
    count = np.bincount(seen.view, minlength=len(both))
    rms[both] = np.sqrt(squares[both] / np.maximum(count[both], 1))
    return rms


def _left_poses(joint: Joint) -> tuple[Array, Array]:
    total = len(joint.problem.views)
    return joint.state.R[:total], joint.state.t[:total]


def without_misfits(joint: Joint, limit: Callable[[Array], Array], least: int, solve: Callable[..., Joint]) -> Joint:
    """Set views apart whose residual is beyond a limit, the worst first, until none is or `least` pairs remain.

    limit: RMS of each pair (V,) -> largest RMS allowed (V,). solve: (problem, start) -> solution.
    """
    while True:
        rms = pair_rms(joint)
        over = np.where(np.isnan(rms), 0.0, rms / limit(rms))
        bad = np.flatnonzero(over > 1)
        spare = int(joint.problem.paired.sum()) - least
        if len(bad) == 0 or spare <= 0:
            return joint
        # The worst pull at the others: only those near the worst go at once.
        worst = bad[over[bad] >= max(1.0, 0.5 * over.max())]
        worst = worst[np.argsort(-over[worst])][:spare]
        apart = joint.problem.apart.copy()
        apart[worst] = True
        joint = solve(dataclasses.replace(joint.problem, apart=apart), _spread_poses(joint))


def _spread_poses(joint: Joint) -> State:
    """Poses for v and v + V alike, so that a view can be set apart."""
    total = len(joint.problem.views)
    state = joint.state
    index = [*range(total), *(v + total if v + total < len(state.R) else v for v in range(total))]
    return state.with_poses(state.R[index], state.t[index])
