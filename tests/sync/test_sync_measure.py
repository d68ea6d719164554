"""The ways to measure, on tracks and rows made with exact truth: no rendering."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.rig import Intrinsics, StereoRig
from livestereo.sync.board import board_offset
from livestereo.sync.crossing import crossing_offset
from livestereo.sync.flash import flash_offset
from livestereo.sync.measure import measure
from livestereo.sync.motion import motion_offset
from livestereo.sync.offset import SyncRefused
from livestereo.sync.points import PairPoints
from livestereo.sync.recording import Recording, SideTrack, SyncRecorder, learn_times
from livestereo.types import Frame, StereoFrame

T = 1 / 30
SIZE = (640, 480)
READOUT_S = 0.020
GRID = np.stack([*np.meshgrid(np.arange(9) * 0.025, np.arange(6) * 0.025), np.zeros((6, 9))], -1).reshape(-1, 3)


class Corners:
    def __init__(self, points_px: np.ndarray) -> None:
        self.points_px = points_px.astype(np.float32)
        self.ids = np.arange(len(points_px), dtype=np.int32)


def rig() -> StereoRig:
    K = np.array([[540.0, 0, 319.5], [0, 540.0, 239.5], [0, 0, 1]])
    lens = Intrinsics(K, np.zeros(5), "pinhole", SIZE)
    return StereoRig(lens, lens, np.eye(3), np.array([-0.06, 0.0, 0.0]))


def stamps(phase_s: float, bias_s: float, frames: int = 360, jitter_s: float = 0.002) -> tuple[np.ndarray, ...]:
    """(true left, true right, left stamps, right stamps) of first rows."""
    rng = np.random.default_rng(5)
    left = 1.0 + np.arange(frames) * T
    right = left + phase_s
    late = rng.normal(0, jitter_s, (2, frames))
    return left, right, left + late[0], right + bias_s + late[1]


def recording(left_s, right_s, sides: tuple[SideTrack, SideTrack], points: tuple[PairPoints, ...] = ()) -> Recording:
    tl, period_l, jitter_l = learn_times(left_s, 30.0)
    tr, period_r, jitter_r = learn_times(right_s, 30.0)
    return Recording(
        *sides, (tl, tr), (period_l, period_r), (jitter_l, jitter_r), float(np.mean(tr - tl)), 0.0, 0.0, points
    )  # fmt: skip


def sides_of(left_s, right_s) -> tuple[SideTrack, SideTrack]:
    return tuple(SideTrack("none", list(map(float, s)), size_wh=SIZE) for s in (left_s, right_s))  # type: ignore[return-value]


def waved(t: np.ndarray) -> np.ndarray:
    """Where the waved board's corner is at times (n,): metres, (n,3)."""
    x = -0.1 + 0.05 * np.sin(2 * np.pi * 0.31 * t)
    y = -0.06 + 0.07 * np.sin(2 * np.pi * 0.9 * t) + 0.02 * np.sin(2 * np.pi * 1.7 * t + 1)
    return np.stack([x, y, 0.55 + 0.05 * np.sin(2 * np.pi * 0.23 * t)], -1)


def project(points: np.ndarray, right: bool) -> np.ndarray:
    p = points - np.array([0.06 if right else 0.0, 0, 0])
    return p[:, :2] / p[:, 2:] * 540 + np.array([319.5, 239.5])


def rolled(at_s: float, right: bool, where) -> np.ndarray:
    """Pixels of moving points, each at the moment when its own row is read."""
    t = np.full(len(GRID), at_s)
    for _ in range(4):
        pixels = project(where(t), right)
        t = at_s + pixels[:, 1] / SIZE[1] * READOUT_S
    return pixels


def board_recording(phase_s: float, bias_s: float, still: bool = False) -> Recording:
    rng = np.random.default_rng(2)
    left, right, left_s, right_s = stamps(phase_s, bias_s)
    sides = sides_of(left_s, right_s)

    def where(t):
        return GRID + (waved(np.zeros_like(t)) if still else waved(t))

    for side, times, is_right in zip(sides, (left, right), (False, True)):
        side.corners = [Corners(rolled(t, is_right, where) + rng.normal(0, 0.1, (54, 2))) for t in times]
        side.rows = [np.full(120, 90, np.float32) + rng.normal(0, 0.3, 120).astype(np.float32) for _ in times]
        side.motion = [(0.0, 0.0, 0.0)] * len(times)
    return recording(left_s, right_s, sides)


