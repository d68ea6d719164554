"""Results do not depend on the number of workers or threads: real matchers, bit for bit."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from engine_fakes import FakeSource

from calibration.rectify import Rectification, make_rectification
from livestereo.cli._build import build_pipeline
from livestereo.engine import run
from livestereo.engine_stats import RunSummary
from livestereo.settings import Settings, resolve_settings
from livestereo.sources.demo import DemoSource
from livestereo.types import StereoFrame

PAIRS = 6
NUMBA = importlib.util.find_spec("numba") is not None


@pytest.fixture(scope="module")
def demo() -> tuple[list[StereoFrame], Rectification]:
    with DemoSource("room", 3, size_wh=(320, 240)) as source:
        return [source.frame(i) for i in range(PAIRS)], make_rectification(source.rig.rig)


def summary(
    demo: tuple[list[StereoFrame], Rectification], settings: Settings, workers: int, threads: int
) -> RunSummary:
    frames, rectification = demo
    counted = settings.changed(workers=workers, threads=threads, num_disparities=64)
    return run(FakeSource(frames), lambda wanted, _: build_pipeline(wanted, rectification), counted)


@pytest.mark.parametrize(
    ("preset", "more"),
    [
        ("balanced", {}),
        ("balanced", {"temporal": True, "holes": True}),
        ("quality", {}),
        pytest.param("fast", {}, marks=pytest.mark.skipif(not NUMBA, reason="needs numba")),
        pytest.param("turbo", {"temporal": True}, marks=pytest.mark.skipif(not NUMBA, reason="needs numba")),
    ],
)
def test_workers_and_threads_change_nothing(demo, preset: str, more: dict[str, bool]) -> None:
    settings = resolve_settings(preset, more)
    found = {
        summary(demo, settings, workers, threads).disparity_sha256 for workers, threads in ((1, 1), (3, 1), (2, 2))
    }
    assert len(found) == 1 and None not in found


@pytest.mark.skipif(not NUMBA, reason="needs numba")
def test_a_half_size_result_is_the_same_whenever_it_is_doubled(demo) -> None:
    from livestereo.filters.temporal import TemporalFilter
    from livestereo.pipeline import Pipeline

    frames, rectification = demo
    late = build_pipeline(resolve_settings("turbo", {"num_disparities": 64}), rectification)
    # A filter that remembers wants full size; on the first pair it changes nothing.
    waiting = TemporalFilter(0.6, 4, 1)
    early = Pipeline(late.matcher, [*late._own_filters, waiting], rectification, scale=0.5)
    one, other = late.process(frames[0]), early.process(frames[0])
    np.testing.assert_array_equal(one.disparity_px, other.disparity_px)
    np.testing.assert_array_equal(one.depth_m, other.depth_m)
    assert one.depth_m.shape == (240, 320)
