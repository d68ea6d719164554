"""Guided capture for `calibrate`: opens the session folder and the window, runs the loop, hands its views on."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from calibration.advice import Goal
from calibration.session import Session
from calibration.views import View
from livestereo.cli._output import Output
from livestereo.engine_stop import stopping_signals
from livestereo.errors import LiveStereoError
from livestereo.guided import Capture
from livestereo.sources.base import Source

if TYPE_CHECKING:
    from calibration.boards import Board
    from livestereo.cli._calibrate_files import Collected
    from livestereo.cli.calibrate import Plan

DEFAULT_GOAL = Goal(1.0, 2.0)


def collect_live(source: Source, plan: Plan, output: Output) -> Collected:
    """Take views by the guide's rules, with the window where there is one.

    Raises:
        CalibrationError: the session folder belongs to another board or cannot be written.
        LiveStereoError: stopped with too few views; the session keeps what was taken.
    """
    # What can be read again needs no folder that stays.
    if plan.session is None and not source.info.live:
        with tempfile.TemporaryDirectory(prefix="livestereo-session-") as folder:
            return _collect(source, plan, output, Path(folder), kept=False)
    folder_kept = plan.session or Path(f"calibration-{datetime.now():%Y%m%d-%H%M%S}")
    return _collect(source, plan, output, folder_kept, kept=True)


def _collect(source: Source, plan: Plan, output: Output, folder: Path, *, kept: bool) -> Collected:
    from calibration.solve import MIN_PAIRS
    from livestereo.cli._calibrate_files import Collected
    from livestereo.cli._live import wants_window
    from livestereo.sinks.guide_window import GuideScreen

    session = Session(folder, plan.board)
    # With no size the board gives no metres, so there is no distance to have a goal at.
    by_default = DEFAULT_GOAL if plan.board.metric else None
    goal = Goal(*plan.goal) if plan.goal is not None else by_default
    capture = Capture(plan.board, session, goal)
    if session.resumed:
        with output.progress("looking at the session's pairs", None) as advance:
            count = capture.resume(lambda _i, _n: advance(1))
        output.say(f"Going on with the {count} view{'' if count == 1 else 's'} of {folder}.")
    elif kept:
        output.say(f"Raw pairs are kept in {folder}; go on later with --session {folder}.")
    shown = not plan.auto and wants_window(plan.run, output)
    if goal is not None:
        ends = "Enter" if shown else "Ctrl-C"
        output.say(f"The goal is a depth error of {goal.percent:g} % at {goal.distance:g} m; {ends} ends before.")
    window = GuideScreen("m" if plan.board.metric else "squares") if shown else None
    try:
        with stopping_signals() as signals:
            captured = capture.run(
                source, window=window, stop=lambda: signals.stop, tell=output.say, frames=plan.run.frames,
                duration_s=plan.run.duration,
            )  # fmt: skip
    finally:
        if window is not None:
            window.close()
    reasons = {
        "goal": "The goal is met.", "person": "Ended by you.", "source": "The pictures have ended.",
        "stopped": "Stopped.",
    }  # fmt: skip
    count = len(captured.views)
    if count < MIN_PAIRS:
        few = {0: "No view of the board was", 1: "Only 1 view of the board was"}
        taken = few.get(count, f"Only {count} views of the board were")
        again = f" Go on with --session {folder}." if kept and count else ""
        if captured.whole is not None:
            raise LiveStereoError(
                f"{taken} taken in {captured.decisions} pairs; the pictures seem to show {captured.whole.words}.",
                f"Give --board {captured.whole.text}.",
            )
        raise LiveStereoError(
            f"{taken} taken in {captured.decisions} pairs, and at least {MIN_PAIRS} are needed.",
            f"Is it {plan.board.words}? Show it whole to both cameras, in good light, and hold it still.{again}",
        )
    output.say(f"{reasons[captured.ended]} {count} views; solving.")
    return Collected(
        views=list(captured.views), pictures=_pictures(session, captured.views) if plan.report is not None else {},
        looked=captured.decisions, found=(count, count, count), notes=captured.notes, incomplete=captured.incomplete,
        warnings=_part_told(captured.whole, plan.board),
    )  # fmt: skip


def _part_told(whole: Board | None, board: Board) -> tuple[str, ...]:
    if whole is None:
        return ()
    return (
        f"The pictures show {whole.words}; the spec names {board.columns} x {board.rows}, a part of it, which need not "
        f"be the same in both pictures. Calibrate again with --board {whole.text}.",
    )


def _pictures(session: Session, views: tuple[View, ...]) -> dict[str, tuple[bytes, bytes]]:
    """Pairs of the session as JPEG, for the report."""
    pictures = {}
    for view in views:
        pair = session.load(view.name)
        if pair is not None:
            left, right = (cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes() for p in pair)
            pictures[view.name] = left, right
    return pictures
