"""Brings the pairs of a take into the formats of others; one small class for each format.

Everything is written under a temporary name beside the goal and renamed at the end, so that an export that is
stopped leaves nothing half-made under the final name.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from livestereo.codecs import H264Writer
from livestereo.errors import SettingsError, TakeError
from livestereo.imageio import OutputError, encode, millimetres, refuse_source, write_float_map, write_picture
from livestereo.takes.manifest import MANIFEST
from livestereo.types import U8, StereoResult

TUM_SCALE = 5000.0
LARGEST = 65535  # of 16 bits
# Less of the known depth than this beyond what a format holds is not worth a word: a few wrong pixels.
TELL_SHARE = 0.001
WriteCloud = Callable[[Path, StereoResult], object]
MakePicture = Callable[[StereoResult], U8]


@dataclass(frozen=True)
class ExportItem:
    """One pair to export: its number in the take, seconds since the first pair, and its depth."""

    pair: int
    t_s: float
    skew_s: float
    seq: int
    gap: str | None
    result: StereoResult


@dataclass(frozen=True)
class ExportContext:
    """What exporters need from outside: `fps`, how a picture for people and a cloud are made."""

    fps: float
    picture: MakePicture
    cloud: WriteCloud


class Exporter(Protocol):
    """Takes items in order; `finish` completes the files."""

    def add(self, item: ExportItem) -> None:
        """Write one pair."""
        ...

    def finish(self) -> None:
        """Complete what is written."""
        ...

    def warnings(self) -> list[str]:
        """Say what of the depth the format could not hold."""
        ...


class _Range:
    """Depth in whole numbers of 16 bits: counts what lies beyond their end."""

    def __init__(self, form: str, per_m: float) -> None:
        self._form, self._most_m = form, LARGEST / per_m
        self._known = self._beyond = 0
        self._unit = " m"

    def count(self, result: StereoResult) -> None:
        """Count the depth of one pair."""
        self._unit = " m" if result.pair.rectification.metric else ""
        known = result.depth_m[np.isfinite(result.depth_m)]
        self._known += known.size
        self._beyond += int((known > self._most_m).sum())

    def warnings(self) -> list[str]:
        """Say how much was left out, if it is worth a word."""
        share = self._beyond / max(self._known, 1)
        if share < TELL_SHARE:
            return []
        return [
            f"{100 * share:.2g} % of the known depth is left out: it lies beyond {self._most_m:.1f}{self._unit}, the "
            f"most that {self._form} holds. ply and middlebury hold all."
        ]


def _camera(result: StereoResult) -> dict[str, Any]:
    """The rectified left camera, as numbers for any reader; `intrinsic_matrix` goes by columns, for Open3D."""
    at = result.pair.rectification
    return {
        "width": at.size_wh[0], "height": at.size_wh[1], "fx": at.focal_px, "fy": at.focal_px, "cx": at.cx_px,
        "cy": at.cy_px, "intrinsic_matrix": [at.focal_px, 0.0, 0.0, 0.0, at.focal_px, 0.0, at.cx_px, at.cy_px, 1.0],
        "baseline_m": at.baseline_m, "doffs_px": at.doffs_px, "metric": at.metric,
    }  # fmt: skip


class _Folder:
    def __init__(self, out: Path, context: ExportContext) -> None:
        self.out, self.context = out, context
        out.mkdir(parents=True, exist_ok=True)
        self._described = False

    def describe(self, item: ExportItem, **more: Any) -> None:
        if not self._described:
            self._described = True
            text = json.dumps({**_camera(item.result), **more}, indent=1)
            (self.out / "camera.json").write_text(text + "\n", encoding="utf-8")

    def finish(self) -> None:
        """Nothing is open."""

    def warnings(self) -> list[str]:
        """Nothing was left out."""
        return []


class Png16(_Folder):
    """`000000.png`: depth in millimetres, 16 bits, 0 is unknown; `camera.json` beside them."""

    def __init__(self, out: Path, context: ExportContext) -> None:
        super().__init__(out, context)
        self._range = _Range("png16", 1000)

    def warnings(self) -> list[str]:
        """Say what lay beyond 65.5 m."""
        return self._range.warnings()

    def add(self, item: ExportItem) -> None:
        """Write one depth map."""
        self._range.count(item.result)
        self.describe(item, depth_unit="mm", unknown=0)
        write_picture(self.out / f"{item.pair:06d}.png", millimetres(item.result.depth_m))


class Ply(_Folder):
    """`000000.ply`: a coloured cloud for each pair, metres."""

    def add(self, item: ExportItem) -> None:
        """Write one cloud."""
        self.context.cloud(self.out / f"{item.pair:06d}.ply", item.result)


class Tum(_Folder):
    """The layout of the TUM RGB-D benchmark: rgb/, depth/ (16 bits, 5000 per metre), lists and associations."""

    def __init__(self, out: Path, context: ExportContext) -> None:
        super().__init__(out, context)
        (out / "rgb").mkdir(exist_ok=True)
        (out / "depth").mkdir(exist_ok=True)
        self._rows: list[tuple[str, str, str]] = []
        self._range = _Range("tum", TUM_SCALE)

    def warnings(self) -> list[str]:
        """Say what lay beyond 13.1 m."""
        return self._range.warnings()

    def add(self, item: ExportItem) -> None:
        """Write one picture and its depth."""
        self._range.count(item.result)
        self.describe(item, depth_scale=TUM_SCALE)
        stamp = f"{item.t_s:.6f}"
        rgb, depth = f"rgb/{stamp}.png", f"depth/{stamp}.png"
        write_picture(self.out / rgb, item.result.pair.left)
        scaled = np.rint(np.nan_to_num(item.result.depth_m.astype(np.float64) * TUM_SCALE, nan=0.0))
        # Beyond 13.1 m the 16 bits are full: unknown is honest, the largest number would be a wall.
        write_picture(self.out / depth, np.where(scaled <= LARGEST, scaled, 0).astype(np.uint16))
        self._rows.append((stamp, rgb, depth))

    def finish(self) -> None:
        """Write the lists."""
        for name, column, title in (("rgb", 1, "color images"), ("depth", 2, "depth maps")):
            lines = [f"# {title}", "# timestamp filename", *(f"{row[0]} {row[column]}" for row in self._rows)]
            (self.out / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        lines = [f"{stamp} {rgb} {stamp} {depth}" for stamp, rgb, depth in self._rows]
        (self.out / "associations.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Middlebury(_Folder):
    """A folder for each pair: im0.png, im1.png, disp0.pfm and calib.txt (Scharstein et al. 2014)."""

    def add(self, item: ExportItem) -> None:
        """Write one pair."""
        folder = self.out / f"{item.pair:06d}"
        folder.mkdir()
        result, at = item.result, item.result.pair.rectification
        write_picture(folder / "im0.png", result.pair.left)
        write_picture(folder / "im1.png", result.pair.right)
        write_float_map(folder / "disp0.pfm", result.disparity_px)
        known = result.disparity_px[np.isfinite(result.disparity_px)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        f, cx, cy = at.focal_px, at.cx_px, at.cy_px
        (folder / "calib.txt").write_text(
            f"cam0=[{f!r} 0 {cx!r}; 0 {f!r} {cy!r}; 0 0 1]\n"
            f"cam1=[{f!r} 0 {cx + at.doffs_px!r}; 0 {f!r} {cy!r}; 0 0 1]\n"
            f"doffs={at.doffs_px!r}\nbaseline={at.baseline_m * 1000!r}\nwidth={at.size_wh[0]}\nheight={at.size_wh[1]}\n"
            f"ndisp={math.ceil(high) + 1}\nisint=0\nvmin={low:.3f}\nvmax={high:.3f}\n",
            encoding="utf-8",
        )


class Csv:
    """One table: stamps and statistics of every pair."""

    COLUMNS = ("pair", "seq", "t_s", "skew_ms", "fill_percent", "min_m", "median_m", "max_m", "gap")

    def __init__(self, out: Path, context: ExportContext) -> None:
        self._file = open(out, "w", newline="", encoding="utf-8")  # noqa: SIM115  (closed in finish)
        self._table = csv.writer(self._file)
        self._table.writerow(self.COLUMNS)

    def add(self, item: ExportItem) -> None:
        """Write one row."""
        depth = item.result.depth_m
        known = depth[np.isfinite(depth)]
        figures = (
            (f"{known.min():.4f}", f"{np.median(known):.4f}", f"{known.max():.4f}") if known.size else ("", "", "")
        )
        fill = 100 * known.size / depth.size
        self._table.writerow(
            [
                item.pair,
                item.seq,
                f"{item.t_s:.6f}",
                f"{item.skew_s * 1e3:.3f}",
                f"{fill:.2f}",
                *figures,
                item.gap or "",
            ]
        )

    def finish(self) -> None:
        """Close the file."""
        self._file.close()

    def warnings(self) -> list[str]:
        """Nothing was left out."""
        return []


class Mp4:
    """H.264 video of what a person would look at; stamps are those of the take."""

    def __init__(self, out: Path, context: ExportContext) -> None:
        self._out, self._context = out, context
        self._writer: H264Writer | None = None
        self._start = 0.0

    def add(self, item: ExportItem) -> None:
        """Write one picture."""
        picture = self._context.picture(item.result)
        if self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            self._writer = H264Writer(self._out, size, self._context.fps, crf=18, fragmented=False)
            self._start = item.t_s
        self._writer.write(picture, item.t_s - self._start)

    def finish(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def warnings(self) -> list[str]:
        """Nothing was left out."""
        return []


class Mcap:
    """MCAP for Foxglove: JSON messages of its own schemas: images, 16-bit depth in mm, camera calibration."""

    def __init__(self, out: Path, context: ExportContext) -> None:
        from livestereo.takes.mcap import McapFile

        self._file = McapFile(out)
        self._range = _Range("mcap", 1000)

    def warnings(self) -> list[str]:
        """Say what lay beyond 65.5 m."""
        return self._range.warnings()

    def add(self, item: ExportItem) -> None:
        """Write the messages of one pair."""
        self._range.count(item.result)
        self._file.calibration(item.t_s, _camera(item.result))
        self._file.image("/camera/left", item.t_s, encode(".jpg", item.result.pair.left, 90))
        self._file.depth("/camera/depth", item.t_s, millimetres(item.result.depth_m))

    def finish(self) -> None:
        """Close the file."""
        self._file.close()


EXPORTERS: Mapping[str, Callable[[Path, ExportContext], Exporter]] = MappingProxyType(
    {"png16": Png16, "ply": Ply, "mp4": Mp4, "tum": Tum, "csv": Csv, "middlebury": Middlebury, "mcap": Mcap}
)
# What each kind of folder holds, by name: nothing else is ever replaced.
FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "png16": r"\d{6,}\.png|camera\.json", "ply": r"\d{6,}\.ply", "middlebury": r"\d{6,}",
        "tum": r"rgb|depth|(rgb|depth|associations)\.txt|camera\.json",
    }
)  # fmt: skip
# Which pictures of the take each format shows besides depth.
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"ply": ("left",), "tum": ("left",), "mcap": ("left",), "middlebury": ("left", "right")}
)


@contextmanager
def exporting(form: str, out: Path, context: ExportContext, *, overwrite: bool = False) -> Iterator[Exporter]:
    """Give an exporter that writes under a temporary name; the goal appears when the block ends well.

    Raises:
        SettingsError: no such format.
        OutputError: the goal is a file that is being read.
        TakeError: the goal exists as a folder with something in it, lies in a take, or cannot be written.
    """
    if form not in EXPORTERS:
        raise SettingsError(f"Unknown format: {form!r}.", f"Known: {', '.join(EXPORTERS)}.")
    goal = out.resolve()
    take = next((place for place in (goal, *goal.parents) if (place / MANIFEST).is_file()), None)
    if take is not None:
        name = f"{take.name}.{form}" if take == goal else goal.name
        raise TakeError(
            f"{out} {'is' if take == goal else 'lies in'} a take, and an export leaves a take as it was recorded.",
            f"Name a place beside it, such as {take.with_name(name)}.",
        )
    folder = form in FOLDERS
    if folder and out.is_dir():
        _check_replaceable(out, form, overwrite=overwrite)
    if folder and out.is_file():
        raise TakeError(f"{out} is a file; --as {form} makes a folder.", "Choose another name.")
    if not folder and out.is_dir():
        raise TakeError(
            f"{out} is a folder; --as {form} makes a file.", f"Name a file, such as {out / ('take.' + form)}."
        )
    refuse_source(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    except OSError as error:
        raise TakeError(f"{out} cannot be written: {error.strerror}.", "Choose another place.") from error
    try:
        goal = partial / out.name
        exporter = EXPORTERS[form](goal, context)
        try:
            yield exporter
        except BaseException:
            with suppress(Exception):  # what is thrown away is closed first, whatever that says
                exporter.finish()
            raise
        exporter.finish()
        if goal.exists():
            if folder and out.is_dir():
                shutil.rmtree(out)
            os.replace(goal, out)
    except OutputError as error:
        # People know the final name only.
        raise TakeError(error.what.replace(f"{partial.name}{os.sep}", ""), error.fix) from error
    except OSError as error:
        raise TakeError(
            f"{out} cannot be written: {error.strerror or error}.", "Make room, or choose another place."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_replaceable(out: Path, form: str, *, overwrite: bool) -> None:
    there = sorted(path.name for path in out.iterdir())
    if there and not overwrite:
        raise TakeError(f"{out} exists and is not empty.", "Choose another name, or use --overwrite to replace it.")
    others = [name for name in there if not re.fullmatch(FOLDERS[form], name)]
    if others:
        raise TakeError(f"{out} holds other files ({', '.join(others[:3])}).", "Choose another name.")
