"""Coloured point clouds: made from depth, cleaned, written as binary PLY.

Frame: the rectified left camera (x right, y down, z forward), turned upright where the cameras stand above each
other; metres, or relative units where the rectification is not metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from livestereo.depth import disparity_from_depth
from livestereo.errors import LiveStereoError
from livestereo.imageio import check_format, write_bytes
from livestereo.surface import flying_pixels, normals_from_disparity, statistical_outliers
from livestereo.types import F32, U8


@dataclass(frozen=True)
class Cloud:
    """Points (N,3) float32, colors (N,3) uint8 RGB, normals (N,3) float32 or None; pixels (N,2) int32 (u, v)."""

    points: F32
    colors: U8
    normals: F32 | None
    pixels: NDArray[np.int32]


def points_from_depth(depth_m: F32, rectification: Rectification) -> F32:
    """Points (H,W,3) float32 of every pixel, NaN where depth is: x = (u − cx)·z/f, y = (v − cy)·z/f, z."""
    height, width = depth_m.shape
    f = np.float32(rectification.focal_px)
    x = (np.arange(width, dtype=np.float32) - np.float32(rectification.cx_px)) / f
    y = (np.arange(height, dtype=np.float32) - np.float32(rectification.cy_px)) / f
    return np.stack([depth_m * x[None, :], depth_m * y[:, None], depth_m], axis=2)


def upright(vectors: F32, rectification: Rectification) -> F32:
    """Turn vectors (...,3) as `Rectification.to_display` turns the picture: a quarter turn makes (x, y) to (y, −x)."""
    for _ in range(rectification.display_turns % 4):
        vectors = np.stack([vectors[..., 1], -vectors[..., 0], vectors[..., 2]], axis=-1)
    return vectors


def make_cloud(
    depth_m: F32,
    image_bgr: U8,
    rectification: Rectification,
    *,
    clean: bool = True,
    normals: bool = True,
    near_m: float = 0.0,
    far_m: float = float("inf"),
) -> Cloud:
    """Turn depth into a coloured cloud.

    depth_m: (H,W) float32, NaN invalid. image_bgr: (H,W,3) uint8, the rectified left picture.
    clean: drop flying pixels at depth edges and statistical outliers. near_m, far_m: keep what lies between.
    """
    r = rectification
    disparity = disparity_from_depth(depth_m, r.focal_px, r.baseline_m, r.doffs_px)
    keep = np.isfinite(depth_m) & (depth_m >= near_m) & (depth_m <= far_m)
    if clean:
        keep &= ~flying_pixels(disparity)
        keep &= ~statistical_outliers(np.where(keep, disparity, np.float32(np.nan)))
    rows, columns = np.nonzero(keep)
    directions = None
    if normals:
        shown = np.where(keep, disparity, np.float32(np.nan))
        directions = upright(normals_from_disparity(shown, r.focal_px, r.cx_px, r.cy_px, r.doffs_px)[rows, columns], r)
        directions[~np.isfinite(directions).all(axis=1)] = (0.0, 0.0, -1.0)  # a lone point looks at the camera
    return Cloud(
        points=upright(points_from_depth(depth_m, r)[rows, columns], r),
        colors=np.ascontiguousarray(image_bgr[rows, columns, ::-1]),
        normals=directions,
        pixels=np.stack([columns, rows], axis=1).astype(np.int32),
    )


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
