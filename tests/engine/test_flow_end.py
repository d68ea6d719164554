"""The end of a run: what is in work is still waited for."""

from __future__ import annotations

import threading

import numpy as np
from engine_fakes import pair

from livestereo.engine_flow import Flow
from livestereo.fixed import INVALID, FixedResult, fill_percent, from_fixed
from livestereo.types import MatchResult


def flow_with_a_pair_in_work() -> Flow:
    flow = Flow(live=False)
    flow.use(0, 1)
    assert flow.put(pair(0), 0.0, 0)
    return flow


def test_a_stop_is_seen_at_once_and_what_is_in_work_is_waited_for() -> None:
    flow = flow_with_a_pair_in_work()
    job = flow.take(0)
    assert job is not None
    flow.stop()
    assert flow.next(60.0) is None, "the run's loop looks round"
    with flow._lock:  # the worker comes to its end only when somebody waits, for that lets go of the lock
        worker = threading.Thread(target=flow.finish, args=(job, "done"))
        worker.start()
        assert flow.next(60.0, draining=True) == (job, "done")
    worker.join()
    assert flow.dry and flow.next(60.0, draining=True) is None


def test_a_failure_ends_the_draining() -> None:
    flow = flow_with_a_pair_in_work()
    assert flow.take(0) is not None
    flow.fail(RuntimeError("broken"))
    assert flow.next(60.0, draining=True) is None


def test_the_share_of_known_pixels_is_that_of_fixed_point_too() -> None:
    raw = np.arange(60, dtype=np.int16).reshape(6, 10)
    raw[2:4, 3:] = INVALID
    for match in (FixedResult(raw=raw), FixedResult(raw=raw, known=46), MatchResult(from_fixed(raw))):
        assert fill_percent(match) == 100 * 46 / 60
