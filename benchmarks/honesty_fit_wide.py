"""Fits the network that sees wide surroundings to rendered heaps and rooms; nothing that is scored is looked at.

    pip install torch onnx                                             # for the fit alone, not to run the program
    python benchmarks/honesty_fit_wide.py samples /tmp/wide           # render, match and look: half an hour on 2 cores
    python benchmarks/honesty_fit_wide.py fit /tmp/wide [STEPS]       # writes surroundings.npz, surroundings.onnx
    python benchmarks/honesty_fit_wide.py further /tmp/wide [STEPS [RATE]]   # goes on from those, more gently

The scores are those of `benchmarks/honesty.py`, on other scenes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import copy
import itertools

from benchmarks.honesty_fit import METHODS, OF_HALF, OF_SGM, matched
from benchmarks.honesty_halls import FITTED, HELD_OUT, make_hall
from benchmarks.honesty_scenes import Heap, make_heap
from livestereo.honesty.explain import REASONS
from livestereo.honesty.holes import QUARTERS, of_holes, of_surroundings
from livestereo.honesty.holes import WIDE_NAMES as NAMES
from livestereo.honesty.network import REACH
from livestereo.honesty.surroundings import HERE
from livestereo.honesty.survey import survey
from livestereo.types import Reason

# By kind of scene: how it is made, the numbers of those fitted on, and of those held out.
KINDS: dict[str, tuple[Callable[[int], Heap], tuple[int, ...], tuple[int, ...]]] = {
    "heap": (make_heap, tuple(range(400)), tuple(range(400, 430))),
    "hall": (make_hall, FITTED, HELD_OUT),
}  # fmt: skip
HALLS = 0.55  # of what is looked at
STEPS, BATCH, RATE, GENTLE_RATE = 12_000, 4, 3e-3, 2e-3
CROP = 96, 160  # of half size
WIDTHS = (24, 32, 48, 64, 64)  # of the network, at half size and each half as large
NOISE, KEEP = 0.2, 0.998
NOT_COUNTED = 255
PLACE = np.full(256, NOT_COUNTED, np.int64)  # of a reason's number in `REASONS`
PLACE[[int(one) for one in REASONS]] = np.arange(len(REASONS))
WILD = (24, 80)  # errors, in eighths of a pixel, that answers are learnt to be worse than
# How much a reason counts: heaps hold far more that repeats itself than rooms do.
COUNTS = {Reason.REPEATED_TEXTURE: 0.3}
# Signs that grow with the contrast, and the power of it that their logarithm grows by.
LEVELS = {
    "texture": 2, "texture around": 2, "texture fine": 2, "detail": 2, "best cost": 1, "self-likeness": 1,
}  # fmt: skip


def samples(folder: Path, kind: str, numbers: Iterable[int]) -> None:
    """Write one file for each scene and way of matching: signs, true reason of holes, error of answers in eighths."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in numbers:
        made = KINDS[kind][0](seed)
        rng = np.random.default_rng((seed, 5))
        for turn, one in enumerate(matched(made, (0, 0, int(rng.integers(1, len(METHODS)))), rng)):
            scene, truth = one.scene, made.truth
            sgm, half = one.number in OF_SGM, one.number in OF_HALF
            seen = survey(*one.colours, one.span)
            signs = np.stack(of_surroundings(of_holes(scene, seen), scene, seen, sgm=sgm, half=half))
            height, width = (2 * side for side in signs.shape[1:])
            why = one.reasons()
            reason = np.where(why != Reason.NONE, why, NOT_COUNTED)
            error = np.abs(scene.disparity_px - truth.disparity_px)
            steps = np.where(np.isfinite(error), np.minimum(8 * np.nan_to_num(error), NOT_COUNTED - 1), NOT_COUNTED)
            np.savez(
                folder / f"{kind}{seed}_{turn}.npz", x=signs.astype(np.float16),
                y=reason[:height, :width].astype(np.uint8), e=steps[:height, :width].astype(np.uint8),
            )  # fmt: skip


