"""Words that an option knows."""

from __future__ import annotations

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
