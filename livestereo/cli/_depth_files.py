"""The files that `depth` writes: one of each for a single pair, folders of them for more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livestereo.errors import SettingsError
from livestereo.imageio import (
    FLOAT_FORMATS,
    PICTURE_FORMATS,
    SIXTEEN_BIT_FORMATS,
    OutputError,
    check_format,
    make_folder,
    make_place,
    millimetres,
    refuse_source,
    write_float_map,
    write_picture,
)
from livestereo.mesh import MESH_FORMATS, make_mesh, write_mesh
from livestereo.render.colorize import COLORMAPS, DepthRange, automatic_range, colorize_depth
from livestereo.sinks.cloud import save_cloud
from livestereo.trust import confidence_of, likely
from livestereo.types import F32, U8, Reason, StereoResult

OF_METRES = ("mm16", "metres")  # styles that hold lengths themselves, not a picture of them
STYLES = (*COLORMAPS, *OF_METRES)


@dataclass(frozen=True)
class Wanted:
    """What to write and where; near, far: range of the colours, None is chosen for each pair.

    explained: the summary tells σ, confidence and reasons too.
    """

    picture: Path | None
    cloud: Path | None
    disparity: Path | None
    mesh: Path | None
    sigma: Path | None = None
    depth_sigma: Path | None = None
    confidence: Path | None = None
    reasons: Path | None = None
    explained: bool = False
    style: str = "gray"
    near: float | None = None
    far: float | None = None

    def parts(self) -> list[tuple[str, Path, tuple[str, ...], str, str]]:
        """What was asked for: (kind, path, endings that fit, plural noun, ending inside a folder)."""
        formats, noun, inside = {
            "mm16": (SIXTEEN_BIT_FORMATS, "16-bit depth", ".png"), "metres": (FLOAT_FORMATS, "float depth", ".pfm"),
        }.get(self.style, (PICTURE_FORMATS, "a picture", ".png"))  # fmt: skip
        rows = [
            ("picture", self.picture, formats, noun, inside),
            ("cloud", self.cloud, (".ply",), "a point cloud", ".ply"),
            ("disparity", self.disparity, FLOAT_FORMATS, "float disparity", ".pfm"),
            ("mesh", self.mesh, MESH_FORMATS, "a mesh", ".ply"),
            ("sigma", self.sigma, FLOAT_FORMATS, "float values", ".pfm"),
            ("depth_sigma", self.depth_sigma, FLOAT_FORMATS, "float values", ".pfm"),
            ("confidence", self.confidence, (*FLOAT_FORMATS, ".png"), "a confidence", ".pfm"),
            ("reasons", self.reasons, SIXTEEN_BIT_FORMATS, "codes", ".png"),
        ]
        return [(kind, path, formats, noun, inside) for kind, path, formats, noun, inside in rows if path is not None]

    def writer(self, *, many: bool) -> Writer:
        """Get the outputs ready: as files for one pair, as folders for `many`.

        Raises:
            OutputError: an ending does not fit, a folder cannot be written, or folders would write over each other.
        """
        places: dict[str, Callable[[str], Path]] = {}
        folders: dict[tuple[Path, str], str] = {}
        files: dict[Path, str] = {}
        for kind, path, formats, noun, inside in self.parts():
            if many or path.is_dir():
                if many and not path.is_dir() and path.suffix.lower() in formats:
                    raise OutputError(
                        f"There is more than one pair, and {path} is the name of one file.",
                        f"Name a folder, such as {path.with_suffix('')}.",
                    )
                clash = folders.setdefault((path.resolve(), inside), kind)
                if clash != kind:
                    raise OutputError(f"{clash} and {kind} would write over each other in {path}.", "Name two folders.")
                places[kind] = _in_folder(make_folder(path), inside)
            else:
                check_format(path, formats, noun)
                refuse_source(path)
                clash = files.setdefault(path.resolve(), kind)
                if clash != kind:
                    raise OutputError(f"{clash} and {kind} would write over each other: both are {path}.", "Name two.")
                make_place(path)
                places[kind] = _always(path)
        return Writer(self, places)


def check_wanted(wanted: Wanted) -> None:
    """Refuse what can be refused before any picture is opened.

    Raises:
        SettingsError: unknown style, impossible range.
        OutputError: an output cannot be written.
    """
    if wanted.style not in STYLES:
        raise SettingsError(f"Unknown style: {wanted.style!r}.", f"Known: {', '.join(STYLES)}.")
    if wanted.near is not None and wanted.far is not None:
        DepthRange(wanted.near, wanted.far)
    for _, path, formats, noun, _ in wanted.parts():
        if path.suffix and not path.is_dir():
            check_format(path, formats, noun)


def _in_folder(folder: Path, ending: str) -> Callable[[str], Path]:
    return lambda name: folder / f"{name}{ending}"


def _always(path: Path) -> Callable[[str], Path]:
    return lambda name: path


class Writer:
    """Writes the outputs of one pair after another."""

    def __init__(self, wanted: Wanted, places: dict[str, Callable[[str], Path]]) -> None:
        self._wanted = wanted
        self._places = places
        self._names: set[str] = set()

    def write(self, result: StereoResult) -> dict[str, Any]:
        """Write what was asked for; give the pair's row of the JSON result."""
        name = self._name(result)
        rectification = result.pair.rectification
        files = []
        more: dict[str, Any] = {}
        if "picture" in self._places and self._wanted.style == "metres":
            files.append(write_float_map(self._places["picture"](name), rectification.to_display(result.depth_m)))
        elif "picture" in self._places:
            near, far = self._wanted.near, self._wanted.far
            if self._wanted.style != "mm16" and (shown := shown_range(result.depth_m, near, far)) is not None:
                near, far = shown.near_m, shown.far_m
                more = {"shown_range_m": [near, far]}
            image = depth_picture(result.depth_m, self._wanted.style, near, far)
            files.append(write_picture(self._places["picture"](name), rectification.to_display(image)))
        if "disparity" in self._places:
            values = rectification.to_display(result.disparity_px)
            files.append(write_float_map(self._places["disparity"](name), values))
        depth = result.depth_m
        if "cloud" in self._places or "mesh" in self._places:
            depth = likely(depth, confidence_of(result))
            before, after = (np.count_nonzero(np.isfinite(one)) for one in (result.depth_m, depth))
            more |= {"left_out_percent": 100 * (1 - after / before) if before else 0.0}
        if "cloud" in self._places:
            files.append(save_cloud(self._places["cloud"](name), result, depth_m=depth))
        if "mesh" in self._places:
            surface = make_mesh(depth, result.pair.left, rectification)
            files.append(write_mesh(self._places["mesh"](name), surface, rectification))
        files += self._write_explained(result, name)
        row = describe(result, name, [str(path) for path in files]) | more
        return row | explained(result) if self._wanted.explained else row

    def _write_explained(self, result: StereoResult, name: str) -> list[Path]:
        """Write how sure depth is and why it is missing, where that was asked for."""
        upright = result.pair.rectification.to_display
        files = []
        wanted: dict[str, Callable[[], F32 | None]] = {
            "sigma": lambda: result.sigma_px,
            "depth_sigma": lambda: result.depth_sigma_m,
            "confidence": lambda: result.confidence,
        }
        for kind, compute in wanted.items():
            values = compute() if kind in self._places else None
            if values is None:
                continue
            if kind == "confidence":
                values = np.where(np.isfinite(result.depth_m), values, np.float32(np.nan))  # at infinity is no depth
            path = self._places[kind](name)
            if path.suffix.lower() == ".png":
                # 0 is for holes alone.
                shades = np.where(np.isfinite(values), 1 + np.rint(254 * np.nan_to_num(values)), 0).astype(np.uint8)
                files.append(write_picture(path, upright(shades)))
            else:
                files.append(write_float_map(path, upright(values)))
        if "reasons" in self._places and result.reason is not None:
            files.append(write_picture(self._places["reasons"](name), upright(result.reason)))
        return files

    def _name(self, result: StereoResult) -> str:
        stem = Path(result.frame.name).stem if result.frame.name else ""
        if stem.isdigit() or not stem:
            stem = f"{result.frame.seq:06d}" if not stem else stem.zfill(6)
        name, n = stem, 1
        while name in self._names:  # two folders may hold pictures of one name
            n += 1
            name = f"{stem}-{n}"
        self._names.add(name)
        return name


