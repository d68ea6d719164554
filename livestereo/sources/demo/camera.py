"""What a camera makes of light: blur, vignetting, gain, white balance, tone curve, sharpening, noise, JPEG.

Pictures come in as linear light (1.0 is a white wall in good light, clipped at 1), and leave as uint8 BGR.
The tone curve is a square root.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32, U8, SizeWH

NOISE_MARGIN = 64
# Noise tables hold sixteenths of the standard deviation.
NOISE_UNIT = 20.0


@dataclass(frozen=True)
class Sensor:
    """One camera's ways.

    blur_px: standard deviation of the lens's blur. gain: times linear light. white_balance: BGR factors.
    vignette: how much darker the corners are, 0..1. noise: standard deviation in grey levels at middle grey; more in
    the dark, less in the light. grain_px: how far noise reaches over pixels. sharpen: strength of unsharp masking.
    jpeg: quality, 0 for none. offset: grey levels added after the tone curve.
    """

    blur_px: float = 0.0
    gain: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0
    noise: float = 0.0
    grain_px: float = 0.0
    sharpen: float = 0.0
    jpeg: int = 0
    offset: float = 0.0

    def without_sins(self) -> Sensor:
        """Give a camera that only sees: a lens and pixels."""
        return Sensor(gain=self.gain)


LEFT = Sensor(
    blur_px=0.50, gain=1.0, vignette=0.22, noise=1.15, grain_px=0.45, sharpen=0.5, jpeg=91
)  # fmt: skip
RIGHT = Sensor(
    blur_px=0.62, gain=0.90, white_balance=(1.07, 1.0, 0.93), vignette=0.34, noise=1.5, grain_px=0.6, sharpen=0.7,
    jpeg=88,
)  # fmt: skip


def sensors(seed: int) -> tuple[Sensor, Sensor]:
    """Give the two cameras of a seed: the same two models, each a little different."""
    rng = np.random.default_rng((seed, 202))

    def one(model: Sensor) -> Sensor:
        blue, green, red = np.array(model.white_balance) * rng.uniform(0.985, 1.015, 3)
        return replace(
            model, gain=model.gain * rng.uniform(0.97, 1.03), noise=model.noise * rng.uniform(0.9, 1.1),
            white_balance=(float(blue), float(green), float(red)),
        )  # fmt: skip

    return one(LEFT), one(RIGHT)


class Camera:
    """Develops light into a picture. Lengths in px of a 640x480 picture grow with the size."""

    def __init__(self, sensor: Sensor, size_wh: SizeWH, seed: tuple[int, ...]) -> None:
        self.sensor = sensor
        self.size_wh = size_wh
        self.seed = seed
        w, h = size_wh
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        r2 = ((x - (w - 1) / 2) ** 2 + (y - (h - 1) / 2) ** 2) / np.float32((w * w + h * h) / 4)
        fall = (1 - sensor.vignette * r2) * sensor.gain
        self.response: F32 = fall[..., None] * np.array(sensor.white_balance, np.float32)
        self._tables = _noise_tables(size_wh, seed, sensor.grain_px, sensor.sharpen) if sensor.noise else []
        self._strength = _noise_by_level(sensor.noise)

    @property
    def reach(self) -> int:
        """How many pixels around are needed to develop one."""
        return 2 + int(np.ceil(3 * self.sensor.blur_px)) if self.sensor.blur_px or self.sensor.sharpen else 0

    def develop(self, light: F32, part: tuple[slice, slice] = (slice(None), slice(None))) -> U8:
        """Make a picture (uint8, no noise yet) of linear light; `part` says which part of the frame it is."""
        s = self.sensor
        if s.blur_px > 0:
            light = _blur(light, s.blur_px)
        level: Any = cv2.multiply(light, self.response[part])
        level = cv2.sqrt(np.minimum(level, np.float32(1)))
        if s.sharpen > 0:
            soft = cv2.GaussianBlur(level, (5, 5), 1.0, borderType=cv2.BORDER_REPLICATE)
            level = cv2.addWeighted(level, 1 + s.sharpen, soft, -s.sharpen, 0)
        shift = np.float32(s.offset)
        grey: Any = cv2.convertScaleAbs(np.maximum(level * np.float32(255) + shift, np.float32(0)))
        picture: U8 = grey
        return picture

    def expose(self, picture: U8, seq: int) -> tuple[U8, bytes | None]:
        """Add the noise of frame `seq` and pass it through JPEG: the picture, and the camera's own bytes."""
        if self._tables:
            picture = self._noisy(picture, seq)
        if not self.sensor.jpeg:
            return picture, None
        ok, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.sensor.jpeg])
        assert ok
        decoded: Any = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return decoded, coded.tobytes()

    def _noisy(self, picture: U8, seq: int) -> U8:
        rng = np.random.default_rng((*self.seed, seq))
        table = self._tables[int(rng.integers(len(self._tables)))]
        dx, dy = (int(v) for v in rng.integers(0, NOISE_MARGIN, 2))
        h, w = picture.shape[:2]
        noise = table[dy : dy + h, dx : dx + w]
        strength = cv2.LUT(picture, self._strength)
        grain = cv2.multiply(noise, strength, scale=1 / (NOISE_UNIT * 8), dtype=cv2.CV_16S)
        return np.asarray(cv2.add(picture, grain, dtype=cv2.CV_8U), np.uint8)


def _blur(picture: F32, sigma_px: float) -> F32:
    soft: Any = cv2.GaussianBlur(picture, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
    blurred: F32 = soft
    return blurred


def _noise_by_level(noise: float) -> U8:
    """Standard deviation by grey level, in eighths: shot noise is even under a square root, read noise is not."""
    level = np.arange(256) / 255
    shot = 0.85 * noise
    read = 0.26 * noise / np.maximum(level, 0.12) ** 1.0
    clipped = np.where(np.arange(256) >= 252, 0.35, 1.0)
    return np.asarray(np.clip(8 * np.hypot(shot, read) * clipped, 0, 255)[None], np.uint8)


def _noise_tables(size_wh: SizeWH, seed: tuple[int, ...], grain_px: float, sharpen: float) -> list[NDArray[np.int16]]:
    w, h = size_wh[0] + NOISE_MARGIN, size_wh[1] + NOISE_MARGIN
    rng = np.random.default_rng((*seed, 303))
    tables = []
    for _ in range(3):
        fine = rng.standard_normal((h, w, 3), np.float32)
        if grain_px > 0:
            fine = _blur(fine, grain_px)
        if sharpen > 0:
            fine = fine * np.float32(1 + sharpen) - _blur(fine, 1.0) * np.float32(sharpen)
        fine /= fine.std()
        # Demosaicing leaves most of the noise alike in all colours.
        grey = fine.mean(axis=2, keepdims=True)
        fine = 0.5 * fine + 0.75 * np.sqrt(3) * grey * 0.9
        fine *= NOISE_UNIT / fine.std()
        tables.append(np.clip(np.rint(fine), -32000, 32000).astype(np.int16))
    return tables
