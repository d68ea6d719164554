"""From views to a rig: `solve(views, board) -> Solution`.

    solution = solve(views, parse_board("chessboard:9x6:25mm"))
    solution.rig.baseline_m, solution.report.verdict, solution.report.reasons

Each camera alone first, then how they stand to each other, then everything at once; what does not fit is left out
and named. Cameras that were given in the wrong order, upside down or mirrored are found and put right. Cameras that
do not fire together are found by the residual of pairs against that of each camera alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from calibration.arrange import Arranged, arrange
from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.bundle import Array
from calibration.errors import CalibrationError
from calibration.figures import assemble
from calibration.rig import LensModel
from calibration.shape import tells_stretch, with_settled_stretch, with_warp, with_warp_again, without_stretch
from calibration.solution import Solution, ViewReport
from calibration.solve_joint import Joint, Problem, solve_joint, start_state, without_misfits
from calibration.solve_lens import choose_lens
from calibration.verdict import SYNC_DOUBT, SYNC_LOST
from calibration.views import View, different_poses, without_copies

Progress = Callable[[str, int, int], None]

# Fewer pairs than this cannot be solved: each has six unknowns of its own and the rig has two dozen.
MIN_PAIRS = 4
# A plane seen from fewer places than this fixes no lens.
MIN_POSES = 3
# Corners nearer than this in the two pictures: it is one picture, given twice.
SAME_PLACE_PX = 0.5
# A pair that fits this well is never left out, however much better the others fit: small boards are seen less exactly.
NEVER_A_MISFIT_PX = 0.12


@dataclass(frozen=True)
class SolveOptions:
    """How to solve. lens: None lets held-out views choose. bend: the board need not be flat. heldout: compute the
    held-out error, which repeats the solve five times. depths_m: distances to predict the depth error at."""

    lens: LensModel | None = None
    bend: bool = True
    stretch: bool = True
    heldout: bool = True
    depths_m: tuple[float, ...] = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Solved:
    """A joint solution and what led to it, before it is judged."""

    arranged: Arranged
    joint: Joint
    mono_rms: Array
    sync_ratio: float
    lens_choice: dict[str, object] = field(default_factory=dict)


def solve(
    views: Sequence[View], board: Board, options: SolveOptions | None = None, progress: Progress | None = None
) -> Solution:
    """Solve a rig from views and say how far to trust it; views in which neither camera saw the board are passed over.

    progress: called with (what, done, total).

    Raises:
        CalibrationError: too few views, sizes that differ within a side, or views on which no rig can be built.
    """
    options = options or SolveOptions()
    tell = progress or (lambda what, done, total: None)
    # A view in which neither camera saw the board says nothing.
    views = tuple(view for view in views if view.left is not None or view.right is not None)
    # A picture given twice would count as two proofs.
    views, copies = without_copies(views)
    check_views(views, board, copies=len(copies))
    solved = solve_views(views, board, options, tell)
    solution = assemble(solved, board, options, tell)
    return solution if not copies else _with_copies_told(solution, copies)


def _with_copies_told(solution: Solution, copies: dict[str, str]) -> Solution:
    told = tuple((name, f"the same pictures as {first}") for name, first in copies.items())
    report = dataclasses.replace(
        solution.report,
        views=(*solution.report.views, *(ViewReport(name, False, why) for name, why in told)),
        views_rejected=(*solution.report.views_rejected, *told),
    )
    return dataclasses.replace(solution, report=report)


def check_views(views: Sequence[View], board: Board, *, copies: int = 0) -> None:
    """Refuse views that cannot be solved. copies: how many more were left out as copies of these.

    Raises:
        CalibrationError: as `solve`.
    """
    for side in ("left", "right"):
        sizes = {found.size_wh for view in views if (found := getattr(view, side)) is not None}
        if len(sizes) > 1:
            told = ", ".join("{}x{}".format(*size) for size in sorted(sizes))
            raise CalibrationError(
                f"The pictures of the {side} camera have different sizes: {told}.",
                "A calibration holds for one size. Take all pictures with the camera set to the size you will use.",
            )
    pairs = sum(view.both for view in views)
    if pairs < MIN_PAIRS:
        raise CalibrationError(
            f"Too few views: the board was found by both cameras in {pairs} of {len(views)} pairs, and at least "
            f"{MIN_PAIRS} are needed." + (f" {copies} pairs are copies of others." if copies else ""),
            "Take 15 to 30 pairs with the whole board in both pictures, near and far, tilted each way, in all corners.",
            {"views_used": 0, "rig": None},
        )
    if _same_pictures(views):
        raise CalibrationError(
            "Left and right show the same: the board is at the same place in both pictures of every pair.",
            "Give the pictures of two cameras that stand beside each other; here both sides seem to be of one camera.",
            {"views_used": 0, "rig": None},
        )
    poses = different_poses(views, board)
    if poses < MIN_POSES:
        raise CalibrationError(
            f"The {pairs} pairs show the board at only {poses} different place{'s' if poses > 1 else ''}.",
            "Move the board between pictures: near and far, tilted each way, in all corners; 15 to 30 places.",
            {"views_used": 0, "rig": None},
        )


def _same_pictures(views: Sequence[View]) -> bool:
    """Whether the corners of most pairs lie at the same places in both pictures."""
    apart = []
    for view in views:
        if view.left is not None and view.right is not None and view.both:
            _, i, j = np.intersect1d(view.left.ids, view.right.ids, return_indices=True)
            steps = np.linalg.norm(view.left.points_px[i] - view.right.points_px[j], axis=1)
            apart.append(float(steps.mean()))
    return float(np.median(apart)) < SAME_PLACE_PX


def solve_views(views: tuple[View, ...], board: Board, options: SolveOptions, tell: Progress) -> Solved:
    """Run all stages of the solve on views that were checked."""
    model = BoardModel(board.object_points())
    tell("lens", 0, 4)
    alone, choice = choose_lens(views, model, options.lens, bend=options.bend)
    tell("cameras", 1, 4)
    arranged = arrange(views, board, model, alone, bend=options.bend)
    tell("rig", 2, 4)
    joint, mono_rms, ratio = solve_arranged(arranged, model, options)
    tell("rig", 3, 4)
    return Solved(arranged, joint, mono_rms, ratio, choice)


def solve_arranged(arranged: Arranged, model: BoardModel, options: SolveOptions) -> tuple[Joint, Array, float]:
    """Solve views whose order and turn are known. Gives the solution, each view's mono RMS and the sync ratio."""
    views = arranged.views
    # What does not even nearly fit the pose that the others agree on is of another moment.
    strays = np.array([view.both for view in views], dtype=bool) & arranged.counted.all(axis=1) & ~arranged.agree
    problem = Problem(model, views, strays, arranged.counted.copy(), arranged.sizes)
    if int(problem.paired.sum()) < MIN_PAIRS:
        raise CalibrationError(
            f"Only {int(problem.paired.sum())} of {len(views)} pairs are fit to use.",
            "Take the pictures again: sharp, evenly lit, the board held still.",
            {"views_used": int(problem.paired.sum()), "rig": None},
        )
    start = start_state(problem, arranged.cameras, arranged.R, arranged.t, arranged.poses)
    # A stretched print makes the turned views look wrong: it must be free before any view is judged.
    stretch = options.stretch and tells_stretch(arranged.poses[problem.paired, :, :3])
    again = partial(solve_joint, bend=options.bend, stretch=stretch)
    joint = again(problem, start if stretch else without_stretch(start))
    mono = arranged.mono_rms
    # A few pairs in which the board was moved do not make two cameras unsynchronised: without them the others fit.
    pairs = int(problem.paired.sum())
    joint = without_misfits(joint, _times_median(4.0), pairs - max(1, pairs // 10), again)
    ratio = sync_ratio(joint, arranged)
    if ratio > SYNC_LOST:
        fewer = without_misfits(joint, _times_median(4.0), pairs - pairs // 4, again)
        if sync_ratio(fewer, arranged) < SYNC_DOUBT:
            joint, ratio = fewer, sync_ratio(fewer, arranged)
    if ratio > SYNC_LOST:
        return _without_sync(joint, arranged, mono), mono, ratio
    least = max(MIN_PAIRS, pairs // 2)
    joint = without_misfits(joint, _times_median(3.0), least, again)
    if stretch:
        joint = with_settled_stretch(joint, bend=options.bend)
    if options.bend:
        joint = with_warp(joint)
        joint = without_misfits(joint, _times_median(3.0), least, partial(with_warp_again, joint))
    return joint, mono, ratio


def _times_median(factor: float) -> Callable[[Array], Array]:
    return lambda rms: np.full(len(rms), max(factor * float(np.nanmedian(rms)), NEVER_A_MISFIT_PX))


def sync_ratio(joint: Joint, arranged: Arranged) -> float:
    """σ of the pairs over σ of each camera alone, each with its own degrees of freedom; over the paired views."""
    total = len(joint.problem.views)
    paired = joint.problem.paired
    sums = np.zeros(2)
    counts = np.zeros(2)
    rows = (joint.seen.view < total) & (joint.seen.weight > 0)
    rows &= np.isin(joint.seen.view, np.flatnonzero(paired))
    sums[0] = float(np.sum(joint.fit.residuals_px[rows] ** 2))
    counts[0] = 2 * rows.sum() - 6 * paired.sum() - 20
    for side, camera in enumerate(arranged.cameras):
        views = arranged.view_of[side]
        own = paired[views[camera.seen.view]] & (camera.seen.weight > 0)
        sums[1] += float(np.sum(camera.fit.residuals_px[own] ** 2))
        counts[1] += 2 * own.sum() - 6 * paired.sum() - 10
    if (counts <= 0).any():
        return float("nan")
    sigma = np.sqrt(sums / counts)
    return float(sigma[0] / max(sigma[1], 1e-9))


def _without_sync(joint: Joint, arranged: Arranged, mono: Array) -> Joint:
    """Take each camera's lens from its own views, and the relative pose from all pairs but the worst: where every pair
    is off by chance, many are better than the few that seem to agree.
    """
    start = dataclasses.replace(
        joint.state,
        cameras=(arranged.cameras[0].camera, arranged.cameras[1].camera),
        shape=(arranged.cameras[0].shape + arranged.cameras[1].shape) / 2,
    )
    again = partial(solve_joint, fixed_intrinsics=True)
    fixed = again(joint.problem, start)
    least = max(MIN_PAIRS, int(0.5 * joint.problem.paired.sum()))
    median = _times_median(2.5)
    return without_misfits(fixed, lambda rms: np.maximum(2.5 * mono, median(rms)), least, again)
