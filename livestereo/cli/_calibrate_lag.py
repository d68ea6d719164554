"""Two films of a board that are not of one time: how far they are apart, and the views as one moment shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.errors import CalibrationError
from calibration.projection import intrinsics_of
from calibration.rig import Intrinsics
from calibration.solution import Solution
from calibration.solve import Progress, SolveOptions, solve
from calibration.solve_lens import choose_lens
from calibration.uncertainty import predict_depth_error, widened
from calibration.verdict import SYNC_DOUBT, SYNC_LOST
from calibration.views import View
from livestereo.cli._calibrate_files import Collected, choose_looks
from livestereo.cli._calibrate_rolling import unrolled
from livestereo.sync.lag import Film, FilmSide, film_lag, nearest, right_at
from livestereo.sync.offset import Offset, SyncRefused

# Put together anew, the pairs must fit each other so much better than before.
_BETTER = 0.7
# Of the views, so many must be left where corners are brought to one moment.
_MOST_VIEWS_KEPT = 0.7
# A shift below this is no news to a person: other errors of time are as large.
_TOLD_S = 0.001
_MEASURE = (
    "If the two films only began at different times, `livestereo sync LEFT RIGHT --board SPEC` measures by how much: "
    "give it with --shift."
)


def solve_films(
    collected: Collected, board: Board, options: SolveOptions, tell: Progress
) -> tuple[Solution, Collected]:
    """Solve the pairs of two films; where they do not fit, find out how far the films are apart, and solve them so.

    Raises:
        CalibrationError: as `solve`.
    """
    failed: CalibrationError | None = None
    ratio = float("inf")
    solution: Solution | None = None
    try:
        solution = solve(collected.views, board, options, tell)
        solution, collected = _unrolled(solution, collected, board, options, tell)
        ratio = solution.report.sync_ratio
        if not ratio > SYNC_DOUBT:
            return solution, collected
    except CalibrationError as error:
        failed = error
    again = _again(collected, board, options, tell)
    if again is not None and again[0].report.sync_ratio < _BETTER * ratio:
        return again
    if solution is None:
        assert failed is not None
        if failed.details.get("verdict") == "bad":
            raise CalibrationError(failed.what, f"{failed.fix} {_MEASURE}", failed.details) from failed
        raise failed
    if ratio > SYNC_LOST:
        collected = dataclasses.replace(collected, warnings=(*collected.warnings, _MEASURE))
    return solution, collected


def _unrolled(
    solution: Solution, collected: Collected, board: Board, options: SolveOptions, tell: Progress
) -> tuple[Solution, Collected]:
    """Solve again with what shutters that roll made of a moving board undone, where they do and it fits better so."""
    film = film_of(collected)
    report = solution.report
    if film is None or report.flip != ("none", "none"):
        return solution, collected
    rig = solution.rig
    lenses = (rig.right, rig.left) if report.swapped else (rig.left, rig.right)
    try:
        found = unrolled(collected, film, board, lenses, report.shape.vector, report.noise_px)
        if found is None:
            return solution, collected
        straight, *others = found
        again = solve(straight.views, board, options, tell)
        for off in others:
            again = _widened(again, solve(off.views, board, dataclasses.replace(options, heldout=False)), options)
    except CalibrationError:
        return solution, collected
    better = again.report.rms_px < report.rms_px and len(straight.views) >= _MOST_VIEWS_KEPT * len(collected.views)
    return (again, straight) if better else (solution, collected)


def _again(
    collected: Collected, board: Board, options: SolveOptions, tell: Callable[[str, int, int], None]
) -> tuple[Solution, Collected] | None:
    try:
        film = film_of(collected)
        if film is None:
            return None
        lag = film_lag(film, board.object_points(), _lenses(collected, film, board, options))
        shifted = put_together(collected, film, lag, board)
        solution = solve(shifted.views, board, options, tell)
        # How sure the lag is, is a part of how sure the rig is: the same with the lag one σ off.
        off = dataclasses.replace(lag, shift_s=lag.shift_s + lag.uncertainty_s / 2)
        late = put_together(collected, film, off, board)
        other = solve(late.views, board, dataclasses.replace(options, heldout=False))
    except (CalibrationError, SyncRefused):
        return None  # what was found without it is told
    solution = _widened(solution, other, options)
    return solution, dataclasses.replace(shifted, warnings=(*collected.warnings, _told(lag)), shift_s=-lag.shift_s)


def _widened(solution: Solution, other: Solution, options: SolveOptions) -> Solution:
    report = solution.report
    covariance = widened(report.covariance, solution.rig, other.rig)
    table = report.depth_error_percent
    if report.metric and any(value == value for value in table.values()):
        predicted = predict_depth_error(solution.rig, covariance, options.depths_m)
        table = {f"{error.distance_m:g}m": error.percent for error in predicted}
    return dataclasses.replace(
        solution, report=dataclasses.replace(report, covariance=covariance, depth_error_percent=table)
    )


def film_of(collected: Collected) -> Film | None:
    """Give all that was found in two films, with its times; None where they have no times that rise."""
    looks = collected.looks
    if len(looks) < 2:
        return None
    sides = [
        FilmSide(
            np.array([look.times_s[i] for look in looks]),
            tuple((look.view.left, look.view.right)[i] for look in looks),
        )
        for i in (0, 1)
    ]
    if any((np.diff(side.times_s) <= 0).any() for side in sides):
        return None
    return Film(*sides)


def _lenses(collected: Collected, film: Film, board: Board, options: SolveOptions) -> tuple[Intrinsics, Intrinsics]:
    cameras, _ = choose_lens(collected.views, BoardModel(board.object_points()), options.lens, bend=options.bend)
    sizes = [next(one.size_wh for one in side.found if one is not None) for side in (film.left, film.right)]
    left, right = (intrinsics_of(fit.camera, fit.model, size) for fit, size in zip(cameras, sizes))
    return left, right


def put_together(collected: Collected, film: Film, lag: Offset, board: Board) -> Collected:
    """Take the right corners at the moments of the left pictures, and choose among such views."""
    looks = collected.looks
    partners = nearest(film, lag.shift_s)
    moved = [
        dataclasses.replace(
            look, view=View(look.view.name, look.view.left, found), pair=(look.pair[0], looks[partner].pair[1])
        )
        for look, found, partner in zip(looks, right_at(film, lag), partners)
    ]
    chosen = choose_looks([look for look in moved if look.view.left is not None or look.view.right is not None], board)
    return dataclasses.replace(
        collected,
        views=[look.view for look in chosen],
        pictures={look.view.name: look.pair for look in chosen},
    )


def _told(lag: Offset) -> str:
    if abs(lag.shift_s) < _TOLD_S:
        return (
            "The pictures of a pair are not of one moment, by what their stamps say; the right corners were taken "
            "between pictures."
        )
    late = "later" if lag.shift_s > 0 else "earlier"
    by = f"{abs(lag.shift_s) * 1e3:.1f}"
    return (
        f"The films are not of one time: the right one shows everything {by} ms {late}, give or take "
        f"{lag.uncertainty_s * 1e3:.1f} ms. It was reckoned with; give other commands on these films --shift "
        f"{-lag.shift_s * 1e3:.1f}."
    )
