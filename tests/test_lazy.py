"""Values computed when first asked for."""

from __future__ import annotations

import threading

import numpy as np

from livestereo.frames import LazyFrame
from livestereo.lazy import lazy


class Thing:
    def __init__(self, gate: threading.Barrier | None = None) -> None:
        self.made = 0
        self._gate = gate

    @lazy
    def value(self) -> int:
        """A number."""
        if self._gate is not None:
            self._gate.wait(20)
        self.made += 1
        return 7


def test_it_is_computed_once_and_only_when_asked_for() -> None:
    one = Thing()
    assert one.made == 0 and "value" not in vars(one)
    assert (one.value, one.value, one.made) == (7, 7, 1)
    assert Thing.value.__doc__ == "A number."


def test_objects_do_not_wait_for_one_another() -> None:
    # Each passes the gate only while the other is computing too: with one lock for both it would break.
    gate = threading.Barrier(2)
    things = Thing(gate), Thing(gate)
    other = threading.Thread(target=lambda: things[1].value)
    other.start()
    assert things[0].value == 7
    other.join()
    assert things[1].made == 1


def test_a_frame_is_decoded_when_somebody_looks() -> None:
    calls = []

    def make() -> np.ndarray:
        calls.append(1)
        return np.zeros((2, 3, 3), np.uint8)

    frame = LazyFrame(make, 1.5, 3)
    assert not calls and frame.t_s == 1.5
    assert frame.image is frame.image and len(calls) == 1
    given = np.ones((2, 3, 3), np.uint8)
    assert LazyFrame(given, 0.0, 0).image is given
