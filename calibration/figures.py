"""Turn a joint solution into a rig and its figures: residuals, epipolar and vertical error, held-out error, verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.bundle import LEFT, RIGHT, Array, State, adjust
from calibration.epipolar import axis_angles_deg, epipolar_distances_px, try_rectification, vertical_px
from calibration.errors import CalibrationError
from calibration.projection import intrinsics_of
from calibration.rig import StereoRig
from calibration.shape import paired_rows, place_rows, shape_of, with_warp
from calibration.solution import RigCovariance, Solution, SolveReport, ViewReport
from calibration.solve_joint import STRETCH, Joint, misfit_rms, pair_rms, solve_joint
from calibration.uncertainty import DepthError, covariance_of, predict_depth_error
from calibration.verdict import SYNC_DOUBT, SYNC_LOST, judge
from calibration.views import coverage, different_poses

if TYPE_CHECKING:
    from calibration.solve import Solved, SolveOptions

_FOLDS = 5
_MIN_TRAINING = 4
# Residuals beyond these are no calibration at all, whatever they average to.
REFUSE_RMS_PX = 5.0
# Views tilted by less tell next to nothing of the focal length.
TILTED_DEG = 12.0
REFUSE_DISPARITY_PX = 20.0
# What corners of many views err by in common, unseen in their noise (measured on rendered pictures, where the noise is
# hardly larger; it counts for nothing beside that of real ones).
CORNER_BIAS_PX = 0.01
# Rows that differ by more than this, even in the pairs that were solved, match nothing; in pictures up to 1280 px wide.
REFUSE_ROWS_PX, _ROWS_WIDTH_PX = 2.0, 1280


def rig_of(state: State, sizes: tuple[tuple[int, int], tuple[int, int]]) -> StereoRig:
    """Give the rig of a state. The rotation is made exactly orthogonal."""
    u, _, vt = np.linalg.svd(state.R_right_left)
    left, right = (intrinsics_of(c, m, s) for c, m, s in zip(state.cameras, state.models, sizes))
    return StereoRig(left, right, u @ vt, state.t_right_left)


def assemble(solved: Solved, board: Board, options: SolveOptions, tell: Callable[[str, int, int], None]) -> Solution:
    """Compute all figures of a solution.

    Raises:
        CalibrationError: the solution explains nothing; details hold what was computed.
    """
    joint = solved.joint
    rig = rig_of(joint.state, joint.problem.sizes)
    covariance = rig_covariance(joint)
    rectification, why_not = try_rectification(rig)
    focal = rectification.focal_px if rectification else float("nan")
    views = view_reports(solved, rig, focal)
    heldout = heldout_vertical(joint, options, focal, tell) if options.heldout and rectification else np.empty(0)
    depths = _depth_errors(rig, covariance, board, options, joint) if rectification else []
    paired = joint.problem.paired
    distances = joint.state.t[: len(paired)][paired][:, 2]
    common = [common_corners(joint, v) for v in np.flatnonzero(paired).tolist()]
    left_px, right_px = (np.concatenate([c[i] for c in common]) for i in (0, 1))
    vertical = np.concatenate([view.vertical_px for view in views if view.used]) if rectification else np.empty(0)
    rms = [rms_of(joint, side) for side in (None, LEFT, RIGHT)]
    angle, toe = axis_angles_deg(rig)
    sigmas = {name: covariance.sigma(name) for name in covariance.names}
    shape = shape_of(joint, sigmas)
    apart = int(joint.problem.apart.sum())
    at = [error for error in depths if error.distance_m == (2.0 if board.metric else depths[0].distance_m)]
    judged = judge(
        {
            "rms_px": rms[0], "heldout_px": _rms(heldout), "vertical_px": _rms(vertical),
            "disparity_px": at[0].disparity_px if at else float("nan"),
            "depth_percent": at[0].percent if at else float("nan"),
            "at": f"{at[0].distance_m:g} m" if at and board.metric else "the board's distance",
            "sync_ratio": solved.sync_ratio, "sync_doubt": SYNC_DOUBT, "sync_lost": SYNC_LOST,
            "views": int(paired.sum()),
            "poses": different_poses([solved.arranged.views[v] for v in np.flatnonzero(paired)], board),
            "apart": apart, "rectifiable": rectification is not None, "why_not": why_not,
        }
    )  # fmt: skip
    used = joint.seen.weight > 0
    report = SolveReport(
        rms_px=rms[0], rms_left_px=rms[1], rms_right_px=rms[2],
        epipolar_px=float(np.nanmean(epipolar_distances_px(rig, left_px, right_px))), vertical_rms_px=_rms(vertical),
        heldout_vertical_rms_px=_rms(heldout), baseline_m=rig.baseline_m, focal_left_px=rig.left.focal_px,
        focal_right_px=rig.right.focal_px, rotation_deg=angle, toe_in_deg=toe, views_used=int(paired.sum()),
        views_rejected=tuple((view.name, view.why) for view in views if not view.used),
        lens_model=_lens_text(joint.state), board_bend_mm=1000 * shape.sagitta if board.metric else float("nan"),
        sync_ratio=solved.sync_ratio, swapped=solved.arranged.swapped,
        depth_error_percent=_depth_table(depths, board, options), verdict=judged.verdict, reasons=judged.reasons,
        warnings=_warnings(solved, board, views, why_not), board=board, metric=board.metric, views=views, shape=shape,
        covariance=covariance, flip=solved.arranged.flip, fixed_intrinsics=joint.fixed_intrinsics,
        corners_dropped=int(sum((~view.kept_left).sum() + (~view.kept_right).sum() for view in views if view.used)),
        noise_px=joint.sigma_px, mono_rms_left_px=solved.arranged.cameras[0].rms,
        mono_rms_right_px=solved.arranged.cameras[1].rms, heldout_vertical_px=heldout, lens_choice=solved.lens_choice,
        distance_m=(float(distances.min()), float(distances.max())) if used.any() else (float("nan"), float("nan")),
    )  # fmt: skip
    _refuse_hopeless(report, depths, solved.arranged.broken_after)
    return Solution(rig, report)


def rig_covariance(joint: Joint) -> RigCovariance:
    """Give the covariance of a joint solution; of one with fixed lenses too, as if they had been free."""
    fit = joint.fit
    if joint.fixed_intrinsics:
        free = solve_joint_names(joint)
        fit = adjust(joint.problem.board, joint.seen, joint.state, free=free, noise_px=joint.sigma_px, iterations=0)
    covariance = covariance_of(fit, joint.state, joint.sigma_px, paired_rows(joint), place_rows(joint))
    raised = 1 + (CORNER_BIAS_PX / joint.sigma_px) ** 2
    return dataclasses.replace(
        covariance, matrix=covariance.matrix * raised, inflation=covariance.inflation * float(np.sqrt(raised))
    )


def solve_joint_names(joint: Joint) -> tuple[str, ...]:
    """Names of all common unknowns but the print's stretch."""
    return tuple(name for name in joint.state.common_names if name != STRETCH)


