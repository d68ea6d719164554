"""Things put into the scene at their depth: nearer ones hide them, and what cannot be seen is never drawn. Pure.

The scene's depth is the z-buffer. Things are tested from near to far before anything is drawn: one that lies outside
the view, or whose every pixel is behind the scene or behind a nearer thing, is culled, and its picture is never
computed. The rest are drawn from far to near in linear light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.render.effects.light import colour_to_linear, to_linear, to_srgb
from livestereo.render.effects.scene import EffectScene
from livestereo.types import F32, U8

UNSURE_PX = 1.5  # disparities nearer to one another than this: which of the two is before the other is chance

Why = Literal["outside the view", "behind the camera", "hidden"]


@dataclass(frozen=True)
class Sphere:
    """A shaded ball. (u, v): pixel of its centre. depth_m, radius_m: metres (relative where the scene is)."""

    name: str
    u: float
    v: float
    depth_m: float
    radius_m: float
    bgr: tuple[int, int, int] = (60, 90, 220)
    opaque = True


@dataclass(frozen=True)
class Card:
    """A picture that faces the camera. (u, v): pixel of its centre. picture: (h,w,3|4) uint8 BGR or BGRA."""

    name: str
    u: float
    v: float
    depth_m: float
    width_m: float
    picture: U8


Thing = Sphere | Card


@dataclass(frozen=True)
class Inserted:
    """The picture, and what became of each thing. culled: (name, why). share: visible part of each drawn thing."""

    image: U8
    drawn: tuple[str, ...]
    culled: tuple[tuple[str, Why], ...]
    share: dict[str, float]


@dataclass
class _Outline:
    """Where a thing would appear: box (x0, y0, x1, y1), depth (h,w) NaN outside it, coverage (h,w) 0..1.

    visible: in front of everything, and covered by more than half. behind: behind a thing that is nearer.
    """

    thing: Thing
    box: tuple[int, int, int, int]
    depth_m: F32
    coverage: F32
    visible: NDArray[np.bool_]
    behind: NDArray[np.bool_]


def insert(scene: EffectScene, things: list[Thing], *, shadows: bool = True) -> Inserted:
    """Put things into the scene.

    shadows: spheres throw soft shadows onto the scene's surfaces.
    """
    buffer = scene.depth_m.copy()
    kept: list[_Outline] = []
    culled: list[tuple[str, Why]] = []
    share: dict[str, float] = {}
    for thing in sorted(things, key=nearest_m):
        why, outline = _test(scene, buffer, thing)
        if outline is None:
            culled.append((thing.name, why))
            continue
        kept.append(outline)
        x0, y0, x1, y1 = outline.box
        inside = outline.coverage > 0.5
        share[thing.name] = float(outline.visible.sum()) / max(int(inside.sum()), 1)
        part = buffer[y0:y1, x0:x1]
        solid = outline.visible & inside
        part[solid] = outline.depth_m[solid]
    light = to_linear(scene.left)
    balls = [o.thing for o in kept if isinstance(o.thing, Sphere)]
    if shadows and balls:
        light = light * _shadow(scene, balls)[:, :, None]
    ambient = np.asarray([float(np.percentile(plane, 60)) for plane in cv2.split(light[::8, ::8])], np.float32)
    for outline in reversed(kept):  # far to near
        _draw(light, scene, outline, ambient)
    order = {thing.name: i for i, thing in enumerate(things)}
    drawn = tuple(sorted((o.thing.name for o in kept), key=order.__getitem__))
    return Inserted(to_srgb(light), drawn, tuple(sorted(culled, key=lambda c: order[c[0]])), share)


def nearest_m(thing: Thing) -> float:
    """Depth of the nearest point of a thing."""
    return thing.depth_m - thing.radius_m if isinstance(thing, Sphere) else thing.depth_m


def _test(scene: EffectScene, buffer: F32, thing: Thing) -> tuple[Why, _Outline | None]:
    """Find out whether a thing is seen, cheap tests first."""
    if nearest_m(thing) <= 0:
        return "behind the camera", None
    box = _box(scene, thing)
    if box is None:
        return "outside the view", None
    x0, y0, x1, y1 = box
    around = buffer[y0:y1, x0:x1]
    if nearest_m(thing) >= float(around.max()):
        return "hidden", None  # behind the farthest thing in its box
    depth, coverage = _sphere_depth(scene, thing, box) if isinstance(thing, Sphere) else _card_depth(scene, thing, box)
    with np.errstate(invalid="ignore"):
        visible = (depth < around) & (coverage > 0.5)
    if not visible.any():
        return ("hidden" if (coverage > 0.5).any() else "outside the view"), None
    with np.errstate(invalid="ignore"):
        behind = (depth >= around) & (around < scene.depth_m[y0:y1, x0:x1])
    return "hidden", _Outline(thing, box, depth, coverage, visible, behind)


def _box(scene: EffectScene, thing: Thing) -> tuple[int, int, int, int] | None:
    """Rectangle of pixels that a thing may cover, or None outside the picture."""
    f = scene.rectification.focal_px
    if isinstance(thing, Sphere):
        # The outline of a ball off the axis is an ellipse, a little longer away from the middle.
        r = scene.rectification
        off = np.hypot(thing.u - r.cx_px, thing.v - r.cy_px) / f
        reach = thing.radius_m * f / np.sqrt(max(thing.depth_m**2 - thing.radius_m**2, 1e-9)) * (1 + off * off)
        half_w = half_h = float(reach) + 2
    else:
        half_w = thing.width_m * f / thing.depth_m / 2 + 1
        half_h = half_w * thing.picture.shape[0] / thing.picture.shape[1]
    width, height = scene.size_wh
    x0, x1 = max(0, int(np.floor(thing.u - half_w))), min(width, int(np.ceil(thing.u + half_w)) + 1)
    y0, y1 = max(0, int(np.floor(thing.v - half_h))), min(height, int(np.ceil(thing.v + half_h)) + 1)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _rays(scene: EffectScene, box: tuple[int, int, int, int]) -> tuple[F32, F32]:
    """Directions (x/z, y/z) of the pixels of a box, each (h,w)."""
    r = scene.rectification
    x0, y0, x1, y1 = box
    x = (np.arange(x0, x1, dtype=np.float32) - np.float32(r.cx_px)) / np.float32(r.focal_px)
    y = (np.arange(y0, y1, dtype=np.float32) - np.float32(r.cy_px)) / np.float32(r.focal_px)
    grid = np.meshgrid(x, y)
    return np.asarray(grid[0], np.float32), np.asarray(grid[1], np.float32)


def centre_of(scene: EffectScene, thing: Thing) -> NDArray[np.float64]:
    """Centre of a thing in the rectified left frame, (3,) metres."""
    r = scene.rectification
    direction = np.array([(thing.u - r.cx_px) / r.focal_px, (thing.v - r.cy_px) / r.focal_px, 1.0])
    return direction * thing.depth_m


def _sphere_depth(scene: EffectScene, ball: Sphere, box: tuple[int, int, int, int]) -> tuple[F32, F32]:
    """Depth and coverage of a sphere: where the ray z·(x, y, 1) meets |P − C| = R; coverage is soft at its rim."""
    x, y = _rays(scene, box)
    c = centre_of(scene, ball)
    a = x * x + y * y + 1
    b = x * np.float32(c[0]) + y * np.float32(c[1]) + np.float32(c[2])
    rest = np.float32(c @ c - ball.radius_m**2)
    under = b * b - a * rest
    with np.errstate(invalid="ignore"):
        depth = np.where(under >= 0, (b - np.sqrt(np.maximum(under, 0))) / a, b / a)
    # Distance of the ray from the centre against the radius, in pixels at that depth.
    miss = np.sqrt(np.maximum(np.float32(c @ c) - b * b / a, 0))
    pixel = np.float32(ball.depth_m / scene.rectification.focal_px)
    coverage = np.clip((np.float32(ball.radius_m) - miss) / pixel + np.float32(0.5), 0, 1)
    return np.where(coverage > 0, depth, np.nan).astype(np.float32), coverage.astype(np.float32)


def _card_depth(scene: EffectScene, card: Card, box: tuple[int, int, int, int]) -> tuple[F32, F32]:
    alpha = _card_picture(scene, card, box)[:, :, 3].astype(np.float32) / np.float32(255)
    depth = np.where(alpha > 0, np.float32(card.depth_m), np.float32(np.nan))
    return depth.astype(np.float32), alpha


def _card_picture(scene: EffectScene, card: Card, box: tuple[int, int, int, int]) -> U8:
    """The card's picture as seen in its box, (h,w,4) uint8 BGRA."""
    x0, y0, x1, y1 = box
    picture = card.picture
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGRA), np.uint8)
    elif picture.shape[2] == 3:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), np.uint8)
    h, w = picture.shape[:2]
    scale = card.width_m * scene.rectification.focal_px / card.depth_m / w
    if scale < 0.5:  # reduced first, or it would flicker
        small = (max(1, round(w * scale)), max(1, round(h * scale)))
        picture = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.uint8)
        scale *= w / small[0]
        h, w = picture.shape[:2]
    move = np.array([[scale, 0, card.u - x0 - scale * (w - 1) / 2], [0, scale, card.v - y0 - scale * (h - 1) / 2]])
    return np.asarray(cv2.warpAffine(picture, move, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR), np.uint8)


