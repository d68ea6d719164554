"""From a rectified pair to disparity. `MATCHERS` maps a name to what builds the matcher from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from livestereo.matchers.base import Matcher
from livestereo.matchers.bm import make_bm
from livestereo.matchers.sgbm import make_sgbm
from livestereo.settings import Settings

# Settings, smallest disparity, number of disparities (both in px of the matched pictures) -> a matcher.
MatcherFactory = Callable[[Settings, int, int], Matcher]


def _make_sgm(settings: Settings, min_disparity: int, num_disparities: int) -> Matcher:
    from livestereo.matchers.sgm import make_sgm  # numba is an extra and heavy: only where it is used

    return make_sgm(settings, min_disparity, num_disparities)


MATCHERS: Mapping[str, MatcherFactory] = MappingProxyType({"sgbm": make_sgbm, "bm": make_bm, "sgm": _make_sgm})
