"""Small takes with known content."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from livestereo.takes.writer import TakeRequest, TakeWriter
from livestereo.types import Frame, SourceInfo, StereoFrame

SIZE = (96, 64)


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8), (0, 0), 1.5)


def pair(seq: int, *, jpeg: bool) -> StereoFrame:
    sides = []
    for side in (0, 1):
        image = picture(2 * seq + side)
        encoded = None
        if jpeg:
            encoded = cv2.imencode(".jpg", image)[1].tobytes()
            image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        # stamps that no container in milliseconds could hold
        sides.append(Frame(image, 100.0 + seq / 30 + side * 0.000417, seq, encoded))
    return StereoFrame(sides[0], sides[1], seq, skew_s=0.000417, name=str(seq))


def disparity(seq: int) -> np.ndarray:
    rng = np.random.default_rng(1000 + seq)
    field = np.round(cv2.GaussianBlur(rng.random((SIZE[1], SIZE[0])).astype(np.float32) * 90 - 20, (0, 0), 2) * 16) / 16
    field[rng.random(field.shape) < 0.1] = np.nan
    return field.astype(np.float32)


def record(folder: Path, count: int = 12, *, jpeg: bool = True) -> TakeWriter:
    writer = TakeWriter(TakeRequest(folder))
    for seq in range(count):
        frame = pair(seq, jpeg=jpeg)
        writer.write_pair(frame)
        writer.write_depth(frame, disparity(seq))
    writer.close(captured=count)
    return writer


def live_info() -> SourceInfo:
    return SourceInfo(name="fake", live=True, left_size_wh=SIZE, right_size_wh=SIZE, fps=30)
