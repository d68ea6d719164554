"""What `sgm` does to a pair before matching: even out exposure, smooth noise, take away a vertical error.

Each step measures first and leaves the pictures alone where there is nothing to mend.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8

Smoothing = Literal["auto", "on", "off"]

CLIPPED_MORE = 0.002  # part of a picture
NOISY = 2.8  # grey levels, as `noise_level` measures: above it smoothing gains more than it loses
MARGIN = 8  # px around a point that its patch and the census reach, the search included
POINTS = 300
NOISE_BANDS = 10
FEWEST_POINTS = 40
# Pixels compared around a point: (dy, dx).
PATCH = np.array([(dy, dx) for dy in (-3, -1, 1, 3) for dx in (-4, -1, 2, 5)], dtype=np.int64)
SMALLEST_TILT = 0.2  # px; a vertical error below it is not worth resampling a picture for
WORST_SPREAD = 0.6  # px; above it the points do not agree


def clip_alike(left: U8, right: U8) -> tuple[U8, U8]:
    """Clip in one picture what the exposure of the other has clipped.

    Where the brighter camera is saturated it shows nothing, and the texture that the other one still sees would only
    find wrong matches. The level is the one above (below) which the same part of the other picture lies.
    left, right: (H,W) uint8.
    """
    # Every fourth row is enough: the part of a picture that is clipped need not be known to a pixel.
    rows = [picture[::4] for picture in (left, right)]
    histograms = [cv2.calcHist([part], [0], None, [256], [0, 256]).ravel() / part.size for part in rows]
    summed = [np.cumsum(histogram) for histogram in histograms]
    pictures = [left, right]
    for one, other in ((0, 1), (1, 0)):
        if histograms[one][255] > histograms[other][255] + CLIPPED_MORE:
            level = int(np.searchsorted(summed[other], 1 - histograms[one][255]))
            pictures[other] = np.minimum(pictures[other], np.uint8(min(level, 255)))
        if histograms[one][0] > histograms[other][0] + CLIPPED_MORE:
            level = int(np.searchsorted(summed[other], histograms[one][0]))
            pictures[other] = np.maximum(pictures[other], np.uint8(min(level, 255)))
    return pictures[0], pictures[1]


def noise_level(picture: U8) -> float:
    """Measure a picture's noise, standard deviation in grey levels, on its flattest tenth.

    J. Immerkær, "Fast noise variance estimation", CVIU 64(2), 1996, for blocks of 16 px, in bands across the
    picture, that are neither dark nor bright. Fine texture everywhere counts as noise. picture: (H,W) uint8.
    """
    height, width = picture.shape[0], picture.shape[1] // 16 * 16
    if height < 64 or width < 64:
        return 0.0
    # Bands of 16 rows, each with the row above and below it, so that the filter can run over all of them at once.
    tops = np.linspace(0, height - 18, min(NOISE_BANDS, height // 18)).astype(np.int64)
    bands = np.concatenate([picture[top : top + 18, :width] for top in tops])
    second = np.array([1, -2, 1], dtype=np.float32)
    rough = np.abs(cv2.sepFilter2D(bands, cv2.CV_16S, second, second)).astype(np.uint16)
    blocks = (width // 16, len(tops))
    mean, roughness = (
        cv2.resize(
            image.reshape(len(tops), 18, width)[:, 1:17].reshape(-1, width), blocks, interpolation=cv2.INTER_AREA
        )
        for image in (bands, rough)
    )
    usable = roughness[(mean > 16) & (mean < 240)]
    if usable.size < 8:
        return 0.0
    flattest = usable.size // 10
    mean_of_absolute = float(np.partition(usable, flattest)[flattest])
    return mean_of_absolute * 1.2533 / 6  # √(π/2) to a σ, 6 to that of one pixel


def smooth(left: U8, right: U8, smoothing: Smoothing) -> tuple[U8, U8]:
    """Smooth both pictures a little (Gaussian, σ 0.8 px) if asked to, or, with "auto", if they are noisy."""
    if smoothing == "off" or (smoothing == "auto" and noise_level(left) + noise_level(right) < 2 * NOISY):
        return left, right
    return _blurred(left), _blurred(right)


def _blurred(picture: U8) -> U8:
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.8), dtype=np.uint8)


def textured_points(picture: U8) -> NDArray[np.int64]:
    """Choose up to about 300 points, spread evenly, where the picture changes both across and down.

    picture: (H,W) uint8. Gives (n,2) int64 of (y, x), at least MARGIN px from the border.
    """
    height, width = picture.shape
    if min(height, width) < 4 * MARGIN:
        return np.empty((0, 2), np.int64)
    half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    across = np.abs(cv2.Sobel(half, cv2.CV_16S, 1, 0))
    down = np.abs(cv2.Sobel(half, cv2.CV_16S, 0, 1))
    texture = cv2.boxFilter(np.minimum(across, down), cv2.CV_32F, (5, 5))
    cell = max(8, round((half.size / POINTS) ** 0.5))
    rows, columns = half.shape[0] // cell, half.shape[1] // cell
    tiles = texture[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    cells = tiles.transpose(0, 2, 1, 3).reshape(rows * columns, cell * cell)
    best = cells.argmax(axis=1)
    number = np.arange(rows * columns)
    y = 2 * (number // columns * cell + best // cell)
    x = 2 * (number % columns * cell + best % cell)
    inside = (y >= MARGIN) & (y < height - MARGIN) & (x >= MARGIN) & (x < width - MARGIN)
    chosen = inside & (cells.max(axis=1) > 16)
    return np.stack([y[chosen], x[chosen]], axis=1).astype(np.int64)


def fit_tilt(points: NDArray[np.int64], offsets: F32, size_wh: tuple[int, int]) -> NDArray[np.float64] | None:
    """Fit the vertical error as a tilted plane to what the points say, robustly.

    points: (n,2) of (y, x). offsets: (n,) float32, right row − left row, NaN unknown. Gives (3,) float64, px: the error
    in the middle, and how much it grows over the whole width and over the whole height (that of a rig is small: both
    are drawn to 0 as by a measurement of σ 0.7 px). None where too few points answer or they do not agree.
    """
    width, height = size_wh
    known = np.isfinite(offsets)
    if int(known.sum()) < FEWEST_POINTS:
        return None
    y, x = points[known].T
    value = offsets[known].astype(np.float64)
    basis = np.empty((len(value), 3))
    basis[:, 0] = 1
    basis[:, 1] = (x - width / 2) / width
    basis[:, 2] = (y - height / 2) / height
    tilt = np.array([_median(value), 0.0, 0.0])
    spread = 0.0
    for _ in range(4):  # iteratively reweighted: Huber's weights, and none beyond four spreads
        residual = np.abs(value - basis @ tilt)
        spread = max(0.1, 1.4826 * _median(residual))
        weight = (residual < 4 * spread) / np.maximum(1, residual / (1.5 * spread))
        prior = np.diag([0.0, 1.0, 1.0]) * (spread / 0.7) ** 2
        tilt = np.linalg.solve(basis.T @ (weight[:, None] * basis) + prior, basis.T @ (weight * value))
    return tilt if spread <= WORST_SPREAD else None


def _median(values: NDArray[np.float64]) -> float:
    """Give the median of (n,) values without NaN; four times as fast as numpy's, which looks for them."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((low + high) / 2)


def levelled(right: U8, tilt: NDArray[np.float64] | None) -> U8:
    """Resample the right picture so that its rows are those of the left one; as it is where the error is small."""
    if tilt is None or abs(tilt[0]) + abs(tilt[1]) / 2 + abs(tilt[2]) / 2 < SMALLEST_TILT:
        return right
    height, width = right.shape
    middle = tilt[0] - tilt[1] / 2 - tilt[2] / 2
    rows = np.array([[1, 0, 0], [tilt[1] / width, 1 + tilt[2] / height, middle]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(right, rows, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
