"""Our own matcher `sgm`: census cost and semi-global matching, several times as fast as StereoSGBM 3WAY.

    matcher = SgmMatcher(SgmConfig(num_disparities=128))
    match = matcher.compute(left_gray, right_gray)

It needs the extra `fast` (numba). The first use on a computer compiles for some seconds; `warm_up` does that ahead of
time, in a thread if wanted, and says so. A matcher owns its memory: each thread has one of its own, and several may
run at once. What it answers depends on the pictures and the config alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from livestereo.errors import SettingsError
from livestereo.fixed import FixedResult
from livestereo.matchers.sgm_compile import Kernels, get_kernels, run_first, sgm_available
from livestereo.matchers.sgm_prepare import PATCH, Smoothing, clip_alike, fit_tilt, levelled, smooth, textured_points
from livestereo.parameters import PARAMETERS
from livestereo.settings import Settings
from livestereo.types import F32, U8, MatchResult, SizeWH

__all__ = ["SgmConfig", "SgmMatcher", "make_sgm", "sgm_available", "warm_up"]

REACH = 3  # px that the census looks to each side
BLOCK = 64  # pixels that the census codes at a time
GUARD = 32
ROWS_SOUGHT = 5
ROW_PENALTY = 2  # bits
FARTHEST = 1024  # px; the smallest disparity lies within, either way, for sixteenths of it must fit in 16 bits
MOST_UNIQUE, MOST_APART = PARAMETERS["uniqueness"].maximum, PARAMETERS["left_right"].maximum
NO_CHECK = 4096  # px; larger than any disparity
# The neighbours of the census (dy, dx): 16 of a 7x7 window. All 24 of a denser pattern were not better, and slower.
CENSUS = np.array(
    [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    + [(-3, 0), (3, 0), (0, -3), (0, 3), (-2, -2), (-2, 2), (2, -2), (2, 2)],
    dtype=np.int64,
)


class SgmConfig(BaseModel):
    """Settings of `sgm`; px of the pictures that it is given, penalties in census bits (a cost has up to 16).

    Raises:
        pydantic.ValidationError: a value out of its range, or P1 above P2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_disparities: int = Field(128, ge=16, le=256, multiple_of=16, description="Disparities searched, px.")
    min_disparity: int = Field(0, ge=-FARTHEST, le=FARTHEST, description="Smallest disparity searched, px.")
    p1: int = Field(6, ge=1, le=100, description="Penalty for a step of 1 px between neighbours.")
    p2: int = Field(24, ge=1, le=100, description="Penalty for a jump between neighbours.")
    uniqueness: int = Field(
        5,
        ge=0,
        le=PARAMETERS["uniqueness"].maximum,
        description="Percent by which the winner must beat any other disparity.",
    )
    left_right: int = Field(
        1,
        ge=0,
        le=PARAMETERS["left_right"].maximum,
        description="Largest disagreement of the two views, px; 0: not checked.",
    )
    level_rows: bool = Field(True, description="Measure a vertical error of up to two rows and take it away.")
    row_tolerance: bool = Field(False, description="Also match one row higher or lower: slower, for uneven errors.")
    even_exposure: bool = Field(True, description="Clip in one picture what the exposure of the other has clipped.")
    smoothing: Smoothing = Field("auto", description="Smooth the pictures first: auto (when they are noisy), on, off.")

    @model_validator(mode="after")
    def _penalties_in_order(self) -> SgmConfig:
        if self.p1 > self.p2:
            raise ValueError(f"p1 ({self.p1}) must not be above p2 ({self.p2})")
        return self

    def rivals(self) -> U8:
        """Give for each winning sum the sum under which another disparity makes it doubtful, (256,) uint8."""
        winning = np.arange(256)
        return np.minimum(255, -(-winning * 100 // (100 - self.uniqueness))).astype(np.uint8)


@dataclass(frozen=True)
class Memory:
    """Working memory for one size of picture; a codes row of the right picture is mirrored, column x at `base − x`."""

    base: int
    picture: U8
    left: U8
    right: U8
    costs: U8
    sums: U8
    above: U8
    total: U8
    found: NDArray[np.uint32]
    votes: NDArray[np.uint16]
    fine: NDArray[np.int32]
    row_costs: U8

    @staticmethod
    def allocate(size_wh: SizeWH, min_disparity: int, lanes: int) -> Memory:
        """Make the memory for pictures of `size_wh` and vectors of `lanes` bytes."""
        width, height = size_wh
        whole = -(-width // BLOCK) * BLOCK
        base = whole - 1 + max(0, -min_disparity)
        above = _aligned(GUARD + width * (lanes + GUARD))
        above[:] = 255
        return Memory(
            base=base,
            picture=np.zeros((height + 2 * REACH, whole + 2 * REACH), np.uint8),
            left=np.zeros((height, 2, whole), np.uint8),
            right=np.zeros((height, 2, base + 1 + max(0, min_disparity) + lanes + BLOCK), np.uint8),
            costs=_aligned(width * lanes),
            sums=_aligned(width * lanes),
            above=above,
            total=np.full(lanes + 2 * BLOCK, 255, np.uint8),
            found=np.empty(width, np.uint32),
            votes=np.empty(width + lanes, np.uint16),
            fine=np.empty(width, np.int32),
            row_costs=np.empty((ROWS_SOUGHT, lanes), np.uint8),
        )


def _aligned(size: int) -> U8:
    """Give uninitialised bytes that begin at a cache line."""
    memory = np.empty(size + BLOCK, np.uint8)
    start = -memory.ctypes.data % BLOCK
    return memory[start : start + size]


class SgmMatcher:
    """Semi-global matching on census codes, behind the matcher's protocol.

    Raises:
        MissingExtra: numba cannot be used here.
    """

    def __init__(self, config: SgmConfig) -> None:
        self.config = config
        self._kernels = get_kernels(config.num_disparities, config.row_tolerance)
        self._has_run = False
        self._rivals = config.rivals()
        self._spare = np.where(np.arange(self._kernels.lanes) < config.num_disparities, 0, 255).astype(np.uint8)
        self._memory: tuple[SizeWH, Memory] | None = None

    def compute(self, left_gray: U8, right_gray: U8) -> MatchResult:
        """Match two rectified (H,W) uint8 pictures of any size; disparity (H,W) float32 px, NaN invalid.

        Disparities are whole sixteenths. The left columns are kept, as far as the right camera sees them.

        Raises:
            ValueError: the pictures differ in size, or are not gray.
        """
        if left_gray.ndim != 2 or left_gray.shape != right_gray.shape:
            raise ValueError(f"two (H,W) pictures of one size are needed, got {left_gray.shape} and {right_gray.shape}")
        if not self._has_run:
            self.warm_up()
        return FixedResult(raw=self._compute(self._kernels, left_gray, right_gray))

    def warm_up(self, progress: Callable[[str], None] | None = None) -> None:
        """Compile, or read from the cache, what `compute` needs; `progress` is told one line before a compilation."""
        if progress is not None and not self._kernels.known:
            kept = "once" if self._kernels.folder is not None else "each time, for no cache folder can be written"
            progress(f"Compiling the matcher sgm for this computer ({kept}) …")
        self._kernels = run_first(self._kernels, self.config.num_disparities, self.config.row_tolerance, self._try_out)
        self._has_run = True

    def _try_out(self, kernels: Kernels) -> None:
        """Run all kernels on a small picture, so that they are compiled."""
        picture = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
        memory = Memory.allocate((64, 64), self.config.min_disparity, kernels.lanes)
        self._encode(kernels, memory, picture, left=True)
        self._encode(kernels, memory, picture, left=False)
        self._row_offsets(kernels, memory, np.array([[32, 32]], np.int64))
        self._match(kernels, memory, (64, 64))

    def _compute(self, kernels: Kernels, left_gray: U8, right_gray: U8) -> NDArray[np.int16]:
        height, width = left_gray.shape
        memory = self._memory_for((width, height), kernels.lanes)
        left, right = left_gray, right_gray
        if self.config.even_exposure:
            left, right = clip_alike(left, right)
        left, right = smooth(left, right, self.config.smoothing)
        self._encode(kernels, memory, left, left=True)
        self._encode(kernels, memory, right, left=False)
        if self.config.level_rows:
            points = textured_points(left)
            offsets = self._row_offsets(kernels, memory, points)
            level = levelled(right, fit_tilt(points, offsets, (width, height)))
            if level is not right:
                self._encode(kernels, memory, level, left=False)
        return self._match(kernels, memory, (width, height))

    def _memory_for(self, size_wh: SizeWH, lanes: int) -> Memory:
        if self._memory is None or self._memory[0] != size_wh:
            self._memory = (size_wh, Memory.allocate(size_wh, self.config.min_disparity, lanes))
        return self._memory[1]

    def _encode(self, kernels: Kernels, memory: Memory, picture: U8, *, left: bool) -> None:
        """Write the census codes of a picture; beyond its sides the code of the border column is repeated."""
        width = picture.shape[1]
        beyond = memory.picture.shape[1] - width - REACH
        cv2.copyMakeBorder(picture, REACH, REACH, REACH, beyond, cv2.BORDER_REPLICATE, dst=memory.picture)
        if left:
            kernels.census(memory.picture, CENSUS, memory.left, 0, 1)
            return
        kernels.census(memory.picture, CENSUS, memory.right, memory.base, -1)
        first = memory.base - width + 1
        memory.right[:, :, memory.base + 1 :] = memory.right[:, :, memory.base : memory.base + 1]
        memory.right[:, :, :first] = memory.right[:, :, first : first + 1]

    def _row_offsets(self, kernels: Kernels, memory: Memory, points: NDArray[np.int64]) -> F32:
        offsets = np.empty(len(points), np.float32)
        config = self.config
        search: tuple[Any, ...] = (memory.base, config.num_disparities, config.min_disparity, self._spare)
        kernels.rows(memory.left, memory.right, *search, points, PATCH, memory.row_costs, offsets)
        return offsets

    def _match(self, kernels: Kernels, memory: Memory, size_wh: SizeWH) -> NDArray[np.int16]:
        width, height = size_wh
        config = self.config
        disparity = np.empty((height, width), np.int16)
        kernels.match(
            memory.left,
            memory.right,
            width,
            memory.base,
            config.num_disparities,
            config.min_disparity,
            config.p1,
            config.p2,
            ROW_PENALTY,
            config.left_right or NO_CHECK,
            self._spare,
            self._rivals,
            memory.costs,
            memory.sums,
            memory.above,
            memory.total,
            memory.found,
            memory.votes,
            memory.fine,
            disparity,
        )
        return disparity


def warm_up(config: SgmConfig, size_wh: SizeWH, progress: Callable[[str], None] | None = None) -> None:
    """Have everything compiled, or read from the cache, before the first pair counts; may run in any thread.

    progress: told one line if this computer has to compile first, which takes some seconds and happens once.

    Raises:
        MissingExtra: numba cannot be used here.
    """
    matcher = SgmMatcher(config)
    matcher.warm_up(progress)
    width, height = size_wh
    blank = np.zeros((height, width), np.uint8)
    matcher.compute(blank, blank)


def make_sgm(settings: Settings, min_disparity: int, num_disparities: int) -> SgmMatcher:
    """Build the matcher from settings for a disparity range in px of the matched pictures.

    Raises:
        SettingsError: the values do not fit together.
        MissingExtra: numba cannot be used here.
    """
    if num_disparities > 256:
        raise SettingsError(
            f"The matcher sgm searches up to 256 disparities, got {num_disparities}.",
            "Raise --min-depth, lower --num-disparities, or use --matcher sgbm.",
        )
    if abs(min_disparity) > FARTHEST:
        raise SettingsError(
            f"The matcher sgm begins at a disparity of {-FARTHEST} to {FARTHEST} px, got {min_disparity}.",
            "Change --min-disparity, or use --matcher sgbm.",
        )
    try:
        config = SgmConfig(
            num_disparities=num_disparities,
            min_disparity=min_disparity,
            p1=settings.sgm_p1,
            p2=settings.sgm_p2,
            uniqueness=5 if settings.uniqueness is None else settings.uniqueness,
            left_right=settings.left_right,
            level_rows=settings.sgm_rows,
            even_exposure=settings.even_exposure,
            smoothing=settings.smooth or "auto",
        )
    except ValidationError as error:
        broken = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The matcher sgm cannot work with these settings: {broken}.") from error
    return SgmMatcher(config)
