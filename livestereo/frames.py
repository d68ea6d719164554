"""Frames whose picture is made when somebody looks, and how a picture is turned.

frame = LazyFrame(lambda: turn(picture.image, "180"), t_s, seq)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np

from livestereo.lazy import lazy
from livestereo.types import U8, Frame, SizeWH

Flip = Literal["none", "h", "v", "180", "90", "270"]
FLIPS: tuple[Flip, ...] = get_args(Flip)
_ROTATE = {"90": cv2.ROTATE_90_CLOCKWISE, "180": cv2.ROTATE_180, "270": cv2.ROTATE_90_COUNTERCLOCKWISE}


class LazyFrame(Frame):
    """A `Frame` whose `image` is made on first use and kept; two threads that look at once may each make it.

    gray: (H,W) uint8, what `gray_of` shall give, where it is known already.
    """

    def __init__(
        self, image: U8 | Callable[[], U8], t_s: float, seq: int, encoded: bytes | None = None, turned: str = "none",
        *, gray: U8 | None = None,
    ) -> None:  # fmt: skip
        # Written past the frozen fields; `image` is not one here.
        self.__dict__.update(t_s=t_s, seq=seq, encoded=encoded, turned=turned, gray=gray)
        self.__dict__["_make" if callable(image) else "image"] = image

    @lazy
    def image(self) -> U8:  # a field of Frame, made on demand here
        """(H,W,3) uint8 BGR."""
        make: Callable[[], U8] = self.__dict__["_make"]
        return make()

    def __repr__(self) -> str:
        return f"LazyFrame(seq={self.seq}, t_s={self.t_s:.6f})"


def turn(image: U8, flip: Flip) -> U8:
    """Mirror (h: left-right, v: up-down) or turn clockwise by 90, 180 or 270 degrees.

    image: (H,W) or (H,W,3) uint8; `none` gives the same array.
    """
    if flip == "none":
        return image
    if flip in _ROTATE:
        return np.asarray(cv2.rotate(image, _ROTATE[flip]), np.uint8)
    return np.asarray(cv2.flip(image, 1 if flip == "h" else 0), np.uint8)


def turned_size(size_wh: SizeWH, flip: Flip) -> SizeWH:
    """Size of a picture after `turn`."""
    return (size_wh[1], size_wh[0]) if flip in ("90", "270") else size_wh
