"""Textures painted by program: (h,w,3|4) uint8 BGR(A), square root of linear light. Deterministic by generator."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8

Generator = np.random.Generator
Colour = Sequence[float]  # BGR 0..255, as painted


def clouds(h: int, w: int, rng: Generator, size: float, octaves: int = 4, gain: float = 0.5) -> F32:
    """Smooth noise (h,w) about 0 with standard deviation 1; the largest blots are `size` px wide."""
    total = np.zeros((h, w), np.float32)
    weight = 1.0
    for octave in range(octaves):
        step = max(1.0, size / 2**octave)
        rows, columns = max(2, round(h / step) + 1), max(2, round(w / step) + 1)
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        total += weight * cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
        weight *= gain
        if step <= 1:
            break
    even: F32 = (total - total.mean()) / np.float32(max(float(total.std()), 1e-6))
    return even


def flat(h: int, w: int, colour: Colour) -> F32:
    """One colour, (h,w,3) float32."""
    return np.broadcast_to(np.array(colour, np.float32), (h, w, 3)).copy()


def done(picture: NDArray[np.floating]) -> U8:
    """Round to uint8."""
    rounded: U8 = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return rounded


def plaster(h: int, w: int, colour: Colour, rng: Generator, relief: float = 0.0, grain_px: float = 9) -> U8:
    """A painted wall; `relief` is the contrast of its grain, 0 for a blank one."""
    soft = clouds(h, w, rng, max(h, w) / 2, 2)[..., None] * 0.8
    grain = clouds(h, w, rng, grain_px, 4, 0.8)[..., None] * relief
    return done(flat(h, w, colour) + soft + grain)


def wood(h: int, w: int, colour: Colour, rng: Generator, strength: float = 1.0) -> U8:
    """Wood with its grain along the rows: rings, pores, flecks and now and then a knot."""
    stretched = cv2.resize(clouds(h, max(8, w // 10), rng, h / 3, 5, 0.75), (w, h), interpolation=cv2.INTER_CUBIC)
    rings = np.sin(stretched * 5 + np.linspace(0, 9, h, dtype=np.float32)[:, None])
    pores = cv2.resize(clouds(h, max(8, w // 4), rng, 3, 2, 0.8), (w, h), interpolation=cv2.INTER_LINEAR)
    flecks = clouds(h, w, rng, 5, 3, 0.9)
    tone = 8 * rings + 5 * stretched + 6 * pores + 4.5 * flecks - 9 * np.maximum(flecks - 1.3, 0)
    return done(flat(h, w, colour) + strength * tone[..., None] * np.array([0.75, 0.9, 1.0], np.float32))


def planks(h: int, w: int, colour: Colour, rng: Generator, wide: int, long: int) -> U8:
    """A floor of planks that run down the picture, `wide` × `long` px each."""
    sheet = wood(wide * 8, max(h, long) + long, colour, rng, 1.0)
    out = np.empty((h, w, 3), np.uint8)
    joints: list[tuple[int, int]] = []
    for left in range(0, w, wide):
        right = min(left + wide, w)
        row = int(rng.integers(0, 7)) * wide
        start = int(rng.integers(0, long))
        strip = cv2.rotate(sheet[row : row + wide, start : start + h], cv2.ROTATE_90_CLOCKWISE)
        strip = cv2.resize(strip, (wide, h))
        edges = [0, *range(int(rng.integers(long // 4, long)), h, long), h]
        for top, bottom in pairwise(edges):
            tone = np.float32(rng.normal(0, 11)) + np.float32(rng.normal(0, 3, 3))
            out[top:bottom, left:right] = done(strip[top:bottom, : right - left].astype(np.float32) + tone)
            joints.append((left, top))
            cv2.line(
                out, (left, top), (right - 1, top), tuple(c * 0.5 for c in colour), max(1, wide // 40), cv2.LINE_AA
            )
        cv2.line(out, (left, 0), (left, h - 1), tuple(c * 0.5 for c in colour), max(1, wide // 40), cv2.LINE_AA)
    return out


def cloth(h: int, w: int, colour: Colour, rng: Generator, weave: float = 6.0, folds: float = 5.0) -> U8:
    """Woven cloth: fine threads and soft, wide shades."""
    fine = clouds(h, w, rng, 3, 2, 0.9)
    wide = clouds(h, w, rng, max(h, w) / 3, 3)
    return done(flat(h, w, colour) + (weave * fine + folds * wide)[..., None])


def stripes(h: int, w: int, light: Colour, dark: Colour, count: int) -> U8:
    """Wallpaper: `count` equal stripes down the picture, alike to the last pixel."""
    phase = (np.arange(w, dtype=np.float32) + 0.5) * (count / w) * 2 * np.pi
    share = 0.5 + 0.5 * np.tanh(3.5 * np.cos(phase))
    row = np.array(light, np.float32) * share[:, None] + np.array(dark, np.float32) * (1 - share[:, None])
    return np.broadcast_to(done(row), (h, w, 3)).copy()


def rug(h: int, w: int, rng: Generator) -> U8:
    """A woven rug: borders, a medallion, small irregular figures."""
    red, cream, navy, teal = (52, 44, 148), (176, 204, 220), (92, 52, 40), (128, 120, 52)
    out = np.empty((h, w, 3), np.uint8)
    out[:] = red
    unit = min(h, w)
    for part, colour in ((0.0, navy), (0.035, cream), (0.05, navy), (0.13, cream), (0.145, red)):
        inset = int(part * unit)
        cv2.rectangle(out, (inset, inset), (w - 1 - inset, h - 1 - inset), colour, -1)
    step = max(6, unit // 26)
    palette = (cream, teal, navy, (60, 120, 190), (90, 80, 170))
    for y in range(step, h - step // 2, step):
        for x in range(step, w - step // 2, step):
            cx, cy = x + int(rng.integers(-3, 4)), y + int(rng.integers(-3, 4))
            size = step * rng.uniform(0.12, 0.36)
            corners = cv2.boxPoints(((cx, cy), (size * 2, size * rng.uniform(1, 2)), float(rng.uniform(0, 90))))
            cv2.fillConvexPoly(out, corners.astype(np.int32), palette[int(rng.integers(len(palette)))], cv2.LINE_AA)
    for part, colour in ((0.30, navy), (0.27, cream), (0.25, teal), (0.17, red), (0.10, cream), (0.07, navy)):
        reach_xy = np.array([part * w, part * h])
        angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        reach = 1 + 0.16 * np.cos(8 * angle)
        ring = np.stack([np.cos(angle), np.sin(angle)], -1) * reach[:, None] * reach_xy + [w / 2, h / 2]
        cv2.fillPoly(out, [ring.astype(np.int32)], colour, cv2.LINE_AA)
    pile = clouds(h, w, rng, 4, 2, 0.9) * 7 + clouds(h, w, rng, unit / 3, 3) * 5
    return done(out.astype(np.float32) + pile[..., None])


def painting(h: int, w: int, rng: Generator) -> U8:
    """A landscape in oils: sky, ridges one behind the other, a sun, brush strokes."""
    top = np.array(rng.uniform((150, 120, 90), (230, 190, 170)), np.float32)
    low = np.array(rng.uniform((120, 170, 200), (180, 220, 250)), np.float32)
    ramp = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(top * (1 - ramp) + low * ramp, (h, w, 3)).copy()
    sun = int(rng.uniform(0.2, 0.8) * w), int(rng.uniform(0.15, 0.4) * h)
    cv2.circle(picture, sun, max(2, h // 11), (170, 225, 250), -1, cv2.LINE_AA)
    tone = np.array(rng.uniform((70, 60, 40), (150, 130, 110)), np.float32)
    for layer in range(5):
        line = (0.35 + 0.13 * layer) * h + clouds(1, w, rng, w / 3, 5)[0] * h * 0.05
        ridge = np.stack([np.arange(w), line], -1).astype(np.int32)
        outline = np.concatenate([ridge, [[w, h], [0, h]]]).astype(np.int32)
        cv2.fillPoly(picture, [outline], tuple(float(c) for c in tone), cv2.LINE_AA)
        tone = tone * np.array([0.62, 0.78, 0.72], np.float32) + rng.uniform(-8, 8, 3).astype(np.float32)
    strokes = clouds(h, w, rng, 12, 3, 0.8) * 9 + clouds(h, w, rng, 40, 3) * 6
    return done(picture + strokes[..., None])


def shapes_print(h: int, w: int, rng: Generator) -> U8:
    """A modern print: overlapping discs and bars on paper."""
    out = np.empty((h, w, 3), np.uint8)
    out[:] = (206, 220, 228)
    palette = ((60, 90, 200), (150, 110, 40), (70, 160, 220), (60, 60, 60), (110, 140, 60), (40, 60, 130))
    for _ in range(16):
        colour = palette[int(rng.integers(len(palette)))]
        x, y, size = int(rng.uniform(0, w)), int(rng.uniform(0, h)), int(rng.uniform(0.05, 0.22) * min(h, w))
        if rng.uniform() < 0.55:
            cv2.circle(out, (x, y), size, colour, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints(((x, y), (size * 2.4, size * 0.7), float(rng.uniform(0, 180))))
            cv2.fillConvexPoly(out, box.astype(np.int32), colour, cv2.LINE_AA)
    return done(out.astype(np.float32) + clouds(h, w, rng, 7, 3, 0.9)[..., None] * 5)


def view_outside(h: int, w: int, rng: Generator) -> U8:
    """What the window shows: a bright sky with clouds, hills, houses among trees."""
    ramp = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    picture = np.array((238, 196, 150), np.float32) * (1 - ramp) + np.array((250, 238, 222), np.float32) * ramp
    puffs = np.clip(clouds(h, w, rng, w / 5, 7, 0.65) + 0.3, 0, 1.6)[..., None]
    picture = picture * (1 - puffs * 0.6) + np.array((250, 249, 247), np.float32) * (puffs * 0.6)
    for part, colour in ((0.44, (186, 168, 140)), (0.54, (142, 146, 112)), (0.66, (84, 122, 88))):
        line = part * h + clouds(1, w, rng, w / 3, 5, 0.55)[0] * h * 0.04
        outline = np.concatenate([np.stack([np.arange(w), line], -1), [[w, h], [0, h]]]).astype(np.int32)
        cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA)
    for _ in range(8):
        x, y, size = int(rng.uniform(0.02, 0.92) * w), int(rng.uniform(0.60, 0.70) * h), int(0.055 * w)
        wall = tuple(float(c) for c in rng.uniform((150, 170, 190), (210, 225, 235)))
        cv2.rectangle(picture, (x, y), (x + size, y + size), wall, -1)
        roof = np.array([[x - 3, y], [x + size + 3, y], [x + size // 2, y - size // 2]], np.int32)
        cv2.fillConvexPoly(picture, roof, (60, 70, 140), cv2.LINE_AA)
        for dx in (0.2, 0.62):
            cv2.rectangle(
                picture,
                (x + int(dx * size), y + size // 4),
                (x + int((dx + 0.2) * size), y + size // 2),
                (90, 80, 70),
                -1,
            )
    for _ in range(60):
        depth = float(rng.uniform(0, 1))
        x, y = int(rng.uniform(0, w)), int((0.62 + 0.36 * depth) * h)
        size = int((0.02 + 0.05 * depth) * w)
        green = np.array((44, 98, 62), np.float32) * np.float32(rng.uniform(0.6, 1.3))
        for _ in range(14):
            spot = x + int(rng.normal(0, size * 0.5)), y + int(rng.normal(0, size * 0.7))
            shade = tuple(float(c) for c in green * np.float32(rng.uniform(0.65, 1.35)))
            cv2.circle(picture, spot, max(2, size // 3), shade, -1, cv2.LINE_AA)
    return done(picture + clouds(h, w, rng, 6, 3, 0.8)[..., None] * 3)


def spine(h: int, w: int, rng: Generator) -> U8:
    """The back of a book."""
    bases = ((60, 52, 120), (96, 72, 40), (60, 96, 70), (64, 110, 170), (50, 50, 56), (150, 150, 160), (120, 70, 90),
             (140, 120, 50), (48, 70, 140), (180, 196, 206))  # fmt: skip
    base = np.array(bases[int(rng.integers(len(bases)))], np.float32) * np.float32(rng.uniform(0.8, 1.15))
    picture = flat(h, w, tuple(base))
    ink = tuple(float(c) for c in (base * 0.35 if base.mean() > 120 else base * 0.4 + 150))
    band = max(1, h // 40)
    for part in rng.choice([0.08, 0.12, 0.2, 0.78, 0.86, 0.92], 3, replace=False):
        cv2.rectangle(picture, (0, int(part * h)), (w, int(part * h) + band), ink, -1)
    y = int(h * rng.uniform(0.26, 0.34))
    while y < h * rng.uniform(0.62, 0.74):  # the title, in letters that nobody can read
        tall = int(rng.integers(max(2, w // 7), max(3, w // 3) + 1))
        cv2.rectangle(picture, (int(w * 0.3), y), (int(w * rng.uniform(0.6, 0.75)), y + tall), ink, -1)
        y += tall + max(1, w // 9)
    curve = np.sin(np.linspace(0.35, np.pi - 0.35, w, dtype=np.float32))[None, :, None]
    return done((picture + clouds(h, w, rng, 5, 3)[..., None] * 4) * (0.72 + 0.28 * curve))


def leaf(h: int, w: int, rng: Generator, colour: Colour = (52, 120, 66)) -> U8:
    """A leaf with its midrib along the columns, BGRA."""
    across = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    along = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    half = np.maximum(np.sin(np.pi * along**0.8), 0) ** 0.8
    vein = np.abs(np.mod((along * 9 - np.abs(across) * 2.2), 1) - 0.5)
    tone = 20 * np.clip(vein * 3 - 0.55, -0.6, 0.4) + 26 * np.exp(-((across / 0.05) ** 2)) - 10 * across
    picture = flat(h, w, colour) + (tone + clouds(h, w, rng, w / 3, 4) * 6)[..., None] * np.array(
        [0.6, 1.0, 0.7], np.float32
    )
    alpha = np.where(np.abs(across) <= half, 255, 0).astype(np.uint8)
    return np.dstack([done(picture), alpha])


def beach_ball(h: int, w: int, rng: Generator) -> U8:
    """Panels from pole to pole, with print on them."""
    palette = np.array(
        [(60, 70, 205), (235, 235, 232), (60, 165, 235), (235, 235, 232), (165, 95, 40), (235, 235, 232)], np.float32
    )
    panel = (np.arange(w) * 6 // w) % 6
    picture = np.broadcast_to(palette[panel][None], (h, w, 3)).copy()
    for _ in range(70):
        x, y = int(rng.uniform(0, w)), int(rng.uniform(0.12, 0.88) * h)
        size = int(rng.uniform(0.010, 0.035) * w)
        tone = tuple(float(c) for c in palette[int(rng.integers(6))] * np.float32(rng.uniform(0.5, 0.95)))
        cv2.circle(picture, (x, y), size, tone, -1, cv2.LINE_AA)
    cv2.rectangle(picture, (0, 0), (w, h // 14), (220, 220, 220), -1)
    cv2.rectangle(picture, (0, h - h // 14), (w, h), (220, 220, 220), -1)
    return done(picture + clouds(h, w, rng, 6, 3)[..., None] * 5)
