"""Fits the networks of honest depth that see single pixels to rendered scenes; nothing that is scored is looked at.

    python benchmarks/honesty_fit.py samples /tmp/honesty      # render, match and look: some minutes
    python benchmarks/honesty_fit.py fit /tmp/honesty          # writes livestereo/honesty/answers.npz and holes.npz

`benchmarks/honesty_fit_wide.py` fits the one that sees wide surroundings. The scores are those of
`benchmarks/honesty.py`, on other scenes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for products this small, several threads are slower
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.honesty_halls import FITTED, make_hall
from benchmarks.honesty_scenes import Heap, make_heap
from livestereo.cli._build import build_pipeline
from livestereo.honesty.explain import LOG_SIGMA, REASONS, combined
from livestereo.honesty.holes import NAMES as HOLE_NAMES
from livestereo.honesty.holes import of_holes
from livestereo.honesty.network import REACH, Network, picked
from livestereo.honesty.search import Range
from livestereo.honesty.signs import NAMES, Scene, look, of_answers
from livestereo.honesty.survey import survey
from livestereo.matchers.exposure import evened, evened_colours
from livestereo.settings import resolve_settings
from livestereo.types import U8, Reason, StereoResult

HEAPS, EPOCHS, HOLE_EPOCHS = 100, 16, 8
PER_HEAP, HOLES_PER_HEAP = 6000, 4000
BOUNDS = (10.0, 25.0, 60.0)
WILDEST_PX = 40.0
HIDDEN = (64, 32)  # of the network of holes
SHAKE = 0.2
# How much a reason counts: these scenes hold far more that repeats itself than others do, and things too near.
COUNTS = {Reason.REPEATED_TEXTURE: 0.25, Reason.TOO_NEAR: 0.8}
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("balanced", {}), ("quality", {}), ("fast", {}), ("turbo", {}), ("balanced", {"scale": 0.5}),
)  # fmt: skip
OF_SGM, OF_HALF = (2, 3), (3, 4)  # of these
SGM_MOST = 256  # disparities


def ranges(made: Heap, rng: np.random.Generator) -> tuple[int, int]:
    """Choose what is searched: what fits, far too much, or too little on one side or both."""
    known = made.truth.disparity_px[np.isfinite(made.truth.disparity_px)]
    widest = min(256, made.rectification.size_wh[0] // 16 * 16)
    kind = rng.uniform()
    if kind < 0.4:
        return 0, made.num_disparities
    if kind < 0.55:
        return 0, min(widest, max(made.num_disparities, made.rectification.size_wh[0] // 80 * 16))
    low, high = 0, float(np.quantile(known, rng.uniform(0.7, 0.97)))
    if kind > 0.7:
        low = int(np.quantile(known, rng.uniform(0.02, 0.5)))
        high = float(np.quantile(known, 0.999)) if kind > 0.9 else max(high, low + 16)
    return low, min(widest, max(16, int(np.ceil((high - low) / 16)) * 16))


@dataclass(frozen=True)
class Looked:
    """A matched heap. number: of `METHODS`; low, count: the disparities searched; colours: evened pictures."""

    made: Heap
    number: int
    low: int
    count: int
    result: StereoResult
    colours: tuple[U8, U8]
    span: Range
    scene: Scene

    def reasons(self) -> Any:
        """Why each hole inside the region that both cameras see has no depth, (H,W) of `Reason`; NONE elsewhere."""
        why = self.made.truth.reasons(self.low, self.count)
        x, y, w, h = self.made.rectification.roi
        inside = np.zeros(why.shape, bool)
        inside[y : y + h, x : x + w] = True
        return np.where(~self.scene.known & inside, why, Reason.NONE)


def matched(made: Heap, numbers: Iterable[int], rng: np.random.Generator) -> Iterator[Looked]:
    """Match a heap by some of `METHODS`, over ranges drawn at random."""
    for number in numbers:
        low, count = ranges(made, rng)
        preset, changes = METHODS[number]
        count = min(count, SGM_MOST) if number in OF_SGM else count
        settings = resolve_settings(preset, {"num_disparities": count, "min_disparity": low}).changed(**changes)
        result = build_pipeline(settings, made.rectification).process(made.frame)
        left, right = evened(result.pair.left_gray, result.pair.right_gray)
        span = Range(low, low + count - 1, 0)
        colours = evened_colours(*other_colours(result.pair.left, result.pair.right, rng))
        scene = look(left, right, result.disparity_px, span, colours)
        yield Looked(made, number, low, count, result, colours, span, scene)


def other_colours(left: U8, right: U8, rng: np.random.Generator) -> tuple[U8, U8]:
    """Give the pair as cameras would see it whose white balance differs, and in a world of fainter colours."""
    balance = rng.uniform(0.88, 1.12, 3) if rng.uniform() < 0.5 else np.ones(3)
    colourful = float(rng.choice((1.0, 1.0, 0.5, 0.25, 0.0)))
    out = []
    for picture, gains in ((left, np.ones(3)), (right, balance)):
        gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
        faint = (gray + (picture - gray) * colourful) * gains
        out.append(np.clip(np.rint(faint), 0, 255).astype(np.uint8))
    return out[0], out[1]


def samples(folder: Path, kind: str, numbers: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in numbers:
        made = make_heap(seed) if kind == "heap" else make_hall(seed)
        rng = np.random.default_rng((seed, 5))
        found: dict[str, list[Any]] = {name: [] for name in ("x", "e", "m", "hx", "hy", "hm")}
        for one in matched(made, (0, int(rng.integers(1, len(METHODS)))), rng):
            truth, share = made.truth.disparity_px, 1.0 if one.number == 0 else 0.7
            use = np.flatnonzero((one.scene.known & np.isfinite(truth)).ravel())
            use = rng.choice(use, min(len(use), int(PER_HEAP * share)), replace=False)
            signs = of_answers(one.scene)
            found["x"].append(np.stack([signs[name].ravel()[use] for name in NAMES], 1))
            found["e"].append((one.result.disparity_px - truth).ravel()[use])
            found["m"].append(np.full(len(use), one.number, np.int8))
            why = one.reasons()
            use = np.flatnonzero(why.ravel() != Reason.NONE)
            use = rng.choice(use, min(len(use), int(HOLES_PER_HEAP * share)), replace=False)
            signs = of_holes(one.scene, survey(*one.colours, one.span))
            found["hx"].append(picked(signs, HOLE_NAMES, use, truth.shape))
            found["hy"].append(why.ravel()[use])
            found["hm"].append(np.full(len(use), one.number, np.int8))
        np.savez(folder / f"{kind}{seed}.npz", **{name: np.concatenate(rows) for name, rows in found.items()})


def load(folder: Path) -> dict[str, Any]:
    paths = [path for kind in ("hall", "heap") for path in folder.glob(f"{kind}*.npz")]
    files = [np.load(path) for path in sorted(paths, key=lambda path: (path.stem[:4], int(path.stem[4:])))]
    return {name: np.concatenate([file[name] for file in files]) for name in files[0].files}


def prepared(x: Any, method: Any) -> tuple[Any, Any, Any]:
    """Inputs of the network with mean and scale of the signs; `method` numbers `METHODS`."""
    mean, scale = x.mean(0), x.std(0) + np.float32(1e-6)
    how = np.stack([np.isin(method, OF_SGM), np.isin(method, OF_HALF)], 1)
    z = np.concatenate([np.clip((x - mean) / scale, -REACH, REACH), how], 1)
    return z.astype(np.float32), mean.astype(np.float32), scale.astype(np.float32)


def train(
    z: Any, pull: Any, sizes: tuple[int, int, int], start: Any, epochs: int, vary: Any = None, seed: int = 0
) -> tuple[Any, Any]:
    """Adam (Kingma & Ba 2015) with a cosine rate; `pull(outputs, rows)` gives the loss and its slope by the outputs.

    vary: changes the inputs of rows at random, anew each time: `vary(x, rows, rng)`.
    """
    rng = np.random.default_rng(seed)
    ends = (z.shape[1], *sizes)
    weights = [rng.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32) for a, b in pairwise(ends)]
    weights[2] *= np.float32(0.1)
    biases = [np.zeros(b, np.float32) for b in sizes]
    biases[2] += start
    parts = [*weights, *biases]
    first, second = [np.zeros_like(p) for p in parts], [np.zeros_like(p) for p in parts]
    batch, step = 1024, 0
    steps = epochs * (len(z) // batch)
    for epoch in range(epochs):
        order = rng.permutation(len(z))
        total = 0.0
        for begin in range(0, len(z) - batch + 1, batch):
            rows = order[begin : begin + batch]
            x = z[rows] if vary is None else vary(z[rows], rows, rng)
            h1 = np.maximum(x @ weights[0] + biases[0], 0)
            h2 = np.maximum(h1 @ weights[1] + biases[1], 0)
            loss, g = pull(h2 @ weights[2] + biases[2], rows)
            total += loss
            g = g / np.float32(batch)
            g2 = (g @ weights[2].T) * (h2 > 0)
            g1 = (g2 @ weights[1].T) * (h1 > 0)
            slopes = [x.T @ g1, h1.T @ g2, h2.T @ g, g1.sum(0), g2.sum(0), g.sum(0)]
            step += 1
            rate = 2e-3 * (1 + np.cos(np.pi * step / steps))
            for part, slope, m, v in zip(parts, slopes, first, second):
                m += np.float32(0.1) * (slope - m)
                v += np.float32(0.001) * (slope * slope - v)
                part -= np.float32(rate / (1 - 0.9**step)) * m / (np.sqrt(v / np.float32(1 - 0.999**step)) + 1e-8)
        print(f"epoch {epoch}: {total / (len(z) // batch):.4f}", flush=True)
    return tuple(weights), tuple(biases)


def fit_answers(data: dict[str, Any], epochs: int) -> None:
    """Outputs: log σ, by the likelihood of a Gaussian; logit of being right to 1 px. The last heaps are held out.

    The pull of a single wild error is bounded by `bound` (in squares of its σ); of the bounds tried that one is kept
    whose RMS of error / σ on the heaps held out is nearest to 1.
    """
    z, mean, scale = prepared(data["x"], data["m"])
    error = np.minimum(np.abs(data["e"]), WILDEST_PX).astype(np.float32)
    right = (error <= 1).astype(np.float32)
    fitted = int(len(z) * 0.92)
    kept: tuple[float, Any] | None = None
    for bound in BOUNDS:

        def pull(out: Any, rows: Any, bound: float = bound) -> tuple[float, Any]:
            log = np.clip(out[:, 0], *LOG_SIGMA)
            q = np.minimum(error[rows] ** 2 * np.exp(-2 * log), bound)
            likely, ok = 1 / (1 + np.exp(-out[:, 1])), right[rows]
            loss = (log + q / 2).mean() - np.log(np.where(ok > 0, likely, 1 - likely) + 1e-9).mean()
            return float(loss), np.stack([1 - q, likely - ok], 1)

        start = np.array([0.5, 2.0], np.float32)
        weights, biases = train(z[:fitted], pull, (32, 16, 2), start, epochs)
        network = Network(NAMES, mean, scale, weights, biases)
        h = z[fitted:]
        for w, b in zip(weights[:2], biases[:2]):
            h = np.maximum(h @ w + b, 0)
        sigma, sure = combined(h @ weights[2] + biases[2])
        rms = float(np.sqrt(np.mean((error[fitted:] / sigma) ** 2)))
        print(
            f"bound {bound:g}: held out RMS {rms:.2f}, median σ {np.median(sigma):.2f} px, "
            f"sure {sure.mean():.3f} of {right[fitted:].mean():.3f}", flush=True,
        )  # fmt: skip
        if kept is None or abs(np.log(rms)) < kept[0]:
            kept = abs(float(np.log(rms))), network
    assert kept is not None
    kept[1].save("answers")


# Signs that grow with the contrast, and the power of it that their logarithm grows by.
LEVELS = {
    "texture": 2, "texture around": 2, "texture wide": 2, "detail": 2, "best cost": 1, "best cost around": 1,
    "self-likeness": 1, "self-likeness around": 1, "texture least": 2, "texture fine": 2,
}  # fmt: skip


def fit_holes(data: dict[str, Any], epochs: int) -> None:
    """Outputs: one for each of `REASONS`; the likeliest is the largest."""
    z, mean, scale = prepared(data["hx"], data["hm"])
    place = np.zeros(16, np.int64)
    place[[int(one) for one in REASONS]] = np.arange(len(REASONS))
    truth = place[data["hy"]]
    # Stripes along the row give nothing to match: to whoever looks, that is no texture.
    flat = (truth == REASONS.index(Reason.REPEATED_TEXTURE)) & (data["hx"][:, HOLE_NAMES.index("texture around")] < 0.4)
    truth[flat] = REASONS.index(Reason.NO_TEXTURE)
    counts = np.bincount(truth, minlength=len(REASONS))
    print("pixels by reason:", dict(zip([one.name for one in REASONS], counts.tolist())))
    levels = np.zeros(z.shape[1], np.float32)
    for name, power in LEVELS.items():
        levels[HOLE_NAMES.index(name)] = power / scale[HOLE_NAMES.index(name)]

    def vary(x: Any, rows: Any, rng: np.random.Generator) -> Any:
        """Change the contrast, as another light or paint would: all but what is blank stays what it is."""
        gain = rng.uniform(-0.5, 2.0, len(rows)).astype(np.float32)
        gain[truth[rows] == REASONS.index(Reason.NO_TEXTURE)] *= np.float32(0.25)
        # Noise keeps it from learning the heaps by heart: rooms differ.
        shaken = x + gain[:, None] * levels + rng.normal(0, SHAKE, x.shape).astype(np.float32)
        return np.clip(shaken, -REACH, REACH)

    # Seldom ones count somewhat more than their number.
    weight = ((counts.mean() / np.maximum(counts, 1)) ** 0.15).astype(np.float32)
    for one, much in COUNTS.items():
        weight[REASONS.index(one)] *= np.float32(much)

    def pull(out: Any, rows: Any) -> tuple[float, Any]:
        likely = np.exp(out - out.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        known, at = truth[rows], np.arange(len(rows))
        loss = -float((weight[known] * np.log(likely[at, known] + 1e-9)).mean())
        likely[at, known] -= 1
        return loss, likely * weight[known][:, None]

    weights, biases = train(z, pull, (*HIDDEN, len(REASONS)), np.zeros(len(REASONS), np.float32), epochs, vary)
    Network(HOLE_NAMES, mean, scale, weights, biases).save("holes")


def main() -> None:
    work, folder, *rest = sys.argv[1:]
    if work == "samples":
        for kind in rest[:1] or ("heap", "hall"):
            numbers = range(*(int(one) for one in rest[1:])) if rest[1:] else range(HEAPS) if kind == "heap" else FITTED
            samples(Path(folder), kind, numbers)
    else:
        data = load(Path(folder))
        print({name: values.shape for name, values in data.items()})
        if work in ("fit", "fit-answers"):
            fit_answers(data, int(rest[0]) if rest else EPOCHS)
        if work in ("fit", "fit-holes"):
            fit_holes(data, int(rest[0]) if rest else HOLE_EPOCHS)


if __name__ == "__main__":
    main()
