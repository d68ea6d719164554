"""Rectify two pictures with no rig: from matched points, with as little warping as will do; relative depth.

    rectification = rectify_pair(left_bgr, right_bgr)          # leaves a pair alone that is rectified already
    rectification = rectify_from_matches(left_bgr, right_bgr)  # always fits

Refused with the reason where the matches do not carry it. What is said of the result's error is measured on
matches that were not used to fit it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import CalibrationError
from calibration.framing import rotations
from calibration.lens import rays_of_pixels
from calibration.matches import Matches, find_matches
from calibration.order import SURE, exchanged
from calibration.quality import SURELY_PLAIN, VerticalError, arrangement, row_differences, why_unknown
from calibration.rectify import Rectification, identity_rectification, make_rectification
from calibration.rig import Array, StereoRig
from calibration.twoview import ORDINARY_FOCAL, Motion, TwoView, any_motion, fit_two_view

U8 = NDArray[np.uint8]

# Nine of ten matched points within this many pixels of their row: the pair counts as rectified.
RECTIFIED_UP_TO_PX = 1.0
# So many of the points this far on the wrong side of 0 are no wrong matches.
_CLEARLY_BEHIND_PX, _SHARE_BEHIND = 1.0, 0.05
_FOLDS = 4
_LEAST_MATCHES = 30
# The fit must hold on matches that it has not seen: this, or so many parts of the picture's width if that is more.
_WORST_MEDIAN_PX = 1.0
_WORST_PART = 1 / 1500
_WORST_P90 = 4.0
_LEAST_FIELD = 0.35

# A motion that is no ordinary one is told where matches miss it by so much less.
_CLEARLY_LESS = 0.4
_LIKELY = 2.0  # standard deviations
_TELLING_MATCHES = 100  # a few fit some motion or other
_FAR_APART_DEG, _MOSTLY = 30.0, 0.8

Focal = tuple[float | None, float | None]
_ADVICE = (
    "Take both photos of a still scene with texture and things at several distances, moving the camera only sideways; "
    "or calibrate the two cameras with `livestereo calibrate`; if the pair is rectified already, say --rectified."
)


@dataclass(frozen=True)
class PairFit:
    """A pair rectified from its matches.

    before, heldout: row differences of the raw pictures, and after rectification on matches left out of the fit (in
    turn, a quarter each). view: the rig that was fitted. matches: those that were used.
    """

    rectification: Rectification
    before: VerticalError
    heldout: VerticalError
    view: TwoView
    matches: Matches


def rectify_pair(left_bgr: U8, right_bgr: U8, *, focal_px: Focal = (None, None)) -> Rectification:
    """Rectify a pair if it needs it; a pair whose points lie on common rows already is left as it is.

    left_bgr, right_bgr: (H,W,3) or (H,W) uint8. focal_px: of each picture, where known. The result's `notes` say
    what was done; it is never metric.

    Raises:
        CalibrationError: nothing can be said of the pair, or it needs a rectification that its matches do not carry.
    """
    matches, why = _match(left_bgr, right_bgr)
    if len(matches) <= SURELY_PLAIN and arrangement(*_grays(left_bgr, right_bgr), matches=matches).mirrored:
        raise CalibrationError("One picture is a mirror image of the other.", "Use --flip h,none or none,h.")
    if why:
        raise CalibrationError(f"Whether the pair is rectified cannot be told. {why}", _ADVICE)
    before = row_differences(matches.left_px, matches.right_px)
    median, p90 = before.median_px or 0.0, before.p90_px or 0.0
    same_size = left_bgr.shape[:2] == right_bgr.shape[:2]
    wrong_way = before.swapped is True and same_size and median <= RECTIFIED_UP_TO_PX
    told = _exchanged(left_bgr, right_bgr, matches.left_px[:, 0] - matches.right_px[:, 0]) if wrong_way else 0.0
    order = told > 0 if abs(told) >= SURE else None
    as_it_is = _as_it_is(left_bgr, focal_px, matches, before, order)
    if same_size and p90 <= RECTIFIED_UP_TO_PX and not order:
        return as_it_is
    try:
        fit = fit_pair(left_bgr, right_bgr, focal_px=focal_px, matches=matches)
    except CalibrationError:
        if same_size and median <= RECTIFIED_UP_TO_PX:
            return as_it_is
        raise
    if same_size and median <= RECTIFIED_UP_TO_PX and not order and (fit.heldout.p90_px or 0.0) > 0.7 * p90:
        return as_it_is  # what is left is the matches' own noise: no warp would mend it
    return fit.rectification


def rectify_from_matches(left_bgr: U8, right_bgr: U8, *, focal_px: Focal = (None, None)) -> Rectification:
    """Rectify a pair from its matches, (H,W,3) or (H,W) uint8; see `fit_pair`."""
    return fit_pair(left_bgr, right_bgr, focal_px=focal_px).rectification


def fit_pair(left_bgr: U8, right_bgr: U8, *, focal_px: Focal = (None, None), matches: Matches | None = None) -> PairFit:
    """Find the rig that explains the matches of a pair, and rectify with it.

    The result's depth is relative (baseline 1). Its disparities may be negative: `min_disparity_px` and
    `disparity_span_px` say the range, and `doffs_px` is such that everything matched lies in front of the cameras.

    Raises:
        CalibrationError: too few matches, or matches that no one rig explains; with the reason.
    """
    if matches is None:
        matches, why = _match(left_bgr, right_bgr)
        if why:
            raise CalibrationError(f"The pair cannot be rectified. {why}", _ADVICE)
    if len(matches) < _LEAST_MATCHES:
        raise CalibrationError(f"The pair cannot be rectified: only {len(matches)} points could be matched.", _ADVICE)
    try:
        return _fit(matches, (left_bgr, right_bgr), focal_px, plain_lenses=False)
    except CalibrationError as refused:
        try:
            return _fit(matches, (left_bgr, right_bgr), focal_px, plain_lenses=True)
        except CalibrationError:
            raise refused from None


def _fit(matches: Matches, pictures: tuple[U8, U8], focal_px: Focal, *, plain_lenses: bool) -> PairFit:
    sizes = tuple((picture.shape[1], picture.shape[0]) for picture in pictures)
    before = row_differences(matches.left_px, matches.right_px)
    direction = _direction(matches)

    def fit(part: Matches) -> TwoView:
        return fit_two_view(part, sizes[0], sizes[1], focal_px=focal_px, direction=direction, plain_lenses=plain_lenses)

    try:
        view, rectification = _right_way_round(fit(matches), matches, pictures)
    except CalibrationError as error:
        raise CalibrationError(f"The pair cannot be rectified from its matches. {error.what}", _ADVICE) from None
    heldout = _hold_out(matches, fit, rectification.focal_px)
    worst = max(_WORST_MEDIAN_PX, _WORST_PART * max(sizes[0]))
    median, p90 = heldout.median_px, heldout.p90_px
    if median is None or p90 is None or median > worst or p90 > _WORST_P90 * worst:
        told = "" if median is None else f" (on matches held out it misses by {median:.1f} px, one in ten by {p90:.1f})"
        other = any_motion(matches, sizes[0], sizes[1], focal_px) if len(matches) >= _TELLING_MATCHES else None
        why = _unordinary(other, median) or (
            f"its {len(matches)} matched points fit no one camera motion{told}. Something moved between the photos, "
            "a pattern repeats, or the lens is too wide."
        )
        raise CalibrationError(f"The pair cannot be rectified: {why}", _ADVICE)
    kept = _field_kept(rectification)
    if kept < _LEAST_FIELD:
        raise CalibrationError(
            f"The pair cannot be rectified: the motion that its {len(matches)} matched points fit would leave only "
            f"{100 * kept:.0f} % of the picture.",
            _ADVICE,
        )
    was = f"{before.median_px or 0:.2f} px, one in ten above {before.p90_px or 0:.1f} px; now "
    if sizes[0] != sizes[1]:
        was = ""  # rows of pictures of different sizes have nothing in common
    note = (
        f"No rig: rectified from {len(matches)} matched points (vertical error {was}{median:.2f} and {p90:.1f} px on "
        "points held out); depth is relative."
    )
    good = np.abs(view.residual_px) < 4 * view.sigma_px
    rectification = _with_range(
        replace(rectification, notes=(note, *rectification.notes)), _disparity(rectification, matches.pick(good))
    )
    return PairFit(rectification, before, heldout, view, matches)


def _match(left: U8, right: U8) -> tuple[Matches, str]:
    grays = _grays(left, right)
    found = find_matches(*grays, most=2500)
    return found, why_unknown(found, *grays)


def _grays(left: U8, right: U8) -> tuple[U8, U8]:
    one, other = (
        picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        for picture in (left, right)
    )
    return one, other


def _exchanged(left: U8, right: U8, disparity: Array) -> float:
    low, high = (float(value) for value in np.nanpercentile(disparity, (2, 98)))
    return exchanged(left, right, low, high)


def _as_it_is(picture: U8, focal_px: Focal, matches: Matches, rows: VerticalError, order: bool | None) -> Rectification:
    """Give the rectification that changes nothing, with the range of what was matched where that is no usual one.

    order: whether they are exchanged, as far as it is known, where everything moves the wrong way.
    """
    size = (picture.shape[1], picture.shape[0])
    made = identity_rectification(size, next((f for f in focal_px if f), ORDINARY_FOCAL * max(size)))
    note = f"No rig: the pair counts as rectified (vertical error {rows.median_px or 0.0:.2f} px); depth is relative."
    disparity = matches.left_px[:, 0] - matches.right_px[:, 0]
    if rows.swapped and order:
        return replace(made, notes=(note, "Left and right are exchanged: use --swap."))
    if rows.swapped and order is None:
        wrong = (
            "Nearly everything moves the wrong way: left and right are exchanged (use --swap), or one picture was "
            f"shifted against the other (use --min-disparity {_with_range(made, disparity).min_disparity_px})."
        )
        return replace(made, notes=(note, wrong))
    if float(np.mean(disparity < -_CLEARLY_BEHIND_PX)) < _SHARE_BEHIND:
        return replace(made, notes=(note,))
    # Pictures of cameras that converge, or shifted for a screen: parallel cameras' infinity is not at 0.
    made = _with_range(made, disparity)
    behind = f"Far things lie at negative disparity: it is searched from {made.min_disparity_px} px on."
    return replace(made, notes=(note, behind))


def _direction(matches: Matches) -> tuple[float, float]:
    """Which way the baseline runs in the picture: along x, unless points at different depths part along y."""
    moved = matches.right_px - matches.left_px
    if abs(matches.rotation_deg) > 20:
        return -1.0, 0.0
    # What is the same for all points, or linear in their place, is rotation and zoom; depth shows in the rest.
    place = np.column_stack([np.ones(len(matches)), matches.left_px])
    rest = moved - place @ np.linalg.lstsq(place, moved, rcond=None)[0]
    spread = np.median(np.abs(rest), axis=0)
    if spread[1] > 2 * spread[0] and spread[1] > 0.5:
        return (0.0, -1.0) if np.median(moved[:, 1]) < 0 else (0.0, 1.0)
    return -1.0, 0.0


def _hold_out(matches: Matches, fit: Callable[[Matches], TwoView], focal_px: float) -> VerticalError:
    """Row differences of all matches at a focal length, each rectified by a fit that did not see it."""
    folds = np.random.default_rng(0).permutation(len(matches)) % _FOLDS
    rows = np.full((2, len(matches)), np.nan)
    for fold in range(_FOLDS):
        out = folds == fold
        rig = fit(matches.pick(~out)).rig
        try:
            turns = rotations(rig)[:2]
        except CalibrationError:
            continue
        for side, (camera, R, px) in enumerate(
            zip((rig.left, rig.right), turns, (matches.left_px[out], matches.right_px[out]))
        ):
            rays = rays_of_pixels(camera, px) @ R.T
            rows[side, out] = focal_px * rays[:, 1] / rays[:, 2]
    # Only rows matter here: the columns are those of the raw pictures.
    return row_differences(
        *(np.column_stack([px[:, 0], row]) for px, row in zip((matches.left_px, matches.right_px), rows))
    )


def _right_way_round(
    view: TwoView, matches: Matches, pictures: tuple[U8, U8]
) -> tuple[TwoView, Rectification]:  # fmt: skip
    """Rectify, with the baseline turned around where the pictures are exchanged.

    The epipolar geometry alone cannot tell. What hides what can; where that shows too little, depth can, if every point
    would lie behind the cameras and yaw is known well enough to say which points are far.
    """
    made = make_rectification(view.rig, metric=False)
    disparity = _disparity(made, matches)
    nearness = disparity + made.doffs_px
    doubt = max(3 * view.spread["yaw"] * made.focal_px, 2.0)
    behind = np.nanpercentile(nearness, 95) < 0 and np.nanmedian(nearness) < -doubt
    told = _exchanged(made.apply(pictures[0], "left"), made.apply(pictures[1], "right"), disparity)
    if told >= SURE or (behind and told > -_LIKELY):  # few exchange them
        rig = view.rig
        view = replace(view, rig=StereoRig(rig.left, rig.right, rig.R_right_left, -rig.t_right_left_m))
        made = make_rectification(view.rig, metric=False)
    return view, made


def _disparity(rectification: Rectification, matches: Matches) -> Array:
    left = rectification.rectify_points(matches.left_px, "left")
    right = rectification.rectify_points(matches.right_px, "right")
    return np.asarray(left[:, 0] - right[:, 0])


def _unordinary(motion: Motion | None, missed_px: float | None) -> str:
    """Say how the cameras stand where the matches fit a motion that leaves no common view; empty where they do not.

    missed_px: by how much matches held out miss their rows if cameras stand side by side.
    """
    if motion is None or missed_px is None or motion.noise_px > _CLEARLY_LESS * missed_px:
        return ""
    if motion.apart_deg > _FAR_APART_DEG:
        return f"the cameras look about {motion.apart_deg:.0f}° apart."
    if motion.forward > _MOSTLY:
        return "the second photo was taken from before or behind the first, not from beside it."
    return ""


def _with_range(rectification: Rectification, disparity: Array) -> Rectification:
    """Fill in the range of matched points' disparities (N,), with room for what lies between and before them."""
    low, high = (float(v) for v in np.nanpercentile(disparity, (2, 98)))
    span = max(high - low, 8.0)
    least = int(np.floor(low - 0.15 * span - 3))
    most = int(np.ceil(high + 0.3 * span + 6))
    # Yaw is known to a few pixels at best: the farthest matched point is put at a finite distance.
    doffs = max(rectification.doffs_px, -low + 0.05 * span)
    return replace(rectification, min_disparity_px=least, disparity_span_px=most - least, doffs_px=doffs)


def _field_kept(rectification: Rectification) -> float:
    """Part of the narrower camera's field that the rectified pictures share, at equal resolution."""
    rig = rectification.rig
    assert rig is not None
    fields = []
    for camera, side in ((rig.left, "left"), (rig.right, "right")):
        w, h = rectification.source_size_wh[side]
        fields.append(w * h / camera.focal_px**2)
    roi_w, roi_h = rectification.roi[2:]
    return roi_w * roi_h / rectification.focal_px**2 / min(fields)