def heldout_vertical(
    joint: Joint, options: SolveOptions, focal_px: float, tell: Callable[[str, int, int], None]
) -> Array:
    """Solve without each fold (view i in fold i mod 5) and give the row differences of its corners, pooled, px."""
    paired = np.flatnonzero(joint.problem.paired)
    if len(paired) < _MIN_TRAINING + 1:
        return np.empty(0)
    fold = np.arange(len(paired)) % _FOLDS
    pooled = []
    for k in range(min(_FOLDS, len(paired))):
        tell("held-out", k, _FOLDS)
        out = paired[fold == k]
        if len(paired) - len(out) < _MIN_TRAINING:
            continue
        rig = rig_of(without_views(joint, out, options).state, joint.problem.sizes)
        for v in out:
            left, right, _ = common_corners(joint, int(v))
            pooled.append(vertical_px(rig, focal_px, left, right))
    tell("held-out", _FOLDS, _FOLDS)
    return np.concatenate(pooled) if pooled else np.empty(0)


def without_views(joint: Joint, out: Array, options: SolveOptions) -> Joint:
    """Repeat the solve without some views."""
    keep = np.ones(len(joint.problem.views), dtype=bool)
    keep[out] = False
    flat = BoardModel(joint.problem.board.flat)
    problem = dataclasses.replace(joint.problem.only(keep), board=flat)
    total = len(joint.problem.views)
    chosen = np.flatnonzero(keep)
    index = [*chosen, *(v + total if v + total < len(joint.state.R) else v for v in chosen)]
    state = joint.state.with_poses(joint.state.R[index], joint.state.t[index])
    if joint.fixed_intrinsics:
        # The lenses were taken from each camera alone: take them again, without these views.
        alone = solve_joint(
            dataclasses.replace(problem, apart=np.ones(len(chosen), dtype=bool)), state, bend=options.bend
        )
        state = dataclasses.replace(state, cameras=alone.state.cameras, shape=alone.state.shape)
    again = solve_joint(
        problem, state, fixed_intrinsics=joint.fixed_intrinsics, bend=options.bend, stretch=STRETCH in joint.free
    )
    return with_warp(again, rounds=2) if joint.problem.board.warp.any() else again


