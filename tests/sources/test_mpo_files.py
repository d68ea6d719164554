"""Photos of 3D cameras: two pictures in one file."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from livestereo.errors import SettingsError, SourceError
from livestereo.mpo import split_mpo, write_mpo
from livestereo.sources import open_source
from livestereo.sources.request import SourceRequest

DISPARITY, GAIN_MAP, PREVIEW = 0x020002, 0x050000, 0x010001


def jpeg(level: int, size: tuple[int, int] = (48, 32)) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((size[1], size[0], 3), level, np.uint8))[1])


def mpo(parts: list[tuple[int, bytes]], order: str) -> bytes:
    """An MPO with an index of these pictures, (kind, JPEG) each, of either byte order."""
    first = parts[0][1]
    table_at = 8 + 2 + 12 + 4
    length = 2 + 4 + table_at + 16 * len(parts)
    places, at = [0], len(first) + 2 + length - (2 + 2 + 2 + 4)
    for _, part in parts[1:]:
        places.append(at)
        at += len(part)
    sizes = [len(first) + 2 + length, *(len(part) for _, part in parts[1:])]
    index = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    index += struct.pack(order + "HHII", 0xB002, 7, 16 * len(parts), table_at) + bytes(4)
    for (kind, _), size, place in zip(parts, sizes, places):
        index += struct.pack(order + "IIIHH", kind, size, place, 0, 0)
    segment = b"\xff\xe2" + struct.pack(">H", length) + b"MPF\0" + index
    return first[:2] + segment + first[2:] + b"".join(part for _, part in parts[1:])


def level(part: bytes) -> int:
    return int(cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR)[16, 24, 0])


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_views_are_found_whatever_else_is_in_the_file(order: str) -> None:
    left, right, other = (DISPARITY, jpeg(60)), (DISPARITY, jpeg(200)), jpeg(120, (16, 16))
    for parts in ([left, right], [left, (PREVIEW, other), right], [left, right, (GAIN_MAP, other)]):
        found = split_mpo(mpo(parts, order))
        assert found is not None and [level(part) for part in found] == [60, 200]
    untold = split_mpo(mpo([(0, jpeg(60)), (0, jpeg(200))], order))
    assert untold is not None and [level(part) for part in untold] == [60, 200]


def test_what_we_write_is_read(tmp_path: Path) -> None:
    views = [np.full((32, 48, 3), value, np.uint8) for value in (60, 200)]
    for baseline_m in (None, 0.06):
        found = split_mpo(write_mpo(tmp_path / "a.mpo", *views, baseline_m=baseline_m).read_bytes())
        assert found is not None and [level(part) for part in found] == [60, 200]


def test_one_picture_or_a_cut_file_holds_no_two_views() -> None:
    whole = mpo([(DISPARITY, jpeg(60)), (DISPARITY, jpeg(200))], "<")
    for data in (jpeg(60), b"", b"\xff\xd8", mpo([(DISPARITY, jpeg(60))], "<"), whole[:60], whole[:-20]):
        assert split_mpo(data) is None


def test_a_set_of_them_gives_pairs(tmp_path: Path) -> None:
    for name in ("DSCF1.MPO", "DSCF2.MPO"):
        write_mpo(tmp_path / name.lower(), np.full((32, 48, 3), 60, np.uint8), np.full((32, 48, 3), 200, np.uint8))
        (tmp_path / name.lower()).rename(tmp_path / name)
    with open_source([str(tmp_path / "*.MPO")], SourceRequest.parse()) as source:
        pairs = [source.read(1.0), source.read(1.0)]
        assert [pair is not None and (pair.left.image[0, 0, 0], pair.right.image[0, 0, 0]) for pair in pairs] == [
            (60, 200), (60, 200),
        ]  # fmt: skip
        assert source.read(1.0) is None
    with pytest.raises(SettingsError, match="carries both views already"):
        open_source([str(tmp_path / "DSCF1.MPO"), str(tmp_path / "DSCF2.MPO")], SourceRequest.parse())
    (tmp_path / "DSCF1.MPO").write_bytes(jpeg(60))
    with (
        pytest.raises(SourceError, match="does not hold two views"),
        open_source([str(tmp_path / "DSCF1.MPO")], SourceRequest.parse()) as source,
    ):
        source.read(1.0)
