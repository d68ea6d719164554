"""The board's print: is it longer one way than the other? Only views with the board turned by 90° can tell.

With the board always upright, a stretched print looks like a camera whose pixels are not square.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from calibration.bundle import Array, State, point_offsets
from calibration.solution import BoardShape
from calibration.solve_joint import STRETCH, Bools, Joint, Problem, solve_joint
from calibration.solve_start import turned_views
from calibration.uncertainty import covariance_of
from calibration.views import same_places

# A print's stretch is told only where it is known better than this (σ), and used where it is beyond three σ.
RESOLVED_SIGMA = 0.0005
USED_BEYOND_SIGMA = 3.0
# σ of a printed point against its grid, and of paper's height beyond a simple bend, per length of the board.
WARP_PRINT = 0.0005
WARP_HEIGHT = 0.0015


def tells_stretch(R: Array) -> bool:
    """Whether board poses (V,3,3) are turned enough against one another to tell a stretched print."""
    return turned_views(R) > 0


def with_settled_stretch(joint: Joint, *, bend: bool = True) -> Joint:
    """Keep the print's stretch, which is free in `joint`, where the views resolve it and it is there; otherwise solve
    without it."""
    sigma = stretch_sigma(joint)
    if sigma < RESOLVED_SIGMA and abs(joint.state.shape[3]) > USED_BEYOND_SIGMA * sigma:
        return joint
    return solve_joint(joint.problem, without_stretch(joint.state), bend=bend, noise=joint.noise)


def without_stretch(state: State) -> State:
    """Give a state with the print as it should be."""
    shape = state.shape.copy()
    shape[3] = 0.0
    return dataclasses.replace(state, shape=shape)


def with_warp(joint: Joint, *, rounds: int = 3) -> Joint:
    """Let each point of the board lie where the pictures put it, within what prints and paper do.

    Points and the rest are solved in turn: what is left of the points once pose, stretch and bend are taken out hardly
    bears on the rest, so that few rounds do.
    """
    size = float(np.max(joint.problem.board.extent))
    sigma = np.array([WARP_PRINT, WARP_PRINT, WARP_HEIGHT]) * size
    for _ in range(rounds):
        board = joint.problem.board
        offsets = point_offsets(board, joint.seen, joint.state, joint.noise.sigma_px, sigma)
        problem = dataclasses.replace(joint.problem, board=board.with_warp(offsets))
        joint = solve_joint(
            problem, joint.state, stretch=STRETCH in joint.free, rounds=2, noise=joint.noise,
            fixed_intrinsics=joint.fixed_intrinsics,
        )  # fmt: skip
    return joint


def with_warp_again(like: Joint, problem: Problem, start: State) -> Joint:
    """Solve a problem whose board has a warp already, with the same unknowns as `like`, and settle the warp."""
    return with_warp(solve_joint(problem, start, stretch=STRETCH in like.free), rounds=1)


def stretch_sigma(joint: Joint) -> float:
    """Standard deviation of the stretch in a solution that has it free."""
    covariance = covariance_of(joint.fit, joint.state, joint.sigma_px, paired_rows(joint), place_rows(joint))
    return covariance.sigma(STRETCH)


def paired_rows(joint: Joint) -> Bools:
    """Rows of `fit.terms` that say something (V or 2V,)."""
    weight = np.bincount(joint.seen.view, weights=joint.seen.weight, minlength=joint.seen.view_count)
    return np.asarray(weight > 0)


def place_rows(joint: Joint) -> NDArray[np.intp]:
    """Numbers of the places at which the rows of `fit.terms` show the board (V or 2V,); see `same_places`."""
    own = same_places(joint.problem.views)
    # Each camera's own pose of a view that is no pair has a row behind those of all views.
    return np.concatenate([own, own + len(own)])[: joint.seen.view_count]


def shape_of(joint: Joint, covariance_sigma: dict[str, float]) -> BoardShape:
    """Give the board's shape with its uncertainty."""
    shape = joint.state.shape
    known = STRETCH in joint.free
    bends = [covariance_sigma.get(f"board.{name}", float("nan")) for name in ("bend_x", "bend_y", "twist")]
    return BoardShape(
        float(shape[0]), float(shape[1]), float(shape[2]), joint.problem.board.sagitta(shape),
        float(shape[3]) if known else (0.0 if _resolved(joint) else None),
        float(np.sqrt(np.mean(np.square(bends)))), covariance_sigma.get(STRETCH, float("nan")),
    )  # fmt: skip


def _resolved(joint: Joint) -> bool:
    """Whether views are turned enough that a stretch would have been seen."""
    paired = joint.problem.paired
    return tells_stretch(joint.state.R[: len(paired)][paired])
