"""Parameters as sliders: positions, steps and texts, for every panel that shows them.

A panel makes itself from `livestereo.parameters`: a new parameter there is a new slider here.
"""

from __future__ import annotations

import math
from typing import Any

from livestereo.parameters import Parameter

AUTO = "auto"


def _units(parameter: Parameter) -> tuple[float, float, float]:
    low, high = float(parameter.minimum or 0), float(parameter.maximum if parameter.maximum is not None else 100)
    return low, high, float(parameter.step or 1)


def choices_of(parameter: Parameter) -> tuple[Any, ...]:
    """Give the values of a choice or a switch, None first where the program may choose; empty for numbers."""
    if parameter.kind == "bool":
        return (False, True)
    if parameter.kind != "choice":
        return ()
    return (None, *parameter.choices) if parameter.optional else parameter.choices


def _wide(parameter: Parameter) -> bool:
    low, high, step = _units(parameter)
    return (high - low) / step > 400


def to_position(parameter: Parameter, value: Any) -> float:
    """Place a value on its slider, 0..1; "chosen by the program" is 0. Wide ranges are logarithmic."""
    choices = choices_of(parameter)
    if choices:
        return choices.index(value) / max(1, len(choices) - 1) if value in choices else 0.0
    if value is None:
        return 0.0
    low, high, step = _units(parameter)
    if _wide(parameter):
        if low < 0:  # both signs: the root keeps small numbers apart
            share = 0.5 + 0.5 * math.copysign(math.sqrt(abs(value) / max(-low, high)), value)
        else:
            share = math.log1p((value - low) / step) / math.log1p((high - low) / step)
    else:
        share = (value - low) / (high - low) if high > low else 0.0
    share = min(1.0, max(0.0, share))
    return 0.04 + 0.96 * share if parameter.optional else share


def from_position(parameter: Parameter, position: float) -> Any:
    """Give the allowed value at a slider's position, 0..1."""
    position = min(1.0, max(0.0, position))
    choices = choices_of(parameter)
    if choices:
        return choices[round(position * (len(choices) - 1))]
    if parameter.optional:
        if position < 0.03:
            return None
        position = min(1.0, max(0.0, (position - 0.04) / 0.96))
    low, high, step = _units(parameter)
    if _wide(parameter):
        if low < 0:
            span = max(-low, high)
            value = math.copysign(((position - 0.5) * 2) ** 2 * span, position - 0.5)
        else:
            value = low + step * math.expm1(position * math.log1p((high - low) / step))
    else:
        value = low + position * (high - low)
    return snapped(parameter, value)


def snapped(parameter: Parameter, value: float) -> Any:
    """Give the allowed value nearest to a number."""
    low, high, step = _units(parameter)
    if parameter.kind == "int":
        stepped = low + round((value - low) / step) * step
        while stepped > high:
            stepped -= step
        return int(max(low, stepped))
    grain = step if (value - low) / step < 400 else 10.0 ** (math.floor(math.log10(max(abs(value), 1e-9))) - 1)
    return min(high, max(low, round(round(value / grain) * grain, 6)))


def stepped(parameter: Parameter, value: Any, direction: int) -> Any:
    """Give the next value in a direction (+1, −1); below the least one of an optional parameter is None."""
    choices = choices_of(parameter)
    if choices:
        index = choices.index(value) if value in choices else 0
        return choices[(index + direction) % len(choices)]
    low, high, step = _units(parameter)
    if value is None:
        if direction < 0:
            return None
        return snapped(parameter, max(low, 0.0))
    size = max(step, abs(value) * 0.08) if _wide(parameter) else step
    target = value + direction * size
    if parameter.optional and direction < 0 and target < low:
        return None
    result = snapped(parameter, min(high, max(low, target)))
    if result == value and low < value < high:
        result = snapped(parameter, value + direction * step)
    return result


def value_text(parameter: Parameter, value: Any) -> str:
    """Write a value for people."""
    if value is None:  # chosen by the program; "auto" may be a value of its own
        return "default" if AUTO in parameter.choices else AUTO
    if parameter.kind == "bool":
        return "on" if value else "off"
    text = f"{value:g}" if isinstance(value, float) else f"{value}"
    return f"{text} {parameter.unit}".strip()
