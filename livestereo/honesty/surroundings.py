"""A network that sees wide surroundings: why there is no depth, and whether what is there may be wildly wrong.

Of the U-Net kind (Ronneberger, Fischer & Brox, MICCAI 2015): it looks at the signs of `holes.of_surroundings` at half
size, as far around as what hides a hole may be away, and tells four pixels of full size at each of half size. Fitted
by `benchmarks/honesty_fit_wide.py` on rendered heaps of things alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livestereo.honesty.network import BLOCK, BLOCKS, REACH
from livestereo.types import F32

HERE = Path(__file__).parent
STEP = 16  # pixels of half size that become one where it looks widest; sides are filled up to whole ones
AROUND = 4 * STEP  # rows that can be seen in what is told of one
AT_ONCE = 1_500_000  # pixels of half size
_LOCK = threading.Lock()  # a network of OpenCV serves one thread at a time


@lru_cache(maxsize=1)
def _first() -> tuple[F32, F32, F32, F32]:
    """Mean and scale of the signs, weights (C,F) and biases of the first layer, which sees single pixels."""
    with np.load(HERE / "surroundings.npz", allow_pickle=False) as file:
        return file["mean"], file["scale"], file["weight"], file["bias"]


@lru_cache(maxsize=1)
def _rest() -> Any:
    return cv2.dnn.readNetFromONNX(np.fromfile(HERE / "surroundings.onnx", np.uint8))


def leanings(signs: Sequence[F32]) -> F32:
    """Give how much speaks for each of `explain.REASONS`, then for errors above 3 px, which is learnt beside the others
    and not used, and above 10 px.

    signs: (h,w) float32 each, as `holes.WIDE_NAMES`. The answer is (R+2,2h,2w) float32, logits.
    """
    height, width = signs[0].shape
    mean, scale, weight, bias = _first()
    flat = [one.reshape(-1) for one in signs]
    pixels = height * width
    start = np.empty((len(bias), pixels), np.float32)
    x = np.zeros((BLOCKS, len(flat), BLOCK), np.float32)
    for begin in range(0, pixels, BLOCKS * BLOCK):
        count = min(BLOCKS * BLOCK, pixels - begin)
        blocks = -(-count // BLOCK)
        for i, sign in enumerate(flat):
            part = sign[begin : begin + count]
            if count % BLOCK:
                part = np.pad(part, (0, blocks * BLOCK - count), mode="edge")
            x[:blocks, i] = part.reshape(blocks, BLOCK)
        here = x[:blocks]
        here -= mean[:, None]
        here *= (1 / scale)[:, None]
        np.clip(here, -REACH, REACH, out=here)
        made = np.matmul(weight, here)
        made += bias[:, None]
        np.maximum(made, 0, out=made)
        start[:, begin : begin + count] = made.transpose(1, 0, 2).reshape(len(bias), -1)[:, :count]
    filled = np.pad(start.reshape(-1, height, width), ((0, 0), (0, -height % STEP), (0, -width % STEP)), mode="edge")
    out = _forward(filled)
    # Each pixel's four quarters lie one after another.
    quarters = out.reshape(-1, 2, 2, *out.shape[1:]).transpose(0, 3, 1, 4, 2)
    return quarters.reshape(-1, 2 * out.shape[1], 2 * out.shape[2])[:, : 2 * height, : 2 * width]


def _forward(filled: F32) -> F32:
    """Run the network over (C,h,w), large pictures in bands of rows: OpenCV ends the program on them as a whole."""
    height, width = filled.shape[1:]
    rows = max(STEP, AT_ONCE // width // STEP * STEP)
    bands = []
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        begin, end = max(0, top - AROUND), min(height, bottom + AROUND)
        with _LOCK:
            network = _rest()
            network.setInput(np.ascontiguousarray(filled[None, :, begin:end]))
            band: F32 = network.forward()[0]
        bands.append(band[:, top - begin : bottom - begin])
    return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=1)
