"""OpenCV's StereoBM: plain block matching, the fastest in OpenCV and the least dense."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from livestereo.errors import SettingsError
from livestereo.fixed import FixedResult, with_our_invalid
from livestereo.matchers.exposure import evened
from livestereo.matchers.padding import Padding
from livestereo.matchers.sgbm import check_range
from livestereo.settings import Settings
from livestereo.types import U8, MatchResult


@dataclass(frozen=True)
class BmConfig:
    """Everything StereoBM is built from; px of the pictures that it is given. left_right_px: 0 for no check.
    even_exposure: bring both pictures to one brightness and contrast first.

    Raises:
        SettingsError: a value that StereoBM would fail on.
    """

    num_disparities: int
    min_disparity: int = 0
    block_size: int = 15
    uniqueness: int = 15
    left_right_px: int = 1
    pre_filter_cap: int = 31
    texture_threshold: int = 10
    even_exposure: bool = True

    def __post_init__(self) -> None:
        check_range(self.min_disparity, self.num_disparities)
        if not 5 <= self.block_size <= 255 or self.block_size % 2 == 0:
            raise SettingsError(f"block_size must be an odd number, 5 to 255, with matcher bm, got {self.block_size}.")
        if not 1 <= self.pre_filter_cap <= 63:
            raise SettingsError(f"pre_filter_cap must be 1 to 63, got {self.pre_filter_cap}.")


class BmMatcher:
    """StereoBM behind the matcher's protocol, padded so that no column is lost."""

    def __init__(self, config: BmConfig) -> None:
        self.config = config
        self._matcher = cv2.StereoBM.create(config.num_disparities, config.block_size)
        self._matcher.setMinDisparity(config.min_disparity)
        self._matcher.setPreFilterType(cv2.STEREO_BM_PREFILTER_XSOBEL)
        self._matcher.setPreFilterCap(config.pre_filter_cap)
        self._matcher.setTextureThreshold(config.texture_threshold)
        self._matcher.setUniquenessRatio(config.uniqueness)
        self._matcher.setDisp12MaxDiff(config.left_right_px if config.left_right_px > 0 else -1)
        self._padding = Padding(config.min_disparity, config.num_disparities, margin=config.block_size // 2)
        self._invalid = (config.min_disparity - 1) * 16

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Match two rectified (H,W) uint8 pictures; disparity (H,W) float32 px, NaN invalid.

        Raises:
            SettingsError: the block is wider than the picture.
        """
        height, width = left_gray.shape
        if self.config.block_size > min(height, width):
            raise SettingsError(
                f"block_size {self.config.block_size} is wider than the picture ({width}x{height}).",
                "Use a smaller block.",
            )
        left, right = evened(left_gray, right_gray) if self.config.even_exposure else (left_gray, right_gray)
        raw = self._matcher.compute(self._padding.add(left), self._padding.add(right))
        inside = self._padding.crop(np.asarray(raw, np.int16), self._invalid)
        return FixedResult(raw=with_our_invalid(inside, self._invalid))


def make_bm(settings: Settings, min_disparity: int, num_disparities: int) -> BmMatcher:
    """Build the matcher from settings for a disparity range in px of the matched pictures.

    Raises:
        SettingsError: the values do not fit together.
    """
    return BmMatcher(
        BmConfig(
            num_disparities=num_disparities,
            min_disparity=min_disparity,
            block_size=15 if settings.block_size is None else settings.block_size,
            uniqueness=15 if settings.uniqueness is None else settings.uniqueness,
            left_right_px=settings.left_right,
            pre_filter_cap=31 if settings.pre_filter_cap is None else settings.pre_filter_cap,
            texture_threshold=settings.texture_threshold,
            even_exposure=settings.even_exposure,
        )
    )
