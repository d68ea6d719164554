"""Save the coloured cloud of a result as a PLY file."""

from __future__ import annotations

from pathlib import Path

from livestereo.ply import cloud_comments, write_ply
from livestereo.points import Cloud, make_cloud
from livestereo.types import F32, StereoResult

__all__ = ["Cloud", "make_cloud", "save_cloud", "write_ply"]


def save_cloud(path: Path, result: StereoResult, *, depth_m: F32 | None = None, clean: bool = True) -> Path:
    """Write a finished pair as a coloured cloud with normals; `clean` drops flying pixels and outliers.

    depth_m: (H,W) float32, NaN invalid, where it shall not be all of the result's.

    Raises:
        OutputError: the name does not end in .ply, or the folder cannot be written.
    """
    rectification = result.pair.rectification
    depth = result.depth_m if depth_m is None else depth_m
    cloud = make_cloud(depth, result.pair.left, rectification, clean=clean)
    return write_ply(path, cloud.points, cloud.colors, cloud.normals, comments=cloud_comments(rectification))
