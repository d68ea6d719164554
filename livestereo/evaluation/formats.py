"""Ground truth as the field publishes it: Middlebury, ETH3D, KITTI, and plain files.

    for one in find_sets(Path("MiddEval3/trainingQ")):
        truth = load_truth(one.truth, one.truth_scale)

Truth is disparity of the left view, (H,W) float32 px, NaN unknown. A folder's kind is found by what lies in it.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.errors import LiveStereoError
from livestereo.imageio import read_pfm
from livestereo.types import F32

# Right picture, truth and scale that belong to a left picture of that name; the first that exist count.
_LAYOUTS: tuple[tuple[str, str, tuple[str, ...], float | None], ...] = (
    ("im0.png", "im1.png", ("disp0GT.pfm", "disp0.pfm", "disp0-n.pgm"), None),  # Middlebury 2014, 2021, v3; ETH3D
    ("view1.png", "view5.png", ("disp1.png",), 1.0),  # Middlebury 2005, 2006 at full size
    ("im2.png", "im6.png", ("disp2.png", "disp2.pgm"), 4.0),  # Middlebury 2003 at quarter size
    ("im2.ppm", "im6.ppm", ("disp2.pgm", "disp2.png"), 4.0),
)
# The sets of 2001 have the names of those of 2003 and twice their scale; smaller versions of 2005 and 2006 keep the
# full-size numbers' share of it (vision.middlebury.edu/stereo/data).
_OF_2001 = ("barn1", "barn2", "bull", "poster", "sawtooth", "venus")
_SIZES = {"halfsize": 2.0, "thirdsize": 3.0}
_MASKS = ("mask0nocc.png", "nonocc.png")
_KITTI_LEFT = ("image_2", "image_0", "colored_0")
_KITTI_TRUTH = ("disp_occ_0", "disp_occ", "disp_noc_0", "disp_noc")
KITTI_SCALE = 256.0
DEPTH = 2  # folders below the one that is named
FORMATS = (
    "A set is a folder with im0.png, im1.png and disp0.pfm (or disp0GT.pfm), with view1.png, view5.png and disp1.png, "
    "with im2.png, im6.png and disp2.png, or a KITTI folder with image_2, image_3 and disp_occ_0. For other files use "
    "--left, --right and --truth."
)


@dataclass(frozen=True)
class TruthSet:
    """One pair with its truth. truth_scale: value / scale = px; None for what the file's format says.

    mask: picture whose highest value marks the pixels that count. ndisp: number of disparities that the set names.
    notes: what was taken for granted.
    """

    name: str
    left: Path
    right: Path
    truth: Path
    truth_scale: float | None = None
    mask: Path | None = None
    ndisp: int | None = None
    notes: tuple[str, ...] = ()


def find_sets(path: Path) -> list[TruthSet]:
    """Find the sets in a folder: it is one itself, a KITTI folder, or a folder of sets (of folders of sets).

    Raises:
        LiveStereoError: there is no such folder, or no set in it.
    """
    if not path.is_dir():
        what = f"{path} is a file, not a set." if path.exists() else f"There is no {path}."
        raise LiveStereoError(what, FORMATS)
    found = _below(path, DEPTH)
    if not found:
        raise LiveStereoError(f"{path} holds no set with ground truth.", FORMATS)
    return found


def _below(path: Path, depth: int) -> list[TruthSet]:
    found = _folder(path) or _kitti(path)
    if not found and depth > 0:
        for inner in sorted(one for one in path.iterdir() if one.is_dir()):
            found += _below(inner, depth - 1)
    return found


def _folder(path: Path) -> list[TruthSet]:
    # ETH3D gives the truth in a folder beside that of the pictures: two_view_training, two_view_training_gt.
    places = (path, path.resolve().parent.with_name(path.resolve().parent.name + "_gt") / path.name)
    for left, right, truths, usual in _LAYOUTS:
        truth = _first(places, truths)
        if truth is None or not (path / left).is_file() or not (path / right).is_file():
            continue
        scale = _scale(path, usual)
        mask = _first(places, _MASKS)
        notes = (f"{path.name}: {truth.name} is taken as disparity × {scale:g}.",) if scale and scale != 1 else ()
        calibration = path / "calib.txt"
        ndisp = middlebury_ndisp(calibration.read_text(errors="replace")) if calibration.is_file() else None
        return [TruthSet(path.name, path / left, path / right, truth, scale, mask, ndisp, notes)]
    return []


def _first(folders: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _scale(path: Path, usual: float | None) -> float | None:
    if usual == 4 and path.name.lower() in _OF_2001:
        return 8.0
    if usual == 1:
        return next((_SIZES[part.lower()] for part in path.parts if part.lower() in _SIZES), usual)
    return usual


def middlebury_ndisp(text: str) -> int | None:
    """Read the number of disparities from a calib.txt of Middlebury; None where it is not told."""
    told = re.search(r"^\s*ndisp\s*=\s*(\d+)", text, re.MULTILINE)
    return int(told.group(1)) if told else None


def _kitti(path: Path) -> list[TruthSet]:
    for left_folder in _KITTI_LEFT:
        right_folder = left_folder[:-1] + str(int(left_folder[-1]) + 1)
        truth_folder = next((path / name for name in _KITTI_TRUTH if (path / name).is_dir()), None)
        if truth_folder is None or not (path / left_folder).is_dir() or not (path / right_folder).is_dir():
            continue
        return [
            TruthSet(truth.stem, path / left_folder / truth.name, path / right_folder / truth.name, truth, KITTI_SCALE)
            for truth in sorted(truth_folder.glob("*.png"))
            if (path / left_folder / truth.name).is_file() and (path / right_folder / truth.name).is_file()
        ]
    return []


def load_truth(path: Path, scale: float | None = None) -> F32:
    """Load disparity of the left view, (H,W) float32 px, NaN unknown.

    PFM, TIFF and NPZ/NPY hold px, unknown is infinite, NaN or 0; 16-bit PNG holds px × 256 (KITTI), 8-bit px × 1,
    unknown is 0. `scale` says otherwise: px = value / scale.

    Raises:
        LiveStereoError: not readable, not one channel, or nothing known in it.
    """
    if not path.is_file():
        raise LiveStereoError(f"There is no ground truth {path}.", "Check the path.")
    values, usual = _read(path)
    while values.ndim == 3 and (values.shape[2] == 1 or (values == values[..., :1]).all()):
        values = values[..., 0]
    if values.ndim != 2:
        raise LiveStereoError(f"The ground truth {path} has shape {values.shape}.", "It must have one channel.")
    truth = values.astype(np.float32) / np.float32(usual if scale is None else scale)
    truth[~np.isfinite(truth) | (values == 0)] = np.nan
    if not np.isfinite(truth).any():
        raise LiveStereoError(f"The ground truth {path} knows no pixel.", "Is it the right file?")
    return np.asarray(truth, np.float32)


def _read(path: Path) -> tuple[NDArray[Any], float]:
    """Values as they are in the file, and the scale that is usual for it."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".pfm":
            return read_pfm(path), 1.0
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return np.asarray(file[file.files[0]]), 1.0
        if suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False)), 1.0
    except (ValueError, OSError, IndexError, zipfile.BadZipFile) as error:
        raise LiveStereoError(f"The ground truth {path} cannot be read: {error}.", "Is it complete?") from error
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise LiveStereoError(
            f"The ground truth {path} cannot be read.", "Formats: PFM, PNG (8 and 16 bit), TIFF, NPZ, NPY."
        )
    return np.asarray(image), KITTI_SCALE if image.dtype == np.uint16 else 1.0


def load_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Load a mask, (H,W) bool: true where the picture has its highest value (255 of 0, 128, 255 say).

    Raises:
        LiveStereoError: not readable, or of another size than the truth.
    """
    if not path.is_file():
        raise LiveStereoError(f"There is no mask {path}.", "Check the path.")
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise LiveStereoError(f"The mask {path} is not a picture.", "Use PNG, 255 for the pixels that count.")
    if image.shape != tuple(shape):
        raise LiveStereoError(
            f"The mask {path} is {image.shape[1]}x{image.shape[0]}, the ground truth {shape[1]}x{shape[0]}.",
            "Both must be of the left picture.",
        )
    return np.asarray((image == image.max()) & (image > 0))
