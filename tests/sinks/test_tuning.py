from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestereo.parameters import PARAMETERS, Parameter, for_matcher
from livestereo.settings import Settings
from livestereo.sinks.tuning import choices_of, from_position, stepped, to_position, value_text

SHOWN = sorted({one.name for matcher in ("sgbm", "bm", "sgm") for one in for_matcher(matcher)})


@pytest.mark.parametrize("name", SHOWN)
def test_every_position_of_every_slider_is_an_allowed_value(name: str) -> None:
    parameter = PARAMETERS[name]
    for i in range(101):
        parameter.check(from_position(parameter, i / 100))


@pytest.mark.parametrize("name", SHOWN)
def test_no_two_choices_of_a_parameter_read_alike(name: str) -> None:
    parameter = PARAMETERS[name]
    texts = [value_text(parameter, value) for value in choices_of(parameter)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", SHOWN)
def test_both_ends_can_be_reached(name: str) -> None:
    parameter = PARAMETERS[name]
    top = from_position(parameter, 1.0)
    if parameter.kind in ("int", "float"):
        assert top == pytest.approx(parameter.maximum, rel=0.02) or top > (parameter.maximum or 0) - parameter.step
    bottom = from_position(parameter, 0.0)
    assert bottom is None if parameter.optional else True


@pytest.mark.parametrize("name", SHOWN)
def test_positions_grow_with_values(name: str) -> None:
    parameter = PARAMETERS[name]
    positions = [to_position(parameter, from_position(parameter, i / 50)) for i in range(51)]
    assert positions == sorted(positions)
    # A slider that is let go stays about where it was put (a twentieth: "auto" takes a little room, steps the rest).
    if parameter.kind == "float":
        assert all(abs(p - i / 50) < 0.06 for i, p in enumerate(positions))


@given(st.sampled_from(SHOWN), st.lists(st.sampled_from([1, -1]), max_size=60))
def test_steps_stay_allowed(name: str, directions: list[int]) -> None:
    parameter = PARAMETERS[name]
    value = getattr(Settings(), name)
    for direction in directions:
        value = stepped(parameter, value, direction)
        parameter.check(value)


@pytest.mark.parametrize("name", SHOWN)
def test_steps_reach_both_ends(name: str) -> None:
    parameter = PARAMETERS[name]
    if parameter.kind not in ("int", "float"):
        return
    value = getattr(Settings(), name)
    for _ in range(600):
        value = stepped(parameter, value, 1)
    assert value == parameter.maximum or value > (parameter.maximum or 0) - parameter.step
    for _ in range(1200):
        value = stepped(parameter, value, -1)
    assert value is None if parameter.optional else value == parameter.minimum


def test_texts() -> None:
    assert value_text(PARAMETERS["num_disparities"], 128) == "128 px"
    assert value_text(PARAMETERS["num_disparities"], None) == "auto"
    assert value_text(PARAMETERS["wls"], True) == "on"


def test_a_parameter_that_is_added_gets_a_slider_by_itself() -> None:
    new = Parameter("shine", "Shine", "float", "New.", "matching", minimum=0, maximum=1, step=0.1)
    assert from_position(new, 0.5) == pytest.approx(0.5)
    assert stepped(new, 0.5, 1) == pytest.approx(0.6)
