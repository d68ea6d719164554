"""What is matched of a JPEG is its luma, turned as the picture is, whoever has looked at the colours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from livestereo.frames import FLIPS, Flip, LazyFrame, turn
from livestereo.gray import decode_luma, gray_of
from livestereo.types import Frame


def _jpeg(seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8), (0, 0), 3)
    return cv2.imencode(".jpg", cv2.normalize(smooth, None, 60, 190, cv2.NORM_MINMAX))[1].tobytes()


def _colour(encoded: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("flip", FLIPS)
def test_luma_is_the_gray_of_the_picture_turned_as_it_is(flip: Flip) -> None:
    encoded = _jpeg()
    frame = LazyFrame(lambda: turn(_colour(encoded), flip), 0.0, 0, encoded, flip)
    gray = gray_of(frame)
    assert "_image" not in frame.__dict__  # no colour was decoded
    of_colours = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
    assert gray.shape == of_colours.shape
    assert np.abs(gray.astype(int) - of_colours).max() <= 2  # where nothing is clipped only rounding differs
    assert np.array_equal(gray_of(frame), gray)  # looking at the colours changes nothing


def test_every_kind_of_frame_of_the_same_bytes_has_the_same_gray() -> None:
    encoded = _jpeg(1)
    plain = Frame(_colour(encoded), 0.0, 0, encoded)
    luma = decode_luma(encoded)
    assert luma is not None
    known = LazyFrame(lambda: _colour(encoded), 0.0, 0, gray=luma)
    assert np.array_equal(gray_of(plain), luma) and np.array_equal(gray_of(known), luma)


def test_without_bytes_or_with_damaged_ones_gray_is_made_of_the_picture() -> None:
    image = _colour(_jpeg(2))
    of_colours = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    frame = Frame(image, 0.0, 0)
    assert np.array_equal(gray_of(frame), of_colours)
    assert np.array_equal(gray_of(replace(frame, encoded=b"\xff\xd8\xff\xd9")), of_colours)
    assert np.array_equal(gray_of(Frame(of_colours, 0.0, 0)), of_colours)
