"""Binary PLY files of points and triangles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from livestereo.errors import LiveStereoError
from livestereo.imageio import check_format, write_bytes
from livestereo.types import F32, U8


def vertex_table(points: F32, colors: U8 | None, normals: F32 | None) -> tuple[NDArray[np.void], list[str]]:
    """Pack vertices as PLY wants them: a structured array and its header lines.

    Raises:
        LiveStereoError: the arrays do not belong together.
    """
    parts: list[tuple[str, str, str, NDArray[Any]]] = [("x y z", "<f4", "float", points)]
    if normals is not None:
        parts.append(("nx ny nz", "<f4", "float", normals))
    if colors is not None:
        parts.append(("red green blue", "u1", "uchar", colors))
    for names, _, _, values in parts:
        if values.shape != (len(points), 3):
            raise LiveStereoError(f"A cloud of {len(points)} points needs ({len(points)}, 3) values for {names}.")
    layout = [(name, kind) for names, kind, _, _ in parts for name in names.split()]
    table = np.empty(len(points), dtype=layout)
    for names, _, _, values in parts:
        for column, name in enumerate(names.split()):
            table[name] = values[:, column]
    return table, [f"property {word} {name}" for names, _, word, _ in parts for name in names.split()]


def write_ply(
    path: Path,
    points: F32,
    colors: U8 | None = None,
    normals: F32 | None = None,
    *,
    faces: NDArray[np.int32] | None = None,
    comments: Sequence[str] = (),
) -> Path:
    """Write a binary little-endian PLY, atomically.

    points: (N,3) float32 m. colors: (N,3) uint8 RGB. normals: (N,3) float32. faces: (M,3) int32 vertex numbers.

    Raises:
        OutputError: the name does not end in .ply, or the folder cannot be written.
        LiveStereoError: the arrays do not belong together.
    """
    check_format(path, (".ply",), "a point cloud")
    table, properties = vertex_table(points, colors, normals)
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    lines += [f"element vertex {len(points)}", *properties]
    body = [table.tobytes()]
    if faces is not None:
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        triangles = np.empty(len(faces), dtype=[("n", "u1"), ("v", "<i4", 3)])
        triangles["n"], triangles["v"] = 3, faces
        body.append(triangles.tobytes())
    header = "\n".join([*lines, "end_header"]) + "\n"
    return write_bytes(path, header.encode("ascii", "replace"), *body)


def cloud_comments(rectification: Rectification) -> list[str]:
    """Say in the file's header what the numbers are."""
    unit = "metres" if rectification.metric else "relative units (no metric rig was known)"
    return [f"{unit}; x right, y down, z forward, origin at the left camera", "made by livestereo"]
