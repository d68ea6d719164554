"""From what a camera or file gives to left and right: split, then flip each, then swap."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from livestereo.frames import turned_size
from livestereo.sources.request import SourceRequest
from livestereo.types import U8, SizeWH

T = TypeVar("T")


def halves(image: U8, request: SourceRequest) -> tuple[U8, U8]:
    """Cut one picture that carries both views: (left, right) or (upper, lower); an odd middle line is left out."""
    h, w = image.shape[:2]
    if request.side_by_side:
        return np.ascontiguousarray(image[:, : w // 2]), np.ascontiguousarray(image[:, w - w // 2 :])
    return np.ascontiguousarray(image[: h // 2]), np.ascontiguousarray(image[h - h // 2 :])


def half_size(size_wh: SizeWH, request: SourceRequest) -> SizeWH:
    """Size of each half."""
    return (size_wh[0] // 2, size_wh[1]) if request.side_by_side else (size_wh[0], size_wh[1] // 2)


def in_order(first: T, second: T, request: SourceRequest) -> tuple[T, T]:
    """(left, right) from what was named first and second."""
    return (second, first) if request.swap else (first, second)


def view_sizes(first: SizeWH | None, second: SizeWH | None, request: SourceRequest) -> tuple[SizeWH, SizeWH]:
    """Sizes of the left and the right view, from what the first and the second named give (one may give both)."""
    assert first is not None and second is not None, "cameras that are open have given a picture"
    given = [half_size(size, request) if request.splits else size for size in (first, second)]
    return in_order(turned_size(given[0], request.flip[0]), turned_size(given[1], request.flip[1]), request)
