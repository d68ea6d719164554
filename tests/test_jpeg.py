"""Planes of JPEGs by compiled code: those that OpenCV decodes, byte for byte, or none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from livestereo.gray import decode_luma, gray_of, grays_of
from livestereo.jpeg import planes_of
from livestereo.types import Frame, StereoFrame


def lumas_of(left: bytes, right: bytes) -> tuple[Any, Any] | None:
    planes = planes_of(left, right)
    return None if planes is None else (planes.left, planes.right)


SAMPLINGS = {
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}  # fmt: skip
KINDS = ("noise", "smooth", "patches", "plain")


def picture(seed: int, size_wh: tuple[int, int], kind: str = "smooth") -> Any:
    rng = np.random.default_rng(seed)
    width, height = size_wh
    noise = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if kind == "smooth":
        return cv2.GaussianBlur(noise, (0, 0), 2)
    if kind == "patches":
        return cv2.resize(rng.integers(0, 2, (3, 3, 3)).astype(np.uint8) * 255, size_wh, interpolation=0)
    return np.broadcast_to(noise[:1, :1], noise.shape).copy() if kind == "plain" else noise


def jpeg(image: Any, quality: int = 90, sampling: str = "420", **more: int) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[sampling]]
    for name, value in more.items():
        flags += [getattr(cv2, f"IMWRITE_JPEG_{name.upper()}"), value]
    return bytes(cv2.imencode(".jpg", image, flags)[1])


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), size_wh=st.tuples(st.integers(1, 90), st.integers(1, 70)),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)), quality=st.integers(1, 100),
    sampling=st.sampled_from(sorted(SAMPLINGS)), gray=st.booleans(), optimize=st.integers(0, 1),
)  # fmt: skip
def test_it_is_what_opencv_decodes(
    seed: int, size_wh: tuple[int, int], kinds: tuple[str, str], quality: int, sampling: str, gray: bool, optimize: int
) -> None:
    pictures = [picture(seed + i, size_wh, kind) for i, kind in enumerate(kinds)]
    if gray:
        pictures = [one[..., 0] for one in pictures]
    encoded = [jpeg(one, quality, sampling, optimize=optimize) for one in pictures]
    found = planes_of(*encoded)
    assert found is not None
    for plane, data in zip((found.left, found.right), encoded):
        np.testing.assert_array_equal(plane, decode_luma(data))
    assert (found.left_chroma is None) == gray


@pytest.mark.parametrize("sampling", sorted(SAMPLINGS))
def test_chroma_is_that_of_the_picture(sampling: str) -> None:
    # Smooth enough for the chroma at half size to say it all.
    image = cv2.resize(picture(3, (6, 5), "noise") // 2 + 64, (83, 61), interpolation=cv2.INTER_CUBIC)
    encoded = jpeg(image, 100, sampling)
    planes = planes_of(encoded, jpeg(image[::-1], 80, sampling))
    assert planes is not None and planes.left_chroma is not None
    found = planes.left_chroma
    across, down = int(sampling in ("420", "422")) + 1, int(sampling in ("420", "440")) + 1
    assert found[0].shape == found[1].shape == (-(-61 // down), -(-83 // across))
    whole = cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2YCrCb)
    for plane, number in zip(found, (2, 1)):
        small = cv2.resize(whole[..., number], found[0].shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(plane.astype(int) - small)[:-1, :-1].mean() <= 2  # rounding, and scaling there and back


def test_two_pictures_of_different_length_and_tables() -> None:
    # One is all detail and the other one nearly none: each is walked on alone for a while.
    encoded = jpeg(picture(1, (200, 40), "noise"), 95), jpeg(picture(2, (200, 40), "plain"), 30, optimize=1)
    for pair in (encoded, encoded[::-1]):
        found = lumas_of(*pair)
        assert found is not None
        for plane, data in zip(found, pair):
            np.testing.assert_array_equal(plane, decode_luma(data))


def test_what_is_unusual_is_left_to_others() -> None:
    image = picture(4, (64, 48))
    usual = jpeg(image)
    assert lumas_of(usual, usual) is not None
    start = usual.index(b"\xff\xda")
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    unusual = {
        "progressive": jpeg(image, progressive=1),
        "restarts": jpeg(image, rst_interval=3),
        "another size": jpeg(image[:40]),
        "another sampling": jpeg(image, sampling="444"),
        "other colours": usual[:start] + adobe + usual[start:],
        "no end": usual[:-2],
        "half": usual[: (start + len(usual)) // 2],
        "half with an end": usual[: (start + len(usual)) // 2] + b"\xff\xd9",
        "no pixels": usual[: start + 14] + b"\xff\xd9",
        "header alone": usual[:start],
        "too much": usual[:-2] + bytes(40) + b"\xff\xd9",
        "nothing": b"",
        "no JPEG": bytes(1000),
        "two bytes": b"\xff\xd8",
        "end at once": b"\xff\xd8\xff\xd9",
    }
    for what, data in unusual.items():
        assert lumas_of(usual, data) is None, what
        assert lumas_of(data, usual) is None, what


def test_a_damaged_picture_is_refused_or_decoded_as_opencv_does() -> None:
    rng = np.random.default_rng(8)
    image = picture(5, (72, 56), "noise")
    usual = jpeg(image, 80)
    start = usual.index(b"\xff\xda") + 14
    refused = 0
    for _ in range(400):
        damaged = bytearray(usual)
        for place in rng.integers(start, len(usual) - 2, 2):
            damaged[place] = rng.integers(0, 256)
        found = lumas_of(bytes(damaged), usual)
        refused += found is None
        if found is not None:
            np.testing.assert_array_equal(found[0], decode_luma(bytes(damaged)))
            np.testing.assert_array_equal(found[1], decode_luma(usual))
    assert refused > 50


def test_a_damaged_header_is_refused_or_read_as_opencv_does() -> None:
    rng = np.random.default_rng(9)
    usual = jpeg(picture(6, (40, 24)), 80)
    start = usual.index(b"\xff\xda") + 14
    for _ in range(300):
        damaged = bytearray(usual)
        damaged[rng.integers(2, start)] = rng.integers(0, 256)
        found = lumas_of(bytes(damaged), usual)
        if found is not None:
            np.testing.assert_array_equal(found[0], decode_luma(bytes(damaged)))


def test_the_grays_of_a_pair_are_those_of_its_frames() -> None:
    encoded = [jpeg(picture(seed, (64, 48))) for seed in (1, 2)]
    images = [np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) for data in encoded]
    frames = [Frame(image, 0.0, 0, data) for image, data in zip(images, encoded)]
    turned = Frame(np.ascontiguousarray(images[1][::-1, ::-1]), 0.0, 0, encoded[1], "180")
    damaged = Frame(images[1], 0.0, 0, encoded[1][:-20])
    plain = Frame(images[1], 0.0, 0)
    for right in (frames[1], turned, damaged, plain):
        pair = StereoFrame(frames[0], right, 0)
        for gray, frame in zip(grays_of(pair), (pair.left, pair.right)):
            np.testing.assert_array_equal(gray, gray_of(frame))