def _draw(light: F32, scene: EffectScene, outline: _Outline, ambient: F32) -> None:
    """Draw one thing over `light`, in place, where it is in front of the scene; the seam is softened by a pixel."""
    x0, y0, x1, y1 = outline.box
    front = _seam(scene, outline).astype(np.float32)
    there = (outline.coverage > 0).astype(np.float32)
    seen = cv2.blur(front * there, (3, 3)) / np.maximum(cv2.blur(there, (3, 3)), 1e-6)
    # Softened towards both sides, but never so far that a hidden pixel shows more than a hint.
    seen = np.where(front > 0, np.maximum(seen, np.float32(0.55)), np.minimum(seen, np.float32(0.35)))
    alpha = (outline.coverage * seen).astype(np.float32)
    thing = outline.thing
    if isinstance(thing, Sphere):
        colour = _shaded(scene, thing, outline, ambient)
    else:
        colour = to_linear(np.ascontiguousarray(_card_picture(scene, thing, outline.box)[:, :, :3]))
    part = light[y0:y1, x0:x1]
    part += (colour - part) * alpha[:, :, None]


def _seam(scene: EffectScene, outline: _Outline) -> NDArray[np.bool_]:
    """Where a thing is before the scene. Where both are about as far, a median evens out what noise decided."""
    x0, y0, x1, y1 = outline.box
    with np.errstate(invalid="ignore", divide="ignore"):
        nearer_px = np.float32(scene.scale_m_px) / outline.depth_m - scene.shifted_px[y0:y1, x0:x1]
        front = nearer_px > 0
        unsure = np.abs(nearer_px) < UNSURE_PX
    size = 2 * max(1, round(scene.size_wh[0] / 250)) + 1
    even = cv2.medianBlur(front.view(np.uint8), size) > 0
    return np.asarray(np.where(unsure, even, front) & ~outline.behind)


