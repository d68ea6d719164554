"""A small network of signs: two hidden layers, some hundred numbers, kept in a file beside this one. Pure.

    network = Network.load("answers")
    out = network(signs, sgm=False, half=False)      # signs: (N, F), out: (N, outputs)

Fitted by `benchmarks/honesty_fit.py` on rendered heaps of things and random rooms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestereo.types import F32

HERE = Path(__file__).parent
# Products this small are done in one thread: BLAS's own threads spin while others need the processor. (OpenBLAS takes
# several from about half a million multiplications on.)
BLOCK, BLOCKS = 128, 64
REACH = 4.0  # standard deviations beyond which a sign counts as no stronger


def places(use: NDArray[np.int64], full: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Tell where in a flattened picture of some size (full or half) the pixels `use` of a full-size one are."""
    if shape == full:
        return use
    rows, columns = np.divmod(use, full[1])
    there = np.minimum(rows // 2, shape[0] - 1) * shape[1] + np.minimum(columns // 2, shape[1] - 1)
    return np.asarray(there, np.int64)


def picked(signs: dict[str, F32], names: tuple[str, ...], use: NDArray[np.int64], full: tuple[int, int]) -> F32:
    """Give the signs (N, F) at `use` (N,), places in the flattened full-size picture."""
    half = {one.shape: places(use, full, one.shape) for one in signs.values()}
    return np.stack([signs[name].reshape(-1).take(half[signs[name].shape]) for name in names], axis=1)


@dataclass(frozen=True)
class Network:
    """names: of the signs, in order. mean, scale: (F,) that bring signs to one size. weights, biases: of each layer.

    The last two inputs of the first layer say how the disparity was made: by `sgm`, at half size.
    """

    names: tuple[str, ...]
    mean: F32
    scale: F32
    weights: tuple[F32, ...]
    biases: tuple[F32, ...]

    @staticmethod
    @lru_cache(maxsize=4)
    def load(name: str) -> Network:
        """Load a fitted network: `answers` or `holes`."""
        with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
            return Network(
                tuple(str(one) for one in file["names"]), file["mean"], file["scale"],
                tuple(file[f"weight{i}"] for i in range(3)), tuple(file[f"bias{i}"] for i in range(3)),
            )  # fmt: skip

    def save(self, name: str) -> None:
        """Write the file that `load` reads."""
        layers = {f"weight{i}": w for i, w in enumerate(self.weights)} | {
            f"bias{i}": b for i, b in enumerate(self.biases)
        }
        arrays: dict[str, Any] = {"names": np.array(self.names), "mean": self.mean, "scale": self.scale, **layers}
        np.savez(HERE / f"{name}.npz", **arrays)

    def __call__(self, signs: dict[str, F32], use: NDArray[np.int64], *, sgm: bool, half: bool) -> F32:
        """Give the outputs (N, outputs) float32 at `use` (N,), places in the flattened full-size pictures of the signs.

        Signs may be of half size too.
        """
        full: Any = max(one.shape for one in signs.values())
        flat = [signs[name].reshape(-1) for name in self.names]
        shapes = [signs[name].shape for name in self.names]
        first, extra = self.weights[0][: len(flat)], self.weights[0][len(flat) :]
        start = self.biases[0] + np.float32(sgm) * extra[0] + np.float32(half) * extra[1]
        out = np.empty((len(use), len(self.biases[-1])), np.float32)
        x = np.zeros((BLOCKS, len(flat), BLOCK), np.float32)
        mean, scale = self.mean[:, None], 1 / self.scale[:, None]
        chunk = BLOCKS * BLOCK  # as much as stays in the processor's cache
        for begin in range(0, len(use), chunk):
            part = use[begin : begin + chunk]
            blocks = -(-len(part) // BLOCK)
            if len(part) % BLOCK:
                part = np.concatenate([part, np.repeat(part[-1:], blocks * BLOCK - len(part))])
            at = {shape: places(part, full, shape) for shape in shapes}
            for i, (sign, shape) in enumerate(zip(flat, shapes)):
                x[:blocks, i] = sign.take(at[shape]).reshape(blocks, BLOCK)
            signs_here = x[:blocks]
            signs_here -= mean
            signs_here *= scale
            np.clip(signs_here, -REACH, REACH, out=signs_here)
            hidden = np.matmul(first.T, signs_here)
            hidden += start[:, None]
            np.maximum(hidden, 0, out=hidden)
            hidden = np.matmul(self.weights[1].T, hidden)
            hidden += self.biases[1][:, None]
            np.maximum(hidden, 0, out=hidden)
            told = np.matmul(self.weights[2].T, hidden) + self.biases[2][:, None]
            out[begin : begin + chunk] = told.transpose(0, 2, 1).reshape(-1, out.shape[1])[: len(use) - begin]
        return out
