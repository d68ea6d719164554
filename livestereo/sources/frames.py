"""Frames of live cameras: decoded when somebody looks, so that frames nobody uses cost nothing."""

from __future__ import annotations

from functools import partial

from livestereo.frames import LazyFrame, turn
from livestereo.lazy import lazy
from livestereo.sources.capture import Grabbed, decode_jpeg
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import halves
from livestereo.types import U8, Frame


class Picture:
    """What came from a camera, decoded at most once."""

    def __init__(self, grabbed: Grabbed) -> None:
        self._grabbed = grabbed

    @lazy
    def image(self) -> U8:
        """(H,W,3) uint8 BGR."""
        grabbed = self._grabbed
        if grabbed.image is not None:
            return grabbed.image
        assert grabbed.encoded is not None and grabbed.size_wh is not None
        return decode_jpeg(grabbed.encoded, grabbed.size_wh)


def camera_frame(grabbed: Grabbed, t_s: float, seq: int, request: SourceRequest, side: int) -> Frame:
    """Make the frame of camera `side` (0 first named, 1 second), turned as asked; its own bytes go with it unturned."""
    picture, flip = Picture(grabbed), request.flip[side]
    return LazyFrame(lambda: turn(picture.image, flip), t_s, seq, grabbed.encoded, flip)


def split_frames(grabbed: Grabbed, t_s: float, seq: int, request: SourceRequest) -> tuple[Frame, Frame]:
    """Make both frames from one picture that carries both views."""
    picture = Picture(grabbed)

    def view(side: int) -> U8:
        return turn(halves(picture.image, request)[side], request.flip[side])

    left, right = (LazyFrame(partial(view, side), t_s, seq) for side in (0, 1))
    return left, right
