"""What can be set of the effects, and what is chosen from the scene where nothing is set."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from livestereo.errors import SettingsError
from livestereo.render.effects.cutout import split_depth
from livestereo.render.effects.fog import Medium
from livestereo.render.effects.occlude import Thing
from livestereo.render.effects.scene import EffectScene
from livestereo.render.effects.stereo3d import GLASSES, LAYOUTS, Glasses, SideBySide, comfortable_shift
from livestereo.render.effects.views import pivot_px

EffectName = Literal["fog", "focus", "miniature", "anaglyph", "sbs", "wiggle", "occlude", "cutout"]
EFFECT_NAMES: tuple[EffectName, ...] = get_args(EffectName)
MEDIA: tuple[Medium, ...] = get_args(Medium)
FULL_FRAME_WIDTH_MM = 36.0


@dataclass(frozen=True)
class EffectSettings:
    """Settings of all effects; None: chosen from the scene.

    Lengths are metres (relative where the scene is), `*_px` are pixels of the rectified picture, points are (u, v).
    visibility_m: fog, smoke, water. focus_m or focus_at: what is sharp. aperture: f-number of a lens of the same view
    on full frame. blur_px: instead of it, the radius of the blur of the far background. shift_px: disparity that
    lies on the screen. reach: share of the baseline that a wiggle swings through. near_m, far_m: what is cut out.

    Raises:
        SettingsError: a value that cannot be.
    """

    medium: Medium = "fog"
    visibility_m: float | None = None
    rising: bool = False
    focus_m: float | None = None
    focus_at: tuple[float, float] | None = None
    aperture: float | None = None
    blur_px: float | None = None
    glasses: Glasses = "dubois"
    layout: SideBySide = "parallel"
    shift_px: float | None = None
    between: int = 5
    reach: float = 1.0
    near_m: float = 0.0
    far_m: float | None = None
    things: tuple[Thing, ...] | None = None
    time: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("medium", MEDIA), ("glasses", GLASSES), ("layout", LAYOUTS)):
            if getattr(self, name) not in known:
                raise SettingsError(f"Unknown {name}: {getattr(self, name)!r}.", f"Known: {', '.join(known)}.")
        for name in ("visibility_m", "focus_m", "aperture", "blur_px", "far_m"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SettingsError(f"{name.removesuffix('_m').removesuffix('_px')} must be above 0, got {value:g}.")
        for name, shown in (("near_m", "near"), ("shift_px", "zero-parallax")):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise SettingsError(f"{shown} must be a number, got {value:g}.")
        if self.far_m is not None and self.near_m >= self.far_m:
            raise SettingsError(f"near ({self.near_m:g}) must be below far ({self.far_m:g}).")
        if not 0 <= self.between <= 60:
            raise SettingsError(f"The views in between must be 0 to 60, got {self.between}.")
        if not 0 < self.reach <= 1:
            raise SettingsError(f"reach must be above 0 and at most 1, got {self.reach:g}.")
        if self.focus_m is not None and self.focus_at is not None:
            raise SettingsError("A focus distance and a focus point exclude each other.", "Give one of them.")


@dataclass(frozen=True)
class Chosen:
    """Settings with nothing left open. notes: what the user should be told of the choice."""

    settings: EffectSettings
    focus_m: float
    visibility_m: float
    far_m: float
    shift_px: float
    pivot_px: float
    notes: tuple[str, ...] = field(default=())

    def smoothed(self, before: Chosen, share: float) -> Chosen:
        """Move from `before` by `share` towards this choice, so that a film does not flicker."""

        def metres(name: str) -> float:
            old, new = getattr(before, name), getattr(self, name)
            return float(old * (new / old) ** share)

        def pixels(name: str) -> float:
            old, new = getattr(before, name), getattr(self, name)
            return float(old + (new - old) * share)

        return replace(
            self, focus_m=metres("focus_m"), visibility_m=metres("visibility_m"), far_m=metres("far_m"),
            shift_px=pixels("shift_px"), pivot_px=pixels("pivot_px"),
        )  # fmt: skip


def choose(scene: EffectScene, settings: EffectSettings) -> Chosen:
    """Fill in what is left open.

    Raises:
        SettingsError: the focus point lies outside the picture, or little of it is left by the shift.
    """
    widest = scene.left.shape[1] // 2
    if settings.shift_px is not None and abs(settings.shift_px) > widest:
        raise SettingsError(
            f"zero-parallax {settings.shift_px:g} px is more than half of the picture's width.",
            f"Give a disparity from {-widest} to {widest} px, that of what shall lie on the screen.",
        )
    notes: list[str] = []
    if settings.blur_px is not None and settings.blur_px > widest:
        # A wider disc shows nothing more, and takes memory without end.
        notes.append(f"A blur of {settings.blur_px:g} px is wider than the picture: {widest} px is used.")
        settings = replace(settings, blur_px=float(widest))
    focus_m = settings.focus_m
    if settings.focus_at is not None:
        focus_m, note = depth_at(scene, *settings.focus_at)
        notes += [note] if note else []
    if focus_m is None:
        # The subject: what is in the middle, and rather its nearer part.
        height, width = scene.depth_m.shape
        middle = scene.shifted_px[3 * height // 8 : 5 * height // 8 : 2, 3 * width // 8 : 5 * width // 8 : 2]
        focus_m = float(scene.scale_m_px / np.percentile(middle, 65))
    far_m = settings.far_m
    if far_m is None:
        far_m = max(split_depth(scene), settings.near_m * 1.05)
    # Three times the far end of the scene: a third of its contrast is left there.
    visibility = settings.visibility_m or {"fog": 2.8, "smoke": 0.55, "water": 2.6}[
        settings.medium
    ] * scene.percentile_m(90)
    shift = comfortable_shift(scene) if settings.shift_px is None else settings.shift_px
    return Chosen(
        settings=settings, focus_m=focus_m, visibility_m=visibility, far_m=far_m, shift_px=float(shift),
        pivot_px=pivot_px(scene) if settings.shift_px is None else settings.shift_px, notes=tuple(notes),
    )  # fmt: skip


def depth_at(scene: EffectScene, u: float, v: float) -> tuple[float, str]:
    """Give the depth at a pixel; where it is unknown, that of the nearest pixel that knows it, and say so.

    Raises:
        SettingsError: outside the picture, or nothing is known anywhere.
    """
    width, height = scene.size_wh
    x, y = round(u), round(v)
    if not (0 <= x < width and 0 <= y < height):
        raise SettingsError(
            f"The point {u:g},{v:g} lies outside the picture.", f"It is {width}x{height} pixels, counted from 0,0."
        )
    if scene.known[y, x]:
        return float(scene.depth_m[y, x]), ""
    rows, columns = np.nonzero(scene.known)
    if not rows.size:
        raise SettingsError("No depth is known anywhere in this picture.", "Run `livestereo doctor` on it.")
    nearest = int(np.argmin((columns - u) ** 2 + (rows - v) ** 2))
    at = (int(columns[nearest]), int(rows[nearest]))
    depth = float(scene.depth_m[at[1], at[0]])
    return depth, f"Depth is unknown at {x},{y}: taking that of the nearest known point, {at[0]},{at[1]}."


def aperture_diameter_m(scene: EffectScene, f_number: float) -> float:
    """Diameter of the aperture of a full-frame lens with the view of this camera: (f_px / width · 36 mm) / N."""
    return scene.rectification.focal_px / scene.size_wh[0] * FULL_FRAME_WIDTH_MM / 1000 / f_number
