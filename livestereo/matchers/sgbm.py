"""OpenCV's StereoSGBM in its four modes: Hirschmüller's semi-global matching on blocks (PAMI 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from livestereo.errors import SettingsError
from livestereo.fixed import FixedResult, with_our_invalid
from livestereo.matchers.exposure import evened
from livestereo.matchers.padding import Padding
from livestereo.matchers.sgm_prepare import Smoothing, smooth
from livestereo.memory import available_bytes
from livestereo.settings import Settings
from livestereo.types import U8, MatchResult

Mode = Literal["sgbm", "3way", "hh", "hh4"]
_MODES: dict[str, int] = {
    "sgbm": cv2.STEREO_SGBM_MODE_SGBM,
    "3way": cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    "hh": cv2.STEREO_SGBM_MODE_HH,
    "hh4": cv2.STEREO_SGBM_MODE_HH4,
}
# P1 and P2 per pixel of the block, by what measures best; OpenCV's documentation names 8 and 32.
_PENALTIES: dict[str, tuple[int, int]] = {"sgbm": (8, 32), "3way": (8, 32), "hh": (4, 16), "hh4": (4, 24)}
# int16 with 16 steps per pixel holds disparities up to 2047 px.
MAX_DISPARITY = 2047

# Modes that keep the costs of the whole picture, twice in 16 bits; the others keep a few rows.
_COST_BYTES = {"hh": 4, "hh4": 4}
_WORTH_ASKING = 2**30


@dataclass(frozen=True)
class SgbmConfig:
    """Everything StereoSGBM is built from; px of the pictures that it is given.

    p1, p2: None for what suits mode and block size. left_right_px: 0 for no check. uniqueness: percent by which the
    best cost must beat the others. even_exposure: bring both pictures to one brightness and contrast first.
    smoothing: smooth both pictures first: auto (when they are noisy), on, off.

    Raises:
        SettingsError: a value that StereoSGBM would mend silently or fail on.
    """

    num_disparities: int
    min_disparity: int = 0
    mode: Mode = "3way"
    block_size: int = 3
    p1: int | None = None
    p2: int | None = None
    uniqueness: int = 10
    left_right_px: int = 1
    pre_filter_cap: int = 31
    even_exposure: bool = True
    smoothing: Smoothing = "off"

    def __post_init__(self) -> None:
        check_range(self.min_disparity, self.num_disparities)
        if self.mode not in get_args(Mode):
            raise SettingsError(f"mode must be one of {', '.join(get_args(Mode))}, got {self.mode!r}.")
        if self.block_size < 1 or self.block_size % 2 == 0:
            raise SettingsError(f"block_size must be odd and at least 1, got {self.block_size}.")
        if not 0 < self.penalties[0] < self.penalties[1]:
            raise SettingsError(f"p1 must be above 0 and below p2, got {self.penalties[0]} and {self.penalties[1]}.")

    @property
    def penalties(self) -> tuple[int, int]:
        """P1 and P2 as they are used."""
        area = self.block_size * self.block_size
        p1, p2 = _PENALTIES[self.mode]
        return (p1 * area if self.p1 is None else self.p1), (p2 * area if self.p2 is None else self.p2)


def check_range(min_disparity: int, num_disparities: int) -> None:
    """Check a disparity range for OpenCV's matchers.

    Raises:
        SettingsError: not a multiple of 16, or beyond what 16-bit disparity holds.
    """
    if num_disparities < 16 or num_disparities % 16:
        raise SettingsError(f"num_disparities must be a multiple of 16 and at least 16, got {num_disparities}.")
    if min_disparity + num_disparities > MAX_DISPARITY or min_disparity <= -MAX_DISPARITY:
        raise SettingsError(
            f"Disparities from {min_disparity} to {min_disparity + num_disparities - 1} px do not fit into 16 bits.",
            f"Stay within ±{MAX_DISPARITY} px, or use smaller pictures.",
        )


class SgbmMatcher:
    """StereoSGBM behind the matcher's protocol, padded so that no column is lost."""

    def __init__(self, config: SgbmConfig) -> None:
        self.config = config
        p1, p2 = config.penalties
        # StereoSGBM takes 0 and −1 for 1; a difference that cannot occur is "no check".
        check = config.left_right_px if config.left_right_px > 0 else config.num_disparities + 1
        self._matcher = cv2.StereoSGBM.create(
            minDisparity=config.min_disparity,
            numDisparities=config.num_disparities,
            blockSize=config.block_size,
            P1=p1,
            P2=p2,
            disp12MaxDiff=check,
            preFilterCap=config.pre_filter_cap,
            uniquenessRatio=config.uniqueness,
            speckleWindowSize=0,
            speckleRange=0,
            mode=_MODES[config.mode],
        )
        self._padding = Padding(config.min_disparity, config.num_disparities)
        self._invalid = (config.min_disparity - 1) * 16

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Match two rectified (H,W) uint8 pictures; disparity (H,W) float32 px, NaN invalid."""
        self._check_memory(left_gray)
        left, right = evened(left_gray, right_gray) if self.config.even_exposure else (left_gray, right_gray)
        left, right = smooth(left, right, self.config.smoothing)
        raw = self._matcher.compute(self._padding.add(left), self._padding.add(right))
        inside = self._padding.crop(np.asarray(raw, np.int16), self._invalid)
        return FixedResult(raw=with_our_invalid(inside, self._invalid))

    def _check_memory(self, picture: U8) -> None:
        """Refuse what the system would end the program for.

        Raises:
            SettingsError: the mode needs more memory than there is.
        """
        h, w = picture.shape
        needed = cost_bytes(self.config.mode, w, h, self.config.num_disparities)
        if needed < _WORTH_ASKING:
            return
        free = available_bytes()
        if free is not None and needed > free:
            raise SettingsError(
                f"Mode {self.config.mode} of StereoSGBM needs {needed / 2**30:.0f} GiB of memory for pictures of "
                f"{w}x{h} and {self.config.num_disparities} disparities; {free / 2**30:.0f} GiB are free.",
                "Use --preset balanced, fewer --num-disparities, or smaller pictures.",
            )


def cost_bytes(mode: Mode, width: int, height: int, num_disparities: int) -> int:
    """Give the memory that a mode takes for the costs of a whole picture; 0 for one that keeps rows alone."""
    return _COST_BYTES.get(mode, 0) * height * width * num_disparities


def make_sgbm(settings: Settings, min_disparity: int, num_disparities: int) -> SgbmMatcher:
    """Build the matcher from settings for a disparity range in px of the matched pictures.

    Raises:
        SettingsError: the values do not fit together.
    """
    return SgbmMatcher(
        SgbmConfig(
            num_disparities=num_disparities,
            min_disparity=min_disparity,
            mode=settings.mode,
            block_size=3 if settings.block_size is None else settings.block_size,
            p1=settings.p1,
            p2=settings.p2,
            uniqueness=10 if settings.uniqueness is None else settings.uniqueness,
            left_right_px=settings.left_right,
            pre_filter_cap=31 if settings.pre_filter_cap is None else settings.pre_filter_cap,
            even_exposure=settings.even_exposure,
            smoothing=settings.smooth or "off",
        )
    )
