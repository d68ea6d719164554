"""Words that an option knows, and numbers that it can be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

from livestereo.errors import SettingsError

Word = TypeVar("Word", bound=str)


def one_of(text: str, known: Iterable[Word], what: str, fix: str = "") -> Word:
    """Give the word of `known` that was written.

    Raises:
        SettingsError: it is none of them. fix: what to do then; the words are listed if it is left out.
    """
    words = tuple(known)
    for word in words:
        if word == text:
            return word
    raise SettingsError(f"Unknown {what}: {text!r}.", fix or f"Known: {', '.join(words)}.")


def within(option: str, value: float | None, least: float, most: float = math.inf) -> None:
    """Refuse a number that an option cannot be; None is an option that was left out.

    Raises:
        SettingsError: it is not finite, below `least`, or above `most`.
    """
    if value is None or (math.isfinite(value) and least <= value <= most):
        return
    fix = f"Give {least:g} or more." if math.isinf(most) else f"Give {least:g} to {most:g}."
    raise SettingsError(f"{option} {value:g} is not possible.", fix)


def check_duration(seconds: float | None) -> None:
    """Refuse a --duration that cannot be.

    Raises:
        SettingsError: it is not finite or not above 0.
    """
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise SettingsError(f"--duration {seconds:g} is not possible.", "Give seconds above 0.")
