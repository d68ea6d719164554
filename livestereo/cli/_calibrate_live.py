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
    from livestereo.cli._calibrate_files import Collected
    from livestereo.cli.calibrate import Plan

DEFAULT_GOAL = Goal(1.0, 2.0)


def collect_live(source: Source, plan: Plan, output: Output) -> Collected:
    """Take views by the guide's rules, with the window where there is one.

    Raises:
        CalibrationError: the session folder belongs to another board or cannot be written.
        LiveStereoError: stopped with too few views; the session keeps what was taken.
    """
    from livestereo.cli._calibrate_files import Collected
    from livestereo.cli._live import wants_window
    from livestereo.sinks.guide_window import GuideScreen

    folder = plan.session or _new_session(source.info.live)
    session = Session(folder, plan.board)
    # With no size the board gives no metres, so there is no distance to have a goal at.
    by_default = DEFAULT_GOAL if plan.board.metric else None
    goal = Goal(*plan.goal) if plan.goal is not None else by_default
    capture = Capture(plan.board, session, goal)
    if session.resumed:
        with output.progress("looking at the session's pairs", None) as advance:
            count = capture.resume(lambda _i, _n: advance(1))
        output.say(f"Going on with the {count} views of {folder}.")
    else:
        output.say(f"Raw pairs are kept in {folder}; go on later with --session {folder}.")
    if goal is not None:
        output.say(f"The goal is a depth error of {goal.percent:g} % at {goal.distance:g} m; q or Enter ends before.")
    shown = not plan.auto and wants_window(plan.run, output)
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
    output.say(f"{reasons[captured.ended]} {len(captured.views)} views; solving.")
    if not captured.views:
        raise LiveStereoError(
            f"No view of the board was taken in {captured.decisions} pairs.",
            f"Is it {plan.board.words}? Show it whole to both cameras, in good light, and hold it still.",
        )
    count = len(captured.views)
    return Collected(
        views=list(captured.views), pictures=_pictures(session, captured.views) if plan.report is not None else {},
        looked=captured.decisions, found=(count, count, count), notes=captured.notes, incomplete=captured.incomplete,
    )  # fmt: skip


def _pictures(session: Session, views: tuple[View, ...]) -> dict[str, tuple[bytes, bytes]]:
    """Pairs of the session as JPEG, for the report."""
    pictures = {}
    for view in views:
        pair = session.load(view.name)
        if pair is not None:
            left, right = (cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes() for p in pair)
            pictures[view.name] = left, right
    return pictures


def _new_session(live: bool) -> Path:
    """Name a folder for the raw pairs: here for cameras, a temporary one for what can be read again."""
    if live:
        return Path(f"calibration-{datetime.now():%Y%m%d-%H%M%S}")
    return Path(tempfile.mkdtemp(prefix="livestereo-session-"))