def common_corners(joint: Joint, v: int) -> tuple[Array, Array, Array]:
    """Give the corners (n,2) of a view that count on both sides, left and right, and their ids."""
    rows = np.flatnonzero(joint.seen.view == v)
    left = rows[(joint.seen.side[rows] == LEFT) & (joint.seen.weight[rows] > 0)]
    right = rows[(joint.seen.side[rows] == RIGHT) & (joint.seen.weight[rows] > 0)]
    ids, a, b = np.intersect1d(joint.seen.ids[left], joint.seen.ids[right], return_indices=True)
    return joint.seen.points_px[left[a]], joint.seen.points_px[right[b]], ids


def view_reports(solved: Solved, rig: StereoRig, focal_px: float) -> tuple[ViewReport, ...]:
    """Say of each view how it did. focal_px: of the rectified pair, NaN where there is none."""
    joint, arranged = solved.joint, solved.arranged
    rms, misfit = pair_rms(joint), misfit_rms(joint)
    paired = joint.problem.paired
    total = len(arranged.views)
    reports = []
    for v, view in enumerate(arranged.views):
        parts: dict[str, Array] = {}
        kept: dict[str, Array] = {}
        for side, name in ((LEFT, "left"), (RIGHT, "right")):
            own = v + total if side == RIGHT and joint.problem.apart[v] else v
            rows = (joint.seen.view == own) & (joint.seen.side == side)
            parts[name], kept[name] = joint.fit.residuals_px[rows], joint.seen.weight[rows] > 0
        why = _why(solved, v, misfit)
        left, right, ids = common_corners(joint, v) if paired[v] else (np.empty((0, 2)), np.empty((0, 2)), np.empty(0))
        rows_off = vertical_px(rig, focal_px, left, right) if np.isfinite(focal_px) and len(left) else np.empty(0)
        solved_pose = view.left is not None and arranged.counted[v, LEFT]
        reports.append(
            ViewReport(
                view.name, bool(paired[v]), why, arranged.mended[v], view.left, view.right, parts["left"],
                parts["right"], kept["left"].astype(bool), kept["right"].astype(bool), float(rms[v]),
                float(arranged.mono_rms[v]), joint.state.R[v] if solved_pose else None,
                joint.state.t[v] if solved_pose else None, rows_off, ids.astype(np.int32),
            )
        )  # fmt: skip
    return tuple(reports)


def _why(solved: Solved, v: int, misfit: Array) -> str:
    view = solved.arranged.views[v]
    if solved.joint.problem.paired[v]:
        return ""
    if view.left is None or view.right is None:
        return "the board was not found in the {} picture".format("left" if view.left is None else "right")
    if solved.arranged.why[v]:
        return solved.arranged.why[v]
    if not view.both:
        return "too few corners that both cameras saw"
    own, apart = float(solved.mono_rms[v]), float(misfit[v])
    if apart < 2.5 * own:
        return f"it does not fit as the others do ({apart:.2f} px): blurred, or the board was bent otherwise"
    return (
        "the two pictures do not show the board at the same place: it moved between the exposures "
        f"({apart:.2f} px; each camera alone fits to {own:.2f} px)"
    )


def rms_of(joint: Joint, side: int | None = None) -> float:
    """RMS distance of corners that count in views that count, px."""
    total = len(joint.problem.views)
    rows = (joint.seen.weight > 0) & (joint.seen.view < total)
    rows &= np.isin(joint.seen.view, np.flatnonzero(joint.problem.paired))
    if side is not None:
        rows &= joint.seen.side == side
    return _rms(np.linalg.norm(joint.fit.residuals_px[rows], axis=1))


def _depth_errors(
    rig: StereoRig, covariance: RigCovariance, board: Board, options: SolveOptions, joint: Joint
) -> list[DepthError]:
    if board.metric:
        return predict_depth_error(rig, covariance, sorted({*options.depths_m, 2.0}))
    paired = joint.problem.paired
    return predict_depth_error(rig, covariance, [float(np.median(joint.state.t[: len(paired)][paired][:, 2]))])


def _depth_table(depths: list[DepthError], board: Board, options: SolveOptions) -> dict[str, float]:
    table = {f"{distance:g}m": float("nan") for distance in options.depths_m}
    if board.metric:
        for error in depths:
            if error.distance_m in options.depths_m:
                table[f"{error.distance_m:g}m"] = error.percent
    return table


