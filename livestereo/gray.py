"""The gray picture that is matched: the luma of the camera's own JPEG, or made of the colours where there is none.

A JPEG holds luma apart from colour, so that gray alone is decoded in three quarters of the time, and colour only for
the pairs that somebody looks at. It differs from gray made of the decoded colours in about one pixel of 200, where
these were clipped or rounded; both cameras are treated alike, and so is a take that is played again.
"""

from __future__ import annotations

import cv2
import numpy as np

from livestereo.frames import FLIPS, LazyFrame, turn
from livestereo.types import U8, Frame, StereoFrame


def grays_of(pair: StereoFrame) -> tuple[U8, U8]:
    """Give `gray_of` left and right."""
    return gray_of(pair.left), gray_of(pair.right)


def gray_of(frame: Frame) -> U8:
    """Give a frame's gray picture, (H,W) uint8, turned as its `image` is; what is looked at decides nothing."""
    kept: U8 | None = frame.__dict__.get("gray")
    if kept is not None:
        return kept
    if frame.encoded is not None and frame.turned in FLIPS:
        gray = decode_luma(frame.encoded)
        if gray is not None:
            return turn(gray, frame.turned)
    image = frame.image
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def of_its_picture(frame: Frame) -> Frame:
    """Give the frame as one that came without a JPEG, so that its gray is made of the picture: what is stored of it."""
    if frame.encoded is None:
        return frame
    return LazyFrame(lambda: frame.image, frame.t_s, frame.seq)


def decode_luma(encoded: bytes | U8) -> U8 | None:
    """Decode a JPEG, bytes or (n,) uint8, into its luma, (H,W) uint8 as stored; None where it is damaged."""
    try:
        data = np.frombuffer(encoded, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def decode_chroma(encoded: bytes | U8) -> tuple[U8, U8] | None:
    """Decode a JPEG's Cb and Cr alone, (H/2,W/2) uint8 each, sides rounded up; None where it is damaged.

    The decoder scales while it decodes: most JPEGs store colour at half the size, which is left as it is.
    """
    try:
        data = np.frombuffer(encoded, np.uint8)
        small = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if small is None:
        return None
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb))
    return np.asarray(blue, np.uint8), np.asarray(red, np.uint8)
