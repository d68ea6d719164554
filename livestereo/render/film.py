"""Pictures of a result for a film: colour depth beside the left view, with one colour range for the whole film."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from livestereo.render.colorize import DEFAULT_COLORMAP, DepthRange, automatic_range, colorize_depth
from livestereo.types import U8, StereoResult

FilmView = Literal["both", "depth", "left"]


class FilmMaker:
    """Make pictures, (h,w,3) uint8 BGR, of results.

    The colour range is the one given, or that of the first result in which depth was found: then it stays, because a
    colour that changes its meaning in the middle of a film is worse than one that is cut off.

    width: of each of the two pictures at most, px; None keeps their size.
    """

    def __init__(
        self, view: FilmView = "both", *, colormap: str = DEFAULT_COLORMAP, depth_range: DepthRange | None = None,
        width: int | None = None,
    ) -> None:  # fmt: skip
        self._view = view
        self._colormap = colormap
        self._range = depth_range
        self._width = width

    @property
    def depth_range(self) -> DepthRange | None:
        """The range in use, metres; None before any depth was seen."""
        return self._range

    def __call__(self, result: StereoResult) -> U8:
        """Make one picture."""
        at = result.pair.rectification
        parts: list[U8] = []
        if self._view != "depth":
            parts.append(self._sized(at.to_display(result.pair.left)))
        if self._view != "left":
            if self._range is None:
                self._range = automatic_range(result.depth_m)
            shown = self._range or DepthRange(0.5, 5.0)
            depth = colorize_depth(result.depth_m, shown.near_m, shown.far_m, self._colormap)
            parts.append(self._sized(at.to_display(depth)))
        return parts[0] if len(parts) == 1 else np.asarray(cv2.hconcat(parts), np.uint8)

    def _sized(self, picture: U8) -> U8:
        if self._width is None or picture.shape[1] <= self._width:
            return picture
        height = max(2, round(picture.shape[0] * self._width / picture.shape[1]))
        return np.asarray(cv2.resize(picture, (self._width, height), interpolation=cv2.INTER_AREA), np.uint8)
