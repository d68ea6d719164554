"""From disparity to better disparity. `FILTERS` maps a name to what builds the filter, in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from livestereo.filters.base import Filter
from livestereo.filters.median import MedianFilter
from livestereo.filters.speckle import SpeckleFilter
from livestereo.settings import Settings

# Settings -> a filter, or None where the settings switch it off.
FilterFactory = Callable[[Settings], Filter | None]


def _median(settings: Settings) -> Filter | None:
    return MedianFilter(settings.median) if settings.median else None


def _speckle(settings: Settings) -> Filter | None:
    return SpeckleFilter(settings.speckle_size, settings.speckle_range) if settings.speckle_size else None


# Median first: the other order makes noise worse.
FILTERS: Mapping[str, FilterFactory] = MappingProxyType({"median": _median, "speckle": _speckle})


def make_filters(settings: Settings) -> list[Filter]:
    """Build the filters that the settings ask for, in the order they run."""
    made = (factory(settings) for factory in FILTERS.values())
    return [one for one in made if one is not None]
