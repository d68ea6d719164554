"""Filters that work on fixed-point disparity, run one after another with one conversion there and one back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livestereo.fixed import from_fixed, to_fixed
from livestereo.types import U8, MatchResult


class FixedFilter(Protocol):
    """A filter that remembers nothing and works on int16 disparity in 1/16 px, `fixed.INVALID` for none."""

    def apply_fixed(self, raw: NDArray[np.int16]) -> NDArray[np.int16]:
        """Give the filtered disparity; may change and give back what it was given."""
        ...


class FixedChain:
    """Several fixed-point filters as one `Filter`."""

    stateful = False

    def __init__(self, filters: Sequence[FixedFilter]) -> None:
        self.filters = tuple(filters)

    def apply(self, match: MatchResult, guide_gray: U8) -> MatchResult:
        """Give the filtered result."""
        raw = to_fixed(match.disparity_px)
        for one in self.filters:
            raw = one.apply_fixed(raw)
        return dataclasses.replace(match, disparity_px=from_fixed(raw))

    def reset(self) -> None:
        """Nothing is remembered."""
