"""What `sgm` computes, readably and slowly: the oracle that the compiled matcher is held against, bit for bit.

    expected = reference_match(left_gray, right_gray, config)

Plain numpy over the whole cost volume (H, W, D). It shares with the fast one only what is done to the pictures before
(`sgm_prepare`) and the constants. Every step can be read beside the paper: H. Hirschmüller, "Stereo processing by
semi-global matching and mutual information", PAMI 30(2), 2008.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.matchers.sgm import CENSUS, REACH, ROW_PENALTY, ROWS_SOUGHT, SgmConfig
from livestereo.matchers.sgm_prepare import PATCH, clip_alike, fit_tilt, levelled, smooth, textured_points
from livestereo.types import F32, U8

I32 = NDArray[np.int32]
OUTSIDE = 1 << 20  # a cost that never wins


def reference_match(left_gray: U8, right_gray: U8, config: SgmConfig) -> F32:
    """Match two rectified (H,W) uint8 pictures; disparity (H,W) float32 px, NaN invalid."""
    left, right = left_gray, right_gray
    if config.even_exposure:
        left, right = clip_alike(left, right)
    left, right = smooth(left, right, config.smoothing)
    left_codes, right_codes = census(left), census(right)
    if config.level_rows:
        points = textured_points(left)
        offsets = row_offsets(left_codes, right_codes, points, config)
        height, width = left.shape
        right_codes = census(levelled(right, fit_tilt(points, offsets, (width, height))))
    costs = cost_volume(left_codes, right_codes, config)
    return winners(path_sums(costs, config), config)


def census(picture: U8) -> I32:
    """Code every pixel by which of its 16 neighbours are not darker, (H,W) int32; the border is repeated outwards."""
    height, width = picture.shape
    padded = cv2.copyMakeBorder(picture, REACH, REACH, REACH, REACH, cv2.BORDER_REPLICATE)
    codes = np.zeros((height, width), np.int32)
    for bit, (dy, dx) in enumerate(CENSUS):
        neighbour = padded[REACH + dy : REACH + dy + height, REACH + dx : REACH + dx + width]
        codes |= (neighbour >= picture).astype(np.int32) << bit
    return codes


def bits_apart(a: I32, b: I32) -> I32:
    """Count the bits in which two arrays of 16-bit codes differ."""
    apart = np.ascontiguousarray(np.broadcast_to(a ^ b, np.broadcast_shapes(a.shape, b.shape)))
    bits = np.unpackbits(apart.view(np.uint8).reshape(*apart.shape, 4), axis=-1)
    return np.asarray(bits.sum(axis=-1), np.int32)


def cost_volume(left_codes: I32, right_codes: I32, config: SgmConfig) -> I32:
    """Give the cost of every pixel and disparity, (H,W,D); beyond its sides the right picture's border is repeated."""
    height, width = left_codes.shape
    disparities = config.min_disparity + np.arange(config.num_disparities)
    columns = np.clip(np.arange(width)[:, None] - disparities, 0, width - 1)  # (W,D)

    def against(rows: NDArray[np.int64]) -> I32:
        return bits_apart(left_codes[:, :, None], right_codes[rows][:, columns])

    rows = np.arange(height)
    costs = against(rows)
    if config.row_tolerance:
        # At the top and bottom a missing row stands in for itself, and never wins by that.
        near = np.minimum(against(np.maximum(rows - 1, 0)), against(np.minimum(rows + 1, height - 1)))
        costs = np.minimum(costs, near + ROW_PENALTY)
    return costs


def path_sums(costs: I32, config: SgmConfig) -> I32:
    """Sum the costs gathered from the left, from above and from the right, (H,W,D), at most 255."""
    step = _step(config)
    sums = np.zeros_like(costs)
    for order in (range(costs.shape[1]), range(costs.shape[1] - 1, -1, -1)):
        path = np.zeros_like(costs[:, 0])
        for x in order:
            path = step(path, costs[:, x])
            sums[:, x] += path
    path = np.zeros_like(costs[0])
    for y in range(costs.shape[0]):
        path = step(path, costs[y])
        sums[y] += path
    return np.minimum(sums, 255)


def _step(config: SgmConfig) -> Callable[[I32, I32], I32]:
    def step(before: I32, cost: I32) -> I32:
        """One step of a path for (N,D) pixels at once."""
        before = before - before.min(axis=-1, keepdims=True)
        wide = np.pad(before, ((0, 0), (1, 1)), constant_values=OUTSIDE)
        near = np.minimum(wide[:, :-2], wide[:, 2:]) + config.p1
        result: I32 = cost + np.minimum(np.minimum(before, near), config.p2)
        return result

    return step