def describe(result: StereoResult, name: str, files: list[str]) -> dict[str, Any]:
    """Sum up a pair: size, density (percent of the region that both cameras see), nearest and farthest depth."""
    rectification = result.pair.rectification
    depth = rectification.to_display(result.depth_m)
    x, y, w, h = rectification.roi
    seen = result.depth_m[y : y + h, x : x + w] if w > 0 and h > 0 else result.depth_m
    known = depth[np.isfinite(depth)]
    return {
        "name": name,
        "width": depth.shape[1],
        "height": depth.shape[0],
        "density_percent": 100.0 * float(np.isfinite(seen).mean()) if seen.size else 0.0,
        "min_m": float(known.min()) if known.size else None,
        "max_m": float(known.max()) if known.size else None,
        "p1_m": float(np.percentile(known, 1)) if known.size else None,
        "median_m": float(np.median(known)) if known.size else None,
        "p99_m": float(np.percentile(known, 99)) if known.size else None,
        "metric": rectification.metric,
        "files": files,
    }


def explained(result: StereoResult) -> dict[str, Any]:
    """Sum up σ (px of disparity, of matching; and of depth), confidence, and the reasons of holes in percent."""
    sigma, confidence, reason, depth_sigma = result.sigma_px, result.confidence, result.reason, result.depth_sigma_m
    if sigma is None or confidence is None or reason is None or depth_sigma is None:
        return {}
    known = np.isfinite(result.depth_m) & np.isfinite(sigma)
    share = depth_sigma / result.depth_m
    some = np.isfinite(share)
    return {
        "sigma_median_px": float(np.median(sigma[known])) if known.any() else None,
        "sigma_depth_median_percent": 100 * float(np.median(share[some])) if some.any() else None,
        "sigma_of": result.sigma_of,
        "confidence_mean": float(confidence[known].mean()) if known.any() else None,
        "reasons_percent": {
            one.name.lower(): 100 * float((reason == one).mean()) for one in Reason if one is not Reason.NONE
        },
    }


