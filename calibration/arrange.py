"""Put views in order before the joint solve: each camera alone, corner orders, cameras turned, mirrored or exchanged.

The two cameras' own solutions say how the right one stands to the left one in each view. From what the views agree
on it follows whether the right picture is upside down, on its side, mirrored, or shows what the left camera should.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.board_model import BoardModel
from calibration.boards import Board
from calibration.bundle import Array, Ints
from calibration.detection import Detection
from calibration.errors import CalibrationError
from calibration.mispaired import Poses, broken_after, shift_of_all, true_partners
from calibration.rig import LensModel
from calibration.rig_parts import Flip
from calibration.solve_start import CameraFit, RelativePose, relative_pose, solve_camera
from calibration.views import View

# A picture whose corners are so many times noisier than those of the camera's others does not count ...
_NOISY_VIEW = 4.0
# ... nor one in which so large a share of the corners, and more than one, was found in wrong places.
_WILD_SHARE = 0.03
# Views that must agree on one relative pose: below this share something is wrong with the set as a whole.
_AGREE_SHARE = 0.5
_TURNS: tuple[Flip, ...] = ("none", "270", "180", "90")


@dataclass(frozen=True)
class Arranged:
    """Views in order. views: turned, exchanged and with mended corner orders. cameras: each alone. view_of: for each
    side, the view that each of the camera's own pictures belongs to. counted (V,2), why: pictures that do not count
    and the reason. R, t: relative pose. poses (V,3,4): board in the left camera. mono_rms (V,): of both cameras alone.
    agree (V,): the view fits the relative pose. mended: per view, what was repaired. broken_after: the view after which
    the cameras stand otherwise to each other, or ""."""

    views: tuple[View, ...]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    cameras: tuple[CameraFit, CameraFit]
    view_of: tuple[Ints, Ints]
    counted: NDArray[np.bool_]
    why: tuple[str, ...]
    R: Array
    t: Array
    poses: Array
    mono_rms: Array
    agree: NDArray[np.bool_]
    swapped: bool
    flip: tuple[Flip, Flip]
    mended: tuple[str, ...]
    notes: tuple[str, ...]
    broken_after: str = ""


@dataclass(frozen=True)
class _Side:
    """One camera alone: its fit, the view of each picture, and which pictures do not count and why."""

    fit: CameraFit
    view_of: Ints
    why: dict[int, str]

    @property
    def poses(self) -> Poses:
        """Where this camera alone saw the board."""
        return Poses(self.view_of, self.fit.R, self.fit.t)


def arrange(
    views: tuple[View, ...], board: Board, model: BoardModel, alone: tuple[CameraFit, CameraFit], *, bend: bool = True
) -> Arranged:
    """Judge each camera's own pictures and put the views in order. alone: each camera solved from all its pictures.

    Raises:
        CalibrationError: the views do not agree on any relative pose.
    """
    lens = alone[0].model, alone[1].model
    left = _solve_side([view.left for view in views], model, lens[0], bend, alone[0])
    right = _solve_side([view.right for view in views], model, lens[1], bend, alone[1])
    both_orders = looks_the_same_turned(board)
    relative, pairs = _relative(model, left, right, both_orders)
    flip: Flip = "none"
    turn = _quarter_turns(relative.R)
    if _share(relative) < _AGREE_SHARE and board.kind == "chessboard":
        mirrored = tuple(dataclasses.replace(v, right=_mirrored(v.right, board)) for v in views)
        other = _solve_side([view.right for view in mirrored], model, lens[1], bend)
        again, again_pairs = _relative(model, left, other, both_orders)
        if _share(again) >= max(_AGREE_SHARE, _share(relative) + 0.3):
            views, right, relative, pairs, flip = mirrored, other, again, again_pairs, "h"
            turn = _quarter_turns(relative.R)
    if turn:
        if flip == "h" and turn != 2:
            raise _mirrored_on_its_side()
        # Mirrored and upside down is mirrored the other way.
        flip, more = ("v" if flip == "h" else _TURNS[turn]), _TURNS[turn]
        views = tuple(dataclasses.replace(v, right=turned(v.right, more)) for v in views)
        right = _solve_side([view.right for view in views], model, lens[1], bend)
        relative, pairs = _relative(model, left, right, both_orders)
    if _share(relative) < _AGREE_SHARE:
        shift = shift_of_all(_middle(model), left.poses, right.poses, both_orders=both_orders)
        raise _no_common_pose(int(relative.agree.sum()), len(relative.agree), shift)
    mended = [""] * len(views)
    views_list = list(views)
    # The order that most views have is the rule; only those that differ were mended.
    rule = relative.reversed_order.mean() > 0.5
    for v, reversed_order, agrees in zip(pairs, relative.reversed_order, relative.agree):
        if reversed_order:
            views_list[v] = dataclasses.replace(views_list[v], right=_reversed(views_list[v].right))
        if reversed_order != rule and agrees:
            mended[v] = "corner order of the right picture turned by 180°"
    if relative.reversed_order.any():
        right = _solve_side([view.right for view in views_list], model, lens[1], bend)
        relative, pairs = _relative(model, left, right, False)
    swapped = _is_swapped(relative.R, relative.t)
    flips: tuple[Flip, Flip] = ("none", flip)
    if swapped and flip in ("h", "180"):
        # Two faults at once are less likely than one: it is the left picture that is turned. Turn both on.
        flips, swapped = (flip, "none"), False
        views_list = [_turned_whole(view, flip, board) for view in views_list]
        left = _solve_side([view.left for view in views_list], model, lens[0], bend)
        right = _solve_side([view.right for view in views_list], model, lens[1], bend)
        relative, pairs = _relative(model, left, right, False)
    notes = list(_turn_notes(flips))
    names = [view.name for view in views]
    strays = [v for v, agrees in zip(pairs, relative.agree) if not agrees]
    partners = true_partners(_middle(model), left.poses, right.poses, relative.R, relative.t, strays)
    notes += _partner_notes(partners, names)
    broken = broken_after(left.poses, right.poses, [v for v in pairs if v not in strays])
    if swapped:
        views_list = [view.exchanged() for view in views_list]
        left, right = right, left
        relative = dataclasses.replace(relative, R=relative.R.T, t=-relative.R.T @ relative.t)
    found = _arranged(views_list, left, right, relative, pairs, swapped, flips, mended, notes)
    return found if broken is None else dataclasses.replace(found, broken_after=names[broken])


def looks_the_same_turned(board: Board) -> bool:
    """Whether a detector may number the board from either end: turned by 180° it looks the same, or nearly.

    A chessboard's colours tell its ends apart where columns + rows is odd, unless glare hides them. Circles in an odd
    number of rows tell them by their places.
    """
    return board.kind == "chessboard" or (board.kind == "circles" and board.rows % 2 == 0)


def same_turned(board: Board) -> bool:
    """Whether the board turned by 180° looks exactly the same, so that nothing in one picture tells its ends apart."""
    return looks_the_same_turned(board) and not (board.kind == "chessboard" and (board.columns + board.rows) % 2)


def turned(found: Detection | None, flip: Flip) -> Detection | None:
    """Move a detection as turning or mirroring its picture does (90 and 270 are degrees clockwise)."""
    if found is None or flip == "none":
        return found
    w, h = found.size_wh
    x, y = found.points_px[:, 0], found.points_px[:, 1]
    moved = {
        "180": (w - 1 - x, h - 1 - y), "90": (h - 1 - y, x), "270": (y, w - 1 - x),
        "h": (w - 1 - x, y), "v": (x, h - 1 - y),
    }[flip]  # fmt: skip
    size = (h, w) if flip in ("90", "270") else (w, h)
    return dataclasses.replace(found, points_px=np.stack(moved, axis=1).astype(np.float32), size_wh=size)


def _arranged(
    views: Sequence[View],
    left: _Side,
    right: _Side,
    relative: RelativePose,
    pairs: list[int],
    swapped: bool,
    flip: tuple[Flip, Flip],
    mended: list[str],
    notes: list[str],
) -> Arranged:
    total = len(views)
    counted = np.array([[view.left is not None, view.right is not None] for view in views])
    why = [""] * total
    squares, corners = np.zeros(total), np.zeros(total)
    poses = np.tile(np.hstack([np.eye(3), np.array([[0.0], [0.0], [1.0]])]), (total, 1, 1))
    for side, (name, solved) in enumerate((("left", left), ("right", right))):
        for index, reason in solved.why.items():
            counted[index, side] = False
            why[index] = f"{name} picture: {reason}"
        rows = solved.fit.seen.weight > 0
        view = solved.view_of[solved.fit.seen.view[rows]]
        squares += np.bincount(view, weights=np.sum(solved.fit.fit.residuals_px[rows] ** 2, axis=1), minlength=total)
        corners += np.bincount(view, minlength=total)
        for own, index in enumerate(solved.view_of):
            R, t = solved.fit.R[own], solved.fit.t[own]
            if side == 1:
                if views[index].left is not None:
                    continue
                R, t = relative.R.T @ R, relative.R.T @ (t - relative.t)
            poses[index] = np.hstack([R, t[:, None]])
    agree = np.zeros(total, dtype=bool)
    agree[pairs] = relative.agree
    sizes = _size(views, "left"), _size(views, "right")
    return Arranged(
        tuple(views), sizes, (left.fit, right.fit), (left.view_of, right.view_of), counted, tuple(why), relative.R,
        relative.t, poses, np.sqrt(squares / np.maximum(corners, 1)), agree, swapped, flip, tuple(mended), tuple(notes),
    )  # fmt: skip


def _size(views: Sequence[View], side: str) -> tuple[int, int]:
    found: list[Detection] = [one for view in views if (one := getattr(view, side)) is not None]
    return found[0].size_wh


def _solve_side(
    found: Sequence[Detection | None], model: BoardModel, lens: LensModel, bend: bool, start: CameraFit | None = None
) -> _Side:
    view_of = np.array([i for i, one in enumerate(found) if one is not None], dtype=np.intp)
    own = [one for one in found if one is not None]
    fit = start if start is not None and len(start.R) == len(own) else solve_camera(model, own, lens, bend=bend)
    why: dict[int, str] = {}
    while True:
        sigma = fit.noise.view_sigma_px[:, 0]
        usual = float(np.median(sigma))
        wild = np.bincount(fit.seen.view, weights=fit.seen.weight == 0, minlength=len(own))
        share = wild / np.bincount(fit.seen.view, minlength=len(own))
        bad = (sigma > _NOISY_VIEW * max(usual, 0.05)) | ((wild > 1) & (share > _WILD_SHARE))
        if not bad.any() or (~bad).sum() < 4 or bad.mean() > 0.5:
            return _Side(fit, view_of, why)
        for i in np.flatnonzero(bad):
            why[int(view_of[i])] = (
                f"its corners do not fit the camera ({fit.rms_px[i]:.2f} px; {usual * np.sqrt(2):.2f} px is usual): "
                "blurred, moved while it was taken, or wrongly found"
            )
        own = [one for one, drop in zip(own, bad) if not drop]
        view_of = view_of[~bad]
        keep = ~bad
        start = dataclasses.replace(fit, R=fit.R[keep], t=fit.t[keep])
        fit = solve_camera(model, own, lens, bend=bend, start=start)


def _relative(model: BoardModel, left: _Side, right: _Side, both_orders: bool) -> tuple[RelativePose, list[int]]:
    pairs = sorted(set(left.view_of.tolist()) & set(right.view_of.tolist()))
    if not pairs:
        raise _no_common_pose(0, 0)
    rows = [np.searchsorted(side.view_of, pairs) for side in (left, right)]
    a, b = (side.fit for side in (left, right))
    found = relative_pose(
        _middle(model), a.R[rows[0]], a.t[rows[0]], b.R[rows[1]], b.t[rows[1]], both_orders=both_orders
    )
    return found, pairs


def _middle(model: BoardModel) -> Array:
    return np.asarray((model.flat.max(axis=0) + model.flat.min(axis=0)) / 2)


def _share(relative: RelativePose) -> float:
    return float(relative.agree.mean())


def _quarter_turns(R: Array) -> int:
    """How many quarter turns about the optical axis the right picture is turned against the left one, 0..3."""
    return int(np.rint(np.arctan2(R[1, 0] - R[0, 1], R[0, 0] + R[1, 1]) / (np.pi / 2))) % 4


def _is_swapped(R: Array, t: Array) -> bool:
    """Whether the camera called right stands to the left. Cameras above each other are never exchanged."""
    place = -R.T @ t
    x = np.array([1.0, 0, 0]) + R[0]
    y = np.array([0, 1.0, 0]) + R[1]
    return bool(place @ x < 0 and abs(place @ x) > abs(place @ y))


def _mirrored(found: Detection | None, board: Board) -> Detection | None:
    """Undo a mirrored picture: the detector numbers each row from the wrong end then."""
    moved = turned(found, "h")
    if moved is None:
        return None
    columns, rows = board.grid
    lattice = moved.points_px.reshape(rows, columns, 2)[:, ::-1]
    return dataclasses.replace(moved, points_px=np.ascontiguousarray(lattice.reshape(-1, 2)))


def _turned_whole(view: View, flip: Flip, board: Board) -> View:
    """Turn or mirror both pictures of a view."""
    left, right = (_mirrored(found, board) if flip == "h" else turned(found, flip) for found in (view.left, view.right))
    return dataclasses.replace(view, left=left, right=right)


def _reversed(found: Detection | None) -> Detection | None:
    if found is None:
        return None
    return dataclasses.replace(found, points_px=np.ascontiguousarray(found.points_px[::-1]))


def _turn_notes(flips: tuple[Flip, Flip]) -> tuple[str, ...]:
    side = "left" if flips[0] != "none" else "right"
    other = "right" if side == "left" else "left"
    flip = flips[0] if side == "left" else flips[1]
    if flip == "none":
        return ()
    words = {
        "180": "upside down", "90": "turned by 90° to the left", "270": "turned by 90° to the right",
        "h": "mirrored", "v": "mirrored top to bottom",
    }[flip]  # fmt: skip
    given = f"--flip {','.join(flips)}"
    told = f"The {side} picture is {words} against the {other} one; it is turned back ({given}), and the rig says so."
    what = "upside down" if flip == "180" else words.split()[0]
    return (f"{told} Use --flip for the {other} one instead if that is the one that is {what}.",)


def _mirrored_on_its_side() -> CalibrationError:
    return CalibrationError(
        "The right picture is mirrored and turned by 90° against the left one.",
        "Turn mirroring off in the camera's own settings, and take the pictures again.",
        {"rig": None, "verdict": "bad"},
    )


def _partner_notes(partners: dict[int, int], names: list[str]) -> tuple[str, ...]:
    if not partners:
        return ()
    told = ", ".join(f"left of {names[v]} with right of {names[w]}" for v, w in partners.items())
    return (f"Pictures are mixed up; these belong together: {told}.",)


def _no_common_pose(agree: int, total: int, shift: int = 0) -> CalibrationError:
    what = f"The pairs do not agree on how the two cameras stand to each other (only {agree} of {total} do)."
    if shift:
        by = f"{abs(shift)} {'picture' if abs(shift) == 1 else 'pictures'} {'later' if shift > 0 else 'earlier'}"
        return CalibrationError(
            f"{what} They would if each left picture were taken with the right one that comes {by}.",
            "A picture is missing or too many on one side: name the files so that those of one moment have one number.",
            {"views_used": agree, "rig": None, "verdict": "bad"},
        )
    return CalibrationError(
        what,
        "Check that the left and right pictures belong together, that both were taken at the same moment with the "
        "board held still, and that neither camera was moved or zoomed in between.",
        {"views_used": agree, "rig": None, "verdict": "bad"},
    )