def files_of(folder: Path, kind: str, *, held_out: bool) -> list[Path]:
    """Give the samples of the scenes of a kind that are fitted on, or of those held out."""
    numbers = KINDS[kind][2 if held_out else 1]
    return [path for path in sorted(folder.glob(f"{kind}*.npz")) if int(path.stem[4:].split("_")[0]) in numbers]


def build(mean: Any, scale: Any) -> Any:
    """Give the untrained network; it takes signs as they are, tells four pixels of each of `REASONS` and of `WILD`."""
    import torch
    from torch import nn

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[None, :, None, None])
            self.register_buffer("by", torch.tensor(1 / scale, dtype=torch.float32)[None, :, None, None])
            pairs = list(itertools.pairwise(WIDTHS))
            self.stem = nn.Conv2d(len(NAMES), WIDTHS[0], 1)
            self.down = nn.ModuleList([nn.Conv2d(a, b, 2, stride=2) for a, b in pairs])
            self.before = nn.ModuleList([nn.Conv2d(a, a, 3, padding=1) for a in WIDTHS])
            self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs])
            self.after = nn.ModuleList([nn.Conv2d(a, a, 3, padding=1) for a, _ in pairs])
            self.out = nn.Conv2d(WIDTHS[0], 4 * (len(REASONS) + len(WILD)), 1)

        def even(self, x: Any) -> Any:
            return torch.clamp((x - self.mean) * self.by, -REACH, REACH)

        def told(self, x: Any) -> Any:
            return self.rest(torch.relu(self.stem(x)))

        def rest(self, x: Any) -> Any:
            kept = []
            for level, before in enumerate(self.before):
                x = torch.relu(before(x))
                if level < len(self.down):
                    kept.append(x)
                    x = torch.relu(self.down[level](x))
            for level in reversed(range(len(self.up))):
                x = torch.relu(self.after[level](torch.relu(self.up[level](x)) + kept[level]))
            return self.out(x)

        def forward(self, x: Any) -> Any:
            return self.told(self.even(x))

    return UNet()


def crops(path: Path, network: Any, rng: np.random.Generator) -> Iterator[tuple[Any, Any, Any]]:
    """Cut out pieces, each where there are more holes than at another place; upside down and in another light."""
    import torch

    with np.load(path) as file:
        signs, reason, error = file["x"], file["y"], file["e"]
    upside_down = [NAMES.index(turned(name)) for name in NAMES]
    levels = np.zeros((len(NAMES), 1, 1), np.float32)
    for name, power in LEVELS.items():
        levels[NAMES.index(name)] = power * float(network.by[0, NAMES.index(name), 0, 0])
    gray = [NAMES.index(f"gray {at}") for at in QUARTERS]
    tall, wide = CROP
    for _ in range(3):
        places = [
            (int(rng.integers(max(1, signs.shape[1] - tall + 1))), int(rng.integers(max(1, signs.shape[2] - wide + 1))))
            for _ in range(2)
        ]
        cuts = [reason[2 * a : 2 * (a + tall), 2 * b : 2 * (b + wide)] for a, b in places]
        best = int(np.argmax([(cut < NOT_COUNTED).sum() for cut in cuts]))
        (a, b), y = places[best], PLACE[cuts[best]]
        e = error[2 * a : 2 * (a + tall), 2 * b : 2 * (b + wide)]
        part = torch.tensor(signs[None, :, a : a + tall, b : b + wide].astype(np.float32))
        x = network.even(part)[0].numpy()
        lack = tall - x.shape[1], wide - x.shape[2]
        x = np.pad(x, ((0, 0), (0, lack[0]), (0, lack[1])), mode="edge")
        y, e = (np.pad(one, ((0, 2 * lack[0]), (0, 2 * lack[1])), constant_values=NOT_COUNTED) for one in (y, e))
        if rng.uniform() < 0.5:
            x, y, e = x[upside_down][:, ::-1], y[::-1], e[::-1]
        # Another light or paint changes the contrast: all but what is blank stays what it is.
        gain = float(rng.uniform(-0.5, 1.2)) * (0.25 if (y == REASONS.index(Reason.NO_TEXTURE)).any() else 1)
        x = x + levels * np.float32(gain)
        x[gray] *= np.float32(np.exp(gain))
        x = x + np.float32(NOISE) * rng.standard_normal(x.shape, np.float32)
        yield np.clip(x, -REACH, REACH).astype(np.float32), np.ascontiguousarray(y), np.ascontiguousarray(e)


