"""Whether left and right are exchanged, told by what hides what. Pure.

From disparities alone it cannot be told: exchanged pictures look like those of cameras that were turned against each
other. But where disparity grows along a row, pixels are hidden from the other camera, and they belong to what is
farther: they look like what lies on their left if larger disparity is nearer, else like what lies on their right.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

COPY_WIDTH = 480
LEAST_JUMP_PX = 3.0
BESIDE_PX = (2, 7)  # pixels on either side whose colour is taken
DIFFERENT = 12.0  # of the colours on both sides, CIE Lab as 8 bits
SURE = 3.5  # standard deviations; of fifty ordinary pairs, either way round, the worst went wrong by 3.1
LEAST_SHARE = 0.08  # of the votes, from even: below it the count says nothing, however many there are


def exchanged(left: U8, right: U8, low_px: float, high_px: float) -> float:
    """Say how much speaks for left and right being exchanged, in standard deviations of chance; below 0 against it.

    left, right: (H,W,3) BGR or (H,W), with common rows. low_px, high_px: the disparities that occur.
    """
    scale = min(1.0, COPY_WIDTH / left.shape[1])
    size = max(32, round(left.shape[1] * scale)), max(16, round(left.shape[0] * scale))
    one, other = (_coloured(cv2.resize(side, size, interpolation=cv2.INTER_AREA)) for side in (left, right))
    low, high = low_px * scale, high_px * scale
    if not high - low < size[0] / 2 or abs(low) > size[0] / 2:
        return 0.0
    # The right view, mirrored, is a left one with the same disparities.
    votes = [_votes(one, other, low, high), _votes(_mirrored(other), _mirrored(one), low, high)]
    to_left, count = (sum(vote[i] for vote in votes) for i in (0, 1))
    if count == 0 or abs(to_left / count - 0.5) < LEAST_SHARE:
        return 0.0
    return (count - 2 * to_left) / math.sqrt(count)


def _coloured(picture: cv2.typing.MatLike) -> U8:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture, np.uint8)


def _mirrored(picture: U8) -> U8:
    return np.ascontiguousarray(picture[:, ::-1])


def _votes(left: U8, right: U8, low: float, high: float) -> tuple[int, int]:
    """Count hidden stretches that look like what lies on their left, and all that look like one side."""
    disparity = _disparity(left, right, low, high)
    known = np.isfinite(disparity)
    width = known.shape[1]
    columns = np.arange(width)
    after = np.minimum.accumulate(np.where(known, columns, width)[:, ::-1], axis=1)[:, ::-1]
    y, before = np.nonzero(known[:, :-1] & ~known[:, 1:])
    behind = after[y, before + 1]
    far = BESIDE_PX[1] + 1
    inside = (before >= far) & (behind < width - far)
    y, before, behind = y[inside], before[inside], behind[inside]
    jump, wide = disparity[y, behind] - disparity[y, before], behind - before - 1
    # As wide as the jump: hidden by it, and not blank.
    hidden = (jump >= LEAST_JUMP_PX) & (np.abs(wide - jump) <= np.maximum(2, 0.35 * jump))
    y, before, behind, wide = y[hidden], before[hidden], behind[hidden], wide[hidden]
    colours = np.asarray(cv2.cvtColor(left, cv2.COLOR_BGR2LAB), np.float32)
    sums = np.pad(np.cumsum(colours, axis=1, dtype=np.float64), ((0, 0), (1, 0), (0, 0)))

    def mean(start: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray((sums[y, stop] - sums[y, start]) / np.maximum(stop - start, 1)[:, None])

    rim = np.minimum(3, wide // 3)
    own = mean(before + 1 + rim, behind - rim)
    beside = (
        mean(before - BESIDE_PX[1] + 1, before - BESIDE_PX[0] + 1),
        mean(behind + BESIDE_PX[0], behind + BESIDE_PX[1]),
    )
    to_left, to_right = (np.linalg.norm(own - side, axis=1) for side in beside)
    apart = np.linalg.norm(beside[0] - beside[1], axis=1)
    telling = (apart > DIFFERENT) & (np.minimum(to_left, to_right) < 0.5 * apart)
    return int(np.count_nonzero(to_left[telling] < to_right[telling])), int(np.count_nonzero(telling))


def _disparity(left: U8, right: U8, low: float, high: float) -> F32:
    """Match two small pictures, (H,W) px, NaN where no partner is sure."""
    least = math.floor(low) - 4
    count = math.ceil((high + 8 - least) / 16) * 16
    before, behind = max(0, least + count), max(0, -least)
    padded = [
        cv2.copyMakeBorder(cv2.cvtColor(side, cv2.COLOR_BGR2GRAY), 0, 0, before, behind, cv2.BORDER_REPLICATE)
        for side in (left, right)
    ]
    matcher = cv2.StereoSGBM.create(
        minDisparity=least, numDisparities=count, blockSize=5, P1=8 * 25, P2=32 * 25, disp12MaxDiff=1,
        preFilterCap=31, uniquenessRatio=15, speckleWindowSize=100, speckleRange=1,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    raw = np.asarray(matcher.compute(*padded), np.int16)[:, before : before + left.shape[1]]
    return np.where(raw >= 16 * least, raw.astype(np.float32) / 16, np.float32(np.nan))