@pytest.mark.parametrize(("phase_ms", "bias_ms"), [(0.5, 0.0), (9.0, -4.0), (15.5, 3.0)])
def test_a_waved_board_gives_the_skew_to_half_a_millisecond(phase_ms: float, bias_ms: float) -> None:
    made = board_recording(phase_ms / 1e3, bias_ms / 1e3)
    result = measure(made, object_points=GRID, rig=rig())
    assert result.method == "board"
    error = abs(result.skew_s * 1e3 - phase_ms)
    assert error <= 0.5 and error <= result.uncertainty_s * 1e3
    # Two clocks of 360 stamps with 2 ms of jitter know their middle to 0.15 ms.
    assert abs(result.stamp_bias_s * 1e3 + bias_ms) <= result.stamp_bias_uncertainty_s * 1e3 + 0.1


def test_a_board_held_still_is_refused() -> None:
    with pytest.raises(SyncRefused, match="hardly moves"):
        board_offset(board_recording(0.009, 0.0, still=True), GRID, rig())


def flash_recording(phase_s: float, count: int) -> Recording:
    rng = np.random.default_rng(8)
    left, right, left_s, right_s = stamps(phase_s, 0.002)
    sides = sides_of(left_s, right_s)
    exposure_s, rows = 0.008, np.arange(240) / 240
    flashes = 1.5 + np.arange(count) * 1.07 + rng.uniform(0, T, count)
    for side, times in zip(sides, (left, right)):
        for t in times:
            off = np.abs(t + rows * READOUT_S - flashes[:, None])
            lit = np.clip((exposure_s / 2 + 0.0005 - off) / 0.001, 0, 1).sum(axis=0)
            side.rows.append((80 * (1 + 0.7 * lit) + rng.normal(0, 0.5, 240)).astype(np.float32))
            side.motion.append((0.0, 0.0, 0.0))
            side.corners.append(None)
    return recording(left_s, right_s, sides)


@pytest.mark.parametrize("phase_ms", [1.0, 8.0, 15.0])
def test_flashes_with_the_row_time_give_the_skew_to_half_a_millisecond(phase_ms: float) -> None:
    made = flash_recording(phase_ms / 1e3, 9)
    offset = flash_offset(made, (READOUT_S, READOUT_S))
    error = abs((made.stamp_skew_s - offset.shift_s) * 1e3 - phase_ms)
    assert error <= 0.5 and error <= offset.uncertainty_s * 1e3


def test_without_the_row_time_the_uncertainty_says_so() -> None:
    made = flash_recording(0.006, 9)
    offset = flash_offset(made)
    error = abs((made.stamp_skew_s - offset.shift_s) - 0.006)
    assert error <= offset.uncertainty_s
    assert any("row time was estimated" in note for note in offset.notes)


def test_flashes_that_leave_the_row_time_open_are_refused() -> None:
    # Only flashes in the first third of the frame: none reaches from one frame into the next.
    made = flash_recording(0.001, 60)
    for side in (made.left, made.right):
        side.rows = [np.where(np.arange(240) < 90, row, np.float32(80)) for row in side.rows]
    with pytest.raises(SyncRefused, match="leave the row time open") as told:
        flash_offset(made)
    assert "--readout" in told.value.fix


def test_no_flash_is_refused() -> None:
    with pytest.raises(SyncRefused, match="0 flashes could be seen"):
        flash_offset(flash_recording(0.006, 0))


def crossing_recording(phase_s: float, *, vertical: bool = True) -> Recording:
    """A cloud of still points, and a hand of points that goes up and down (or only sideways)."""
    rng = np.random.default_rng(3)
    left, right, left_s, right_s = stamps(phase_s, 0.0)
    still = rng.uniform([-0.8, -0.6, 1.5], [0.8, 0.6, 3.0], (30, 3))
    hand = rng.uniform([-0.1, -0.1, 0.9], [0.1, 0.1, 1.0], (24, 3))
    axis = np.array([0.0, 0.15, 0.0]) if vertical else np.array([0.15, 0.0, 0.0])

    def at(t: float, is_right: bool) -> np.ndarray:
        def swing(moments):
            return (np.sin(2 * np.pi * 0.7 * moments) + 0.3 * np.sin(2 * np.pi * 1.9 * moments))[:, None] * axis

        moments = np.full(len(hand), t)
        for _ in range(4):
            pixels = project(hand + swing(moments), is_right)
            moments = t + pixels[:, 1] / SIZE[1] * READOUT_S
        return np.concatenate([project(still, is_right), pixels])

    points = []
    for k in range(1, len(left) - 1, 2):
        seen = [at(left[k], False), *(at(right[j], True) for j in (k - 1, k, k + 1))]
        seen = [p + rng.normal(0, 0.1, p.shape) for p in seen]
        velocity = (seen[3] - seen[1]) / 2
        points.append(PairPoints(k, *(p.astype(np.float32) for p in (seen[0], seen[2], velocity))))
    return recording(left_s, right_s, sides_of(left_s, right_s), tuple(points))


