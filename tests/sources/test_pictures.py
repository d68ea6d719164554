from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from livestereo.errors import SourceError
from livestereo.sources.exif import Exif, read_exif, upright
from livestereo.sources.pictures import find_full_scale, is_whole, read_picture, to_bgr8

RAMP = np.tile(np.arange(256, dtype=np.uint8), (8, 1))


def exif_block(orientation: int, focal_35mm: int, order: str = "<") -> bytes:
    """A TIFF block with an orientation and a 35 mm focal length."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    main = struct.pack(order + "H", 2)
    main += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    main += struct.pack(order + "HHII", 0x8769, 4, 1, 8 + 2 + 24 + 4) + struct.pack(order + "I", 0)
    sub = struct.pack(order + "H", 1) + struct.pack(order + "HHIHH", 0xA405, 3, 1, focal_35mm, 0) + bytes(4)
    return head + main + sub


def jpeg_with_exif(image: np.ndarray, block: bytes) -> bytes:
    data = cv2.imencode(".jpg", image)[1].tobytes()
    body = b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize(
    "image",
    [
        RAMP, RAMP[:, :, None], np.dstack([RAMP] * 3), np.dstack([RAMP] * 3 + [RAMP[:, ::-1]]),
        np.dstack([RAMP, RAMP[:, ::-1]]), RAMP.astype(np.uint16) * 257, RAMP.astype(np.float32) / 255,
        RAMP.astype(np.float64), (RAMP / 255 * 4095).round().astype(np.uint16), RAMP.astype(np.float32) * 257,
    ],
)  # fmt: skip
def test_any_depth_and_channel_count_becomes_the_same_bgr(image: np.ndarray) -> None:
    made = to_bgr8(image)
    assert made.dtype == np.uint8 and made.shape == (8, 256, 3)
    assert np.array_equal(made[:, :, 1], RAMP)


def test_what_is_no_number_becomes_black_and_infinity_white() -> None:
    assert to_bgr8(np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32), 1.0)[0, :, 0].tolist() == [0, 255, 0, 128]


def test_ten_and_twelve_bits_in_sixteen_are_found() -> None:
    scales = [find_full_scale(np.array([[value]], np.uint16)) for value in (1023, 1024, 4095, 16000, 20000)]
    assert scales == [1023.0, 4095.0, 4095.0, 16383.0, 65535.0]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm", ".jpg", ".bmp", ".webp"])
def test_files_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bild ü{suffix}"
    path.write_bytes(cv2.imencode(suffix, RAMP)[1].tobytes())
    picture = read_picture(path)
    assert np.abs(picture.image[:, :, 0].astype(int) - RAMP).max() <= (40 if suffix == ".webp" else 3)


def test_orientation_and_focal_length_of_a_photo(tmp_path: Path) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:20, :20] = 255  # top left
    for order in "<>":
        (tmp_path / "a.jpg").write_bytes(jpeg_with_exif(image, exif_block(6, 28, order)))
        picture = read_picture(tmp_path / "a.jpg")
        assert picture.image.shape == (80, 60, 3)
        assert picture.image[5, 55].min() > 240 and picture.image[5, 5].max() < 15  # now top right
        assert picture.exif.focal_px((80, 60)) == pytest.approx(28 / 43.2666 * 100)


@pytest.mark.parametrize(
    ("size", "taken", "focal"),
    [
        ((5184, 3456), (5184, 3456), 4284),
        ((3456, 5184), (5184, 3456), 4284),  # upright
        ((2592, 1728), (5184, 3456), 2142),  # made smaller
        ((5184, 3456), None, 4284),
        ((718, 480), (718, 480), None),  # made smaller, and its size in the tags with it
        ((3456, 3456), (5184, 3456), None),  # cropped
    ],
)
def test_a_sensor_s_pixels_give_the_focal_length_of_a_picture_of_the_whole_sensor(
    size: tuple[int, int], taken: tuple[int, int] | None, focal: float | None
) -> None:
    found = Exif(focal_mm=19.0, plane_px_per_mm=225.5, size_wh=taken).focal_px(size)
    assert found == (None if focal is None else pytest.approx(focal, rel=0.001))


def test_all_orientations_undo_what_a_camera_did() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    held = {
        1: image, 2: image[:, ::-1], 3: image[::-1, ::-1], 4: image[::-1], 5: image.T, 6: np.rot90(image),
        7: image[::-1, ::-1].T, 8: np.rot90(image, -1),
    }  # fmt: skip
    for orientation, stored in held.items():
        assert np.array_equal(upright(np.ascontiguousarray(stored), orientation), image), orientation


@pytest.mark.parametrize("length", [0, 7, 20, 33, 50])
def test_broken_exif_counts_as_none(length: int) -> None:
    data = jpeg_with_exif(np.zeros((8, 8, 3), np.uint8), exif_block(6, 28)[:length])
    assert read_exif(data).orientation in (1, 6)
    assert read_exif(b"") == Exif() and read_exif(b"\xff\xd8\xff") == Exif()


def test_cut_pictures_are_told_from_whole_ones(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for suffix in (".jpg", ".png"):
        data = cv2.imencode(suffix, noise)[1].tobytes()
        assert is_whole(data) and is_whole(data + bytes(16)) and not is_whole(data[: len(data) // 2])
        (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])
        with pytest.raises(SourceError, match="is cut"):
            read_picture(tmp_path / f"cut{suffix}")


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for name, data, said in (("a.png", b"", "empty"), ("b.png", b"hello there", "not a picture")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=said):
            read_picture(tmp_path / name)
    with pytest.raises(SourceError, match="There is no"):
        read_picture(tmp_path / "nothing.png")
