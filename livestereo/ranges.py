"""Which disparities to search: from the settings, the rig and the size of the picture. Pure.

Asked for in pixels, the range is taken as it is. Asked for in metres, it follows from focal length and baseline.
Asked for not at all, it is a fifth of the picture's width, which is 128 px at 640 and 256 px at 1280: objects down
to 5 · f / W baselines away (about 4 for a webcam).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from calibration.rectify import Rectification
from livestereo.depth import disparity_range
from livestereo.errors import SettingsError
from livestereo.settings import Settings

STEP = 16
FEWEST_ROWS = 8  # of a picture: about a window of any matcher, and something left at half size
DEFAULT_SHARE_OF_WIDTH = 0.2
DEFAULT_LIMIT = 256


@dataclass(frozen=True)
class DisparityRange:
    """Disparities `minimum` … `minimum + count − 1`, px; `count` is a multiple of 16."""

    minimum: int
    count: int

    @property
    def maximum(self) -> int:
        """Largest disparity, px."""
        return self.minimum + self.count - 1

    def at_scale(self, scale: float) -> DisparityRange:
        """Give the range in px of pictures scaled by `scale`; it covers at least the same depths."""
        if scale == 1:
            return self
        low = math.floor(self.minimum * scale)
        return DisparityRange(low, _up((self.maximum * scale) - low + 1))


def find_range(settings: Settings, rectification: Rectification) -> DisparityRange:
    """Find the range for these settings and this rig, px of the full-size rectified picture.

    Raises:
        SettingsError: the range is wider than the picture, that is tiny, or depths were asked for without a metric rig.
    """
    width, height = rectification.size_wh
    if width < STEP or height < FEWEST_ROWS:
        raise SettingsError(
            f"The picture is only {width} x {height} px: there is nothing to match in it.",
            f"Give pictures of at least {STEP} x {FEWEST_ROWS} px; a few hundred each way is usual.",
        )
    by_depth = settings.min_depth is not None or settings.max_depth is not None
    found = _from_depth(settings, rectification) if by_depth else _by_default(rectification)
    low, count = found.minimum, found.count
    if settings.min_disparity is not None:
        low = settings.min_disparity
        # The nearest depth stays where it was asked for; otherwise the whole range moves.
        count = _up(found.maximum - low + 1) if by_depth else count
    if settings.num_disparities is not None:
        count = settings.num_disparities
    if count > width:
        raise _too_wide(count, width, settings, rectification)
    if abs(low) >= width:
        raise SettingsError(
            f"min_disparity is {low} px, but the picture is only {width} px wide.", "Give a smaller --min-disparity."
        )
    return DisparityRange(low, count)


def reaching(rectification: Rectification, least: int) -> Rectification:
    """Give the rectification in which a disparity of `least` px has a depth.

    Without metres nothing tells where infinity lies; if somebody searches beyond it, it is farther away. With metres
    the rig tells, and nothing changes.
    """
    if rectification.metric or least > -rectification.doffs_px or least >= 0:
        return rectification
    return replace(rectification, doffs_px=1.0 - least)


def nearest_depth_m(found: DisparityRange, rectification: Rectification) -> float:
    """Nearest depth that the range reaches, metres (relative if the rig is)."""
    shifted = found.maximum + rectification.doffs_px
    return rectification.focal_px * rectification.baseline_m / shifted if shifted > 0 else math.inf


def _from_depth(settings: Settings, rectification: Rectification) -> DisparityRange:
    if not rectification.metric:
        raise SettingsError(
            "A depth range in metres needs a rig that knows metres.",
            "Give a rig file with --rig, or the range in pixels: --min-disparity and --num-disparities.",
        )
    farthest = settings.max_depth or math.inf
    nearest = settings.min_depth
    if nearest is None:
        nearest = min(nearest_depth_m(_by_default(rectification), rectification), farthest / 2)
    at = rectification
    return DisparityRange(*disparity_range(at.focal_px, at.baseline_m, at.doffs_px, nearest, farthest))


def _by_default(rectification: Rectification) -> DisparityRange:
    width = rectification.size_wh[0]
    if rectification.min_disparity_px is not None and rectification.disparity_span_px is not None:
        count = min(_up(rectification.disparity_span_px), width // STEP * STEP)
        return DisparityRange(rectification.min_disparity_px, max(STEP, count))
    count = min(_up(width * DEFAULT_SHARE_OF_WIDTH), DEFAULT_LIMIT)
    # The farthest point has disparity −doffs: below it nothing can lie.
    return DisparityRange(math.floor(-rectification.doffs_px) if rectification.doffs_px else 0, count)


def _too_wide(count: int, width: int, settings: Settings, rectification: Rectification) -> SettingsError:
    if settings.num_disparities is None and settings.min_depth is not None:
        nearest = nearest_depth_m(DisparityRange(0, width // STEP * STEP), rectification)
        return SettingsError(
            f"A nearest depth of {settings.min_depth:g} m needs {count} px of disparity, but the picture is only "
            f"{width} px wide.",
            f"With this rig nothing nearer than {nearest:.2g} m can be seen: give a larger --min-depth.",
        )
    return SettingsError(
        f"num_disparities is {count} px, but the picture is only {width} px wide.",
        f"Give at most {max(STEP, width // STEP * STEP)}; about a fifth of the width is usual.",
    )


def _up(value: float) -> int:
    return max(STEP, math.ceil(value / STEP) * STEP)
