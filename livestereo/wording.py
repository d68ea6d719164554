"""Words of messages that depend on a number."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Give the number with its noun: `1 pair`, `2 pairs`."""
    return f"{number} {noun if number == 1 else noun + 's'}"
