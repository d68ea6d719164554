"""Guided capture from beginning to end: the demo, a killed session, a window's keys, a film that is cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from synthetic.board_scenes import depth_error_percent, seen_points

from calibration.advice import Goal
from calibration.boards import parse_board
from calibration.errors import CalibrationError
from calibration.session import Session
from calibration.solve import solve
from livestereo.errors import IncompleteSource
from livestereo.guided import STEERING, Capture, Captured, Moment
from livestereo.sources import open_source
from livestereo.sources.demo.lens import make_rig
from livestereo.sources.request import SourceRequest
from livestereo.types import CaptureStats, SourceInfo, StereoFrame

BOARD = parse_board("chessboard:9x6:25mm")
# Eight pictures per second show each pose long enough to be seen still, and cost a quarter of thirty.
DEMO = "demo:board,fps=8"


@pytest.fixture(scope="module")
def guided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Captured, Session]:
    """The demo's board through the guide, to a goal that takes more than the fewest views."""
    session = Session(tmp_path_factory.mktemp("session"), BOARD)
    with open_source([DEMO], SourceRequest()) as source:
        captured = Capture(BOARD, session, Goal(1.0, 2.0)).run(source)
    return captured, session


class Shown:
    """A window that keeps what it was shown, and presses keys when it is told to: (at which moment, which key)."""

    def __init__(self, *keys: tuple[int, str]) -> None:
        self.moments: list[Moment] = []
        self._keys = list(keys)

    def show(self, frame: StereoFrame, moment: Moment) -> None:
        self.moments.append(moment)

    def pressed(self) -> list[str]:
        now = [key for at, key in self._keys if at <= len(self.moments)]
        self._keys = [(at, key) for at, key in self._keys if at > len(self.moments)]
        return now


class Frames:
    """A source of ready frames; then it ends, or fails as a film that is cut on one side."""

    def __init__(self, frames: list[StereoFrame], error: Exception | None = None) -> None:
        self.info = SourceInfo("frames", live=False, fps=8.0)
        self._frames: Iterator[StereoFrame] = iter(frames)
        self._error = error

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self, timeout_s: float) -> StereoFrame | None:
        frame = next(self._frames, None)
        if frame is None and self._error is not None:
            raise self._error
        return frame

    def stats(self) -> CaptureStats:
        return CaptureStats()


@pytest.fixture(scope="module")
def frames() -> list[StereoFrame]:
    """The first two poses of the demo."""
    with open_source([DEMO], SourceRequest()) as source:
        return [source.read(1.0) for _ in range(22)]


def unsolvable(views: object, board: object) -> None:
    raise CalibrationError("no", "no")


def test_the_demo_reaches_its_goal_and_the_rig_is_as_good_as_it_says(guided: tuple[Captured, Session]) -> None:
    captured, session = guided
    assert captured.ended == "goal" and all(need.met for need in captured.needs)
    assert 12 <= len(captured.views) <= 16 and session.names() == [view.name for view in captured.views]
    solution = solve(captured.views, BOARD)
    true = make_rig(0, (640, 480))
    for name, distance in (("1m", 1.0), ("2m", 2.0)):
        sigma = solution.report.depth_error_percent[name]
        assert sigma < 1.0 and depth_error_percent(solution.rig, true, distance) < 2 * sigma
    # the first solution comes after five views; each later one is of more
    assert captured.decisions < 28 * 1.6 * 8


def test_the_error_falls_as_views_come(guided: tuple[Captured, Session]) -> None:
    views = guided[0].views
    percent = [solve(views[:n], BOARD, STEERING).report.depth_error_percent["2m"] for n in (5, 8, 12)]
    assert percent[0] > percent[1] > percent[2]


