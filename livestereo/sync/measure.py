"""Choose the method, and turn its offset into what people and scripts are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.rig import StereoRig
from livestereo.phase import SAME_RATE
from livestereo.skew import worst_row_skew_s
from livestereo.sync.board import board_offset
from livestereo.sync.crossing import crossing_offset
from livestereo.sync.flash import flash_offset
from livestereo.sync.motion import motion_offset
from livestereo.sync.offset import Array, Offset, SyncRefused
from livestereo.sync.recording import Recording


@dataclass(frozen=True)
class SyncResult:
    """When the cameras really expose.

    skew_s: true skew of a pair, right − left, in the middle of the measurement. uncertainty_s: half width of its
    95 % interval. drift: change of skew per second; drift_uncertainty likewise. stamp_bias_s: true skew − stamp
    skew; its own uncertainty is larger than that of the skew by what the stamps themselves are unsure of.
    stamp_skew_s: what the stamps alone say of the pairs. pair_skew_s: true skew of the pairs as they were made;
    another than `skew_s` where better partners exist once the bias is known. readout_s: first row to last (left,
    right), or None; worst_row_skew_s: where rows differ. refused: why better methods could not tell.
    """

    skew_s: float
    uncertainty_s: float
    method: str
    drift: float
    drift_uncertainty: float
    stamp_bias_s: float
    stamp_bias_uncertainty_s: float
    stamp_skew_s: float
    pair_skew_s: float
    readout_s: tuple[float, float] | None = None
    readout_known: bool = False
    worst_row_skew_s: float | None = None
    notes: tuple[str, ...] = ()
    refused: tuple[SyncRefused, ...] = ()


def measure(
    recording: Recording,
    *,
    object_points: Array | None = None,
    rig: StereoRig | None = None,
    readout_s: Sequence[float | None] = (None, None),
    free_running: bool = True,
    either_end: bool = False,
) -> SyncResult:
    """Measure by every method that can tell here (a board, flashes, motion) and take the surest.

    object_points: (C,3) of the board's corners by id, where a board was shown. free_running: pairs are made by
    stamps and can be made anew; False for films that are paired by number. either_end: the board looks the same
    turned by 180°.

    Raises:
        SyncRefused: no method can tell; says why, and what would help.
    """
    ways: list[Callable[[], Offset]] = [
        lambda: flash_offset(recording, readout_s),
        lambda: crossing_offset(recording, rig, readout_s),
        lambda: motion_offset(recording),
    ]
    if object_points is not None:
        points = object_points
        ways.insert(0, lambda: board_offset(recording, points, rig, readout_s, either_end=either_end))
    found: list[Offset] = []
    refused: list[SyncRefused] = []
    for way in ways:
        try:
            found.append(way())
        except SyncRefused as error:
            refused.append(error)
    if not found:
        raise _why_none(refused, board=object_points is not None)
    best = _best(found, recording)
    notes = [*best.notes, *_contradictions(best, found)]
    if object_points is not None and not any(offset.method == "board" for offset in found):
        notes.append(f"The board could not tell: {refused[0].what}")
    flashed = next((error for error in refused if error.details.get("flashes", 0)), None)
    if flashed is not None and best.method not in ("board", "flash"):
        notes.append(f"Flashes were seen, but could not tell: {flashed.what} {flashed.fix}")
    return to_result(recording, best, notes, refused, free_running=free_running)


def _best(found: Sequence[Offset], recording: Recording) -> Offset:
    """The surest; but where one says that the sides are frames apart, those that look within a frame cannot tell."""
    reach = 1.5 * max(recording.period_s)
    far = [o for o in found if abs(o.shift_s - recording.stamp_skew_s) > reach and o.method != "flash"]
    near = [o for o in found if o not in far]
    if far and not any(o.method in ("board", "flash") for o in near):
        return min(far, key=lambda offset: offset.uncertainty_s)
    return min(found, key=lambda offset: offset.uncertainty_s)


def _why_none(refused: Sequence[SyncRefused], *, board: bool) -> SyncRefused:
    """One message of all refusals: the board's first, as it was asked for; else that of motion across the rows.

    Where somebody flashed, the reason why flashes could not tell is what helps.
    """
    flashed = refused[-3] if refused[-3].details.get("flashes", 0) else None
    first = refused[0] if board else flashed or refused[-2]
    others = [error.what for error in refused if error is not first]
    return SyncRefused(first.what, first.fix, {"refused": [first.what, *others]})


def _contradictions(best: Offset, found: Sequence[Offset]) -> list[str]:
    """Tell of another method that does not agree within what both say of themselves."""
    told = []
    for other in found:
        apart = abs(other.shift_s - best.shift_s)
        if other.method != best.method and apart > 1.5 * (best.uncertainty_s + other.uncertainty_s):
            told.append(
                f"The measurement by {other.method} disagrees by {apart * 1e3:.1f} ms: repeat it, in a quieter scene."
            )
    return told


def to_result(
    recording: Recording, offset: Offset, notes: Sequence[str], refused: Sequence[SyncRefused], *, free_running: bool
) -> SyncResult:
    """Put an offset together with what the stamps say."""
    paired = recording.stamp_skew_s - offset.shift_s
    skew = paired
    periods = recording.period_s
    if free_running and abs(periods[0] / periods[1] - 1) < SAME_RATE:
        period = sum(periods) / 2
        skew = paired - period * round(paired / period)
    turns = (recording.left.turn, recording.right.turn)
    worst = worst_row_skew_s(skew, offset.readout_s, turns) if offset.readout_s is not None else None
    # How sure the learnt clocks are of the stamps' middle: the bias needs them, the skew of the pictures does not.
    clocks = 2 * float(np.hypot(*recording.jitter_s)) / np.sqrt(max(1, recording.pairs))
    return SyncResult(
        skew_s=skew,
        uncertainty_s=offset.uncertainty_s,
        method=offset.method,
        drift=recording.drift,
        drift_uncertainty=recording.drift_uncertainty,
        stamp_bias_s=-offset.shift_s,
        stamp_bias_uncertainty_s=float(np.hypot(offset.uncertainty_s, clocks)),
        stamp_skew_s=recording.stamp_skew_s,
        pair_skew_s=paired,
        readout_s=offset.readout_s,
        readout_known=offset.readout_known,
        worst_row_skew_s=worst,
        notes=tuple(notes),
        refused=tuple(refused),
    )
