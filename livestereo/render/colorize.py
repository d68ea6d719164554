"""Depth, confidence and hole reasons as colours.

Depth is coloured on a fixed metric range, near bright and far dark, by default on a logarithmic
scale: equal colour steps are equal *ratios* of depth, which is how stereo sees. Holes are hatched
dark gray, which no colour map contains, so that "unknown" is never read as "far".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.compiled import numba_loaded
from livestereo.errors import SettingsError
from livestereo.types import F32, U8, Reason

Scale = Literal["log", "linear", "inverse"]

# The first is the default: perceptually uniform and told apart with any kind of colour vision; the second likewise.
_OPENCV_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS, "cividis": cv2.COLORMAP_CIVIDIS, "turbo": cv2.COLORMAP_TURBO,
    "inferno": cv2.COLORMAP_INFERNO, "magma": cv2.COLORMAP_MAGMA, "plasma": cv2.COLORMAP_PLASMA,
}  # fmt: skip
COLORMAPS: tuple[str, ...] = (*_OPENCV_MAPS, "gray")
DEFAULT_COLORMAP = "viridis"

HOLE_BGR = (34, 30, 28)
HATCH_BGR = (56, 51, 48)

# Okabe & Ito's palette for colour-vision deficiency, as BGR.
REASON_BGR: dict[Reason, tuple[int, int, int]] = {
    Reason.NONE: (78, 72, 70),
    Reason.UNKNOWN: (150, 150, 150),
    Reason.OCCLUDED: (0, 159, 230),
    Reason.OUT_OF_VIEW: (233, 180, 86),
    Reason.NO_TEXTURE: (115, 158, 0),
    Reason.REPEATED_TEXTURE: (66, 228, 240),
    Reason.TOO_NEAR: (0, 94, 213),
    Reason.TOO_FAR: (178, 114, 0),
    Reason.SATURATED: (255, 255, 255),
    Reason.OUTSIDE_ROI: (24, 20, 18),
}
REASON_TEXT: dict[Reason, str] = {
    Reason.NONE: "depth known",
    Reason.UNKNOWN: "unknown",
    Reason.OCCLUDED: "hidden from the right camera",
    Reason.OUT_OF_VIEW: "outside the right view",
    Reason.NO_TEXTURE: "no texture",
    Reason.REPEATED_TEXTURE: "repeated texture",
    Reason.TOO_NEAR: "too near",
    Reason.TOO_FAR: "too far",
    Reason.SATURATED: "saturated",
    Reason.OUTSIDE_ROI: "outside the shared view",
}


@dataclass(frozen=True)
class DepthRange:
    """The metric range of the colours, metres, 0 < near < far < ∞."""

    near_m: float
    far_m: float

    def __post_init__(self) -> None:
        if not (0 < self.near_m < self.far_m < float("inf")):
            raise SettingsError(
                f"A colour range from {self.near_m:g} to {self.far_m:g} m is not possible.",
                "The near end must be above 0 and below the far end.",
            )


@lru_cache(maxsize=16)
def colormap_lut(name: str) -> U8:
    """Give the 256 BGR colours of a map, (256,3) uint8, from far (0) to near (255).

    Raises:
        SettingsError: there is no map of that name.
    """
    ramp = np.arange(256, dtype=np.uint8)
    if name == "gray":
        # Not down to black: black is for holes and letterboxes.
        lut = np.repeat((40 + ramp.astype(np.float32) * (215 / 255)).round().astype(np.uint8)[:, None], 3, axis=1)
    elif name in _OPENCV_MAPS:
        lut = np.asarray(cv2.applyColorMap(ramp[:, None], _OPENCV_MAPS[name]), np.uint8).reshape(256, 3)
    else:
        raise SettingsError(f"Unknown colour map: {name!r}.", f"Known: {', '.join(COLORMAPS)}.")
    lut.setflags(write=False)
    return lut


def position(depth_m: NDArray[np.float64], near_m: float, far_m: float, scale: Scale = "log") -> NDArray[np.float64]:
    """Place depths on the colour scale: 1 at `near_m` and nearer, 0 at `far_m` and farther; NaN stays NaN."""
    DepthRange(near_m, far_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            t = (np.log(far_m) - np.log(depth_m)) / (np.log(far_m) - np.log(near_m))
        elif scale == "inverse":
            t = (1 / depth_m - 1 / far_m) / (1 / near_m - 1 / far_m)
        else:
            t = (far_m - depth_m) / (far_m - near_m)
    return np.asarray(np.clip(t, 0.0, 1.0), np.float64)


@lru_cache(maxsize=32)
def _depth_table(near_m: float, far_m: float, colormap: str, scale: Scale) -> NDArray[np.uint32]:
    """Colour of every float32 by its upper 16 bits, as packed BGRA; alpha is 0 where there is no depth.

    Sign, exponent and 7 bits of mantissa: depth to 0.4 %, finer than a step of the colours.
    """
    bits = (np.arange(65536, dtype=np.uint32) << 16) | 0x8000  # the middle of each bucket
    with np.errstate(invalid="ignore"):
        depth = bits.view(np.float32).astype(np.float64)
    known = np.isfinite(depth) & (depth > 1e-30)  # zero shares its bucket with the smallest numbers
    t = position(np.where(known, depth, near_m), near_m, far_m, scale)
    bgra = np.zeros((65536, 4), np.uint8)
    bgra[:, :3] = colormap_lut(colormap)[np.rint(t * 255).astype(np.intp)]
    bgra[:, 3] = 255
    bgra[~known] = (*HOLE_BGR, 0)
    return bgra.view(np.uint32).reshape(-1)


@lru_cache(maxsize=8)
def hatch(height: int, width: int) -> U8:
    """Give the pattern that stands for "no value", (H,W,3) uint8 BGR."""
    y, x = np.mgrid[:height, :width]
    pattern = np.empty((height, width, 3), np.uint8)
    pattern[:] = HOLE_BGR
    pattern[(x + y) % 8 < 2] = HATCH_BGR
    pattern.setflags(write=False)
    return pattern


@lru_cache(maxsize=8)
def _packed_hatch(width: int, hatched: bool) -> NDArray[np.uint32]:
    """First row of that pattern, some pixels longer, as packed BGRA; or plain."""
    row = np.zeros((width + 8, 4), np.uint8)
    row[:, :3] = hatch(1, width + 8)[0] if hatched else HOLE_BGR
    return row.view(np.uint32).reshape(-1)


def colorize_depth(
    depth_m: F32,
    near_m: float,
    far_m: float,
    colormap: str = DEFAULT_COLORMAP,
    *,
    scale: Scale = "log",
    hatched: bool = True,
) -> U8:
    """Colour a depth map, (H,W) float32 metres with NaN for holes, into (H,W,3) uint8 BGR.

    Depths outside the range take the colour of its nearer end. Holes are hatched, or plain with `hatched=False`.

    Raises:
        SettingsError: an impossible range or an unknown colour map.
    """
    table = _depth_table(float(near_m), float(far_m), colormap, scale)
    depth = np.ascontiguousarray(depth_m, dtype="<f4")
    if numba_loaded():  # with `sgm`, say; the same colours sooner
        from livestereo.render.colour_kernel import paint_depth

        painted = paint_depth(depth, table, _packed_hatch(depth.shape[1], hatched))
        return np.asarray(cv2.cvtColor(painted, cv2.COLOR_BGRA2BGR), np.uint8)
    upper = depth.view("<u2").reshape(*depth.shape, 2)[..., 1]
    bgra = table.take(upper).view(np.uint8).reshape(*depth.shape, 4)
    bgr = np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2BGR), np.uint8)
    if hatched:
        hole = cv2.bitwise_not(cv2.extractChannel(bgra, 3))  # alpha is 0 or 255
        cv2.copyTo(hatch(*depth.shape), hole, bgr)
    return bgr


def colorize_unit(values: F32, colormap: str = DEFAULT_COLORMAP) -> U8:
    """Colour (H,W) float32 values in 0..1 (a confidence), NaN hatched, into (H,W,3) uint8 BGR."""
    known = np.isfinite(values)
    index = np.clip(np.where(known, values, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
    bgr = colormap_lut(colormap)[index]
    cv2.copyTo(hatch(*values.shape), (~known).view(np.uint8), bgr)
    return bgr


@lru_cache(maxsize=1)
def _reason_table() -> U8:
    table = np.empty((256, 3), np.uint8)
    table[:] = REASON_BGR[Reason.UNKNOWN]
    for reason, bgr in REASON_BGR.items():
        table[int(reason)] = bgr
    return table


def colorize_reason(reason: U8, left_gray: U8 | None = None) -> U8:
    """Colour why pixels have no depth, (H,W) uint8 of `Reason`; known ones show the dimmed picture if it is given."""
    bgr = _reason_table()[reason]
    if left_gray is not None:
        dim = np.asarray(cv2.cvtColor(cv2.convertScaleAbs(left_gray, alpha=0.5, beta=20), cv2.COLOR_GRAY2BGR), np.uint8)
        cv2.copyTo(dim, (reason == int(Reason.NONE)).view(np.uint8), bgr)
    return bgr


def automatic_range(depth_m: F32, share: float = 0.02) -> DepthRange | None:
    """Find a range that holds all but `share` of the depths at each end; None where too little is known."""
    sample = depth_m[::4, ::4]
    known = sample[np.isfinite(sample) & (sample > 0)]
    if known.size < 50:
        return None
    near, far = (float(v) for v in np.quantile(known, (share, 1 - share)))
    if far < near * 1.1:
        near, far = near / 1.05, far * 1.05
    return DepthRange(near, far)