def turned(name: str) -> str:
    """Give the sign that a sign becomes when the picture is turned upside down."""
    return f"{name[:-2]}{1 - int(name[-2])}{name[-1]}" if name[-2:] in QUARTERS else name


def measured(files: list[Path], rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Give mean and scale of each sign, and how many pixels there are of each reason."""
    total, square, pixels, counts = 0.0, 0.0, 0, np.zeros(len(REASONS))
    for path in rng.choice(np.array(files, object), min(len(files), 100), replace=False):
        with np.load(path) as file:
            x, y = file["x"].astype(np.float64), PLACE[file["y"]]
        total, square, pixels = total + x.sum((1, 2)), square + (x * x).sum((1, 2)), pixels + x[0].size
        counts += np.bincount(y[y < len(REASONS)], minlength=len(REASONS))
    mean = total / pixels
    return mean, np.sqrt(np.maximum(square / pixels - mean * mean, 0)) + 1e-3, counts


def begun(folder: Path) -> tuple[Any, Any]:
    """Give a new network, and how many pixels there are of each reason."""
    files = [path for kind in KINDS for path in files_of(folder, kind, held_out=False)]
    mean, scale, counts = measured(files, np.random.default_rng(0))
    return build(mean, scale), counts


def loaded() -> Any:
    """Give the network that `write` wrote."""
    import onnx
    import torch

    with np.load(HERE / "surroundings.npz") as file:
        network = build(file["mean"], file["scale"])
        state = network.state_dict()
        state["stem.weight"] = torch.tensor(file["weight"])[:, :, None, None]
        state["stem.bias"] = torch.tensor(file["bias"])
    for one in onnx.load(str(HERE / "surroundings.onnx")).graph.initializer:
        state[one.name] = torch.tensor(onnx.numpy_helper.to_array(one).copy()).reshape(state[one.name].shape)
    network.load_state_dict(state)
    return network


def fit(folder: Path, steps: int, peak: float, *, further: bool) -> None:
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    torch.set_num_threads(1)  # for networks this small, more are slower
    rng = np.random.default_rng(0)
    network, counts = begun(folder)
    print("pixels by reason:", dict(zip([one.name for one in REASONS], counts.astype(int).tolist())))
    if further:
        network = loaded()
    network = network.to(memory_format=torch.channels_last)
    # Seldom ones count somewhat more than their number.
    weight = (counts.mean() / np.maximum(counts, 1)) ** 0.15
    for one, much in COUNTS.items():
        weight[REASONS.index(one)] *= much
    weights = torch.tensor(weight, dtype=torch.float32)
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.05)
    mean_of = {name: value.clone() for name, value in network.state_dict().items()}  # of the last steps
    heaps, halls = (files_of(folder, kind, held_out=False) for kind in ("heap", "hall"))
    pool: list[Any] = []
    lost: list[float] = []
    for step in range(steps):
        while len(pool) < 12 * BATCH:
            files = halls if halls and rng.uniform() < HALLS else heaps or halls
            pool += crops(files[int(rng.integers(len(files)))], network, rng)
        taken = [pool.pop(int(rng.integers(len(pool)))) for _ in range(BATCH)]
        x, y, e = (torch.tensor(np.stack(rows)) for rows in zip(*taken))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            told = network.told(x.to(memory_format=torch.channels_last))
        out = functional.pixel_shuffle(told.float(), 2)
        use, answers = y < len(REASONS), e < NOT_COUNTED
        if not use.any():
            continue
        likely = functional.log_softmax(out[:, : len(REASONS)].permute(0, 2, 3, 1)[use], 1)
        loss = -(weights[y[use]] * likely.gather(1, y[use][:, None])[:, 0]).mean()
        wild = sum(
            functional.binary_cross_entropy_with_logits(out[:, len(REASONS) + i][answers], (e[answers] > worse).float())
            for i, worse in enumerate(WILD)
        )
        optimizer.zero_grad()
        (loss + wild).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rate.step()
        with torch.no_grad():
            old = min(KEEP, step / (step + 50))
            for name, value in network.state_dict().items():
                mean_of[name].mul_(old).add_(value, alpha=1 - old)
        lost.append(float(loss.detach()))
        if step % 1000 == 999 or step + 1 == steps:
            print(f"step {step + 1}: {np.mean(lost):.4f}", flush=True)
            lost.clear()
            smooth = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
            smooth.load_state_dict(mean_of)
            smooth.eval()
            for kind in KINDS:
                score(smooth, kind, files_of(folder, kind, held_out=True))
            write(smooth)


def write(network: Any) -> None:
    """Write the first layer, which numpy does faster, and the rest."""
    import torch

    weight = network.stem.weight.detach().numpy()[:, :, 0, 0]
    mean, scale = network.mean.numpy().ravel(), 1 / network.by.numpy().ravel()
    np.savez(HERE / "surroundings.npz", mean=mean, scale=scale, weight=weight, bias=network.stem.bias.detach().numpy())
    network.forward = network.rest
    torch.onnx.export(
        network, (torch.zeros(1, WIDTHS[0], 64, 64),), str(HERE / "surroundings.onnx"), dynamo=False,
        opset_version=13, input_names=["start"], output_names=["leanings"],
    )  # fmt: skip


def score(network: Any, kind: str, files: list[Path]) -> None:
    """Print precision and recall on scenes that were held out."""
    import torch
    from torch.nn import functional

    both = np.zeros((len(REASONS), len(REASONS)), np.int64)
    with torch.no_grad():
        for path in files:
            with np.load(path) as file:
                x, y = torch.tensor(file["x"].astype(np.float32))[None], PLACE[file["y"]]
            filled = functional.pad(x, (0, -x.shape[3] % 16, 0, -x.shape[2] % 16), mode="replicate")
            out = functional.pixel_shuffle(network(filled), 2)[0, : len(REASONS), : y.shape[0], : y.shape[1]]
            use = y < len(REASONS)
            np.add.at(both, (y[use], out.argmax(0).numpy()[use]), 1)
    if not files:
        print(f"no {kind} is held out")
        return
    for row, one in enumerate(REASONS):
        precision, recall = (100 * both[row, row] / max(both.sum(axis)[row], 1) for axis in (0, 1))
        print(f"held out, {kind}, {one.name}: precision {precision:.1f} %, recall {recall:.1f} %")


def main() -> None:
    work, folder, *rest = sys.argv[1:]
    if work == "samples":
        kinds = rest[:1] or list(KINDS)
        for kind in kinds:
            _, fitted, held_out = KINDS[kind]
            numbers = range(*(int(one) for one in rest[1:])) if rest[1:] else sorted(fitted + held_out)
            samples(Path(folder), kind, numbers)
    else:
        steps = int(rest[0]) if rest else STEPS
        peak = float(rest[1]) if rest[1:] else GENTLE_RATE if work == "further" else RATE
        fit(Path(folder), steps, peak, further=work == "further")


if __name__ == "__main__":
    main()