@pytest.mark.parametrize("phase_ms", [0.0, 7.0, 16.0])
def test_what_moves_up_and_down_gives_the_skew_to_three_milliseconds(phase_ms: float) -> None:
    made = crossing_recording(phase_ms / 1e3)
    for known in ((None, None), (READOUT_S, READOUT_S)):
        offset = crossing_offset(made, rig(), known)
        error = abs((made.stamp_skew_s - offset.shift_s) * 1e3 - phase_ms)
        assert error <= 3.0 and error <= offset.uncertainty_s * 1e3


def test_what_moves_only_along_the_rows_is_refused() -> None:
    with pytest.raises(SyncRefused, match="up and down"):
        crossing_offset(crossing_recording(0.007, vertical=False), rig())


def rhythm_recording(lag_s: float, frames: int = 450, repeats: bool = False) -> Recording:
    """Both cameras see one irregular (or regular) motion as mean flow; the right film starts `lag_s` later."""
    rng = np.random.default_rng(6)
    left = np.arange(frames) * T
    sides = sides_of(left, left)
    hz, phase = rng.uniform(0.5, 3.5, 9), rng.uniform(0, 6.28, 9)
    hz = hz if not repeats else np.full(9, 2.0)

    def speed(t):
        return np.sin(2 * np.pi * hz * t[:, None] + phase).sum(axis=1)

    for side, times in zip(sides, (left, left + lag_s)):
        u = 0.03 * speed(times) * T
        v = 0.02 * speed(times + 0.7) * T
        for a, b in zip(u, v):
            side.motion.append((float(a), float(b), float(np.hypot(a, b)) + 0.001))
            side.rows.append(np.full(120, 90, np.float32))
            side.corners.append(None)
    return recording(left, left, sides)


def test_films_frames_apart_are_found_by_their_rhythm() -> None:
    made = rhythm_recording(0.2105)
    offset = motion_offset(made)
    assert abs(offset.shift_s + 0.2105) <= offset.uncertainty_s
    result = measure(made, free_running=False)
    assert result.method == "motion" and abs(result.stamp_bias_s - 0.2105) <= result.uncertainty_s


def test_motion_that_repeats_itself_is_refused() -> None:
    with pytest.raises(SyncRefused, match="repeats itself"):
        motion_offset(rhythm_recording(0.05, repeats=True))


def test_the_skew_of_cameras_is_that_of_the_best_partners() -> None:
    made = board_recording(0.014, 0.010, still=False)
    result = measure(made, object_points=GRID, rig=rig())
    # Stamps say 24 ms, which is nearer to the frame before: the true skew of the best pairs is 14 ms all the same.
    assert abs(result.skew_s - 0.014) < 0.0005
    films = measure(made, object_points=GRID, rig=rig(), free_running=False)
    assert abs(films.skew_s - 0.014) < 0.0005


def test_pairs_with_the_partner_one_frame_off_do_not_bend_the_skew() -> None:
    rng = np.random.default_rng(6)
    pictures = rng.integers(0, 255, (2, 48, 64, 3), np.uint8)
    recorder = SyncRecorder()
    for k in range(120):
        # Near half a period apart: until the clocks are learnt, the frame before is taken for the partner.
        right_s = 1 + k * T + 0.0158 - (T if k < 30 else 0.0)
        left = Frame(pictures[0], 1 + k * T + rng.normal(0, 1e-4), k)
        recorder.add(StereoFrame(left, Frame(pictures[1], right_s + rng.normal(0, 1e-4), k), k, 0.0))
    made = recorder.recording((30.0, 30.0))
    assert abs(made.stamp_skew_s - 0.0158) < 0.0003