def light_direction(scene: EffectScene) -> NDArray[np.float64]:
    """Direction towards the lamp, (3,) unit: from above, a little from the left and from behind the camera."""
    toward = np.array([-0.42, -0.80, -0.42])
    turns = scene.rectification.display_turns % 4
    for _ in range(turns):  # upright on the screen
        toward = np.array([-toward[1], toward[0], toward[2]])
    return np.asarray(toward / np.linalg.norm(toward))


def _shaded(scene: EffectScene, ball: Sphere, outline: _Outline, ambient: F32) -> F32:
    """Light of a glossy ball: ambient from all around, a lamp (Lambert), its highlight (Blinn) and a brighter rim."""
    x, y = _rays(scene, outline.box)
    z = np.nan_to_num(outline.depth_m, nan=ball.depth_m)
    centre = centre_of(scene, ball).astype(np.float32)
    normal = np.dstack([x * z - centre[0], y * z - centre[1], z - centre[2]])
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    view = -np.dstack([x, y, np.ones_like(x)])
    view /= np.linalg.norm(view, axis=2, keepdims=True)
    lamp = light_direction(scene).astype(np.float32)
    facing = np.clip(normal @ lamp, 0, 1)
    half = view + lamp
    half /= np.maximum(np.linalg.norm(half, axis=2, keepdims=True), 1e-9)
    shine = np.clip((normal * half).sum(axis=2), 0, 1) ** 60
    rim = (1 - np.clip((normal * view).sum(axis=2), 0, 1)) ** 4
    up = 0.5 + 0.5 * (normal @ lamp)  # light from above, less from below
    colour = colour_to_linear(ball.bgr)
    level = np.float32(np.clip(float(ambient.mean()) * 2.7, 0.14, 0.95))
    lit = (0.28 + 0.42 * up + 0.95 * facing)[:, :, None] * colour * level
    gloss = (0.9 * shine)[:, :, None] * level + (0.35 * rim)[:, :, None] * ambient
    return np.asarray(lit + gloss, np.float32)


