"""A finished pair whose depth is computed when somebody looks at it: of a film that runs fast, few pairs are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from livestereo.lazy import lazy
from livestereo.types import F32, StereoResult


class LateResult(StereoResult):
    """A result without depth as yet; what `dataclasses.replace` makes of it has it."""

    @lazy
    def depth_m(self) -> F32:  # a field of StereoResult, made on demand here
        """(H,W) float32, NaN invalid."""
        make: Callable[[], F32] = self.__dict__["make_depth"]
        return make()


def late_result(make_depth: Callable[[], F32], **fields: Any) -> StereoResult:
    """Give a result of all `fields` but `depth_m`, which `make_depth` gives when it is asked for the first time."""
    result = object.__new__(LateResult)
    result.__dict__.update(fresh=False, **fields, make_depth=make_depth)
    return result
