"""Arrays as keys of a cache, each by what it is, not by what it holds."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Same:
    """An array as a key: equal to itself alone. It stays alive as long as the key, so that no other takes its place."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.array is other.array
