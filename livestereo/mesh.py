"""Depth to a triangle mesh with vertex colours; triangles that would span a depth edge are left out.

Frame and units are those of the cloud (`livestereo.points`): rectified left camera, x right, y down,
z forward; triangles are counter-clockwise as seen from the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rectify import Rectification
from livestereo.depth import depth_from_disparity, disparity_from_depth
from livestereo.imageio import check_format, write_bytes
from livestereo.ply import cloud_comments, write_ply
from livestereo.points import points_from_depth, upright
from livestereo.surface import flying_pixels, normals_from_disparity, smooth_disparity, statistical_outliers
from livestereo.types import F32, U8

MESH_FORMATS = (".ply", ".obj")


@dataclass(frozen=True)
class Mesh:
    """vertices, normals (N,3) float32; colors (N,3) uint8 RGB; faces (M,3) int32."""

    vertices: F32
    normals: F32
    colors: U8
    faces: NDArray[np.int32]


def make_mesh(
    depth_m: F32,
    image_bgr: U8,
    rectification: Rectification,
    *,
    cut_px: float = 1.0,
    smooth: bool = True,
    smallest_patch: int = 100,
) -> Mesh:
    """Join neighbouring pixels to triangles.

    depth_m: (H,W) float32, NaN invalid. image_bgr: (H,W,3) uint8, the rectified left picture.
    cut_px: an edge between neighbours whose disparity differs by more is a depth edge, and no triangle spans it
    (a slope of 1 px per px is a surface seen at the very edge; beyond it the right camera sees its back).
    smooth: even out matching noise within surfaces first. smallest_patch: connected patches with fewer
    pixels are dropped.
    """
    r = rectification
    disparity = disparity_from_depth(depth_m, r.focal_px, r.baseline_m, r.doffs_px)
    disparity[flying_pixels(disparity)] = np.nan
    disparity[statistical_outliers(disparity)] = np.nan
    if smooth:
        disparity = smooth_disparity(disparity, rounds=2)
    disparity = _without_small_patches(disparity, cut_px, smallest_patch)
    depth = depth_from_disparity(disparity, r.focal_px, r.baseline_m, r.doffs_px)
    faces = _triangles(disparity, cut_px)
    used = np.zeros(disparity.size, bool)
    used[faces] = True
    number = np.full(disparity.size, -1, np.int32)
    number[used] = np.arange(int(used.sum()), dtype=np.int32)
    normals = normals_from_disparity(disparity, r.focal_px, r.cx_px, r.cy_px, r.doffs_px).reshape(-1, 3)[used]
    normals[~np.isfinite(normals).all(axis=1)] = (0.0, 0.0, -1.0)
    return Mesh(
        vertices=upright(points_from_depth(depth, r).reshape(-1, 3)[used], r),
        normals=upright(normals, r),
        colors=np.ascontiguousarray(image_bgr.reshape(-1, 3)[used, ::-1]),
        faces=number[faces],
    )


def _triangles(disparity_px: F32, cut_px: float) -> NDArray[np.int64]:
    """Two triangles for each square of pixels, split along the diagonal that bends less; indices into the picture."""
    height, width = disparity_px.shape
    index = np.arange(height * width, dtype=np.int64).reshape(height, width)
    low, high = slice(None, -1), slice(1, None)
    a, b, c, d = (low, low), (low, high), (high, low), (high, high)  # top left, top right, bottom left, bottom right

    def close(p: tuple[slice, slice], q: tuple[slice, slice]) -> NDArray[np.bool_]:
        return np.asarray(np.abs(disparity_px[p] - disparity_px[q]) <= cut_px)  # NaN is not close to anything

    with np.errstate(invalid="ignore"):
        top, bottom, left, right = close(a, b), close(c, d), close(a, c), close(b, d)
        falling, rising = close(a, d), close(b, c)
        bend_falling = np.nan_to_num(np.abs(disparity_px[a] - disparity_px[d]), nan=np.inf)
        bend_rising = np.nan_to_num(np.abs(disparity_px[b] - disparity_px[c]), nan=np.inf)
    use_falling = falling & (bend_falling <= bend_rising)
    use_rising = rising & ~use_falling
    # Seen from the camera, y down: counter-clockwise is a → c → b.
    corners = [
        (use_falling & left & bottom, (a, c, d)),
        (use_falling & top & right, (a, d, b)),
        (use_rising & left & top, (a, c, b)),
        (use_rising & right & bottom, (b, c, d)),
    ]
    return np.concatenate([np.stack([index[p][keep] for p in three], axis=1) for keep, three in corners])


def _without_small_patches(disparity_px: F32, cut_px: float, smallest: int) -> F32:
    """Drop connected patches of fewer than `smallest` pixels (connected: neighbours closer than `cut_px`)."""
    sixteenths = np.nan_to_num(disparity_px * 16, nan=-32768.0).clip(-32768, 32767).astype(np.int16)
    cv2.filterSpeckles(sixteenths, -32768, smallest - 1, round(cut_px * 16))
    return np.where(sixteenths == -32768, np.float32(np.nan), disparity_px)


def write_mesh(path: Path, mesh: Mesh, rectification: Rectification) -> Path:
    """Write a mesh as binary PLY, or as OBJ with vertex colours, atomically.

    Raises:
        OutputError: another ending, or the folder cannot be written.
    """
    check_format(path, MESH_FORMATS, "a mesh")
    comments = cloud_comments(rectification)
    if path.suffix.lower() == ".ply":
        return write_ply(path, mesh.vertices, mesh.colors, mesh.normals, faces=mesh.faces, comments=comments)
    rgb = mesh.colors / 255.0
    vertex = np.hstack([mesh.vertices, rgb])
    lines = [f"# {line}" for line in comments]
    lines += [f"v {x:.6g} {y:.6g} {z:.6g} {r:.4f} {g:.4f} {b:.4f}" for x, y, z, r, g, b in vertex.tolist()]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in mesh.normals.tolist()]
    lines += [f"f {a}//{a} {b}//{b} {c}//{c}" for a, b, c in (mesh.faces + 1).tolist()]
    return write_bytes(path, ("\n".join(lines) + "\n").encode())
