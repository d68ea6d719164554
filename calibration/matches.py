"""Find the same points in two pictures of a scene, to a tenth of a pixel.

    matches = find_matches(left_gray, right_gray)
    matches.left_px, matches.right_px        # (N,2) each, row i is the same point of the scene

SIFT features (Lowe 2004, with the square-root distance of Arandjelović and Zisserman 2012) spread over the
picture, matched in both directions, then moved to sub-pixel places by Lucas and Kanade's method, forward and
back. Wrong matches are removed by the one thing that holds for any two views of a still scene: an epipolar
geometry that the right ones share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Array

U8 = NDArray[np.uint8]

# Features are found in pictures of at most this width or height, and placed in the full one.
_DETECT_PX = 800
# Tracking works in pictures of at most this: a photo's own pixels are finer than its sharpness.
_TRACK_PX = 2000
_CELLS = 12
# A wrong match falls on the right epipolar line by chance about once in a hundred; seven fit any geometry.
_CHANCE = 0.03
LEAST = 16
# Tracking bears pictures that differ so much in scale (natural logarithm).
SAME_ZOOM = 0.08


@dataclass(frozen=True)
class Matches:
    """Points seen in both pictures.

    left_px, right_px: (N,2) float64. sigma_px: (N,) standard deviation of each place, per axis, as far as it is
    known: 0.1 where sub-pixel tracking agreed both ways, more where it did not. offered: how many candidates
    there were before the epipolar test. rotation_deg: by how much the right picture is turned, clockwise. zoom: how
    many pixels of the right picture show what one of the left shows.
    """

    left_px: Array
    right_px: Array
    sigma_px: Array
    offered: int
    rotation_deg: float = 0.0
    zoom: float = 1.0

    def __len__(self) -> int:
        return len(self.left_px)

    @property
    def enough(self) -> bool:
        """There are clearly more than chance would give."""
        return len(self) >= LEAST + _CHANCE * self.offered

    def pick(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Matches:
        """Give some of them: by mask or by index."""
        left, right, sigma = self.left_px[rows], self.right_px[rows], self.sigma_px[rows]
        return replace(self, left_px=left, right_px=right, sigma_px=sigma)


def find_matches(left_gray: U8, right_gray: U8, *, most: int = 1500, tolerance_px: float | None = None) -> Matches:
    """Match two pictures, (H,W) uint8 each; their sizes may differ.

    most: features per picture. tolerance_px: of the epipolar test; by default 0.4 % of the picture's width, at
    least 1.5, which lets ordinary lens distortion pass. The result is unordered and may be empty; ask `enough`.
    """
    shrunk = _TRACK_PX / max(*left_gray.shape, *right_gray.shape)
    if shrunk < 1:
        small = [_shrink(picture, shrunk) for picture in (left_gray, right_gray)]
        found = find_matches(
            small[0],
            small[1],
            most=most,
            tolerance_px=None if tolerance_px is None else tolerance_px * shrunk,
        )
        grown = [
            _grow(px, part, whole)
            for px, part, whole in zip((found.left_px, found.right_px), small, (left_gray, right_gray))
        ]
        return replace(found, left_px=grown[0], right_px=grown[1], sigma_px=found.sigma_px / shrunk)
    features = [_features(picture, most) for picture in (left_gray, right_gray)]
    pairs = _mutual(features[0].descriptors, features[1].descriptors)
    if len(pairs) < 8:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), len(pairs))
    left, right = features[0].points[pairs[:, 0]], features[1].points[pairs[:, 1]]
    turns = np.radians(features[1].angles[pairs[:, 1]] - features[0].angles[pairs[:, 0]])
    rotation = float(np.degrees(np.angle(np.exp(1j * turns).mean())))
    zoom = float(np.exp(np.median(np.log(features[1].sizes[pairs[:, 1]] / features[0].sizes[pairs[:, 0]]))))
    if abs(rotation) > 20:
        sigma = np.full(len(left), 0.5)
    elif abs(np.log(zoom)) > SAME_ZOOM or left_gray.shape != right_gray.shape:
        left, right, sigma = _refine_zoomed(left_gray, right_gray, left, right, zoom)
    else:
        left, right, sigma = _refine(left_gray, right_gray, left, right)
    tolerance = tolerance_px or max(1.5, 0.004 * max(left_gray.shape))
    keep = epipolar_inliers(left, right, tolerance)
    return Matches(left[keep], right[keep], sigma[keep], len(pairs), rotation, zoom)


def _shrink(picture: U8, factor: float) -> U8:
    # Given a factor OpenCV uses it as it is, although sizes are whole numbers: points would be moved by another one.
    height, width = (max(1, round(side * factor)) for side in picture.shape)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _grow(points: Array, small: cv2.typing.MatLike, whole: U8) -> Array:
    """Move points (N,2) from a shrunk picture to the whole one, or back, centre to centre."""
    factor = np.array([whole.shape[1] / small.shape[1], whole.shape[0] / small.shape[0]])
    return np.asarray((points + 0.5) * factor - 0.5)


def epipolar_inliers(left_px: Array, right_px: Array, tolerance_px: float) -> NDArray[np.bool_]:
    """Tell which matches (N,2) share one epipolar geometry within a tolerance; (N,) bool, repeatable."""
    if len(left_px) < 8:
        return np.zeros(len(left_px), dtype=np.bool_)
    cv2.setRNGSeed(0)
    left, right = np.ascontiguousarray(left_px), np.ascontiguousarray(right_px)
    # MAGSAC asserts on some good sets (a wall that fills the picture); both do where every sample is degenerate: the
    # same picture twice, points on one line.
    for method in (cv2.USAC_MAGSAC, cv2.USAC_ACCURATE):
        try:
            _, mask = cv2.findFundamentalMat(left, right, method, tolerance_px, 0.9999, 4000)
        except cv2.error:
            continue
        if mask is not None:
            return np.asarray(mask.ravel() > 0)
    return np.zeros(len(left_px), dtype=np.bool_)


@dataclass(frozen=True)
class _Features:
    points: Array
    angles: Array
    sizes: Array
    descriptors: NDArray[np.float32]


def _features(gray: U8, most: int) -> _Features:
    scale = min(1.0, _DETECT_PX / max(gray.shape))
    small: cv2.typing.MatLike = _shrink(gray, scale) if scale < 1 else gray
    sx, sy = small.shape[1] / gray.shape[1], small.shape[0] / gray.shape[0]
    sift = cv2.SIFT.create(0, 3, 0.01, 12, 1.6, True)
    found = sift.detect(small, None)
    if len(found) < most // 3:  # a wall, or dim light: raise what contrast there is
        small = cv2.createCLAHE(6.0, (8, 8)).apply(np.asarray(small, dtype=np.uint8))
        found = cv2.SIFT.create(0, 3, 0.008, 15, 1.6, True).detect(small, None)
    points: Sequence[cv2.KeyPoint] = _spread(found, (small.shape[1], small.shape[0]), most)
    if not points:
        return _Features(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 128), np.float32))
    points, descriptors = sift.compute(small, points)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(1, keepdims=True), 1e-9)).astype(np.float32)
    places = np.array([p.pt for p in points], dtype=np.float64)
    places = (places + 0.5) / [sx, sy] - 0.5
    sizes = np.array([p.size for p in points]) / scale
    return _Features(places, np.array([p.angle for p in points]), sizes, root)


def _spread(found: Sequence[cv2.KeyPoint], size: tuple[int, int], most: int) -> list[cv2.KeyPoint]:
    """Take the strongest of each cell of the picture in turn, so that one bush does not take all."""
    cells: dict[tuple[int, int], list[cv2.KeyPoint]] = {}
    for point in sorted(found, key=lambda p: -p.response):
        cell = (int(point.pt[0] * _CELLS / size[0]), int(point.pt[1] * _CELLS / size[1]))
        cells.setdefault(cell, []).append(point)
    taken: list[cv2.KeyPoint] = []
    depth = 0
    while len(taken) < most:
        layer = [points[depth] for points in cells.values() if len(points) > depth]
        if not layer:
            break
        taken += layer
        depth += 1
    return taken[:most]


def _mutual(left: NDArray[np.float32], right: NDArray[np.float32], ratio: float = 0.9) -> NDArray[np.intp]:
    """Pairs (M,2) of rows that are each other's nearest, clearly nearer than the next, in both directions."""
    if len(left) < 2 or len(right) < 2:
        return np.zeros((0, 2), dtype=np.intp)
    squared = np.maximum(2 - 2 * (left @ right.T), 0)
    forth, back = squared.argmin(1), squared.argmin(0)
    rows = np.arange(len(left))
    best = squared[rows, forth]
    by_row = np.partition(squared, 1, axis=1)[:, 1]
    by_column = np.partition(squared, 1, axis=0)[1]
    limit = ratio * ratio
    good = (back[forth] == rows) & (best < limit * by_row) & (best < limit * by_column[forth])
    return np.column_stack([rows[good], forth[good]])


