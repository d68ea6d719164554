from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.rectify import Rectification
from livestereo.imageio import OutputError
from livestereo.mesh import make_mesh, write_mesh

RECT = Rectification(size_wh=(40, 30), focal_px=50.0, cx_px=20.0, cy_px=14.0, baseline_m=0.2)
IMAGE = np.full((30, 40, 3), 90, np.uint8)


def test_a_wall_becomes_one_sheet_facing_the_camera() -> None:
    mesh = make_mesh(np.full((30, 40), 2.0, np.float32), IMAGE, RECT)
    assert len(mesh.vertices) == 30 * 40
    assert len(mesh.faces) == 2 * 29 * 39
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    # x right, y down, z forward: counter-clockwise seen from the camera means the normal looks at it.
    assert (normal[:, 2] < 0).all()
    area = np.linalg.norm(normal, axis=1).sum() / 2
    assert area == pytest.approx(29 * 39 * (2.0 / 50) ** 2, rel=1e-3)


def test_no_triangle_spans_a_depth_edge() -> None:
    depth = np.full((30, 40), 4.0, np.float32)  # disparity 2.5
    depth[:, 20:] = 1.0  # disparity 10
    mesh = make_mesh(depth, IMAGE, RECT)
    z = mesh.vertices[mesh.faces][:, :, 2]
    assert (np.ptp(z, axis=1) < 0.1).all()
    assert len(mesh.faces) == 2 * 29 * 19 * 2
    for half in (4.0, 1.0):
        assert np.isclose(z, half, atol=0.02).any()


def test_small_patches_are_dropped_and_nothing_is_an_answer() -> None:
    depth = np.full((30, 40), np.nan, np.float32)
    depth[5:10, 5:10] = 2.0
    assert len(make_mesh(depth, IMAGE, RECT).faces) == 0
    assert len(make_mesh(depth, IMAGE, RECT, smallest_patch=1).faces) > 0


def test_obj_and_ply_hold_the_same_mesh_and_other_endings_are_refused(tmp_path: Path) -> None:
    mesh = make_mesh(np.full((30, 40), 2.0, np.float32), IMAGE, RECT)
    lines = write_mesh(tmp_path / "m.obj", mesh, RECT).read_text().splitlines()
    assert sum(line.startswith("v ") for line in lines) == len(mesh.vertices)
    assert sum(line.startswith("f ") for line in lines) == len(mesh.faces)
    head = write_mesh(tmp_path / "m.ply", mesh, RECT).read_bytes()[:700].decode("latin1")
    assert f"element face {len(mesh.faces)}" in head
    with pytest.raises(OutputError):
        write_mesh(tmp_path / "m.stl", mesh, RECT)