def _warnings(solved: Solved, board: Board, views: tuple[ViewReport, ...], why_not: str) -> tuple[str, ...]:
    arranged, joint = solved.arranged, solved.joint
    told = list(arranged.notes)
    if arranged.swapped:
        told.append(
            "Left and right are exchanged: the camera given first stands to the right. The rig is solved and stored "
            "as with --swap; later commands exchange the pictures by themselves. Two cameras that are both upside down "
            "look the same, and two that are both mirrored: if yours are, calibrate again with --flip 180, or h."
        )
    if arranged.broken_after and solved.sync_ratio > SYNC_DOUBT:
        told.append(_broken_words(arranged.broken_after))
    mended = [view.name for view in views if view.mended]
    if mended:
        told.append(f"Corner order mended in {len(mended)} views: {', '.join(mended[:5])}.")
    if not board.metric:
        told.append("The size of the squares is unknown: lengths are in squares, and depth will be relative.")
    if joint.fixed_intrinsics:
        told.append("Each camera's lens was solved by itself, because the pairs were not taken at the same moment.")
    if why_not:
        told.append(why_not)
    paired = joint.problem.paired
    for side in ("left", "right"):
        found = [one for v, view in enumerate(arranged.views) if paired[v] and (one := getattr(view, side)) is not None]
        seen = coverage(found, board)
        if seen.area < 0.5:
            told.append(
                f"The board covered only {100 * seen.area:.0f} % of the {side} picture: the lens is not known outside. "
                "Add views in the corners."
            )
    if (_tilts_deg(joint) > TILTED_DEG).sum() < 4:
        told.append("The board was hardly tilted: the focal lengths are uncertain. Tilt it by 20° to 40°, each way.")
    return tuple(dict.fromkeys(told))


def _tilts_deg(joint: Joint) -> Array:
    """How far each paired view's board is turned away from facing the left camera, degrees."""
    paired = joint.problem.paired
    total = len(paired)
    R, t = joint.state.R[:total][paired], joint.state.t[:total][paired]
    middle = joint.problem.board.flat.mean(axis=0)
    centre = np.einsum("vij,j->vi", R, middle) + t
    cosine = np.einsum("vi,vi->v", R[:, :, 2], centre) / np.linalg.norm(centre, axis=1)
    return np.asarray(np.degrees(np.arccos(np.clip(np.abs(cosine), 0, 1))))


def _broken_words(name: str) -> str:
    return (
        f"Up to {name} the pairs agree with each other, and after it too, but not with the first: a camera was moved "
        "or zoomed there."
    )


def _refuse_hopeless(report: SolveReport, depths: list[DepthError], broken: str) -> None:
    details: dict[str, object] = {**report.figures(), "verdict": "bad", "rig": None}
    if not report.rms_px <= REFUSE_RMS_PX:
        raise CalibrationError(
            f"No rig explains these pictures: corners are {report.rms_px:.1f} px off.",
            "Check the board spec, that left and right belong together, and that both pictures of a pair were taken "
            "at the same moment.",
            details,
        )
    widths = [found.size_wh[0] for view in report.views if (found := view.left) is not None]
    limit = REFUSE_ROWS_PX * max(1.0, max(widths, default=0) / _ROWS_WIDTH_PX)
    if report.vertical_rms_px > limit:
        what = f"No rig fits these pairs: rows of the rectified pair differ by {report.vertical_rms_px:.1f} px"
        if broken:
            fix = "Fix the cameras to each other, turn autofocus off, and use only the pairs before or after it."
            raise CalibrationError(f"{what}. {_broken_words(broken)}", fix, details)
        if report.sync_ratio > SYNC_LOST:
            raise CalibrationError(
                f"{what}, and each camera alone fits {report.sync_ratio:.0f} times better: the two pictures of a pair "
                "do not show the board at one place.",
                "Hold the board still against something for every picture, or synchronise the cameras.",
                details,
            )
        raise CalibrationError(
            f"{what}; matching needs half a pixel.",
            "Take the pictures again: sharp, evenly lit, the board held still.",
            details,
        )
    worst = min((error.disparity_px for error in depths), default=0.0)
    if worst > REFUSE_DISPARITY_PX:
        raise CalibrationError(
            "These views do not determine a rig: the depth it gives would be uncertain by "
            f"{min(error.percent for error in depths):.0f} % or more.",
            "Take more views: the board near and far, tilted each way, in all corners of both pictures.",
            details,
        )


def _lens_text(state: State) -> str:
    left, right = state.models
    return left if left == right else f"{left}, {right}"


def _rms(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")