def winners(sums: I32, config: SgmConfig) -> F32:
    """Choose each pixel's disparity, refine it, and drop the doubtful; (H,W) float32 px, NaN invalid."""
    height, width, count = sums.shape
    rows, columns = np.indices((height, width))
    best = sums.argmin(axis=-1)
    low = sums.min(axis=-1)
    wide = np.pad(sums, ((0, 0), (0, 0), (1, 1)), constant_values=255)
    before = wide[rows, columns, best]
    after = wide[rows, columns, best + 2]

    limit = config.rivals().astype(np.int32)[low]
    rival = sums < limit[..., None]
    rival &= np.abs(np.arange(count) - best[..., None]) > 1
    known = ~rival.any(axis=-1) & (low < 255)

    # The flanks of the sum are taken as equally steep, x = rise / (2 steep), and slightly rounded at the bottom,
    # x (9 − 2 |x|) / 8; in 1/16 px, halves upwards.
    steep = np.maximum(np.maximum(before, after) - low, 1)
    rise = before - after
    part = (2 * rise * (9 * steep - np.abs(rise)) + steep * steep) // (2 * steep * steep)
    sixteenths = 16 * best + np.where((best > 0) & (best < count - 1), part, 0)

    votes = _right_view(best, low, known, count)
    if config.left_right > 0:
        agree = np.zeros_like(known)
        for whole in (sixteenths // 16, -(-sixteenths // 16)):  # the two right pixels it falls between
            vote = votes[rows, columns - whole + count - 1]
            agree |= (vote < 0) | (np.abs(16 * vote - sixteenths) <= 16 * config.left_right)
        known &= agree
    seen = columns - config.min_disparity - best
    known &= (seen >= 0) & (seen < width)
    disparity = (sixteenths + 16 * config.min_disparity).astype(np.float32) / np.float32(16)
    return np.where(known, disparity, np.float32(np.nan))


def _right_view(best: NDArray[np.int64], low: I32, known: NDArray[np.bool_], count: int) -> I32:
    """Give the disparity that each pixel of the right view would choose, −1 where none; column x − d + count − 1.

    It is that of the left pixel with the lowest sum; the larger disparity where two are equal.
    """
    height, width = best.shape
    votes = np.full((height, width + count - 1), -1, np.int32)
    lowest = np.full(votes.shape, 255, np.int32)
    for y in range(height):
        for x in range(width):
            d = best[y, x]
            k = x - d + count - 1
            if known[y, x] and (low[y, x], -d) < (lowest[y, k], -votes[y, k]):
                votes[y, k], lowest[y, k] = d, low[y, x]
    return votes


def row_offsets(left_codes: I32, right_codes: I32, points: NDArray[np.int64], config: SgmConfig) -> F32:
    """Find on which row of the right picture each point lies, right row − left row, (n,) float32, NaN where unclear."""
    width = left_codes.shape[1]
    disparities = config.min_disparity + np.arange(config.num_disparities)
    offsets = np.full(len(points), np.nan, np.float32)
    reach = ROWS_SOUGHT // 2
    for n, (y, x) in enumerate(points):
        patch_y, patch_x = np.add(PATCH, (y, x)).T
        columns = np.clip(patch_x[:, None] - disparities, 0, width - 1)
        costs = np.zeros((ROWS_SOUGHT, config.num_disparities), np.int32)
        for row in range(ROWS_SOUGHT):
            codes = right_codes[(patch_y + row - reach)[:, None], columns]
            costs[row] = np.minimum(255, bits_apart(left_codes[patch_y, patch_x][:, None], codes).sum(axis=0))
        row, d = divmod(int(costs.argmin()), config.num_disparities)
        best = int(costs[row, d])
        limit = min(255, best + best // 4 + 8)
        near = slice(max(0, d - 2), d + 3)
        rivals = (costs[row] < limit).sum() - (costs[row, near] < limit).sum()
        if best < 94 and 0 < row < ROWS_SOUGHT - 1 and rivals == 0:
            beside = slice(max(0, d - 1), d + 2)
            up, down = int(costs[row - 1, beside].min()), int(costs[row + 1, beside].min())
            steep = max(1, max(up, down) - best)
            offsets[n] = np.float32(row - reach + np.float32(up - down) / np.float32(2 * steep))
    return offsets
