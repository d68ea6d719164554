"""The offset from a moving calibration board: only at the true offset do the two cameras' rays to each corner meet.

Every corner leaves a track on each camera, each point of it taken at its own row's time. For an offset, the right
track is interpolated to the moments of the left one, and the epipolar residual (Sampson's first-order distance;
Hartley and Zisserman, Multiple View Geometry, 2nd ed., 11.4.3) says how far the rays miss. Offset, relative pose and
readouts are solved together, so that a rig that has moved a little does not spoil the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calibration.rig import StereoRig
from livestereo.sync.board_lens import lens_without
from livestereo.sync.board_problem import Problem
from livestereo.sync.board_start import Start, starts_of
from livestereo.sync.offset import Array, Offset, SyncRefused, jackknife, t95, time_blocks
from livestereo.sync.recording import Recording
from livestereo.sync.tracks import Track, tracks_of

LEAST_VIEWS = 25
BLOCKS = 10
SYSTEMATIC_S = 0.0001
READOUT_KNOWN_S = 0.001
MOST_UNCERTAIN_S, MOST_UNCERTAIN_FAR_S = 0.003, 0.03
FAR = 2  # frame periods


def board_offset(
    recording: Recording,
    object_points: Array,
    rig: StereoRig | None = None,
    readout_s: Sequence[float | None] = (None, None),
    *,
    either_end: bool = False,
) -> Offset:
    """Measure by a board. object_points: (C,3) of its corners by id. rig: the calibration, where there is one; else
    lenses and pose are estimated from the board's views. either_end: the board looks the same turned by 180°.

    Raises:
        SyncRefused: the board was seen too seldom, or moved too little across the epipolar lines.
    """
    seen = [sum(corners is not None for corners in track.corners) for track in (recording.left, recording.right)]
    if min(seen) < LEAST_VIEWS:
        raise SyncRefused(
            f"The board was found in {seen[0]} left and {seen[1]} right pictures of {recording.pairs} pairs; at least "
            f"{LEAST_VIEWS} of each are needed.",
            "Move the board slowly up and down where both cameras see all of it.",
        )
    tracks = tracks_of(recording, len(object_points), either_end=either_end)
    starts = starts_of(tracks, object_points, rig)
    first, *others = [_solved(tracks, start, readout_s) for start in starts]
    # Where the focal length is open, so is the offset, by what it makes of it.
    spread = max((abs(other.shift_s - first.shift_s) for other in others), default=0.0)
    uncertainty = float(np.hypot(first.uncertainty_s, spread))
    # Films that are many frames apart are worth a rough answer; cameras are not.
    far = abs(first.shift_s - recording.stamp_skew_s) > FAR * max(recording.period_s)
    if not uncertainty < (MOST_UNCERTAIN_FAR_S if far else MOST_UNCERTAIN_S):
        raise SyncRefused(
            f"The board's motion leaves the offset uncertain by {uncertainty * 1e3:.1f} ms.",
            "Move the board up and down, faster, where both cameras see all of it"
            + ("; tilt it too, or give --rig." if others else "."),
        )
    notes = first.notes
    if uncertainty > MOST_UNCERTAIN_S:
        notes += ("This is a rough answer: give it with --shift and measure again.",)
    if starts[0].guesses:
        notes += ("Without a rig the lenses were estimated from these views; with --rig it is surer.",)
    elif others:
        notes += ("The views do not tell the lenses, so usual ones were taken: tilt the board too, or give --rig.",)
    return replace(first, uncertainty_s=uncertainty, notes=notes)


def _solved(tracks: tuple[Track, Track], start: Start, readout_s: Sequence[float | None]) -> Offset:
    """Solve from one start.

    Raises:
        SyncRefused: the board moved too little across the epipolar lines.
    """
    problem = Problem(tracks, start, readout_s)
    solution, linear = problem.solve(problem.start())
    focal = problem.focal_px
    if not linear.pulled_s < MOST_UNCERTAIN_S:
        raise SyncRefused(
            "The board hardly moves up and down, so it tells nothing of time.",
            "Move the board up and down where both cameras see all of it.",
        )
    by_lens = [problem.by_lens(solution, side)[linear.rows] for side in range(len(start.guesses))]

    def estimate(keep: NDArray[np.bool_]) -> float:
        # Without some stretch of time the lenses, too, would have been found a little different.
        out = linear.moments[~keep]
        moved = np.zeros(len(linear.residuals))
        for guess, derivatives in zip(start.guesses, by_lens):
            moved += np.nan_to_num(derivatives) @ lens_without(guess, float(out.min()), float(out.max()))
        return float(solution[5] + linear.step(keep, moved)[5])

    error, used = jackknife(estimate, time_blocks(linear.moments, BLOCKS))
    known = all(deviation < READOUT_KNOWN_S for _, deviation in problem.priors)
    uncertainty = float(np.hypot(t95(used - 1) * error, SYSTEMATIC_S * (1 if known else 3))) + linear.pulled_s
    left_s, right_s = float(solution[6]), float(solution[7])
    residual_px = float(np.nanmedian(np.abs(problem.residuals(solution)))) * focal
    notes = (f"The corners meet to {residual_px:.2f} px.",)
    return Offset(float(solution[5]), uncertainty, "board", (left_s, right_s), known, notes)