def test_views_are_taken_where_the_board_stands_still(guided: tuple[Captured, Session]) -> None:
    # The demo holds each pose for 0.9 s of 1.6 s: every pose that was taken is another one, in the order of the tour.
    with open_source([DEMO], SourceRequest()) as source:
        poses = [source.board_pose(round(1.6 * 8 * i) + 1) for i in range(28)]
    true = make_rig(0, (640, 480))
    taken = []
    for view in guided[0].views:
        off = []
        for pose in poses:
            in_left = BOARD.object_points() @ pose.R.T + pose.t
            seen = seen_points(true, in_left)[0]
            # a chessboard of 9x6 is the same from both ends
            off.append(min(np.abs(points - view.left.points_px).max() for points in (seen, seen[::-1])))
        taken.append(int(np.argmin(off)))
        assert min(off) < 1.0  # px: still, and where the demo says
    assert taken == sorted(set(taken))


def test_a_killed_session_loses_no_pair_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    command = [
        sys.executable, "-m", "livestereo", "calibrate", DEMO, "--board", BOARD.text, "-o", str(tmp_path / "rig.json"),
        "--auto", "--session", str(folder),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stderr is not None
    told = 0
    for line in process.stderr:
        told += "Taken." in line
        if told == 4:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait(30) == -signal.SIGKILL
    session = Session(folder, BOARD)
    # what was told as taken is on the disk, whole
    assert session.resumed and len(session.names()) >= 4
    assert all(session.load(name) is not None for name in session.names())
    kept = {name: session.load(name)[0] for name in session.names()}
    capture = Capture(BOARD, session, Goal(1.0, 2.0), solver=unsolvable)
    assert capture.resume() == len(kept)
    # the demo begins again: poses that are there are not taken twice
    with open_source([DEMO], SourceRequest()) as source:
        captured = capture.run(source, frames=90)
    assert len(captured.views) > len(kept)
    assert [view.name for view in captured.views] == session.names()
    for name, picture in kept.items():
        np.testing.assert_array_equal(session.load(name)[0], picture)
    spots = np.array([view.left.points_px.mean(axis=0) for view in captured.views])
    tilts = np.array([np.ptp(view.left.points_px, axis=0) for view in captured.views])
    apart = np.abs(np.hstack([spots, tilts])[:, None] - np.hstack([spots, tilts])).max(axis=2)
    assert apart[~np.eye(len(apart), dtype=bool)].min() > 5  # px


def test_keys_take_undo_and_end(frames: list[StereoFrame], tmp_path: Path) -> None:
    session = Session(tmp_path, BOARD)
    window = Shown((2, "space"), (9, "u"), (12, "enter"))
    capture = Capture(BOARD, session, solver=unsolvable)
    captured = capture.run(Frames(frames), window=window)
    assert captured.ended == "person" and captured.decisions == 12
    # taken by hand at once; the guide takes the same pose only after that was taken back
    counts = [moment.step.views for moment in window.moments]
    assert counts[2:9] == [1] * 7 and 0 in counts[9:]
    assert window.moments[9].message == "The last view was taken back."
    assert len(list((tmp_path / "undone").glob("*.png"))) == 2


def test_a_film_cut_on_one_side_keeps_what_was_taken(frames: list[StereoFrame], tmp_path: Path) -> None:
    cut = IncompleteSource("The right video ends early.", "Record again.")
    captured = Capture(BOARD, Session(tmp_path, BOARD)).run(Frames(frames, cut))
    assert captured.ended == "source" and captured.incomplete is cut and len(captured.views) == 2


def test_views_that_cannot_be_solved_are_told_and_tried_again_only_with_more(
    frames: list[StereoFrame], tmp_path: Path
) -> None:
    asked: list[int] = []

    def refuse(views: tuple[object, ...], board: object) -> None:
        asked.append(len(views))
        raise CalibrationError("The views do not fit.", "Take others.")

    window = Shown(*((at, "space") for at in range(1, 8)))
    capture = Capture(BOARD, Session(tmp_path, BOARD), solver=refuse)
    capture.run(Frames(frames), window=window)
    assert asked == [5, 6, 7, 8] or asked == [5, 6, 7]
    assert "Not solved yet: The views do not fit." in {moment.message for moment in window.moments}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("livestereo")]
