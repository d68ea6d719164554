"""The watch beside a preview tells the row error now, and a bump with its size; a demo whose right camera is bumped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.rectify import Rectification, make_rectification
from livestereo.diagnosis.drift_watch import DriftWatch
from livestereo.sources.demo.options import open_demo
from livestereo.types import CaptureStats, RectifiedPair, StereoFrame

BUMPED = "demo:room,seed=3,size=640x480,fps=1,bump=0.3deg@4s"


@pytest.fixture(scope="module")
def frames() -> tuple[list[StereoFrame], Rectification]:
    """A pair a second; the right camera is knocked after four."""
    with open_demo(BUMPED) as source:
        read = [source.read() for _ in range(9)]
        return [frame for frame in read if frame is not None], make_rectification(source.stereo_rig)


def look(watch: DriftWatch, frame: StereoFrame, made: Rectification) -> list[Any]:
    grays = [
        np.asarray(cv2.cvtColor(made.apply(side.image, name), cv2.COLOR_BGR2GRAY), np.uint8)
        for side, name in ((frame.left, "left"), (frame.right, "right"))
    ]
    result: Any = SimpleNamespace(pair=RectifiedPair(frame, made, *grays))
    return list(watch.observe(frame, result, CaptureStats()))


def test_a_bump_is_told_with_its_size_and_not_before(frames: tuple[list[StereoFrame], Rectification]) -> None:
    pairs, made = frames
    watch = DriftWatch()
    found = []
    errors = []
    for frame in pairs:
        found.append(look(watch, frame, made))
        errors.append(watch.figures["vertical_px"])
    # 0.3° about an axis that mostly pitches: 0.25° of it, at f about 550 px, moves rows by 2.4 px
    assert max(errors[:4]) < 0.15 and min(errors[4:]) > 2.0
    assert not any(found[:6]), "one look, or two, may be a hand before the lens"
    assert [finding.check for finding in found[6]] == ["vertical"]
    what = found[6][0].what
    assert "The cameras have moved" in what and "pitch 0.25°" in what and "roll 0.1" in what
    assert "check --repair" in found[6][0].fix


def test_pictures_with_nothing_to_match_give_no_figure(frames: tuple[list[StereoFrame], Rectification]) -> None:
    pairs, made = frames
    watch = DriftWatch()
    assert look(watch, pairs[0], made) == [] and "vertical_px" in watch.figures
    plain = np.full((made.size_wh[1], made.size_wh[0]), 128, np.uint8)
    result: Any = SimpleNamespace(pair=RectifiedPair(pairs[0], made, plain, plain))
    assert list(watch.observe(pairs[0], result, CaptureStats())) == [] and watch.figures == {}