def _shadow(scene: EffectScene, balls: list[Sphere]) -> F32:
    """Light that is left (H,W) 0..1 after the balls' shadows: a point is dark when its way to the lamp meets a ball.

    Surfaces that were not measured, only filled in, take no shadow: it would show their guessed shape.
    """
    width, height = scene.size_wh
    step = 2  # half size: shadows are soft
    depth = scene.depth_m[::step, ::step]
    r = scene.rectification
    x = ((np.arange(0, width, step) - r.cx_px) / r.focal_px).astype(np.float32)[None, :]
    y = ((np.arange(0, height, step) - r.cy_px) / r.focal_px).astype(np.float32)[:, None]
    left = np.ones(depth.shape, np.float32)
    lamp = light_direction(scene).astype(np.float32)
    for ball in balls:
        c = centre_of(scene, ball).astype(np.float32)
        dx, dy, dz = c[0] - depth * x, c[1] - depth * y, c[2] - depth
        along = dx * lamp[0] + dy * lamp[1] + dz * lamp[2]
        off = np.sqrt(np.maximum(dx * dx + dy * dy + dz * dz - along * along, 0)) / np.float32(ball.radius_m)
        # The lamp is no point: the penumbra widens with the distance from the ball.
        far = np.clip(along / np.float32(ball.radius_m), 0, 12)
        soft = np.float32(0.12) + np.float32(0.10) * far
        dark = np.clip((1 + soft - off) / (2 * soft), 0, 1) * np.clip(along / np.float32(ball.radius_m) + 0.3, 0, 1)
        strength = np.float32(0.62) / (1 + np.float32(0.10) * far)
        left *= 1 - strength * dark * dark * (3 - 2 * dark)
    known = scene.known[::step, ::step].astype(np.float32)
    share = cv2.GaussianBlur(known, (0, 0), max(2.0, 0.012 * known.shape[1]))
    left = 1 - (1 - left) * np.clip((share - 0.35) / 0.4, 0, 1)
    soft_left = cv2.GaussianBlur(left, (0, 0), 1.5)
    return np.asarray(cv2.resize(soft_left, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


_COLOURS = ((48, 76, 224), (40, 170, 245), (196, 120, 30), (96, 176, 72), (180, 70, 160))


def automatic_spheres(scene: EffectScene, count: int = 4) -> list[Thing]:
    """Choose balls that show what occlusion is: partly hidden by the scene, at different depths, spread over it."""
    width, height = scene.size_wh
    f = scene.rectification.focal_px
    f_times_b = scene.scale_m_px
    surfaces = [scene.percentile_m(p) for p in (25, 40, 55, 70)]
    depths = [share * surface for share in (1, 0.85) for surface in surfaces]  # at what is there, and before it
    candidates: list[tuple[float, Sphere]] = []
    for depth in depths:
        radius_px = 0.075 * width * float(np.clip((depths[0] / depth) ** 0.5, 0.6, 1))
        for gy in np.linspace(0.25, 0.75, 6):
            for gx in np.linspace(0.14, 0.86, 11):
                ball = Sphere("", gx * width, gy * height, depth, radius_px * depth / f)
                reach = max(5, int(radius_px))  # at least two samples
                x, y = int(ball.u), int(ball.v)
                around = scene.depth_m[max(0, y - reach) : y + reach : 4, max(0, x - reach) : x + reach : 4]
                behind = (around > depth).astype(np.int8)
                if behind.shape[0] == 0 or behind.shape[1] < 2:
                    continue
                seen, edges = float(behind.mean()), float(np.abs(np.diff(behind, axis=1)).mean())
                # Lying in a surface, half in and half out, looks like a mistake, and its seam is ragged.
                lying = float((np.abs(f_times_b / around - f_times_b / depth) < UNSURE_PX).mean())
                if seen > 0.25:
                    candidates.append((abs(seen - 0.62) + 1.5 * edges + 1.5 * lying, ball))
    chosen: list[Sphere] = []
    for _, ball in sorted(candidates, key=lambda item: item[0]):
        apart = all(np.hypot(ball.u - o.u, ball.v - o.v) > 0.22 * width for o in chosen)
        if apart and sum(o.depth_m == ball.depth_m for o in chosen) < 2:
            chosen.append(ball)
        if len(chosen) == count:
            break
    return [
        Sphere(f"sphere {i + 1}", b.u, b.v, b.depth_m, b.radius_m, _COLOURS[i % len(_COLOURS)])
        for i, b in enumerate(chosen)
    ]


def circling_spheres(scene: EffectScene, phase: float, count: int = 3) -> list[Thing]:
    """Balls that circle through the scene, before and behind what is there; `phase` in turns."""
    width, height = scene.size_wh
    near, far = scene.percentile_m(12), scene.percentile_m(80)
    things: list[Thing] = []
    for i in range(count):
        angle = 2 * np.pi * (phase + i / count)
        # Even in 1/depth, which is how perspective spreads depth over the picture.
        share = 0.5 + 0.5 * np.cos(angle)
        depth = 1 / (share / near + (1 - share) / far)
        u = width * (0.5 + 0.33 * np.sin(angle))
        v = height * (0.5 + 0.05 * np.cos(angle))
        radius = 0.055 * width / scene.rectification.focal_px * (near * far) ** 0.5
        things.append(Sphere(f"sphere {i + 1}", u, v, float(depth), radius, _COLOURS[i % len(_COLOURS)]))
    return things
