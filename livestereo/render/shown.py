"""The left picture as it is looked at: the rectified luma, which is there already, with the JPEG's own small chroma.

A JPEG's colour is stored at half its size: to decode and rectify it so takes half the time of decoding and rectifying
the whole picture. It looks the same; whoever stores or measures colour takes `pair.left`.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import numba_loaded
from livestereo.gray import decode_chroma
from livestereo.same import Same
from livestereo.types import U8, RectifiedPair

NEUTRAL = 128  # of chroma


def left_as_shown(pair: RectifiedPair) -> U8:
    """Give the rectified left picture to look at, (H,W,3) uint8 BGR."""
    frame = pair.frame.left
    decoded = "left" in pair.__dict__ or "image" in frame.__dict__
    # Without compiled code to put them together, little is gained.
    if frame.encoded is None or frame.turned != "none" or decoded or not numba_loaded():
        return pair.left
    chroma = decode_chroma(frame.encoded)
    return pair.left if chroma is None else _coloured(pair, *chroma)


def _coloured(pair: RectifiedPair, blue: U8, red: U8) -> U8:
    """Colour the rectified luma by Cb and Cr of half the size, uint8 each, as they come from the camera."""
    at = pair.rectification
    if "left" in at.maps:
        whole, fraction = at.maps["left"]
        maps = _coarse(Same(whole), Same(fraction), at.source_size_wh["left"], (blue.shape[1], blue.shape[0]))
        blue, red = (
            np.asarray(cv2.remap(one, *maps, cv2.INTER_LINEAR, borderValue=(NEUTRAL,)), np.uint8) for one in (blue, red)
        )
    from livestereo.render.colour_kernel import colour_luma

    return np.asarray(cv2.cvtColor(colour_luma(pair.left_gray, blue, red), cv2.COLOR_BGRA2BGR), np.uint8)


@lru_cache(maxsize=4)
def _coarse(
    whole: Same, fraction: Same, source_wh: tuple[int, int], chroma_wh: tuple[int, int]
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Give maps at half the size, rounded up, from a rectified picture into the chroma of the raw one."""
    x, y = cv2.convertMaps(whole.array, fraction.array, cv2.CV_32FC1)
    height, width = x.shape
    small = (-(-width // 2), -(-height // 2))
    halves = []
    for positions, stored, source in ((x, chroma_wh[0], source_wh[0]), (y, chroma_wh[1], source_wh[1])):
        even = cv2.copyMakeBorder(np.asarray(positions), 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        middle = np.asarray(cv2.resize(even, small, interpolation=cv2.INTER_AREA))
        times = -(-source // stored)  # 1 or 2 px of the picture for one of chroma, which lies in their middle
        halves.append(((middle + 0.5) / times - 0.5).astype(np.float32))
    one, other = cv2.convertMaps(halves[0], halves[1], cv2.CV_16SC2)
    return np.asarray(one, np.int16), np.asarray(other, np.uint16)