def _refine(left_gray: U8, right_gray: U8, left: Array, right: Array) -> tuple[Array, Array, Array]:
    """Move the right points so that the windows around both agree; keep those that come back on the way back."""
    a, b = _flatten(left_gray), _flatten(right_gray)
    start = left.astype(np.float32).reshape(-1, 1, 2)
    guess = right.astype(np.float32).reshape(-1, 1, 2)
    window = 15 if max(left_gray.shape) < 900 else 21
    forth, ok_forth = _track(a, b, start, guess.copy(), window)
    back, ok_back = _track(b, a, forth, start.copy(), window)
    moved = np.hypot(*(forth - guess).reshape(-1, 2).T)
    missed = np.hypot(*(back - start).reshape(-1, 2).T)
    good = ok_forth & ok_back & (moved < 3.0) & (missed < 0.25)
    refined = np.where(good[:, None], forth.reshape(-1, 2), right)
    sigma = np.where(good, 0.1, 0.5)
    if good.sum() >= 0.4 * len(good) and good.sum() >= LEAST:  # tracking works here: the rest is not worth its noise
        return left[good], refined[good].astype(np.float64), sigma[good]
    return left, refined.astype(np.float64), sigma


def _refine_zoomed(
    left_gray: U8, right_gray: U8, left: Array, right: Array, zoom: float
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Do the same where one picture shows things larger, or more of them: it is shrunk first, and the other widened."""
    small, points = [], []
    for picture, px, factor in ((left_gray, left, min(zoom, 1.0)), (right_gray, right, min(1 / zoom, 1.0))):
        part = _shrink(picture, factor) if factor < 1 else picture
        small.append(part)
        points.append(_grow(px, picture, part))
    height, width = (max(part.shape[axis] for part in small) for axis in (0, 1))
    canvas = [
        cv2.copyMakeBorder(part, 0, height - part.shape[0], 0, width - part.shape[1], cv2.BORDER_REPLICATE)
        for part in small
    ]
    near, far, sigma = _refine(np.asarray(canvas[0], np.uint8), np.asarray(canvas[1], np.uint8), points[0], points[1])
    return _grow(near, small[0], left_gray), _grow(far, small[1], right_gray), sigma * max(zoom, 1 / zoom)


def _track(
    a: U8, b: U8, points: NDArray[np.float32], guess: NDArray[np.float32], window: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 0.003)
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    moved, ok, _ = cv2.calcOpticalFlowPyrLK(
        a, b, points, guess, winSize=(window, window), maxLevel=0, criteria=criteria, flags=flags, minEigThreshold=1e-4
    )
    return np.asarray(moved, dtype=np.float32).reshape(-1, 1, 2), np.asarray(ok).ravel() > 0


def _flatten(gray: U8) -> U8:
    """Remove slow changes of brightness and contrast, in which two cameras differ."""
    values = gray.astype(np.float32)
    centred = values - cv2.GaussianBlur(values, (0, 0), 8)
    spread = np.sqrt(cv2.GaussianBlur(centred * centred, (0, 0), 16)) + 3
    return np.asarray(np.clip(128 + 40 * centred / spread, 0, 255).astype(np.uint8))
