"""Words of messages that depend on a number."""

from __future__ import annotations


def counted(number: int, noun: str, many: str = "") -> str:
    """Give the number with its noun: `1 pair`, `2 pairs`; `many`: the noun of more than one, where no s makes it."""
    return f"{number} {noun if number == 1 else many or noun + 's'}"
