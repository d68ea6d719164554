"""Brings two differently exposed pictures to one brightness and contrast before they are compared.

StereoSGBM compares gray values. Two ordinary cameras seldom agree in them: a gain of 1.25 alone triples its wrong
pixels, and one straight line through both pictures' quantiles takes that back.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import U8

QUANTILES = np.linspace(0.05, 0.95, 19)
DARKEST, BRIGHTEST = 4, 250  # beyond these a quantile may be clipped and tells nothing
FEWEST = 6
# What two views of one scene differ by anyway, because they do not show quite the same.
SAME_GAIN = 0.06
SAME_MEAN = 5.0


def evened(left: U8, right: U8) -> tuple[U8, U8]:
    """Give both pictures, (H,W) uint8, with the flatter one stretched to the other's brightness and contrast.

    They are given back as they are where they agree, or where too little is known.
    """
    of_left, of_right = _quantiles(left), _quantiles(right)
    usable = (np.minimum(of_left, of_right) > DARKEST) & (np.maximum(of_left, of_right) < BRIGHTEST)
    if int(usable.sum()) < FEWEST:
        return left, right
    target, source = of_left[usable], of_right[usable]
    if min(target.std(), source.std()) < 1.0:
        return left, right
    gain = float(target.std() / source.std())
    shift = float(target.mean() - source.mean())
    if abs(gain - 1) < SAME_GAIN and abs(shift) < SAME_MEAN:
        return left, right
    # Stretching loses nothing; squeezing would merge gray values.
    if gain >= 1:
        return left, _line(right, gain, float(target.mean() - gain * source.mean()))
    return _line(left, 1 / gain, float(source.mean() - target.mean() / gain)), right


def evened_colours(left: U8, right: U8) -> tuple[U8, U8]:
    """Give both pictures, (H,W,3) uint8, with each channel evened for itself: white balance differs too."""
    channels = [evened(left[..., i], right[..., i]) for i in range(3)]
    of_left, of_right = (np.asarray(cv2.merge(side), np.uint8) for side in zip(*channels))
    return of_left, of_right


def _quantiles(picture: U8) -> NDArray[np.float64]:
    # Every fourth row is enough.
    counts = np.cumsum(cv2.calcHist([picture[::4]], [0], None, [256], [0, 256]).ravel().astype(np.float64))
    return np.interp(QUANTILES, counts / counts[-1], np.arange(256))


def _line(picture: U8, gain: float, offset: float) -> U8:
    table = np.clip(np.rint(np.arange(256) * gain + offset), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(picture, table), np.uint8)
