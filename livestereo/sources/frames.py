"""Frames of live cameras: decoded when somebody looks, so that frames nobody uses cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from livestereo.lazy import lazy
from livestereo.sources.capture import Grabbed, decode_jpeg
from livestereo.sources.request import SourceRequest
from livestereo.sources.split import halves, turn
from livestereo.types import U8, Frame


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
