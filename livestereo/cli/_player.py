"""Plays the recorded depth of a take whose raw pictures are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.rectify import make_rectification
from livestereo.cli._output import Output
from livestereo.depth import depth_from_disparity
from livestereo.display import Closed, Key, Window
from livestereo.errors import TakeError
from livestereo.render.colorize import DepthRange, automatic_range, colorize_depth
from livestereo.takes.reader import TakeReader


def play_depth_only(take: Path, speed: float, loop: bool, output: Output) -> None:
    """Show the recorded depth, pair by pair; space pauses, `,` and `.` step, q ends.

    Raises:
        TakeError: there is no depth either.
    """
    with TakeReader(take) as reader:
        for note in reader.notes:
            output.warn(note)
        shown = sorted(reader.index.depth_of_pair())
        if not reader.has_depth or not shown:
            raise TakeError(f"{take} has neither raw pictures nor depth to play.", "`livestereo verify` tells more.")
        output.say("The raw pictures are not there: playing the recorded depth alone. q ends.")
        focal_px, baseline_m, doffs_px = 1.0, 100.0, 0.0
        if reader.rig_file is not None:
            at = make_rectification(reader.rig_file.rig, metric=reader.rig_file.metric, maps=False)
            focal_px, baseline_m, doffs_px = at.focal_px, at.baseline_m, at.doffs_px
        first = reader.disparity(shown[0])
        if first is None:
            raise TakeError(f"The depth of {take} cannot be decoded.", "`livestereo verify` tells what is damaged.")
        depth_range = automatic_range(depth_from_disparity(first, focal_px, baseline_m, doffs_px))
        depth_range = depth_range or DepthRange(0.5, 5.0)
        window = Window(f"livestereo: {take}", (first.shape[1], first.shape[0]))
        try:
            position, paused = 0, False
            while window.is_open and position < len(shown):
                disparity = reader.disparity(shown[position])
                if disparity is not None:
                    depth = depth_from_disparity(np.asarray(disparity), focal_px, baseline_m, doffs_px)
                    window.show(colorize_depth(depth, depth_range.near_m, depth_range.far_m))
                step = 0 if paused else 1
                for event in window.poll(1 / (reader.manifest.fps * speed)):
                    if isinstance(event, Closed) or (isinstance(event, Key) and event.name in ("q", "esc")):
                        return
                    if isinstance(event, Key) and event.name == "space":
                        paused = not paused
                    elif isinstance(event, Key) and event.name in (",", "."):
                        paused, step = True, 1 if event.name == "." else -1
                position = max(0, position + step)
                if position == len(shown) and loop:
                    position = 0
        finally:
            window.close()
