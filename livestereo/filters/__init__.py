"""From disparity to better disparity. `FILTERS` maps a name to what builds the filter, in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from livestereo.filters.base import Filter
from livestereo.filters.fixed_chain import FixedChain
from livestereo.filters.holes import HoleFilter
from livestereo.filters.median import MedianFilter
from livestereo.filters.speckle import SpeckleFilter
from livestereo.filters.temporal import TemporalFilter
from livestereo.settings import Settings

# Settings -> a filter, or None where the settings switch it off.
FilterFactory = Callable[[Settings], Filter | None]


def _median(settings: Settings) -> Filter | None:
    return MedianFilter(settings.median) if settings.median else None


def _speckle(settings: Settings) -> Filter | None:
    if not settings.speckle_size:
        return None
    # The range is of the full-size picture; at half size the same step is half as many pixels.
    return SpeckleFilter(settings.speckle_size, settings.speckle_range * settings.scale)


def _temporal(settings: Settings) -> Filter | None:
    if not settings.temporal:
        return None
    return TemporalFilter(settings.temporal_strength, settings.temporal_hold, settings.temporal_confirm)


def _holes(settings: Settings) -> Filter | None:
    return HoleFilter(settings.holes_size) if settings.holes else None


# Median before speckle: the other order makes noise worse. Holes last: nothing is learnt from what was filled.
FILTERS: Mapping[str, FilterFactory] = MappingProxyType(
    {"median": _median, "speckle": _speckle, "temporal": _temporal, "holes": _holes}
)


def make_filters(settings: Settings) -> list[Filter]:
    """Build the filters that the settings ask for, in the order they run; fixed-point neighbours become one."""
    made: list[Filter] = []
    for factory in FILTERS.values():
        one = factory(settings)
        if isinstance(one, (MedianFilter, SpeckleFilter)):
            last = made.pop() if made and isinstance(made[-1], FixedChain) else None
            made.append(FixedChain([*(last.filters if isinstance(last, FixedChain) else ()), one]))
        elif one is not None:
            made.append(one)
    return made
