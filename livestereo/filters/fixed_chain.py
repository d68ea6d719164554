"""Filters that work on fixed-point disparity, run one after another with one conversion there and one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livestereo.fixed import FixedResult, raw_of, to_fixed
from livestereo.types import U8, MatchResult


class FixedFilter(Protocol):
    """A filter that remembers nothing and works on int16 disparity in 1/16 px, `fixed.INVALID` for none.

    in_place: it changes what it is given.
    """

    in_place: bool

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give the filtered disparity; where `in_place` holds, in the array that was given."""
        ...


class FixedChain:
    """Several fixed-point filters as one `Filter`."""

    stateful = False

    def __init__(self, filters: Sequence[FixedFilter]) -> None:
        self.filters = tuple(filters)

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        given = raw_of(match)
        raw = to_fixed(match.disparity_px) if given is None else given
        if raw is given and self.filters and self.filters[0].in_place:
            raw = raw.copy()
        for one in self.filters:
            raw = one.apply_fixed(raw)
        return FixedResult(confidence=match.confidence, reason=match.reason, sigma_px=match.sigma_px, raw=raw)

    def reset(self) -> None:
        """Nothing is remembered."""