def shown_range(depth_m: F32, near: float | None, far: float | None) -> DepthRange | None:
    """Give the range of the colours: what is asked for, the rest from the picture; None where nothing is known."""
    if near is not None and far is not None:
        return DepthRange(near, far)
    found = automatic_range(depth_m, 0.025)
    if found is None:
        return None
    low, high = near or found.near_m, far or found.far_m
    return DepthRange(low, high if high > low else low * 2)


def depth_picture(depth_m: F32, style: str, near: float | None = None, far: float | None = None) -> U8 | Any:
    """Draw a depth map: `mm16` (H,W) uint16, `gray` (H,W) uint8, else (H,W,3) BGR by colour map.

    gray: even in 1/depth, as disparity is: 255 nearest … 30 farthest, 0 unknown (black is for holes alone).
    """
    if style == "mm16":
        return millimetres(depth_m)
    shown = shown_range(depth_m, near, far)
    if style == "gray":
        if shown is None:
            return np.zeros(depth_m.shape, np.uint8)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (1 / depth_m - 1 / shown.far_m) / (1 / shown.near_m - 1 / shown.far_m)
        value = np.rint(30 + 225 * np.clip(np.nan_to_num(t), 0, 1))
        return np.where(np.isfinite(depth_m), value, 0).astype(np.uint8)
    shown = shown or DepthRange(0.5, 5.0)
    return colorize_depth(depth_m, shown.near_m, shown.far_m, style, hatched=False)
