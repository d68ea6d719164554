from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.rectify import Rectification
from livestereo import points as cloud
from livestereo.errors import LiveStereoError
from livestereo.imageio import OutputError
from livestereo.ply import write_ply

RECT = Rectification(size_wh=(40, 30), focal_px=50.0, cx_px=20.0, cy_px=14.0, baseline_m=0.1)


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """A reader of our own, so that the writer is not tested by itself."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    lines = data[:end].decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    count = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    kinds = {"float": "<f4", "uchar": "u1"}
    layout = [(w[2], kinds[w[1]]) for w in map(str.split, lines) if w[0] == "property" and w[1] != "list"]
    vertices = np.frombuffer(data, layout, count["vertex"], end)
    rest = end + vertices.nbytes
    faces = None
    if "face" in count:
        table = np.frombuffer(data, [("n", "u1"), ("v", "<i4", 3)], count["face"], rest)
        rest += table.nbytes
        assert (table["n"] == 3).all()
        faces = table["v"]
    assert rest == len(data)
    return vertices, faces, lines


def test_points_follow_the_pinhole() -> None:
    got = cloud.points_from_depth(np.full((30, 40), 2.0, np.float32), RECT)
    assert got[14, 20].tolist() == [0.0, 0.0, 2.0]
    assert got[24, 30] == pytest.approx([10 * 2 / 50, 10 * 2 / 50, 2.0])


def test_a_written_cloud_is_read_back(tmp_path: Path) -> None:
    positions = np.float32([[1, 2, 3], [4, 5, 6]])
    colors = np.uint8([[255, 128, 0], [1, 2, 3]])
    normals = np.float32([[0, 0, -1], [0, -1, 0]])
    path = write_ply(tmp_path / "c.ply", positions, colors, normals, comments=["a note"])
    vertices, faces, lines = read_ply(path)
    assert faces is None
    assert "comment a note" in lines
    for names, values in (("x y z", positions), ("red green blue", colors), ("nx ny nz", normals)):
        np.testing.assert_array_equal(np.stack([vertices[n] for n in names.split()], axis=1), values)


def test_an_empty_cloud_is_a_valid_file(tmp_path: Path) -> None:
    path = write_ply(tmp_path / "c.ply", np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8))
    assert len(read_ply(path)[0]) == 0


def test_arrays_that_do_not_belong_together_and_wrong_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LiveStereoError, match="2 points"):
        write_ply(tmp_path / "c.ply", np.zeros((2, 3), np.float32), np.zeros((3, 3), np.uint8))
    with pytest.raises(OutputError, match=r"\.obj cannot hold"):
        write_ply(tmp_path / "c.obj", np.zeros((2, 3), np.float32))


def test_a_cloud_has_the_picture_s_colours_as_rgb_and_only_valid_points() -> None:
    depth = np.full((30, 40), 2.0, np.float32)
    depth[:, :10] = np.nan
    image = np.zeros((30, 40, 3), np.uint8)
    image[...] = (10, 20, 30)
    made = cloud.make_cloud(depth, image, RECT, clean=False)
    assert len(made.points) == 30 * 30
    assert (made.colors == (30, 20, 10)).all()
    assert made.normals is not None
    assert np.allclose(made.normals, (0, 0, -1), atol=1e-4)
    ranged = cloud.make_cloud(depth, image, RECT, far_m=1.0)
    assert len(ranged.points) == 0


def test_cameras_above_each_other_give_an_upright_cloud() -> None:
    # np.rot90 turns what lies right of the middle to above the middle: y must become negative.
    turned = Rectification(size_wh=(40, 30), focal_px=50.0, cx_px=20.0, cy_px=14.0, baseline_m=0.1, display_turns=1)
    right_of_the_middle = np.float32([[1.0, 0.0, 2.0]])
    assert cloud.upright(right_of_the_middle, turned).tolist() == [[0.0, -1.0, 2.0]]
