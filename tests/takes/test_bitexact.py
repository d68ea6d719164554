"""Recorded depth comes out again bit for bit, whatever was changed while it was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.rectify import identity_rectification
from livestereo.cli._build import build_pipeline
from livestereo.cli._playback import settings_of
from livestereo.engine import run
from livestereo.pipeline import Pipeline
from livestereo.settings import Settings
from livestereo.sinks.base import RunState
from livestereo.sinks.record_switch import RecordSwitch
from livestereo.sinks.recorder import Recorder
from livestereo.sources.take import TakeSource
from livestereo.takes import manifest as m
from livestereo.takes.bitexact import BitexactReport, prove
from livestereo.takes.index import read_index
from livestereo.takes.verify import verify
from livestereo.takes.writer import TakeRequest, versions
from livestereo.types import Action, CaptureStats, Frame, SourceInfo, StereoFrame, StereoResult

WIDTH, HEIGHT, COUNT = 160, 96, 40
SETTINGS = Settings.make({"num_disparities": 32, "temporal": True, "scale": 0.5, "keep_up": False})
RECTIFICATION = identity_rectification((WIDTH, HEIGHT))


def frames() -> list[StereoFrame]:
    """A textured wall that moves sideways, with noise that changes from pair to pair."""
    rng = np.random.default_rng(3)
    wall = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH + 100, 3)).astype(np.uint8), (0, 0), 1.2)
    made = []
    for n in range(COUNT):
        sides = []
        for shift in (0, 6):
            noise = rng.normal(0, 4, (HEIGHT, WIDTH, 3))
            image = np.clip(wall[:, n + shift : n + shift + WIDTH] + noise, 0, 255).astype(np.uint8)
            sides.append(Frame(image, n / 30, n))
        made.append(StereoFrame(*sides, seq=n, gap="camera" if n == 25 else None))
    return made


class Source:
    """Gives the pairs; can go back."""

    def __init__(self) -> None:
        self.pairs, self.at = frames(), 0
        self.info = SourceInfo("fake", live=False, left_size_wh=(WIDTH, HEIGHT), fps=30.0, count=COUNT)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None: ...

    def seek(self, seq: int) -> None:
        self.at = seq

    def read(self, timeout_s: float) -> StereoFrame | None:
        self.at += 1
        return self.pairs[self.at - 1] if self.at <= len(self.pairs) else None

    def stats(self) -> CaptureStats:
        return CaptureStats()


class Person:
    """Does each thing once the result before it has been seen."""

    def __init__(self, script: dict[int, list[Action]]) -> None:
        self.script, self.seen = script, -1

    def open(self, info: SourceInfo) -> None: ...

    def close(self) -> None: ...

    def tell(self, state: RunState) -> None: ...

    def accept(self, result: StereoResult) -> None:
        self.seen = result.frame.seq

    def poll(self) -> Action | None:
        for at in sorted(self.script):
            if at <= self.seen and self.script[at]:
                return self.script[at].pop(0)
        return None


def record(folder: Path, script: dict[int, list[Action]], queue_bytes: int = 1 << 28) -> None:
    def build(settings: Settings, frame: StereoFrame) -> Pipeline:
        return build_pipeline(settings, RECTIFICATION)

    switch = RecordSwitch(
        folder, lambda _: Recorder(TakeRequest(folder / "take", preview=False), queue_bytes=queue_bytes)
    )
    handlers = {"record": lambda _: switch.toggle()}
    run(
        Source(), build, SETTINGS, pair_sinks=[switch], sinks=[switch], views=[Person(script)], handlers=handlers,
        pace=3.0,
    )  # fmt: skip


def proved(folder: Path) -> BitexactReport:
    def build(values: dict[str, Any], frame: StereoFrame) -> Pipeline:
        settings = settings_of(values)
        assert settings is not None
        return build_pipeline(settings, RECTIFICATION)

    with TakeSource(folder) as source:
        return prove(source.reader, source.frame, build, versions())


RECORD = Action("record")
SCRIPTS: dict[str, dict[int, list[Action]]] = {
    "begun in the middle, with a gap": {6: [RECORD]},
    "a filter switched": {0: [RECORD], 8: [Action("toggle:holes")], 18: [Action("toggle:temporal")]},
    "switched there and back": {0: [RECORD], 8: [Action("toggle:holes"), Action("toggle:holes")]},
    "paused, changed, gone on": {
        0: [RECORD], 8: [Action("pause", True), Action("toggle:holes"), Action("toggle:holes"), Action("pause", False)],
    },
    "another matcher": {0: [RECORD], 8: [Action("matcher", "bm")]},
    "gone back": {0: [RECORD], 12: [Action("seek", 4)]},
    "exchanged": {0: [RECORD], 8: [Action("swap")]},
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_depth_is_the_same_whatever_was_done_meanwhile(tmp_path: Path, script: dict[int, list[Action]]) -> None:
    record(tmp_path, {at: list(actions) for at, actions in script.items()})
    before = cv2.getNumThreads()
    try:
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            report = proved(tmp_path / "take")
            assert report.exact and report.compared > 10 and not report.other_versions, report
        assert verify(tmp_path / "take").ok
    finally:
        cv2.setNumThreads(before)


def edit(take: Path, change: Callable[[dict[str, Any]], None]) -> None:
    lines = [json.loads(line) for line in (take / m.INDEX).read_text().splitlines()]
    for line in lines:
        change(line)
    (take / m.INDEX).write_text("".join(json.dumps(line) + "\n" for line in lines))


def gap_of(take: Path) -> int:
    """The number of the pair behind the gap; the take may begin some pairs later than the source."""
    return next(entry.pair for entry in read_index(take).pairs if entry.gap is not None)


def test_where_the_filters_began_anew_matters(tmp_path: Path) -> None:
    """The proof would fail without the marks: they are no decoration."""
    record(tmp_path, {0: [RECORD]})
    edit(tmp_path / "take", lambda line: line.pop("fresh", None))
    report = proved(tmp_path / "take")
    gap = gap_of(tmp_path / "take")
    assert not report.exact and min(pair for pair, _, _ in report.different) == gap, "the same until the gap"


def test_depth_behind_a_damaged_pair_cannot_be_proved_and_is_not_called_different(tmp_path: Path) -> None:
    record(tmp_path, {0: [RECORD]})
    with TakeSource(tmp_path / "take") as source:

        def frame_of(number: int) -> StereoFrame | None:
            return None if number == 10 else source.frame(number)

        def build(values: dict[str, Any], frame: StereoFrame) -> Pipeline:
            return build_pipeline(Settings.make(values), RECTIFICATION)

        report = prove(source.reader, frame_of, build, versions())
        affected = range(10, gap_of(tmp_path / "take"))
        unprovable = [n for n in source.reader.pairs_with_depth() if n in affected]
        provable = len(source.reader.pairs_with_depth()) - len(unprovable)
    assert report.different == [] and not report.exact
    assert report.unreadable == len(unprovable) > 1
    assert report.equal == report.compared == provable, "known again from the gap on"


def test_other_versions_are_told(tmp_path: Path) -> None:
    record(tmp_path, {0: [RECORD]})
    manifest = m.load_manifest(tmp_path / "take")
    manifest.versions["numpy"] = "0.1"
    m.save_manifest(tmp_path / "take", manifest)
    assert proved(tmp_path / "take").other_versions == {"numpy": ("0.1", versions()["numpy"])}
