"""From a pair to depth: rectify, match, filter, depth. No input or output, no threads.

    pipeline = Pipeline(matcher, filters, rectification)
    result = pipeline.process(frame)

`process` is `match`, which depends on the pair alone and may run in several threads (each with a pipeline of its
own), and then `finish`, which runs filters that remember, once and in order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification, Side
from livestereo.compiled import numba_loaded
from livestereo.depth import depth_from_disparity
from livestereo.errors import RigError
from livestereo.filters.base import Filter
from livestereo.fixed import FixedResult, from_fixed, raw_of, rounded, where_invalid
from livestereo.gray import grays_of
from livestereo.late import late_result
from livestereo.matchers.base import Matcher
from livestereo.settings import Settings
from livestereo.timing import StageTimer, monotonic
from livestereo.types import F32, U8, Explanation, MatchResult, RectifiedPair, SizeWH, StereoFrame, StereoResult

if TYPE_CHECKING:
    from livestereo.remap_kernel import Remapper


@dataclass(frozen=True)
class Matched:
    """A pair that was matched and is not finished: stateful filters and depth are to come."""

    pair: RectifiedPair
    match: MatchResult
    timer: StageTimer = field(repr=False)


class Pipeline:
    """Turns pairs of one source into depth.

    scale: 1, or 0.5 to match at half size; disparity then has half the steps and full-size pixels.
    explain: computes confidence, hole reasons and σ of a result when somebody looks.
    settings: what it was built from, with the disparity range that was found.
    """

    def __init__(
        self,
        matcher: Matcher,
        filters: Sequence[Filter],
        rectification: Rectification,
        *,
        scale: float = 1.0,
        explain: Callable[[StereoResult], Explanation] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.matcher = matcher
        self.rectification = rectification
        self.scale = scale
        self.settings = settings
        self._explain = explain
        first_stateful = next((i for i, one in enumerate(filters) if one.stateful), len(filters))
        self._own_filters = tuple(filters[:first_stateful])
        self._ordered_filters = tuple(filters[first_stateful:])
        self._box = _seen_box(rectification)
        self._outside_roi = None if self._box is None else _outside(rectification.size_wh, self._box)
        self._compiled: ModuleType | None = None
        self._remapper: Remapper | None = None
        if numba_loaded():  # with `sgm`, say; the same numbers sooner
            from livestereo import depth_kernel
            from livestereo.remap_kernel import Remapper

            self._compiled = depth_kernel
            self._remapper = Remapper()

    @property
    def explain(self) -> Callable[[StereoResult], Explanation] | None:
        """What computes confidence, hole reasons and σ of a result."""
        return self._explain

    @property
    def stateful(self) -> bool:
        """Whether `finish` must see the pairs in order, one at a time."""
        return bool(self._ordered_filters)

    def process(self, frame: StereoFrame) -> StereoResult:
        """Compute depth of one pair; pairs must come in order where the pipeline is stateful.

        Raises:
            RigError: the pictures have another size than the rectification expects.
        """
        return self.finish(self.match(frame))

    def match(self, frame: StereoFrame) -> Matched:
        """Do all that depends on this pair alone.

        Raises:
            RigError: the pictures have another size than the rectification expects.
        """
        timer = StageTimer()
        with timer.stage("decode"):
            grays = grays_of(frame)  # colour is decoded when somebody looks at it
        with timer.stage("rectify"):
            pair = self._rectified(frame, *grays)
            left, right = self._scaled(pair)
        with timer.stage("match"):
            match = self.matcher.compute(left, right)
        with timer.stage("filter"):
            for one in self._own_filters:
                match = one.apply(match, left)
            if self.scale != 1 and self.stateful:
                shape = pair.left_gray.shape
                match = _doubled(match, shape, _grown(match.disparity_px * np.float32(2), shape))
        return Matched(pair, match, timer)

    def to_match(self, frame: StereoFrame) -> tuple[U8, U8]:
        """Give the two gray pictures that the matcher would get."""
        return self._scaled(self._rectified(frame, *grays_of(frame)))

    def finish(self, matched: Matched) -> StereoResult:
        """Run the filters that remember, round, and compute depth."""
        pair, match, timer = matched.pair, matched.match, matched.timer
        with timer.stage("filter"):
            for one in self._ordered_filters:
                match = one.apply(match, pair.left_gray)
        with timer.stage("depth"):
            match, depth = self._measured(match, pair.left_gray.shape)
        fields: dict[str, Any] = {
            "frame": pair.frame, "pair": pair, "match": match, "stage_s": timer.seconds, "finished_s": monotonic(),
            "explain": self._explain, "settings": self.settings,
        }  # fmt: skip
        return late_result(depth, **fields) if callable(depth) else StereoResult(depth_m=depth, **fields)

    def _measured(self, match: MatchResult, shape: tuple[int, ...]) -> tuple[MatchResult, F32 | Callable[[], F32]]:
        """Give the result at full size, in whole sixteenths of the matched pixels, and its depth, or what makes it."""
        at = self.rectification
        # Stateless filters need nothing at full size: rounding and depth are then a quarter of the work.
        small = self.scale != 1 and not self.stateful
        factor = np.float32(2 if small else 1)
        raw = raw_of(match)
        if raw is not None and self._compiled is not None:
            late = self._late(self._compiled, raw, match, shape)
            if late is not None:
                return late
        disparity = rounded(match.disparity_px * factor) if raw is None else from_fixed(raw)
        if raw is not None and small:
            disparity *= factor
        depth = depth_from_disparity(disparity, at.focal_px, at.baseline_m, at.doffs_px)
        if small:
            disparity, depth = _grown(disparity, shape), _grown(depth, shape)
        if self._outside_roi is not None:
            where_invalid(disparity, self._outside_roi)
            where_invalid(depth, self._outside_roi)
        if small:
            return _doubled(match, shape, disparity), depth
        if raw is not None and self._box is None:  # the same in fixed point, for whoever needs that
            return FixedResult(disparity, match.confidence, match.reason, match.sigma_px, raw=raw), depth
        return dataclasses.replace(match, disparity_px=disparity), depth

    def _late(
        self, compiled: ModuleType, raw: NDArray[np.int16], match: MatchResult, shape: tuple[int, ...]
    ) -> tuple[MatchResult, Callable[[], F32]] | None:  # fmt: skip
        """Give the same where floats are made when they are asked for; None where sixteenths cannot hold it."""
        at, height, width = self.rectification, shape[0], shape[1]
        small = raw.shape != (height, width)
        if not small and self._box is None:
            known = compiled.known_of(raw)
        else:
            found = compiled.placed(raw, (height, width), self._box or (0, 0, width, height))
            if found is None:
                return None
            raw, known = found
        own = {"confidence": match.confidence, "reason": match.reason, "sigma_px": match.sigma_px}
        late = FixedResult(raw=raw, known=known, **(_more_doubled(match, shape) if small else own))
        return late, partial(compiled.depth_of, raw, at.focal_px * at.baseline_m, at.doffs_px)

    def reset(self) -> None:
        """Forget the past: after a seek or a gap."""
        for one in self._ordered_filters:
            one.reset()

    def close(self) -> None:
        """Release what the matcher holds, if it holds anything."""
        release = getattr(self.matcher, "close", None)
        if release is not None:
            release()

    def _rectified(self, frame: StereoFrame, left_gray: U8, right_gray: U8) -> RectifiedPair:
        left, right = self._apply(left_gray, "left"), self._apply(right_gray, "right")
        if left.shape != right.shape:
            raise RigError(
                f"Left is {left.shape[1]}x{left.shape[0]} and right is {right.shape[1]}x{right.shape[0]}.",
                "Two pictures of different sizes need a rig file of these two cameras: --rig.",
            )
        return RectifiedPair(frame, self.rectification, left, right)

    def _scaled(self, pair: RectifiedPair) -> tuple[U8, U8]:
        if self.scale == 1:
            return pair.left_gray, pair.right_gray
        return _half(pair.left_gray), _half(pair.right_gray)

    def _apply(self, gray: U8, side: Side) -> U8:
        expected = self.rectification.source_size_wh.get(side)
        if expected is not None and (gray.shape[1], gray.shape[0]) != tuple(expected):
            raise RigError(
                f"The {side} picture is {gray.shape[1]}x{gray.shape[0]}; {expected[0]}x{expected[1]} was expected.",
                "A camera changed its size while it ran, or the rig belongs to another mode of it.",
            )
        maps = self.rectification.maps.get(side)
        if maps is None or self._remapper is None:
            return self.rectification.apply(gray, side)
        return self._remapper.apply(gray, *maps)


def _half(gray: U8) -> U8:
    even = gray[: gray.shape[0] // 2 * 2, : gray.shape[1] // 2 * 2]  # an odd last line would bend the scale
    return np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _doubled(match: MatchResult, shape: tuple[int, ...], disparity_px: F32) -> MatchResult:
    """Bring a half-size result to full size: nearest pixel, so that edges stay edges. disparity_px: brought so."""
    return MatchResult(disparity_px=disparity_px, **_more_doubled(match, shape))


def _more_doubled(match: MatchResult, shape: tuple[int, ...]) -> dict[str, Any]:
    """Bring what a half-size result holds beside its disparity to full size."""
    return {
        "confidence": None if match.confidence is None else _grown(match.confidence, shape),
        "reason": None if match.reason is None else _grown(match.reason, shape),
        "sigma_px": None if match.sigma_px is None else _grown(match.sigma_px * np.float32(2), shape),
    }


_Pixels = TypeVar("_Pixels", F32, U8)


def _grown(array: _Pixels, shape: tuple[int, ...]) -> _Pixels:
    height, width = array.shape
    grown = cv2.resize(array, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    more_rows, more_columns = shape[0] - 2 * height, shape[1] - 2 * width
    if more_rows or more_columns:
        grown = cv2.copyMakeBorder(grown, 0, more_rows, 0, more_columns, cv2.BORDER_REPLICATE)
    return cast("_Pixels", grown)


def _seen_box(rectification: Rectification) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the region that both cameras see; None where that is everything or unknown."""
    x, y, w, h = rectification.roi
    width, height = rectification.size_wh
    if w <= 0 or h <= 0 or (x <= 0 and y <= 0 and x + w >= width and y + h >= height):
        return None
    return max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)


def _outside(size_wh: SizeWH, box: tuple[int, int, int, int]) -> U8:
    """Mask (H,W) uint8, 255 outside the box."""
    mask = np.full(size_wh[::-1], 255, np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 0
    return mask
